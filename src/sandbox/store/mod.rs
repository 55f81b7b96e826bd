//! The objects: one ordered map in memory, one counter of revisions, the latest changes for watches, and a log on disk.
//!
//! Every object is kept as the bytes that are served: its JSON without `apiVersion` and `kind`, which the reader of a list
//! does not get and the reader of one object gets in the version that it asked for. A write takes the next revision, which is
//! the object's `resourceVersion` and the collection's, as etcd's is.
//!
//! A change is in memory at once and on disk a moment later ([`log`]). Nobody is told of it before it is on disk: every
//! answer waits for the revision that it shows ([`Store::settled`]), and watches move by the same mark. So a crash
//! loses nothing that anybody has seen.

mod history;
mod log;

use serde_json::Value;
use std::{
    collections::BTreeMap,
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

pub(super) use history::{Change, Event, TooOld};
pub(super) use log::LogError;

use history::History;
use log::{Line, Log};

/// An object's bytes, shared.
pub(super) type Body = Arc<[u8]>;

/// Where an object stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Which collection: `configmaps`, `deployments.apps`; all versions of a kind share one.
    pub collection: Arc<str>,
    /// Empty for an object of the cluster.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl Key {
    /// A key of these parts.
    pub fn new(collection: &Arc<str>, namespace: &str, name: &str) -> Self {
        Self { collection: collection.clone(), namespace: namespace.into(), name: name.into() }
    }
}

/// One state of an object.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The revision that made it.
    pub revision: u64,
    /// Its JSON, without `apiVersion` and `kind`.
    pub body: Body,
}

impl Record {
    /// Parses it.
    pub fn read(&self) -> Value {
        read(&self.body)
    }
}

/// Parses a body; what the store wrote can be read.
pub(super) fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// No such object.
    Absent,
    /// The object as this revision made it.
    Revision(u64),
}

/// The object is not what the writer expected; it has to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved;

/// Part of a collection.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Sorted by namespace and name.
    pub records: Vec<(Key, Record)>,
    /// The revision at which it was so.
    pub revision: u64,
    /// How many more there are.
    pub remaining: usize,
}

/// What of a collection to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<'a> {
    /// The collection.
    pub collection: &'a Arc<str>,
    /// Of one namespace.
    pub namespace: Option<&'a str>,
    /// Behind this namespace and name.
    pub after: Option<(&'a str, &'a str)>,
    /// At most so many; 0: all.
    pub limit: usize,
    /// As it was then; none: as it is.
    pub at: Option<u64>,
}

type Collection = BTreeMap<(Arc<str>, Arc<str>), Record>;

/// See the module's head.
pub(super) struct Store {
    state: Mutex<State>,
    log: Log,
}

struct State {
    revision: u64,
    collections: BTreeMap<Arc<str>, Collection>,
    history: History,
}

impl State {
    fn record(&self, key: &Key) -> Option<&Record> {
        self.collections.get(&key.collection)?.get(&(key.namespace.clone(), key.name.clone()))
    }
    fn holds(&self, key: &Key, expected: Expected) -> bool {
        match (self.record(key), expected) {
            (None, Expected::Absent) => true,
            (Some(record), Expected::Revision(revision)) => record.revision == revision,
            _ => false,
        }
    }
    /// Carries a change out; the log is read and new writes are made by it.
    fn change(&mut self, key: &Key, body: Body, revision: u64, gone: bool) {
        let place = (key.namespace.clone(), key.name.clone());
        let collection = self.collections.entry(key.collection.clone()).or_default();
        let before = match gone {
            true => collection.remove(&place),
            false => collection.insert(place, Record { revision, body: body.clone() }),
        };
        self.revision = revision;
        let change = match (&before, gone) {
            (_, true) => Change::Deleted,
            (None, _) => Change::Added,
            (Some(_), _) => Change::Modified,
        };
        self.history.push(Event { revision, change, key: key.clone(), body, before });
    }
}

impl Store {
    /// Opens the store of a folder, and reads what is in it.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn open(folder: &Path, fresh: bool) -> Result<Arc<Self>, LogError> {
        let mut state = State { revision: 0, collections: BTreeMap::new(), history: History::default() };
        let log = Log::open(folder, fresh, |line| match line {
            Line::Change { key, body, revision, gone } => state.change(&key, body, revision, gone),
            Line::Mark(revision) => {
                state.revision = revision;
                state.history = History::from(revision);
            }
        })?;
        let store = Arc::new(Self { state: Mutex::new(state), log });
        store.log.start(&store);
        Ok(store)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision of the latest change.
    pub fn revision(&self) -> u64 {
        self.state().revision
    }

    /// Reads one object.
    pub fn get(&self, key: &Key) -> Option<Record> {
        self.state().record(key).cloned()
    }

