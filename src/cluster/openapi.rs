//! The schemas of the kinds in use, from the server's OpenAPI v3 documents: one for each group and version, fetched when first needed, kept
//! on disk under the hash that the server's index names, read again when that hash moves.
//!
//! A CRD that was just applied stands in the index about half a second after its kind is served, so the index is looked at a few
//! times after every discovery.

mod disk;
mod strip;

use super::{
    ClusterError,
    request::{Call, Transport},
};
use crate::merge::{Schema, Schemas};
use disk::Disk;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Where the index is.
const ROOT: &str = "/openapi/v3";
/// An index that was read within this time is not read again for the sake of a document that it lacks.
const INDEX_FRESH: Duration = Duration::from_secs(10);
/// When the index is looked at after a discovery.
const LOOKS: [Duration; 3] = [Duration::from_millis(700), Duration::from_millis(1500), Duration::from_secs(4)];

/// The schemas of one server.
pub(super) struct OpenApi {
    disk: Option<Disk>,
    state: Mutex<State>,
    /// One reads the index and the documents at a time; the others find them read.
    reading: tokio::sync::Mutex<()>,
    epoch: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    index: Option<(Instant, Arc<Index>)>,
    schemas: Arc<Schemas>,
    /// By group and version: the hash of the document that its schema was read from; none: it cannot be read.
    read: HashMap<String, Option<String>>,
    looking: Looking,
}

/// Whether somebody looks at the index from time to time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Looking {
    /// Nobody does.
    #[default]
    No,
    /// Somebody does.
    Yes,
    /// Somebody does, and was asked to begin again.
    Again,
}

/// By group and version (`apps/v1`, `v1`): where its document is.
type Index = BTreeMap<String, Place>;

/// Where a document is, and the hash of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: String,
    hash: String,
}

#[derive(Deserialize)]
struct IndexAnswer {
    #[serde(default)]
    paths: BTreeMap<String, IndexEntry>,
}

#[derive(Deserialize)]
struct IndexEntry {
    #[serde(rename = "serverRelativeURL", default)]
    url: String,
}

impl OpenApi {
    /// Knows nothing yet. Documents are kept below `cache`; `server` names the server among others that are kept there.
    pub fn new(cache: Option<PathBuf>, server: &str) -> Self {
        let disk = cache.map(|cache| Disk::new(cache.join("openapi"), server));
        Self { disk, state: Mutex::default(), reading: tokio::sync::Mutex::default(), epoch: watch::Sender::new(0) }
    }
    /// Follows a number that grows whenever a schema that was handed out is another one now.
    pub fn epoch(&self) -> watch::Receiver<u64> {
        self.epoch.subscribe()
    }
    /// Returns the schemas of these groups and versions, as far as the server has them, with those that were asked for before.
    ///
    /// # Errors
    /// Where the index cannot be read. A single document that cannot be is left out, and the log says why.
    pub async fn schemas(
        &self,
        transport: &Transport,
        wanted: &BTreeSet<String>,
    ) -> Result<Arc<Schemas>, ClusterError> {
        let known = |state: &State| wanted.iter().all(|wanted| state.read.contains_key(wanted));
        {
            let state = self.state();
            if known(&state) {
                return Ok(Arc::clone(&state.schemas));
            }
        }
        let _reading = self.reading.lock().await;
        let missing: BTreeSet<String> = {
            let state = self.state();
            wanted.iter().filter(|wanted| !state.read.contains_key(*wanted)).cloned().collect()
        };
        let index = match self.fresh_index() {
            Some(index) => index,
            None => self.read_index(transport).await?,
        };
        self.read(transport, &index, &missing).await;
        Ok(Arc::clone(&self.state().schemas))
    }
    /// Reads the index again, and every document in use whose hash moved. Nothing is in use, nothing is read.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn refresh(&self, transport: &Transport) -> Result<(), ClusterError> {
        if self.state().read.is_empty() {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        let index = self.read_index(transport).await?;
        let moved: BTreeSet<String> = {
            let state = self.state();
            let moved = state.read.iter().filter(|(wanted, hash)| {
                index.get(*wanted).map(|place| &place.hash) != hash.as_ref()
                    // What could not be read the last time is tried again.
                    || hash.is_none() && index.contains_key(*wanted)
            });
            moved.map(|(wanted, _)| wanted.clone()).collect()
        };
        self.read(transport, &index, &moved).await;
        Ok(())
    }
    /// Looks at the index a few times from now on: what the server serves may have changed.
    pub fn look_again(self: &Arc<Self>, transport: &Arc<Transport>) {
        {
            let mut state = self.state();
            if state.read.is_empty() {
                return;
            }
            if state.looking != Looking::No {
                state.looking = Looking::Again;
                return;
            }
            state.looking = Looking::Yes;
        }
        let (openapi, transport) = (Arc::downgrade(self), Arc::downgrade(transport));
        tokio::spawn(async move {
            loop {
                for pause in LOOKS {
                    tokio::time::sleep(pause).await;
                    let (Some(openapi), Some(transport)) = (openapi.upgrade(), transport.upgrade()) else { return };
                    if let Err(error) = openapi.refresh(&transport).await {
                        tracing::info!(server = transport.server(), %error, "the OpenAPI index cannot be read");
                    }
                }
                let Some(openapi) = openapi.upgrade() else { return };
                let mut state = openapi.state();
                if state.looking != Looking::Again {
                    state.looking = Looking::No;
                    return;
                }
                state.looking = Looking::Yes;
            }
        });
    }

