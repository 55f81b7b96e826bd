//! Whether an object does what it is for: the rules of "Health" in the design, as a pure function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Health of an object or of an application, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HealthStatus {
    /// Does its work, or has no rule.
    #[default]
    Healthy,
    /// Stopped on purpose.
    Suspended,
    /// On its way.
    Progressing,
    /// Not there.
    Missing,
    /// Failed.
    Degraded,
    /// Cannot be told.
    Unknown,
}

/// Health with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Which condition or count says so; empty when healthy.
    pub message: String,
}

/// Judges one live object. Kinds without a rule are healthy unless their `status.conditions` say otherwise (kstatus).
pub fn health(_live: &Value) -> Health {
    todo!()
}
