//! One writer for a mirror, in this process and any other: an advisory lock on a file beside the mirror's folder.
//!
//! The kernel frees it when its holder dies, so who holds it may take away any `*.lock` file and half-received pack
//! inside the mirror: only driftdeck writes there, and every write is made under this lock.

use super::{GitError, failure};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How long a writer waits for another one: a clone of a large repository takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// The right to write into a mirror; freed when dropped.
pub(super) struct WriteLock {
    // held for its lock alone
    _file: File,
}

impl WriteLock {
    /// Waits for the lock of the mirror in `dir`.
    pub(super) fn wait(dir: &Path, stop: &AtomicBool) -> Result<Self, GitError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = Self::now(dir)? {
                return Ok(lock);
            }
            if stop.load(Ordering::Relaxed) {
                return Err(GitError::Interrupted);
            }
            if Instant::now() > deadline {
                let reason = "another process has been writing to it for ten minutes; end that one".to_owned();
                return Err(GitError::Mirror { path: dir.display().to_string(), reason });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes the lock if nobody has it, or lets it go in a moment.
    pub(super) fn now(dir: &Path) -> Result<Option<Self>, GitError> {
        let path = beside(dir, "writer");
        let disk = |error| failure::disk(&path, &error);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(disk)?;
        }
        let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(disk)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(disk(error)),
            }
        }
        Ok(None)
    }
}

/// A child that is being started has a copy of every descriptor until it runs its program: for that instant it holds a lock that was
/// let go here. Whoever holds it longer is writing.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Returns a path beside the mirror: hidden, and with the mirror's name in it.
pub(super) fn beside(dir: &Path, what: &str) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!(".{name}.{what}"))
}

/// Takes away what a killed writer left inside the mirror. Only for the holder of its lock.
pub(super) fn sweep(dir: &Path, _held: &WriteLock) {
    sweep_locks(dir, 0);
    let is_half = |name: &str| name.starts_with("tmp_") || name.starts_with(".tmp");
    for entry in std::fs::read_dir(dir.join("objects/pack")).into_iter().flatten().flatten() {
        if is_half(&entry.file_name().to_string_lossy()) {
            // a file that cannot be removed is only litter
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn sweep_locks(dir: &Path, depth: usize) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_file() && name.to_string_lossy().ends_with(".lock") {
            tracing::info!(path = %path.display(), "removing a lock file that a killed process left");
            let _ = std::fs::remove_file(&path);
        } else if kind.is_dir() && depth < 32 && name != "objects" {
            sweep_locks(&path, depth + 1);
        }
    }
}
