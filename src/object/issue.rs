//! Something that is wrong with an application's sources or surroundings and that the operator should see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much an [`Issue`] takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Part of the application could not be read or compared; it cannot prune.
    Error,
    /// Worth knowing; nothing is missing because of it.
    Warning,
}

/// One thing that is wrong, with its place and what to do about it in `message`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// Whether something is missing because of it.
    pub severity: Severity,
    /// What is wrong and the remedy, in one or two sentences.
    pub message: String,
    /// Repository path of the file, where one is to blame.
    pub path: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<usize>,
}

impl Issue {
    /// Returns an error without a place in a file.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), path: None, line: None }
    }
    /// Returns a warning without a place in a file.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }
    /// Adds the file, and the line where it is known.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>, line: Option<usize>) -> Self {
        self.path = Some(path.into());
        self.line = line;
        self
    }
}
