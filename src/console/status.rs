//! The state of an application in one sign, one word and one role; broken ones sort first.

use super::{glyph::Glyphs, theme::Role};
use crate::{
    cluster::HealthStatus,
    engine::{ApplicationState, ApplicationView, ClusterState, ClusterView, ObjectState, Outcome, StepResult, Work},
};

/// How an application stands, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing could be compared; there is a reason.
    Failed,
    /// Compared, and its objects do not do their work.
    Degraded,
    /// An object cannot be compared.
    Unknown,
    /// None of its objects exists.
    Missing,
    /// Git moved.
    OutOfSync,
    /// Live moved.
    Drifted,
    /// A sync runs.
    Syncing,
    /// As Git says, and on its way.
    Progressing,
    /// No comparison yet.
    Comparing,
    /// Waits for its repository or cluster.
    Waiting,
    /// Paused.
    Suspended,
    /// No difference.
    Synced,
}

impl Standing {
    /// Judges an application.
    pub fn of(application: &ApplicationView) -> Self {
        if matches!(application.work, Work::Syncing(_)) {
            return Self::Syncing;
        }
        let Some(comparison) = &application.comparison else {
            return match (&application.error, &application.work) {
                (Some(_), _) => Self::Failed,
                (None, Work::Rendering | Work::Comparing(..)) => Self::Comparing,
                (None, _) => Self::Waiting,
            };
        };
        match comparison.state {
            ApplicationState::Unknown => Self::Unknown,
            ApplicationState::Missing => Self::Missing,
            _ if comparison.health >= HealthStatus::Degraded => Self::Degraded,
            ApplicationState::OutOfSync => Self::OutOfSync,
            ApplicationState::Drifted => Self::Drifted,
            ApplicationState::Synced if comparison.paused => Self::Suspended,
            ApplicationState::Synced if comparison.health == HealthStatus::Progressing => Self::Progressing,
            ApplicationState::Synced => Self::Synced,
        }
    }

    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
            Self::Missing => "Missing",
            Self::OutOfSync => "OutOfSync",
            Self::Drifted => "Drifted",
            Self::Syncing => "Syncing",
            Self::Progressing => "Progressing",
            Self::Comparing => "Comparing",
            Self::Waiting => "Waiting",
            Self::Suspended => "Suspended",
            Self::Synced => "Synced",
        }
    }

    /// Returns its sign.
    pub fn sign(self, glyphs: &Glyphs) -> &'static str {
        match self {
            Self::Failed | Self::Degraded => glyphs.failed,
            Self::Unknown => "?",
            Self::Missing => "+",
            Self::OutOfSync => "~",
            Self::Drifted => "!",
            Self::Syncing | Self::Progressing | Self::Comparing => glyphs.running,
            Self::Waiting => glyphs.dot,
            Self::Suspended => glyphs.suspended,
            Self::Synced => glyphs.ok,
        }
    }

    /// Returns its role.
    pub fn role(self) -> Role {
        match self {
            Self::Failed | Self::Degraded => Role::Failed,
            Self::Unknown | Self::Missing | Self::OutOfSync => Role::Pending,
            Self::Drifted => Role::Drift,
            Self::Syncing | Self::Progressing | Self::Comparing => Role::Running,
            Self::Waiting | Self::Suspended => Role::Muted,
            Self::Synced => Role::Ok,
        }
    }
}

/// Says whether what is shown of an application is old: its comparison is stale, or its cluster is not there.
pub fn is_stale(application: &ApplicationView, cluster: Option<&ClusterView>) -> bool {
    application.comparison.as_ref().is_some_and(|comparison| {
        comparison.stale_since.is_some()
            || application.error.is_some()
            || cluster.is_some_and(|cluster| matches!(cluster.state, ClusterState::Failed { .. }))
    })
}

/// Says in a word that a cluster does not answer: lost, or never reached.
pub fn lost(cluster: &ClusterView) -> &'static str {
    if cluster.version.is_some() { "lost" } else { "not reached" }
}

/// Returns an object's sign, word and role.
pub fn object(state: ObjectState, glyphs: &Glyphs) -> (&'static str, &'static str, Role) {
    match state {
        ObjectState::Synced => (glyphs.ok, "same", Role::Ok),
        ObjectState::Changed => ("~", "changed", Role::Pending),
        ObjectState::Missing => ("+", "new", Role::Added),
        ObjectState::Extra => ("-", "extra", Role::Removed),
        ObjectState::Unknown => ("?", "unknown", Role::Pending),
    }
}

/// Returns a health's word and role; nothing to say about a healthy object.
pub fn health(status: HealthStatus) -> Option<(&'static str, Role)> {
    match status {
        HealthStatus::Healthy => None,
        HealthStatus::Suspended => Some(("suspended", Role::Muted)),
        HealthStatus::Progressing => Some(("progressing", Role::Running)),
        HealthStatus::Missing => Some(("missing", Role::Pending)),
        HealthStatus::Degraded => Some(("degraded", Role::Failed)),
        HealthStatus::Unknown => Some(("health unknown", Role::Pending)),
    }
}

/// Returns the word, sign and role of a sync's outcome.
pub fn outcome(outcome: Outcome, glyphs: &Glyphs) -> (&'static str, &'static str, Role) {
    match outcome {
        Outcome::Succeeded => ("succeeded", glyphs.ok, Role::Ok),
        Outcome::Failed => ("failed", glyphs.failed, Role::Failed),
        Outcome::Interrupted => ("interrupted", glyphs.suspended, Role::Pending),
        Outcome::Refused => ("refused, nothing written", glyphs.suspended, Role::Pending),
        Outcome::Unhealthy => ("applied, not healthy", "!", Role::Failed),
    }
}

/// Returns the word, sign and role of one step's result. No answer is not a failure.
pub fn step(result: StepResult, glyphs: &Glyphs) -> (&'static str, &'static str, Role) {
    match result {
        StepResult::Created => ("created", glyphs.ok, Role::Ok),
        StepResult::Configured => ("configured", glyphs.ok, Role::Ok),
        StepResult::Unchanged => ("unchanged", glyphs.ok, Role::Muted),
        StepResult::Adopted => ("adopted", glyphs.ok, Role::Ok),
        StepResult::Replaced => ("replaced", glyphs.ok, Role::Ok),
        StepResult::ExtraRemoved => ("extra removed", glyphs.ok, Role::Ok),
        StepResult::Hook => ("hook ran", glyphs.ok, Role::Ok),
        StepResult::Pruned => ("pruned", glyphs.ok, Role::Ok),
        StepResult::Failed => ("failed", glyphs.failed, Role::Failed),
        StepResult::Skipped => ("skipped", glyphs.dot, Role::Muted),
        StepResult::Unknown => ("unknown, re-checking", "?", Role::Pending),
    }
}