    /// Writes an object and gives it its `resourceVersion`.
    ///
    /// # Errors
    /// [`Moved`].
    pub fn put(&self, key: &Key, mut object: Value, expected: Expected) -> Result<Record, Moved> {
        if let Some(fields) = object.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        let mut state = self.state();
        if !state.holds(key, expected) {
            return Err(Moved);
        }
        let revision = state.revision + 1;
        let body = stamped(&mut object, revision);
        state.change(key, body.clone(), revision, false);
        self.log.append(key, &body, revision, false);
        Ok(Record { revision, body })
    }

    /// Takes an object out; its last state has the revision of its end.
    ///
    /// # Errors
    /// [`Moved`].
    pub fn remove(&self, key: &Key, mut last: Value, expected: u64) -> Result<Record, Moved> {
        if let Some(fields) = last.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        let mut state = self.state();
        if !state.holds(key, Expected::Revision(expected)) {
            return Err(Moved);
        }
        let revision = state.revision + 1;
        let body = stamped(&mut last, revision);
        state.change(key, body.clone(), revision, true);
        self.log.append(key, &body, revision, true);
        Ok(Record { revision, body })
    }

    /// Reads a part of a collection.
    ///
    /// # Errors
    /// [`TooOld`], where it is asked for as it was before the history begins.
    pub fn list(&self, range: Range<'_>) -> Result<Page, TooOld> {
        let state = self.state();
        let earlier;
        let empty = Collection::new();
        let mut collection = state.collections.get(range.collection).unwrap_or(&empty);
        let mut revision = state.revision;
        if let Some(at) = range.at.filter(|at| *at < state.revision) {
            earlier = rolled_back(collection, &state.history, range.collection, at)?;
            collection = &earlier;
            revision = at;
        }
        let from = match (range.after, range.namespace) {
            (Some((namespace, name)), _) => Bound::Excluded((Arc::from(namespace), Arc::from(name))),
            (None, Some(namespace)) => Bound::Included((Arc::from(namespace), Arc::from(""))),
            (None, None) => Bound::Unbounded,
        };
        let in_range = |place: &(Arc<str>, Arc<str>)| range.namespace.is_none_or(|namespace| *place.0 == *namespace);
        let mut found = collection.range((from, Bound::Unbounded)).take_while(|(place, _)| in_range(place));
        let limit = if range.limit == 0 { usize::MAX } else { range.limit };
        let mut records = Vec::new();
        while records.len() < limit
            && let Some(((namespace, name), record)) = found.next()
        {
            let key = Key { collection: range.collection.clone(), namespace: namespace.clone(), name: name.clone() };
            records.push((key, record.clone()));
        }
        Ok(Page { records, revision, remaining: found.count() })
    }

    /// The changes after a revision that are on disk, of the collections that `wanted` says.
    ///
    /// # Errors
    /// [`TooOld`], where some of them are forgotten.
    pub fn events(&self, after: u64, wanted: impl Fn(&Key) -> bool) -> Result<(Vec<Event>, u64), TooOld> {
        let until = *self.log.durable().borrow();
        let state = self.state();
        let events = state.history.after(after)?.filter(|event| event.revision <= until && wanted(&event.key));
        Ok((events.cloned().collect(), until.max(after)))
    }

    /// The revisions that are on disk, as they get there.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.log.durable()
    }

    /// Waits until a revision is on disk.
    ///
    /// # Errors
    /// Why it will never be: the log cannot be written.
    pub async fn settled(&self, revision: u64) -> Result<(), String> {
        let mut durable = self.log.durable();
        match durable.wait_for(|durable| *durable >= revision).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.log.trouble()),
        }
    }

    /// Every object, for a new log.
    pub fn all(&self) -> (Vec<(Key, Record)>, u64) {
        let state = self.state();
        let mut all = Vec::new();
        for (collection, records) in &state.collections {
            for ((namespace, name), record) in records {
                let (namespace, name) = (namespace.clone(), name.clone());
                all.push((Key { collection: collection.clone(), namespace, name }, record.clone()));
            }
        }
        (all, state.revision)
    }

    /// Writes what is still to be written, and ends.
    pub fn close(&self) {
        self.log.close();
    }
}

fn stamped(object: &mut Value, revision: u64) -> Body {
    super::meta::metadata(object).insert("resourceVersion".into(), revision.to_string().into());
    object.to_string().into_bytes().into()
}

/// A collection as it was at an earlier revision.
fn rolled_back(now: &Collection, history: &History, collection: &Arc<str>, at: u64) -> Result<Collection, TooOld> {
    let mut then = now.clone();
    for event in history.after(at)?.rev().filter(|event| event.key.collection == *collection) {
        let place = (event.key.namespace.clone(), event.key.name.clone());
        match &event.before {
            Some(record) => drop(then.insert(place, record.clone())),
            None => drop(then.remove(&place)),
        }
    }
    Ok(then)
}

#[cfg(test)]
mod tests;
