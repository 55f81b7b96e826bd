//! What an apply is refused for: fields that another manager owns and would get another value.

use super::{
    entry::{Entry, Operation},
    path::Path,
};
use std::fmt;

/// One field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The other manager's name.
    pub manager: String,
    /// How it wrote the field.
    pub operation: Operation,
    /// API version of its entry.
    pub api_version: String,
    /// Subresource it wrote through; empty for the object itself.
    pub subresource: String,
    /// When it last wrote, RFC 3339.
    pub time: Option<String>,
    /// The field.
    pub path: Path,
}

impl Conflict {
    pub(super) fn new(entry: &Entry, path: Path) -> Self {
        Self {
            manager: entry.manager.clone(),
            operation: entry.operation,
            api_version: entry.api_version.clone(),
            subresource: entry.subresource.clone(),
            time: entry.time.clone(),
            path,
        }
    }
}

/// As the server writes it into a cause of its answer: `conflict with "hpa" with subresource "scale" using apps/v1`. The
/// field stands beside it there.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| super::value::spelled(&text.into());
        write!(f, "conflict with {}", quoted(&self.manager))?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {}", quoted(&self.subresource))?;
        }
        match self.operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(f, " using {}", self.api_version),
        }
    }
}
