//! Commits that touch an application, what each does, and commits that driftdeck writes.

use super::{comparison::ObjectComparison, plan::Counts, report::Outcome};
use crate::git::{CommitId, FileChange, Person};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One time a commit was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedAt {
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub by: String,
    /// With what outcome; null while it runs.
    pub outcome: Option<Outcome>,
    /// `namespace/name` of the record.
    pub record: String,
    /// `sha256:<hex>` of the plan.
    pub digest: String,
}

/// One row of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommitRow {
    /// Its id.
    pub id: CommitId,
    /// Its parents.
    pub parents: Vec<CommitId>,
    /// First line of the message.
    pub subject: String,
    /// Author.
    pub author: Person,
    /// Author's time.
    pub time: Timestamp,
    /// `good`, `bad`, `none`, `unknown`: unknown until signatures are verified.
    pub signature: String,
    /// Branches and tags that point to it.
    pub refs: Vec<String>,
    /// Whether it changes what is rendered; null: not computed.
    pub effect: Option<bool>,
    /// The application is pinned to it.
    pub pinned: bool,
    /// Commit that it reverts.
    pub reverts: Option<CommitId>,
    /// Commit that reverts it.
    pub reverted_by: Option<CommitId>,
    /// When it was applied, newest first.
    pub applied: Vec<AppliedAt>,
}

/// Commits that touch an application, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Application's name.
    pub application: String,
    /// Rows.
    pub commits: Vec<CommitRow>,
}

/// One rendered object that a commit changed against its parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenderedObject {
    /// The object, with its changes: `live` is the parent's side, `desired` the commit's.
    #[serde(flatten)]
    pub object: ObjectComparison,
}

/// A commit's rendered change, and what applying it now would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommitEffect {
    /// Application's name.
    pub application: String,
    /// The commit.
    pub commit: CommitRow,
    /// The whole message.
    #[serde(skip)]
    pub message: String,
    /// Files it changed.
    #[serde(skip)]
    pub files: Vec<FileChange>,
    /// Objects it changed against its parent; only those.
    pub rendered: Vec<RenderedObject>,
    /// What applying it now would do.
    pub live: LiveEffect,
}

/// Effect on the live cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LiveEffect {
    /// Steps by kind.
    pub counts: Counts,
    /// Objects that would change.
    pub objects: Vec<ObjectComparison>,
    /// Why it could not be computed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// Where a commit that driftdeck writes goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevertTarget {
    /// The application's branch.
    #[default]
    Branch,
    /// A review branch `driftdeck/…`.
    Review,
}

/// A commit that driftdeck wrote, or would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GitChange {
    /// Application's name.
    pub application: String,
    /// The commit in the mirror; null when there is nothing to commit or there are conflicts.
    pub commit: Option<CommitId>,
    /// Branch it goes to.
    pub branch: String,
    /// Whether it is on the server.
    pub pushed: bool,
    /// Address where a pull request can be opened.
    pub url: Option<String>,
    /// Files it changes.
    pub files: Vec<FileChange>,
    /// Paths in conflict; nothing was written.
    pub conflicts: Vec<String>,
    /// Steps that applying it would take.
    pub plan: Counts,
    /// Why these are not known, or not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_error: Option<String>,
    /// Author and signer, as they stand in the commit, for the screen.
    #[serde(skip)]
    pub author: String,
    /// The commit's message, for the screen.
    #[serde(skip)]
    pub message: String,
}
