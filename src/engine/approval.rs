//! The one way to write: an operator's approval of exactly one plan.

use super::plan::{Confirmation, Plan};
use jiff::Timestamp;
use std::sync::Arc;

/// What a plan sends and binds; only the sync reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct Bound {}

/// Who approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// User as the API server knows it.
    pub user: String,
    /// Operating system's user.
    pub os_user: String,
    /// Host.
    pub host: String,
}

/// Why a plan was not approved. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The plan says itself that it cannot be.
    #[error("this plan cannot be approved: {0}")]
    NotApprovable(String),
    /// Too old.
    #[error("the approval has expired: make a new plan")]
    Expired,
    /// The name was not typed.
    #[error("this plan needs the application's name typed (--confirm {0})")]
    ConfirmationMissing(String),
    /// Read-only.
    #[error("read-only: arm with :write, --write, or write = true in the cluster's section")]
    ReadOnly,
    /// Another digest.
    #[error("the plan has changed since it was shown: {0}")]
    Stale(String),
}

/// A plan that an operator approved; consumed by the sync, so it works once.
#[derive(Debug)]
pub struct ApprovedPlan {
    pub(in crate::engine) plan: Arc<Plan>,
    pub(in crate::engine) operator: Operator,
    pub(in crate::engine) approved: Timestamp,
}

impl Plan {
    /// Approves this plan. `confirm` is the name that was typed, where the plan asks for it.
    ///
    /// # Errors
    /// [`Refusal`] says why not; the plan stays as it is.
    pub fn approve(
        self: Arc<Self>,
        operator: Operator,
        confirm: Option<&str>,
        now: Timestamp,
    ) -> Result<ApprovedPlan, Refusal> {
        if !self.approvable {
            return Err(Refusal::NotApprovable(self.reason.clone().unwrap_or_default()));
        }
        if now > self.expires {
            return Err(Refusal::Expired);
        }
        let name = &self.comparison.application;
        if self.confirmation == Confirmation::Typed && confirm != Some(name) {
            return Err(Refusal::ConfirmationMissing(name.clone()));
        }
        Ok(ApprovedPlan { plan: self, operator, approved: now })
    }
}
