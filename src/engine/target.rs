//! One worker per cluster: connects, keeps an eye on the connection, and holds whether writes are armed.

use super::{
    fleet::{ActivityKind, ClusterState},
    hub::Hub,
    retry::Backoff,
};
use crate::{
    cluster::{ClusterError, Session, Target},
    config,
    object::clean,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often a connected API server is asked whether it is there; a lost link shows within twice that.
const PING_EVERY: Duration = Duration::from_secs(5);
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
    /// The server has been asked at least once.
    pub settled: bool,
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
        let worker = Worker { name: section.name.clone(), target, hub: hub.clone(), publish, wake: Arc::clone(&wake) };
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
        let due = discovered.is_none_or(|at| at.elapsed() >= REDISCOVER_EVERY);
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

struct Worker {
    name: String,
    target: Target,
    hub: Hub,
    publish: watch::Sender<ClusterFact>,
    wake: Arc<Notify>,
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
        let mut lost = false;
        let mut schemas_at = Instant::now();
        loop {
            let pause = if lost { PING_EVERY_WHEN_LOST } else { PING_EVERY };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.wake.notified() => {}
            }
            match session.ping().await {
                Ok(latency) => {
                    if std::mem::take(&mut lost) {
                        self.hub.activity(ActivityKind::Done, &self.name, "connected again");
                        self.publish.send_modify(|fact| fact.error = None);
                    }
                    self.hub.cluster(&self.name, move |view| view.state = ClusterState::Connected { latency });
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
        self.hub.activity(ActivityKind::Done, &self.name, format!("connected to {} as {user}", session.server()));
        self.hub.cluster(&self.name, move |view| {
            view.state = ClusterState::Connected { latency: Duration::ZERO };
            view.version = Some(version);
            view.user = Some(user);
            view.context = context;
        });
        let session = session.clone();
        self.publish.send_replace(ClusterFact { session: Some(session), error: None, settled: true });
    }

    fn failed(&self, error: ClusterError, retry: Option<Duration>) {
        let message = clean(&error.to_string()).into_owned();
        self.hub.activity(ActivityKind::Failed, &self.name, &message);
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
            fact.settled = true;
        });
    }
}
