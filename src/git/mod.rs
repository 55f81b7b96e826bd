//! The Git side: a bare mirror for each repository, read from the object database and never from a work tree.
//!
//! See [`Mirror`] for the entry point. Everything here blocks: the engine calls it on a blocking thread.
//!
//! - on disk: `mirror` (open, clone), `lock` (one writer), `maintain` (joins packs)
//! - to the server: `remote` (a connection of any transport), with `http`, `ssh` and `child` under it; `fetch` (and poll)
//! - reading: `refs` (what a revision names), `commit`, `tree`, `history`, `diff`, `source` (who the repository is)
//! - writing: `revert` with `three_way` and `sides`, `identity`; `push` with `pull_request`
//! - in words: `url`, `failure`, `error`, `progress`
//!
//! gix does nearly all. The user's `git` runs for a push, to serve a repository on this machine (`git upload-pack`), and
//! to join packs; the user's ssh for ssh.

mod child;
mod commit;
mod diff;
mod error;
mod failure;
mod fetch;
mod history;
mod http;
mod identity;
mod lock;
mod maintain;
mod mirror;
#[cfg(test)]
mod oracle_tests;
mod progress;
mod pull_request;
mod push;
mod refs;
mod remote;
mod revert;
#[cfg(test)]
mod revert_tests;
mod sides;
mod source;
mod ssh;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod three_way;
mod tree;
mod url;

pub use error::GitError;
pub use mirror::Mirror;
pub use tree::CommitTree;
pub use url::RepositoryUrl;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The id of a commit (SHA-1 or SHA-256), printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(gix::ObjectId);

impl CommitId {
    /// Returns the first seven digits, as screens show them.
    pub fn short(&self) -> String {
        self.0.to_hex_with_len(7).to_string()
    }
    /// Returns gix's own id.
    pub fn object_id(&self) -> gix::ObjectId {
        self.0
    }
}
impl From<gix::ObjectId> for CommitId {
    fn from(id: gix::ObjectId) -> Self {
        Self(id)
    }
}
impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for CommitId {
    type Err = GitError;
    fn from_str(text: &str) -> Result<Self, GitError> {
        gix::ObjectId::from_hex(text.as_bytes()).map(Self).map_err(|_| GitError::NotACommit { text: text.to_owned() })
    }
}
impl Serialize for CommitId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
impl JsonSchema for CommitId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CommitId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$" })
    }
}

/// Who wrote something, by name and address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// Display name.
    pub name: String,
    /// Mail address.
    pub email: String,
}

/// One commit, read whole. Texts are as Git has them: clean them before they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: CommitId,
    /// Its parents, first parent first.
    pub parents: Vec<CommitId>,
    /// First line of the message.
    pub subject: String,
    /// The whole message.
    pub message: String,
    /// Author.
    pub author: Person,
    /// Author's time.
    pub time: Timestamp,
    /// Committer's time; history is ordered by it.
    pub committed: Timestamp,
}

/// What a revision text stands for right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The commit.
    pub commit: CommitId,
    /// The branch, where the text names one (or names nothing: the remote's HEAD); none for tags and commits.
    pub branch: Option<String>,
}

/// How far a clone or fetch is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done: `connecting`, `receiving objects`, `resolving deltas`.
    pub phase: String,
    /// Steps done.
    pub done: usize,
    /// Steps in all, where known.
    pub total: Option<usize>,
}

/// What a fetch changed among branches and tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchReport {
    /// Refs that are new or moved forward, short names.
    pub updated: Vec<String>,
    /// Branches that moved to a commit that does not contain the old one: name, old, new.
    pub forced: Vec<(String, CommitId, CommitId)>,
    /// Refs that are gone from the server. They are gone from the mirror too; their commits stay readable.
    pub deleted: Vec<String>,
}

/// Which commits a history holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryOptions {
    /// At most so many; none: all.
    pub limit: Option<usize>,
    /// Follow first parents only.
    pub first_parent: bool,
}

/// How a commit changed a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileStatus {
    /// New file.
    Added,
    /// Gone.
    Deleted,
    /// Other content or mode.
    Modified,
}

/// One file that a commit changed against its first parent, with the change as a unified patch. Texts are as Git has them:
/// clean them before they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// Repository path.
    pub path: String,
    /// What happened to it.
    pub status: FileStatus,
    /// Unified diff with Git's headers; `Binary files … differ` for binary content, and a like line for what is too large.
    pub patch: String,
}

/// What became of the wish to revert a commit. Nothing but objects is written: no ref moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reverted {
    /// The revert commit stands in the mirror, on top of the branch's tip, not pushed.
    Committed(CommitId),
    /// The branch already is as if the commit had never been: nothing to do.
    Empty,
    /// These paths were changed again since; nothing was written.
    Conflicts(Vec<String>),
}

/// Where a commit that was written into the mirror goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The branch on the server.
    pub branch: String,
    /// Address where a pull or merge request can be opened, as the server printed it or as made from the remote's URL.
    pub url: Option<String>,
}
