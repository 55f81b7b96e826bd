//! A walk over an object of a built-in kind, from struct to struct, as the Go types stand in one another.

use super::{fields::Fields, types::short_name};
use crate::merge::schema::{Map, Type};
use serde_json::Value;

/// Deeper than any object that the server reads.
const DEEPEST: usize = 200;

/// What a place holds, in Go's terms.
pub(super) enum Shape<'s> {
    /// A struct, by its short name.
    Struct(&'s str, Map<'s>),
    /// A slice.
    List(Type<'s>),
    /// A map from texts.
    Map(Type<'s>),
    /// A `resource.Quantity`.
    Quantity,
    /// A `metav1.Time`; also a `MicroTime`, which has six digits for the second's fraction.
    Time { micro: bool },
    /// A text.
    Text,
    /// JSON that the server does not look into.
    Raw,
    /// Numbers, booleans, int-or-strings.
    Other,
}

/// Says what a place holds.
pub(super) fn shape(at: Type<'_>) -> Shape<'_> {
    let name = at.name().and_then(short_name);
    match name {
        Some("api.resource.Quantity") => return Shape::Quantity,
        Some("util.intstr.IntOrString") => return Shape::Other,
        Some("meta.v1.Time") => return Shape::Time { micro: false },
        Some("meta.v1.MicroTime") => return Shape::Time { micro: true },
        Some("runtime.RawExtension" | "meta.v1.FieldsV1") => return Shape::Raw,
        _ => {}
    }
    match (at.map(), at.list(), at.scalar()) {
        (Some(_), Some(_), _) => Shape::Raw,
        (Some(map), None, _) => match (name, map.values()) {
            (Some(name), _) => Shape::Struct(name, map),
            (None, Some(values)) => Shape::Map(values),
            (None, None) => Shape::Raw,
        },
        (None, Some(list), _) => Shape::List(list.items()),
        (None, None, Some(crate::merge::schema::Scalar::String)) => Shape::Text,
        _ => Shape::Other,
    }
}

/// Calls `visit` for every struct of a value, an outer one before those in it.
pub(super) fn structs(at: Type<'_>, value: &mut Value, visit: &mut dyn FnMut(&str, Map<'_>, &mut Fields)) {
    walk(at, value, 0, visit);
}

fn walk(at: Type<'_>, value: &mut Value, depth: usize, visit: &mut dyn FnMut(&str, Map<'_>, &mut Fields)) {
    if depth > DEEPEST {
        return;
    }
    match (shape(at), value) {
        (Shape::Struct(name, map), Value::Object(fields)) => {
            visit(name, map, fields);
            for (field, value) in fields {
                let Some(place) = map.field(field) else { continue };
                // A schema in a schema, where OpenAPI has no type for "a schema or a boolean".
                let nested = name == "apiextensions.v1.JSONSchemaProps"
                    && matches!(field.as_str(), "items" | "additionalProperties" | "additionalItems");
                walk(if nested { at } else { place.value }, value, depth + 1, visit);
            }
        }
        (Shape::List(items), Value::Array(list)) => {
            list.iter_mut().for_each(|item| walk(items, item, depth + 1, visit))
        }
        (Shape::Map(values), Value::Object(map)) => {
            map.values_mut().for_each(|value| walk(values, value, depth + 1, visit))
        }
        _ => {}
    }
}
