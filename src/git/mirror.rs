//! The mirror itself: where it is on disk, how it is opened, and how it is made.

use super::{
    GitError, Progress, RepositoryUrl, failure,
    fetch::Fetched,
    lock::{WriteLock, beside, sweep},
};
use gix::odb::store::init::Slots;
use std::{
    fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

/// The file inside a mirror that says which repository it mirrors (without credentials). A folder without it is none.
const URL_FILE: &str = "driftdeck-url";

/// Packs that can be open at once. Every fetch adds one, and gix cannot grow the table of a repository that is open.
const PACK_SLOTS: u16 = 2048;

/// A bare mirror of one repository. Cheap to clone; safe to use from several threads.
#[derive(Clone)]
pub struct Mirror {
    inner: Arc<MirrorInner>,
}

struct MirrorInner {
    url: RepositoryUrl,
    path: PathBuf,
    repo: gix::ThreadSafeRepository,
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("url", &self.inner.url).field("path", &self.inner.path).finish()
    }
}

impl Mirror {
    /// Opens the mirror in `dir` if there is a whole one of the same URL; sweeps what a killed clone left.
    ///
    /// What is there and cannot be used (damaged, half, of another repository) is moved aside, so that a clone can follow.
    ///
    /// # Errors
    /// [`GitError`] where the folder cannot be read.
    pub fn open(dir: &Path, url: &RepositoryUrl) -> Result<Option<Self>, GitError> {
        // without the lock another process is writing: what lies beside the mirror is its own
        let lock = WriteLock::now(dir)?;
        if let Some(lock) = &lock {
            sweep_clones(dir);
            sweep(dir, lock);
        }
        if !dir.try_exists().map_err(|error| failure::disk(dir, &error))? {
            return Ok(None);
        }
        match Self::open_whole(dir, url) {
            Ok(mirror) => Ok(Some(mirror)),
            Err(reason) => {
                tracing::warn!(path = %dir.display(), reason, "moving an unusable mirror aside");
                if lock.is_some() {
                    set_aside(dir)?;
                }
                Ok(None)
            }
        }
    }

    /// Clones into `dir` (beside it first, then moved in whole).
    ///
    /// # Errors
    /// [`GitError`]: unreachable, not found, authentication, interrupted (`stop` set), disk.
    pub fn clone_from(
        url: &RepositoryUrl,
        dir: &Path,
        progress: &(dyn Fn(Progress) + Sync),
        stop: &AtomicBool,
    ) -> Result<Self, GitError> {
        let lock = WriteLock::wait(dir, stop)?;
        // another process may have been first
        if let Ok(mirror) = Self::open_whole(dir, url) {
            return Ok(mirror);
        }
        let disk = |error| failure::disk(dir, &error);
        let prefix = clone_prefix(dir);
        let parent = dir.parent().unwrap_or(Path::new("."));
        let folder = || tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(disk);
        let mut half = folder()?;
        let mut mirror = Self::create(half.path(), url, gix::hash::Kind::Sha1)?;
        if let Fetched::OtherHash(hash) = mirror.fetch_locked(&lock, progress, stop)? {
            drop(mirror);
            half = folder()?;
            mirror = Self::create(half.path(), url, hash)?;
            mirror.fetch_locked(&lock, progress, stop)?;
        }
        drop(mirror);
        std::fs::write(half.path().join(URL_FILE), url.to_string()).map_err(disk)?;
        if dir.try_exists().map_err(disk)? {
            set_aside(dir)?;
        }
        std::fs::rename(half.keep(), dir).map_err(disk)?;
        Self::open_whole(dir, url).map_err(|reason| GitError::Mirror { path: dir.display().to_string(), reason })
    }

    fn create(dir: &Path, url: &RepositoryUrl, hash: gix::hash::Kind) -> Result<Self, GitError> {
        let options = gix::create::Options { object_hash: Some(hash), ..Default::default() };
        let repo = gix::ThreadSafeRepository::init_opts(dir, gix::create::Kind::Bare, options, open_options())
            .map_err(|error| failure::mirror(dir, &error))?;
        // for its owner alone, here and where it is moved to
        let owner = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir, owner).map_err(|error| failure::disk(dir, &error))?;
        Ok(Self::of(url, dir, repo))
    }

    fn of(url: &RepositoryUrl, path: &Path, repo: gix::ThreadSafeRepository) -> Self {
        Self { inner: Arc::new(MirrorInner { url: url.clone(), path: path.to_owned(), repo }) }
    }

    /// Opens a mirror, or says why it is none that can be used.
    fn open_whole(dir: &Path, url: &RepositoryUrl) -> Result<Self, String> {
        let mirrored = std::fs::read_to_string(dir.join(URL_FILE)).map_err(|error| format!("{URL_FILE}: {error}"))?;
        if mirrored != url.to_string() {
            return Err(format!("it mirrors {mirrored}"));
        }
        let repo = open_options().open(dir).map_err(|error| failure::chain(&error))?;
        let mirror = Self::of(url, dir, repo);
        let local = mirror.repo();
        local.head().map_err(|error| failure::chain(&error))?;
        for (name, id) in mirror.remote_refs_at(&local).map_err(|error| error.to_string())? {
            local.find_header(id).map_err(|error| format!("{name}: {}", failure::chain(&error)))?;
        }
        Ok(mirror)
    }

    /// Returns where the mirror is on disk.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Returns the address that it mirrors.
    pub fn url(&self) -> &RepositoryUrl {
        &self.inner.url
    }

    /// A handle of this thread, with a cache for trees and commits.
    pub(super) fn repo(&self) -> gix::Repository {
        let mut repo = self.inner.repo.to_thread_local();
        repo.object_cache_size_if_unset(8 << 20);
        repo
    }

    pub(super) fn damaged(&self, error: &gix::Error) -> GitError {
        failure::mirror(self.path(), error)
    }
}

/// How mirrors are opened: the user's configuration counts (proxies, credential helpers, insteadOf), but nothing asks on
/// the terminal or writes to it.
fn open_options() -> gix::open::Options {
    gix::open::Options::default()
        .open_path_as_is(true)
        .with(gix::sec::Trust::Full)
        .object_store_slots(Slots::Given(PACK_SLOTS))
        .cli_overrides([
            "gitoxide.credentials.terminalPrompt=false",
            "gitoxide.credentials.helperStderr=false",
            "core.logAllRefUpdates=false",
            "core.filesRefLockTimeout=2000",
            "core.packedRefsTimeout=2000",
        ])
}

fn clone_prefix(dir: &Path) -> String {
    beside(dir, "clone-").file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Removes the folders of clones that were killed. Only for the holder of the lock.
fn sweep_clones(dir: &Path) {
    let prefix = clone_prefix(dir);
    for entry in dir.parent().and_then(|parent| std::fs::read_dir(parent).ok()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // what cannot be removed is only litter
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Moves what is at `dir` beside it; only the last such thing is kept.
fn set_aside(dir: &Path) -> Result<(), GitError> {
    let aside = beside(dir, "unusable");
    let disk = |error| failure::disk(dir, &error);
    match std::fs::symlink_metadata(&aside) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(&aside).map_err(disk)?,
        Ok(_) => std::fs::remove_file(&aside).map_err(disk)?,
        Err(_) => {}
    }
    std::fs::rename(dir, &aside).map_err(disk)
}
