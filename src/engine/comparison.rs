//! What Git says, what the cluster runs, and why the two differ: the document of one application at one moment.

use crate::{
    cluster::{Conflict, HealthStatus},
    git::CommitId,
    merge::Op,
    object::{Issue, ObjectId, Origin, Packed, Severity},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

/// State of an application; the first that holds, in the order Unknown, Missing, OutOfSync, Drifted, Synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ApplicationState {
    /// An object cannot be compared.
    Unknown,
    /// None of its objects exists.
    Missing,
    /// Git moved (or both did, or the base is not known, or single objects are missing or extra).
    OutOfSync,
    /// Only live moved.
    Drifted,
    /// No difference.
    Synced,
}

/// State of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ObjectState {
    /// No difference.
    Synced,
    /// Fields differ.
    Changed,
    /// In Git, not in the cluster.
    Missing,
    /// In the inventory, not in Git any more.
    Extra,
    /// Cannot be compared: see `error`.
    Unknown,
}

/// What a sync would do with one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing.
    None,
    /// Create it.
    Create,
    /// Apply it.
    Update,
    /// Take another applier's ownership over, then apply.
    Adopt,
    /// Delete and create again.
    Replace,
    /// Remove live fields that Git does not set.
    RemoveExtra,
    /// Delete it.
    Prune,
}

/// Which side moved since the last apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOrigin {
    /// Git (`G`).
    Git,
    /// The cluster (`D`).
    Drift,
    /// Both (`B`).
    Both,
    /// No base is known (`?`).
    Unknown,
}

/// One field that a sync would change. Values of Secrets are `{"masked": "changed"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// RFC 6901.
    pub path: String,
    /// What applying does to it.
    pub op: Op,
    /// Live value; null for an addition.
    pub live: Value,
    /// Desired value; null for a removal.
    pub desired: Value,
    /// Which side moved.
    pub origin: ChangeOrigin,
    /// Who last wrote the live value.
    pub manager: Option<String>,
    /// `Apply` or `Update`.
    pub operation: Option<String>,
    /// Subresource it was written through.
    pub subresource: Option<String>,
    /// When, RFC 3339.
    pub time: Option<String>,
    /// Commit that last wrote the desired line.
    pub commit: Option<CommitId>,
    /// `OBJECT#POINTER`.
    pub hunk: String,
    /// Only the spelling differs.
    pub same_value: bool,
    /// Values are masked.
    pub masked: bool,
    /// Other managers that own the field with another value.
    pub conflicts: Vec<Conflict>,
}

/// A live field that Git does not set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extra {
    /// RFC 6901.
    pub path: String,
    /// Its value.
    pub live: Value,
    /// Who owns it.
    pub manager: String,
    /// When it was written, RFC 3339.
    pub time: Option<String>,
}

/// One side of an object as it may be shown: Secret values masked, server-written metadata and status left out of neither. It is kept
/// compressed and parsed when somebody looks at it, for as long as the comparison is.
pub struct Side {
    packed: Packed,
    parsed: OnceLock<Value>,
}

impl Side {
    /// Takes the compressed bytes of an object that needs no mask.
    pub(in crate::engine) fn packed(packed: Packed) -> Arc<Self> {
        Arc::new(Self { packed, parsed: OnceLock::new() })
    }
    /// Packs a value.
    pub fn new(value: &Value) -> Arc<Self> {
        Self::packed(Packed::value(value))
    }
}

