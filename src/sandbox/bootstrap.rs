//! What is there before anybody wrote anything: namespaces, the usual roles and bindings, two nodes, the API's own
//! Service, and what every namespace gets is made by a controller.

use super::{
    api::Api,
    catalog::asset,
    failure::Failure,
    meta,
    write::{self, By},
};
use serde_json::{Value, json};

/// Nodes on which Pods are said to run.
pub(super) const NODES: [&str; 2] = ["node-0", "node-1"];

/// Makes what is missing.
///
/// # Errors
/// What the API refuses.
pub(super) fn run(api: &Api) -> Result<(), Failure> {
    let object = |api_version: &str, kind: &str, metadata: Value, rest: Value| {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
        if let (Some(object), Some(rest)) = (object.as_object_mut(), rest.as_object()) {
            object.extend(rest.clone());
        }
        object
    };
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        ensure(api, object("v1", "Namespace", json!({"name": name}), json!({})))?;
    }
    let shipped = asset(include_bytes!("../../assets/sandbox/bootstrap.json.zst"));
    let shipped: Vec<Value> = serde_json::from_slice(&shipped).map_err(Failure::broken)?;
    for object in shipped {
        ensure(api, object)?;
    }
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    ensure(
        api,
        object(
            "v1",
            "Service",
            json!({"name": "kubernetes", "namespace": "default", "labels": labels}),
            json!({
        "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]}}),
        ),
    )?;
    for name in NODES {
        let size = json!({"cpu": "1000", "memory": "1Ti", "pods": "100000"});
        let labels = json!({"kubernetes.io/hostname": name});
        ensure(api, object("v1", "Node", json!({"name": name, "labels": labels}), json!({})))?;
        let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready",
            "lastHeartbeatTime": meta::now(), "lastTransitionTime": meta::now()});
        let status = json!({"allocatable": size, "capacity": size, "phase": "Running", "conditions": [ready]});
        let resource = api.resource("nodes").ok_or_else(Failure::no_resource)?;
        let key = super::store::Key::new(&resource.collection, "", name);
        write::update_object(api, &resource, &key, By::status("kwok"), |live| {
            let mut node = live.clone();
            if node.pointer("/status/conditions").is_none() {
                node["status"] = status.clone();
            }
            Ok(node)
        })?;
    }
    Ok(())
}

/// Creates an object that is not there.
fn ensure(api: &Api, object: Value) -> Result<(), Failure> {
    let (api_version, kind) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
    let catalog = api.catalog();
    let resource = catalog.of_kind(api_version, kind).ok_or_else(Failure::no_resource)?;
    let namespace = meta::namespace(&object).to_owned();
    let key = super::store::Key::new(&resource.collection, &namespace, meta::name(&object));
    if api.store.get(&key).is_some() {
        return Ok(());
    }
    write::create_object(api, resource, &namespace, object, By::manager("kube-apiserver")).map(drop)
}
