//! What a sync would do, step by step, and the digest that an approval of it names.

use super::comparison::{Action, Comparison};
use crate::object::ObjectId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the operator chose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    /// Revision instead of the configured one.
    pub revision: Option<String>,
    /// Prune or not, instead of the configured choice.
    pub prune: Option<bool>,
    /// Only these objects; empty: all.
    pub only: BTreeSet<ObjectId>,
    /// Not these objects.
    pub skip: BTreeSet<ObjectId>,
}

/// What one step does.
pub type StepAction = Action;

/// One step, in the order of execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// From 1.
    pub index: usize,
    /// `PreSync`, `Sync`, `PostSync`.
    pub phase: String,
    /// Sync wave.
    pub wave: i32,
    /// What it does.
    pub action: StepAction,
    /// The object, `[GROUP/]KIND[/NAMESPACE]/NAME`.
    pub object: String,
    /// Whether the server has dry-run it; false where what it needs is created by the same plan.
    pub verified: bool,
}

/// How many steps of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Creates.
    pub create: usize,
    /// Updates.
    pub update: usize,
    /// Adoptions.
    pub adopt: usize,
    /// Replacements.
    pub replace: usize,
    /// Removed extras.
    pub remove_extra: usize,
    /// Prunes.
    pub prune: usize,
    /// Hooks.
    pub hook: usize,
    /// Objects that stay as they are.
    pub unchanged: usize,
}

/// Something the operator should know before approving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanWarning {
    /// Stable code, e.g. `prune-pvc`.
    pub code: String,
    /// The object, empty where it concerns the whole plan.
    pub object: String,
    /// In words.
    pub message: String,
    /// The application's name must be typed.
    pub typed: bool,
}

/// What approving takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confirmation {
    /// A key or `--approve`.
    None,
    /// The application's name typed.
    Typed,
}

/// A plan as clients see it: the comparison it was made from, and what would be done about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The comparison at the plan's revision.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// `sha256:<hex>@<issued, RFC 3339>`.
    pub digest: String,
    /// When it expires on the screen.
    pub expires: Timestamp,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// How many of each.
    pub counts: Counts,
    /// What to know before.
    pub warnings: Vec<PlanWarning>,
    /// Whether it can be approved.
    pub approvable: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What approving takes.
    pub confirmation: Confirmation,
    /// Number of the plan in this process, for titles.
    #[serde(skip)]
    pub number: u64,
    /// What is sent and bound.
    #[serde(skip)]
    pub(in crate::engine) bound: std::sync::Arc<super::approval::Bound>,
}

impl Plan {
    /// Returns the digest without `@issued`.
    pub fn digest_hash(&self) -> &str {
        self.digest.split('@').next().unwrap_or(&self.digest)
    }
}
