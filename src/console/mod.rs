//! The terminal program: a model, a pure update, a pure view, and effects as values run at the edge.

use crate::{
    config::{Config, Paths},
    engine::Engine,
};

/// How the console is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// `--read-only`.
    pub read_only: bool,
    /// `--write`.
    pub write: bool,
}

/// Runs the console until the operator leaves it.
///
/// # Errors
/// The terminal's.
pub async fn run(_engine: Engine, _config: &Config, _paths: &Paths, _options: RunOptions) -> std::io::Result<()> {
    Err(std::io::Error::other("the console is not part of this build"))
}

/// Returns the table of actions.
pub fn actions() -> &'static [&'static str] {
    &[]
}
