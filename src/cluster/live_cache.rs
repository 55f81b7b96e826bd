//! What the watches of one session know. Reading it never waits for the network.

use super::{
    CachedObject, ClusterError, Known, Resource, Scope,
    client::Lane,
    request::Transport,
    watch::{self, Watched},
};
use crate::object::{ObjectId, ObjectIds};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, futures::Notified},
    task::AbortHandle,
};

/// The watches of one session: one for each scope in use, kept alive with backoff, relisted after 410.
#[derive(Clone)]
pub struct LiveCache {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Arc<Transport>,
    runtime: Handle,
    scopes: Mutex<Scopes>,
}

#[derive(Default)]
struct Scopes {
    wanted: HashMap<u64, BTreeSet<Scope>>,
    watches: HashMap<Scope, Watch>,
    started: usize,
    followers: u64,
}

struct Watch {
    state: Arc<RwLock<ScopeState>>,
    audience: Arc<Audience>,
    retry: Arc<Notify>,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The objects of one scope, by name; by namespace and name where the scope has every namespace.
pub(super) type Objects = HashMap<Arc<str>, Arc<CachedObject>>;

/// What one watch knows.
#[derive(Debug, Default)]
pub(super) struct ScopeState {
    /// The objects; none: never listed. A snapshot shares them: they are copied before a change only while somebody holds one.
    pub objects: Option<Arc<Objects>>,
    /// Why the scope cannot be read.
    pub failed: Option<Arc<ClusterError>>,
    /// Since when, and why, the objects may be out of date.
    pub stale: Option<(Instant, String)>,
    /// When the server last said anything.
    pub heard: Option<Instant>,
}

/// The objects of one scope at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshot {
    scope: Scope,
    objects: Arc<Objects>,
}

impl Snapshot {
    /// Returns an object.
    pub fn get(&self, id: &ObjectId) -> Option<&Arc<CachedObject>> {
        self.objects.get(key(&self.scope, id).as_ref())
    }
    /// Returns the objects whose `applyset.kubernetes.io/part-of` label has this value and that are looked for, by identity.
    pub fn members(
        &self,
        part_of: &str,
        looked_for: impl Fn(&Arc<CachedObject>) -> bool,
    ) -> Vec<(ObjectId, Arc<CachedObject>)> {
        let members = self.objects.iter().filter(|(_, object)| object.part_of() == Some(part_of) && looked_for(object));
        let mut members: Vec<_> = members.map(|(key, object)| (self.id(key), Arc::clone(object))).collect();
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        members
    }
    /// Counts the objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }
    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
    fn id(&self, key: &str) -> ObjectId {
        let Scope { resource, namespace } = &self.scope;
        let (namespace, name) = match key.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (namespace.as_deref(), key),
        };
        ObjectId {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }
}

/// Under what an object stands in its scope. No name and no namespace holds a `/`.
pub(super) fn key<'a>(scope: &Scope, id: &'a ObjectId) -> Cow<'a, str> {
    match (&scope.namespace, &id.namespace) {
        (None, Some(namespace)) => format!("{namespace}/{}", id.name).into(),
        _ => id.name.as_str().into(),
    }
}

/// What somebody needs to know of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// What is watched.
    pub scopes: BTreeSet<Scope>,
    /// The objects whose moves are told; none: all of these scopes.
    pub objects: Option<Arc<ObjectIds>>,
    /// Moves of objects with this value of the `applyset.kubernetes.io/part-of` label are told too.
    pub part_of: Option<String>,
}

/// What has moved since it was last asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveChanges {
    /// A whole scope was listed anew, failed, went stale, or recovered.
    pub scopes: bool,
    /// The objects of interest that moved.
    pub objects: BTreeSet<ObjectId>,
}

impl LiveChanges {
    fn is_empty(&self) -> bool {
        !self.scopes && self.objects.is_empty()
    }
}

#[derive(Default)]
struct Mailbox {
    changes: Mutex<LiveChanges>,
    wake: Notify,
}

