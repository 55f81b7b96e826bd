//! Who owns what after writes that are no applies; expectations are the real server's.

use super::*;
use crate::merge::Schema;
use serde_json::json;
use std::sync::Arc;

/// A custom kind with a mapping, a keyed list and the status subresource.
fn schemas() -> Schemas {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let item = json!({"type": "object", "properties": {"name": text, "value": text}});
    let thing = json!({
        "type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
        "properties": {
            "apiVersion": text, "kind": text,
            "metadata": {"type": "object", "properties": {"name": text, "uid": text, "labels": texts,
                "managedFields": {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "map": texts,
                "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": item}}},
            "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
        },
    });
    let patch = json!({"patch": {"x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": "example.com", "version": "v1", "kind": "Thing"}}});
    let paths =
        json!({"/apis/example.com/v1/things/{name}": patch, "/apis/example.com/v1/things/{name}/status": patch});
    let document =
        json!({"openapi": "3.0.0", "paths": paths, "components": {"schemas": {"com.example.v1.Thing": thing}}});
    let mut schemas = Schemas::default();
    schemas.insert("example.com/v1", Arc::new(Schema::read(document.to_string().as_bytes()).unwrap()));
    schemas
}

fn thing(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "uid": "1"}, "spec": spec})
}

fn writer(manager: &str) -> Writer<'_> {
    Writer { manager, subresource: "", time: "2026-01-02T00:00:00Z" }
}

/// Writes `new` as the manager and returns what is stored.
fn written(live: Option<&Value>, mut new: Value, writer: Writer<'_>) -> Value {
    let entries = update(&schemas(), live, &new, writer).unwrap();
    set_entries(&mut new, &entries);
    new
}

fn owners(object: &Value) -> Vec<(String, Value)> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.map(|entry| (entry["manager"].as_str().unwrap().to_owned(), entry["fieldsV1"].clone())).collect()
}

#[test]
fn who_creates_owns_all_that_is_there() {
    let made = written(
        None,
        thing(json!({"size": 1, "map": {"a": "1"}, "items": [{"name": "x", "value": "1"}]})),
        writer("one"),
    );
    let fields = json!({"f:spec": {".": {}, "f:size": {}, "f:map": {".": {}, "f:a": {}},
        "f:items": {".": {}, "k:{\"name\":\"x\"}": {".": {}, "f:name": {}, "f:value": {}}}}});
    assert_eq!(owners(&made), [("one".to_owned(), fields)]);
}

#[test]
fn who_changes_a_field_takes_it_and_what_is_taken_out_nobody_owns() {
    let made = written(None, thing(json!({"size": 1, "map": {"a": "1", "b": "2"}})), writer("one"));
    let mut new = made.clone();
    new["spec"] = json!({"size": 2, "map": {"b": "2", "c": "3"}});
    let changed = written(Some(&made), new, writer("two"));
    assert_eq!(
        owners(&changed),
        [
            ("one".to_owned(), json!({"f:spec": {".": {}, "f:map": {".": {}, "f:b": {}}}})),
            ("two".to_owned(), json!({"f:spec": {"f:size": {}, "f:map": {"f:c": {}}}})),
        ]
    );
}

#[test]
fn a_write_that_changes_nothing_leaves_the_entries_with_their_times() {
    let early = Writer { time: "2025-01-01T00:00:00Z", ..writer("one") };
    let made = written(None, thing(json!({"size": 1})), early);
    assert_eq!(written(Some(&made), made.clone(), writer("one")), made);
}

#[test]
fn the_status_belongs_to_those_who_write_it_as_such() {
    let made = written(None, thing(json!({"size": 1})), writer("one"));
    let mut new = made.clone();
    new["status"] = json!({"ready": true});
    assert_eq!(owners(&written(Some(&made), new.clone(), writer("two"))), owners(&made));
    let changed = written(Some(&made), new, Writer { subresource: "status", ..writer("two") });
    assert_eq!(owners(&changed)[1], ("two".to_owned(), json!({"f:status": {".": {}, "f:ready": {}}})));
}

#[test]
fn an_object_that_nobody_tracks_stays_so_and_entries_can_be_reset() {
    let mut new = thing(json!({"size": 2}));
    assert!(owners(&written(Some(&thing(json!({"size": 1}))), new.clone(), writer("one"))).is_empty());
    let made = written(None, thing(json!({"size": 1})), writer("one"));
    new["metadata"]["managedFields"] = json!([{}]);
    assert!(owners(&written(Some(&made), new, writer("one"))).is_empty());
}

#[test]
fn more_than_ten_updaters_are_brought_together() {
    let mut object = written(None, thing(json!({"size": 1})), writer("m0"));
    for number in 1..15 {
        let mut new = object.clone();
        new["spec"]["map"][format!("k{number}")] = json!("x");
        let time = format!("2026-01-01T00:00:{number:02}Z");
        object = written(Some(&object), new, Writer { manager: &format!("m{number}"), subresource: "", time: &time });
    }
    let owners = owners(&object);
    assert_eq!(owners.len(), MOST_UPDATERS);
    assert!(owners.iter().any(|(manager, _)| manager == ANCIENT));
}
