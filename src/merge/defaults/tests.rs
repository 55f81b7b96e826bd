//! Rules as the recorded cases and the live server showed them; the differential proof is in `tests/server_defaults.rs`.

use super::*;
use crate::{
    merge::{schema::Schema, tests::any_json},
    object::Pointer,
};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// Schemas of a few types, in the form in which the server writes them.
fn schemas() -> Schemas {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let part = |name: &str| json!({"default": {}, "allOf": [reference(name)]});
    let list = |name: &str| json!({"type": "array", "items": part(name)});
    let kind = |group: &str, version: &str, kind: &str| json!([{"group": group, "version": version, "kind": kind}]);
    let meta = json!({"apiVersion": {"type": "string"}, "kind": {"type": "string"},
        "metadata": part("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")});
    let object = |gvk: &Value, extra: Value| {
        let mut properties = meta.clone();
        properties.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"type": "object", "x-kubernetes-group-version-kind": gvk, "properties": properties})
    };
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string", "default": ""}});
    let quantities =
        json!({"type": "object", "additionalProperties": reference("io.k8s.apimachinery.pkg.api.resource.Quantity")});
    let kinds = [
        (
            "v1",
            kind("", "v1", "Pod"),
            object(&kind("", "v1", "Pod"), json!({"spec": part("io.k8s.api.core.v1.PodSpec")})),
        ),
        (
            "v1",
            kind("", "v1", "Service"),
            object(&kind("", "v1", "Service"), json!({"spec": part("io.k8s.api.core.v1.ServiceSpec")})),
        ),
        (
            "v1",
            kind("", "v1", "Secret"),
            object(
                &kind("", "v1", "Secret"),
                json!({"data": {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}}, "stringData": texts, "type": text}),
            ),
        ),
        (
            "v1",
            kind("example.com", "v1", "Thing"),
            object(
                &kind("example.com", "v1", "Thing"),
                json!({"spec": {"type": "object", "properties": {
            "mode": {"type": "string", "default": "auto"}, "note": {"type": "string", "default": "x", "nullable": true},
            "nested": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}),
            ),
        ),
    ];
    let mut components = json!({
        "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string", "format": "date-time"},
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "properties": {"name": text, "labels": texts,
            "creationTimestamp": reference("io.k8s.apimachinery.pkg.apis.meta.v1.Time"), "generation": {"type": "integer"}}},
        "io.k8s.api.core.v1.PodSpec": {"type": "object", "required": ["containers"], "properties": {
            "containers": list("io.k8s.api.core.v1.Container"), "hostNetwork": {"type": "boolean"}, "hostname": text,
            "serviceAccountName": text, "serviceAccount": text, "automountServiceAccountToken": {"type": "boolean"}}},
        "io.k8s.api.core.v1.Container": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "default": ""}, "image": text, "args": {"type": "array", "items": text},
            "env": list("io.k8s.api.core.v1.EnvVar"), "resources": part("io.k8s.api.core.v1.ResourceRequirements"),
            "livenessProbe": reference("io.k8s.api.core.v1.Probe")}},
        "io.k8s.api.core.v1.EnvVar": {"type": "object", "properties": {"name": {"type": "string", "default": ""}, "value": text,
            "valueFrom": reference("io.k8s.api.core.v1.EnvVarSource")}},
        "io.k8s.api.core.v1.EnvVarSource": {"type": "object", "properties": {"fieldRef": reference("io.k8s.api.core.v1.ObjectFieldSelector")}},
        "io.k8s.api.core.v1.ObjectFieldSelector": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"apiVersion": text, "fieldPath": text}},
        "io.k8s.api.core.v1.Probe": {"type": "object", "properties": {"periodSeconds": {"type": "integer"}, "timeoutSeconds": {"type": "integer"}}},
        "io.k8s.api.core.v1.ResourceRequirements": {"type": "object", "properties": {"limits": quantities, "requests": quantities}},
        "io.k8s.api.core.v1.ServiceSpec": {"type": "object", "properties": {"type": text, "clusterIP": text,
            "clusterIPs": {"type": "array", "items": text}, "ports": list("io.k8s.api.core.v1.ServicePort")}},
        "io.k8s.api.core.v1.ServicePort": {"type": "object", "properties": {"name": text, "port": {"type": "integer", "default": 0},
            "nodePort": {"type": "integer"}, "targetPort": reference("io.k8s.apimachinery.pkg.util.intstr.IntOrString")}},
    });
    let mut paths = json!({});
    for (at, (_, gvk, object)) in kinds.iter().enumerate() {
        components[format!("kind{at}")] = object.clone();
        paths[format!("/{at}")] = json!({"patch": {"x-kubernetes-group-version-kind": gvk[0]}});
    }
    // Kubernetes' own kinds have names of their own; of the custom one the name says nothing.
    for (from, to) in [
        ("kind0", "io.k8s.api.core.v1.Pod"),
        ("kind1", "io.k8s.api.core.v1.Service"),
        ("kind2", "io.k8s.api.core.v1.Secret"),
    ] {
        components[to] = components.as_object_mut().unwrap().remove(from).unwrap();
    }
    let document = json!({"paths": paths, "components": {"schemas": components}}).to_string();
    let schema = Arc::new(Schema::read(document.as_bytes()).unwrap());
    let mut schemas = Schemas::default();
    schemas.insert("v1", schema.clone());
    schemas.insert("example.com/v1", schema);
    schemas
}

