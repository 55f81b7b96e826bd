//! What the watches of one session know. Reading it never waits for the network.

use super::{
    ClusterError, Known, LiveChange, LiveObject, Scope,
    client::Lane,
    request::Transport,
    watch::{self, Watched},
};
use crate::object::ObjectId;
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast},
    task::AbortHandle,
};

/// Changes that a slow subscriber may be behind before it has to look at everything again.
const BACKLOG: usize = 4096;

/// The watches of one session: one for each scope in use, kept alive with backoff, relisted after 410.
#[derive(Clone)]
pub struct LiveCache {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Arc<Transport>,
    runtime: Handle,
    scopes: Mutex<Scopes>,
    changes: broadcast::Sender<LiveChange>,
}

#[derive(Default)]
struct Scopes {
    wanted: HashMap<String, BTreeSet<Scope>>,
    watches: HashMap<Scope, Watch>,
    started: usize,
}

struct Watch {
    state: Arc<RwLock<ScopeState>>,
    retry: Arc<Notify>,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What one watch knows.
#[derive(Debug, Default)]
pub(super) struct ScopeState {
    /// The objects; none: never listed.
    pub objects: Option<HashMap<ObjectId, Arc<LiveObject>>>,
    /// Why the scope cannot be read.
    pub failed: Option<Arc<ClusterError>>,
    /// Since when, and why, the objects may be out of date.
    pub stale: Option<(Instant, String)>,
    /// When the server last said anything.
    pub heard: Option<Instant>,
}

impl LiveCache {
    /// Makes a cache without watches. Must be called within the runtime that will run them.
    pub(super) fn new(transport: Arc<Transport>) -> Self {
        let inner = Inner {
            transport,
            runtime: Handle::current(),
            scopes: Mutex::default(),
            changes: broadcast::channel(BACKLOG).0,
        };
        Self { inner: Arc::new(inner) }
    }
    /// Replaces the scopes that `user` (an application's name) needs; a scope nobody needs is dropped. A failed one that is new
    /// to this user is tried again soon.
    pub fn want(&self, user: &str, scopes: BTreeSet<Scope>) {
        let mut all = self.scopes();
        let had = all.wanted.remove(user).unwrap_or_default();
        for scope in &scopes {
            match all.watches.get(scope) {
                Some(watch) if !had.contains(scope) => watch.retry.notify_one(),
                Some(_) => {}
                None => {
                    let watch = self.start(scope, Lane::of_watch(all.started));
                    all.started += 1;
                    all.watches.insert(scope.clone(), watch);
                }
            }
        }
        if !scopes.is_empty() {
            all.wanted.insert(user.to_owned(), scopes);
        }
        let Scopes { wanted, watches, .. } = &mut *all;
        watches.retain(|scope, _| wanted.values().any(|scopes| scopes.contains(scope)));
    }
    /// Returns what is known about one object.
    pub fn object(&self, scope: &Scope, id: &ObjectId) -> Known<Option<Arc<LiveObject>>> {
        self.known(scope, |objects| objects.get(id).cloned())
    }
    /// Returns all objects of a scope with a label of this value.
    pub fn labelled(&self, scope: &Scope, label: &str, value: &str) -> Known<Vec<(ObjectId, Arc<LiveObject>)>> {
        self.known(scope, |objects| {
            let has = |object: &LiveObject| {
                let labels = object.body.pointer("/metadata/labels");
                labels.and_then(|labels| labels.get(label)).and_then(Value::as_str) == Some(value)
            };
            let mut found: Vec<_> = objects
                .iter()
                .filter(|(_, object)| has(object))
                .map(|(id, object)| (id.clone(), Arc::clone(object)))
                .collect();
            found.sort_by(|(a, _), (b, _)| a.cmp(b));
            found
        })
    }
    /// Returns how long ago the most silent of these scopes last heard from the server; none where one never did.
    pub fn age(&self, scopes: &BTreeSet<Scope>) -> Option<Duration> {
        let all = self.scopes();
        let heard: Option<Vec<Instant>> =
            scopes.iter().map(|scope| read(&all.watches.get(scope)?.state).heard).collect();
        heard?.into_iter().min().map(|oldest| oldest.elapsed())
    }
    /// Subscribes to changes; a receiver that lags must look at everything again.
    pub fn changes(&self) -> broadcast::Receiver<LiveChange> {
        self.inner.changes.subscribe()
    }

    fn start(&self, scope: &Scope, lane: Lane) -> Watch {
        let (state, retry) = (Arc::new(RwLock::default()), Arc::new(Notify::new()));
        let watched = Watched {
            transport: Arc::clone(&self.inner.transport),
            scope: scope.clone(),
            lane,
            state: Arc::clone(&state),
            retry: Arc::clone(&retry),
            changes: self.inner.changes.clone(),
        };
        let task = self.inner.runtime.spawn(watch::run(watched)).abort_handle();
        Watch { state, retry, task }
    }
    fn known<T>(&self, scope: &Scope, look: impl FnOnce(&HashMap<ObjectId, Arc<LiveObject>>) -> T) -> Known<T> {
        let all = self.scopes();
        let Some(watch) = all.watches.get(scope) else { return Known::Pending };
        let state = Arc::clone(&watch.state);
        drop(all);
        let state = read(&state);
        match (&state.failed, &state.objects) {
            (Some(error), _) => Known::Failed(Arc::clone(error)),
            (None, Some(objects)) => Known::Known { value: look(objects), stale: state.stale.clone() },
            (None, None) => Known::Pending,
        }
    }
    fn scopes(&self) -> MutexGuard<'_, Scopes> {
        // Nothing under this lock panics half-way through a change.
        self.inner.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(state: &RwLock<ScopeState>) -> RwLockReadGuard<'_, ScopeState> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}