impl Mailbox {
    fn put(&self, change: impl FnOnce(&mut LiveChanges)) {
        change(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }
    fn take(&self) -> LiveChanges {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who hears of the changes of one scope.
#[derive(Default)]
pub(super) struct Audience(RwLock<HashMap<u64, Listener>>);

struct Listener {
    objects: Option<Arc<ObjectIds>>,
    part_of: Option<String>,
    mailbox: Arc<Mailbox>,
}

impl Audience {
    /// Tells everybody that the whole scope moved.
    pub fn scope_moved(&self) {
        for listener in read(&self.0).values() {
            listener.mailbox.put(|changes| changes.scopes = true);
        }
    }
    /// Tells those whose object it is that it moved; `members` are the inventories that it belonged to before and belongs to now.
    pub fn object_moved(&self, id: &ObjectId, members: [Option<&str>; 2]) {
        for listener in read(&self.0).values() {
            let theirs = |part_of: &String| members.contains(&Some(part_of.as_str()));
            if listener.objects.as_ref().is_none_or(|ids| ids.contains(id))
                || listener.part_of.as_ref().is_some_and(theirs)
            {
                listener.mailbox.put(|changes| {
                    changes.objects.insert(id.clone());
                });
            }
        }
    }
}

/// Somebody's place in a cache: what it wants is watched until this is dropped.
pub struct Follower {
    cache: LiveCache,
    number: u64,
    mailbox: Arc<Mailbox>,
}

impl Follower {
    /// Replaces what is wanted. A scope that nobody wants any more is dropped; a failed one that is new to this follower is
    /// tried again soon.
    pub fn want(&self, interest: Interest) {
        self.cache.want(self.number, interest, &self.mailbox);
    }
    /// Waits until something of interest has moved, and returns what.
    pub async fn moved(&self) -> LiveChanges {
        loop {
            let woken: Notified<'_> = self.mailbox.wake.notified();
            let changes = self.mailbox.take();
            if !changes.is_empty() {
                return changes;
            }
            woken.await;
        }
    }
    /// Returns what has moved so far, and forgets it.
    pub fn take(&self) -> LiveChanges {
        self.mailbox.take()
    }
    /// Says whether it follows this cache.
    pub fn follows(&self, cache: &LiveCache) -> bool {
        Arc::ptr_eq(&self.cache.inner, &cache.inner)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.cache.want(self.number, Interest::default(), &self.mailbox);
    }
}

impl LiveCache {
    /// Makes a cache without watches. Must be called within the runtime that will run them.
    pub(super) fn new(transport: Arc<Transport>) -> Self {
        Self { inner: Arc::new(Inner { transport, runtime: Handle::current(), scopes: Mutex::default() }) }
    }
    /// Makes a place for somebody who wants nothing yet.
    pub fn follow(&self) -> Follower {
        let mut all = self.scopes();
        all.followers += 1;
        Follower { cache: self.clone(), number: all.followers, mailbox: Arc::default() }
    }
    /// Returns the objects of a scope as they are now; they do not change under the reader.
    pub fn snapshot(&self, scope: &Scope) -> Known<Snapshot> {
        let all = self.scopes();
        let Some(watch) = all.watches.get(scope) else { return Known::Pending };
        let state = Arc::clone(&watch.state);
        drop(all);
        let state = read(&state);
        match (&state.failed, &state.objects) {
            (Some(error), _) => Known::Failed(Arc::clone(error)),
            (None, Some(objects)) => Known::Known {
                value: Snapshot { scope: scope.clone(), objects: Arc::clone(objects) },
                stale: state.stale.clone(),
            },
            (None, None) => Known::Pending,
        }
    }
    /// Returns what is known about one object.
    pub fn object(&self, scope: &Scope, id: &ObjectId) -> Known<Option<Arc<CachedObject>>> {
        match self.snapshot(scope) {
            Known::Known { value, stale } => Known::Known { value: value.get(id).cloned(), stale },
            Known::Failed(error) => Known::Failed(error),
            Known::Pending => Known::Pending,
        }
    }
    /// Returns how long ago the most silent of these scopes last heard from the server; none where one never did.
    pub fn age(&self, scopes: &BTreeSet<Scope>) -> Option<Duration> {
        let all = self.scopes();
        let heard: Option<Vec<Instant>> =
            scopes.iter().map(|scope| read(&all.watches.get(scope)?.state).heard).collect();
        heard?.into_iter().min().map(|oldest| oldest.elapsed())
    }

    /// Returns the namespaces in which a kind is watched; none: in all of them.
    pub fn namespaces(&self, resource: &Resource) -> Option<BTreeSet<String>> {
        let all = self.scopes();
        all.watches.keys().filter(|scope| scope.resource == *resource).map(|scope| scope.namespace.clone()).collect()
    }

    /// Has every watch that is broken tried again soon: the server is there again.
    pub fn retry(&self) {
        for watch in self.scopes().watches.values() {
            watch.retry.notify_one();
        }
    }

    fn want(&self, follower: u64, interest: Interest, mailbox: &Arc<Mailbox>) {
        let Interest { scopes, objects, part_of } = interest;
        let mut all = self.scopes();
        let had = all.wanted.remove(&follower).unwrap_or_default();
        for scope in &scopes {
            let watch = match all.watches.get(scope) {
                Some(watch) => {
                    if !had.contains(scope) {
                        watch.retry.notify_one();
                    }
                    watch
                }
                None => {
                    let watch = self.start(scope, Lane::of_watch(all.started));
                    all.started += 1;
                    all.watches.entry(scope.clone()).or_insert(watch)
                }
            };
            let listener =
                Listener { objects: objects.clone(), part_of: part_of.clone(), mailbox: Arc::clone(mailbox) };
            watch.audience.0.write().unwrap_or_else(PoisonError::into_inner).insert(follower, listener);
        }
        for scope in had.difference(&scopes) {
            if let Some(watch) = all.watches.get(scope) {
                watch.audience.0.write().unwrap_or_else(PoisonError::into_inner).remove(&follower);
            }
        }
        if !scopes.is_empty() {
            all.wanted.insert(follower, scopes);
        }
        let Scopes { wanted, watches, .. } = &mut *all;
        watches.retain(|scope, _| wanted.values().any(|scopes| scopes.contains(scope)));
    }
    fn start(&self, scope: &Scope, lane: Lane) -> Watch {
        let (state, retry, audience) =
            (Arc::new(RwLock::default()), Arc::new(Notify::new()), Arc::new(Audience::default()));
        let watched = Watched::new(
            Arc::clone(&self.inner.transport),
            scope.clone(),
            lane,
            Arc::clone(&state),
            Arc::clone(&retry),
            Arc::clone(&audience),
        );
        let task = self.inner.runtime.spawn(watch::run(watched)).abort_handle();
        Watch { state, audience, retry, task }
    }
    fn scopes(&self) -> MutexGuard<'_, Scopes> {
        // Nothing under this lock panics half-way through a change.
        self.inner.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<T>(state: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}
