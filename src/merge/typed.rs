//! Values seen through their schema (structured-merge-diff's `typed` package): valid or not, merged, compared, turned into
//! the set of their fields, with fields taken out.

mod combine;
mod compare;
mod fields;
mod remove;
mod validate;

use super::{
    path::PathElement,
    schema::{List, ListType, Map, Name, Scalar, Type},
    value::equal,
};
use serde_json::Value;
use std::sync::Arc;

pub(super) use combine::combine;
pub(super) use compare::{Comparison, compare};
pub(super) use fields::{conformed, fields_of, fields_without};
pub(super) use remove::without;
pub use validate::TypedError;
pub(super) use validate::{DEPTH, validate, validate_live};

/// As what a value is looked at.
#[derive(Clone, Copy)]
pub(super) enum Shape<'s> {
    Map(Map<'s>),
    Scalar(Scalar),
    List(List<'s>),
}

/// Which of the three the type allows for the value; all of them where the value is null or fits none, so that the first
/// one can say what is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Allowed {
    map: bool,
    scalar: bool,
    list: bool,
}

impl Allowed {
    fn new(schema: Type<'_>, value: &Value) -> Self {
        let (map, scalar, list) = (schema.map().is_some(), schema.scalar().is_some(), schema.list().is_some());
        let nothing = Self { map: false, scalar: false, list: false };
        match value {
            Value::Object(_) if map => Self { map, ..nothing },
            Value::Array(_) if list => Self { list, ..nothing },
            Value::String(_) | Value::Number(_) | Value::Bool(_) if scalar => Self { scalar, ..nothing },
            _ => Self { map, scalar, list },
        }
    }
    fn shape(self, schema: Type<'_>) -> Option<Shape<'_>> {
        if self.map {
            schema.map().map(Shape::Map)
        } else if self.scalar {
            schema.scalar().map(Shape::Scalar)
        } else if self.list {
            schema.list().map(Shape::List)
        } else {
            None
        }
    }
}

/// Looks at a value as what it is, or if it is nothing that the type allows as the first thing that the type allows.
pub(super) fn shape<'s>(schema: Type<'s>, value: &Value) -> Option<Shape<'s>> {
    Allowed::new(schema, value).shape(schema)
}

/// Returns the path element of an item of a set or a list of keyed mappings.
///
/// # Errors
/// Why the item has none.
pub(super) fn item_element(list: List<'_>, item: &Value) -> Result<PathElement, String> {
    check_item(list, item)?;
    if list.list_type() != ListType::Map {
        return Ok(PathElement::Value(Arc::new(item.clone())));
    }
    let mut key: Vec<(Name, Value)> = Vec::with_capacity(list.keys().len());
    key.extend(list.keys().iter().filter_map(|name| Some((name.clone(), key_part(list, item, name)?.clone()))));
    key.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(PathElement::Key(key.into()))
}

/// Says whether an item has a path element.
///
/// # Errors
/// Why it has none.
fn check_item(list: List<'_>, item: &Value) -> Result<(), String> {
    if list.list_type() != ListType::Map {
        return match item {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".into()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".into()),
            _ => Ok(()),
        };
    }
    match item {
        Value::Object(_) if list.keys().iter().any(|name| key_part(list, item, name).is_some()) => Ok(()),
        Value::Object(_) => {
            let keys = list.keys().iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(" ");
            Err(format!(
                "associative list with keys has an element that omits all key fields [{keys}] (and doesn't have default values for any key fields)"
            ))
        }
        Value::Null => Err("associative list with keys may not have a null element".into()),
        _ => Err("associative list with keys may not have non-map elements".into()),
    }
}

/// The value of one of the fields by which an item is found. One that is absent and has no default is no part of the key:
/// that is another item.
fn key_part<'a>(list: List<'a>, item: &'a Value, name: &str) -> Option<&'a Value> {
    item.get(name).or_else(|| list.items().map()?.field(name)?.value.default())
}

/// Says whether two items have the same path element; both have one.
fn is_same_item(list: List<'_>, a: &Value, b: &Value) -> bool {
    match list.list_type() {
        ListType::Map => list.keys().iter().all(|name| match (key_part(list, a, name), key_part(list, b, name)) {
            (Some(a), Some(b)) => equal(a, b),
            (None, None) => true,
            _ => false,
        }),
        _ => equal(a, b),
    }
}

/// The members of a mapping; of anything else none.
fn members(value: Option<&Value>) -> Option<&serde_json::Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// The items of a list; of anything else none.
fn items(value: Option<&Value>) -> Option<&[Value]> {
    value.and_then(Value::as_array).map(Vec::as_slice)
}
