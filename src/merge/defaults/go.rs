//! What becomes of a value when the server reads it into its Go types and writes it again: nulls and empty fields vanish,
//! structs that are no pointers appear, quantities, times and base64 take their one form.
//!
//! [`decode`] makes the form on which the defaulting rules work: a field is there or it is not, and structs that cannot
//! be absent are there. [`encode`] adds what Go writes although nothing is set.

use super::{
    fields::Fields,
    types::{Known, known},
    walk::{Shape, shape, structs},
};
use crate::{
    merge::schema::{Map, Type},
    object::Quantity,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Value, json};

/// Go's decoder does not mind set bits after the last byte.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Takes out what Go does not keep, and puts every value into its one form.
pub(super) fn decode(at: Type<'_>, value: &mut Value) {
    whole_numbers(value, 0);
    structs(at, value, &mut |name, map, fields| {
        let known = known(name);
        // v1 ResourceLists are rounded by the server's defaulting, other mappings of quantities are not.
        let round = name.starts_with("core.") || name.starts_with("node.");
        fields.retain(|field, value| {
            let Some(place) = map.field(field) else { return true };
            if value.is_null() {
                return false;
            }
            if known.holds_bytes(field) {
                canonical_bytes(value);
            }
            settle(place.value, value, round);
            !vanishes(known, field, place.value, value)
        });
        add_structs(map, fields);
    });
}

/// Adds what Go writes where nothing is set: zeros, nulls, and the schema's defaults.
pub(super) fn encode(at: Type<'_>, value: &mut Value) {
    structs(at, value, &mut |name, map, fields| {
        let known = known(name);
        fields.retain(|field, value| map.field(field).is_none_or(|place| !is_empty(place.value, value)));
        add_structs(map, fields);
        for place in map.fields().filter(|place| !fields.contains_key(place.name.as_ref())).collect::<Vec<_>>() {
            let name = place.name.as_ref();
            let value = match place.value.default() {
                Some(default) if !(is_zero(default) && known.omits_empty_default(name)) => default.clone(),
                None if known.written_null().contains(&name) => Value::Null,
                None if place.required && matches!(shape(place.value), Shape::List(_)) => Value::Null,
                _ => continue,
            };
            fields.insert(name.to_owned(), value);
        }
    });
}

/// The structs that are no pointers: the schema gives them the default `{}`.
fn add_structs(map: Map<'_>, fields: &mut Fields) {
    for place in map.fields() {
        let is_struct = place.value.default().and_then(Value::as_object).is_some_and(serde_json::Map::is_empty);
        if is_struct && !fields.contains_key(place.name.as_ref()) {
            fields.insert(place.name.to_string(), json!({}));
        }
    }
}

/// Whether Go leaves a field out for its value.
fn vanishes(known: &Known, field: &str, at: Type<'_>, value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty() && !known.keeps_empty_text(field) && !matches!(shape(at), Shape::Raw),
        Value::Bool(_) | Value::Number(_) => {
            is_zero(value) && (known.drops_zero(field) || at.default().is_some_and(is_zero))
        }
        _ => is_empty(at, value),
    }
}

/// An empty slice or map.
fn is_empty(at: Type<'_>, value: &Value) -> bool {
    match (value, shape(at)) {
        (Value::Array(list), Shape::List(_)) => list.is_empty(),
        (Value::Object(map), Shape::Map(_)) => map.is_empty(),
        _ => false,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Puts a field's value into its one form, down to the structs in it.
fn settle(at: Type<'_>, value: &mut Value, round: bool) {
    match (shape(at), value) {
        (Shape::Quantity, value) => canonical_quantity(value, false),
        (Shape::Time { micro }, Value::String(text)) => canonical_time(text, micro),
        (Shape::Struct(..) | Shape::Map(_), value @ Value::Null) => *value = json!({}),
        (Shape::Text, value @ Value::Null) => *value = json!(""),
        (Shape::List(items), Value::Array(list)) => list.iter_mut().for_each(|item| settle(items, item, round)),
        (Shape::Map(values), Value::Object(map)) => {
            for value in map.values_mut() {
                match shape(values) {
                    Shape::Quantity => canonical_quantity(value, round),
                    _ => settle(values, value, round),
                }
            }
        }
        _ => {}
    }
}

/// Writes a quantity as the server stores it. What is none stays: the server refuses it.
fn canonical_quantity(value: &mut Value, round: bool) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null => "0".to_owned(),
        _ => return,
    };
    if let Ok(quantity) = Quantity::parse(&text) {
        let quantity = if round { quantity.rounded_to_milli() } else { quantity };
        *value = Value::String(quantity.to_string());
    }
}

/// Writes an RFC 3339 time in UTC, whole seconds (or six digits of a fraction).
fn canonical_time(text: &mut String, micro: bool) {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        let format = if micro { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
        *text = time.strftime(format).to_string();
    }
}

/// Base64 without line breaks, as a text or as the values of a mapping.
fn canonical_bytes(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(canonical_bytes),
        Value::String(text) => {
            let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
            if let Ok(bytes) = BASE64.decode(&joined) {
                *text = BASE64.encode(bytes);
            }
        }
        _ => {}
    }
}

/// Numbers without a fraction become integers: Go reads `3.0` into an integer, and writes a float of that value as `3`.
pub(super) fn whole_numbers(value: &mut Value, depth: usize) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15) {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) if depth < 200 => items.iter_mut().for_each(|item| whole_numbers(item, depth + 1)),
        Value::Object(map) if depth < 200 => map.values_mut().for_each(|value| whole_numbers(value, depth + 1)),
        _ => {}
    }
}
