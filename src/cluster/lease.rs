//! One writer an application: a Lease (coordination.k8s.io/v1) `driftdeck-<application>` in the state namespace.

use super::{ApplyRequest, ClusterError, LiveObject, Resource, Session, record::APPLICATION};
use crate::object::ObjectId;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Deadline of one write of the Lease: well inside its life.
const DEADLINE: Duration = Duration::from_secs(4);

/// How long things take; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    /// Life of the Lease without renewal, and stillness that must be observed before a takeover.
    pub life: Duration,
    /// Time between renewals.
    pub renew: Duration,
    /// Wait between a takeover and the first write.
    pub settle: Duration,
    /// Age plus deadline of a write must stay below this.
    pub margin: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            life: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            settle: Duration::from_secs(5),
            margin: Duration::from_secs(14),
        }
    }
}

/// Why there is no Lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// No rights on Leases: who else writes is unknown.
    #[error("{0}")]
    Forbidden(String),
    /// Somebody else is syncing: wait for them.
    #[error("{holder} is syncing this application")]
    Held {
        /// The other holder.
        holder: String,
        /// Their last renewal.
        renewed: Option<Timestamp>,
    },
    /// It was held and is not any more, or could not be renewed in time: stop writing.
    #[error("the Lease was lost: {0}")]
    Lost(String),
    /// The cluster does not answer as it should.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A Lease as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// Holder; none: free.
    pub holder: Option<String>,
    /// Last renewal, by the holder's clock.
    pub renewed: Option<Timestamp>,
}

/// Where Leases are.
fn leases() -> Resource {
    Resource {
        group: "coordination.k8s.io".into(),
        version: "v1".into(),
        kind: "Lease".into(),
        plural: "leases".into(),
        namespaced: true,
        verbs: vec![],
    }
}

fn lease_id(namespace: &str, application: &str) -> ObjectId {
    ObjectId {
        group: "coordination.k8s.io".into(),
        kind: "Lease".into(),
        namespace: Some(namespace.to_owned()),
        name: format!("driftdeck-{application}"),
    }
}

async fn read(session: &Session, namespace: &str, application: &str) -> Result<Option<LiveObject>, LeaseError> {
    session.get(&leases(), &lease_id(namespace, application)).await.map_err(LeaseError::from_cluster)
}

fn state(live: &LiveObject) -> LeaseState {
    let text = |field: &str| {
        live.body.pointer(&format!("/spec/{field}")).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    LeaseState {
        holder: text("holderIdentity").map(str::to_owned),
        renewed: text("renewTime").and_then(|time| time.parse().ok()),
    }
}

impl LeaseError {
    fn from_cluster(error: ClusterError) -> Self {
        match error {
            ClusterError::Forbidden { message } => Self::Forbidden(message),
            error => Self::Cluster(error),
        }
    }
}

/// Reads an application's Lease; none: there is none.
///
/// # Errors
/// [`LeaseError::Forbidden`]: the holder is unknown.
pub async fn peek(session: &Session, namespace: &str, application: &str) -> Result<Option<LeaseState>, LeaseError> {
    Ok(read(session, namespace, application).await?.as_ref().map(state))
}

/// A Lease that is held and renewed in the background until it is released or dropped.
#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    _renewing: DropGuard,
}

