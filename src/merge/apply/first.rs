//! The entry of an object that nobody has tracked yet: before the first apply all that it has belongs to
//! `before-first-apply`.

use super::{Entry, Operation, object};
use crate::merge::{
    path::PathElement,
    schema::{Kind, Type},
    typed::compare,
};
use serde_json::{Map, Value};

/// Returns the entry, if it owns anything.
pub(super) fn entry(kind: Kind<'_>, api_version: &str, live: &Value) -> Option<Entry> {
    let mut found = compare(kind.root, &nothing(kind, live), live);
    if kind.has_status {
        found.forget(&PathElement::field("status"));
    }
    let fields = found.added.union(&found.modified).difference(object::unowned());
    let entry = Entry {
        manager: "before-first-apply".into(),
        operation: Operation::Update,
        api_version: api_version.to_owned(),
        subresource: String::new(),
        time: None,
        fields,
    };
    Some(entry).filter(|entry| !entry.fields.is_empty())
}

/// The object with nothing in it, against which the live one is compared. Of a built-in kind it is a Go value, which has a
/// field of every struct that is no pointer, and null for a list that is written even when it is empty.
pub(in crate::merge) fn nothing(kind: Kind<'_>, live: &Value) -> Value {
    let mut empty = if kind.is_custom { Map::new() } else { zero(kind.root, live) };
    for name in ["apiVersion", "kind"] {
        empty.extend(live.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    Value::Object(empty)
}

/// The zero value of a struct, as far as the live value has its fields. A Go value has null only where it is its zero.
fn zero(schema: Type<'_>, live: &Value) -> Map<String, Value> {
    let Some(map) = schema.map() else { return Map::new() };
    let mut fields = Map::new();
    for (name, live) in live.as_object().into_iter().flatten() {
        let Some(field) = map.field(name) else { continue };
        let is_struct = field.value.default().and_then(Value::as_object).is_some_and(Map::is_empty);
        if is_struct && live.is_object() {
            fields.insert(name.clone(), Value::Object(zero(field.value, live)));
        } else if live.is_null() || field.required && field.value.list().is_some() {
            fields.insert(name.clone(), Value::Null);
        }
    }
    fields
}
