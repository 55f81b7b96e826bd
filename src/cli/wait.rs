//! `status --wait-for`: states and healths that every application must reach.

use super::{exit::Exit, status::Status};
use crate::{cluster::HealthStatus, engine::ApplicationState};
use std::str::FromStr;

/// One word of `--wait-for`. `Missing` and `Unknown` mean the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// A state.
    State(ApplicationState),
    /// A health.
    Health(HealthStatus),
}

impl FromStr for Term {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.to_lowercase().as_str() {
            "synced" => Self::State(ApplicationState::Synced),
            "outofsync" => Self::State(ApplicationState::OutOfSync),
            "drifted" => Self::State(ApplicationState::Drifted),
            "missing" => Self::State(ApplicationState::Missing),
            "unknown" => Self::State(ApplicationState::Unknown),
            "healthy" => Self::Health(HealthStatus::Healthy),
            "progressing" => Self::Health(HealthStatus::Progressing),
            "degraded" => Self::Health(HealthStatus::Degraded),
            "suspended" => Self::Health(HealthStatus::Suspended),
            _ => {
                return Err("a state (Synced, OutOfSync, Drifted, Missing, Unknown) or a health (Healthy, \
                            Progressing, Degraded, Suspended)"
                    .into());
            }
        })
    }
}

/// Says whether an application is in one of the states, and in one of the healths, that are waited for.
pub fn reached(terms: &[Term], status: &Status) -> bool {
    state_reached(terms, status) && health_reached(terms, status)
}

fn state_reached(terms: &[Term], status: &Status) -> bool {
    let mut states = terms.iter().filter(|term| matches!(term, Term::State(_))).peekable();
    states.peek().is_none() || states.any(|term| *term == Term::State(status.state))
}

fn health_reached(terms: &[Term], status: &Status) -> bool {
    let mut healths = terms.iter().filter(|term| matches!(term, Term::Health(_))).peekable();
    healths.peek().is_none() || healths.any(|term| *term == Term::Health(status.health))
}

/// How a wait ends that did not reach its aim: an unhealthy application is 4, another state is what `status` makes of it.
pub fn missed(terms: &[Term], status: &Status) -> Exit {
    match status.exit() {
        _ if reached(terms, status) => Exit::Done,
        Exit::Done if state_reached(terms, status) => Exit::Unhealthy,
        // waited for a state that is not the one it is in, whichever that is
        Exit::Done => Exit::Different,
        exit => exit,
    }
}
