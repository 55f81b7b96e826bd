//! The merge of three trees that a revert is, never clean where `git revert` would stop.
//!
//! gix-merge 0.23, when it follows renames, loses changes and conflicts among files that look alike or change places with
//! a folder (seen on generated histories). A revert that is wrong without a word is the worst outcome, so that gix merges
//! path by path here, and a rename is followed only where it leaves no choice: the file is moved in the other trees before
//! they are merged. What else git might see as a rename is told as a conflict.

use super::sides::{Move, Sides};
use gix::{
    ObjectId,
    bstr::{BStr, ByteSlice},
    merge::{blob::builtin_driver::text::Labels, tree::TreatAsUnresolved},
};
use std::collections::BTreeSet;

/// What a merge gave.
pub(super) enum Merged {
    /// The merged tree, written.
    Tree(ObjectId),
    /// The files on which the sides disagree.
    Conflicts(Vec<String>),
}

/// Merges what leads from `base` to `theirs` into `ours`.
pub(super) fn merged(
    repo: &gix::Repository,
    mut base: ObjectId,
    mut ours: ObjectId,
    mut theirs: ObjectId,
) -> gix::Result<Merged> {
    let sides = Sides::of(repo, base, ours, theirs)?;
    let doubtful = sides.doubtful();
    if !doubtful.is_empty() {
        return Ok(Merged::Conflicts(doubtful));
    }
    for step in sides.moves() {
        let other = if step.by_ours { theirs } else { ours };
        let (Some(new_base), Some(new_other)) = (moved(repo, base, &step)?, moved(repo, other, &step)?) else {
            return Ok(Merged::Conflicts(vec![step.from.to_str_lossy().into_owned()]));
        };
        base = new_base;
        *(if step.by_ours { &mut theirs } else { &mut ours }) = new_other;
    }
    attempt(repo, base, ours, theirs)
}

/// Writes a tree in which a file is moved; none where something stands in its new place already.
fn moved(repo: &gix::Repository, tree: ObjectId, step: &Move) -> gix::Result<Option<ObjectId>> {
    let found = repo.find_tree(tree)?;
    let (from, to) = (gix::path::from_bstr(step.from.as_bstr())?, gix::path::from_bstr(step.to.as_bstr())?);
    let Some(entry) = found.lookup_entry_by_path(&from)? else { return Ok(None) };
    if found.lookup_entry_by_path(&to)?.is_some() {
        return Ok(None);
    }
    let mut editor = repo.edit_tree(tree)?;
    editor.remove(step.from.as_bstr())?;
    editor.upsert(step.to.as_bstr(), entry.mode().kind(), entry.object_id())?;
    Ok(Some(editor.write()?.detach()))
}

/// Merges path by path.
fn attempt(repo: &gix::Repository, base: ObjectId, ours: ObjectId, theirs: ObjectId) -> gix::Result<Merged> {
    let label = |text: &'static str| Some(BStr::new(text));
    let labels =
        Labels { ancestor: label("the commit"), current: label("the branch"), other: label("before the commit") };
    let options = repo.tree_merge_options()?.with_rewrites(None);
    let mut outcome = repo.merge_trees(base, ours, theirs, labels, options)?;
    let how = TreatAsUnresolved::git();
    if outcome.has_unresolved_conflicts(how) {
        let conflicts = outcome.conflicts.iter().filter(|conflict| conflict.is_unresolved(how));
        let paths: BTreeSet<String> =
            conflicts.map(|conflict| conflict.ours.location().to_str_lossy().into_owned()).collect();
        return Ok(Merged::Conflicts(paths.into_iter().collect()));
    }
    Ok(Merged::Tree(outcome.tree.write()?.detach()))
}
