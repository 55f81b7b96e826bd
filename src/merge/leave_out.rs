//! A payload that leaves some fields alone: applying it moves none of them, and neither takes nor loses any of their owners.
//!
//! A field that our Apply entry does not own is left out. One that it owns has to be carried as it is live, or applying would remove
//! it: restricted to what our entry owns there, with the keys of list items. Of an atomic mapping or list only the whole can be sent:
//! there the live value takes the field's place.

use super::{
    entry::{Entry, Operation},
    field_set::FieldSet,
    locate::root,
    path::{Path, PathElement},
    schema::{List, ListType, Schemas, Type},
    typed::{Shape, item_element, shape},
};
use serde_json::{Map, Value, json};

/// A payload that leaves fields alone.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// What is sent.
    pub payload: Value,
    /// What stands for it however the fields move, and whoever owns them: the desired object with `{"$live": true}` at every one of
    /// them, sent or not.
    pub marked: Value,
}

/// Makes of `desired` what `manager` sends so that the fields at `paths` stay as they are in `live`. None where the kind's schema or
/// the live object's entries cannot be read.
pub fn leave_out(schemas: &Schemas, live: &Value, desired: &Value, manager: &str, paths: &[Path]) -> Option<LeftOut> {
    let root = root(schemas, desired)?;
    let entries = Entry::read_all(live).ok()?;
    let ours = entries.into_iter().find(|entry| entry.is_of(manager, Operation::Apply, ""));
    let ours = ours.map(|entry| entry.fields).unwrap_or_default();
    let (mut payload, mut marked) = (desired.clone(), desired.clone());
    for path in paths {
        leave(root, &mut payload, Some(live), Some(&ours), &path.0);
        mark(Some(root), &mut marked, &path.0);
    }
    Some(LeftOut { payload, marked })
}

/// Puts the mark at `path`, and around it what is missing there.
fn mark(schema: Option<Type<'_>>, marked: &mut Value, path: &[PathElement]) {
    let Some((element, rest)) = path.split_first() else {
        *marked = json!({ "$live": true });
        return;
    };
    if marked.is_null() {
        *marked = if matches!(element, PathElement::Field(_)) { json!({}) } else { json!([]) };
    }
    let shape = schema.and_then(|schema| shape(schema, marked));
    match (element, marked) {
        (PathElement::Field(name), Value::Object(members)) => {
            let below = match shape {
                Some(Shape::Map(map)) => map.member(name),
                _ => None,
            };
            mark(below, members.entry(name.to_string()).or_insert(Value::Null), rest);
        }
        (PathElement::Index(index), Value::Array(items)) => {
            if let Some(item) = usize::try_from(*index).ok().and_then(|at| items.get_mut(at)) {
                mark(None, item, rest);
            }
        }
        (element, Value::Array(items)) => {
            let Some(Shape::List(list)) = shape else { return };
            let at = items.iter().position(|item| item_element(list, item).is_ok_and(|found| found == *element));
            let at = at.unwrap_or_else(|| {
                items.push(with_keys(list, json!({}), element));
                items.len() - 1
            });
            if !rest.is_empty() {
                mark(Some(list.items()), &mut items[at], rest);
            } else if let PathElement::Value(value) = element {
                items[at] = json!({ "$live": **value });
            } else {
                items[at] = with_keys(list, json!({ "$live": true }), element);
            }
        }
        _ => {}
    }
}

/// Leaves the field at `path` below `payload` alone; `ours` is what our entry owns there.
fn leave(schema: Type<'_>, payload: &mut Value, live: Option<&Value>, ours: Option<&FieldSet>, path: &[PathElement]) {
    let Some((element, rest)) = path.split_first() else { return };
    match shape(schema, payload) {
        Some(Shape::Map(map)) if !map.is_atomic() => {
            let (PathElement::Field(name), Value::Object(members)) = (element, payload) else { return };
            let name: &str = name;
            let Some(schema) = map.member(name) else { return };
            let live = live.and_then(|live| live.get(name));
            let (owned, below) = part(ours, element);
            if rest.is_empty() {
                match live.filter(|_| owned || below.is_some()) {
                    Some(live) => drop(members.insert(name.to_owned(), restricted(schema, live, below))),
                    None => drop(members.remove(name)),
                }
                return;
            }
            if let Some(child) = members.get_mut(name) {
                leave(schema, child, live, below, rest);
            } else if let (Some(live), Some(_)) = (live, below) {
                // Git dropped what is around it; what we own of it stays all the same.
                let mut child = if live.is_array() { json!([]) } else { json!({}) };
                let empty = child.clone();
                leave(schema, &mut child, Some(live), below, rest);
                if child != empty {
                    members.insert(name.to_owned(), child);
                }
            }
        }
        Some(Shape::List(list)) if list.list_type() != ListType::Atomic => {
            let Value::Array(items) = payload else { return };
            let is_it = |item: &Value| item_element(list, item).is_ok_and(|found| found == *element);
            let live = live.and_then(Value::as_array).and_then(|items| items.iter().find(|item| is_it(item)));
            let (owned, below) = part(ours, element);
            let at = items.iter().position(is_it);
            if rest.is_empty() {
                let carried = live
                    .filter(|_| owned || below.is_some())
                    .map(|live| with_keys(list, restricted(list.items(), live, below), element));
                match (at, carried) {
                    (Some(at), Some(item)) => items[at] = item,
                    (None, Some(item)) => items.push(item),
                    (Some(at), None) => drop(items.remove(at)),
                    (None, None) => {}
                }
                return;
            }
            if let Some(at) = at {
                leave(list.items(), &mut items[at], live, below, rest);
            } else if let (Some(live), Some(_)) = (live, below) {
                let keys = with_keys(list, json!({}), element);
                let mut item = keys.clone();
                leave(list.items(), &mut item, Some(live), below, rest);
                if item != keys {
                    items.push(item);
                }
            }
        }
        // Inside of what is one value, the live field takes the place of the desired one.
        _ => replace(payload, live, path),
    }
}

