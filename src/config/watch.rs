//! Tells when the configuration file on disk has other content.

use super::ConfigError;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver as Events, RecvTimeoutError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Editors write in several steps (truncate, write, rename); the file is looked at when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(100);
/// In a folder that is never quiet it is looked at so often.
const LONGEST: Duration = Duration::from_secs(1);

/// Keeps a file watched; dropping it ends the watch, and its receiver.
#[derive(Debug)]
pub struct FileWatch {
    _watcher: RecommendedWatcher,
}

/// Watches a file: the receiver gets one notice each time its content has changed. Notices that nobody has taken yet
/// are folded into one. Start the watch before the file is loaded, and no change in between is missed.
///
/// The folder is watched, not the file, so that an editor's write-aside-and-rename is seen, and a file that is removed
/// and comes back; of a symbolic link the target's folder too.
///
/// # Errors
/// [`ConfigError::Unreadable`] where the folder cannot be watched.
pub fn watch(path: &Path) -> Result<(FileWatch, mpsc::Receiver<()>), ConfigError> {
    let failed = |reason: String| ConfigError::Unreadable { path: path.to_owned(), reason };
    let (events_in, events) = std::sync::mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // reading the file is an event too: passing it on would look at the file for ever
        if !matches!(&event, Ok(event) if event.kind.is_access()) {
            // the other end is gone only when the watch is being dropped
            let _ = events_in.send(());
        }
    })
    .map_err(|error| failed(format!("cannot be watched: {error}")))?;
    let path = std::path::absolute(path).map_err(|error| failed(error.to_string()))?;
    for folder in folders(&path) {
        watcher
            .watch(&folder, RecursiveMode::NonRecursive)
            .map_err(|error| failed(format!("{} cannot be watched: {error}", folder.display())))?;
    }
    let (notices_in, notices) = mpsc::channel(1);
    let before = fingerprint(&path);
    std::thread::Builder::new()
        .name("config-watch".into())
        .spawn(move || notify_changes(&path, before, &events, &notices_in))
        .map_err(|error| failed(format!("cannot be watched: {error}")))?;
    Ok((FileWatch { _watcher: watcher }, notices))
}

/// Runs until the watcher or the receiver is dropped.
fn notify_changes(path: &Path, mut seen: Option<[u8; 32]>, events: &Events<()>, notices: &mpsc::Sender<()>) {
    while events.recv().is_ok() {
        let deadline = Instant::now() + LONGEST;
        while Instant::now() < deadline {
            match events.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let now = fingerprint(path);
        // while the file is away there is nothing to take up: the configuration in use stays
        if now.is_some() && now != seen {
            seen = now;
            match notices.try_send(()) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(())) => {}
                Err(mpsc::error::TrySendError::Closed(())) => return,
            }
        }
    }
}

fn fingerprint(path: &Path) -> Option<[u8; 32]> {
    std::fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let target = path.canonicalize().ok();
    let mut folders: Vec<PathBuf> = [Some(path), target.as_deref()]
        .into_iter()
        .flatten()
        .filter_map(|file| file.parent().map(Path::to_owned))
        .collect();
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    async fn changed(notices: &mut mpsc::Receiver<()>) -> bool {
        tokio::time::timeout(SOON, notices.recv()).await.is_ok_and(|notice| notice.is_some())
    }

    #[tokio::test]
    async fn a_write_a_rename_over_it_and_a_return_are_each_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "a").unwrap();
        let (guard, mut notices) = watch(&file).unwrap();
        std::fs::write(&file, "b").unwrap();
        assert!(changed(&mut notices).await, "a write");
        std::fs::write(folder.path().join("new"), "c").unwrap();
        std::fs::rename(folder.path().join("new"), &file).unwrap();
        assert!(changed(&mut notices).await, "a rename over it");
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "d").unwrap();
        assert!(changed(&mut notices).await, "a return");
        assert!(notices.try_recv().is_err(), "each once");
        drop(guard);
        assert_eq!(tokio::time::timeout(SOON, notices.recv()).await, Ok(None), "the watch ends with its guard");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_change_behind_a_symbolic_link_is_seen_and_other_files_are_not() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, target) = (folder.path().join("config.toml"), elsewhere.path().join("deck.toml"));
        std::fs::write(&target, "a").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let (_guard, mut notices) = watch(&link).unwrap();
        std::fs::write(folder.path().join("other"), "x").unwrap();
        std::fs::write(&target, "b").unwrap();
        assert!(changed(&mut notices).await);
        assert!(notices.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_an_error() {
        assert!(matches!(watch(Path::new("/nowhere/at/all.toml")), Err(ConfigError::Unreadable { .. })));
    }
}
