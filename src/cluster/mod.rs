//! The cluster side: kubeconfig, the HTTP/2 client, discovery, watches, server-side apply, delete, health, and what driftdeck
//! keeps in the cluster (inventory, records, Lease).
//!
//! See [`Session`] for the entry point. Only the engine's sync calls what writes.

mod error;
mod health;
mod inventory;
pub mod lease;
pub mod record;

pub use error::{ClusterError, Conflict};
pub use health::{Health, HealthStatus, health};
pub use inventory::{GROUP_KINDS, Inventory, Member, Members, NAMESPACES, PART_OF, SET_ID, SOURCE, TOOLING, set_id};
pub use lease::{Lease, LeaseError, LeaseState, LeaseTiming};
pub use record::{RecordApproval, RecordHead, RecordPayload, RecordRunning, RecordStep};

use crate::object::{GroupKind, ObjectId};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// The field manager of every write.
pub const FIELD_MANAGER: &str = "driftdeck";

/// Which cluster, as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Kubeconfig file; none: as kubectl finds it (`$KUBECONFIG`, then `~/.kube/config`).
    pub kubeconfig: Option<PathBuf>,
    /// Context; none: the current one.
    pub context: Option<String>,
    /// User to impersonate.
    pub impersonate: Option<String>,
    /// Exec plugins (by command name or path) that may run; others are an error with the line to add.
    pub exec_plugins: Vec<String>,
}

/// One kind that the server serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// Group, empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural name, as in URLs.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Verbs that the server lists.
    pub verbs: Vec<String>,
}

/// What the server serves at one time. A group whose discovery failed is listed as stale, not dropped.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Every resource with `list`-able objects, preferred versions first.
    pub resources: Vec<Resource>,
    /// Groups whose API server does not answer.
    pub stale_groups: Vec<String>,
}

impl Catalog {
    /// Finds a kind in exactly this version.
    pub fn find(&self, group: &str, version: &str, kind: &str) -> Option<&Resource> {
        self.resources.iter().find(|r| r.group == group && r.version == version && r.kind == kind)
    }
    /// Finds a kind in the version that the server prefers.
    pub fn preferred(&self, group_kind: &GroupKind) -> Option<&Resource> {
        self.resources.iter().find(|r| r.group == group_kind.group && r.kind == group_kind.kind)
    }
    /// Returns the names that Helm's `--api-versions` takes: `apps/v1`, `apps/v1/Deployment`.
    pub fn api_versions(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .resources
            .iter()
            .flat_map(|r| {
                let group_version = crate::object::join_api_version(&r.group, &r.version);
                [format!("{group_version}/{}", r.kind), group_version]
            })
            .collect();
        names.into_iter().collect()
    }
}

/// One live object as the server last sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveObject {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The whole object, managedFields included.
    pub body: Value,
}

impl LiveObject {
    /// Reads uid and resourceVersion out of an object.
    pub fn new(body: Value) -> Self {
        let field = |name: &str| {
            body.pointer(&format!("/metadata/{name}")).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Self { uid: field("uid"), resource_version: field("resourceVersion"), body }
    }
}

/// What is watched: one kind in one namespace (none: cluster-scoped kinds, or every namespace where permitted).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// The kind.
    pub resource: Resource,
    /// The namespace.
    pub namespace: Option<String>,
}

/// What a watch knows about one object or one scope.
#[derive(Clone, Debug)]
pub enum Known<T> {
    /// No answer yet.
    Pending,
    /// As of the last event; `stale_since` says since when the watch has been broken, and why.
    Known {
        /// The value.
        value: T,
        /// Set while the watch is down.
        stale: Option<(Instant, String)>,
    },
    /// It cannot be read: the error names verb, resource and namespace.
    Failed(Arc<ClusterError>),
}

/// One request to apply.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The kind's resource.
    pub resource: Resource,
    /// Identity.
    pub id: ObjectId,
    /// Body to send (JSON; sent as apply-patch+yaml). uid and resourceVersion preconditions are in its metadata where wanted.
    pub body: Value,
    /// Take fields from other managers.
    pub force: bool,
    /// Ask, do not write.
    pub dry_run: bool,
    /// Deadline of the whole request on client and server.
    pub deadline: Duration,
}

/// The server's answer to an apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object afterwards.
    pub object: LiveObject,
    /// 201: it did not exist before.
    pub created: bool,
    /// `Warning` headers.
    pub warnings: Vec<String>,
}

