//! The configuration file: TOML, every error at once with file:line:column and a suggestion, reload on change, paths.
//!
//! See [`Config::load`] for the entry point.

pub mod init;

mod clock;
mod expand;
mod model;
mod nearest;
mod parse;
mod paths;
mod problem;
mod reader;
mod references;
mod schema;
mod values;
mod watch;

pub use clock::{fix_clock, fresh_id, now};
pub use model::{
    Application, AutoSync, Cluster, Config, Extras, Ignore, Layout, Poll, Repository, Signers, Ui, Verify,
};
pub use nearest::nearest;
pub use paths::Paths;
pub use problem::{ConfigError, Problem};
pub use values::duration;
pub use watch::{FileWatch, watch};

use std::path::Path;

/// A configuration is written by hand; anything longer is another file.
const LARGEST: u64 = 4 << 20;

impl Config {
    /// Reads and validates a file. Relative paths start at its folder; `~` and `${ENV}` are expanded.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] holds every problem at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |reason: String| ConfigError::Unreadable { path: path.to_owned(), reason: reason.to_string() };
        let found = match std::fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing(path.to_owned()));
            }
            Err(error) => return Err(unreadable(error.to_string())),
        };
        if found.is_dir() {
            return Err(unreadable("this is a folder; name the file in it".into()));
        }
        if found.len() > LARGEST {
            return Err(unreadable(format!("{} bytes is too long for a configuration (4 MiB at most)", found.len())));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let before = String::from_utf8_lossy(&bytes[..valid]);
                let (line, column) = reader::place(&before, before.len());
                Err(ConfigError::Invalid(vec![Problem {
                    path: path.to_owned(),
                    line,
                    column,
                    message: "this byte is not UTF-8".into(),
                    hint: Some("save the file as UTF-8".into()),
                }]))
            }
        }
    }
    /// Reads a text as if it were the file at `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        parse::config(text, path, home.as_deref(), &|name| std::env::var(name).ok())
    }
}
