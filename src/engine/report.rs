//! What became of a sync.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// Made.
    Created,
    /// Changed.
    Configured,
    /// Was as it should be.
    Unchanged,
    /// Taken over.
    Adopted,
    /// Deleted and made again.
    Replaced,
    /// Extra fields removed.
    ExtraRemoved,
    /// A hook ran.
    Hook,
    /// Deleted.
    Pruned,
    /// Refused; `message` says by whom.
    Failed,
    /// Not started.
    Skipped,
    /// Sent, and no answer came.
    Unknown,
}

/// Outcome of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// Everything was applied and is healthy.
    Succeeded,
    /// A step failed; later ones were not started.
    Failed,
    /// Stopped by the operator or a signal.
    Interrupted,
    /// Nothing was written.
    Refused,
    /// Applied, not healthy in time.
    Unhealthy,
}

/// One step of a [`SyncReport`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// The object.
    pub object: String,
    /// Result.
    pub result: StepResult,
    /// Why, where it needs a reason.
    pub message: String,
    /// How long it took.
    pub seconds: f64,
}

/// The document of one sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncReport {
    /// Application's name.
    pub application: String,
    /// `sha256:<hex>` of the plan.
    pub digest: String,
    /// Outcome.
    pub outcome: Outcome,
    /// `namespace/name` of the record; empty when nothing was written.
    pub record: String,
    /// Why, where the outcome needs a reason.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub message: String,
    /// Its steps.
    pub steps: Vec<StepReport>,
}

/// Where a running sync is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncProgress {
    /// Application's name.
    pub application: String,
    /// Number of the plan.
    pub number: u64,
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// Wave.
    pub wave: i32,
    /// What is happening, e.g. `apply Deployment shop/api` or `waiting for Deployment shop/api: 2/3 updated`.
    pub current: String,
    /// Results so far, in step order; none: not finished.
    pub steps: Vec<(String, Action, Option<StepReport>)>,
}

use super::comparison::Action;