fn applied(mut object: Value, old: Option<&Value>) -> Value {
    apply(&schemas(), &mut object, old);
    object
}

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
}

fn service(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec})
}

#[test]
fn nulls_and_what_go_omits_when_empty_vanish_and_structs_appear() {
    let found = applied(
        pod(
            json!({"hostNetwork": false, "hostname": "", "serviceAccountName": null, "automountServiceAccountToken": false,
            "containers": [{"name": "a", "image": "a:1", "args": [], "env": [{"name": "A", "value": ""}]}]}),
        ),
        None,
    );
    let spec = &found["spec"];
    assert!(["hostNetwork", "hostname", "serviceAccountName"].iter().all(|field| spec.get(field).is_none()), "{spec}");
    assert_eq!(spec["automountServiceAccountToken"], false);
    let container = &spec["containers"][0];
    assert_eq!((&container["resources"], container.get("args")), (&json!({}), None));
    assert_eq!(container["env"], json!([{"name": "A"}]));
    assert_eq!(applied(pod(json!({})), None)["spec"]["containers"], Value::Null);
}

#[test]
fn pods_request_what_they_are_limited_to_in_canonical_amounts() {
    let limits = json!({"cpu": 0.1, "memory": "1024Mi", "sub": "1u", "none": null});
    let found =
        applied(pod(json!({"containers": [{"name": "a", "image": "a", "resources": {"limits": limits}}]})), None);
    let container = &found["spec"]["containers"][0];
    let stored = json!({"cpu": "100m", "memory": "1Gi", "sub": "1m", "none": "0"});
    assert_eq!(container["resources"], json!({"limits": stored, "requests": stored}));
    assert_eq!(
        (&container["imagePullPolicy"], &container["terminationMessagePolicy"]),
        (&json!("Always"), &json!("File"))
    );
}

#[test]
fn what_is_no_quantity_stays_for_the_server_to_refuse() {
    let found = applied(
        pod(json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "much", "memory": true}}}]})),
        None,
    );
    assert_eq!(found["spec"]["containers"][0]["resources"]["limits"], json!({"cpu": "much", "memory": true}));
}

#[test]
fn string_data_goes_into_data_and_base64_loses_its_line_breaks() {
    let found = applied(
        json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "x", "n": null},
            "data": {"a": "b2xk", "b": "YWJj\nZGVm\n", "c": null, "d": "not base64"}}),
        None,
    );
    assert_eq!(found["data"], json!({"a": "eA==", "b": "YWJjZGVm", "c": "", "d": "not base64", "n": ""}));
    assert_eq!((&found["type"], found.get("stringData")), (&json!("Opaque"), None));
}

#[test]
fn a_service_keeps_what_was_allocated_and_loses_what_its_type_has_not() {
    let live = service(json!({"type": "NodePort", "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "externalTrafficPolicy": "Cluster",
        "ports": [{"name": "a", "port": 80, "nodePort": 30001}, {"name": "b", "port": 81, "nodePort": 30002}]}));
    let renamed = applied(
        service(json!({"type": "NodePort", "ports": [{"name": "a", "port": 85}, {"name": "new", "port": 81}]})),
        Some(&live),
    );
    assert_eq!(renamed["spec"]["clusterIP"], "10.0.0.7");
    assert_eq!(renamed["spec"]["ports"][0]["nodePort"], 30001);
    assert_eq!(server_assigned(&renamed, false), [Pointer::from("/spec/ports/1/nodePort")]);
    let mut plain = live.clone();
    plain["spec"]["type"] = json!("ClusterIP");
    let plain = applied(plain, Some(&live));
    assert!(
        plain["spec"].get("externalTrafficPolicy").is_none() && plain["spec"]["ports"][0].get("nodePort").is_none()
    );
    let mut external = live.clone();
    external["spec"]["type"] = json!("ExternalName");
    let external = applied(external, Some(&live));
    assert!(["clusterIP", "clusterIPs", "ipFamilies"].iter().all(|field| external["spec"].get(field).is_none()));
    assert!(server_assigned(&external, false).is_empty());
}

