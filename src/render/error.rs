//! Why nothing could be rendered at all.

use crate::object::{SourceError, clean};

/// Why nothing could be rendered at all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RenderError {
    /// The path is not in the tree, or the tree cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A program is missing.
    #[error("{path} needs {program}, which is not on the PATH; install it, or set renderer = \"yaml\"")]
    MissingProgram {
        /// The application's path.
        path: String,
        /// What to install.
        program: String,
    },
    /// The program refused; its words, cleaned.
    #[error("{program} failed on {path}: {message}")]
    Failed {
        /// The program.
        program: String,
        /// The application's path.
        path: String,
        /// What it said.
        message: String,
    },
    /// Bounds on time, output or size were passed.
    #[error("{path}: {message}")]
    TooMuch {
        /// The application's path.
        path: String,
        /// Which bound, and how far.
        message: String,
    },
    /// The sources ask for something that is not allowed (remote bases, plugins).
    #[error("{path}: {message}")]
    Refused {
        /// The file.
        path: String,
        /// What and why.
        message: String,
    },
}

impl RenderError {
    /// A refusal that may repeat words of the sources.
    pub(super) fn refused(path: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self::Refused { path: path.into(), message: clean(message.as_ref()).into_owned() }
    }
    pub(super) fn too_much(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::TooMuch { path: path.into(), message: message.into() }
    }
    pub(super) fn failed(program: impl Into<String>, path: impl Into<String>, message: impl AsRef<str>) -> Self {
        let message = clean(message.as_ref()).into_owned();
        Self::Failed { program: program.into(), path: path.into(), message }
    }
}
