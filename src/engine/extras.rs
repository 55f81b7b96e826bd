//! Live fields that neither Git sets nor we own: what others added, by manager.

use super::{comparison::Extra, controllers, predict::created};
use crate::{
    cluster::FIELD_MANAGER,
    merge::{Entry, FieldSet, Operation, Owner, Path, PathElement, Schemas, set_of},
    object::{Borrowed, Mask, ObjectId, Pointer, holds_values, is_secret},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Lists the extras of a live object. Not among them: fields of known controllers, status, and values that creating `desired` would have
/// given (defaults). An entry that cannot be read has none.
pub(in crate::engine) fn of(schemas: &Schemas, id: &ObjectId, live: &Value, desired: &Value) -> Vec<Extra> {
    if !has_other_writers(live) {
        return Vec::new();
    }
    let Ok(entries) = Entry::read_all(live) else { return Vec::new() };
    let is_ours = |entry: &Entry| entry.manager == FIELD_MANAGER && entry.operation == Operation::Apply;
    let Some(wanted) = set_of(schemas, desired) else { return Vec::new() };
    let ours = entries.iter().filter(|entry| is_ours(entry)).fold(wanted, |set, entry| set.union(&entry.fields));
    let mut fresh: Option<Value> = None;
    let mut extras: BTreeMap<Pointer, Extra> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !is_ours(entry) && entry.subresource != "status") {
        // What stands below one of our atomic values is part of it; an item that is not ours at all is one extra.
        for path in entry.fields.recursive_difference(&ours).leaves().paths() {
            let path = outermost_item(&path, &ours);
            let Some(pointer) = path.resolve(live) else { continue };
            let Some(value) = pointer.get(live) else { continue };
            if is_bookkeeping(&pointer) || ours.reaches(&path.0) {
                continue;
            }
            let owner = owner(entry);
            if controllers::wrote(id, &pointer, &owner) {
                continue;
            }
            let fresh = fresh.get_or_insert_with(|| created(schemas, desired));
            if path.resolve(fresh).and_then(|pointer| pointer.get(fresh).cloned()).as_ref() == Some(value) {
                continue;
            }
            let is_value = pointer.0.first().is_some_and(|first| holds_values(first, Some(value)));
            let shown = if is_value && is_secret(live) { Mask::Changed.json() } else { value.clone() };
            let extra = Extra { path: pointer.to_string(), live: shown, manager: owner.manager, time: owner.time };
            // Of several owners, the one who wrote last.
            match extras.get(&pointer) {
                Some(known) if known.time >= extra.time => {}
                _ => drop(extras.insert(pointer, extra)),
            }
        }
    }
    let mut extras: Vec<Extra> = extras.into_values().collect();
    extras.sort_by(|a, b| a.manager.cmp(&b.manager));
    extras
}

/// Says whether anybody else has written more than the status, so that there may be extras at all. Most objects have one writer.
pub(in crate::engine) fn may_have_any(live: &Borrowed<'_>) -> bool {
    let entries = live.get("metadata").and_then(|metadata| metadata.get("managedFields"));
    let Some(Borrowed::Array(entries)) = entries else { return false };
    entries.iter().any(|entry| is_other_writer(|field| entry.get(field).and_then(Borrowed::as_str)))
}

fn has_other_writers(live: &Value) -> bool {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| is_other_writer(|field| entry.get(field).and_then(Value::as_str)))
}

fn is_other_writer<'a>(field: impl Fn(&str) -> Option<&'a str>) -> bool {
    let is_ours = field("manager") == Some(FIELD_MANAGER) && field("operation") == Some(Operation::Apply.as_str());
    !is_ours && field("subresource") != Some("status")
}

/// Cuts a path at the first item of a list of which nothing is ours.
fn outermost_item(path: &Path, ours: &FieldSet) -> Path {
    let cut = (1..=path.0.len()).find(|length| {
        let part = &path.0[..*length];
        matches!(part.last(), Some(PathElement::Key(_))) && !ours.reaches(part)
    });
    Path(path.0[..cut.unwrap_or(path.0.len())].to_vec())
}

/// What the server writes about an object, and a status without a subresource, is nobody's content.
fn is_bookkeeping(pointer: &Pointer) -> bool {
    match pointer.0.first().map(String::as_str) {
        Some("status") => true,
        Some("metadata") => !matches!(
            pointer.0.get(1).map(String::as_str),
            Some("labels" | "annotations" | "finalizers" | "ownerReferences")
        ),
        _ => false,
    }
}

fn owner(entry: &Entry) -> Owner {
    Owner {
        manager: entry.manager.clone(),
        operation: entry.operation.as_str().to_owned(),
        subresource: Some(entry.subresource.clone()).filter(|name| !name.is_empty()),
        time: entry.time.clone(),
    }
}
