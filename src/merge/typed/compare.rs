//! The fields in which two states of one object differ, as sets.

use super::{Allowed, Shape, item_element, items, members};
use crate::merge::{
    field_set::FieldSet,
    path::PathElement,
    schema::{List, ListType, Map, Type},
    value::equal,
};
use serde_json::Value;
use std::{collections::BTreeMap, slice::from_ref};

/// What differs between two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::merge) struct Comparison {
    /// Fields that only the first has.
    pub removed: FieldSet,
    /// Fields that have another value.
    pub modified: FieldSet,
    /// Fields that only the second has.
    pub added: FieldSet,
}

impl Comparison {
    /// Leaves out a member of the object and all below it.
    pub fn forget(&mut self, member: &PathElement) {
        let mut forgotten = FieldSet::default();
        forgotten.insert(from_ref(member));
        for set in [&mut self.removed, &mut self.modified, &mut self.added] {
            if set.has(member) || set.below(member).is_some() {
                *set = set.recursive_difference(&forgotten);
            }
        }
    }
}

/// Compares two states; items of lists that have no element are left out, which valid states do not have.
pub(in crate::merge) fn compare(schema: Type<'_>, old: &Value, new: &Value) -> Comparison {
    let mut walk = Walk { path: Vec::new(), found: Comparison::default() };
    walk.value(schema, Some(old), Some(new));
    walk.found
}

struct Walk {
    path: Vec<PathElement>,
    found: Comparison,
}

impl Walk {
    fn value(&mut self, schema: Type<'_>, old: Option<&Value>, new: Option<&Value>) {
        let allowed = |value: Option<&Value>| value.map(|value| Allowed::new(schema, value));
        let is_leaf = match (allowed(old), allowed(new)) {
            (None, None) => return,
            (Some(allowed), None) | (None, Some(allowed)) => self.shape(schema, allowed, old, new),
            (Some(was), Some(is)) => {
                // A value of another shape is both gone and come.
                if was != is {
                    self.shape(schema, was, old, new);
                }
                self.shape(schema, is, old, new)
            }
        };
        match (old, new) {
            (None, _) if !is_leaf => self.found.added.insert(&self.path),
            (_, None) if !is_leaf => self.found.removed.insert(&self.path),
            _ => {}
        }
    }

    /// Looks at both sides as one shape; says whether that is a leaf.
    fn shape(&mut self, schema: Type<'_>, allowed: Allowed, old: Option<&Value>, new: Option<&Value>) -> bool {
        match allowed.shape(schema) {
            Some(Shape::Map(map)) => {
                let (left, right) = (members(old), members(new));
                let nothing = left.is_none_or(|map| map.is_empty()) && right.is_none_or(|map| map.is_empty());
                if map.is_atomic() || nothing {
                    self.leaf(old, new);
                    return true;
                }
                self.map(map, left, right);
                false
            }
            Some(Shape::List(list)) => {
                let (left, right) = (items(old), items(new));
                let nothing = left.is_none_or(<[_]>::is_empty) && right.is_none_or(<[_]>::is_empty);
                if list.list_type() == ListType::Atomic || nothing {
                    self.leaf(old, new);
                    return true;
                }
                self.list(list, left.unwrap_or_default(), right.unwrap_or_default());
                false
            }
            Some(Shape::Scalar(_)) | None => {
                self.leaf(old, new);
                true
            }
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, _) => self.found.added.insert(&self.path),
            (_, None) => self.found.removed.insert(&self.path),
            (Some(old), Some(new)) if !equal(old, new) => self.found.modified.insert(&self.path),
            _ => {}
        }
    }

    fn map(
        &mut self,
        map: Map<'_>,
        old: Option<&serde_json::Map<String, Value>>,
        new: Option<&serde_json::Map<String, Value>>,
    ) {
        let mut member = |name: &str, old: Option<&Value>, new: Option<&Value>| {
            let (element, schema) = match map.field(name) {
                Some(field) => (PathElement::Field(field.name.clone()), Some(field.value)),
                None => (PathElement::field(name), map.values()),
            };
            if let Some(schema) = schema {
                self.at(element, |walk| walk.value(schema, old, new));
            }
        };
        for (name, old) in old.into_iter().flatten() {
            let new = new.and_then(|new| new.get(name));
            // Most scalars are the same: their path is not worth its making.
            if old.is_object() || old.is_array() || new.is_none_or(|new| !equal(old, new)) {
                member(name, Some(old), new);
            }
        }
        for (name, new) in new.into_iter().flatten() {
            if old.is_none_or(|old| !old.contains_key(name)) {
                member(name, None, Some(new));
            }
        }
    }

    fn list(&mut self, list: List<'_>, old: &[Value], new: &[Value]) {
        if old.len() == new.len() && old.iter().zip(new).all(|(old, new)| equal(old, new)) {
            return;
        }
        let mut found: BTreeMap<PathElement, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        let element = |item| item_element(list, item).ok();
        for (element, item) in old.iter().filter_map(|item| Some((element(item)?, item))) {
            found.entry(element).or_default().0.push(item);
        }
        for (element, item) in new.iter().filter_map(|item| Some((element(item)?, item))) {
            found.entry(element).or_default().1.push(item);
        }
        for (element, (old, new)) in found {
            self.at(element, |walk| match (old.as_slice(), new.as_slice()) {
                ([] | [_], [] | [_]) => walk.value(list.items(), old.first().copied(), new.first().copied()),
                // Items that cannot be told apart are one value.
                ([_, _, ..], [_, _, ..]) => {
                    if old.len() != new.len() || old.iter().zip(&new).any(|(old, new)| !equal(old, new)) {
                        walk.found.modified.insert(&walk.path);
                    }
                }
                ([_, _, ..], alone) => {
                    walk.value(list.items(), None, alone.first().copied());
                    walk.found.removed.insert(&walk.path);
                }
                (alone, _) => {
                    walk.value(list.items(), alone.first().copied(), None);
                    walk.found.added.insert(&walk.path);
                }
            });
        }
    }

    fn at(&mut self, element: PathElement, step: impl FnOnce(&mut Self)) {
        self.path.push(element);
        step(self);
        self.path.pop();
    }
}
