//! The sync engine: one worker per repository, per cluster and per application; comparison, plan, approval, sync.
//!
//! Clients hold an [`Engine`]: they read immutable [`Fleet`] snapshots from a watch channel and call its methods; no
//! client holds a lock, and nothing is shared mutably. Nothing is written to a cluster but through an
//! [`ApprovedPlan`], which only [`Plan::approve`] makes.
//!
//! The documents that clients show and print ([`Comparison`], [`Plan`], [`SyncReport`], [`History`], …) serialise to the
//! JSON of the published interface as they are.

mod approval;
mod comparison;
mod error;
mod fleet;
mod handle;
mod history;
mod plan;
mod report;

pub use approval::{ApprovedPlan, Operator, Refusal};
pub use comparison::{
    Action, ApplicationState, AutoSyncView, Change, ChangeOrigin, Comparison, Extra, LeaseView, LiveAge,
    ObjectComparison, ObjectState, Sides,
};
pub use error::EngineError;
pub use fleet::{
    Activity, ActivityKind, ApplicationView, ClusterState, ClusterView, CommitSummary, Fleet, LastSync,
    RepositoryState, RepositoryView, Work,
};
pub use handle::{Engine, Options};
pub use history::{AppliedAt, CommitEffect, CommitRow, GitChange, History, LiveEffect, RenderedObject, RevertTarget};
pub use plan::{Choices, Confirmation, Counts, Plan, PlanList, PlanWarning, Step, StepAction};
pub use report::{Outcome, StepReport, StepResult, SyncProgress, SyncReport};
