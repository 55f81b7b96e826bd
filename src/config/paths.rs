//! Where driftdeck keeps things, as XDG and the platform say.

use std::path::{Path, PathBuf};

/// The folders of this user. All are made with mode 0700 when first used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Configuration file: `--config`, else `$DRIFTDECK_CONFIG`, else `config.toml` in the configuration folder.
    pub config_file: PathBuf,
    /// Mirrors and other things that can be made again.
    pub cache: PathBuf,
    /// Logs and the last session's state.
    pub state: PathBuf,
    /// Data of the user.
    pub data: PathBuf,
}

impl Paths {
    /// Finds the folders; `config_flag` is `--config`.
    ///
    /// # Errors
    /// A text where the user has no home folder.
    pub fn find(_config_flag: Option<&Path>) -> Result<Self, String> {
        todo!()
    }
}
