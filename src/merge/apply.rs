//! Server-side apply as a function: what kube-apiserver would answer to a dry-run, from the live object, the manifest and the
//! schemas that the cluster publishes. Source: KEP-555, apimachinery's `managedfields.FieldManager` over
//! structured-merge-diff's `merge.Updater`.
//!
//! ```text
//! desired ─► validate ─► combine with live ─► take out what the manager owned and dropped ─► compare with live
//!                                                    (see prune)                                  │
//!                      managedFields ◄── take the fields from the others (force) ◄── conflicts ◄──┘
//! ```
//! What the server does besides (conversion to Go types, defaults, validation, admission) is not here. The manager named
//! `kubectl` gets a grace from the server for its last-applied annotation, which is not here either.

pub(super) mod first;
pub(super) mod object;
mod prune;

use super::{
    conflict::Conflict,
    entry::{Entry, EntryError, Operation},
    path::PathElement,
    schema::{Kind, Schemas, Type, is_built_in},
    typed::{Comparison, TypedError, combine, compare, conformed, fields_of, validate, validate_live},
};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// What the server would answer to an apply.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// 200 or 201, as far as apply itself is concerned.
    Applied(Applied<'a>),
    /// 409: fields of other managers would get another value; sorted.
    Conflicts(Vec<Conflict>),
    /// 500 `failed to create typed patch object`: the manifest is not what the schema says.
    Invalid(Vec<TypedError>),
    /// Only the server knows.
    Unknown(Unknown),
}

/// An apply that goes through.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied<'a> {
    /// The object before the server sets defaults; the live one where apply changes nothing but ownership. Its
    /// `managedFields` are not yet those below: see [`Applied::into_object`].
    pub object: Cow<'a, Value>,
    /// Who owns what afterwards, in the server's order.
    pub entries: Vec<Entry>,
    /// Whether the object is created.
    pub created: bool,
}

impl Applied<'_> {
    /// Says whether the apply changes anything but ownership.
    pub fn is_changed(&self) -> bool {
        matches!(self.object, Cow::Owned(_))
    }

    /// Returns the object with its new `managedFields`.
    pub fn into_object(self) -> Value {
        let mut object = self.object.into_owned();
        object::set_managed_fields(&mut object, &self.entries);
        object
    }
}

/// Why an answer cannot be predicted; a dry-run asks the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No schema of the kind is at hand.
    #[error("the cluster's schema of {0} {1} is not known")]
    Kind(String, String),
    /// Fields are owned under a version to which only the server can convert.
    #[error("fields of {manager:?} are named in {api_version}, to which only the server can convert")]
    Version {
        /// The entry's manager.
        manager: String,
        /// The entry's version.
        api_version: String,
    },
    /// The live object was read in another version or is another kind.
    #[error("the live object is {0} {1}, which only the server can convert")]
    Live(String, String),
    /// The live object is not what the schema says; the server refuses every apply to it.
    #[error("the live object is not what its schema says: {0}")]
    LiveInvalid(TypedError),
    /// The live object's `managedFields` cannot be read.
    #[error(transparent)]
    Entries(#[from] EntryError),
    /// Deeper than the server reads.
    #[error("the object is nested more than {} deep", super::typed::DEPTH)]
    TooDeep,
}

/// Predicts the answer to a server-side apply of `desired` by `manager` onto `live` (none: the object is not there). `desired`
/// is sent as it is: no `managedFields`, and for a Secret either form of its data.
///
/// Preconditions (`metadata.uid`, `resourceVersion`) are not looked at.
pub fn merge<'a>(
    schemas: &Schemas,
    live: Option<&'a Value>,
    desired: &Value,
    manager: &str,
    force: bool,
) -> Outcome<'a> {
    match try_merge(schemas, live, desired, manager, force) {
        Ok(outcome) => outcome,
        Err(unknown) => Outcome::Unknown(unknown),
    }
}

fn try_merge<'a>(
    schemas: &Schemas,
    live: Option<&'a Value>,
    desired: &Value,
    manager: &str,
    force: bool,
) -> Result<Outcome<'a>, Unknown> {
    if object::is_too_deep(desired) {
        return Err(Unknown::TooDeep);
    }
    let (api_version, name) = object::kind_of(desired);
    let kind = schemas.kind(api_version, name).ok_or_else(|| Unknown::Kind(api_version.to_owned(), name.to_owned()))?;
    if let Err(errors) = validate(kind.root, desired) {
        return Ok(Outcome::Invalid(errors));
    }
    let apply = Apply { schemas, kind, api_version, name, manager, force };
    match live {
        None => Ok(Outcome::Applied(apply.create(desired))),
        Some(live) => apply.update(live, desired),
    }
}

struct Apply<'a> {
    schemas: &'a Schemas,
    kind: Kind<'a>,
    api_version: &'a str,
    name: &'a str,
    manager: &'a str,
    force: bool,
}

