//! CustomResourceDefinitions: their names are accepted, they are established, and when they go their objects go first.

use super::{MANAGER, Next};
use crate::sandbox::{
    api::Api,
    failure::Failure,
    meta::{self, items},
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::{Value, json};
use std::time::Duration;

const COLLECTION: &str = "customresourcedefinitions.apiextensions.k8s.io";
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

pub(super) fn wants(event: &Event, _: &dyn Fn() -> Value) -> Vec<Key> {
    let is_one = &*event.key.collection == COLLECTION && event.change != Change::Deleted;
    if is_one { vec![event.key.clone()] } else { Vec::new() }
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let resource = api.resource(COLLECTION).ok_or_else(Failure::no_resource)?;
    let Some(record) = api.store.get(key) else { return Ok(None) };
    let definition = record.read();
    if meta::is_terminating(&definition) {
        return clean_up(api, key, &definition);
    }
    write::update_object(api, &resource, key, By::status("kube-apiserver"), |live| Ok(accepted(live)))?;
    write::update_object(api, &resource, key, By::manager("kube-apiserver"), |live| {
        let mut definition = live.clone();
        let mut finalizers = meta::finalizers(&definition);
        if !meta::is_terminating(live) && !finalizers.iter().any(|name| name == CLEANUP) {
            finalizers.push(CLEANUP.into());
            meta::set_finalizers(&mut definition, &finalizers);
        }
        Ok(definition)
    })?;
    Ok(None)
}

/// With its names accepted and its conditions met.
fn accepted(live: &Value) -> Value {
    let mut definition = live.clone();
    let names = definition["spec"]["names"].clone();
    let known: Vec<Value> = items(&definition, "/status/conditions").to_vec();
    let condition = |kind: &str, reason: &str, message: &str| {
        let same =
            known.iter().find(|known| meta::text(known, "/type") == kind && meta::text(known, "/status") == "True");
        same.cloned().unwrap_or_else(|| {
            json!({"type": kind, "status": "True", "lastTransitionTime": meta::now(), "reason": reason, "message": message})
        })
    };
    let conditions = [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ];
    let status = meta::made(&mut definition, "status");
    status.insert("acceptedNames".into(), names);
    status.insert("conditions".into(), conditions.as_slice().into());
    definition
}

fn clean_up(api: &Api, key: &Key, definition: &Value) -> Next {
    let (group, plural) = (meta::text(definition, "/spec/group"), meta::text(definition, "/spec/names/plural"));
    let collection = crate::sandbox::failure::qualified(plural, group);
    if let Some(resource) = api.resource(&collection) {
        let objects = api.all(&collection, None);
        for object in &objects {
            let key = Key::new(&resource.collection, meta::namespace(object), meta::name(object));
            write::delete_object(api, &resource, &key, &Options::default())?;
        }
        if !api.all(&collection, None).is_empty() {
            return Ok(Some(Duration::from_millis(100)));
        }
    }
    let resource = api.resource(COLLECTION).ok_or_else(Failure::no_resource)?;
    write::update_object(api, &resource, key, By::manager(MANAGER), |live| {
        let mut definition = live.clone();
        let mut finalizers = meta::finalizers(&definition);
        finalizers.retain(|name| name != CLEANUP);
        meta::set_finalizers(&mut definition, &finalizers);
        Ok(definition)
    })?;
    Ok(None)
}
