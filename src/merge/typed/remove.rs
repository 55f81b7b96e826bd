//! An object without some of its fields.

use super::{Shape, item_element, shape};
use crate::merge::{
    field_set::FieldSet,
    path::PathElement,
    schema::{ListType, Type},
};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap};

/// Takes fields out of a value; borrowed where none is there. A mapping or list that loses all it has becomes null, as the
/// server has it, and an atomic one of which a part is to go is gone as a whole.
pub(in crate::merge) fn without<'a>(schema: Type<'_>, value: &'a Value, gone: &FieldSet) -> Cow<'a, Value> {
    match (shape(schema, value), value) {
        (Some(Shape::Scalar(_)), _) => Cow::Borrowed(value),
        (Some(Shape::Map(map)), Value::Object(members)) if !map.is_atomic() && !members.is_empty() => {
            let mut changed: BTreeMap<&str, Option<Value>> = BTreeMap::new();
            for (element, is_gone, below) in gone.parts() {
                let PathElement::Field(name) = element else { continue };
                let Some(member) = members.get(name.as_ref()) else { continue };
                let left = match map.member(name) {
                    _ if is_gone => None,
                    Some(schema) => Some(without(schema, member, below).into_owned()),
                    None => Some(Value::Null),
                };
                changed.insert(name.as_ref(), left);
            }
            if changed.is_empty() {
                return Cow::Borrowed(value);
            }
            let left = members.iter().filter_map(|(name, member)| match changed.remove(name.as_str()) {
                Some(left) => left.map(|left| (name.clone(), left)),
                None => Some((name.clone(), member.clone())),
            });
            let left: Map<String, Value> = left.collect();
            Cow::Owned(if left.is_empty() { Value::Null } else { Value::Object(left) })
        }
        (Some(Shape::List(list)), Value::Array(items)) if list.list_type() != ListType::Atomic && !items.is_empty() => {
            let mut left = Vec::with_capacity(items.len());
            let mut touched = false;
            for item in items {
                let element = item_element(list, item).ok();
                let below = element.as_ref().and_then(|element| gone.below(element));
                if element.as_ref().is_some_and(|element| gone.has(element)) {
                    touched = true;
                } else if let Some(below) = below {
                    touched = true;
                    left.push(without(list.items(), item, below));
                } else {
                    left.push(Cow::Borrowed(item));
                }
            }
            match left {
                _ if !touched => Cow::Borrowed(value),
                left if left.is_empty() => Cow::Owned(Value::Null),
                left => Cow::Owned(Value::Array(left.into_iter().map(Cow::into_owned).collect())),
            }
        }
        // Null, an empty mapping or list, and an atomic one of which a part would go.
        _ => Cow::Owned(Value::Null),
    }
}
