//! Whether two spellings are one value to the server, and which spelling it stores.

use super::apply;
use crate::{
    merge::schema::{Schemas, Type},
    object::Pointer,
};
use serde_json::{Map, Value, json};

/// The form in which the server stores a value at a place of an object: quantities in their canonical form, nulls and empty
/// fields gone, defaults set within it. `None` where it stores nothing (`null`, an empty list).
///
/// Only the value is looked at, not what stands beside it: a default that follows from another field outside it is not
/// set. A kind or place that the schemas do not have: the value as it is.
#[must_use]
pub fn canonical(schemas: &Schemas, api_version: &str, kind: &str, path: &Pointer, value: &Value) -> Option<Value> {
    let Some(found) = schemas.kind(api_version, kind) else { return Some(value.clone()) };
    let Some((mut object, place)) = around(found.root, &path.0, value) else { return Some(value.clone()) };
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".into(), api_version.into());
        fields.insert("kind".into(), kind.into());
    }
    apply(schemas, &mut object, None);
    place.get(&object).cloned()
}

/// Whether the server stores the same whichever of two values is written at a place: `0.1` and `100m` of a quantity, an
/// atomic list with and without its items' defaults. `80` and `"80"` of a port are two values.
#[must_use]
pub fn same_value(schemas: &Schemas, api_version: &str, kind: &str, path: &Pointer, a: &Value, b: &Value) -> bool {
    a == b || canonical(schemas, api_version, kind, path, a) == canonical(schemas, api_version, kind, path, b)
}

/// An object with nothing but the value, and where it is there: in lists it is the only item.
fn around(at: Type<'_>, path: &[String], value: &Value) -> Option<(Value, Pointer)> {
    let Some((segment, rest)) = path.split_first() else { return Some((value.clone(), Pointer::default())) };
    let index = segment.parse::<usize>().ok();
    if let (Some(list), Some(_)) = (at.list(), index) {
        let (item, place) = around(list.items(), rest, value)?;
        return Some((json!([item]), prefixed("0", place)));
    }
    let (member, place) = around(at.map()?.member(segment)?, rest, value)?;
    let mut fields = Map::new();
    fields.insert(segment.clone(), member);
    Some((Value::Object(fields), prefixed(segment, place)))
}

fn prefixed(segment: &str, place: Pointer) -> Pointer {
    Pointer(std::iter::once(segment.to_owned()).chain(place.0).collect())
}
