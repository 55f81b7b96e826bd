//! One watch: LIST, then WATCH with bookmarks, for ever. What breaks is told within two seconds and mended with backoff.

use super::{
    ClusterError, LiveChange, LiveObject, Scope,
    answer::{self, Mask, Refused},
    client::Lane,
    live_cache::ScopeState,
    request::{Call, Transport, collection, late},
    session::list,
};
use crate::object::{ObjectId, clean};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, broadcast},
    time::{sleep, timeout},
};

/// Life of one WATCH request; the server ends it, and the next continues where it ended.
const LIFE: Duration = Duration::from_secs(290);
/// A watch without a word (bookmarks come about once a minute) is taken for dead.
const SILENCE: Duration = Duration::from_secs(150);
/// A broken watch that is not back by then is told.
const GRACE: Duration = Duration::from_millis(1500);
/// Wait before a scope that is refused (rights, no such kind) is tried again.
const REFUSED: Duration = Duration::from_secs(60);
/// Such a scope is not tried more often than this, however often somebody asks.
const ASKED: Duration = Duration::from_secs(3);
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// What one watch works on.
pub(super) struct Watched {
    pub transport: Arc<Transport>,
    pub scope: Scope,
    pub lane: Lane,
    pub state: Arc<RwLock<ScopeState>>,
    pub retry: Arc<Notify>,
    pub changes: broadcast::Sender<LiveChange>,
}

/// Why a WATCH request ended.
enum End {
    /// As agreed, or silently: continue.
    Closed,
    /// 410: what happened since is forgotten; list anew.
    Gone,
    /// It broke, or was refused.
    Broken(ClusterError),
}

/// Runs until it is aborted.
pub(super) async fn run(watched: Watched) {
    let mut backoff = Backoff::default();
    // The first list may come from the server's cache; later ones must not be older than what was seen.
    let mut from = Some("0");
    loop {
        match list(&watched.transport, &watched.scope, None, from).await {
            Ok((objects, resource_version)) => {
                from = None;
                watched.replace(objects);
                backoff.reset();
                watched.follow(resource_version).await;
            }
            Err(error) => watched.failed(error, &mut backoff).await,
        }
    }
}