impl Deref for Side {
    type Target = Value;
    fn deref(&self) -> &Value {
        // What cannot be read is an error of the object's comparison; here it shows as nothing.
        self.parsed.get_or_init(|| self.packed.read().unwrap_or_default())
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Side {
    fn eq(&self, other: &Self) -> bool {
        self.packed.read() == other.packed.read()
    }
}

impl Eq for Side {}

/// Both sides of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The live object.
    pub live: Option<Arc<Side>>,
    /// What live would be after applying; for a prune nothing, for an unknown object the manifest.
    pub desired: Option<Arc<Side>>,
}

impl Sides {
    /// Returns the live object.
    pub fn live(&self) -> Option<&Value> {
        self.live.as_ref().map(|side| &***side)
    }
    /// Returns the object after applying.
    pub fn desired(&self) -> Option<&Value> {
        self.desired.as_ref().map(|side| &***side)
    }
}

/// One object of a [`Comparison`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectComparison {
    /// API group, empty for core.
    pub group: String,
    /// Version in Git.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Live uid.
    pub uid: Option<String>,
    /// State.
    pub state: ObjectState,
    /// What a sync would do.
    pub action: Action,
    /// Health of the live object.
    pub health: HealthStatus,
    /// Why, where state or health need a reason.
    pub message: String,
    /// Where the manifest came from; null for what is only in the inventory.
    pub source: Option<Arc<Origin>>,
    /// Fields that differ.
    pub changes: Vec<Change>,
    /// Live fields that Git does not set.
    pub extras: Vec<Extra>,
    /// Why it could not be compared.
    pub error: Option<String>,
    /// A hook: listed, not compared and not applied yet. The annotation that makes it one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hook: Option<String>,
    /// Both sides, for diffs.
    #[serde(skip)]
    pub sides: Sides,
    /// Live resourceVersion, for titles.
    #[serde(skip)]
    pub resource_version: Option<String>,
}

impl ObjectComparison {
    /// Returns the object's identity.
    pub fn id(&self) -> ObjectId {
        ObjectId {
            group: self.group.clone(),
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// Age of the live side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LiveAge {
    /// Seconds since the cluster was last heard from; null: never.
    pub age: Option<f64>,
}

/// Who holds the application's Lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseView {
    /// `user@host`, null when free.
    pub holder: Option<String>,
    /// Last renewal, RFC 3339.
    pub renewed: Option<String>,
}

/// Auto-sync as the cluster says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutoSyncView {
    /// On.
    pub enabled: bool,
    /// Who set it.
    pub by: Option<String>,
}

/// What Git says, what the cluster runs and why they differ, for one application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Application's name.
    pub application: String,
    /// Cluster's name.
    pub cluster: String,
    /// Commit that was compared; null for a folder on disk.
    pub revision: Option<CommitId>,
    /// Branch, where the revision names one.
    pub branch: Option<String>,
    /// Commit that was applied last.
    pub base: Option<CommitId>,
    /// State.
    pub state: ApplicationState,
    /// Objects or hunks were left out by choice.
    pub partial: bool,
    /// Since when the live side has not been heard from, RFC 3339.
    pub stale_since: Option<Timestamp>,
    /// Revision it is pinned to.
    pub pinned: Option<String>,
    /// Auto-sync is paused.
    pub paused: bool,
    /// Worst health of its objects.
    pub health: HealthStatus,
    /// Its objects, differing ones first, then in apply order.
    pub objects: Vec<Arc<ObjectComparison>>,
    /// Age of the live side.
    pub live: LiveAge,
    /// Who holds the Lease.
    pub lease: LeaseView,
    /// Auto-sync.
    pub auto_sync: AutoSyncView,
    /// What is wrong with the sources.
    pub issues: Vec<Issue>,
}

impl Comparison {
    /// Counts objects in a state.
    pub fn count(&self, state: ObjectState) -> usize {
        // Those that differ come first, and screens ask every second.
        let differing = self.objects.iter().take_while(|object| object.state != ObjectState::Synced);
        match state {
            ObjectState::Synced => self.objects.len() - differing.count(),
            state => differing.filter(|object| object.state == state).count(),
        }
    }
    /// Says whether two comparisons say the same, whatever the age of the live side.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self {
            application,
            cluster,
            revision,
            branch,
            base,
            state,
            partial,
            stale_since,
            pinned,
            paused,
            health,
            objects,
            live: _,
            lease,
            auto_sync,
            issues,
        } = self;
        (application, cluster, revision, branch, base, state, partial)
            == (
                &other.application,
                &other.cluster,
                &other.revision,
                &other.branch,
                &other.base,
                &other.state,
                &other.partial,
            )
            && (stale_since.is_some(), pinned, paused, health)
                == (other.stale_since.is_some(), &other.pinned, &other.paused, &other.health)
            && (lease, auto_sync, issues) == (&other.lease, &other.auto_sync, &other.issues)
            && objects.len() == other.objects.len()
            // Most objects are the very same.
            && objects.iter().zip(&other.objects).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
    }
    /// Says whether part of the sources could not be read.
    pub fn has_errors(&self) -> bool {
        self.issues.iter().any(|issue| issue.severity == Severity::Error)
    }
}
