//! Tables and properties of what changes, what counts as content and who owns it.

use super::*;
use crate::object::Pointer;
use proptest::prelude::*;
use serde_json::{Value, json};

fn shown(live: &Value, predicted: &Value) -> Vec<String> {
    changes(live, predicted)
        .into_iter()
        .map(|change| {
            let value = |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            format!("{:?} {} {} {}", change.op, change.path, value(change.live), value(change.desired))
        })
        .collect()
}

#[test]
fn status_and_what_the_server_writes_never_count() {
    let live = json!({"kind": "A", "metadata": {"name": "x", "uid": "1", "resourceVersion": "1", "generation": 1, "labels": {"a": "1"},
        "managedFields": [], "creationTimestamp": "t", "selfLink": "s"}, "status": {"a": 1}, "zone": 1});
    let predicted =
        json!({"kind": "A", "metadata": {"name": "x", "generation": 2, "labels": {"a": "2"}}, "data": {"x": 1}});
    assert_eq!(
        shown(&live, &predicted),
        [r#"Add /data - {"x":1}"#, r#"Replace /metadata/labels/a "1" "2""#, "Remove /zone 1 -"]
    );
}

#[test]
fn a_subtree_of_one_side_is_one_change() {
    let live = json!({"spec": {"a": {"b": {"c": 1}}, "n": 1.0}});
    let predicted = json!({"spec": {"n": 1, "d": [{"e": 1}]}});
    assert_eq!(shown(&live, &predicted), [r#"Remove /spec/a {"b":{"c":1}} -"#, r#"Add /spec/d - [{"e":1}]"#]);
    assert_eq!(shown(&json!({}), &json!({"metadata": {"labels": {}}})), [r#"Add /metadata - {"labels":{}}"#]);
}

#[test]
fn list_items_are_found_by_their_merge_key() {
    let live = json!({"c": [{"name": "a", "v": 1}, {"name": "b", "v": 1}, {"name": "c"}]});
    let predicted = json!({"c": [{"name": "new"}, {"name": "a", "v": 1}, {"name": "c", "v": 2}]});
    assert_eq!(
        shown(&live, &predicted),
        [r#"Add /c/0 - {"name":"new"}"#, r#"Remove /c/1 {"name":"b","v":1} -"#, "Add /c/2/v - 2"]
    );
    assert_eq!(changes(&live, &predicted)[2].live_path, Pointer::from("/c/2/v"));
    let ports = |first: u16| json!({"p": [{"port": 53, "protocol": "UDP"}, {"port": 53, "nodePort": first}]});
    assert_eq!(shown(&ports(1), &ports(2)), ["Replace /p/1/nodePort 1 2"]);
}

#[test]
fn the_place_in_live_is_kept_where_items_have_moved() {
    let live = json!({"c": [{"name": "a", "v": 1}]});
    let predicted = json!({"c": [{"name": "new"}, {"name": "a", "v": 2}]});
    let change = changes(&live, &predicted).remove(1);
    assert_eq!((change.path.to_string(), change.live_path.to_string()), ("/c/1/v".into(), "/c/0/v".into()));
}

#[test]
fn another_order_shows() {
    let live = json!({"c": [{"name": "a"}, {"name": "b"}]});
    let predicted = json!({"c": [{"name": "b"}, {"name": "a"}]});
    assert_eq!(shown(&live, &predicted), [r#"Remove /c/0 {"name":"a"} -"#, r#"Add /c/1 - {"name":"a"}"#]);
}

#[test]
fn lists_without_a_key_follow_their_common_items() {
    assert_eq!(shown(&json!({"a": ["x", "y", "z"]}), &json!({"a": ["x", "n", "z"]})), [r#"Replace /a/1 "y" "n""#]);
    assert_eq!(
        shown(&json!({"a": [1, 2, 3, 4]}), &json!({"a": [2, 3, 5, 6, 4]})),
        ["Remove /a/0 1 -", "Add /a/2 - 5", "Add /a/3 - 6"]
    );
    let rules = |verb: &str| json!({"rules": [{"verbs": ["get"]}, {"verbs": ["list", verb]}]});
    assert_eq!(shown(&rules("a"), &rules("b")), [r#"Replace /rules/1/verbs/1 "a" "b""#]);
}

#[test]
fn live_content_is_the_same_after_a_status_write() {
    let object = |version: &str, time: &str, status: i32| {
        json!({"kind": "A", "metadata": {"name": "x", "uid": "u", "resourceVersion": version, "generation": status, "managedFields": [
            {"manager": "b", "operation": "Update", "time": time, "fieldsV1": {"f:spec": {}}},
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "time": time, "fieldsV1": {"f:x": status}},
            {"manager": "a", "operation": "Apply", "time": time},
        ]}, "spec": {"a": 1}, "status": {"x": status}})
    };
    assert_eq!(live_content(&object("1", "t1", 1), &[]), live_content(&object("2", "t2", 2), &[]));
    assert_eq!(
        live_content(&object("1", "t1", 1), &[])["metadata"],
        json!({"name": "x", "uid": "u", "managedFields": [{"manager": "a", "operation": "Apply"},
            {"manager": "b", "operation": "Update", "fieldsV1": {"f:spec": {}}}]})
    );
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        prop::sample::select(vec![1.0, 0.5]).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let key = prop::sample::select(vec![
            "metadata",
            "managedFields",
            "fieldsV1",
            "manager",
            "operation",
            "time",
            "f:a",
            "f:metadata",
            "k:{\"name\":\"a\"}",
            "k:{",
            "v:1",
            "v:\"a\"",
            "i:0",
            ".",
            "name",
            "key",
            "port",
            "protocol",
            "a",
            "b",
            "status",
            "labels",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.prop_map(String::from), inner), 0..5)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changes_say_what_differs_and_nothing_else(live in any_json(), predicted in any_json()) {
        prop_assert!(changes(&live, &live).is_empty());
        let there = changes(&live, &predicted);
        prop_assert_eq!(there.is_empty(), changes(&predicted, &live).is_empty());
        for change in &there {
            let (expected_live, expected) = (change.live.as_ref(), change.desired.as_ref());
            match change.op {
                Op::Add => prop_assert!(expected_live.is_none() && change.path.get(&predicted) == expected),
                Op::Remove => prop_assert!(expected.is_none() && change.live_path.get(&live) == expected_live),
                Op::Replace => {
                    prop_assert_eq!(change.path.get(&predicted), expected);
                    prop_assert_eq!(change.live_path.get(&live), expected_live);
                }
            }
        }
        let content = live_content(&live, &[]);
        prop_assert_eq!(&live_content(&content, &[]), &content);
    }

    #[test]
    fn ownership_of_anything_is_answered(live in any_json(), path in "(/(metadata|a|b|0|1|labels|~1)){0,4}") {
        let path = Pointer::from(path.as_str());
        let owners = owners(&live, &path);
        prop_assert!(owners.windows(2).all(|pair| pair[0].time >= pair[1].time));
        if owned_by(&live, &path, "a") {
            prop_assert!(owners.iter().any(|owner| owner.manager == "a" && owner.operation == "Apply"));
        }
    }
}
