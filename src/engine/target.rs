//! One worker per cluster: connects, keeps an eye on the connection, and holds whether writes are armed.

use super::{
    fleet::{ActivityKind, ClusterState},
    hub::Hub,
    retry::{Backoff, Told},
};
use crate::{
    cluster::{ClusterError, Session, Target},
    config,
    object::clean,
};
use jiff::Timestamp;
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often a connected API server is asked whether it is there. It is asked at once where a watch breaks, so this only finds the
/// links that are lost without a word.
const PING_EVERY: Duration = Duration::from_secs(2);
/// It is not asked more often than this, however often watches break.
const PING_AT_MOST: Duration = Duration::from_millis(200);
/// How often unknown kinds may cost a discovery.
const REDISCOVER_EVERY: Duration = Duration::from_secs(30);
const PING_EVERY_WHEN_LOST: Duration = Duration::from_secs(1);
/// How often the server is asked whether schemas have changed: somebody else may have changed a CRD.
const SCHEMAS_EVERY: Duration = Duration::from_secs(60);

/// What a cluster's worker knows.
#[derive(Clone, Default)]
pub(in crate::engine) struct ClusterFact {
    /// The session, once connected; it stays when the link is lost, since its watches find back by themselves.
    pub session: Option<Session>,
    /// Why the last try failed.
    pub error: Option<Arc<ClusterError>>,
    /// When tries began to fail.
    pub failing_since: Option<Timestamp>,
    /// The server has been asked at least once.
    pub settled: bool,
}

/// A link that was there and is not any more: what is known of the cluster is as old as it is.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Lost {
    cluster: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub error: Arc<ClusterError>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.strftime("%F %T %Z");
        write!(f, "cluster {}: no connection since {since}: {}", self.cluster, self.error)
    }
}

/// A client's end of a cluster's worker; dropping it stops the worker.
pub(in crate::engine) struct ClusterHandle {
    /// Its configuration.
    pub section: config::Cluster,
    fact: watch::Receiver<ClusterFact>,
    armed: Arc<AtomicBool>,
    wake: Arc<Notify>,
    discovered: Mutex<Option<Instant>>,
    hub: Hub,
    _stop: DropGuard,
}

impl ClusterHandle {
    /// Starts the worker. With `follow`, it keeps watching the link and reconnects; else it tries once.
    pub(in crate::engine) fn start(
        section: config::Cluster,
        target: Target,
        armed: bool,
        hub: Hub,
        follow: bool,
    ) -> Self {
        let (publish, fact) = watch::channel(ClusterFact::default());
        let token = CancellationToken::new();
        let wake = Arc::new(Notify::new());
        let worker = Worker {
            name: section.name.clone(),
            target,
            hub: hub.clone(),
            publish,
            wake: Arc::clone(&wake),
            told: Told::default(),
        };
        let child = token.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = child.cancelled() => {}
                () = worker.run(follow) => {}
            }
        });
        let handle = Self {
            section,
            fact,
            armed: Arc::default(),
            wake,
            discovered: Mutex::default(),
            hub,
            _stop: token.drop_guard(),
        };
        handle.arm(armed);
        handle
    }
    /// Follows what the worker knows.
    pub(in crate::engine) fn fact(&self) -> watch::Receiver<ClusterFact> {
        self.fact.clone()
    }
    /// Says whether the link is lost, as far as the worker knows.
    pub(in crate::engine) fn lost(&self) -> Option<Lost> {
        lost(&self.section.name, &self.fact.borrow())
    }
    /// Ends when the link is lost.
    pub(in crate::engine) async fn when_lost(&self) -> Lost {
        let mut fact = self.fact.clone();
        loop {
            if let Some(lost) = lost(&self.section.name, &fact.borrow_and_update()) {
                return lost;
            }
            if fact.changed().await.is_err() {
                // Nobody looks any more.
                std::future::pending::<()>().await;
            }
        }
    }
    /// Finds out whether the link is lost, now.
    pub(in crate::engine) async fn look_for_loss(&self, session: &Session) -> Option<Lost> {
        if let Some(lost) = self.lost() {
            return Some(lost);
        }
        let error = session.ping().await.err().filter(ClusterError::leaves_open)?;
        self.wake.notify_one();
        Some(Lost { cluster: self.section.name.clone(), since: config::now(), error: Arc::new(error) })
    }
    /// Arms or disarms writes.
    pub(in crate::engine) fn arm(&self, on: bool) {
        self.armed.store(on, Ordering::Relaxed);
        self.hub.cluster(&self.section.name, move |view| view.armed = on);
    }
    /// Says whether writes are armed.
    pub(in crate::engine) fn armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }
    /// Says whether the kinds may be discovered again for a comparison's sake: not more often than now and then, whoever asks.
    pub(in crate::engine) fn may_rediscover(&self) -> bool {
        let mut discovered = self.discovered.lock().unwrap_or_else(PoisonError::into_inner);
        let due = self.lost().is_none() && discovered.is_none_or(|at| at.elapsed() >= REDISCOVER_EVERY);
        if due {
            *discovered = Some(Instant::now());
        }
        due
    }
    /// Tries to connect now.
    pub(in crate::engine) fn wake(&self) {
        *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.wake.notify_one();
    }
}

