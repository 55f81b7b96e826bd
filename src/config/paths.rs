//! Where driftdeck keeps things, as XDG and the platform say.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

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
    pub fn find(config_flag: Option<&Path>) -> Result<Self, String> {
        Self::of(config_flag, std::env::var_os("DRIFTDECK_CONFIG"))
    }

    fn of(config_flag: Option<&Path>, variable: Option<OsString>) -> Result<Self, String> {
        let dirs = directories::ProjectDirs::from("", "", "driftdeck")
            .ok_or("this user has no home folder: set HOME, or XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME")?;
        let config_file = config_flag
            .map(Path::to_owned)
            .or_else(|| variable.filter(|value| !value.is_empty()).map(PathBuf::from))
            .unwrap_or_else(|| dirs.config_dir().join("config.toml"));
        let config_file = std::path::absolute(&config_file)
            .map_err(|error| format!("{}: cannot be made absolute: {error}", config_file.display()))?;
        Ok(Self {
            config_file,
            cache: dirs.cache_dir().to_owned(),
            // platforms without a state folder (macOS) keep state beside the data
            state: dirs.state_dir().map_or_else(|| dirs.data_local_dir().join("state"), Path::to_owned),
            data: dirs.data_dir().to_owned(),
        })
    }

    /// Makes the cache, state and data folders, readable by this user alone; one that exists is narrowed to that.
    ///
    /// # Errors
    /// The system's, with the folder's name.
    pub fn create(&self) -> io::Result<()> {
        for folder in [&self.cache, &self.state, &self.data] {
            private_folder(folder)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
        }
        Ok(())
    }
}

/// Makes a folder with mode 0700, and its missing parents.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        builder.mode(0o700).create(folder)?;
        let mut permissions = std::fs::metadata(folder)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o700);
            std::fs::set_permissions(folder, permissions)?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_variable_and_both_over_the_folder() {
        let find = |flag: Option<&str>, variable: Option<&str>| {
            Paths::of(flag.map(Path::new), variable.map(Into::into)).unwrap().config_file
        };
        assert_eq!(find(Some("/a.toml"), Some("/b.toml")), Path::new("/a.toml"));
        assert_eq!(find(None, Some("/b.toml")), Path::new("/b.toml"));
        assert!(find(None, Some("")).ends_with("driftdeck/config.toml"));
        assert!(find(Some("a.toml"), None).is_absolute());
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_made_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| root.path().join(name).join("driftdeck");
        let paths =
            Paths { config_file: root.path().into(), cache: folder("c"), state: folder("s"), data: folder("d") };
        std::fs::create_dir_all(&paths.cache).unwrap();
        std::fs::set_permissions(&paths.cache, std::fs::Permissions::from_mode(0o755)).unwrap();
        paths.create().unwrap();
        for folder in [&paths.cache, &paths.state, &paths.data] {
            assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        }
    }
}
