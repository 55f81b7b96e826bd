//! The commits that changed an application: a walk over the whole history, thinned to some paths.
//!
//! What is shown is what `git log --full-history -- PATHS` shows: a commit that differs at the paths from its parent, and a
//! merge that differs from every parent. Both sides of a merge are walked. The order is that of `--date-order`.

use super::{Commit, CommitId, GitError, HistoryOptions, Mirror};
use gix::{ObjectId, objs::tree::EntryMode};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::atomic::{AtomicBool, Ordering},
};

/// What the walk needs of a commit.
struct Node {
    id: ObjectId,
    tree: ObjectId,
    time: i64,
    /// Indices of its parents.
    parents: Vec<usize>,
    children: usize,
}

/// What stands at one of the paths.
type Found = Option<(EntryMode, ObjectId)>;

impl Mirror {
    /// Returns the commits reachable from `tip` that changed anything under one of `paths` (the root: the empty string),
    /// newest first, parents after their children. A merge is shown where it differs from every parent; one that took a
    /// side whole is left out, and both sides are walked.
    ///
    /// # Errors
    /// [`GitError`] where the database cannot be read, [`GitError::Interrupted`] when `stop` is set.
    pub fn history(
        &self,
        tip: CommitId,
        paths: &[String],
        options: HistoryOptions,
        stop: &AtomicBool,
    ) -> Result<Vec<Commit>, GitError> {
        let mut repo = self.repo();
        repo.object_cache_size(64 << 20);
        let mut nodes = self.walk(&repo, tip.object_id(), options.first_parent, stop)?;
        let paths: Vec<&str> = paths.iter().map(|path| path.trim_matches('/')).collect();
        let whole = paths.iter().any(|path| path.is_empty() || *path == ".");
        let mut trees = Trees { repo: &repo, paths: &paths, found: HashMap::new() };
        let limit = options.limit.unwrap_or(usize::MAX);
        let mut shown = Vec::new();
        // ties go to the commit met first, which is nearer to the tip
        let mut ready = BinaryHeap::from([(nodes[0].time, Reverse(0))]);
        while let Some((_, Reverse(index))) = ready.pop() {
            if shown.len() >= limit {
                break;
            }
            self.check(stop)?;
            if whole || self.differs(&nodes, index, &mut trees)? {
                shown.push(self.commit_at(&repo, CommitId(nodes[index].id))?);
            }
            for parent in nodes[index].parents.clone() {
                nodes[parent].children -= 1;
                if nodes[parent].children == 0 {
                    ready.push((nodes[parent].time, Reverse(parent)));
                }
            }
        }
        Ok(shown)
    }

    /// Reads every commit that `tip` reaches; the tip comes first. The parents of a shallow clone's last commits are left out.
    fn walk(
        &self,
        repo: &gix::Repository,
        tip: ObjectId,
        first_parent: bool,
        stop: &AtomicBool,
    ) -> Result<Vec<Node>, GitError> {
        let damaged = |error: gix::Error| self.damaged(&error);
        let shallow = repo.shallow_commits().map_err(damaged)?;
        let mut known = HashMap::from([(tip, 0)]);
        let mut ids = vec![tip];
        let mut nodes: Vec<Node> = Vec::new();
        while let Some(id) = ids.get(nodes.len()).copied() {
            self.check(stop)?;
            let commit = repo.find_commit(id).map_err(damaged)?;
            let decoded = commit.decode().map_err(damaged)?;
            let mut parents = Vec::new();
            let cut = shallow.as_ref().is_some_and(|shallow| shallow.iter().any(|last| *last == id));
            let kept = if cut {
                0
            } else if first_parent {
                1
            } else {
                usize::MAX
            };
            for parent in decoded.parents().take(kept) {
                let index = *known.entry(parent).or_insert_with(|| {
                    ids.push(parent);
                    ids.len() - 1
                });
                // a commit may name a parent twice
                if !parents.contains(&index) {
                    parents.push(index);
                }
            }
            let time = decoded.committer().map_err(damaged)?.seconds();
            nodes.push(Node { id, tree: decoded.tree(), time, parents, children: 0 });
        }
        for index in 0..nodes.len() {
            for parent in nodes[index].parents.clone() {
                nodes[parent].children += 1;
            }
        }
        Ok(nodes)
    }

    /// Says whether a commit differs at the paths from each of its parents (from nothing, where it has none).
    fn differs(&self, nodes: &[Node], index: usize, trees: &mut Trees<'_>) -> Result<bool, GitError> {
        let own = trees.at(nodes[index].tree).map_err(|error| self.damaged(&error))?;
        if nodes[index].parents.is_empty() {
            return Ok(own.iter().any(Option::is_some));
        }
        for parent in &nodes[index].parents {
            let tree = nodes[*parent].tree;
            if tree == nodes[index].tree || trees.at(tree).map_err(|error| self.damaged(&error))? == own {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check(&self, stop: &AtomicBool) -> Result<(), GitError> {
        if stop.load(Ordering::Relaxed) { Err(GitError::Interrupted) } else { Ok(()) }
    }
}

/// What stands at the paths, for every root tree once.
struct Trees<'a> {
    repo: &'a gix::Repository,
    paths: &'a [&'a str],
    found: HashMap<ObjectId, Vec<Found>>,
}

impl Trees<'_> {
    fn at(&mut self, root: ObjectId) -> gix::Result<Vec<Found>> {
        if let Some(found) = self.found.get(&root) {
            return Ok(found.clone());
        }
        let found: Vec<Found> =
            self.paths.iter().map(|path| lookup(self.repo, root, path)).collect::<gix::Result<_>>()?;
        self.found.insert(root, found.clone());
        Ok(found)
    }
}

fn lookup(repo: &gix::Repository, root: ObjectId, path: &str) -> gix::Result<Found> {
    let mut tree = root;
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let object = repo.find_tree(tree)?;
        let Some(entry) = object.find_entry(part) else { return Ok(None) };
        if parts.peek().is_none() {
            return Ok(Some((entry.mode(), entry.object_id())));
        }
        if !entry.mode().is_tree() {
            return Ok(None);
        }
        tree = entry.object_id();
    }
    Ok(None)
}