struct Shared {
    session: Session,
    namespace: String,
    application: String,
    holder: String,
    timing: LeaseTiming,
    held: Mutex<Held>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// What the holder knows of its Lease.
#[derive(Debug)]
struct Held {
    /// Of the object as last written: the precondition of the next write.
    resource_version: String,
    uid: String,
    /// When the last successful renewal was sent: monotonic clock and wall clock.
    sent: Instant,
    sent_wall: Timestamp,
    acquired: Timestamp,
    /// Why it is not held any more.
    lost: Option<String>,
}

impl Lease {
    /// Takes an application's Lease as `who`, a name that no other process has. Waits out a silent holder (20 s by default).
    ///
    /// # Errors
    /// [`LeaseError::Held`] as soon as the other holder renews.
    pub async fn acquire(
        session: &Session,
        namespace: &str,
        application: &str,
        who: &str,
        timing: LeaseTiming,
    ) -> Result<Self, LeaseError> {
        let holder = who.to_owned();
        let mut seen: Option<(LiveObject, Instant)> = None;
        loop {
            let live = read(session, namespace, application).await?;
            let Some(live) = live else {
                // Made without a holder: what a POST writes stays owned by its manager entry, so that a release by apply could not
                // take it away again.
                match session.create(&leases(), &body(namespace, application, None, None)).await {
                    Ok(_) | Err(ClusterError::Precondition { .. }) => continue,
                    Err(error) => return Err(LeaseError::from_cluster(error)),
                }
            };
            let LeaseState { holder: other, renewed } = state(&live);
            let Some(other) = other else {
                match take(session, namespace, application, &holder, timing, &live).await {
                    Ok(held) => return Ok(Self::hold(session, namespace, application, holder, timing, held)),
                    Err(LeaseError::Cluster(ClusterError::Precondition { .. })) => continue,
                    Err(error) => return Err(error),
                }
            };
            // Only stillness that was observed counts: clocks of two machines are not compared.
            match &seen {
                None => seen = Some((live, Instant::now())),
                Some((before, _)) if before.resource_version != live.resource_version => {
                    return Err(LeaseError::Held { holder: other, renewed });
                }
                Some((_, since)) if since.elapsed() >= timing.life => {
                    tracing::warn!(application, holder = other, "this Lease's holder is silent; taking over");
                    match take(session, namespace, application, &holder, timing, &live).await {
                        Ok(held) => {
                            let lease = Self::hold(session, namespace, application, holder, timing, held);
                            // A holder that was only slow may have a write in flight: let it end, then look again.
                            tokio::time::sleep(timing.settle).await;
                            lease.check(Duration::ZERO)?;
                            return match read(session, namespace, application).await?.as_ref().map(state) {
                                Some(now) if now.holder.as_deref() == Some(lease.holder()) => Ok(lease),
                                _ => Err(LeaseError::Lost("somebody else took it at the same time".into())),
                            };
                        }
                        Err(LeaseError::Cluster(ClusterError::Precondition { .. })) => continue,
                        Err(error) => return Err(error),
                    }
                }
                Some(_) => {}
            }
            tokio::time::sleep(timing.renew / 5).await;
        }
    }

    fn hold(
        session: &Session,
        namespace: &str,
        application: &str,
        holder: String,
        timing: LeaseTiming,
        held: Held,
    ) -> Self {
        let shared = Arc::new(Shared {
            session: session.clone(),
            namespace: namespace.to_owned(),
            application: application.to_owned(),
            holder,
            timing,
            held: Mutex::new(held),
        });
        let stop = CancellationToken::new();
        tokio::spawn(renew(Arc::clone(&shared), stop.clone()));
        Self { shared, _renewing: stop.drop_guard() }
    }

