//! What apply does not decide: fields of the object that only the server writes, and a Secret's `stringData`.

use crate::merge::{entry::Entry, field_set::FieldSet, path::PathElement, schema::Kind, typed::DEPTH};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// Says whether a value is deeper than [`DEPTH`].
pub(super) fn is_too_deep(value: &Value) -> bool {
    fn deeper(value: &Value, left: usize) -> bool {
        match value {
            Value::Object(_) | Value::Array(_) if left == 0 => true,
            Value::Object(members) => members.values().any(|member| deeper(member, left - 1)),
            Value::Array(items) => items.iter().any(|item| deeper(item, left - 1)),
            _ => false,
        }
    }
    deeper(value, DEPTH)
}

/// An object's `apiVersion` and kind; empty where it has none.
pub(in crate::merge) fn kind_of(object: &Value) -> (&str, &str) {
    let text = |name| object.get(name).and_then(Value::as_str).unwrap_or_default();
    (text("apiVersion"), text("kind"))
}

/// Fields of `metadata` that keep live's value whatever is applied.
const SERVER_WRITTEN: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Fields that are in no entry (apimachinery's `stripMeta`).
pub(in crate::merge) fn unowned() -> &'static FieldSet {
    static UNOWNED: LazyLock<FieldSet> = LazyLock::new(|| {
        let mut set = FieldSet::default();
        for name in ["apiVersion", "kind", "metadata"] {
            set.insert(&[PathElement::field(name)]);
        }
        for name in [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        ] {
            set.insert(&[PathElement::field("metadata"), PathElement::field(name)]);
        }
        set
    });
    &UNOWNED
}

/// The field that an apply of the object itself cannot write where it is a subresource.
pub(super) fn status() -> &'static FieldSet {
    static STATUS: LazyLock<FieldSet> = LazyLock::new(|| {
        let mut set = FieldSet::default();
        set.insert(&[PathElement::field("status")]);
        set
    });
    &STATUS
}

/// What is created of a manifest.
pub(super) fn created(kind: Kind<'_>, name: &str, desired: &Value) -> Value {
    updated(kind, name, &Value::Null, desired.clone())
}

/// Puts back what the server keeps of the live object.
pub(super) fn updated(kind: Kind<'_>, name: &str, live: &Value, mut merged: Value) -> Value {
    let Some(object) = merged.as_object_mut() else { return merged };
    let live_metadata = live.get("metadata");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_WRITTEN {
            keep(metadata, field, live_metadata.and_then(|metadata| metadata.get(field)));
        }
    }
    if kind.has_status {
        keep(object, "status", live.get("status"));
    }
    if name == "Secret" && !kind.is_custom {
        fold_string_data(object);
    }
    merged
}

fn keep(map: &mut Map<String, Value>, field: &str, live: Option<&Value>) {
    match live {
        Some(value) if map.get(field) == Some(value) => {}
        Some(value) => drop(map.insert(field.to_owned(), value.clone())),
        None => drop(map.remove(field)),
    }
}

/// `stringData` is only written: the server encodes it into `data`.
fn fold_string_data(secret: &mut Map<String, Value>) {
    let Some(Value::Object(texts)) = secret.remove("stringData") else { return };
    if texts.is_empty() {
        return;
    }
    let data = secret.entry("data").or_insert(Value::Null);
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Value::Object(data) = data {
        let encoded = |text: &Value| STANDARD.encode(text.as_str().unwrap_or_default());
        data.extend(texts.iter().map(|(key, text)| (key.clone(), encoded(text).into())));
    }
}

/// Writes the entries into an object.
pub(in crate::merge) fn set_managed_fields(object: &mut Value, entries: &[Entry]) {
    let Some(object) = object.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            let entries = entries.iter().map(Entry::to_value).collect();
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }
}