/// A connection to one API server as one user. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    #[allow(dead_code)]
    inner: Arc<SessionInner>,
}

struct SessionInner {}

impl Session {
    /// Connects: reads the kubeconfig, builds the client, asks version, user (SelfSubjectReview), the uid of `kube-system` (else the CA's hash) and discovery.
    ///
    /// # Errors
    /// [`ClusterError`]: kubeconfig, context, exec plugin not allowed, unreachable, credentials.
    pub async fn connect(_target: &Target) -> Result<Self, ClusterError> {
        todo!()
    }
    /// Name of the context.
    pub fn context(&self) -> &str {
        todo!()
    }
    /// The server's address.
    pub fn server(&self) -> &str {
        todo!()
    }
    /// The user as the API server knows it.
    pub fn user(&self) -> &str {
        todo!()
    }
    /// Identity of the cluster: uid of namespace `kube-system`, else `ca:` and the CA's SHA-256.
    pub fn cluster_id(&self) -> &str {
        todo!()
    }
    /// `gitVersion` without the `v`.
    pub fn version(&self) -> &str {
        todo!()
    }
    /// Asks `/readyz` or `/version` and returns the round trip.
    ///
    /// # Errors
    /// [`ClusterError::Unreachable`] and the like.
    pub async fn ping(&self) -> Result<Duration, ClusterError> {
        todo!()
    }
    /// What the server serves, as last discovered.
    pub fn catalog(&self) -> Arc<Catalog> {
        todo!()
    }
    /// Discovers again (a CRD was applied, a kind is unknown).
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn rediscover(&self) -> Result<Arc<Catalog>, ClusterError> {
        todo!()
    }
    /// The watches of this session.
    pub fn live(&self) -> &LiveCache {
        todo!()
    }
    /// Reads one object; none: 404.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn get(&self, _resource: &Resource, _id: &ObjectId) -> Result<Option<LiveObject>, ClusterError> {
        todo!()
    }
    /// Lists a scope, by a label selector where given. 404 of the kind is an empty list.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn list(&self, _scope: &Scope, _selector: Option<&str>) -> Result<Vec<LiveObject>, ClusterError> {
        todo!()
    }
    /// Sends a server-side apply with field manager `driftdeck` and `fieldValidation=Strict`, once: retries are the caller's business.
    ///
    /// # Errors
    /// [`ClusterError`]; what the answers mean is on its variants.
    pub async fn apply(&self, _request: &ApplyRequest) -> Result<Applied, ClusterError> {
        todo!()
    }
    /// Deletes by uid and resourceVersion with `propagationPolicy=Background`. Already gone (404) is fine.
    ///
    /// # Errors
    /// [`ClusterError::Precondition`] where uid or resourceVersion moved.
    pub async fn delete(
        &self,
        _resource: &Resource,
        _id: &ObjectId,
        _uid: &str,
        _resource_version: Option<&str>,
        _deadline: Duration,
    ) -> Result<(), ClusterError> {
        todo!()
    }
    /// Asks whether the user may do `verb` (SelfSubjectAccessReview).
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn may(&self, _verb: &str, _resource: &Resource, _namespace: Option<&str>) -> Result<bool, ClusterError> {
        todo!()
    }
}

/// Something changed in a watched scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveChange {
    /// The scope.
    pub scope: Scope,
    /// The object; none: the whole scope was listed anew, failed, went stale, or recovered.
    pub id: Option<ObjectId>,
}

/// The watches of one session: one for each scope in use, kept alive with backoff, relisted after 410.
#[derive(Clone)]
pub struct LiveCache {}

impl LiveCache {
    /// Replaces the scopes that `user` (an application's name) needs; a scope nobody needs is dropped.
    pub fn want(&self, _user: &str, _scopes: BTreeSet<Scope>) {
        todo!()
    }
    /// Returns what is known about one object.
    pub fn object(&self, _scope: &Scope, _id: &ObjectId) -> Known<Option<Arc<LiveObject>>> {
        todo!()
    }
    /// Returns all objects of a scope with a label of this value.
    pub fn labelled(&self, _scope: &Scope, _label: &str, _value: &str) -> Known<Vec<(ObjectId, Arc<LiveObject>)>> {
        todo!()
    }
    /// Returns when the oldest of these scopes last heard from the server.
    pub fn age(&self, _scopes: &BTreeSet<Scope>) -> Option<Duration> {
        todo!()
    }
    /// Subscribes to changes; a receiver that lags must look at everything again.
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<LiveChange> {
        todo!()
    }
}