/// What a set has of a part: whether it is a member, and what is below it.
fn part<'a>(set: Option<&'a FieldSet>, element: &PathElement) -> (bool, Option<&'a FieldSet>) {
    set.map_or((false, None), |set| (set.has(element), set.below(element)))
}

/// A live value without what is not in the set; whole where the set has nothing below it.
fn restricted(schema: Type<'_>, live: &Value, below: Option<&FieldSet>) -> Value {
    let Some(below) = below else { return live.clone() };
    match (shape(schema, live), live) {
        (Some(Shape::Map(map)), Value::Object(members)) if !map.is_atomic() => {
            let mut kept = Map::new();
            for (element, _, below) in below.parts() {
                let PathElement::Field(name) = element else { continue };
                let name: &str = name;
                if let (Some(schema), Some(value)) = (map.member(name), members.get(name)) {
                    let below = Some(below).filter(|below| !below.is_empty());
                    kept.insert(name.to_owned(), restricted(schema, value, below));
                }
            }
            Value::Object(kept)
        }
        (Some(Shape::List(list)), Value::Array(items)) if list.list_type() != ListType::Atomic => items
            .iter()
            .filter_map(|item| {
                let element = item_element(list, item).ok()?;
                let inner = below.below(&element);
                (below.has(&element) || inner.is_some())
                    .then(|| with_keys(list, restricted(list.items(), item, inner), &element))
            })
            .collect(),
        _ => live.clone(),
    }
}

/// Adds the fields by which an item is found, but those that have the value by default: sending them would own them.
fn with_keys(list: List<'_>, mut item: Value, element: &PathElement) -> Value {
    if let (PathElement::Key(key), Value::Object(members)) = (element, &mut item) {
        for (name, value) in key.iter() {
            let default = list.items().map().and_then(|map| map.field(name)?.value.default());
            if !members.contains_key(&**name) && default != Some(value) {
                members.insert(name.to_string(), value.clone());
            }
        }
    }
    item
}

