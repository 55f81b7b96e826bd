//! One watch: a list, then changes with bookmarks, for ever. The list comes as the beginning of the WATCH itself (KEP-3157) where the
//! server can do that, else by LIST. What breaks is told within two seconds and mended with backoff.

mod backoff;
mod list;
mod stream;

use super::{
    ClusterError, Scope,
    cached_object::{CachedObject, Reader},
    client::Lane,
    live_cache::{Audience, Objects, ScopeState, key},
    request::Transport,
};
use crate::object::{ObjectId, clean};
use backoff::{Backoff, random};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::sleep};

/// Wait before a scope that is refused (rights, no such kind) is tried again.
const REFUSED: Duration = Duration::from_secs(60);
/// Such a scope is not tried more often than this, however often somebody asks.
const ASKED: Duration = Duration::from_secs(3);
/// A request that lived this long was none of a server that hangs up at once.
const LIVED: Duration = Duration::from_secs(5);

/// What one watch works on.
pub(super) struct Watched {
    transport: Arc<Transport>,
    scope: Scope,
    lane: Lane,
    state: Arc<RwLock<ScopeState>>,
    retry: Arc<Notify>,
    audience: Arc<Audience>,
    reader: Reader,
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

/// A list that is complete: the state that was listed, and why the request ended that listed it, where it went on watching.
struct Listed {
    resource_version: String,
    end: Option<End>,
}

/// Runs until it is aborted.
pub(super) async fn run(mut watched: Watched) {
    let mut backoff = Backoff::default();
    // The first list may come from the server's cache; later ones must not be older than what was seen.
    let mut from = Some("0");
    loop {
        let streaming = watched.transport.streams_lists();
        let listed = if streaming { watched.stream(from).await } else { watched.list(from).await };
        match listed {
            Ok(listed) => {
                from = None;
                backoff.reset();
                watched.follow(listed).await;
            }
            // The server has just said that it cannot.
            Err(_) if streaming && !watched.transport.streams_lists() => {}
            Err(error) => watched.failed(error, &mut backoff).await,
        }
    }
}

impl Watched {
    /// Makes what a watch works on.
    pub fn new(
        transport: Arc<Transport>,
        scope: Scope,
        lane: Lane,
        state: Arc<RwLock<ScopeState>>,
        retry: Arc<Notify>,
        audience: Arc<Audience>,
    ) -> Self {
        let reader = Reader::new(&scope.resource);
        Self { transport, scope, lane, state, retry, audience, reader }
    }

    /// Watches on from a list until everything has to be listed anew.
    async fn follow(&mut self, listed: Listed) {
        let Listed { mut resource_version, mut end } = listed;
        let mut backoff = Backoff::default();
        loop {
            let started = Instant::now();
            let end = match end.take() {
                Some(end) => end,
                None => self.watch(&mut resource_version).await,
            };
            match end {
                End::Gone => return,
                End::Closed if started.elapsed() > LIVED => backoff.reset(),
                // A server that hangs up at once would be asked without a pause.
                End::Closed => sleep(backoff.next()).await,
                End::Broken(error) => {
                    if refusal(&error) {
                        self.failed(error, &mut backoff).await;
                        return;
                    }
                    self.stale(&error.to_string());
                    if started.elapsed() > LIVED {
                        backoff.reset();
                    }
                    let wait = backoff.next();
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = self.retry.notified() => {}
                    }
                }
            }
        }
    }

    /// Takes a new state of one object in, or that it is gone, and tells whom it concerns. What says nothing new wakes nobody.
    fn take(&self, id: &ObjectId, object: Option<CachedObject>) {
        let name = key(&self.scope, id);
        let (mut before, mut after) = (None, object.map(Arc::new));
        let known = |state: &ScopeState| state.objects.as_ref().and_then(|objects| objects.get(name.as_ref()).cloned());
        self.change(|state| {
            state.heard = Some(Instant::now());
            before = known(state);
            let Some(objects) = state.objects.as_mut().map(Arc::make_mut) else { return };
            match &after {
                Some(object) => {
                    objects.insert(name.as_ref().into(), Arc::clone(object));
                }
                None => {
                    objects.remove(name.as_ref());
                }
            }
        });
        let news = match (&before, &after) {
            (Some(before), Some(after)) => after.is_news_after(before),
            (before, after) => before.is_some() || after.is_some(),
        };
        if news {
            let part_of = |object: &mut Option<Arc<CachedObject>>| object.take();
            let (before, after) = (part_of(&mut before), part_of(&mut after));
            let members = [&before, &after].map(|object| object.as_ref().and_then(|object| object.part_of()));
            self.audience.object_moved(id, members);
        }
    }

    /// Replaces everything that is known.
    fn replace(&self, mut objects: Objects) {
        let mut news = true;
        self.change(|state| {
            if let Some(known) = &state.objects {
                news = state.stale.is_some() || known.len() != objects.len();
                for (name, object) in &mut objects {
                    match known.get(name) {
                        // What was made of the old one is good for the new one, too.
                        Some(before)
                            if before.same(object) && before.resource_version() == object.resource_version() =>
                        {
                            *object = Arc::clone(before);
                        }
                        Some(before) => news |= object.is_news_after(before),
                        None => news = true,
                    }
                }
            }
            objects.shrink_to_fit();
            *state =
                ScopeState { objects: Some(Arc::new(objects)), heard: Some(Instant::now()), ..ScopeState::default() };
        });
        if news {
            self.audience.scope_moved();
        }
    }

    /// The server answered: what is known is fresh again.
    fn heard(&self) {
        let mut recovered = false;
        self.change(|state| {
            state.heard = Some(Instant::now());
            recovered = state.stale.take().is_some() || state.failed.take().is_some();
        });
        if recovered {
            self.audience.scope_moved();
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
            self.audience.scope_moved();
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
                self.audience.scope_moved();
            }
        }
        let wait = if refused { REFUSED + Duration::from_secs(random(10)) } else { backoff.next() };
        let asked = async {
            if refused {
                sleep(ASKED).await;
            }
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

#[cfg(test)]
mod tests;
