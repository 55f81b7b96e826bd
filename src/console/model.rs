//! Everything the console knows and shows. Only [`super::update`] changes it, only [`super::view`] draws it.

use super::{
    action::Scope,
    diff::DiffPane,
    glyph::{self, Glyphs},
    keymap::Keymap,
    message::{Stamp, Ticket},
    screen::Layer,
    selection::Selection,
    theme::Theme,
};
use crate::{
    engine::{Activity, ApplicationView, Choices, ClusterView, CommitRow, Fleet, RepositoryView, Work},
    git::CommitId,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// One of the panes of the main screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pane {
    /// 1
    Repositories,
    /// 2
    Applications,
    /// 3
    History,
    /// 0
    Diff,
    /// 4
    Activity,
}

/// The panes in the order of `tab`.
pub const PANES: [Pane; 5] = [Pane::Repositories, Pane::Applications, Pane::History, Pane::Diff, Pane::Activity];

/// What does not change while the console runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Signs.
    pub glyphs: Glyphs,
    /// Styles.
    pub theme: Theme,
    /// Every approval is typed.
    pub confirm_always: bool,
    /// Started with `--read-only`: `:write` is refused.
    pub read_only: bool,
    /// Keys in force.
    pub keymap: Arc<Keymap>,
    /// How an object becomes text.
    pub yaml: fn(&Value) -> String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            glyphs: glyph::UNICODE,
            theme: Theme::default(),
            confirm_always: false,
            read_only: false,
            keymap: Arc::new(Keymap::default()),
            yaml: crate::object::to_yaml,
        }
    }
}

/// A text being typed into the bottom line.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `/`: the filter of a pane.
    Filter(Pane),
    /// `:`: a command; which completion `tab` shows next, and of what text.
    Command {
        /// What stands on the line.
        text: String,
        /// The text that is being completed, and the next candidate.
        completing: Option<(String, usize)>,
    },
}

/// How long and how loudly a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    Info,
    /// Something did not happen.
    Warning,
}

/// A message in the line above the hints; it has an age and expires.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// What.
    pub text: String,
    /// How loud.
    pub tone: Tone,
    /// Since when.
    pub since: Duration,
    /// It answers a key: the next key that does something takes it away.
    pub answer: bool,
}

impl Status {
    /// Returns how long it stands.
    pub fn life(&self) -> Duration {
        Duration::from_secs(if self.tone == Tone::Info { 6 } else { 20 })
    }
}

/// A sync that this console started and that has not answered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Whose answer.
    pub ticket: Ticket,
    /// Number of its plan.
    pub number: u64,
    /// When it was approved.
    pub approved: Stamp,
    /// What was planned, to plan it again when the approval is refused as stale.
    pub choices: Choices,
    /// Digest of the plan.
    pub digest: String,
}

/// The model.
#[derive(Clone, Debug)]
pub struct Model {
    /// What does not change.
    pub settings: Settings,
    /// Time of the last message.
    pub stamp: Stamp,
    /// Latest snapshot.
    pub fleet: Arc<Fleet>,
    /// The console's own entries among the activity.
    pub notes: Vec<Activity>,
    /// Terminal's size, columns and rows.
    pub size: (u16, u16),
    /// Pane with the focus.
    pub focus: Pane,
    /// Whether it has the whole screen.
    pub zoom: bool,
    /// Pane 1.
    pub repositories: Selection<String>,
    /// Pane 2.
    pub applications: Selection<String>,
    /// Pane 3.
    pub history: Selection<CommitId>,
    /// Pane 4, newest first.
    pub activity: Selection<Activity>,
    /// Pane 0.
    pub diff: DiffPane,
    /// Application that history and diff are about.
    pub subject: Option<String>,
    /// Screens on top of the panes, the last one above.
    pub layers: Vec<Layer>,
    /// Text being typed.
    pub input: Option<Input>,
    /// Message.
    pub status: Option<Status>,
    /// Syncs without an answer, by application.
    pub runs: BTreeMap<String, Run>,
    /// Epoch of the last question.
    pub epoch: u64,
    /// When the last key came; none: nothing was touched yet.
    pub last_key: Option<Duration>,
    /// Rows have to be made anew.
    pub rows_stale: bool,
    /// The operator leaves.
    pub done: bool,
}

