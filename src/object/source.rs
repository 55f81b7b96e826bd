//! A tree of files that manifests are read from: a commit in Git's object database, or a folder on disk.

/// What stands at a path of a [`SourceTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link; [`SourceTree::read`] follows it inside the tree.
    Symlink,
    /// A submodule: listed, never followed.
    Submodule,
}

/// One entry of a [`SourceTree`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Hex id of its content: equal ids mean equal content (of the whole subtree for a folder).
    pub id: String,
}

/// Why a [`SourceTree`] could not answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SourceError {
    /// Nothing stands at the path; check the application's `path`.
    #[error("{path}: no such file or folder in {tree}")]
    NotFound {
        /// The path asked for.
        path: String,
        /// What was searched, e.g. `commit 9f3c1e2`.
        tree: String,
    },
    /// The path, or a symbolic link on it, leaves the tree.
    #[error("{path}: leaves the repository; only files inside it are read")]
    Outside {
        /// The offending path.
        path: String,
    },
    /// The object database or the disk failed; the message says how.
    #[error("{path}: {message}")]
    Broken {
        /// The path asked for.
        path: String,
        /// What went wrong.
        message: String,
    },
}

/// A read-only tree of files. Paths are relative, `/`-separated, without `.` and `..`; the root is the empty string.
pub trait SourceTree: Send + Sync {
    /// Says which tree this is, for messages: `commit 9f3c1e2` or a folder's path.
    fn describe(&self) -> String;
    /// Returns what stands at `path`, not following a symbolic link in its last part; none if nothing does.
    ///
    /// # Errors
    /// [`SourceError::Broken`] where the tree cannot be read.
    fn entry(&self, path: &str) -> Result<Option<Entry>, SourceError>;
    /// Returns the names and entries of a folder, sorted by name in byte order.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] where `path` is no folder.
    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>, SourceError>;
    /// Returns a file's bytes. Symbolic links are followed inside the tree, at most 8 deep.
    ///
    /// # Errors
    /// [`SourceError::Outside`] where a link leaves the tree, [`SourceError::NotFound`] where it ends nowhere.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;
    /// As [`SourceTree::read`], for what [`SourceTree::list`] or [`SourceTree::entry`] has found at `path`: a tree that finds content by
    /// its id need not walk to it again.
    ///
    /// # Errors
    /// As [`SourceTree::read`].
    fn read_entry(&self, path: &str, _entry: &Entry) -> Result<Vec<u8>, SourceError> {
        self.read(path)
    }
}
