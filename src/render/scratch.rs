//! Temporary trees for renderer programs: 0700 folders with 0600 files that are gone when the render is, also after a
//! kill (see [`sweep`]).

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const PREFIX: &str = "render-";
const LOCK: &str = ".lock";

/// A temporary tree. A lock file beside it, locked as long as this lives, says that it is in use.
pub(super) struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
    _locked: File,
}

impl Scratch {
    /// Makes a tree in the folder `parent`, which is made too.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        make_folder(parent)?;
        // The renderer programs compare paths after following links.
        let parent = fs::canonicalize(parent)?;
        loop {
            let (file, lock) = tempfile::Builder::new()
                .prefix(PREFIX)
                .suffix(LOCK)
                .tempfile_in(&parent)?
                .keep()
                .map_err(|e| e.error)?;
            // Another process may have swept the file away before it was locked; then begin again.
            let is_ours = file.try_lock().is_ok()
                && fs::metadata(&lock).is_ok_and(|found| file.metadata().is_ok_and(|ours| ours.ino() == found.ino()));
            if !is_ours {
                continue;
            }
            let folder = folder_of(&lock);
            let scratch = Self { folder, lock, _locked: file };
            make_folder(&scratch.folder)?;
            make_folder(&scratch.tree())?;
            make_folder(&scratch.home())?;
            return Ok(scratch);
        }
    }

    /// The folder that holds the sources.
    pub(super) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// The folder that a program takes for the user's home.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Writes a file of the tree; `path` is relative and has no `..`.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let place = self.tree().join(path);
        if let Some(folder) = place.parent() {
            make_folder(folder)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place)?.write_all(bytes)
    }

    /// Makes a folder of the tree.
    pub(super) fn folder(&self, path: &str) -> io::Result<()> {
        make_folder(&self.tree().join(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder, &self.lock);
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn folder_of(lock: &Path) -> PathBuf {
    lock.with_extension("")
}

/// The lock goes last, so that what a kill leaves behind is still found by it.
fn remove(folder: &Path, lock: &Path) {
    let gone = match fs::remove_dir_all(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if gone {
        // If this fails the next sweep tries again.
        let _ = fs::remove_file(lock);
    }
}

/// Removes temporary trees that a killed process left in `scratch`.
pub fn sweep(scratch: &Path) {
    let Ok(entries) = fs::read_dir(scratch) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if name.ends_with(LOCK) {
            let unused = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            if unused {
                remove(&folder_of(&path), &path);
            }
        } else if !path.with_extension("lock").exists() {
            // A tree never outlives its lock file, unless somebody removed that by hand.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_owner_can_read_a_tree_and_it_goes_with_its_render() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("scratch");
        let scratch = Scratch::new(&root).unwrap();
        scratch.write("a/b.yaml", b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&scratch.tree().join("a")), 0o700);
        assert_eq!(mode(&scratch.tree().join("a/b.yaml")), 0o600);
        drop(scratch);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn a_sweep_removes_what_a_kill_left_and_nothing_in_use() {
        let parent = tempfile::tempdir().unwrap();
        let used = Scratch::new(parent.path()).unwrap();
        let killed = Scratch::new(parent.path()).unwrap();
        killed.write("a", b"x").unwrap();
        let left = killed.folder.clone();
        // A kill runs no destructor, but frees the lock.
        let mut killed = std::mem::ManuallyDrop::new(killed);
        killed._locked = File::open("/dev/null").unwrap();
        fs::create_dir(parent.path().join("render-lost")).unwrap();
        fs::create_dir(parent.path().join("other")).unwrap();
        sweep(parent.path());
        assert!(!left.exists() && !killed.lock.exists() && !parent.path().join("render-lost").exists());
        assert!(used.tree().exists() && parent.path().join("other").exists());
        sweep(&parent.path().join("absent"));
    }
}
