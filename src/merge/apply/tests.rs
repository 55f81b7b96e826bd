//! The rules of server-side apply, each by the smallest objects that show it. Expectations are the real server's.

use super::*;
use crate::merge::{changes, schema::Schema};
use proptest::prelude::*;
use serde_json::json;
use std::sync::{Arc, LazyLock};

/// One custom kind `Thing` in two versions, with every list and map type, and a few fields of built-in kinds.
fn schemas() -> Schemas {
    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(made_schemas);
    SCHEMAS.clone()
}

fn made_schemas() -> Schemas {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let spec = json!({"type": "object", "properties": {
        "replicas": {"type": "integer"}, "ratio": {"type": "number"}, "name": text, "on": {"type": "boolean"},
        "port": {"x-kubernetes-int-or-string": true}, "maybe": {"type": "string", "nullable": true},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
        "numbers": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "number"}},
        "list": {"type": "array", "items": text},
        "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {
            "type": "object", "properties": {"name": text, "value": text, "more": texts}}},
        "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"], "items": {
            "type": "object", "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}, "name": text}}},
        "map": texts,
        "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": text},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "table": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": text, "b": text}}},
    }});
    let metadata = json!({"type": "object", "properties": {
        "name": text, "namespace": text, "uid": text, "resourceVersion": text, "generation": {"type": "integer"},
        "creationTimestamp": {"type": "string", "format": "date-time"}, "labels": texts,
        "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
        "managedFields": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "object"}}}});
    let mut schemas = Schemas::default();
    for (group, version) in [("example.com", "v1"), ("example.com", "v1beta1"), ("apps", "v1"), ("", "v1")] {
        let kind = |name: &str| json!({"group": group, "version": version, "kind": name});
        let properties = json!({"apiVersion": text, "kind": text, "metadata": metadata, "spec": spec, "status": texts});
        let secret =
            json!({"apiVersion": text, "kind": text, "metadata": metadata, "data": texts, "stringData": texts});
        let document = json!({
            "paths": {"/things/{name}": {"patch": {"x-kubernetes-group-version-kind": kind("Thing")}},
                "/things/{name}/status": {"patch": {"x-kubernetes-group-version-kind": kind("Thing")}},
                "/secrets/{name}": {"patch": {"x-kubernetes-group-version-kind": kind("Secret")}}},
            "components": {"schemas": {
                "Thing": {"type": "object", "x-kubernetes-group-version-kind": [kind("Thing")], "properties": properties},
                "Secret": {"type": "object", "x-kubernetes-group-version-kind": [kind("Secret")], "properties": secret}}},
        });
        let schema = Schema::read(document.to_string().as_bytes()).unwrap();
        schemas.insert(crate::object::join_api_version(group, version), Arc::new(schema));
    }
    schemas
}

fn thing(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec})
}

/// Applies one after the other, by force, as `manager: spec`; returns the object.
fn history(steps: &[(&str, Value)]) -> Value {
    let schemas = schemas();
    let mut live: Option<Value> = None;
    for (manager, spec) in steps {
        live = match merge(&schemas, live.as_ref(), &thing(spec.clone()), manager, true) {
            Outcome::Applied(applied) => Some(applied.into_object()),
            other => panic!("{manager} {spec}: {other:?}"),
        };
    }
    live.unwrap()
}

/// Writes a value as a plain update does, which gives its fields to the manager.
fn update(live: &mut Value, manager: &str, pointer: &str, value: Value, fields: Value) {
    *live.pointer_mut(pointer).unwrap() = value;
    let entry = json!({"manager": manager, "operation": "Update", "apiVersion": "example.com/v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": fields});
    live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
}

