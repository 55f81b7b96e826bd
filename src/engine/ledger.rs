//! What the cluster remembers of an application: its inventory, the records of its syncs, who holds its Lease; and the base of each
//! object, which is what was last applied of it.

use super::{fleet::LastSync, target::Lost};
use crate::{
    cluster::{ClusterError, Inventory, LeaseState, RecordHead, Session, lease, record},
    config,
    object::{ObjectId, Packed},
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a reading is good: other operators' syncs show after at most this long.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// Payloads remembered; records never change once they have ended.
const PAYLOADS_KEPT: usize = 8;

/// One reading of an application's state in the cluster.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Ledger {
    /// The inventory, if there is one.
    pub inventory: Option<Inventory>,
    /// Records without their steps, newest first; only the newest says which record last applied each object.
    pub records: Vec<RecordHead>,
    /// The Lease, if there is one and it may be read.
    pub lease: Option<LeaseState>,
    /// What could not be read, in words.
    pub problems: Vec<String>,
    /// Why the cluster could not be asked about all of it: what is missing may be there.
    pub unanswered: Option<Arc<ClusterError>>,
    /// Since when the cluster could not be asked: this is the last reading before.
    pub stale_since: Option<Timestamp>,
    /// The inventory could not be read: members are unknown, so nothing may be pruned or written.
    pub inventory_unreadable: bool,
}

impl Ledger {
    /// What there is to say when the cluster cannot be asked.
    fn unread(lost: &Lost) -> Self {
        Self {
            problems: vec![format!("the inventory cannot be read: {lost}")],
            inventory_unreadable: true,
            unanswered: Some(Arc::clone(&lost.error)),
            stale_since: Some(lost.since),
            ..Self::default()
        }
    }
    /// Says whether two readings that were answered say the same.
    fn says_the_same(&self, other: &Self) -> bool {
        let Self { inventory, records, lease, problems, unanswered, stale_since, inventory_unreadable } = self;
        (inventory, records, problems) == (&other.inventory, &other.records, &other.problems)
            && (lease, stale_since, inventory_unreadable)
                == (&other.lease, &other.stale_since, &other.inventory_unreadable)
            && unanswered.is_none()
            && other.unanswered.is_none()
    }
    fn problem(&mut self, what: &str, error: ClusterError) {
        self.problems.push(format!("{what} cannot be read: {error}"));
        // These are answers, and the same ones will come again.
        let answered = matches!(
            error,
            ClusterError::Forbidden { .. } | ClusterError::ForeignInventory { .. } | ClusterError::Invalid { .. }
        );
        if !answered {
            self.unanswered.get_or_insert_with(|| Arc::new(error));
        }
    }
    /// Returns the newest record as screens show it.
    pub(in crate::engine) fn last_sync(&self) -> Option<LastSync> {
        self.records.first().map(|head| LastSync {
            time: head.started,
            by: format!("{}@{}", head.approval.os_user, head.approval.host),
            outcome: self.outcome_of(head),
            revision: head.revision.parse().ok(),
        })
    }
    /// Returns a record's outcome; one that says it is running while somebody else or nobody holds the Lease was interrupted.
    pub(in crate::engine) fn outcome_of(&self, head: &RecordHead) -> Option<super::Outcome> {
        let holder = self.lease.as_ref().and_then(|lease| lease.holder.as_ref());
        let alive = head.running.as_ref().is_some_and(|running| holder == Some(&running.holder));
        let unknown_holder =
            self.lease.is_none() && head.running.as_ref().is_none_or(|running| running.holder.is_empty());
        match outcome(head) {
            None if !alive && !unknown_holder => Some(super::Outcome::Interrupted),
            outcome => outcome,
        }
    }
    /// Returns the record that last applied an object.
    pub(in crate::engine) fn applied_by(&self, id: &ObjectId) -> Option<&RecordHead> {
        let name = self.records.first()?.applied.get(id)?;
        self.records.iter().find(|head| head.name == *name)
    }
    /// Returns the newest record of a sync that applied something whole.
    pub(in crate::engine) fn last_applied(&self) -> Option<&RecordHead> {
        self.records.iter().find(|head| matches!(head.outcome.as_deref(), Some("Succeeded" | "Unhealthy")))
    }
}

/// Reads a record's outcome.
fn outcome(head: &RecordHead) -> Option<super::Outcome> {
    head.outcome.as_ref().and_then(|text| serde_json::from_value(Value::String(text.clone())).ok())
}

