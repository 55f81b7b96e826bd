//! Fields of an object found by its schema: a pointer as the path that holds in every state of the object, a path as a pointer into one
//! state, a manifest as the set of what it sets.

use super::{
    field_set::FieldSet,
    path::{Path, PathElement},
    schema::{ListType, Schemas, Type},
    typed::{Shape, fields_of, item_element, shape},
};
use crate::object::Pointer;
use serde_json::Value;

/// Returns the fields that a manifest sets, as apply owns them. None where its kind has no schema.
pub fn set_of(schemas: &Schemas, manifest: &Value) -> Option<FieldSet> {
    Some(fields_of(root(schemas, manifest)?, manifest))
}

/// Turns a pointer into an object into the path that holds in every state of it: items of lists by their keys. None where the object has
/// no such field, or its kind no such schema.
pub fn path_of(schemas: &Schemas, object: &Value, pointer: &Pointer) -> Option<Path> {
    let mut elements = Vec::new();
    let (mut schema, mut value) = (Some(root(schemas, object)?), object);
    for segment in &pointer.0 {
        let shape = schema.and_then(|schema| shape(schema, value));
        let (element, next) = match value {
            Value::Object(members) => (PathElement::field(segment), members.get(segment)?),
            Value::Array(items) => {
                let index: usize = segment.parse().ok()?;
                let item = items.get(index)?;
                let element = match shape {
                    Some(Shape::List(list)) if list.list_type() != ListType::Atomic => item_element(list, item).ok(),
                    _ => None,
                };
                (element.unwrap_or(PathElement::Index(i64::try_from(index).ok()?)), item)
            }
            _ => return None,
        };
        schema = match shape {
            Some(Shape::Map(map)) => map.member(segment),
            Some(Shape::List(list)) => Some(list.items()),
            _ => None,
        };
        elements.push(element);
        value = next;
    }
    Some(Path(elements))
}

pub(super) fn root<'s>(schemas: &'s Schemas, object: &Value) -> Option<Type<'s>> {
    let text = |name| object.get(name).and_then(Value::as_str);
    Some(schemas.kind(text("apiVersion")?, text("kind")?)?.root)
}

impl Path {
    /// Returns where the field stands in `root`. None: an item of a list that is not there.
    pub fn resolve(&self, root: &Value) -> Option<Pointer> {
        let mut pointer = Pointer::default();
        let mut here = Some(root);
        for element in &self.0 {
            let items = || here.and_then(Value::as_array);
            let index = match element {
                PathElement::Field(name) => {
                    let name: &str = name;
                    here = here.and_then(|value| value.get(name));
                    pointer = pointer.child(name);
                    continue;
                }
                PathElement::Key(key) => items()?.iter().position(|item| {
                    key.iter().all(|(name, value)| {
                        let name: &str = name;
                        item.get(name) == Some(value)
                    })
                })?,
                PathElement::Value(value) => items()?.iter().position(|item| *item == **value)?,
                PathElement::Index(index) => {
                    usize::try_from(*index).ok().filter(|index| items().is_some_and(|items| *index < items.len()))?
                }
            };
            here = items().and_then(|items| items.get(index));
            pointer = pointer.child(index.to_string());
        }
        Some(pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_found_by_key_value_and_index() {
        let root = json!({"c": [{"name": "a"}, {"name": "b", "args": [1, 2]}], "s": ["x", "y"]});
        let set = FieldSet::read(&json!({"f:c": {"k:{\"name\":\"b\"}": {"f:args": {"i:1": {}}}, "k:{\"name\":\"z\"}": {}}, "f:s": {"v:\"y\"": {}}})).unwrap();
        let found: Vec<_> =
            set.paths().iter().map(|path| path.resolve(&root).map(|pointer| pointer.to_string())).collect();
        assert_eq!(found, [Some("/c/1/args/1".to_owned()), None, Some("/s/1".to_owned())]);
    }
}
