//! The configuration as the rest of the program reads it: validated types without a trace of TOML.

use crate::render::{HelmOptions, Renderer};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// The whole configuration, validated: names are unique and references lead somewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// File it was read from.
    pub path: PathBuf,
    /// `[[repository]]`.
    pub repositories: Vec<Repository>,
    /// `[[cluster]]`.
    pub clusters: Vec<Cluster>,
    /// `[[application]]`.
    pub applications: Vec<Application>,
    /// `[ui]`.
    pub ui: Ui,
    /// `[keys]`: action -> keys; an empty list unbinds.
    pub keys: BTreeMap<String, Vec<String>>,
    /// `[signers]`.
    pub signers: Signers,
}

impl Config {
    /// Finds a repository by name.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.name == name)
    }
    /// Finds a cluster by name.
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }
    /// Finds an application by name.
    pub fn application(&self, name: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.name == name)
    }
    /// Returns the cluster of an application.
    pub fn cluster_of(&self, application: &str) -> Option<&Cluster> {
        self.cluster(&self.application(application)?.cluster)
    }
}

/// `[signers]`: whose signatures count where a repository's `verify` asks for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    /// Fingerprints of OpenPGP keys.
    pub gpg: Vec<String>,
    /// File of allowed SSH signers, in the format of `ssh-keygen`.
    pub ssh: Option<PathBuf>,
}

/// How often a repository is asked for news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Only by hand.
    Never,
    /// So often.
    Every(Duration),
}

/// Which signatures a repository needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// None.
    #[default]
    None,
    /// Signed commits.
    Commit,
    /// Signed tags.
    Tag,
}

/// One `[[repository]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Name shown in the console.
    pub name: String,
    /// Address; a relative path is made absolute.
    pub url: String,
    /// Branch, tag or commit; none: the remote's HEAD.
    pub revision: Option<String>,
    /// How often it is polled.
    pub poll: Poll,
    /// Signatures needed.
    pub verify: Verify,
    /// Folder whose Git identity and signing settings count for commits made here.
    pub identity_from: Option<PathBuf>,
}

/// One `[[cluster]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Name.
    pub name: String,
    /// Kubeconfig; none: as kubectl does.
    pub kubeconfig: Option<PathBuf>,
    /// Context; none: the current one.
    pub context: Option<String>,
    /// Red frame, typed confirmation.
    pub production: bool,
    /// Starts armed for writes.
    pub write: bool,
    /// Exec plugins that may run.
    pub exec_plugins: Vec<String>,
    /// Life of `DIGEST@ISSUED` on the command line.
    pub approval_ttl: Duration,
}

/// What live fields that Git does not set mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extras {
    /// Shown, not counted.
    #[default]
    Show,
    /// Counted as drift.
    Drift,
    /// Not shown.
    Hide,
}

/// `auto_sync` of an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoSync {
    /// On.
    pub enabled: bool,
    /// May prune.
    pub prune: bool,
    /// May undo drift.
    pub self_heal: bool,
    /// May act on a production cluster.
    pub production: bool,
}

/// One `[[application.ignore]]`: fields that do not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ignore {
    /// Group, `*` for all.
    pub group: String,
    /// Kind, `*` for all.
    pub kind: String,
    /// Name glob.
    pub name: String,
    /// Namespace glob.
    pub namespace: String,
    /// JSON pointers.
    pub paths: Vec<String>,
    /// Managers whose fields are ignored.
    pub managers: Vec<String>,
}

/// One `[[application]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// Name, a DNS label: it names the inventory.
    pub name: String,
    /// Repository's name.
    pub repository: String,
    /// Folder or file in the repository, without leading or trailing `/`; the root is empty.
    pub path: String,
    /// Revision; none: the repository's.
    pub revision: Option<String>,
    /// Cluster's name.
    pub cluster: String,
    /// Namespace for objects that name none.
    pub namespace: Option<String>,
    /// How manifests are made.
    pub renderer: Renderer,
    /// Plain YAML: sub-folders too.
    pub recurse: bool,
    /// Plain YAML: globs.
    pub include: Vec<String>,
    /// Plain YAML: globs.
    pub exclude: Vec<String>,
    /// Delete what is gone from Git (by a plan).
    pub prune: bool,
    /// What extras mean.
    pub extras: Extras,
    /// Applications that must be Synced and Healthy before.
    pub depends_on: Vec<String>,
    /// Where inventory, records and Lease live; none: `namespace`.
    pub state_namespace: Option<String>,
    /// Auto-sync's proposal.
    pub auto_sync: AutoSync,
    /// Sync windows, as written.
    pub windows: Vec<String>,
    /// Health wait of one wave.
    pub timeout: Duration,
    /// Helm's options.
    pub helm: HelmOptions,
    /// Ignored fields.
    pub ignore: Vec<Ignore>,
}

/// Which diff layout the console starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One column.
    #[default]
    Unified,
    /// Two columns.
    SideBySide,
}

/// `[ui]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ui {
    /// Theme's name.
    pub theme: String,
    /// ASCII glyphs: on, off, or as the terminal needs (none).
    pub ascii: Option<bool>,
    /// Mouse.
    pub mouse: bool,
    /// Diff layout.
    pub layout: Layout,
    /// External pager.
    pub pager: Option<String>,
    /// Every approval typed.
    pub confirm_always: bool,
}

impl Default for Ui {
    fn default() -> Self {
        Self {
            theme: "default".into(),
            ascii: None,
            mouse: true,
            layout: Layout::Unified,
            pager: None,
            confirm_always: false,
        }
    }
}