/// Bodies of objects, by identity.
pub(in crate::engine) type Objects = BTreeMap<ObjectId, Value>;

/// What a record applied, packed.
type Payload = Arc<BTreeMap<ObjectId, Packed>>;

/// The last reading that was answered.
#[derive(Default)]
struct Latest {
    ledger: Option<Arc<Ledger>>,
    /// None: it has to be read again.
    read_at: Option<Instant>,
    failing_since: Option<Timestamp>,
}

/// Where an application's state is read and remembered.
pub(in crate::engine) struct LedgerReader {
    application: String,
    latest: Mutex<Latest>,
    payloads: Mutex<HashMap<String, Payload>>,
}

impl LedgerReader {
    /// Makes a reader for one application.
    pub(in crate::engine) fn new(application: &str) -> Self {
        Self { application: application.to_owned(), latest: Mutex::default(), payloads: Mutex::default() }
    }

    /// Returns the newest record that has been read, with its outcome.
    pub(in crate::engine) fn newest_record(&self) -> Option<String> {
        let latest = self.latest();
        let head = latest.ledger.as_ref()?.records.first()?;
        Some(format!("{} {:?}", head.name, head.outcome))
    }

    /// Has the state read again the next time, after a write of our own.
    pub(in crate::engine) fn forget(&self) {
        self.latest().read_at = None;
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        // The worst that a panic can leave is an older reading.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the state, or returns a reading that is not older than a few seconds.
    pub(in crate::engine) async fn read(&self, session: &Session, namespace: &str) -> Arc<Ledger> {
        {
            let latest = self.latest();
            if let (Some(ledger), Some(at)) = (&latest.ledger, latest.read_at)
                && at.elapsed() < FRESH_FOR
            {
                return Arc::clone(ledger);
            }
        }
        let before = self.latest().ledger.clone();
        let known = before.as_ref().and_then(|before| before.records.first());
        let (inventory, records, lease) = tokio::join!(
            Inventory::read(session, namespace, &self.application),
            record::heads(session, namespace, &self.application, known),
            lease::peek(session, namespace, &self.application),
        );
        let mut ledger = Ledger::default();
        match inventory {
            Ok(inventory) => ledger.inventory = inventory,
            Err(ClusterError::NotFound { .. }) => {}
            Err(error) => {
                ledger.inventory_unreadable = true;
                ledger.problem("the inventory", error);
            }
        }
        match records {
            Ok(records) => ledger.records = records,
            Err(ClusterError::NotFound { .. }) => {}
            Err(error) => ledger.problem("the records", error),
        }
        match lease {
            Ok(lease) => ledger.lease = lease,
            // Without rights on Leases the holder is unknown; approvals still need the digests to hold.
            Err(lease::LeaseError::Forbidden(_)) => {}
            Err(lease::LeaseError::Cluster(error)) => ledger.problem("the Lease", error),
            Err(error) => ledger.problems.push(format!("the Lease cannot be read: {error}")),
        }
        self.keep(ledger)
    }

    /// Keeps a reading; not one that lacks what the cluster may well have. One that says the same as the last stays that one, so that
    /// everybody sees that nothing moved.
    fn keep(&self, ledger: Ledger) -> Arc<Ledger> {
        let mut latest = self.latest();
        if ledger.unanswered.is_some() {
            latest.read_at = None;
            latest.failing_since.get_or_insert_with(config::now);
            return Arc::new(ledger);
        }
        let known = latest.ledger.take().filter(|known| known.says_the_same(&ledger));
        let ledger = known.unwrap_or_else(|| Arc::new(ledger));
        *latest = Latest { ledger: Some(Arc::clone(&ledger)), read_at: Some(Instant::now()), failing_since: None };
        ledger
    }

    /// As [`Self::read`] for what is only shown: while the cluster does not answer, the last reading that it gave, which says that it is old.
    /// `lost` ends when the link is lost.
    pub(in crate::engine) async fn last_known(
        &self,
        session: &Session,
        namespace: &str,
        lost: impl Future<Output = Lost>,
    ) -> Arc<Ledger> {
        let ledger = tokio::select! {
            biased;
            lost = lost => Arc::new(Ledger::unread(&lost)),
            ledger = self.read(session, namespace) => ledger,
        };
        if ledger.unanswered.is_none() {
            return ledger;
        }
        let latest = self.latest();
        match &latest.ledger {
            Some(known) => {
                let since = ledger.stale_since.or(latest.failing_since);
                Arc::new(Ledger { stale_since: since.or_else(|| Some(config::now())), ..Ledger::clone(known) })
            }
            None => ledger,
        }
    }

    /// Returns what was last applied of each of these objects, as far as it can be read. Values of Secrets are not kept, so
    /// Secrets are never among them; `rendered` gives the render of an earlier revision for those and for unreadable payloads.
    pub(in crate::engine) async fn bases<'a>(
        &self,
        session: &Session,
        namespace: &str,
        ledger: &Ledger,
        ids: &BTreeSet<ObjectId>,
        rendered: &(dyn Fn(String, BTreeSet<ObjectId>) -> BoxFuture<'a, Option<Objects>> + Send + Sync + 'a),
    ) -> BTreeMap<ObjectId, Value> {
        let mut bases = BTreeMap::new();
        let mut by_record: BTreeMap<&str, (&RecordHead, Vec<&ObjectId>)> = BTreeMap::new();
        for id in ids {
            if let Some(head) = ledger.applied_by(id) {
                by_record.entry(&head.name).or_insert_with(|| (head, Vec::new())).1.push(id);
            }
        }
        for (head, ids) in by_record.into_values() {
            let payload = self.payload(session, namespace, head).await;
            let is_secret = |id: &ObjectId| id.group.is_empty() && id.kind == "Secret";
            let (kept, lost): (Vec<_>, Vec<_>) = ids
                .into_iter()
                .partition(|id| !is_secret(id) && payload.as_ref().is_some_and(|payload| payload.contains_key(id)));
            if let Some(payload) = payload {
                bases.extend(kept.into_iter().filter_map(|id| Some((id.clone(), payload.get(id)?.read().ok()?))));
            }
            if !lost.is_empty()
                && let Some(rendered) = rendered(head.revision.clone(), lost.into_iter().cloned().collect()).await
            {
                bases.extend(rendered);
            }
        }
        bases
    }

