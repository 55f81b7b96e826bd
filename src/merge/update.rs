//! Who owns what after a write that is no apply: a create, an update or any other patch (structured-merge-diff's
//! `Updater.Update`, under apimachinery's `managedfields.FieldManager`).
//!
//! The writer takes every field that it gave another value, from whoever had it; what it took out nobody owns any more.

use super::{
    apply::{Unknown, first, object},
    entry::{Entry, Operation},
    field_set::FieldSet,
    path::PathElement,
    schema::Schemas,
    typed::compare,
};
use serde_json::Value;

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Field manager.
    pub manager: &'a str,
    /// Subresource that it writes through; empty for the object itself.
    pub subresource: &'a str,
    /// The server's clock, RFC 3339.
    pub time: &'a str,
}

/// More entries of updates than these are brought together.
const MOST_UPDATERS: usize = 10;
/// The entry that they are brought together in.
const ANCIENT: &str = "ancient-changes";

/// Returns the entries after `writer` made `new` out of `live` (none: it creates the object). `new` is in the version in
/// which the writer wrote it, with its defaults.
///
/// # Errors
/// [`Unknown::Kind`], where the schemas do not have the kind.
pub fn update(schemas: &Schemas, live: Option<&Value>, new: &Value, writer: Writer<'_>) -> Result<Vec<Entry>, Unknown> {
    let (api_version, name) = object::kind_of(new);
    let kind = schemas.kind(api_version, name).ok_or_else(|| Unknown::Kind(api_version.to_owned(), name.to_owned()))?;
    let mut entries = known_entries(live, new, writer.subresource);
    // An object that nobody tracks stays so.
    if live.is_some() && entries.is_empty() {
        return Ok(entries);
    }
    let mut found = match live {
        Some(live) => compare(kind.root, live, new),
        None => compare(kind.root, &first::nothing(kind, new), new),
    };
    if kind.has_status && writer.subresource != "status" {
        found.forget(&PathElement::field("status"));
    }
    let taken = found.added.union(&found.modified);
    for entry in &mut entries {
        entry.fields = entry.fields.difference(&taken).difference(&found.removed);
    }
    let taken = taken.difference(object::unowned());
    if !taken.is_empty() {
        take(&mut entries, api_version, writer, taken);
    }
    entries.retain(|entry| !entry.fields.is_empty());
    cap(&mut entries);
    sort(&mut entries);
    Ok(entries)
}

/// A client may write the entries themselves, but not through a subresource.
fn known_entries(live: Option<&Value>, new: &Value, subresource: &str) -> Vec<Entry> {
    let written = if subresource.is_empty() { super::entry::values(new) } else { &[] };
    let is_reset = matches!(written, [Value::Object(entry)] if entry.is_empty());
    if is_reset {
        return Vec::new();
    }
    let read = |object: &Value| Entry::read_all(object).unwrap_or_default();
    let given = if written.is_empty() { Vec::new() } else { read(new) };
    if given.is_empty() { live.map(read).unwrap_or_default() } else { given }
}

fn take(entries: &mut Vec<Entry>, api_version: &str, writer: Writer<'_>, taken: FieldSet) {
    let own = entries.iter_mut().find(|entry| {
        entry.is_of(writer.manager, Operation::Update, writer.subresource) && entry.api_version == api_version
    });
    match own {
        Some(own) => {
            own.fields = own.fields.union(&taken);
            own.time = Some(writer.time.to_owned());
        }
        None => entries.push(Entry {
            manager: writer.manager.to_owned(),
            operation: Operation::Update,
            api_version: api_version.to_owned(),
            subresource: writer.subresource.to_owned(),
            time: Some(writer.time.to_owned()),
            fields: taken,
        }),
    }
}

/// Brings the oldest updates together (apimachinery's `capManagersManager`).
fn cap(entries: &mut Vec<Entry>) {
    let is_update = |entry: &Entry| entry.operation == Operation::Update;
    let mut surplus = entries.iter().filter(|entry| is_update(entry)).count().saturating_sub(MOST_UPDATERS);
    if surplus == 0 {
        return;
    }
    sort(entries);
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut ancient: Vec<Entry> = Vec::new();
    for entry in entries.drain(..) {
        if !is_update(&entry) || surplus == 0 {
            kept.push(entry);
            continue;
        }
        match ancient.iter_mut().find(|known| known.api_version == entry.api_version) {
            Some(known) => {
                known.fields = known.fields.union(&entry.fields);
                known.time = entry.time;
                surplus -= 1;
            }
            // The first of a version makes the bucket, and saves nothing yet.
            None => ancient.push(Entry { manager: ANCIENT.into(), subresource: String::new(), ..entry }),
        }
    }
    kept.extend(ancient);
    *entries = kept;
}

/// The server's order.
pub(super) fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| {
        let rank = |entry: &Entry| {
            let Entry { operation, time, manager, api_version, subresource, .. } = entry.clone();
            (operation, time, manager, api_version, subresource)
        };
        rank(a).cmp(&rank(b))
    });
}

/// Writes entries into an object in place of those that it has.
pub fn set_entries(target: &mut Value, entries: &[Entry]) {
    object::set_managed_fields(target, entries);
}

#[cfg(test)]
mod tests;
