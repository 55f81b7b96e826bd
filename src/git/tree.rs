//! The files of one commit, read from the object database: nothing in it can name a file of this machine.

use super::{CommitId, GitError, Mirror, failure};
use crate::object::{Entry, EntryKind, SourceError, SourceTree, clean};
use gix::{ObjectId, bstr::ByteSlice, objs::tree::EntryMode};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Links that are followed for one path.
const LINKS: usize = 8;
/// Largest file that is read: more than all manifests of an application may be.
const LARGEST: u64 = 64 << 20;

/// The files of one commit.
pub struct CommitTree {
    // a handle is for one thread at a time; it holds the cache of trees
    repo: Mutex<gix::Repository>,
    commit: CommitId,
    root: ObjectId,
}

impl std::fmt::Debug for CommitTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitTree").field("commit", &self.commit).field("root", &self.root).finish()
    }
}

impl Mirror {
    /// Returns the files of a commit.
    ///
    /// # Errors
    /// [`GitError`] where the commit is not in the mirror.
    pub fn tree(&self, commit: CommitId) -> Result<CommitTree, GitError> {
        let repo = self.repo();
        let tree_id = |repo: &gix::Repository| Ok(repo.find_commit(commit.object_id())?.tree_id()?.detach());
        let root = tree_id(&repo).map_err(|error: gix::Error| self.damaged(&error))?;
        Ok(CommitTree { repo: Mutex::new(repo), commit, root })
    }
}

/// Something that stands in the tree.
#[derive(Clone, Copy)]
struct Node {
    kind: EntryKind,
    id: ObjectId,
}

impl Node {
    fn entry(self) -> Entry {
        Entry { kind: self.kind, id: self.id.to_string() }
    }
}

fn kind(mode: EntryMode) -> EntryKind {
    if mode.is_tree() {
        EntryKind::Folder
    } else if mode.is_link() {
        EntryKind::Symlink
    } else if mode.is_commit() {
        EntryKind::Submodule
    } else {
        EntryKind::File
    }
}

/// A walk from the root to a path.
struct Walk<'a> {
    repo: &'a gix::Repository,
    root: ObjectId,
    path: &'a str,
    links: usize,
}

impl Walk<'_> {
    fn broken(&self, error: &gix::Error) -> SourceError {
        let message = clean(&failure::chain(error)).into_owned();
        SourceError::Broken { path: self.path.to_owned(), message }
    }

    fn outside(&self) -> SourceError {
        SourceError::Outside { path: self.path.to_owned() }
    }

    /// Finds what stands at the path; `last` says whether a link in the last part is followed too.
    fn find(&mut self, last: bool) -> Result<Option<Node>, SourceError> {
        // folders from the root down to where the walk stands, and the parts still to go, in reverse
        let mut folders = vec![self.root];
        let mut parts: Vec<String> = self.path.split('/').rev().map(str::to_owned).collect();
        let mut node = Node { kind: EntryKind::Folder, id: self.root };
        while let Some(part) = parts.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    folders.pop();
                    let Some(id) = folders.last() else { return Err(self.outside()) };
                    node = Node { kind: EntryKind::Folder, id: *id };
                    continue;
                }
                _ => {}
            }
            // a file has nothing below it
            if node.kind != EntryKind::Folder {
                return Ok(None);
            }
            let Some(found) = self.child(node.id, &part)? else { return Ok(None) };
            let more = parts.iter().any(|part| !part.is_empty() && part != ".");
            match found.kind {
                EntryKind::Folder => {
                    folders.push(found.id);
                    node = found;
                }
                EntryKind::Symlink if more || last => {
                    let target = self.target(found.id)?;
                    if target.starts_with('/') {
                        return Err(self.outside());
                    }
                    self.links += 1;
                    if self.links > LINKS {
                        let message = format!("more than {LINKS} symbolic links on the way");
                        return Err(SourceError::Broken { path: self.path.to_owned(), message });
                    }
                    parts.extend(target.split('/').rev().map(str::to_owned));
                    // the link's own folder, from which its target counts
                    node = Node { kind: EntryKind::Folder, id: *folders.last().unwrap_or(&self.root) };
                }
                _ => node = found,
            }
        }
        Ok(Some(node))
    }

    fn child(&self, folder: ObjectId, name: &str) -> Result<Option<Node>, SourceError> {
        let tree = self.repo.find_tree(folder).map_err(|error| self.broken(&error))?;
        let entry = tree.find_entry(name);
        Ok(entry.map(|entry| Node { kind: kind(entry.mode()), id: entry.object_id() }))
    }

    fn target(&self, link: ObjectId) -> Result<String, SourceError> {
        let blob = self.bytes(link)?;
        String::from_utf8(blob).map_err(|_| self.outside())
    }

    fn bytes(&self, id: ObjectId) -> Result<Vec<u8>, SourceError> {
        let size = self.repo.find_header(id).map_err(|error| self.broken(&error))?.size();
        if size > LARGEST {
            let message = format!("{size} bytes; at most {} MiB of a file are read", LARGEST >> 20);
            return Err(SourceError::Broken { path: self.path.to_owned(), message });
        }
        let mut blob = self.repo.find_blob(id).map_err(|error| self.broken(&error))?;
        Ok(blob.take_data())
    }
}

impl CommitTree {
    fn repo(&self) -> MutexGuard<'_, gix::Repository> {
        // a panic elsewhere leaves the handle as good as it was: it holds caches alone
        self.repo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, path: &str) -> SourceError {
        SourceError::NotFound { path: path.to_owned(), tree: self.describe() }
    }
}

impl SourceTree for CommitTree {
    fn describe(&self) -> String {
        format!("commit {}", self.commit.short())
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>, SourceError> {
        let repo = self.repo();
        let mut walk = Walk { repo: &repo, root: self.root, path, links: 0 };
        Ok(walk.find(false)?.map(Node::entry))
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>, SourceError> {
        let repo = self.repo();
        let mut walk = Walk { repo: &repo, root: self.root, path, links: 0 };
        let Some(Node { kind: EntryKind::Folder, id }) = walk.find(true)? else { return Err(self.missing(path)) };
        let tree = repo.find_tree(id).map_err(|error| walk.broken(&error))?;
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|error| walk.broken(&error))?;
            let node = Node { kind: kind(entry.mode()), id: entry.object_id() };
            entries.push((entry.filename().to_str_lossy().into_owned(), node.entry()));
        }
        // Git sorts folders as if their names ended in a slash
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let repo = self.repo();
        let mut walk = Walk { repo: &repo, root: self.root, path, links: 0 };
        match walk.find(true)? {
            Some(Node { kind: EntryKind::File, id }) => walk.bytes(id),
            _ => Err(self.missing(path)),
        }
    }

    fn read_entry(&self, path: &str, entry: &Entry) -> Result<Vec<u8>, SourceError> {
        match (entry.kind, ObjectId::from_hex(entry.id.as_bytes())) {
            (EntryKind::File, Ok(id)) => {
                let repo = self.repo();
                Walk { repo: &repo, root: self.root, path, links: 0 }.bytes(id)
            }
            _ => self.read(path),
        }
    }
}
