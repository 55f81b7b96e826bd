//! The set of an object's fields as apply owns them, and sets brought to what their schema says today.

use super::{Shape, item_element, shape};
use crate::merge::{
    field_set::FieldSet,
    path::PathElement,
    schema::{List, ListType, Map, Type},
};
use serde_json::Value;

/// Returns the fields of a valid value: its leaves, empty mappings and nulls, members that are not declared, and items.
pub(in crate::merge) fn fields_of(schema: Type<'_>, value: &Value) -> FieldSet {
    fields(schema, value, None).below
}

/// Returns the fields of what [`without`](super::without) leaves of a value.
pub(in crate::merge) fn fields_without(schema: Type<'_>, value: &Value, gone: &FieldSet) -> FieldSet {
    fields(schema, value, Some(gone)).below
}

/// The fields of one value.
#[derive(Default)]
struct Fields {
    /// Whether the value is a member itself.
    is_leaf: bool,
    below: FieldSet,
    /// Whether the value is null, or became it since all of it is gone.
    is_null: bool,
}

/// `gone` is given where something below the value is.
fn fields(schema: Type<'_>, value: &Value, gone: Option<&FieldSet>) -> Fields {
    match (shape(schema, value), value) {
        (Some(Shape::Map(map)), Value::Object(members)) if !map.is_atomic() => fields_of_members(map, members, gone),
        (Some(Shape::List(list)), Value::Array(items)) if list.list_type() != ListType::Atomic => {
            fields_of_items(list, items, gone)
        }
        (Some(Shape::Scalar(_)), _) => Fields { is_leaf: true, is_null: value.is_null(), ..Fields::default() },
        // An atomic value, or null; of what is atomic all goes when a part goes.
        (shape, _) => {
            let is_leaf = match shape {
                Some(Shape::Map(map)) => map.is_atomic(),
                Some(Shape::List(list)) => list.list_type() == ListType::Atomic,
                _ => false,
            };
            Fields { is_leaf, is_null: value.is_null() || gone.is_some(), ..Fields::default() }
        }
    }
}

fn fields_of_members(map: Map<'_>, members: &serde_json::Map<String, Value>, gone: Option<&FieldSet>) -> Fields {
    let mut below = FieldSet::with_capacity(members.len());
    let mut is_null = gone.is_some();
    for (name, member) in members {
        let field = map.field(name);
        let Some(schema) = field.map(|field| field.value).or_else(|| map.values()) else { continue };
        let element = match field {
            Some(field) => PathElement::Field(field.name.clone()),
            None => PathElement::field(name),
        };
        if gone.is_some_and(|gone| gone.has(&element)) {
            continue;
        }
        is_null = false;
        let inner = fields(schema, member, gone.and_then(|gone| gone.below(&element)));
        let is_empty = inner.is_null || member.as_object().is_some_and(serde_json::Map::is_empty);
        below.push(element, inner.is_leaf || is_empty || field.is_none(), inner.below);
    }
    below.sort();
    Fields { is_leaf: false, below, is_null }
}

fn fields_of_items(list: List<'_>, items: &[Value], gone: Option<&FieldSet>) -> Fields {
    let mut elements: Vec<(PathElement, &Value)> = Vec::with_capacity(items.len());
    let left = items.iter().filter_map(|item| Some((item_element(list, item).ok()?, item)));
    elements.extend(left.filter(|(element, _)| !gone.is_some_and(|gone| gone.has(element))));
    elements.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut below = FieldSet::with_capacity(elements.len());
    for same in elements.chunk_by(|(a, _), (b, _)| a == b) {
        let (element, item) = &same[0];
        // Items that cannot be told apart are owned as one value.
        let inner = match same.len() {
            1 => fields(list.items(), item, gone.and_then(|gone| gone.below(element))),
            _ => Fields::default(),
        };
        if !inner.is_null {
            below.push(element.clone(), true, inner.below);
        }
    }
    Fields { is_leaf: false, below, is_null: gone.is_some() && elements.is_empty() }
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