    /// The holder as written: `user@host#<random>`.
    pub fn holder(&self) -> &str {
        &self.shared.holder
    }
    /// Time since the last renewal was sent, by whichever of the monotonic clock and the wall clock says more: the former stands
    /// still while a machine sleeps.
    pub fn age(&self) -> Duration {
        self.shared.age()
    }
    /// When it was last renewed, for the record.
    pub fn renewed(&self) -> Timestamp {
        self.shared.held().sent_wall
    }
    /// Says whether a write that ends within `deadline` may be sent now.
    ///
    /// # Errors
    /// [`LeaseError::Lost`].
    pub fn check(&self, deadline: Duration) -> Result<(), LeaseError> {
        if let Some(reason) = &self.shared.held().lost {
            return Err(LeaseError::Lost(reason.clone()));
        }
        let age = self.age();
        if age + deadline > self.shared.timing.margin {
            return Err(LeaseError::Lost(format!(
                "it was last renewed {:.0} s ago, and somebody else may have it",
                age.as_secs_f64()
            )));
        }
        Ok(())
    }
    /// Waits until a write that ends within `deadline` may be sent: a renewal that is a little late is no loss.
    ///
    /// # Errors
    /// [`LeaseError::Lost`].
    pub async fn ready(&self, deadline: Duration) -> Result<(), LeaseError> {
        loop {
            match self.check(deadline) {
                Err(_) if self.shared.held().lost.is_none() && self.age() < self.shared.timing.life => {
                    tokio::time::sleep(self.shared.timing.renew / 25).await;
                }
                result => return result,
            }
        }
    }
    /// Frees it.
    ///
    /// # Errors
    /// [`LeaseError::Cluster`]: it will run out by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        let Self { shared, _renewing } = self;
        drop(_renewing);
        let seen = {
            let held = shared.held();
            if held.lost.is_some() {
                return Ok(());
            }
            (held.uid.clone(), held.resource_version.clone())
        };
        let free = async |(uid, version): (String, String)| {
            let body = body(&shared.namespace, &shared.application, None, Some((&uid, &version)));
            send(&shared.session, &shared.namespace, &shared.application, body).await.map(|_| ())
        };
        match free(seen).await {
            // A renewal was under way, or it was taken over.
            Err(LeaseError::Cluster(ClusterError::Precondition { .. })) => {
                match read(&shared.session, &shared.namespace, &shared.application).await? {
                    Some(live) if state(&live).holder.as_deref() == Some(&shared.holder) => {
                        free((live.uid, live.resource_version)).await
                    }
                    _ => Ok(()),
                }
            }
            answer => answer,
        }
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic while it is locked cannot leave it half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn age(&self) -> Duration {
        let held = self.held();
        let wall = Timestamp::now().duration_since(held.sent_wall);
        held.sent.elapsed().max(Duration::try_from(wall).unwrap_or_default())
    }
}

/// Renews until told to stop, or until the Lease is another's.
async fn renew(shared: Arc<Shared>, stop: CancellationToken) {
    let mut wait = shared.timing.renew;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        // A try that fails is made again soon: only the Lease's age tells the writers to stop.
        wait = shared.timing.renew / 5;
        let (sent, now) = (Instant::now(), Timestamp::now());
        let body = {
            let held = shared.held();
            let holding =
                Holding { holder: &shared.holder, life: shared.timing.life, acquired: held.acquired, renewed: now };
            let seen = Some((held.uid.as_str(), held.resource_version.as_str()));
            body(&shared.namespace, &shared.application, Some(holding), seen)
        };
        match send(&shared.session, &shared.namespace, &shared.application, body).await {
            Ok(live) => {
                let mut held = shared.held();
                held.resource_version = live.resource_version;
                (held.sent, held.sent_wall) = (sent, now);
                wait = shared.timing.renew;
            }
            Err(LeaseError::Cluster(ClusterError::Precondition { message })) => {
                match read(&shared.session, &shared.namespace, &shared.application).await {
                    // Our own renewal, whose answer was lost, moved it; or a hand that only labelled it.
                    Ok(Some(live)) if state(&live).holder.as_deref() == Some(&shared.holder) => {
                        shared.held().resource_version = live.resource_version;
                        wait = Duration::ZERO;
                    }
                    Ok(_) => {
                        shared.held().lost = Some(message);
                        return;
                    }
                    Err(error) => tracing::warn!(%error, "the Lease cannot be read"),
                }
            }
            Err(error) => tracing::warn!(%error, "the Lease could not be renewed"),
        }
    }
}

/// Writes the Lease as ours over exactly the state that was read.
async fn take(
    session: &Session,
    namespace: &str,
    application: &str,
    holder: &str,
    timing: LeaseTiming,
    over: &LiveObject,
) -> Result<Held, LeaseError> {
    let (sent, now) = (Instant::now(), Timestamp::now());
    let holding = Holding { holder, life: timing.life, acquired: now, renewed: now };
    let body = body(namespace, application, Some(holding), Some((&over.uid, &over.resource_version)));
    let live = send(session, namespace, application, body).await?;
    Ok(Held { resource_version: live.resource_version, uid: live.uid, sent, sent_wall: now, acquired: now, lost: None })
}

async fn send(session: &Session, namespace: &str, application: &str, body: Value) -> Result<LiveObject, LeaseError> {
    // Forced: holders write under one manager name, and another manager's fields are taken over with the Lease.
    let request = ApplyRequest {
        resource: leases(),
        id: lease_id(namespace, application),
        body,
        force: true,
        dry_run: false,
        deadline: DEADLINE,
    };
    session.apply(&request).await.map(|applied| applied.object).map_err(LeaseError::from_cluster)
}

/// Who holds a Lease, and since when.
struct Holding<'a> {
    holder: &'a str,
    life: Duration,
    acquired: Timestamp,
    renewed: Timestamp,
}

/// The Lease as it is written; without a holder it is free.
fn body(namespace: &str, application: &str, holding: Option<Holding<'_>>, seen: Option<(&str, &str)>) -> Value {
    let mut body = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": format!("driftdeck-{application}"),
            "namespace": namespace,
            "labels": { (APPLICATION): application },
        },
        "spec": {},
    });
    if let Some(holding) = holding {
        // MicroTime, as the API wants it.
        let micro = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        body["spec"] = json!({
            "holderIdentity": holding.holder,
            "leaseDurationSeconds": holding.life.as_secs().max(1),
            "acquireTime": micro(holding.acquired),
            "renewTime": micro(holding.renewed),
        });
    }
    if let Some((uid, resource_version)) = seen {
        body["metadata"]["uid"] = json!(uid);
        body["metadata"]["resourceVersion"] = json!(resource_version);
    }
    body
}
