//! One server-side apply, answered by the real server and by `merge`, and what of the two answers differs.

use driftdeck::{
    merge::{Applied, Entry, Outcome, Schemas, changes, defaults, merge},
    object::Pointer,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The field manager of all applies.
pub const MANAGER: &str = "driftdeck";

/// An apply and the server's answer to it.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub force: bool,
    /// None: the object is not there.
    pub live: Option<Value>,
    pub body: Value,
    /// `{"code": 200, "object": …}` or `{"code": 409, "status": …}`.
    pub answer: Value,
}

/// One thing that is compared.
pub struct Verdict {
    /// `codes`, `conflicts`, `typed errors`, `managedFields`, `objects`.
    pub what: &'static str,
    pub agrees: bool,
    /// What differs.
    pub detail: String,
}

impl Case {
    pub fn code(&self) -> u64 {
        self.answer["code"].as_u64().expect("a code")
    }
    /// The causes of a conflict of fields, as (message, field).
    pub fn causes(&self) -> BTreeSet<(String, String)> {
        let text = |cause: &Value, part: &str| cause[part].as_str().unwrap_or_default().to_owned();
        let causes = self.answer["status"]["details"]["causes"].as_array();
        let causes = causes.filter(|_| self.code() == 409).into_iter().flatten();
        causes.map(|cause| (text(cause, "message"), text(cause, "field"))).collect()
    }
    pub fn message(&self) -> &str {
        self.answer["status"]["message"].as_str().unwrap_or_default()
    }
    /// Whether the server found that the body is not what its schema says.
    pub fn is_typed_error(&self) -> bool {
        self.code() == 500 && self.message().starts_with("failed to create typed patch object")
    }
    /// Whether the answer comes from what `merge` does: neither preconditions nor conversion to Go types nor validation.
    pub fn is_predictable(&self) -> bool {
        matches!(self.code(), 200 | 201) || self.is_typed_error() || !self.causes().is_empty()
    }
    pub fn id(&self) -> String {
        format!("{}{}", self.name, if self.force { " forced" } else { "" })
    }

    /// Asks `merge` the same and compares. `assigned`: fields of the object that only the server can know may differ.
    pub fn compare(&self, schemas: &Schemas, assigned: bool) -> Vec<Verdict> {
        let outcome = merge(schemas, self.live.as_ref(), &self.body, MANAGER, self.force);
        let verdict = |what, agrees, detail: String| Verdict { what, agrees, detail };
        let causes = self.causes();
        match outcome {
            outcome if !causes.is_empty() => {
                vec![verdict("conflicts", conflicts_of(&outcome) == causes, format!("{outcome:?}, not {causes:?}"))]
            }
            outcome if self.is_typed_error() => {
                let expected = error_paths(self.message());
                let found: BTreeSet<String> = match &outcome {
                    Outcome::Invalid(errors) => errors.iter().map(|error| error.path.clone()).collect(),
                    _ => BTreeSet::new(),
                };
                vec![verdict("typed errors", found == expected, format!("{found:?}, not {}", self.message()))]
            }
            Outcome::Applied(applied) if matches!(self.code(), 200 | 201) => {
                let object = &self.answer["object"];
                let created = applied.created == (self.code() == 201);
                let (found, expected) = (predicted_entries(&applied.entries), entries_of(object));
                let mut stored = stored(schemas, applied, self.live.as_ref());
                if assigned {
                    let paths = defaults::server_assigned(&stored, self.live.is_none());
                    paths.iter().for_each(|path| take_over(&mut stored, object, path));
                }
                let different: Vec<_> = changes(object, &stored).iter().map(shown).collect();
                vec![
                    verdict("codes", created, self.code().to_string()),
                    verdict("managedFields", found == expected, difference(&found, &expected)),
                    verdict("objects", different.is_empty(), different.join(" ")),
                ]
            }
            // What is not predicted is never taken for a conflict or a typed error, since these come first.
            outcome => {
                let agrees = matches!(outcome, Outcome::Applied(_) | Outcome::Unknown(_)) && !self.is_predictable();
                vec![verdict("codes", agrees, format!("{outcome:?}, not {} {}", self.code(), self.message()))]
            }
        }
    }
}

fn shown(change: &driftdeck::merge::FieldChange) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
    format!("{:?} {} server {} predicted {};", change.op, change.path, value(&change.live), value(&change.desired))
}

/// The object as the server would store it, as far as that can be known.
fn stored(schemas: &Schemas, applied: Applied<'_>, live: Option<&Value>) -> Value {
    let mut object = applied.into_object();
    defaults::apply(schemas, &mut object, live);
    object
}

/// Puts the value that one object has at a path into the other.
fn take_over(object: &mut Value, from: &Value, path: &Pointer) {
    let (Some(value), Some((last, above))) = (path.get(from), path.0.split_last()) else { return };
    let above = Pointer(above.to_vec()).to_string();
    match object.pointer_mut(&above) {
        Some(Value::Object(map)) => drop(map.insert(last.clone(), value.clone())),
        Some(Value::Array(items)) => {
            if let Some(item) = last.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                *item = value.clone();
            }
        }
        _ => {}
    }
}

fn conflicts_of(outcome: &Outcome<'_>) -> BTreeSet<(String, String)> {
    let Outcome::Conflicts(conflicts) = outcome else { return BTreeSet::new() };
    conflicts.iter().map(|conflict| (conflict.to_string(), conflict.path.to_string())).collect()
}

/// The entries of an object by identity, without times.
pub fn entries_of(object: &Value) -> BTreeMap<String, Value> {
    let entries = object["metadata"]["managedFields"].as_array().map_or(&[][..], Vec::as_slice);
    let entries = entries.iter().map(|entry| {
        let part = |part: &str| entry[part].as_str().unwrap_or_default();
        let identity = ["manager", "operation", "apiVersion", "subresource"].map(part);
        (identity.join("|"), entry["fieldsV1"].clone())
    });
    entries.collect()
}

fn predicted_entries(entries: &[Entry]) -> BTreeMap<String, Value> {
    entries_of(&json!({"metadata": {"managedFields": entries.iter().map(Entry::to_value).collect::<Vec<_>>()}}))
}

/// The paths of the errors in a server's message, without its words for them.
fn error_paths(message: &str) -> BTreeSet<String> {
    let (_, errors) = message.split_once("): ").expect("an object's name");
    let lines: Vec<&str> = match errors.strip_prefix("errors:\n") {
        Some(lines) => lines.lines().map(str::trim_start).collect(),
        None => vec![errors],
    };
    lines.into_iter().map(|line| line.split_once(": ").map_or("", |(path, _)| path).to_owned()).collect()
}

/// What is in only one of two maps of entries.
fn difference(found: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) -> String {
    let mut text = String::new();
    for identity in found.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        let (found, expected) = (found.get(identity), expected.get(identity));
        if found != expected {
            let show = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), Value::to_string);
            text.push_str(&format!("\n  {identity}\n    found    {}\n    expected {}", show(found), show(expected)));
        }
    }
    text
}
