//! The cluster side: kubeconfig, the HTTP/2 client, discovery, watches, server-side apply, delete, health, and what driftdeck
//! keeps in the cluster (inventory, records, Lease).
//!
//! See [`Session`] for the entry point. Only the engine's sync calls what writes.

mod answer;
mod apply;
mod cached_object;
mod client;
mod delete;
mod discovery;
mod error;
mod health;
mod inventory;
mod kubeconfig;
pub mod lease;
mod listing;
mod live_cache;
mod members;
mod openapi;
mod payload;
pub mod record;
mod request;
mod rights;
mod session;
mod watch;

pub use answer::masked_words;
pub use cached_object::CachedObject;
pub use error::{ClusterError, Conflict};
pub use health::{Health, HealthStatus, health};
pub use inventory::{GROUP_KINDS, Inventory, Member, Members, NAMESPACES, PART_OF, SET_ID, SOURCE, TOOLING, set_id};
pub use lease::{Lease, LeaseError, LeaseState, LeaseTiming};
pub use live_cache::{Follower, Interest, LiveCache, LiveChanges, Snapshot};
pub use record::{RecordApproval, RecordHead, RecordPayload, RecordRunning, RecordStep};
pub use session::Session;

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
    /// Folder for what can be fetched again; none: nothing is kept.
    pub cache: Option<PathBuf>,
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
