//! The records of syncs: one head (a ConfigMap) for each approval that was used, and what was applied (Secrets, see
//! `payload`). `docs/cluster-state.md` is the format's description for other tools.

use super::{ClusterError, Session};
use crate::object::ObjectId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Label of everything a record is made of: the application.
pub const APPLICATION: &str = "driftdeck.dev/application";
/// Label that tells heads (`record`), their further parts (`record-part`) and payload chunks (`payload`) apart.
pub const RECORD_KIND: &str = "driftdeck.dev/kind";
/// The version of the format that this program writes.
pub const RECORD_FORMAT: u32 = 1;
/// Heads that [`trim`] keeps.
pub const RECORDS_KEPT: usize = 20;

/// Who approved a plan, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordApproval {
    /// User as the API server knows it.
    pub user: String,
    /// Operating system's user.
    pub os_user: String,
    /// Host.
    pub host: String,
    /// When.
    pub time: Timestamp,
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordStep {
    /// The object.
    pub object: ObjectId,
    /// `create`, `update`, `prune`, …
    pub action: String,
    /// `created`, `configured`, `failed`, …; none: not started.
    pub result: Option<String>,
    /// Why, where it needs a reason. Holds no Secret's values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// How long it took.
    #[serde(default)]
    pub seconds: f64,
    /// uid of the object afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// resourceVersion of the object afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// Where a sync is that has not ended; `view` rights are enough to follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordRunning {
    /// The Lease's holder.
    pub holder: String,
    /// Step being done, from 1.
    pub step: usize,
    /// Steps in all.
    pub of: usize,
    /// Last renewal of the Lease.
    pub renewed: Timestamp,
}

/// Where the applied objects are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordPayload {
    /// Secrets that hold it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<String>,
    /// It was not kept.
    #[serde(default)]
    pub omitted: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The head of a record: everything but the applied objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordHead {
    /// Name of its ConfigMap: see [`RecordHead::name_for`].
    #[serde(skip)]
    pub name: String,
    /// uid of its ConfigMap; empty before [`create`].
    #[serde(skip)]
    pub uid: String,
    /// [`RECORD_FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The application.
    pub application: String,
    /// `sha256:<hex>` of the plan.
    pub digest: String,
    /// When the digest was issued: an approval of it works once.
    pub issued: Timestamp,
    /// Who approved.
    pub approval: RecordApproval,
    /// When the sync started.
    pub started: Timestamp,
    /// When it ended; none: running, or its program died.
    pub finished: Option<Timestamp>,
    /// `Succeeded`, `Failed`, `Interrupted`, `Refused`, `Unhealthy`; none while it runs.
    pub outcome: Option<String>,
    /// Commit that was applied.
    pub revision: String,
    /// Branch it was read from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// Identity of the source repository.
    pub source: String,
    /// Path in it.
    pub path: String,
    /// `yaml`, `kustomize`, `helm`.
    pub renderer: String,
    /// Its options.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub options: Value,
    /// Whether objects gone from Git were deleted.
    pub pruned: bool,
    /// Objects left out by choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_objects: Vec<ObjectId>,
    /// Hunks left out by choice, `OBJECT#POINTER`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_hunks: Vec<String>,
    /// Result of every step, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<RecordStep>,
    /// For every object of the application, the name of the record that last applied it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied: BTreeMap<ObjectId, String>,
    /// Where the applied objects are.
    #[serde(default)]
    pub payload: RecordPayload,
    /// Where it is, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RecordRunning>,
    /// Further ConfigMaps that hold `steps` and `applied` where these are too long for the head.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

impl RecordHead {
    /// Returns the name of the record of one approval: it sorts by time, and one digest of one issue gives one name, so that an
    /// approval can be used once.
    pub fn name_for(_application: &str, _digest: &str, _issued: Timestamp) -> String {
        todo!()
    }
}

/// Writes a new record, complete with its payload, before anything else is written. Fills in the head's name, uid and payload. Values of Secrets are taken
/// out of the payload here.
///
/// # Errors
/// [`ClusterError::Precondition`]: this approval was used before.
pub async fn create(
    _session: &Session,
    _namespace: &str,
    _head: &mut RecordHead,
    _objects: &BTreeMap<ObjectId, Value>,
) -> Result<(), ClusterError> {
    todo!()
}

/// Writes a head anew.
///
/// # Errors
/// [`ClusterError::Precondition`]: it was deleted or replaced.
pub async fn update(_session: &Session, _namespace: &str, _head: &mut RecordHead) -> Result<(), ClusterError> {
    todo!()
}

/// Returns an application's records, newest first. What cannot be read as one is left out and logged.
///
/// # Errors
/// [`ClusterError`].
pub async fn list(_session: &Session, _namespace: &str, _application: &str) -> Result<Vec<RecordHead>, ClusterError> {
    todo!()
}

/// Reads the objects that a record applied; none: they were not kept. Values of a Secret's `data` are null.
///
/// # Errors
/// [`ClusterError::Invalid`]: a chunk is missing or damaged.
pub async fn payload(
    _session: &Session,
    _namespace: &str,
    _head: &RecordHead,
) -> Result<Option<BTreeMap<ObjectId, Value>>, ClusterError> {
    todo!()
}

/// Deletes records beyond the newest [`RECORDS_KEPT`] that no kept one refers to, and payload chunks that nothing refers to. Only
/// the Lease's holder may do it.
///
/// # Errors
/// [`ClusterError`].
pub async fn trim(_session: &Session, _namespace: &str, _application: &str) -> Result<(), ClusterError> {
    todo!()
}
