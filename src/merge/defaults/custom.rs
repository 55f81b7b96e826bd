//! Custom resources: the schema's defaults, by the rules of apiextensions-apiserver (`pkg/apiserver/schema/defaulting`).

use super::{go, types::short_name};
use crate::merge::schema::Type;
use serde_json::Value;

/// Deeper than any object that the server reads.
const DEEPEST: usize = 200;

/// Reads metadata (also of embedded objects) through its Go type, and sets the schema's defaults.
pub(super) fn complete(root: Type<'_>, object: &mut Value) {
    go::whole_numbers(object, 0);
    metadata(root, object, 0);
    defaults(root, object, 0);
}

fn metadata(at: Type<'_>, value: &mut Value, depth: usize) {
    if at.name().and_then(short_name) == Some("meta.v1.ObjectMeta") {
        if value.is_object() {
            go::decode(at, value);
            go::encode(at, value);
        }
        return;
    }
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(fields) => {
            let Some(map) = at.map() else { return };
            for (name, value) in fields {
                if let Some(member) = map.member(name) {
                    metadata(member, value, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            let Some(list) = at.list() else { return };
            items.iter_mut().for_each(|item| metadata(list.items(), item, depth + 1));
        }
        _ => {}
    }
}

/// Sets what is absent, and what is null where it must not be; goes into what is there, not into what is absent.
fn defaults(at: Type<'_>, value: &mut Value, depth: usize) {
    if depth > DEEPEST || at.name().and_then(short_name).is_some() {
        return;
    }
    match value {
        Value::Object(fields) => {
            let Some(map) = at.map() else { return };
            for field in map.fields() {
                let Some(default) = field.value.default() else { continue };
                match fields.get(field.name.as_ref()) {
                    Some(value) if !value.is_null() || field.value.nullable() => {}
                    _ => {
                        fields.insert(field.name.to_string(), default.clone());
                    }
                }
            }
            for (name, value) in fields {
                if let Some(member) = map.member(name) {
                    replace_null(member, value);
                    defaults(member, value, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            let Some(list) = at.list() else { return };
            for item in items {
                replace_null(list.items(), item);
                defaults(list.items(), item, depth + 1);
            }
        }
        _ => {}
    }
}

fn replace_null(at: Type<'_>, value: &mut Value) {
    if let Some(default) = at.default().filter(|_| value.is_null() && !at.nullable()) {
        *value = default.clone();
    }
}
