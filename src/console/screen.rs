//! Screens on top of the panes.

use super::{
    diff::DiffPane,
    message::{Stamp, Ticket},
};
use crate::{
    engine::{Choices, CommitEffect, Comparison, Confirmation, GitChange, Plan, RevertTarget, SyncReport},
    git::CommitId,
};
use std::{sync::Arc, time::Duration};

/// How long a dangerous screen must have stood before its answer counts.
pub const SETTLE: Duration = Duration::from_millis(300);
/// How long no key may have come before a dangerous answer: most terminals do not report key repeat.
pub const QUIET: Duration = Duration::from_millis(150);

/// One screen.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A plan, before its approval.
    Plan(Box<PlanScreen>),
    /// A sync.
    Sync(SyncScreen),
    /// A revert commit, before its push.
    Revert(RevertScreen),
    /// A commit beside the history.
    Commit(CommitScreen),
    /// A diff of something else than the selected application's comparison.
    Diff(Box<DiffPane>),
    /// Text.
    Document(Document),
    /// Help.
    Help(HelpScreen),
    /// The question before quitting: since when it stands.
    Quit(Option<Duration>),
}

impl Layer {
    /// Returns the application that the screen is about.
    pub fn application(&self) -> Option<&str> {
        match self {
            Self::Plan(screen) => Some(&screen.ticket.application),
            Self::Sync(screen) => Some(&screen.application),
            Self::Revert(screen) => Some(&screen.ticket.application),
            Self::Commit(screen) => Some(&screen.application),
            Self::Diff(_) | Self::Document(_) | Self::Help(_) | Self::Quit(_) => None,
        }
    }
}

/// Something asked for: on its way, here, or not to be had.
#[derive(Clone, Debug)]
pub enum Loaded<T> {
    /// On its way.
    Loading,
    /// Here.
    Ready(T),
    /// Why not.
    Failed(String),
}

impl<T> Loaded<T> {
    /// Returns it if it is here.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            _ => None,
        }
    }
}

/// What is typed or pointed at on a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name to type.
    Name,
    /// Cancel, where the focus starts.
    Cancel,
}

/// A plan, before its approval.
#[derive(Clone, Debug)]
pub struct PlanScreen {
    /// Whose answer counts.
    pub ticket: Ticket,
    /// What was asked for.
    pub choices: Choices,
    /// The plan.
    pub plan: Loaded<Arc<Plan>>,
    /// The application's comparison when the plan came: what has to stay for the approval to hold.
    pub basis: Option<Arc<Comparison>>,
    /// Digest of the plan that was shown before this one.
    pub previous: Option<String>,
    /// What moved since that one.
    pub moved: Vec<String>,
    /// Since when the plan stands on the screen.
    pub shown: Option<Duration>,
    /// What was typed into the name field.
    pub typed: String,
    /// Where letters go.
    pub field: Field,
    /// Wait for health.
    pub wait: bool,
    /// First line on the screen.
    pub scroll: usize,
}

impl PlanScreen {
    /// Returns a screen that waits for its plan.
    pub fn new(ticket: Ticket, choices: Choices) -> Self {
        Self {
            ticket,
            choices,
            plan: Loaded::Loading,
            basis: None,
            previous: None,
            moved: Vec::new(),
            shown: None,
            typed: String::new(),
            field: Field::Cancel,
            wait: true,
            scroll: 0,
        }
    }

    /// Says whether the application's name must be typed.
    pub fn typed_needed(&self, confirm_always: bool) -> bool {
        self.plan.ready().is_some_and(|plan| confirm_always || plan.confirmation == Confirmation::Typed)
    }
}

/// A sync, running or done.
#[derive(Clone, Debug)]
pub struct SyncScreen {
    /// Application.
    pub application: String,
    /// Number of the plan.
    pub number: u64,
    /// When it was approved; none: by another console or the command line.
    pub approved: Option<Stamp>,
    /// Stop was asked for.
    pub stopping: bool,
    /// How it ended, or why nothing is known.
    pub report: Loaded<Arc<SyncReport>>,
    /// First line on the screen.
    pub scroll: usize,
}

/// A revert commit, before and after its push.
#[derive(Clone, Debug)]
pub struct RevertScreen {
    /// Whose answer counts.
    pub ticket: Ticket,
    /// Commit to undo.
    pub commit: CommitId,
    /// Its subject.
    pub subject: String,
    /// How many parents it has.
    pub parents: usize,
    /// Which one stays.
    pub parent: Option<usize>,
    /// Where it goes.
    pub target: RevertTarget,
    /// The commit that was written; none: a merge's parent has to be chosen first.
    pub change: Option<Loaded<Arc<GitChange>>>,
    /// It is being pushed.
    pub pushing: bool,
    /// What the server refused with.
    pub refused: Option<String>,
    /// Since when the commit stands on the screen.
    pub shown: Option<Duration>,
    /// What was typed into the name field.
    pub typed: String,
    /// Where letters go.
    pub field: Field,
    /// First line on the screen.
    pub scroll: usize,
}

/// A commit beside the history.
#[derive(Clone, Debug)]
pub struct CommitScreen {
    /// Application.
    pub application: String,
    /// Whose answer counts.
    pub ticket: Ticket,
    /// The commit.
    pub commit: CommitId,
    /// What it does.
    pub effect: Loaded<Arc<CommitEffect>>,
    /// First line of the detail.
    pub scroll: usize,
}

/// Text to read.
#[derive(Clone, Debug)]
pub struct Document {
    /// Title.
    pub title: String,
    /// Lines, cleaned.
    pub lines: Vec<String>,
    /// First line on the screen.
    pub scroll: usize,
}

/// Help with its search.
#[derive(Clone, Debug, Default)]
pub struct HelpScreen {
    /// Search text.
    pub filter: String,
    /// Row under the cursor.
    pub row: usize,
    /// First row on the screen.
    pub offset: usize,
}
