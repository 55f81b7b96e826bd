//! Addresses of repositories: https, http, ssh, scp-like, git, file, or a path.

use super::GitError;
use std::path::PathBuf;

/// Where a repository is. Its `Display` never shows credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryUrl {
    text: String,
    local: Option<PathBuf>,
}

impl RepositoryUrl {
    /// Reads an address; a relative path must have been made absolute by the caller.
    ///
    /// # Errors
    /// [`GitError::BadUrl`] for other schemes (`ext::`, `fd::` …) and for texts that a transport could take for an option.
    pub fn parse(_text: &str) -> Result<Self, GitError> {
        todo!()
    }
    /// Returns the folder, where the repository is on this machine (a path or `file://`): the engine watches it.
    pub fn local_path(&self) -> Option<&std::path::Path> {
        self.local.as_deref()
    }
    /// Returns the address with credentials, for transports only.
    pub fn secret_text(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Display for RepositoryUrl {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