/// Puts the live value of a field of an atomic value in the place of the desired one.
fn replace(payload: &mut Value, live: Option<&Value>, path: &[PathElement]) {
    let Some((element, rest)) = path.split_first() else { return };
    match (element, payload) {
        (PathElement::Field(name), Value::Object(members)) => {
            let name: &str = name;
            let live = live.and_then(|live| live.get(name));
            match (rest.is_empty(), live) {
                (true, Some(live)) => drop(members.insert(name.to_owned(), live.clone())),
                (true, None) => drop(members.remove(name)),
                (false, live) => {
                    if let Some(child) = members.get_mut(name) {
                        replace(child, live, rest);
                    }
                }
            }
        }
        (PathElement::Index(index), Value::Array(items)) => {
            let at = usize::try_from(*index).unwrap_or(usize::MAX);
            let live = live.and_then(|live| live.get(at));
            match (rest.is_empty(), items.get_mut(at), live) {
                (true, Some(item), Some(live)) => item.clone_from(live),
                (false, Some(item), live) => replace(item, live, rest),
                _ => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        merge::{locate::path_of, schema::Schema},
        object::Pointer,
    };
    use std::sync::Arc;

    fn schemas() -> Schemas {
        let document = json!({"components": {"schemas": {"Gadget": {
            "x-kubernetes-group-version-kind": [{"group": "x.io", "version": "v1", "kind": "Gadget"}],
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"},
                "metadata": {"type": "object", "properties": {"name": {"type": "string"}}, "x-kubernetes-preserve-unknown-fields": true},
                "spec": {"type": "object", "properties": {
                    "replicas": {"type": "integer"},
                    "selector": {"type": "object", "additionalProperties": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
                    "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "properties": {"name": {"type": "string"}, "image": {"type": "string"}, "tag": {"type": "string"}}}},
                }},
            }}}},
            "paths": {"/apis/x.io/v1/gadgets/{name}": {"patch": {"x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": {"group": "x.io", "version": "v1", "kind": "Gadget"}}}}});
        let mut schemas = Schemas::default();
        schemas.insert("x.io/v1", Arc::new(Schema::read(document.to_string().as_bytes()).unwrap()));
        schemas
    }

    fn gadget(spec: Value) -> Value {
        json!({"apiVersion": "x.io/v1", "kind": "Gadget", "metadata": {"name": "a"}, "spec": spec})
    }

    fn live(spec: Value, ours: Value) -> Value {
        let mut live = gadget(spec);
        live["metadata"]["managedFields"] = json!([{"manager": "driftdeck", "operation": "Apply", "apiVersion": "x.io/v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": ours}}]);
        live
    }

    #[track_caller]
    fn left_out(live: &Value, desired: &Value, pointers: &[&str]) -> (Value, Value) {
        let schemas = schemas();
        let path = |pointer: &&str| {
            let pointer = Pointer::from(*pointer);
            path_of(&schemas, desired, &pointer).or_else(|| path_of(&schemas, live, &pointer)).expect("a path")
        };
        let paths: Vec<Path> = pointers.iter().map(path).collect();
        let LeftOut { payload, marked } = leave_out(&schemas, live, desired, "driftdeck", &paths).unwrap();
        (payload["spec"].clone(), marked["spec"].clone())
    }

    #[test]
    fn what_we_do_not_own_is_left_out_and_what_we_own_is_carried() {
        let desired = gadget(json!({"replicas": 3, "selector": {"a": "1"}}));
        let theirs = live(json!({"replicas": 9}), json!({}));
        assert_eq!(left_out(&theirs, &desired, &["/spec/replicas"]).0, json!({"selector": {"a": "1"}}));
        let ours = live(json!({"replicas": 9}), json!({"f:replicas": {}}));
        assert_eq!(left_out(&ours, &desired, &["/spec/replicas"]).0, json!({"replicas": 9, "selector": {"a": "1"}}));
    }

    #[test]
    fn an_item_is_found_by_its_key_and_only_our_part_of_it_is_carried() {
        let desired = gadget(json!({"items": [{"name": "b", "image": "new"}, {"name": "c"}]}));
        let spec = json!({"items": [{"name": "a"}, {"name": "b", "image": "old", "tag": "theirs"}]});
        let ours = json!({"f:items": {"k:{\"name\":\"b\"}": {".": {}, "f:name": {}, "f:image": {}}}});
        let (payload, _) = left_out(&live(spec.clone(), ours.clone()), &desired, &["/spec/items/0/image"]);
        assert_eq!(payload, json!({"items": [{"name": "b", "image": "old"}, {"name": "c"}]}));
        let (payload, _) = left_out(&live(spec.clone(), ours.clone()), &desired, &["/spec/items/0"]);
        assert_eq!(payload, json!({"items": [{"name": "b", "image": "old"}, {"name": "c"}]}));
        let (payload, _) = left_out(&live(spec.clone(), json!({})), &desired, &["/spec/items/0"]);
        assert_eq!(payload, json!({"items": [{"name": "c"}]}));
        // Git dropped the list; the field that we own is carried on.
        let (payload, _) = left_out(&live(spec, ours), &gadget(json!({})), &["/spec/items/1/image"]);
        assert_eq!(payload, json!({"items": [{"name": "b", "image": "old"}]}));
    }

    #[test]
    fn what_stands_for_it_is_the_same_whoever_owns_the_field_and_whatever_it_is() {
        let items = json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]);
        let desired = gadget(json!({"replicas": 3, "items": items, "selector": {"a": "1"}}));
        let pointers = ["/spec/replicas", "/spec/items/0", "/spec/items/1/image", "/spec/selector/a"];
        let expected = json!({"replicas": {"$live": true}, "selector": {"a": {"$live": true}},
            "items": [{"$live": true, "name": "a"}, {"name": "b", "image": {"$live": true}}]});
        for live in [
            live(json!({"replicas": 9}), json!({})),
            live(json!({"replicas": 3}), json!({"f:replicas": {}})),
            live(json!({"items": [{"name": "b", "image": "2"}], "selector": {"a": "2"}}), json!({"f:selector": {}})),
        ] {
            assert_eq!(left_out(&live, &desired, &pointers).1, expected, "{live}");
        }
        // Git has dropped it.
        let live = live(json!({"items": [{"name": "a", "image": "1"}]}), json!({}));
        let (_, marked) = left_out(&live, &gadget(json!({})), &["/spec/items/0/image"]);
        assert_eq!(marked, json!({"items": [{"name": "a", "image": {"$live": true}}]}));
    }

    #[test]
    fn of_an_atomic_mapping_the_live_value_takes_the_place() {
        let desired = gadget(json!({"selector": {"a": "1", "b": "2"}}));
        let live = live(json!({"selector": {"a": "9"}}), json!({"f:selector": {}}));
        assert_eq!(left_out(&live, &desired, &["/spec/selector/a"]).0, json!({"selector": {"a": "9", "b": "2"}}));
        assert_eq!(left_out(&live, &desired, &["/spec/selector/b"]).0, json!({"selector": {"a": "1"}}));
        assert_eq!(left_out(&live, &desired, &["/spec/selector"]).0, json!({"selector": {"a": "9"}}));
    }
}
