//! What an object keeps, and what counts as its having moved.

use super::*;
use crate::merge::{self, live_content};
use serde_json::{Value, json};

fn resource() -> Resource {
    Resource {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        plural: "deployments".into(),
        namespaced: true,
        verbs: vec![],
    }
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 1,
            "labels": {"a\"b": "é\u{1}", (PART_OF): "set-1"}, "managedFields": [
            {"manager": "driftdeck", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "hand", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:x": {}}}},
            {"manager": "controller", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ]},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "a", "image": "i"}]}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}})
}

fn cached(value: &Value) -> CachedObject {
    Reader::new(&resource()).read(value.to_string().as_bytes()).unwrap().1
}

#[test]
fn an_object_is_read_back_as_it_came_but_for_what_nobody_reads() {
    let (id, object) = Reader::new(&resource()).read(deployment().to_string().as_bytes()).unwrap();
    assert_eq!(id.to_string(), "apps/Deployment/shop/api");
    assert_eq!((object.uid(), object.resource_version(), object.part_of()), ("u", "7", Some("set-1")));
    let mut expected = deployment();
    expected["metadata"]["managedFields"].as_array_mut().unwrap().pop();
    assert_eq!(object.read().unwrap().body, expected);
    assert_eq!(live_content(&object.read().unwrap().body, &[]), live_content(&deployment(), &[]));
}

#[test]
fn what_a_controller_owns_beside_the_status_is_kept_though_it_is_no_content() {
    let annotations =
        json!({"f:annotations": {".": {}, "f:deployment.kubernetes.io/revision": {}, "f:with\"quote": {}}});
    let with = |fields: Value| {
        let mut value = deployment();
        value["metadata"]["managedFields"][2]["fieldsV1"] = fields;
        value
    };
    let both = with(json!({"f:status": {"f:replicas": {}}, "f:metadata": annotations}));
    let object = cached(&both);
    assert_eq!(object.read().unwrap().body, with(json!({"f:metadata": annotations})));
    assert!(object.same(&cached(&deployment())));
    assert_eq!(live_content(&both, &[]), live_content(&deployment(), &[]));
    let owner = merge::owners(&object.read().unwrap().body, &"/metadata/annotations".into());
    assert_eq!(owner.iter().map(|owner| owner.manager.as_str()).collect::<Vec<_>>(), ["controller"]);
    for nothing in [json!({"f:status": {}}), json!({}), Value::Null] {
        let kept = cached(&with(nothing)).read().unwrap().body;
        assert_eq!(kept["metadata"]["managedFields"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn an_item_of_a_list_gets_the_kind_that_the_list_left_out() {
    let item = r#"{"metadata": {"name": "a", "managedFields": [], "annotations": null}}"#;
    let (_, object) = Reader::new(&resource()).read(item.as_bytes()).unwrap();
    let body = object.read().unwrap().body;
    assert_eq!((&body["apiVersion"], &body["kind"]), (&json!("apps/v1"), &json!("Deployment")));
    let typed = r#"{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a", "managedFields": [], "annotations": null}}"#;
    assert!(Reader::new(&resource()).read(typed.as_bytes()).unwrap().1.same(&object));
}

/// The hashes agree exactly where [`live_content`] and the status do.
#[test]
fn only_what_counts_moves_an_object() {
    type Edit = fn(&mut Value);
    let before = cached(&deployment());
    let same: [Edit; 5] = [
        |v| v["metadata"]["resourceVersion"] = json!("8"),
        |v| v["metadata"]["managedFields"][0]["time"] = json!("2026-02-02T00:00:00Z"),
        |v| v["metadata"]["managedFields"][2]["fieldsV1"] = json!({}),
        |v| v["metadata"]["managedFields"][2]["fieldsV1"] = json!({"f:metadata": {"f:labels": {}}}),
        |v| v["metadata"]["managedFields"].as_array_mut().unwrap().reverse(),
    ];
    let moved: [Edit; 6] = [
        |v| v["spec"]["replicas"] = json!(2),
        |v| v["metadata"]["labels"]["x"] = json!("y"),
        |v| v["metadata"]["uid"] = json!("u2"),
        |v| v["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
        |v| v["metadata"]["managedFields"][1]["manager"] = json!("another"),
        |v| v["extra"] = json!(1),
    ];
    let edited = |edit: Edit| {
        let mut value = deployment();
        edit(&mut value);
        (live_content(&value, &[]) == live_content(&deployment(), &[]), cached(&value))
    };
    for (index, edit) in same.into_iter().enumerate() {
        let (content, after) = edited(edit);
        assert!(content && after.same(&before) && !after.is_news_after(&before), "same {index}");
    }
    for (index, edit) in moved.into_iter().enumerate() {
        let (content, after) = edited(edit);
        assert!(!content && !after.same_content(&before) && after.is_news_after(&before), "moved {index}");
    }
}

#[test]
fn a_status_is_news_only_where_it_changes_the_health() {
    let before = cached(&deployment());
    let with = |field: &str, value: u32| {
        let mut deployment = deployment();
        deployment["status"][field] = json!(value);
        cached(&deployment)
    };
    let counted = with("readyReplicas", 5);
    assert!(counted.same_content(&before) && !counted.same(&before) && !counted.is_news_after(&before));
    let degraded = with("availableReplicas", 0);
    assert!(degraded.same_content(&before) && degraded.is_news_after(&before));
}

#[test]
fn the_objects_of_a_long_list_take_less_room_and_read_back_the_same() {
    let before = cached(&deployment()).packed().size();
    let mut reader = Reader::new(&resource());
    reader.list_begins();
    let mut read = |index: usize| {
        let mut value = deployment();
        value["metadata"]["name"] = json!(format!("api-{index}"));
        reader.read(value.to_string().as_bytes()).unwrap().1
    };
    let list: Vec<CachedObject> = (0..200).map(&mut read).collect();
    assert!(list[199].packed().size() * 2 < before, "{} and {before}", list[199].packed().size());
    for (index, object) in list.iter().enumerate() {
        assert_eq!(object.read().unwrap().body["metadata"]["name"], json!(format!("api-{index}")));
    }
}

#[test]
fn what_is_no_object_is_an_error() {
    for json in ["", "{", "[]", "null", "{}", r#"{"metadata": []}"#, r#"{"metadata": {"name": ""}}"#] {
        assert!(Reader::new(&resource()).read(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn no_value_of_a_secret_is_printed() {
    let secret =
        json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "data": {"k": "aHVudGVyMg=="}});
    assert!(!format!("{:?}", cached(&secret)).contains("aHVudGVyMg"));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_object_or_an_error(bytes: Vec<u8>, text in "[\\[\\]{}\":,a0metadnul ]{0,40}") {
        let _ = Reader::new(&resource()).read(&bytes);
        let _ = Reader::new(&resource()).read(text.as_bytes());
    }
}