fn conflicts(live: &Value, spec: Value) -> Vec<String> {
    match merge(&schemas(), Some(live), &thing(spec), "me", false) {
        Outcome::Conflicts(conflicts) => {
            conflicts.iter().map(|conflict| format!("{conflict}: {}", conflict.path)).collect()
        }
        Outcome::Applied(_) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn owned(object: &Value, manager: &str) -> Vec<String> {
    let entries = Entry::read_all(object).unwrap();
    let entry = entries.into_iter().find(|entry| entry.manager == manager);
    entry.map(|entry| entry.fields.paths().iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn what_is_applied_is_there_and_owned() {
    let object = history(&[(
        "me",
        json!({"name": "a", "map": {"k": "v"}, "whole": {"w": "1"}, "set": ["s"], "list": ["l"], "free": {"x": [1]}}),
    )]);
    assert_eq!(
        owned(&object, "me"),
        [".spec.free.x", ".spec.list", ".spec.map.k", ".spec.name", r#".spec.set[="s"]"#, ".spec.whole"]
    );
    let object =
        history(&[("me", json!({"items": [{"name": "a", "value": "1"}], "map": {}, "maybe": null, "set": []}))]);
    assert_eq!(
        owned(&object, "me"),
        [
            r#".spec.items[name="a"]"#,
            r#".spec.items[name="a"].name"#,
            r#".spec.items[name="a"].value"#,
            ".spec.map",
            ".spec.maybe"
        ]
    );
}

#[test]
fn nothing_changes_and_nothing_is_copied_when_the_same_is_applied_again() {
    let spec = json!({"name": "a", "ratio": 1, "items": [{"name": "a"}], "ports": [{"port": 80}]});
    let live = history(&[("me", spec.clone()), ("other", json!({"name": "a", "ports": [{"port": 80, "name": "p"}]}))]);
    let mut again = spec;
    again["ratio"] = json!(1.0);
    let Outcome::Applied(applied) = merge(&schemas(), Some(&live), &thing(again), "me", false).clone() else {
        panic!()
    };
    assert!(!applied.is_changed() && std::ptr::eq(applied.object.as_ref(), &live));
    assert_eq!(changes(&live, &applied.into_object()), []);
}

#[test]
fn another_value_of_anothers_field_is_a_conflict_until_it_is_forced() {
    let mut live =
        history(&[("other", json!({"name": "a", "replicas": 1, "map": {"k": "v"}})), ("me", json!({"on": true}))]);
    update(&mut live, "edit", "/spec/replicas", json!(2), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(
        conflicts(&live, json!({"name": "b", "replicas": 3, "map": {"k": "w"}})),
        [
            r#"conflict with "edit" using example.com/v1: .spec.replicas"#,
            r#"conflict with "other": .spec.map.k"#,
            r#"conflict with "other": .spec.name"#,
            r#"conflict with "other": .spec.replicas"#,
        ]
    );
    assert!(conflicts(&live, json!({"name": "a", "replicas": 2})).is_empty());
    let Outcome::Applied(applied) =
        merge(&schemas(), Some(&live), &thing(json!({"name": "b", "replicas": 2})), "me", true)
    else {
        panic!()
    };
    let object = applied.into_object();
    assert_eq!(object["spec"], json!({"name": "b", "replicas": 2, "map": {"k": "v"}}));
    assert_eq!(owned(&object, "other"), [".spec.map.k", ".spec.replicas"]);
    assert_eq!(owned(&object, "edit"), [".spec.replicas"]);
}

#[test]
fn values_are_compared_as_they_are_written() {
    let live = history(&[("other", json!({"port": 80, "name": "100m", "ratio": 1, "whole": {"a": "1"}}))]);
    assert!(conflicts(&live, json!({"port": 80.0, "ratio": 1.0, "whole": {"a": "1"}})).is_empty());
    assert_eq!(conflicts(&live, json!({"port": "80"})).len(), 1);
    assert_eq!(conflicts(&live, json!({"name": "0.1"})).len(), 1);
    assert_eq!(conflicts(&live, json!({"whole": {"a": "1", "b": "2"}})), [r#"conflict with "other": .spec.whole"#]);
}

#[test]
fn what_is_dropped_goes_unless_somebody_else_owns_it() {
    let me = json!({"name": "a", "on": true, "map": {"k": "v", "l": "v"}, "items": [{"name": "a", "value": "1"}, {"name": "b"}]});
    let live =
        history(&[("me", me.clone()), ("other", json!({"on": true, "items": [{"name": "a", "more": {"x": "y"}}]}))]);
    let object = history_from(live, json!({"map": {"l": "v"}}));
    assert_eq!(object["spec"], json!({"on": true, "map": {"l": "v"}, "items": [{"name": "a", "more": {"x": "y"}}]}));
    // What nobody owns goes with the item or the mapping that holds it, and stays where something else there is owned.
    let mut live = history(&[("me", me)]);
    live["spec"]["items"][0]["more"] = json!({"x": "nobody's"});
    live["spec"]["map"]["n"] = json!("nobody's");
    let object = history_from(live.clone(), json!({"items": [{"name": "b"}]}));
    assert_eq!(object["spec"], json!({"items": [{"name": "b"}]}));
    let object = history_from(live, json!({"items": [{"name": "a"}], "map": {"l": "v"}}));
    assert_eq!(
        object["spec"],
        json!({"items": [{"name": "a", "more": {"x": "nobody's"}}], "map": {"l": "v", "n": "nobody's"}})
    );
}

fn history_from(live: Value, spec: Value) -> Value {
    match merge(&schemas(), Some(&live), &thing(spec), "me", false) {
        Outcome::Applied(applied) => applied.into_object(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_map_that_loses_its_last_part_but_is_named_is_null_and_an_emptied_list_is_gone() {
    let live = history(&[("me", json!({"map": {"k": "v"}, "set": ["a"], "name": "n"}))]);
    let object = history_from(live.clone(), json!({"map": {}, "set": [], "name": "n"}));
    assert_eq!(object["spec"], json!({"map": null, "name": "n"}));
    let object = history_from(live, json!({"name": "n"}));
    assert_eq!(object["spec"], json!({"name": "n"}));
}

#[test]
fn an_entry_that_owns_nothing_is_gone() {
    let live = history(&[("me", json!({"name": "a"}))]);
    let body = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}});
    let Outcome::Applied(applied) = merge(&schemas(), Some(&live), &body, "me", false) else { panic!() };
    assert_eq!(applied.into_object(), body);
    let object = history(&[("other", json!({"name": "a"})), ("me", json!({"name": "b"}))]);
    assert!(owned(&object, "other").is_empty());
}

#[test]
fn lists_keep_the_applied_order_and_live_items_stand_before_what_follows_them() {
    for (live, applied, merged) in [
        ("a b c x y", "a b c", "a b c x y"),
        ("a b c x y", "c a b", "c x y a b"),
        ("a b c x y", "c n b a", "c x y n b a"),
        ("a b c x y", "n a b c", "n a b c x y"),
        ("a b c x y", "y a b c", "x y a b c"),
        ("x b c", "c a n", "x b c a n"),
    ] {
        let set = |text: &str| json!({"set": text.split(' ').collect::<Vec<_>>()});
        let live = history(&[("other", set(live))]);
        let items =
            |text: &str| json!({"items": text.split(' ').map(|name| json!({"name": name})).collect::<Vec<_>>()});
        let list = history(&[(
            "other",
            items(
                live["spec"]["set"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|s| s.as_str().unwrap())
                    .collect::<Vec<_>>()
                    .join(" ")
                    .as_str(),
            ),
        )]);
        assert_eq!(history_from(live, set(applied))["spec"], set(merged), "{applied}");
        assert_eq!(history_from(list, items(applied))["spec"], items(merged), "{applied}");
    }
}

#[test]
fn items_that_live_has_twice_are_replaced_by_the_applied_one() {
    let mut live = history(&[("other", json!({"name": "n"}))]);
    live["spec"]["items"] = json!([{"name": "a", "value": "1"}, {"name": "b"}, {"name": "a", "value": "2"}]);
    update(
        &mut live,
        "edit",
        "/spec/name",
        json!("n"),
        json!({"f:spec": {"f:items": {".": {}, "k:{\"name\":\"a\"}": {}, "k:{\"name\":\"b\"}": {".": {}}}}}),
    );
    assert_eq!(
        conflicts(&live, json!({"items": [{"name": "a", "value": "1"}]})),
        [r#"conflict with "edit" using example.com/v1: .spec.items[name="a"]"#]
    );
    live["metadata"]["managedFields"].as_array_mut().unwrap().retain(|entry| entry["manager"] == "other");
    assert_eq!(
        history_from(live.clone(), json!({"items": [{"name": "b", "value": "v"}]}))["spec"]["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let object = history_from(live, json!({"items": [{"name": "a", "value": "3"}]}));
    assert_eq!(object["spec"]["items"], json!([{"name": "a", "value": "3"}, {"name": "b"}]));
}

#[test]
fn a_manifest_that_is_not_what_its_schema_says_is_refused_with_every_path() {
    let spec = json!({"replicas": "3", "unknown": 1, "name": 4, "on": "yes", "items": [{"name": "a"}, {"name": "a", "x": 1}], "set": [["x"]],
        "numbers": [1, 1.0], "ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}], "map": [], "list": {}, "whole": "x"});
    let Outcome::Invalid(mut errors) = merge(&schemas(), None, &thing(spec), "me", true) else { panic!() };
    errors.sort();
    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            ".spec.items: duplicate entries for key [name=\"a\"]",
            ".spec.items[name=\"a\"].x: field not declared in schema",
            ".spec.list: expected list, got map",
            ".spec.map: expected map, got list",
            ".spec.name: expected string, got integer",
            ".spec.numbers: duplicate entries for key [=1]",
            ".spec.on: expected boolean, got string",
            ".spec.ports: duplicate entries for key [port=80,protocol=\"TCP\"]",
            ".spec.replicas: expected numeric (int or float), got string",
            ".spec.set: element 0: not supported: associative list with lists as elements",
            ".spec.unknown: field not declared in schema",
            ".spec.whole: expected map, got string",
        ]
    );
}

#[test]
fn the_first_apply_meets_the_object_as_it_was_before() {
    let mut live = thing(json!({"name": "a", "map": {"k": "v"}}));
    live["metadata"]["uid"] = json!("1");
    live["status"] = json!({"x": "y"});
    assert_eq!(
        conflicts(&live, json!({"name": "b", "map": {"k": "v"}})),
        [r#"conflict with "before-first-apply" using example.com/v1: .spec.name"#]
    );
    let object = history_from(live, json!({"name": "a"}));
    assert_eq!(owned(&object, "before-first-apply"), [".spec", ".spec.map", ".spec.map.k", ".spec.name"]);
}

#[test]
fn what_the_server_writes_is_neither_owned_nor_taken_from_a_manifest() {
    let schemas = schemas();
    let mut live = history(&[("me", json!({"name": "a"}))]);
    live["metadata"]
        .as_object_mut()
        .unwrap()
        .extend(json!({"uid": "1", "creationTimestamp": "t", "generation": 2}).as_object().unwrap().clone());
    live["status"] = json!({"phase": "up"});
    let mut body = thing(json!({"name": "b"}));
    body["metadata"] =
        json!({"name": "x", "uid": "1", "creationTimestamp": null, "generation": 9, "labels": {"a": "b"}});
    body["status"] = json!({"phase": "down"});
    let Outcome::Applied(applied) = merge(&schemas, Some(&live), &body, "me", false) else { panic!() };
    let object = applied.into_object();
    assert_eq!(object["status"], json!({"phase": "up"}));
    assert_eq!((&object["metadata"]["creationTimestamp"], &object["metadata"]["generation"]), (&json!("t"), &json!(2)));
    assert_eq!(owned(&object, "me"), [".metadata.labels.a", ".spec.name"]);
}

#[test]
fn an_entry_in_another_version_counts_where_the_versions_convert() {
    let mut live = history(&[("other", json!({"name": "a"})), ("me", json!({"on": true}))]);
    for entry in live["metadata"]["managedFields"].as_array_mut().unwrap() {
        entry["apiVersion"] = json!("example.com/v1beta1");
    }
    assert_eq!(conflicts(&live, json!({"name": "b"})).len(), 1);
    // Our own last entry, in the other version, is taken up: what it had and we drop goes.
    let object = history_from(live.clone(), json!({"replicas": 1}));
    assert_eq!(object["spec"], json!({"name": "a", "replicas": 1}));
    live["metadata"]["managedFields"][0]["apiVersion"] = json!("example.com/v2");
    let outcome = merge(&schemas(), Some(&live), &thing(json!({})), "me", false);
    assert!(
        matches!(&outcome, Outcome::Unknown(Unknown::Version { api_version, .. }) if api_version == "example.com/v2"),
        "{outcome:?}"
    );
    // A built-in kind is converted by code.
    let mut live: Value = serde_json::from_str(&live.to_string().replace("example.com/v", "apps/v")).unwrap();
    live["apiVersion"] = json!("apps/v1");
    let body: Value = serde_json::from_str(&thing(json!({})).to_string().replace("example.com", "apps")).unwrap();
    assert!(matches!(merge(&schemas(), Some(&live), &body, "me", false), Outcome::Unknown(Unknown::Version { .. })));
}

#[test]
fn what_became_one_value_since_is_owned_as_a_whole() {
    let mut live = history(&[("other", json!({"whole": {"a": "1"}, "list": ["x"]})), ("me", json!({"on": true}))]);
    live["metadata"]["managedFields"][0]["fieldsV1"] =
        json!({"f:spec": {"f:list": {"v:\"x\"": {}}, "f:whole": {".": {}, "f:a": {}}}});
    assert_eq!(conflicts(&live, json!({"whole": {"a": "2"}, "list": []})).len(), 2);
    assert_eq!(owned(&history_from(live, json!({"on": true})), "other"), [".spec.list", ".spec.whole"]);
}

#[test]
fn string_data_is_encoded_into_data_and_stays_owned_as_string_data() {
    let schemas = schemas();
    let secret = |fields: Value| {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        secret.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        secret
    };
    let apply = |live: Option<&Value>, body: &Value| match merge(&schemas, live, body, "me", false) {
        Outcome::Applied(applied) => applied.into_object(),
        other => panic!("{other:?}"),
    };
    let live = apply(None, &secret(json!({"data": {"c": "eA=="}, "stringData": {"a": "y", "b": "z", "c": "w"}})));
    assert_eq!(live["data"], json!({"a": "eQ==", "b": "eg==", "c": "dw=="}));
    assert!(live.get("stringData").is_none());
    assert_eq!(owned(&live, "me"), [".data.c", ".stringData.a", ".stringData.b", ".stringData.c"]);
    // A key dropped from stringData stays in data.
    let object = apply(Some(&live), &secret(json!({"data": {"c": "dw=="}, "stringData": {"a": "y"}})));
    assert_eq!(object["data"], json!({"a": "eQ==", "b": "eg==", "c": "dw=="}));
}

#[test]
fn what_cannot_be_predicted_says_why() {
    let schemas = schemas();
    let unknown = |live: Option<Value>, body: Value| match merge(&schemas, live.as_ref(), &body, "me", false) {
        Outcome::Unknown(unknown) => unknown.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(unknown(None, json!([])).contains("schema of"));
    assert!(unknown(None, json!({"apiVersion": "v1", "kind": "Nothing"})).contains("v1 Nothing"));
    assert!(
        unknown(Some(json!({"apiVersion": "v1", "kind": "Thing"})), thing(json!({})))
            .contains("live object is v1 Thing")
    );
    assert!(unknown(Some(thing(json!({"new": 1}))), thing(json!({}))).contains(".spec.new"));
    let mut broken = thing(json!({}));
    broken["metadata"]["managedFields"] = json!([{"manager": "m", "operation": "Other"}]);
    assert!(unknown(Some(broken), thing(json!({}))).contains("operation"));
    let deep = (0..500).fold(json!({}), |inner, _| json!({"a": inner}));
    assert!(unknown(None, thing(json!({"free": deep}))).contains("nested"));
}

/// Specs that the schema allows more often than not.
fn any_spec() -> impl Strategy<Value = Value> {
    let text = || prop::sample::select(vec!["a", "b", "<c>"]).prop_map(Value::from);
    let texts = || prop::collection::btree_map("[xyz]", text(), 0..3).prop_map(|map| json!(map));
    let item = || {
        prop::collection::btree_map(prop::sample::select(vec!["value".to_owned(), "more".to_owned()]), texts(), 0..2)
            .prop_map(|mut map| {
                if map.contains_key("value") {
                    map.insert("value".into(), json!("v"));
                }
                json!(map)
            })
    };
    let items = prop::collection::vec((text(), item()), 0..4).prop_map(|items| {
        Value::Array(
            items
                .into_iter()
                .map(|(name, mut item)| {
                    item["name"] = name;
                    item
                })
                .collect(),
        )
    });
    let member = prop_oneof![
        (Just("replicas"), (0..3_i64).prop_map(Value::from)),
        (Just("ratio"), prop_oneof![Just(json!(1)), Just(json!(1.0)), Just(json!(0.5))]),
        (Just("name"), text()),
        (Just("maybe"), prop_oneof![Just(Value::Null), text()]),
        (Just("set"), prop::collection::vec(text(), 0..4).prop_map(Value::from)),
        (Just("numbers"), prop::collection::vec(0..4_i64, 0..4).prop_map(Value::from)),
        (Just("list"), prop::collection::vec(text(), 0..3).prop_map(Value::from)),
        (Just("items"), items),
        (Just("map"), texts()),
        (Just("whole"), texts()),
        (
            Just("table"),
            prop::collection::btree_map("[kl]", prop::collection::btree_map("[ab]", text(), 0..2), 0..3)
                .prop_map(|map| json!(map))
        ),
        (Just("free"), crate::merge::tests::any_json()),
        (Just("port"), crate::merge::tests::any_json()),
    ];
    prop::collection::vec(member, 0..6)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn applies_are_stable_and_force_has_no_conflicts(
        steps in prop::collection::vec((prop::sample::select(vec!["me", "other"]), any_spec()), 0..4), spec in any_spec(), force: bool
    ) {
        let schemas = schemas();
        let mut live: Option<Value> = None;
        for (manager, spec) in steps {
            if let Outcome::Applied(applied) = merge(&schemas, live.as_ref(), &thing(spec), manager, true) {
                live = Some(applied.into_object());
            }
        }
        let body = thing(spec);
        match merge(&schemas, live.as_ref(), &body, "me", force) {
            Outcome::Conflicts(conflicts) => {
                prop_assert!(!force && !conflicts.is_empty());
                let live = live.unwrap();
                let entries = Entry::read_all(&live).unwrap();
                for conflict in conflicts {
                    let owns = |entry: &Entry| entry.manager == conflict.manager && entry.fields.contains(&conflict.path.0);
                    prop_assert!(conflict.manager != "me" && entries.iter().any(owns));
                }
            }
            Outcome::Applied(applied) => {
                prop_assert_eq!(applied.created, live.is_none());
                let object = applied.into_object();
                // An emptied list goes, an emptied mapping is null; applied again, they are there empty.
                let odd = |value: &Value| ["null", "[]", "{}"].iter().any(|odd| value.to_string().contains(odd));
                prop_assume!(!odd(&body["spec"]) && !object.to_string().contains("null"));
                match merge(&schemas, Some(&object), &body, "me", false) {
                    Outcome::Applied(again) => {
                        prop_assert!(!again.is_changed(), "{} {}", again.object, object);
                        prop_assert_eq!(again.into_object(), object);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            Outcome::Invalid(errors) => prop_assert!(!errors.is_empty()),
            Outcome::Unknown(unknown) => prop_assert!(matches!(unknown, Unknown::LiveInvalid(_)), "{}", unknown),
        }
    }

    #[test]
    fn anything_is_answered(live in crate::merge::tests::any_json(), metadata in crate::merge::tests::any_json(), spec in crate::merge::tests::any_json(), body in any_spec(), force: bool) {
        let schemas = schemas();
        let mut object = thing(spec);
        object["metadata"]["managedFields"] = metadata;
        let _ = merge(&schemas, Some(&live), &live, "a", force);
        let _ = merge(&schemas, Some(&object), &thing(body.clone()), "a", force);
        let _ = merge(&schemas, Some(&thing(body)), &object, "a", force);
    }
}
