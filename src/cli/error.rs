//! Why a command failed, with its exit code and a hint.

use super::exit::Exit;
use crate::{
    cluster::ClusterError,
    config::ConfigError,
    engine::{EngineError, Refusal},
    git::GitError,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line asks for something that does not exist (yet); nothing was done.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Refused before the engine was asked; nothing was written.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// The way to do it.
        hint: Option<String>,
    },
    /// Anything else, with the remedy in it.
    #[error("{0}")]
    Failed(String),
    /// A signal.
    #[error("interrupted")]
    Interrupted,
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

impl CliError {
    /// A refusal with the way to do it.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: Some(hint.into()) }
    }
    /// A usage error with what to write instead.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// Returns how the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::Refused { .. } => Exit::Refused,
            Self::Interrupted => Exit::Interrupted,
            // whoever read the output has seen enough: `driftdeck diff shop | head`
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Engine(error) => engine_exit(error),
            Self::Config(_) | Self::Failed(_) | Self::Output(_) => Exit::Error,
        }
    }

    /// Says whether there is something to tell: a reader that went away needs no message.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Returns what the reader can do, where the message does not say it itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } | Self::Refused { hint, .. } => hint.clone(),
            Self::Engine(EngineError::Refused(Refusal::ReadOnly)) => {
                Some("add --write, or write = true in the cluster's section".into())
            }
            Self::Engine(EngineError::Refused(Refusal::Expired | Refusal::Stale(_))) => {
                Some("run `driftdeck plan` again and approve what it shows".into())
            }
            Self::Config(ConfigError::Invalid(_)) => Some("config.example.toml shows every key".into()),
            _ => None,
        }
    }
}

fn engine_exit(error: &EngineError) -> Exit {
    match error {
        EngineError::Refused(_) => Exit::Refused,
        EngineError::AfterNamespace { cause, .. } => engine_exit(cause),
        EngineError::Closed => Exit::Interrupted,
        EngineError::Cluster(error) => match **error {
            ClusterError::Forbidden { .. } | ClusterError::ExecPlugin { .. } => Exit::Refused,
            _ => Exit::Error,
        },
        EngineError::Git(error) => match **error {
            GitError::PushRefused { .. } => Exit::Refused,
            GitError::Interrupted => Exit::Interrupted,
            _ => Exit::Error,
        },
        _ => Exit::Error,
    }
}