impl Model {
    /// Returns a model of nothing yet.
    pub fn new(settings: Settings, stamp: Stamp, size: (u16, u16)) -> Self {
        Self {
            settings,
            stamp,
            fleet: Arc::default(),
            notes: Vec::new(),
            size,
            focus: Pane::Applications,
            zoom: false,
            repositories: Selection::default(),
            applications: Selection::default(),
            history: Selection::default(),
            activity: Selection::default(),
            diff: DiffPane::default(),
            subject: None,
            layers: Vec::new(),
            input: None,
            status: None,
            runs: BTreeMap::new(),
            epoch: 0,
            last_key: None,
            rows_stale: true,
            done: false,
        }
    }

    /// Returns a ticket for a new question; answers to older ones of the same place are dropped.
    pub fn ticket(&mut self, application: &str) -> Ticket {
        self.epoch += 1;
        Ticket { epoch: self.epoch, application: application.to_owned() }
    }

    /// Shows a message.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), tone, since: self.stamp.uptime, answer: false });
    }

    /// Returns the application under the cursor; none when it is gone.
    pub fn application(&self) -> Option<&Arc<ApplicationView>> {
        self.fleet.application(self.applications.current()?)
    }

    /// Returns the application that history and diff show, the cursor's last one while that is hidden by a filter.
    pub fn shown_application(&self) -> Option<&Arc<ApplicationView>> {
        self.fleet.application(self.subject.as_deref()?)
    }

    /// Returns the cluster of an application.
    pub fn cluster_of(&self, application: &ApplicationView) -> Option<&Arc<ClusterView>> {
        self.fleet.cluster(&application.cluster)
    }

    /// Returns the cluster that the header is about: the top screen's application's, else the cursor's, else the first.
    pub fn cluster(&self) -> Option<&Arc<ClusterView>> {
        let named = self.layers.iter().rev().find_map(Layer::application).and_then(|name| self.fleet.application(name));
        let application = named.or_else(|| self.shown_application());
        match application {
            Some(application) => self.cluster_of(application),
            None => self.fleet.clusters.first(),
        }
    }

    /// Says whether writes to an application's cluster are armed.
    pub fn armed(&self, application: &str) -> bool {
        let cluster = self.fleet.application(application).and_then(|application| self.cluster_of(application));
        !self.settings.read_only && cluster.is_some_and(|cluster| cluster.armed)
    }

    /// Returns the repository under the cursor.
    pub fn repository(&self) -> Option<&Arc<RepositoryView>> {
        self.fleet.repository(self.repositories.current()?)
    }

    /// Returns the rows of the history that is shown.
    pub fn commits(&self) -> &[CommitRow] {
        self.shown_application().and_then(|application| application.history.as_ref()).map_or(&[], |h| &h.commits)
    }

    /// Returns the commit under the history's cursor.
    pub fn commit(&self) -> Option<&CommitRow> {
        let id = self.history.current()?;
        self.commits().iter().find(|row| row.id == *id)
    }

    /// Says whether a sync of an application runs.
    pub fn syncing(&self, application: &str) -> bool {
        self.runs.contains_key(application)
            || self.fleet.application(application).is_some_and(|view| matches!(view.work, Work::Syncing(_)))
    }

    /// Returns the applications whose sync would be stopped by leaving.
    pub fn running(&self) -> Vec<String> {
        let working = self.fleet.applications.iter().filter(|view| matches!(view.work, Work::Syncing(_)));
        let mut names: Vec<String> = working.map(|view| view.name.clone()).chain(self.runs.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the scopes whose keys count now, innermost first.
    pub fn scopes(&self) -> &'static [Scope] {
        use Scope as S;
        match self.layers.last() {
            None if self.focus == Pane::History => &[S::History, S::Main, S::Move, S::Global],
            None => &[S::Main, S::Move, S::Global],
            Some(Layer::Plan(_)) => &[S::Plan, S::Layer, S::Move, S::Global],
            Some(Layer::Sync(_)) => &[S::Sync, S::Layer, S::Move, S::Global],
            Some(Layer::Revert(_)) => &[S::Revert, S::Layer, S::Move, S::Global],
            Some(Layer::Commit(_)) => &[S::Commit, S::Layer, S::Move, S::Global],
            Some(Layer::Help(_)) => &[S::Help, S::Move, S::Global],
            Some(Layer::Quit(_)) => &[S::Quit, S::Layer, S::Global],
            Some(Layer::Diff(_) | Layer::Document(_)) => &[S::Layer, S::Move, S::Global],
        }
    }
}
