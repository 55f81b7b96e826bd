//! What names a repository for every operator alike, however each of them reaches it.

use super::{CommitId, GitError, HistoryOptions, Mirror, RepositoryUrl};
use gix::{bstr::ByteSlice, remote::Direction};
use std::{collections::HashSet, path::Path, sync::atomic::AtomicBool};

/// Paths that lead to paths are followed so far: a clone of a clone of a clone.
const HOPS: usize = 8;

impl Mirror {
    /// Returns what names this repository for every operator alike: the URL without scheme, userinfo and `.git`; of a
    /// repository given as a path its upstream remote's (`origin`), else `root:` and its root commit's id.
    ///
    /// # Errors
    /// [`GitError`] where the repository has no commit.
    pub fn source_identity(&self) -> Result<String, GitError> {
        match self.url().local_path() {
            None => Ok(self.url().bare_address()),
            Some(path) => match upstream(path) {
                Some(url) => Ok(url.bare_address()),
                None => self.root_identity(),
            },
        }
    }

    fn root_identity(&self) -> Result<String, GitError> {
        let tip = self.resolve(None).map(|head| head.commit);
        // without HEAD's branch any other leads to a root
        let tip = tip.or_else(|error| self.refs()?.first().map(|(_, id)| *id).ok_or(error))?;
        let options = HistoryOptions { limit: None, first_parent: true };
        let commits = self.history(tip, &[String::new()], options, &AtomicBool::new(false))?;
        let root = commits.last().map_or(tip, |commit| commit.id);
        Ok(format!("root:{}", CommitId::to_string(&root)))
    }
}

/// Returns where `origin` of the repository at `path` leads, through other local repositories if need be.
fn upstream(path: &Path) -> Option<RepositoryUrl> {
    let mut path = path.to_owned();
    let mut seen = HashSet::new();
    while seen.len() < HOPS && seen.insert(path.clone()) {
        let repo = gix::open(&path).ok()?;
        let remote = repo.try_find_remote("origin").and_then(Result::ok)?;
        let mut text = remote.url(Direction::Fetch)?.to_bstring().to_str().ok()?.to_owned();
        if !text.contains(':') && Path::new(&text).is_relative() {
            text = repo.workdir().unwrap_or(repo.git_dir()).join(text).to_str()?.to_owned();
        }
        let url = RepositoryUrl::parse(&text).ok()?;
        match url.local_path() {
            None => return Some(url),
            Some(next) => path = next.to_owned(),
        }
    }
    None
}