#[test]
fn what_only_the_server_knows_is_named_and_absent() {
    let new = applied(
        service(json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]})),
        None,
    );
    let paths: Vec<String> = server_assigned(&new, true).iter().map(ToString::to_string).collect();
    let expected = ["clusterIP", "clusterIPs", "ipFamilies", "ports/0/nodePort", "healthCheckNodePort"];
    assert_eq!(paths, expected.map(|field| format!("/spec/{field}")));
    assert!(new["spec"].get("clusterIP").is_none());
}

#[test]
fn custom_resources_get_their_schemas_defaults_where_something_is() {
    let thing = |spec: Value| {
        applied(json!({"apiVersion": "example.com/v1", "kind": "Thing", "spec": spec}), None)["spec"].clone()
    };
    assert_eq!(thing(json!({})), json!({"mode": "auto", "note": "x"}));
    assert_eq!(
        thing(json!({"mode": null, "note": null, "nested": {}})),
        json!({"mode": "auto", "note": null, "nested": {"size": 3}})
    );
    assert_eq!(
        thing(json!({"free": {"a": null, "cpu": "0.1", "n": 2.0}}))["free"],
        json!({"a": null, "cpu": "0.1", "n": 2})
    );
    assert!(applied(json!({"apiVersion": "example.com/v1", "kind": "Thing"}), None).get("spec").is_none());
}

#[test]
fn two_spellings_of_one_stored_value_are_the_same() {
    let schemas = schemas();
    let same = |path: &str, a: Value, b: Value| same_value(&schemas, "v1", "Pod", &Pointer::from(path), &a, &b);
    let cpu = "/spec/containers/2/resources/limits/cpu";
    assert!(same(cpu, json!("0.1"), json!("100m")) && same(cpu, json!(1), json!("1000m")));
    assert!(!same(cpu, json!("0.1"), json!("101m")));
    let field = "/spec/containers/0/env/3/valueFrom/fieldRef";
    assert!(same(field, json!({"fieldPath": "a"}), json!({"fieldPath": "a", "apiVersion": "v1"})));
    assert!(!same(field, json!({"fieldPath": "a"}), json!({"fieldPath": "b", "apiVersion": "v1"})));
    let port = |a, b| same_value(&schemas, "v1", "Service", &Pointer::from("/spec/ports/0/targetPort"), &a, &b);
    assert!(!port(json!(80), json!("80")) && port(json!(80.0), json!(80)));
    let spelled = canonical(
        &schemas,
        "v1",
        "Pod",
        &Pointer::from("/spec/containers/0/resources"),
        &json!({"limits": {"cpu": "1000m"}}),
    );
    assert_eq!(spelled.unwrap()["limits"], json!({"cpu": "1"}));
    assert_eq!(canonical(&schemas, "v1", "Pod", &Pointer::from("/spec/containers/0/args"), &json!([])), None);
    // Of what is not known nothing is said.
    assert!(!same_value(&schemas, "v1", "Nothing", &Pointer::from("/a"), &json!("0.1"), &json!("100m")));
}

proptest! {
    #[test]
    fn no_object_makes_it_panic(a in any_json(), b in any_json(), path in "(/(spec|containers|ports|resources|0|1|a)){0,5}") {
        let schemas = schemas();
        for (api_version, kind) in [("v1", "Pod"), ("v1", "Service"), ("v1", "Secret"), ("example.com/v1", "Thing")] {
            let with_kind = |value: &Value| {
                let mut object = json!({"apiVersion": api_version, "kind": kind, "spec": value, "metadata": value, "data": value, "stringData": value});
                if !object["spec"].is_object() { object["spec"] = json!({}); }
                object["spec"]["ports"] = json!([value, {"port": value, "nodePort": value}]);
                object["spec"]["containers"] = json!([value, {"resources": {"limits": value}, "env": value}]);
                object
            };
            let old = if a.is_object() { with_kind(&b) } else { b.clone() };
            let mut object = if b.is_object() { with_kind(&json!({"a": a})) } else { with_kind(&json!({})) };
            for field in ["metadata", "data", "stringData", "status"] {
                object[field] = a.clone();
            }
            apply(&schemas, &mut object, Some(&old));
            apply(&schemas, &mut object, None);
            let _ = server_assigned(&object, true);
            let _ = canonical(&schemas, api_version, kind, &Pointer::from(path.as_str()), &a);
        }
    }

    #[test]
    fn what_was_stored_is_not_changed_again(limits in prop::collection::btree_map("[a-c]", "[0-9.]{1,5}(m|Ki|Mi|e3|u|)", 0..4)) {
        let once = applied(pod(json!({"containers": [{"name": "a", "resources": {"limits": limits}}]})), None);
        prop_assert_eq!(&applied(once.clone(), Some(&once)), &once);
    }
}
