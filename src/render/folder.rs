//! A folder on disk as a source tree.

use super::paths;
use crate::object::{Entry, EntryKind, SourceError, SourceTree, sha256_hex};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// How many symbolic links one path may go through.
const MAX_LINKS: usize = 8;

/// A folder on disk as a [`SourceTree`] (`--path`), uncommitted files included; `.git` is left out.
///
/// Ids are SHA-256: of a file's bytes, of a link's target, of a folder's sorted listing. They are computed once for each
/// path, so open a folder anew to see what has changed in it.
pub struct FolderTree {
    root: PathBuf,
    ids: Mutex<HashMap<String, String>>,
}

impl FolderTree {
    /// Takes a folder.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] where it is no folder.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let missing = || SourceError::NotFound { path: root.display().to_string(), tree: "the file system".into() };
        let root = fs::canonicalize(root).map_err(|_| missing())?;
        if !root.is_dir() {
            return Err(missing());
        }
        Ok(Self { root, ids: Mutex::default() })
    }

    fn not_found(&self, path: &str) -> SourceError {
        SourceError::NotFound { path: path.to_owned(), tree: self.describe() }
    }

    fn broken(path: &str, error: &io::Error) -> SourceError {
        SourceError::Broken { path: path.to_owned(), message: error.to_string() }
    }

    /// What stands at a path, following no link at all; none where nothing does or where a link is on the way.
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, SourceError> {
        if path.split('/').any(|part| matches!(part, "." | ".." | ".git")) {
            return Ok(None);
        }
        let mut place = self.root.clone();
        let mut found = Some(EntryKind::Folder);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if found != Some(EntryKind::Folder) {
                return Ok(None);
            }
            place.push(part);
            found = match fs::symlink_metadata(&place) {
                Ok(metadata) if metadata.is_symlink() => Some(EntryKind::Symlink),
                // A submodule's folder, and that of a linked work tree, has a file of this name.
                Ok(metadata) if metadata.is_dir() && place.join(".git").is_file() => Some(EntryKind::Submodule),
                Ok(metadata) if metadata.is_dir() => Some(EntryKind::Folder),
                Ok(metadata) if metadata.is_file() => Some(EntryKind::File),
                Ok(_) => None,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
                Err(error) => return Err(Self::broken(path, &error)),
            };
        }
        Ok(found)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, SourceError> {
        let entries = fs::read_dir(self.root.join(path)).map_err(|error| Self::broken(path, &error))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| Self::broken(path, &error))?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.retain(|name| name != ".git");
        names.sort();
        Ok(names)
    }

    fn id(&self, path: &str, kind: EntryKind) -> Result<String, SourceError> {
        let known = self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(id) = known {
            return Ok(id);
        }
        let place = self.root.join(path);
        let broken = |error: io::Error| Self::broken(path, &error);
        let id = match kind {
            EntryKind::File => sha256_hex(fs::read(&place).map_err(broken)?),
            EntryKind::Symlink => sha256_hex(fs::read_link(&place).map_err(broken)?.as_os_str().as_encoded_bytes()),
            EntryKind::Folder => {
                let mut listing = String::new();
                for (name, entry) in self.list(path)? {
                    listing.push_str(&format!("{:?} {} {name}\0", entry.kind, entry.id));
                }
                sha256_hex(listing)
            }
            EntryKind::Submodule => sha256_hex("submodule"),
        };
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), id.clone());
        Ok(id)
    }

    /// The path without symbolic links, all of which must stay inside.
    fn follow(&self, path: &str) -> Result<String, SourceError> {
        let outside = || SourceError::Outside { path: path.to_owned() };
        let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            let next = paths::join(&done, &part).ok_or_else(outside)?;
            if self.kind(&next)? != Some(EntryKind::Symlink) {
                done = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Self::broken(path, &io::Error::other(format!("more than {MAX_LINKS} symbolic links"))));
            }
            let target = fs::read_link(self.root.join(&next)).map_err(|error| Self::broken(path, &error))?;
            let target = target.to_str().filter(|target| !target.starts_with('/')).ok_or_else(outside)?;
            rest.extend(target.split('/').rev().map(str::to_owned));
        }
        Ok(done)
    }
}

impl SourceTree for FolderTree {
    fn describe(&self) -> String {
        self.root.display().to_string()
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>, SourceError> {
        let Some(kind) = self.kind(path)? else { return Ok(None) };
        Ok(Some(Entry { kind, id: self.id(path, kind)? }))
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>, SourceError> {
        if self.kind(path)? != Some(EntryKind::Folder) {
            return Err(self.not_found(path));
        }
        let mut entries = Vec::new();
        for name in self.names(path)? {
            if let Some(entry) = self.entry(&paths::child(path, &name))? {
                entries.push((name, entry));
            }
        }
        Ok(entries)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let place = self.follow(path)?;
        match self.kind(&place)? {
            Some(EntryKind::File) => fs::read(self.root.join(&place)).map_err(|error| Self::broken(path, &error)),
            Some(EntryKind::Folder | EntryKind::Submodule) => {
                Err(Self::broken(path, &io::Error::other("is a folder, not a file")))
            }
            Some(EntryKind::Symlink) | None => Err(self.not_found(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_inside_the_folder_only() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        fs::create_dir_all(root.join("a/.git")).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        fs::write(root.join("a/f"), "x").unwrap();
        for (link, target) in [
            ("in", "a/f"),
            ("dir", "a"),
            ("out", "../secret"),
            ("abs", "/etc/passwd"),
            ("loop", "loop"),
            ("gone", "nothing"),
            ("deep", "dir/../a/./f"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let tree = FolderTree::open(&root).unwrap();
        for path in ["a/f", "in", "dir/f", "deep"] {
            assert_eq!(tree.read(path).unwrap(), b"x", "{path}");
        }
        for path in ["out", "abs", "../secret", "a/../../secret"] {
            assert!(matches!(tree.read(path), Err(SourceError::Outside { .. })), "{path}");
        }
        assert!(matches!(tree.read("loop"), Err(SourceError::Broken { .. })));
        assert!(matches!(tree.read("gone"), Err(SourceError::NotFound { .. })));
        assert_eq!(tree.entry("dir/f").unwrap(), None);
        assert_eq!(tree.entry("in").unwrap().unwrap().kind, EntryKind::Symlink);
        assert_eq!(tree.list("a").unwrap().len(), 1);
    }

    #[test]
    fn equal_ids_mean_equal_content() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/f"), "1").unwrap();
        let id = || FolderTree::open(folder.path()).unwrap().entry("a").unwrap().unwrap().id;
        let before = id();
        assert_eq!(id(), before);
        fs::write(folder.path().join("a/b/f"), "2").unwrap();
        assert_ne!(id(), before);
    }
}
