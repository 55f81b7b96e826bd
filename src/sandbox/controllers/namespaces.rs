//! Namespaces: every one has its `default` account and the cluster's certificate; one that goes is emptied first.

use super::{MANAGER, Next};
use crate::sandbox::{
    api::Api,
    failure::Failure,
    meta,
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const CERTIFICATE: &str = "kube-root-ca.crt";

pub(super) fn wants(event: &Event, _: &dyn Fn() -> Value) -> Vec<Key> {
    let namespaces = || Arc::from("namespaces");
    match (&*event.key.collection, event.change) {
        ("namespaces", Change::Added | Change::Modified) => vec![event.key.clone()],
        ("serviceaccounts", Change::Deleted) if &*event.key.name == "default" => {
            vec![Key::new(&namespaces(), "", &event.key.namespace)]
        }
        ("configmaps", Change::Deleted | Change::Modified) if &*event.key.name == CERTIFICATE => {
            vec![Key::new(&namespaces(), "", &event.key.namespace)]
        }
        _ => Vec::new(),
    }
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let Some(record) = api.store.get(key) else { return Ok(None) };
    let namespace = record.read();
    if meta::is_terminating(&namespace) {
        return empty(api, key);
    }
    ensure(api, &key.name, json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}))?;
    let about = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
    ensure(
        api,
        &key.name,
        json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": CERTIFICATE, "annotations": {"kubernetes.io/description": about}},
        "data": {"ca.crt": api.authority}}),
    )?;
    Ok(None)
}

fn ensure(api: &Api, namespace: &str, object: Value) -> Result<(), Failure> {
    let catalog = api.catalog();
    let resource = catalog.of_kind("v1", meta::text(&object, "/kind")).ok_or_else(Failure::no_resource)?;
    match write::create_object(api, resource, namespace, object, By::manager(MANAGER)) {
        Err(failure) if failure.reason != "AlreadyExists" => Err(failure),
        _ => Ok(()),
    }
}

/// Deletes what is in it; when nothing is left, lets it go.
fn empty(api: &Api, key: &Key) -> Next {
    let mut left = false;
    let catalog = api.catalog();
    for resource in catalog.preferred().filter(|resource| resource.namespaced) {
        let stored = api.resource(&resource.collection).ok_or_else(Failure::no_resource)?;
        for object in api.all(&resource.collection, Some(&key.name)) {
            let inner = Key::new(&resource.collection, &key.name, meta::name(&object));
            match write::delete_object(api, &stored, &inner, &Options::default()) {
                Ok((_, gone)) => left |= !gone,
                Err(failure) if failure.code == 404 => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    if left {
        return Ok(Some(Duration::from_millis(100)));
    }
    let resource = api.resource("namespaces").ok_or_else(Failure::no_resource)?;
    let by = By { manager: MANAGER, subresource: "finalize", dry_run: false };
    write::update_object(api, &resource, key, by, |live| {
        let mut namespace = live.clone();
        meta::set(meta::made(&mut namespace, "spec"), "finalizers", None);
        Ok(namespace)
    })?;
    Ok(None)
}