    fn fresh_index(&self) -> Option<Arc<Index>> {
        let state = self.state();
        let (read, index) = state.index.as_ref()?;
        (read.elapsed() < INDEX_FRESH).then(|| Arc::clone(index))
    }

    async fn read_index(&self, transport: &Transport) -> Result<Arc<Index>, ClusterError> {
        let reply = transport.read(&Call::get(ROOT)).await?;
        let answer: IndexAnswer = serde_json::from_slice(reply.bytes())
            .map_err(|error| ClusterError::Other { code: 200, message: format!("the OpenAPI index: {error}") })?;
        let index =
            answer.paths.into_iter().filter_map(|(name, entry)| Some((group_version(&name)?, place(&entry.url)?)));
        let index = Arc::new(index.collect());
        self.state().index = Some((Instant::now(), Arc::clone(&index)));
        Ok(index)
    }

    /// Reads documents into schemas; one that the index lacks is known to be missing until the index moves.
    async fn read(&self, transport: &Transport, index: &Index, wanted: &BTreeSet<String>) {
        for name in wanted {
            let read = match index.get(name) {
                None => None,
                Some(place) => match self.schema(transport, name, place).await {
                    Ok(schema) => Some((place.hash.clone(), schema)),
                    Err(error) => {
                        tracing::warn!(server = transport.server(), document = name, %error, "no schema");
                        None
                    }
                },
            };
            let mut state = self.state();
            let schemas = Arc::make_mut(&mut state.schemas);
            let hash = match read {
                Some((hash, schema)) => {
                    schemas.insert(name, schema);
                    Some(hash)
                }
                None => {
                    schemas.remove(name);
                    None
                }
            };
            if let Some(before) = state.read.insert(name.clone(), hash.clone())
                && before != hash
            {
                self.epoch.send_modify(|epoch| *epoch += 1);
            }
        }
    }

    async fn schema(&self, transport: &Transport, name: &str, place: &Place) -> Result<Arc<Schema>, ClusterError> {
        let unreadable = |error: &dyn std::fmt::Display| ClusterError::Other {
            code: 200,
            message: format!("the OpenAPI document of {name} cannot be read: {error}"),
        };
        if let Some(disk) = &self.disk
            && let Some(schema) = disk.read(name, &place.hash, |document| Schema::read(document).ok()).await
        {
            return Ok(Arc::new(schema));
        }
        let call = Call::get(&place.path).with("hash", &place.hash);
        let reply = transport.read(&call).await?;
        let disk = self.disk.clone();
        let (key, hash) = (name.to_owned(), place.hash.clone());
        let read = tokio::task::spawn_blocking(move || {
            let document = strip::descriptions(reply.bytes())?;
            drop(reply);
            let schema = Schema::read(&document).map_err(serde::de::Error::custom)?;
            if let Some(disk) = disk {
                disk.write(&key, &hash, &document);
            }
            Ok::<_, serde_json::Error>(schema)
        });
        match read.await {
            Ok(Ok(schema)) => Ok(Arc::new(schema)),
            Ok(Err(error)) => Err(unreadable(&error)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole after each statement under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `apis/apps/v1` -> `apps/v1`, `api/v1` -> `v1`; none for what holds no kinds.
fn group_version(name: &str) -> Option<String> {
    let mut parts = name.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("api"), Some(version), None, None) => Some(version.to_owned()),
        (Some("apis"), Some(group), Some(version), None) => Some(format!("{group}/{version}")),
        _ => None,
    }
}

/// Takes a document's address apart; one that leads elsewhere is none.
fn place(url: &str) -> Option<Place> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let hash = query.split('&').find_map(|parameter| parameter.strip_prefix("hash="))?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte));
    let below = path.strip_prefix(ROOT)?.starts_with('/') && !path.split('/').any(|part| part == "..");
    (below && is_plain(path) && is_plain(hash) && !hash.is_empty())
        .then(|| Place { path: path.to_owned(), hash: hash.to_owned() })
}

#[cfg(test)]
mod tests;