impl Apply<'_> {
    fn create<'o>(&self, desired: &Value) -> Applied<'o> {
        let entries = self.finished(vec![self.entry(desired, None)]);
        Applied { object: Cow::Owned(object::created(self.kind, self.name, desired)), entries, created: true }
    }

    fn update<'o>(&self, live: &'o Value, desired: &Value) -> Result<Outcome<'o>, Unknown> {
        self.check(live)?;
        let mut entries = Entry::read_all(live)?;
        if entries.is_empty() {
            entries.extend(first::entry(self.kind, self.api_version, live));
        }
        for entry in &mut entries {
            if let Some(fields) = conformed(self.root_in(entry)?, &entry.fields) {
                entry.fields = fields;
            }
        }
        let merged = combine(self.kind.root, live, desired);
        let last = entries.iter().position(|entry| entry.is_of(self.manager, Operation::Apply, ""));
        let last = last.map(|at| entries.remove(at));
        let entry = self.entry(desired, last.as_ref().and_then(|last| last.time.clone()));
        let merged = match &last {
            Some(last) if !last.fields.is_subset(&entry.fields) => self.prune(merged, last, &entry, &entries)?,
            _ => merged,
        };
        if let Cow::Owned(merged) = &merged {
            let conflicts = self.take_over(live, merged, &mut entries)?;
            if !conflicts.is_empty() {
                return Ok(Outcome::Conflicts(conflicts));
            }
        }
        let time = entry.time.clone().filter(|_| matches!(merged, Cow::Borrowed(_)));
        entries.push(Entry { time, ..entry });
        let object = match merged {
            Cow::Borrowed(live) => Cow::Borrowed(live),
            Cow::Owned(merged) => Cow::Owned(object::updated(self.kind, self.name, live, merged)),
        };
        Ok(Outcome::Applied(Applied { object, entries: self.finished(entries), created: false }))
    }

    /// The live object must be of the kind and valid, as far as the server asks for it.
    fn check(&self, live: &Value) -> Result<(), Unknown> {
        let (api_version, name) = object::kind_of(live);
        if name != self.name || api_version != self.api_version && !self.converts_from(api_version) {
            return Err(Unknown::Live(api_version.to_owned(), name.to_owned()));
        }
        validate_live(self.kind.root, live).map_err(first_error)
    }

    /// Whether an object of another version is the same but for its `apiVersion`.
    fn converts_from(&self, api_version: &str) -> bool {
        let group = |api_version: &str| crate::object::split_api_version(api_version).0.to_owned();
        !is_built_in(api_version) && group(api_version) == group(self.api_version)
    }

    /// What the kind is in the version of an entry.
    fn root_in(&self, entry: &Entry) -> Result<Type<'_>, Unknown> {
        if entry.api_version == self.api_version {
            return Ok(self.kind.root);
        }
        let kind = self.schemas.kind(&entry.api_version, self.name);
        kind.filter(|_| self.converts_from(&entry.api_version))
            .map(|kind| kind.root)
            .ok_or_else(|| Unknown::Version { manager: entry.manager.clone(), api_version: entry.api_version.clone() })
    }

    /// The applying manager's entry: all that it names.
    fn entry(&self, desired: &Value, time: Option<String>) -> Entry {
        let mut fields = fields_of(self.kind.root, desired);
        if self.kind.has_status {
            fields = fields.recursive_difference(object::status());
        }
        Entry {
            manager: self.manager.to_owned(),
            operation: Operation::Apply,
            api_version: self.api_version.to_owned(),
            subresource: String::new(),
            time,
            fields,
        }
    }

    /// Finds the conflicts with the other managers; forced, they lose what gets another value. What is taken out they lose
    /// in any case.
    fn take_over(&self, live: &Value, merged: &Value, entries: &mut [Entry]) -> Result<Vec<Conflict>, Unknown> {
        let mut comparisons: BTreeMap<String, Comparison> = BTreeMap::new();
        let mut here = compare(self.kind.root, live, merged);
        if self.kind.has_status {
            here.forget(&PathElement::field("status"));
        }
        comparisons.insert(self.api_version.to_owned(), here);
        let mut conflicts = Vec::new();
        let mut left = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            if !comparisons.contains_key(&entry.api_version) {
                let root = self.root_in(entry)?;
                for value in [live, merged] {
                    validate(root, value).map_err(first_error)?;
                }
                comparisons.insert(entry.api_version.clone(), compare(root, live, merged));
            }
            let comparison = &comparisons[&entry.api_version];
            let lost =
                entry.fields.intersection(&comparison.modified).union(&entry.fields.intersection(&comparison.added));
            conflicts.extend(lost.paths().into_iter().map(|path| Conflict::new(entry, path)));
            let fields = entry.fields.difference(&lost).difference(&comparison.removed);
            left.push(fields);
        }
        if !self.force && !conflicts.is_empty() {
            conflicts.sort();
            return Ok(conflicts);
        }
        for (entry, fields) in entries.iter_mut().zip(left) {
            entry.fields = fields;
        }
        Ok(Vec::new())
    }

    /// Brings the entries into the server's order, without those that own nothing and without fields that nobody owns.
    fn finished(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        if let Some(own) = entries.iter_mut().find(|entry| entry.is_of(self.manager, Operation::Apply, "")) {
            own.fields = own.fields.difference(object::unowned());
        }
        entries.retain(|entry| !entry.fields.is_empty());
        entries.sort_by(|a, b| {
            // The applying manager's time is the server's clock where it is not known: later than all others.
            let rank = |entry: &Entry| {
                (entry.time.is_none() && entry.is_of(self.manager, Operation::Apply, ""), entry.time.clone())
            };
            (a.operation, rank(a), &a.manager, &a.api_version, &a.subresource).cmp(&(
                b.operation,
                rank(b),
                &b.manager,
                &b.api_version,
                &b.subresource,
            ))
        });
        entries
    }
}

fn first_error(errors: Vec<TypedError>) -> Unknown {
    let nothing = || TypedError { path: String::new(), message: String::new() };
    Unknown::LiveInvalid(errors.into_iter().next().unwrap_or_else(nothing))
}

#[cfg(test)]
mod tests;
