//! The one way to write: an operator's approval of exactly one plan.

use super::{
    controllers,
    ignore::LeftAlone,
    order::Place,
    plan::{Choices, Confirmation, Plan, StepAction},
};
use crate::{
    cluster::{Conflict, LiveObject, Resource},
    merge::{Path, live_content},
    object::{ObjectId, Pointer, canonical_json, sha256_hex},
};
use jiff::Timestamp;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// One step with everything that it sends and relies on.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct BoundStep {
    /// The object.
    pub id: ObjectId,
    /// Where requests go.
    pub resource: Resource,
    /// What is done.
    pub action: StepAction,
    /// Where it stands in the order.
    pub place: Place,
    /// What is sent; nothing for a prune.
    pub body: Value,
    /// What of the object is left alone, where a rule says so.
    pub left_alone: Option<Arc<LeftAlone>>,
    /// The live object that it was planned against; none: the object was absent.
    pub live: Option<LiveMark>,
    /// Fields that are taken from other managers.
    pub conflicts: Vec<Conflict>,
}

impl BoundStep {
    /// Returns what is sent to the live object of now: ignored fields that have moved are carried as they are.
    ///
    /// # Errors
    /// Why what was shown cannot be sent any more.
    pub(in crate::engine) fn body_for(&self, live: Option<&LiveObject>) -> Result<Cow<'_, Value>, String> {
        match (&self.left_alone, live) {
            (Some(left), Some(live)) => left.payload_for(&live.body).map(Cow::Owned),
            _ => Ok(Cow::Borrowed(&self.body)),
        }
    }
    /// Returns what was shown to be sent: the same however ignored fields move.
    pub(in crate::engine) fn shown(&self) -> Cow<'_, Value> {
        self.left_alone.as_ref().map_or(Cow::Borrowed(&self.body), |left| Cow::Owned(left.marked()))
    }
}

/// What a step relies on of a live object.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct LiveMark {
    /// Its uid.
    pub uid: String,
    /// Digest of its content that counts.
    pub digest: String,
    /// Known controllers' fields: they do not count.
    uncounted: Vec<Pointer>,
    /// Fields that are left alone: they do not count either.
    ignored: Vec<Path>,
}

/// How a live object stands to the mark that was taken of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Since {
    /// What counts is as it was.
    Same,
    /// Its content moved.
    Changed,
    /// It is another object of the same name.
    Replaced,
}

impl LiveMark {
    /// Takes the mark of a live object; `payload` is what is sent of it (null: nothing), `ignored` what is left alone.
    pub(in crate::engine) fn of(id: &ObjectId, live: &LiveObject, payload: &Value, ignored: Vec<Path>) -> Self {
        let uncounted = controllers::uncounted(id, &live.body, payload);
        let mut mark = Self { uid: live.uid.clone(), digest: String::new(), uncounted, ignored };
        mark.digest = mark.digest_of(live);
        mark
    }

    /// Takes the mark of a live object that cannot be read; why stands for its digest.
    pub(in crate::engine) fn unreadable(uid: &str, reason: &str) -> Self {
        Self { uid: uid.to_owned(), digest: reason.to_owned(), uncounted: vec![], ignored: vec![] }
    }

    fn digest_of(&self, live: &LiveObject) -> String {
        let ignored = self.ignored.iter().filter_map(|path| path.resolve(&live.body));
        let uncounted: Vec<Pointer> = self.uncounted.iter().cloned().chain(ignored).collect();
        live_digest(live, &uncounted)
    }

    /// Compares a live object of now with the mark.
    pub(in crate::engine) fn since(&self, live: &LiveObject) -> Since {
        if self.uid != live.uid {
            Since::Replaced
        } else if self.digest != self.digest_of(live) {
            Since::Changed
        } else {
            Since::Same
        }
    }
}

/// Hash of the part of a live object that counts: status writes do not change it.
pub(in crate::engine) fn live_digest(live: &LiveObject, uncounted: &[Pointer]) -> String {
    sha256_hex(canonical_json(&live_content(&live.body, uncounted)))
}

/// What a plan sends and binds; only planning and the sync read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct Bound {
    /// What the operator chose.
    pub choices: Choices,
    /// The document that the digest is taken over.
    pub document: Value,
    /// Steps in order, as in the plan.
    pub steps: Vec<BoundStep>,
    /// What is sent for every object of the application, unchanged ones included: the record's payload.
    pub payload: BTreeMap<ObjectId, Value>,
    /// Objects that are as they should be.
    pub unchanged: Vec<ObjectId>,
    /// Objects left out by choice or because they cannot be compared.
    pub left_out: Vec<ObjectId>,
    /// Identity of the source repository.
    pub source: String,
    /// Renderer's name.
    pub renderer: String,
    /// Renderer's options.
    pub options: Value,
    /// Whether members that are gone from Git are deleted.
    pub prune: bool,
}

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

impl Operator {
    /// Returns who this process acts as, `user` being the API server's answer.
    pub(in crate::engine) fn here(user: &str) -> Self {
        let os_user = os_user().unwrap_or_else(|| "unknown".into());
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .or_else(|_| std::env::var("HOSTNAME"))
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown".into());
        Self { user: user.to_owned(), os_user, host }
    }
}

/// The operating system's name of this user: from the environment, else from the password file by the process's uid.
fn os_user() -> Option<String> {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.or_else(|| {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next())?.to_owned();
        let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid).then(|| name.to_owned())
        })
    })
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
    /// Something that the plan binds has moved.
    #[error("the plan has changed since it was shown: {0}")]
    Stale(String),
    /// This approval has been used.
    #[error("this approval was used before: make a new plan")]
    Used,
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
}

/// A plan that an operator approved; consumed by the sync, so it works once.
#[derive(Debug)]
pub struct ApprovedPlan {
    pub(in crate::engine) plan: Arc<Plan>,
    pub(in crate::engine) operator: Operator,
    pub(in crate::engine) approved: Timestamp,
    pub(in crate::engine) issued: Issued,
}

/// When the digest that an approval names was issued: one digest of one issue can be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    /// With the plan that was approved: it was on the screen.
    WithPlan,
    /// Earlier, with a plan that had the same digest.
    At(Timestamp),
    /// Not known: the digest alone was given, so no earlier sync may have used it.
    Unknown,
}

impl ApprovedPlan {
    /// Says that the approval names an earlier plan's digest.
    #[must_use]
    pub fn issued(self, issued: Issued) -> Self {
        Self { issued, ..self }
    }
    /// Returns the plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
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
        Ok(ApprovedPlan { plan: self, operator, approved: now, issued: Issued::WithPlan })
    }
}
