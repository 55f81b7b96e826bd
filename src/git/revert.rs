//! Undoing a commit by a new one, made in the object database alone.

use super::{
    CommitId, GitError, Mirror, Reverted,
    lock::WriteLock,
    refs::set_ref,
    three_way::{Merged, merged},
};
use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    objs,
};
use std::{path::Path, sync::atomic::AtomicBool};

impl Mirror {
    /// Writes a commit that undoes `commit` on top of `tip`, by a three-way merge in the object database, as `git revert`
    /// would. For a merge commit `parent` (from 1) says which side stays; without it a merge is refused. Author and committer
    /// are the Git identity found in `identity_from` (else the user's global configuration), signed when the configuration
    /// says so. No branch moves; a ref of our own keeps the commit until it is pushed.
    ///
    /// # Errors
    /// [`GitError::NoIdentity`], [`GitError::MergeNeedsParent`], [`GitError::Signing`].
    pub fn revert(
        &self,
        tip: CommitId,
        commit: CommitId,
        parent: Option<usize>,
        identity_from: Option<&Path>,
    ) -> Result<Reverted, GitError> {
        // the identity comes first: a conflict is not worth solving for who cannot commit
        let identity = self.identity(identity_from)?;
        let _lock = WriteLock::wait(self.path(), &AtomicBool::new(false))?;
        let repo = self.repo();
        let damaged = |error: gix::Error| self.damaged(&error);
        let undone = repo.find_commit(commit.object_id()).map_err(damaged)?;
        let parents: Vec<ObjectId> = undone.parent_ids().map(|id| id.detach()).collect();
        let side = match (parents.len(), parent) {
            (0, None | Some(1)) => None,
            (1, None) => Some(parents[0]),
            (_, Some(number)) if (1..=parents.len()).contains(&number) => Some(parents[number - 1]),
            _ => return Err(GitError::MergeNeedsParent { commit: commit.to_string() }),
        };
        let tree_of = |id: ObjectId| -> gix::Result<ObjectId> { Ok(repo.find_commit(id)?.tree_id()?.detach()) };
        let base = undone.tree_id().map_err(damaged)?.detach();
        let ours = tree_of(tip.object_id()).map_err(damaged)?;
        let theirs = match side {
            Some(side) => tree_of(side).map_err(damaged)?,
            None => repo.write_object(objs::Tree::empty()).map_err(damaged)?.detach(),
        };
        let tree = match merged(&repo, base, ours, theirs).map_err(damaged)? {
            Merged::Tree(tree) => tree,
            Merged::Conflicts(paths) => return Ok(Reverted::Conflicts(paths)),
        };
        if tree == ours {
            return Ok(Reverted::Empty);
        }
        let message = undone.message_raw().map_err(damaged)?;
        let merge_side = side.filter(|_| parents.len() > 1);
        let mut new = objs::Commit {
            tree,
            parents: [tip.object_id()].into(),
            author: identity.author,
            committer: identity.committer,
            encoding: None,
            message: revert_message(message, commit.object_id(), merge_side),
            extra_headers: Vec::new(),
        };
        if let Some(options) = identity.signing {
            new = new.sign(options).map_err(|error| self.unsigned(&error))?;
        }
        let id = repo.write_object(&new).map_err(damaged)?.detach();
        let keep = set_ref(&format!("refs/driftdeck/written/{id}"), id);
        repo.edit_references(keep).map_err(damaged)?;
        Ok(Reverted::Committed(CommitId(id)))
    }
}

/// Git's own words, so that its tools know a revert when they see one.
fn revert_message(message: &BStr, id: ObjectId, side: Option<ObjectId>) -> BString {
    let subject = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut text = BString::from("Revert \"");
    text.extend_from_slice(subject.trim_end());
    text.extend_from_slice(b"\"\n\n");
    let rest = match side {
        None => format!("This reverts commit {id}.\n"),
        Some(side) => format!("This reverts commit {id}, reversing\nchanges made to {side}.\n"),
    };
    text.extend_from_slice(rest.as_bytes());
    text
}
