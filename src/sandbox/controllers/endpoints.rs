//! Endpoints and EndpointSlices: where the Pods that a Service selects are reached.

use super::{MANAGER, Next, controlled, reference, replica_sets::is_ready};
use crate::sandbox::{
    api::Api,
    failure::Failure,
    meta::{self, items, number, text},
    selector,
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::{Value, json};
use std::sync::Arc;

const SLICES: &str = "endpointslices.discovery.k8s.io";

pub(super) fn wants(event: &Event, _: &dyn Fn() -> Value) -> Vec<Key> {
    match (&*event.key.collection, event.change) {
        ("services", Change::Added | Change::Modified | Change::Deleted) => vec![event.key.clone()],
        // Which Services select it is known only by looking: the namespace's own key stands for all of them.
        ("pods", _) => vec![Key::new(&Arc::from("services"), &event.key.namespace, "")],
        _ => Vec::new(),
    }
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    if key.name.is_empty() {
        for service in api.all("services", Some(&key.namespace)) {
            look(api, &Key::new(&key.collection, &key.namespace, meta::name(&service)))?;
        }
        return Ok(None);
    }
    let Some(service) = api.store.get(key).map(|record| record.read()) else { return gone(api, key) };
    let Some(selected) = service.pointer("/spec/selector").filter(|selector| selector.is_object()) else {
        return Ok(None);
    };
    if meta::is_terminating(&service) || text(&service, "/spec/type") == "ExternalName" {
        return Ok(None);
    }
    let selector = selector::of_spec(&json!({"matchLabels": selected}));
    let mut pods = api.all("pods", Some(&key.namespace));
    pods.retain(|pod| selector.matches(pod) && !text(pod, "/status/podIP").is_empty() && !meta::is_terminating(pod));
    pods.retain(|pod| !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed"));
    pods.sort_by_key(|pod| text(pod, "/status/podIP").to_owned());
    write_slice(api, &service, &pods)?;
    write_endpoints(api, key, &service, &pods)?;
    Ok(None)
}

/// A Service that is gone takes its Endpoints along; its slices have it as their owner.
fn gone(api: &Api, key: &Key) -> Next {
    let resource = api.resource("endpoints").ok_or_else(Failure::no_resource)?;
    let endpoints = Key::new(&resource.collection, &key.namespace, &key.name);
    match write::delete_object(api, &resource, &endpoints, &Options::default()) {
        Err(failure) if failure.code != 404 => Err(failure),
        _ => Ok(None),
    }
}

fn reached(pod: &Value) -> Value {
    json!({"kind": "Pod", "name": meta::name(pod), "namespace": meta::namespace(pod), "uid": meta::uid(pod)})
}

/// The port of a Pod that a Service's port leads to.
fn target(port: &Value, pods: &[Value]) -> i64 {
    match port.get("targetPort") {
        Some(Value::String(name)) => {
            let containers = pods.iter().flat_map(|pod| items(pod, "/spec/containers"));
            let mut ports = containers.flat_map(|container| items(container, "/ports"));
            ports.find(|port| text(port, "/name") == name).map_or(0, |port| number(port, "/containerPort"))
        }
        Some(target) => target.as_i64().unwrap_or_default(),
        None => number(port, "/port"),
    }
}

fn labels(service: &Value, more: &[(&str, &str)]) -> Value {
    let mut labels = service.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    for (name, value) in more {
        labels[*name] = (*value).into();
    }
    labels
}

fn write_slice(api: &Api, service: &Value, pods: &[Value]) -> Result<(), Failure> {
    let resource = api.resource(SLICES).ok_or_else(Failure::no_resource)?;
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| {
            let conditions = json!({"ready": is_ready(pod), "serving": is_ready(pod), "terminating": false});
            json!({"addresses": [pod["status"]["podIP"]], "conditions": conditions,
                "nodeName": pod["spec"]["nodeName"], "targetRef": reached(pod)})
        })
        .collect();
    let ports: Vec<Value> = items(service, "/spec/ports")
        .iter()
        .map(|port| json!({"name": text(port, "/name"), "port": target(port, pods), "protocol": port["protocol"]}))
        .collect();
    let known = controlled(api, SLICES, service).into_iter().next();
    let namespace = meta::namespace(service);
    let Some(known) = known else {
        let labels = labels(
            service,
            &[
                ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"),
                ("kubernetes.io/service-name", meta::name(service)),
            ],
        );
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"generateName": format!("{}-", meta::name(service)), "labels": labels,
                "ownerReferences": [reference("v1", "Service", service)]},
            "endpoints": endpoints, "ports": ports});
        return write::create_object(api, &resource, namespace, slice, By::manager(MANAGER)).map(drop);
    };
    let key = Key::new(&resource.collection, namespace, meta::name(&known));
    write::update_object(api, &resource, &key, By::manager(MANAGER), |live| {
        let mut slice = live.clone();
        slice["endpoints"] = endpoints.clone().into();
        slice["ports"] = ports.clone().into();
        Ok(slice)
    })
    .map(drop)
}

fn write_endpoints(api: &Api, key: &Key, service: &Value, pods: &[Value]) -> Result<(), Failure> {
    let resource = api.resource("endpoints").ok_or_else(Failure::no_resource)?;
    let address = |pod: &Value| json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reached(pod)});
    let of = |ready: bool| pods.iter().filter(|pod| is_ready(pod) == ready).map(address).collect::<Vec<_>>();
    let ports: Vec<Value> = items(service, "/spec/ports")
        .iter()
        .map(|port| {
            let mut made = json!({"port": target(port, pods), "protocol": port["protocol"]});
            if !text(port, "/name").is_empty() {
                made["name"] = port["name"].clone();
            }
            made
        })
        .collect();
    let mut subset = json!({"ports": ports});
    for (name, addresses) in [("addresses", of(true)), ("notReadyAddresses", of(false))] {
        if !addresses.is_empty() {
            subset[name] = addresses.into();
        }
    }
    let subsets = if pods.is_empty() { Value::Null } else { json!([subset]) };
    let key = Key::new(&resource.collection, &key.namespace, &key.name);
    if api.store.get(&key).is_none() {
        let labels = labels(service, &[("endpoints.kubernetes.io/managed-by", "endpoint-controller")]);
        let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints", "subsets": subsets,
            "metadata": {"name": meta::name(service), "labels": labels}});
        return write::create_object(api, &resource, meta::namespace(service), endpoints, By::manager(MANAGER))
            .map(drop);
    }
    write::update_object(api, &resource, &key, By::manager(MANAGER), |live| {
        let mut endpoints = live.clone();
        endpoints["subsets"] = subsets.clone();
        Ok(endpoints)
    })
    .map(drop)
}
