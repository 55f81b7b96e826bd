//! Garbage collection: what is owned goes after its owners, before them (`foregroundDeletion`), or is let free (`orphan`).
//!
//! An index of owners by uid is kept from the store's changes: without it, every deletion would read every object.

use super::MANAGER;
use crate::sandbox::{
    api::Api,
    failure::Failure,
    meta::{self, items, text},
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who owns whom.
#[derive(Default)]
pub(super) struct Owners {
    /// Objects by the uids of their owners.
    dependents: BTreeMap<String, BTreeSet<Key>>,
    /// Objects whose owners are to be looked at.
    doubtful: BTreeSet<Key>,
    /// Owners that wait for their dependents.
    waiting: BTreeSet<Key>,
}

fn mentions(body: &[u8], word: &str) -> bool {
    std::str::from_utf8(body).is_ok_and(|body| body.contains(word))
}

impl Owners {
    /// Takes up a change.
    pub fn take(&mut self, event: &Event, object: &dyn Fn() -> Value) {
        if mentions(&event.body, "ownerReferences") {
            for owner in items(&object(), "/metadata/ownerReferences") {
                let dependents = self.dependents.entry(text(owner, "/uid").to_owned()).or_default();
                match event.change {
                    Change::Deleted => drop(dependents.remove(&event.key)),
                    _ => drop(dependents.insert(event.key.clone())),
                }
            }
            if event.change == Change::Added {
                self.doubtful.insert(event.key.clone());
            }
        }
        if mentions(&event.body, "\"deletionTimestamp\"") && event.change != Change::Deleted {
            self.waiting.insert(event.key.clone());
        }
        if event.change == Change::Deleted {
            self.waiting.remove(&event.key);
            let uid = meta::uid(&object()).to_owned();
            self.doubtful.extend(self.dependents.remove(&uid).unwrap_or_default());
        }
    }

    /// Takes the steps that the changes ask for.
    pub fn collect(&mut self, api: &Api) {
        for key in std::mem::take(&mut self.doubtful) {
            if let Err(failure) = check(api, &key)
                && !matches!(failure.code, 404)
            {
                self.doubtful.insert(key);
            }
        }
        let waiting: Vec<Key> = self.waiting.iter().cloned().collect();
        for key in waiting {
            if !self.wait(api, &key).unwrap_or(true) {
                self.waiting.remove(&key);
            }
        }
    }

    /// Whether the owner still waits.
    fn wait(&self, api: &Api, key: &Key) -> Result<bool, Failure> {
        let Some(record) = api.store.get(key) else { return Ok(false) };
        let owner = record.read();
        let finalizers = meta::finalizers(&owner);
        let has = |name: &str| finalizers.iter().any(|known| known == name);
        let uid = meta::uid(&owner).to_owned();
        let dependents = self.dependents.get(&uid).cloned().unwrap_or_default();
        if has("orphan") {
            for dependent in &dependents {
                release(api, dependent, &uid)?;
            }
            without_finalizer(api, key, "orphan")?;
            return Ok(false);
        }
        if !has("foregroundDeletion") {
            return Ok(false);
        }
        let mut left = false;
        for dependent in &dependents {
            let Some(record) = api.store.get(dependent) else { continue };
            let object = record.read();
            let blocks = items(&object, "/metadata/ownerReferences")
                .iter()
                .any(|owner| text(owner, "/uid") == uid && owner["blockOwnerDeletion"] == true);
            left |= blocks;
            if !meta::is_terminating(&object) {
                let foreground = Options { propagation: "Foreground".into(), ..Options::default() };
                delete(api, dependent, &if blocks { foreground } else { Options::default() })?;
            }
        }
        if left {
            return Ok(true);
        }
        without_finalizer(api, key, "foregroundDeletion")?;
        Ok(false)
    }
}

/// Deletes an object of which no owner is left.
fn check(api: &Api, key: &Key) -> Result<(), Failure> {
    let Some(record) = api.store.get(key) else { return Ok(()) };
    let object = record.read();
    let owners = items(&object, "/metadata/ownerReferences");
    if owners.is_empty() || owners.iter().any(|owner| is_there(api, &object, owner)) {
        return Ok(());
    }
    let uid = Some(meta::uid(&object).to_owned());
    delete(api, key, &Options { uid, propagation: "Background".into(), ..Options::default() })
}

/// Whether an owner is there; of kinds that are not served nobody knows, and their objects stay.
fn is_there(api: &Api, object: &Value, owner: &Value) -> bool {
    let catalog = api.catalog();
    let Some(resource) = catalog.of_kind(text(owner, "/apiVersion"), text(owner, "/kind")) else { return true };
    let namespace = if resource.namespaced { meta::namespace(object) } else { "" };
    let found = api.object(&resource.collection, namespace, text(owner, "/name"));
    found.is_some_and(|found| meta::uid(&found) == text(owner, "/uid"))
}

fn delete(api: &Api, key: &Key, options: &Options) -> Result<(), Failure> {
    let Some(resource) = api.resource(&key.collection) else { return Ok(()) };
    match write::delete_object(api, &resource, key, options) {
        Err(failure) if failure.code != 404 => Err(failure),
        _ => Ok(()),
    }
}

fn without_finalizer(api: &Api, key: &Key, name: &str) -> Result<(), Failure> {
    let Some(resource) = api.resource(&key.collection) else { return Ok(()) };
    let changed = write::update_object(api, &resource, key, By::manager(MANAGER), |live| {
        let mut object = live.clone();
        let mut finalizers = meta::finalizers(&object);
        finalizers.retain(|known| known != name);
        meta::set_finalizers(&mut object, &finalizers);
        Ok(object)
    });
    match changed {
        Err(failure) if failure.code != 404 => Err(failure),
        _ => Ok(()),
    }
}

/// Takes an owner out of an object.
fn release(api: &Api, key: &Key, uid: &str) -> Result<(), Failure> {
    let Some(resource) = api.resource(&key.collection) else { return Ok(()) };
    let changed = write::update_object(api, &resource, key, By::manager(MANAGER), |live| {
        let mut object = live.clone();
        let owners = items(live, "/metadata/ownerReferences").iter().filter(|owner| text(owner, "/uid") != uid);
        let owners: Vec<Value> = owners.cloned().collect();
        meta::set(meta::metadata(&mut object), "ownerReferences", (!owners.is_empty()).then(|| owners.into()));
        Ok(object)
    });
    match changed {
        Err(failure) if failure.code != 404 => Err(failure),
        _ => Ok(()),
    }
}