    async fn payload(&self, session: &Session, namespace: &str, head: &RecordHead) -> Option<Payload> {
        if let Some(known) = self.payloads.lock().unwrap_or_else(PoisonError::into_inner).get(&head.name) {
            return Some(Arc::clone(known));
        }
        match record::payload(session, namespace, head).await {
            Ok(Some(payload)) => {
                let payload = Arc::new(payload);
                let mut payloads = self.payloads.lock().unwrap_or_else(PoisonError::into_inner);
                if payloads.len() >= PAYLOADS_KEPT {
                    payloads.clear();
                }
                payloads.insert(head.name.clone(), Arc::clone(&payload));
                Some(payload)
            }
            Ok(None) => None,
            Err(error) => {
                tracing::info!(record = head.name, %error, "this record's payload cannot be read; the base comes from Git");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: ClusterError) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.problem("the records", error);
        ledger
    }

    fn unreachable() -> ClusterError {
        ClusterError::Unreachable { server: "https://api".into(), reason: "refused".into() }
    }

    #[test]
    fn a_reading_that_the_cluster_did_not_answer_is_neither_kept_nor_replaces_the_last_good_one() {
        let reader = LedgerReader::new("shop");
        let good = reader.keep(Ledger::default());
        assert!(reader.latest().read_at.is_some());
        reader.keep(failed(unreachable()));
        let since = reader.latest().failing_since;
        assert!(since.is_some());
        reader.keep(failed(unreachable()));
        let latest = reader.latest();
        assert!(latest.ledger.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &good)));
        assert_eq!(
            (latest.read_at, latest.failing_since),
            (None, since),
            "it is read again, and failing since the first time"
        );
    }

    #[test]
    fn a_refusal_is_an_answer_and_is_kept() {
        let reader = LedgerReader::new("shop");
        let refused = reader.keep(failed(ClusterError::Forbidden { message: "may not list secrets".into() }));
        let latest = reader.latest();
        assert!(latest.ledger.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &refused)) && latest.read_at.is_some());
        assert_eq!(refused.problems, ["the records cannot be read: may not list secrets"]);
    }

    #[test]
    fn a_reading_that_says_the_same_is_the_same_one() {
        let reader = LedgerReader::new("shop");
        let first = reader.keep(Ledger::default());
        assert!(Arc::ptr_eq(&first, &reader.keep(Ledger::default())));
        let held = LeaseState { holder: Some("ana@host".into()), renewed: None };
        assert!(!Arc::ptr_eq(&first, &reader.keep(Ledger { lease: Some(held), ..Ledger::default() })));
    }
}
