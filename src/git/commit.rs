//! One commit, read whole.

use super::{Commit, CommitId, GitError, Mirror, Person};
use crate::object::clean;
use gix::{ObjectId, actor::SignatureRef, bstr::ByteSlice};
use jiff::Timestamp;

impl Mirror {
    /// Reads one commit.
    ///
    /// # Errors
    /// [`GitError`] where it is not in the mirror.
    pub fn commit(&self, id: CommitId) -> Result<Commit, GitError> {
        self.commit_at(&self.repo(), id)
    }

    /// Returns who wrote a commit, in one line: `Name <mail>`, and `, signed` after it where it carries a signature
    /// (which is not verified here).
    ///
    /// # Errors
    /// [`GitError`] where it is not in the mirror.
    pub fn author_line(&self, id: CommitId) -> Result<String, GitError> {
        let repo = self.repo();
        let damaged = |error: gix::Error| self.damaged(&error);
        let commit = repo.find_commit(id.object_id()).map_err(damaged)?;
        let author = person(commit.author().map_err(damaged)?);
        let signed = if commit.signature().map_err(damaged)?.is_some() { ", signed" } else { "" };
        Ok(clean(&format!("{} <{}>{signed}", author.name, author.email)).into_owned())
    }

    /// Says whether `ancestor` is reachable from `descendant` (or equal to it).
    ///
    /// # Errors
    /// [`GitError`] where a commit is not in the mirror.
    pub fn contains(&self, descendant: CommitId, ancestor: CommitId) -> Result<bool, GitError> {
        self.contains_at(&self.repo(), descendant.object_id(), ancestor.object_id())
    }

    pub(super) fn contains_at(
        &self,
        repo: &gix::Repository,
        descendant: ObjectId,
        ancestor: ObjectId,
    ) -> Result<bool, GitError> {
        let damaged = |error: gix::Error| self.damaged(&error);
        repo.find_commit(ancestor).map_err(damaged)?;
        for step in repo.rev_walk([descendant]).all().map_err(damaged)? {
            if step.map_err(damaged)?.id == ancestor {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn commit_at(&self, repo: &gix::Repository, id: CommitId) -> Result<Commit, GitError> {
        let damaged = |error: gix::Error| self.damaged(&error);
        let commit = repo.find_commit(id.object_id()).map_err(damaged)?;
        let decoded = commit.decode().map_err(damaged)?;
        let (author, committer) = (decoded.author().map_err(damaged)?, decoded.committer().map_err(damaged)?);
        Ok(Commit {
            id,
            parents: decoded.parents().map(CommitId).collect(),
            subject: decoded.message().summary().to_str_lossy().into_owned(),
            message: decoded.message.to_str_lossy().into_owned(),
            author: person(author),
            time: time(author),
            committed: time(committer),
        })
    }
}

fn person(signature: SignatureRef<'_>) -> Person {
    let text = |part: &gix::bstr::BStr| part.trim().to_str_lossy().into_owned();
    Person { name: text(signature.name), email: text(signature.email) }
}

/// A time that no calendar holds (a broken or forged commit) counts as the epoch, as in `git log`.
fn time(signature: SignatureRef<'_>) -> Timestamp {
    Timestamp::from_second(signature.seconds()).unwrap_or_default()
}