fn lost(cluster: &str, fact: &ClusterFact) -> Option<Lost> {
    fact.session.as_ref()?;
    let error = Arc::clone(fact.error.as_ref()?);
    Some(Lost { cluster: cluster.to_owned(), since: fact.failing_since.unwrap_or_else(config::now), error })
}

/// Says whether a round trip differs from the one on the screen by more than the usual noise.
fn is_other(shown: Duration, now: Duration) -> bool {
    shown.abs_diff(now) > (shown / 4).max(Duration::from_millis(2))
}

struct Worker {
    name: String,
    target: Target,
    hub: Hub,
    publish: watch::Sender<ClusterFact>,
    wake: Arc<Notify>,
    told: Told,
}

impl Worker {
    async fn run(self, follow: bool) {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        loop {
            match Session::connect(&self.target).await {
                Ok(session) => {
                    backoff.reset();
                    self.connected(&session);
                    if !follow {
                        return;
                    }
                    self.attend(&session).await;
                }
                Err(error) => {
                    let pause = backoff.next();
                    self.failed(error, follow.then_some(pause));
                    if !follow {
                        return;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.wake.notified() => {}
                    }
                }
            }
        }
    }

    /// Pings until the credentials are refused: then a new connection reads them anew.
    async fn attend(&self, session: &Session) {
        let (mut lost, mut shown): (bool, Option<Duration>) = (false, None);
        let mut schemas_at = Instant::now();
        loop {
            let pause = if lost { PING_EVERY_WHEN_LOST } else { PING_EVERY };
            let doubted = async {
                tokio::time::sleep(PING_AT_MOST).await;
                session.doubted().await;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = doubted, if !lost => {}
                () = self.wake.notified() => {}
            }
            match session.ping().await {
                Ok(latency) => {
                    if std::mem::take(&mut lost) {
                        shown = None;
                        self.told.success();
                        self.hub.activity(ActivityKind::Done, &self.name, "connected again");
                        self.publish.send_modify(|fact| (fact.error, fact.failing_since) = (None, None));
                        session.live().retry();
                    }
                    // A round trip that is about as long as the last one is no news that is worth a new picture.
                    if shown.is_none_or(|shown| is_other(shown, latency)) {
                        shown = Some(latency);
                        self.hub.cluster(&self.name, move |view| view.state = ClusterState::Connected { latency });
                    }
                    if schemas_at.elapsed() >= SCHEMAS_EVERY {
                        schemas_at = Instant::now();
                        if let Err(error) = session.refresh_schemas().await {
                            tracing::info!(cluster = self.name, %error, "the schemas cannot be read");
                        }
                    }
                }
                Err(error @ ClusterError::Unauthorized { .. }) => return self.failed(error, Some(Duration::ZERO)),
                Err(error) => {
                    if !std::mem::replace(&mut lost, true) {
                        self.failed(error, Some(PING_EVERY_WHEN_LOST));
                    }
                }
            }
        }
    }

    fn connected(&self, session: &Session) {
        let (version, user, context) =
            (session.version().to_owned(), clean(session.user()).into_owned(), clean(session.context()).into_owned());
        self.told.success();
        self.hub.activity(ActivityKind::Done, &self.name, format!("connected to {} as {user}", session.server()));
        self.hub.cluster(&self.name, move |view| {
            view.state = ClusterState::Connected { latency: Duration::ZERO };
            view.version = Some(version);
            view.user = Some(user);
            view.context = context;
        });
        let session = session.clone();
        self.publish.send_replace(ClusterFact { session: Some(session), settled: true, ..ClusterFact::default() });
    }

    fn failed(&self, error: ClusterError, retry: Option<Duration>) {
        let message = clean(&error.to_string()).into_owned();
        if self.told.failure(&message) {
            self.hub.activity(ActivityKind::Failed, &self.name, &message);
        }
        let now = config::now();
        let retry_at = retry.and_then(|pause| now.checked_add(pause).ok());
        self.hub.cluster(&self.name, move |view| {
            let since = match &view.state {
                ClusterState::Failed { since, .. } => *since,
                _ => now,
            };
            view.state = ClusterState::Failed { message, since, retry_at };
        });
        self.publish.send_modify(|fact| {
            fact.error = Some(Arc::new(error));
            fact.failing_since.get_or_insert(now);
            fact.settled = true;
        });
    }
}
