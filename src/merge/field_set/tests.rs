//! FieldsV1 read and written as the server does, and the algebra of sets.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn set(fields: Value) -> FieldSet {
    FieldSet::read(&fields).unwrap()
}

fn shown(set: &FieldSet) -> String {
    set.paths().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn paths_are_spelled_as_the_server_spells_them() {
    let fields = json!({"f:spec": {"f:replicas": {}, "f:containers": {".": {}, "k:{\"name\":\"a\"}": {".": {}, "f:image": {}},
        "k:{\"protocol\":\"TCP\",\"containerPort\":80}": {}}}, "f:metadata": {"f:finalizers": {"v:\"x\"": {}, "v:1.0": {}}, "f:labels": {"f:a.b/c": {}}},
        "f:list": {"i:2": {}}});
    assert_eq!(
        shown(&set(fields)),
        concat!(
            r#".list[2] .metadata.finalizers[=1] .metadata.finalizers[="x"] .metadata.labels.a.b/c .spec.containers "#,
            r#".spec.containers[containerPort=80,protocol="TCP"] .spec.containers[name="a"] .spec.containers[name="a"].image .spec.replicas"#
        )
    );
}

#[test]
fn what_is_written_has_the_servers_order_and_escapes() {
    // As structured-merge-diff writes it: elements by kind and value, not as texts.
    let fields = json!({"f:z": {}, "f:ports": {"k:{\"port\":443}": {".": {}, "f:port": {}}, "k:{\"port\":80}": {}}, "f:set": {"v:10": {}, "v:9": {}, "v:\"<\"": {}, "v:true": {}},
        "f:a\"b": {"i:1": {}}});
    assert_eq!(
        set(fields).to_json(),
        concat!(
            r#"{"f:a\"b":{"i:1":{}},"f:ports":{"k:{\"port\":80}":{},"k:{\"port\":443}":{".":{},"f:port":{}}},"#,
            r#""f:set":{"v:9":{},"v:10":{},"v:\"\\u003c\"":{},"v:true":{}},"f:z":{}}"#
        )
    );
    assert_eq!(FieldSet::default().to_json(), "{}");
}

#[test]
fn what_the_server_does_not_know_it_ignores_and_what_is_broken_it_refuses() {
    assert_eq!(shown(&set(json!({"x:new": {}, "f:a": {"x:new": {"f:b": {}}}, ".": {}}))), ".a");
    assert_eq!(shown(&set(json!(null))), "");
    assert_eq!(shown(&set(json!({"f:a": null}))), ".a");
    for broken in [
        json!({"": {}}),
        json!({"f": {}}),
        json!({"fa": {}}),
        json!({"k:[]": {}}),
        json!({"v:": {}}),
        json!({"i:x": {}}),
        json!({"ä:": {}}),
    ] {
        assert!(matches!(FieldSet::read(&broken), Err(FieldsError::Element(_))), "{broken}");
    }
    for broken in [json!([]), json!({"f:a": 1}), json!("f:a")] {
        assert_eq!(FieldSet::read(&broken), Err(FieldsError::NotAMapping), "{broken}");
    }
    let deep = (0..1000).fold(json!({}), |inner, _| json!({"f:a": inner}));
    assert_eq!(FieldSet::read(&deep), Err(FieldsError::TooDeep));
}

#[test]
fn a_member_below_a_member_is_another_field() {
    let parent = set(json!({"f:a": {}}));
    let both = set(json!({"f:a": {".": {}, "f:b": {}}}));
    let child = set(json!({"f:a": {"f:b": {}}}));
    assert_eq!(both.difference(&parent), child);
    assert_eq!(both.difference(&child), parent);
    assert_eq!(both.recursive_difference(&parent), FieldSet::default());
    assert_eq!(child.recursive_difference(&parent), FieldSet::default());
    assert_eq!(both.intersection(&child), child);
    assert_eq!(parent.union(&child), both);
    assert_eq!(both.leaves(), child);
    assert!(parent.is_subset(&both) && !both.is_subset(&parent));
}

fn any_set() -> impl Strategy<Value = FieldSet> {
    let element = prop_oneof![
        "[ab\"<é]{1,2}".prop_map(|name| PathElement::field(&name)),
        (0..3_i64).prop_map(PathElement::Index),
        prop_oneof![
            Just(json!(1)),
            Just(json!(1.5)),
            Just(json!("a")),
            Just(json!("\u{2028}<")),
            Just(json!(true)),
            Just(json!(null)),
            Just(json!({"a": [1]}))
        ]
        .prop_map(|value| PathElement::Value(value.into())),
        (0..3_i64, "[ab]").prop_map(|(port, name)| PathElement::Key(
            [("name".into(), json!(name)), ("port".into(), json!(port))].into()
        )),
    ];
    prop::collection::vec(prop::collection::vec(element, 1..4), 0..12).prop_map(|paths| {
        let mut set = FieldSet::default();
        paths.iter().for_each(|path| set.insert(path));
        set
    })
}

proptest! {
    #[test]
    fn every_set_reads_back(set in any_set()) {
        let text = set.to_json();
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&value, &set.to_value());
        let again = FieldSet::read(&value).unwrap();
        prop_assert_eq!(&again, &set);
        prop_assert_eq!(again.to_json(), text);
    }

    #[test]
    fn sets_obey_their_algebra(a in any_set(), b in any_set()) {
        let paths = |set: &FieldSet| set.paths();
        for path in paths(&a.union(&b)) {
            let (in_a, in_b) = (a.contains(&path.0), b.contains(&path.0));
            prop_assert!(in_a || in_b);
            prop_assert_eq!(a.intersection(&b).contains(&path.0), in_a && in_b);
            prop_assert_eq!(a.difference(&b).contains(&path.0), in_a && !in_b);
            let covered = (1..=path.0.len()).any(|to| b.contains(&path.0[..to]));
            prop_assert_eq!(a.recursive_difference(&b).contains(&path.0), in_a && !covered);
        }
        prop_assert_eq!(a.union(&b).paths().len() + a.intersection(&b).paths().len(), a.paths().len() + b.paths().len());
        prop_assert_eq!(a.is_subset(&b), a.difference(&b).is_empty());
        prop_assert!(a.difference(&a).is_empty() && a.leaves().is_subset(&a));
        let mut sorted = paths(&a);
        sorted.sort();
        prop_assert_eq!(sorted, paths(&a));
    }

    #[test]
    fn anything_is_read_or_refused(value in crate::merge::tests::any_json()) {
        if let Ok(set) = FieldSet::read(&value) {
            prop_assert_eq!(FieldSet::read(&set.to_value()), Ok(set));
        }
    }
}
