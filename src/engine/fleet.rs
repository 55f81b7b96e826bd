//! The immutable snapshot that clients read: everything the engine knows, at one moment.

use super::{
    comparison::Comparison,
    history::History,
    report::{Outcome, SyncProgress, SyncReport},
};
use crate::git::{CommitId, Progress};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Everything, at one moment. Parts that did not change are shared with the snapshot before.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Grows with every snapshot.
    pub generation: u64,
    /// In configuration order.
    pub repositories: Vec<Arc<RepositoryView>>,
    /// In configuration order.
    pub clusters: Vec<Arc<ClusterView>>,
    /// In configuration order.
    pub applications: Vec<Arc<ApplicationView>>,
    /// Newest last; bounded.
    pub activity: Arc<Vec<Activity>>,
    /// Why the configuration on disk was not taken up; empty when it was.
    pub config_problems: Vec<String>,
}

impl Fleet {
    /// Finds an application by name.
    pub fn application(&self, name: &str) -> Option<&Arc<ApplicationView>> {
        self.applications.iter().find(|application| application.name == name)
    }
    /// Finds a cluster by name.
    pub fn cluster(&self, name: &str) -> Option<&Arc<ClusterView>> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }
    /// Finds a repository by name.
    pub fn repository(&self, name: &str) -> Option<&Arc<RepositoryView>> {
        self.repositories.iter().find(|repository| repository.name == name)
    }
}

/// A commit in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSummary {
    /// Its id.
    pub id: CommitId,
    /// First line of the message.
    pub subject: String,
    /// Author's name.
    pub author: String,
    /// Author's time.
    pub time: Timestamp,
}

/// What a repository is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RepositoryState {
    /// Not started.
    #[default]
    Waiting,
    /// First clone.
    Cloning(Progress),
    /// Asking for news or fetching.
    Fetching(Progress),
    /// Up to date.
    Ready,
    /// The last try failed; the mirror, where there is one, stays usable.
    Failed {
        /// Why, with the remedy.
        message: String,
        /// Next try.
        retry_at: Option<Timestamp>,
    },
}

/// One repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryView {
    /// Name.
    pub name: String,
    /// Address without credentials.
    pub url: String,
    /// What it is doing.
    pub state: RepositoryState,
    /// Tip of its revision.
    pub head: Option<CommitSummary>,
    /// Branch, where the revision names one.
    pub branch: Option<String>,
    /// Last time the server was heard from.
    pub fetched_at: Option<Timestamp>,
    /// Forced or deleted branches since the start, in words; stays until the next change.
    pub notice: Option<String>,
}

/// What a cluster session is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClusterState {
    /// Not connected yet.
    #[default]
    Connecting,
    /// Connected.
    Connected {
        /// Round trip of the last ping.
        latency: Duration,
    },
    /// Lost or never reached.
    Failed {
        /// Why, with the remedy.
        message: String,
        /// Since when.
        since: Timestamp,
        /// Next try.
        retry_at: Option<Timestamp>,
    },
}

/// One cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Name in the configuration.
    pub name: String,
    /// kubeconfig context.
    pub context: String,
    /// Red frame.
    pub production: bool,
    /// Whether writes are armed.
    pub armed: bool,
    /// State.
    pub state: ClusterState,
    /// Server version.
    pub version: Option<String>,
    /// User as the server knows it.
    pub user: Option<String>,
}

/// What the engine is doing for an application.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Work {
    /// Nothing.
    #[default]
    Idle,
    /// Waiting for its repository or cluster; says which.
    Waiting(String),
    /// Rendering.
    Rendering,
    /// Comparing: objects done, of all.
    Comparing(usize, usize),
    /// Syncing.
    Syncing(SyncProgress),
}

/// The last sync as the cluster's records say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastSync {
    /// When it started.
    pub time: Timestamp,
    /// By whom.
    pub by: String,
    /// Outcome; null while it runs.
    pub outcome: Option<Outcome>,
    /// Commit.
    pub revision: Option<CommitId>,
}

/// One application.
#[derive(Clone, Debug, Default)]
pub struct ApplicationView {
    /// Name.
    pub name: String,
    /// Repository's name.
    pub repository: String,
    /// Path in it.
    pub path: String,
    /// Cluster's name.
    pub cluster: String,
    /// Namespace for objects that name none.
    pub namespace: Option<String>,
    /// How long a sync waits for health, and for deleted objects to be gone.
    pub timeout: Duration,
    /// The latest comparison; kept, with its age, while a newer one cannot be made.
    pub comparison: Option<Arc<Comparison>>,
    /// When the comparison was made.
    pub compared_at: Option<Timestamp>,
    /// Why there is no newer comparison, with the remedy.
    pub error: Option<String>,
    /// What the engine is doing for it.
    pub work: Work,
    /// Commits that touch it.
    pub history: Option<Arc<History>>,
    /// Last sync, by anyone.
    pub last_sync: Option<LastSync>,
    /// The report of the last sync of this process.
    pub last_report: Option<Arc<SyncReport>>,
}

/// How an activity entry went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKind {
    /// Running.
    Running,
    /// Done.
    Done,
    /// Worth a look.
    Notice,
    /// Failed.
    Failed,
}

/// One line of the activity pane. Texts are clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// When.
    pub time: Timestamp,
    /// How it went.
    pub kind: ActivityKind,
    /// Application, repository or cluster.
    pub subject: String,
    /// What happened.
    pub text: String,
}
