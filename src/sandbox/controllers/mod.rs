//! What a cluster does by itself: small controllers, each a function that looks at one object and takes the next step.
//!
//! One task reads the store's changes, asks each controller which objects it should look at because of them, and calls
//! it. A controller says when it wants to look again. They write as any client does, under the names that the real ones
//! have, so that owners of fields and events read as in a real cluster.

mod definitions;
mod deployments;
mod endpoints;
mod events;
mod garbage;
mod jobs;
mod kubelet;
mod namespaces;
mod ordered;
mod replica_sets;

use super::{
    api::Api,
    failure::Failure,
    meta,
    store::{Change, Event, Key, read},
};
use garbage::Owners;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The field manager of the controllers.
const MANAGER: &str = "kube-controller-manager";
/// A step that the API refused is tried again after so long.
const AGAIN: Duration = Duration::from_millis(200);
/// So many steps are taken before others may run.
const BATCH: usize = 64;

/// When to look again; none: when something changes.
type Next = Result<Option<Duration>, Failure>;

/// A controller.
struct Controller {
    /// Which objects it looks at because of a change.
    wants: fn(&Event, &dyn Fn() -> Value) -> Vec<Key>,
    /// Takes the next step for one of them.
    look: fn(&Api, &Key) -> Next,
}

const ALL: &[Controller] = &[
    Controller { wants: definitions::wants, look: definitions::look },
    Controller { wants: namespaces::wants, look: namespaces::look },
    Controller { wants: deployments::wants, look: deployments::look },
    Controller { wants: replica_sets::wants, look: replica_sets::look },
    Controller { wants: ordered::wants, look: ordered::look },
    Controller { wants: jobs::wants, look: jobs::look },
    Controller { wants: kubelet::wants, look: kubelet::look },
    Controller { wants: endpoints::wants, look: endpoints::look },
];

/// Runs until the API is stopped.
pub(super) async fn run(api: Arc<Api>) {
    let (mut durable, mut stopped) = (api.store.durable(), api.stopped.clone());
    let mut queue = Queue::default();
    let mut owners = Owners::default();
    let mut seen = start(&api, &mut queue, &mut owners);
    loop {
        durable.borrow_and_update();
        match api.store.events(seen, |_| true) {
            Ok((events, until)) => {
                seen = until;
                for event in &events {
                    take(event, &mut queue, &mut owners);
                }
            }
            // More changed than is remembered: everything is looked at.
            Err(_) => seen = start(&api, &mut queue, &mut owners),
        }
        owners.collect(&api);
        let next = step(&api, &mut queue);
        let due = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return,
            changed = durable.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(due) => {}
        }
    }
}

/// What is to be looked at, and when.
#[derive(Default)]
struct Queue {
    due: BTreeMap<(usize, Key), Instant>,
}

impl Queue {
    fn add(&mut self, controller: usize, key: Key, at: Instant) {
        let known = self.due.entry((controller, key)).or_insert(at);
        *known = (*known).min(at);
    }
}

/// Takes some of the steps that are due; returns when the next one is.
fn step(api: &Api, queue: &mut Queue) -> Option<Instant> {
    let now = Instant::now();
    let due: Vec<(usize, Key)> =
        queue.due.iter().filter(|(_, at)| **at <= now).map(|(work, _)| work.clone()).take(BATCH).collect();
    for (controller, key) in due {
        queue.due.remove(&(controller, key.clone()));
        match (ALL[controller].look)(api, &key) {
            Ok(None) => {}
            Ok(Some(after)) => queue.add(controller, key, Instant::now() + after),
            // The object went, or its namespace goes.
            Err(failure) if matches!(failure.code, 403 | 404) => {}
            Err(failure) => {
                tracing::debug!(code = failure.code, "a controller's step is tried again");
                queue.add(controller, key, Instant::now() + AGAIN);
            }
        }
    }
    queue.due.values().min().copied()
}

/// Begins with everything that is there.
fn start(api: &Api, queue: &mut Queue, owners: &mut Owners) -> u64 {
    let (records, revision) = api.store.all();
    *owners = Owners::default();
    for (key, record) in records {
        let event = Event { revision: record.revision, change: Change::Added, key, body: record.body, before: None };
        take(&event, queue, owners);
    }
    revision
}

fn take(event: &Event, queue: &mut Queue, owners: &mut Owners) {
    let parsed = std::cell::OnceCell::new();
    let object = || parsed.get_or_init(|| read(&event.body)).clone();
    owners.take(event, &object);
    let now = Instant::now();
    for (index, controller) in ALL.iter().enumerate() {
        for key in (controller.wants)(event, &object) {
            queue.add(index, key, now);
        }
    }
}

/// The key of the controller of an object, if it is of a kind.
fn controller_key(object: &Value, kind: &str, collection: &str) -> Option<Key> {
    let owner = meta::controller(object).filter(|owner| meta::text(owner, "/kind") == kind)?;
    Some(Key::new(&Arc::from(collection), meta::namespace(object), meta::text(owner, "/name")))
}

/// Objects of a collection and namespace that an object controls.
fn controlled(api: &Api, collection: &str, owner: &Value) -> Vec<Value> {
    let uid = meta::uid(owner);
    let mut found = api.all(collection, Some(meta::namespace(owner)));
    found.retain(|object| meta::controller(object).is_some_and(|owner| meta::text(owner, "/uid") == uid));
    found
}

/// A reference to the object that controls another.
fn reference(api_version: &str, kind: &str, owner: &Value) -> Value {
    serde_json::json!({"apiVersion": api_version, "kind": kind, "name": meta::name(owner), "uid": meta::uid(owner),
        "controller": true, "blockOwnerDeletion": true})
}
