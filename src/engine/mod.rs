//! The sync engine: one worker per repository, per cluster and per application; comparison, plan, approval, sync.
//!
//! Clients hold an [`Engine`]: they read immutable [`Fleet`] snapshots from a watch channel and call its methods; no
//! client holds a lock, and nothing is shared mutably. Nothing is written to a cluster but through an
//! [`ApprovedPlan`], which only [`Plan::approve`] makes.
//!
//! The documents that clients show and print ([`Comparison`], [`Plan`], [`SyncReport`], [`History`], …) serialise to the
//! JSON of the published interface as they are.

mod application;
mod approval;
mod attribution;
mod bounded;
mod claims;
mod commits;
mod compare;
mod comparison;
mod controllers;
mod desired;
mod error;
mod examine;
mod extras;
mod field;
mod fleet;
mod handle;
mod history;
mod hub;
mod ignore;
mod judge;
mod ledger;
mod order;
mod patches;
mod plan;
mod planning;
mod predict;
mod report;
mod repository;
mod results;
mod retry;
mod scopes;
mod step;
mod supervisor;
mod sync;
mod target;
mod wait;
mod warnings;
mod worker;

pub use approval::{ApprovedPlan, Issued, Operator, Refusal};
pub use comparison::{
    Action, ApplicationState, AutoSyncView, Change, ChangeOrigin, Comparison, Extra, LeaseView, LiveAge,
    ObjectComparison, ObjectState, Side, Sides,
};
pub use error::EngineError;
pub use fleet::{
    Activity, ActivityKind, ApplicationView, ClusterState, ClusterView, CommitSummary, Fleet, LastSync,
    RepositoryState, RepositoryView, Work,
};
pub use handle::{Engine, Options};
pub use history::{AppliedAt, CommitEffect, CommitRow, GitChange, History, LiveEffect, RenderedObject, RevertTarget};
pub use plan::{Choices, Confirmation, Counts, Plan, PlanWarning, Step, StepAction};
pub use report::{Outcome, StepReport, StepResult, SyncProgress, SyncReport};
