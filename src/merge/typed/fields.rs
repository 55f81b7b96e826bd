//! The set of an object's fields as apply owns them, and sets brought to what their schema says today.

use super::{Shape, item_element, shape};
use crate::merge::{
    field_set::FieldSet,
    path::PathElement,
    schema::{ListType, Map, Type},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns the fields of a valid value: its leaves, empty mappings and nulls, members that are not declared, and items.
pub(in crate::merge) fn fields_of(schema: Type<'_>, value: &Value) -> FieldSet {
    fields(schema, value).1
}

/// Whether the value is a member itself, and what is below it.
fn fields(schema: Type<'_>, value: &Value) -> (bool, FieldSet) {
    let mut set = FieldSet::default();
    match (shape(schema, value), value) {
        (Some(Shape::Scalar(_)), _) => return (true, set),
        (Some(Shape::Map(map)), _) if map.is_atomic() => return (true, set),
        (Some(Shape::List(list)), _) if list.list_type() == ListType::Atomic => return (true, set),
        (Some(Shape::Map(map)), Value::Object(members)) => {
            for (name, member) in members {
                let field = map.field(name);
                let Some(schema) = field.map(|field| field.value).or_else(|| map.values()) else { continue };
                let (leaf, below) = fields(schema, member);
                let is_empty = member.is_null() || member.as_object().is_some_and(serde_json::Map::is_empty);
                let element = match field {
                    Some(field) => PathElement::Field(field.name.clone()),
                    None => PathElement::field(name),
                };
                set.push(element, leaf || is_empty || field.is_none(), below);
            }
        }
        (Some(Shape::List(list)), Value::Array(items)) => {
            let elements: Vec<_> = items.iter().map(|item| item_element(list, item).ok()).collect();
            let mut times: BTreeMap<&PathElement, usize> = BTreeMap::new();
            elements.iter().flatten().for_each(|element| *times.entry(element).or_default() += 1);
            for (element, item) in elements.iter().zip(items) {
                let Some(element) = element else { continue };
                // Items that cannot be told apart are owned as one value.
                let below = if times[element] > 1 { FieldSet::default() } else { fields(list.items(), item).1 };
                set.push(element.clone(), true, below);
            }
        }
        _ => {}
    }
    set.sort();
    (false, set)
}

/// Brings a set to what the schema says today: of what has become one value since it was written, only the whole is owned.
/// None where nothing is to do.
pub(in crate::merge) fn conformed(schema: Type<'_>, set: &FieldSet) -> Option<FieldSet> {
    if conforms(schema, true, set) { None } else { Some(conform(schema, true, set).1) }
}

/// The type of a part of what has this type.
fn part<'s>(schema: Type<'s>, element: &PathElement) -> Option<Type<'s>> {
    match (schema.map(), schema.list(), schema.scalar()) {
        (Some(map), ..) => part_of_map(map, element),
        (_, Some(list), None) => Some(list.items()),
        _ => None,
    }
}

fn part_of_map<'s>(map: Map<'s>, element: &PathElement) -> Option<Type<'s>> {
    match element {
        // What a mapping of unknown members holds has no types of its own.
        _ if map.is_untyped() => None,
        PathElement::Field(name) => map.member(name),
        _ => map.values(),
    }
}

fn is_whole(schema: Type<'_>) -> bool {
    match (schema.map(), schema.list(), schema.scalar()) {
        (Some(map), ..) => map.is_atomic() && !map.is_untyped(),
        (_, Some(list), None) => list.list_type() == ListType::Atomic,
        _ => false,
    }
}

fn conforms(schema: Type<'_>, root: bool, below: &FieldSet) -> bool {
    if is_whole(schema) {
        return root || below.is_empty();
    }
    below.parts().all(|(element, _, below)| part(schema, element).is_none_or(|schema| conforms(schema, false, below)))
}

fn conform(schema: Type<'_>, member: bool, below: &FieldSet) -> (bool, FieldSet) {
    if is_whole(schema) {
        return (member || !below.is_empty(), FieldSet::default());
    }
    let mut set = FieldSet::default();
    for (element, member, below) in below.parts() {
        let (member, below) = match part(schema, element) {
            Some(schema) => conform(schema, member, below),
            None => (member, below.clone()),
        };
        set.push(element.clone(), member, below);
    }
    (member, set)
}