impl Watched {
    /// Watches on from a resourceVersion until everything has to be listed anew.
    async fn follow(&self, mut resource_version: String) {
        let mut backoff = Backoff::default();
        loop {
            let started = Instant::now();
            match self.watch(&mut resource_version).await {
                End::Gone => return,
                End::Closed if started.elapsed() > Duration::from_secs(5) => backoff.reset(),
                // A server that hangs up at once would be asked without a pause.
                End::Closed => sleep(backoff.next()).await,
                End::Broken(error) => {
                    if refusal(&error) {
                        self.failed(error, &mut backoff).await;
                        return;
                    }
                    self.stale(&error.to_string());
                    if started.elapsed() > Duration::from_secs(5) {
                        backoff.reset();
                    }
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    /// One WATCH request.
    async fn watch(&self, resource_version: &mut String) -> End {
        let path = match collection(&self.scope.resource, self.scope.namespace.as_deref()) {
            Ok(path) => path,
            Err(error) => return End::Broken(error),
        };
        let life = LIFE - Duration::from_secs(random(40));
        let call = Call::get(path)
            .with("watch", "1")
            .with("allowWatchBookmarks", "true")
            .with("resourceVersion", resource_version.as_str())
            .with("timeoutSeconds", life.as_secs().to_string())
            .lane(self.lane);
        let mut opening = std::pin::pin!(timeout(super::request::DEADLINE, self.transport.open(&call)));
        let opened = match timeout(GRACE, &mut opening).await {
            Ok(opened) => opened,
            Err(_) => {
                self.stale("the server does not answer");
                opening.await
            }
        };
        match opened {
            Err(_) => End::Broken(late(&call)),
            Ok(Err(ClusterError::Other { code: 410, .. })) => End::Gone,
            Ok(Err(error)) => End::Broken(error),
            Ok(Ok(response)) => {
                self.heard();
                let life = life + Duration::from_secs(30);
                timeout(life, self.events(response.into_body(), resource_version)).await.unwrap_or(End::Closed)
            }
        }
    }

    /// Takes the events of one answer, one JSON document a line.
    async fn events(&self, mut body: Body, resource_version: &mut String) -> End {
        let mut pending = Vec::new();
        loop {
            let frame = match timeout(SILENCE, body.frame()).await {
                Err(_) | Ok(None) => return End::Closed,
                Ok(Some(Err(error))) => return End::Broken(self.transport.unreachable(&error)),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            let mut from = pending.len();
            pending.extend_from_slice(&data);
            while let Some(end) = pending[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) {
                let line: Vec<u8> = pending.drain(..=end).collect();
                from = 0;
                let Ok(event) = serde_json::from_slice::<Value>(&line) else {
                    return End::Broken(ClusterError::Other { code: 200, message: "an event is not JSON".into() });
                };
                if let Some(end) = self.event(event, resource_version) {
                    return end;
                }
            }
        }
    }

    fn event(&self, mut event: Value, resource_version: &mut String) -> Option<End> {
        let object = event.get_mut("object").map(Value::take).unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "ERROR" {
            let code =
                object.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            return Some(if code == 410 { End::Gone } else { End::Broken(self.said(code, &object)) });
        }
        let object = LiveObject::new(object);
        if !object.resource_version.is_empty() {
            resource_version.clone_from(&object.resource_version);
        }
        let id = self.identity(&object);
        self.change(|state| {
            state.heard = Some(Instant::now());
            if let (Some(objects), Some(id)) = (&mut state.objects, &id) {
                match kind {
                    "ADDED" | "MODIFIED" => {
                        objects.insert(id.clone(), Arc::new(object));
                    }
                    "DELETED" => {
                        objects.remove(id);
                    }
                    _ => {}
                }
            }
        });
        if let Some(id) = id.filter(|_| kind != "BOOKMARK") {
            self.tell(Some(id));
        }
        None
    }

    fn said(&self, status: u16, body: &Value) -> ClusterError {
        answer::refused(&Refused {
            server: self.transport.server(),
            what: &self.what(),
            write: false,
            deadline: LIFE,
            status,
            retry_after: None,
            body: body.to_string().as_bytes(),
            mask: &Mask::default(),
        })
    }

    fn identity(&self, object: &LiveObject) -> Option<ObjectId> {
        let meta = |field: &str| {
            Some(object.body.pointer(&format!("/metadata/{field}"))?.as_str()?.to_owned())
                .filter(|text| !text.is_empty())
        };
        let (group, kind) = (self.scope.resource.group.clone(), self.scope.resource.kind.clone());
        Some(ObjectId { group, kind, namespace: meta("namespace"), name: meta("name")? })
    }

    fn replace(&self, objects: Vec<LiveObject>) {
        let objects: HashMap<_, _> =
            objects.into_iter().filter_map(|object| Some((self.identity(&object)?, Arc::new(object)))).collect();
        self.change(|state| {
            *state = ScopeState { objects: Some(objects), heard: Some(Instant::now()), ..ScopeState::default() };
        });
        self.tell(None);
    }

    /// The server answered: what is known is fresh again.
    fn heard(&self) {
        let mut recovered = false;
        self.change(|state| {
            state.heard = Some(Instant::now());
            recovered = state.stale.take().is_some() || state.failed.take().is_some();
        });
        if recovered {
            self.tell(None);
        }
    }

    fn stale(&self, reason: &str) {
        let mut news = false;
        self.change(|state| {
            news = state.stale.is_none() && state.objects.is_some();
            // Since when stays; why is the newest.
            let since = state.stale.take().map_or_else(Instant::now, |(since, _)| since);
            state.stale = Some((since, reason.to_owned()));
        });
        if news {
            self.tell(None);
        }
    }

    /// Tells an error and waits until the next try.
    async fn failed(&self, error: ClusterError, backoff: &mut Backoff) {
        let refused = refusal(&error);
        let mut listed = false;
        let error = match error {
            ClusterError::NotFound { message } => {
                ClusterError::NotFound { message: format!("{}: {message}", self.what()) }
            }
            other => other,
        };
        self.change(|state| listed = state.objects.is_some());
        if listed && !refused {
            self.stale(&error.to_string());
        } else {
            // Nothing is known, or nothing may be known any more. The same failure again is no news.
            let mut news = false;
            self.change(|state| {
                news = state.failed.as_ref().is_none_or(|known| known.to_string() != error.to_string());
                *state = ScopeState { failed: Some(Arc::new(error)), heard: state.heard, ..ScopeState::default() };
            });
            if news {
                self.tell(None);
            }
        }
        let wait = if refused { REFUSED + Duration::from_secs(random(10)) } else { backoff.next() };
        let asked = async {
            sleep(ASKED.min(wait)).await;
            self.retry.notified().await;
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = asked => {}
        }
    }

    fn change(&self, change: impl FnOnce(&mut ScopeState)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, id: Option<ObjectId>) {
        // Nobody listens: what is known can still be read.
        let _ = self.changes.send(LiveChange { scope: self.scope.clone(), id });
    }

    /// `list configmaps in namespace shop`.
    fn what(&self) -> String {
        let resource = &self.scope.resource;
        let kind = if resource.group.is_empty() {
            resource.plural.clone()
        } else {
            format!("{}.{}", resource.plural, resource.group)
        };
        match &self.scope.namespace {
            Some(namespace) => format!("list {} in namespace {}", clean(&kind), clean(namespace)),
            None => format!("list {}", clean(&kind)),
        }
    }
}

/// Asking again soon will not help.
fn refusal(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Forbidden { .. } | ClusterError::NotFound { .. } | ClusterError::Invalid { .. })
}

/// Growing waits, none like the other's.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Backoff {
    fn reset(&mut self) {
        *self = Self::default();
    }
    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        wait / 2 + Duration::from_millis(random(u64::try_from(wait.as_millis() / 2).unwrap_or(1) + 1))
    }
}

/// A number below `below`: the standard library's hasher has random keys, which is all that jitter needs.
fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0_u8) % below.max(1)
}

#[cfg(test)]
mod tests;
