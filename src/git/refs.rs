//! Branches and tags of a mirror, and what a revision text names.

use super::{CommitId, GitError, Mirror, Revision};
use crate::object::clean;
use gix::{
    ObjectId,
    bstr::ByteSlice,
    refs::{
        FullName, Target,
        transaction::{Change, LogChange, PreviousValue, RefEdit},
    },
};
use std::collections::BTreeMap;

pub(super) const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
/// Where the last commit of a ref stays that is gone from the server.
const GONE: &str = "refs/driftdeck/gone/";

/// How many names a hint lists.
const NAMES: usize = 5;

/// Returns the ref that keeps a commit which no branch reaches any more.
pub(super) fn keep_ref(id: ObjectId) -> String {
    format!("refs/driftdeck/keep/{id}")
}

/// Returns the ref that remembers a ref which is gone. The name is one part: `a` and `a/b` can both be gone.
pub(super) fn gone_ref(name: &str) -> String {
    format!("{GONE}{}", name.replace('%', "%25").replace('/', "%2F"))
}

/// Returns a ref's name without `refs/heads/` or `refs/tags/`.
pub(super) fn short_name(name: &str) -> String {
    name.strip_prefix(BRANCHES).or_else(|| name.strip_prefix(TAGS)).unwrap_or(name).to_owned()
}

/// An edit that sets a ref to an object, whatever it was; none for a name that is not valid.
pub(super) fn set_ref(name: &str, id: ObjectId) -> Option<RefEdit> {
    let name = FullName::try_from(name).ok()?;
    let change = Change::Update { log: LogChange::default(), expected: PreviousValue::Any, new: Target::Object(id) };
    Some(RefEdit { change, name, deref: false })
}

impl Mirror {
    /// Returns every branch and tag by its short name with its commit (tags peeled; tags of other things are left out),
    /// branches first, each in byte order.
    ///
    /// # Errors
    /// [`GitError`] where the refs cannot be read.
    pub fn refs(&self) -> Result<Vec<(String, CommitId)>, GitError> {
        let repo = self.repo();
        let refs = self.remote_refs_at(&repo)?;
        let commit = |id: ObjectId| peel(&repo, id).map(CommitId);
        Ok(refs.iter().filter_map(|(name, id)| Some((short_name(name), commit(*id)?))).collect())
    }

    /// Finds what a branch, tag or commit names; none: the remote's HEAD. A branch wins over a tag of the same name.
    ///
    /// # Errors
    /// [`GitError::NoSuchRevision`], [`GitError::NoCommits`] (an empty repository).
    pub fn resolve(&self, revision: Option<&str>) -> Result<Revision, GitError> {
        let repo = self.repo();
        let refs = self.remote_refs_at(&repo)?;
        let text = match revision.map(str::trim) {
            None | Some("" | "HEAD") => return self.resolve_head(&repo, &refs),
            Some(text) => text,
        };
        let find = |prefix: &str, name: &str| refs.get(&format!("{prefix}{name}")).and_then(|id| peel(&repo, *id));
        let branch = |name: &str| {
            find(BRANCHES, name).map(|id| Revision { commit: CommitId(id), branch: Some(name.to_owned()) })
        };
        let tag = |name: &str| find(TAGS, name).map(|id| Revision { commit: CommitId(id), branch: None });
        let found = if let Some(name) = text.strip_prefix(BRANCHES) {
            branch(name)
        } else if let Some(name) = text.strip_prefix(TAGS) {
            tag(name)
        } else {
            branch(text).or_else(|| tag(text))
        };
        if let Some(found) = found {
            return Ok(found);
        }
        match by_id(&repo, text) {
            ById::Commit(id) => Ok(Revision { commit: CommitId(id), branch: None }),
            ById::Ambiguous => Err(self.no_such(text, "; several objects begin so, give more digits".to_owned())),
            ById::None if refs.is_empty() => Err(GitError::NoCommits { url: self.url().to_string() }),
            ById::None => Err(self.no_such(text, self.hint(&repo, &refs, text))),
        }
    }

    fn resolve_head(&self, repo: &gix::Repository, refs: &BTreeMap<String, ObjectId>) -> Result<Revision, GitError> {
        let head = repo.head().map_err(|error| self.damaged(&error))?;
        let name = match head.kind {
            gix::head::Kind::Symbolic(branch) => branch.name,
            gix::head::Kind::Unborn(name) => name,
            gix::head::Kind::Detached { target, peeled } => {
                return Ok(Revision { commit: CommitId(peeled.unwrap_or(target)), branch: None });
            }
        };
        let name = name.as_bstr().to_str_lossy().into_owned();
        match refs.get(&name).and_then(|id| peel(repo, *id)) {
            Some(id) => Ok(Revision { commit: CommitId(id), branch: Some(short_name(&name)) }),
            None if refs.is_empty() => Err(GitError::NoCommits { url: self.url().to_string() }),
            None => {
                let hint = format!(", which its HEAD names{}", self.hint(repo, refs, &short_name(&name)));
                Err(self.no_such(&short_name(&name), hint))
            }
        }
    }

    fn no_such(&self, revision: &str, hint: String) -> GitError {
        let revision = clean(revision).into_owned();
        GitError::NoSuchRevision { url: self.url().to_string(), revision, hint: clean(&hint).into_owned() }
    }

    /// Says what may have been meant.
    fn hint(&self, repo: &gix::Repository, refs: &BTreeMap<String, ObjectId>, text: &str) -> String {
        let name = short_name(text);
        for (prefix, what) in [(BRANCHES, "the branch"), (TAGS, "the tag")] {
            let gone = repo.try_find_reference(gone_ref(&format!("{prefix}{name}")).as_str()).ok().flatten();
            if let Some(id) = gone.and_then(|mut gone| gone.peel_to_id().ok()).map(|id| id.detach()) {
                return format!("; {what} was deleted on the server, where it last stood at {}", CommitId(id).short());
            }
        }
        let names: Vec<String> = refs.keys().map(|name| short_name(name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let near = similar::get_close_matches(name.as_str(), &names, NAMES, 0.6);
        if !near.is_empty() {
            return format!("; near names: {}", near.join(", "));
        }
        let branches: Vec<&str> = refs.keys().filter_map(|name| name.strip_prefix(BRANCHES)).collect();
        let more = if branches.len() > NAMES { ", …" } else { "" };
        match branches.is_empty() {
            true => "; it has no branches".to_owned(),
            false => format!("; its branches: {}{more}", branches[..branches.len().min(NAMES)].join(", ")),
        }
    }

    /// Branches and tags by full name, with the object that each points to (a tag object where there is one).
    pub(super) fn remote_refs_at(&self, repo: &gix::Repository) -> Result<BTreeMap<String, ObjectId>, GitError> {
        let damaged = |error: gix::Error| self.damaged(&error);
        let mut refs = BTreeMap::new();
        let platform = repo.references().map_err(damaged)?;
        for prefix in [BRANCHES, TAGS] {
            for reference in platform.prefixed(prefix).map_err(damaged)? {
                let reference = reference.map_err(damaged)?;
                if let Some(id) = reference.try_id() {
                    refs.insert(reference.name().as_bstr().to_str_lossy().into_owned(), id.detach());
                }
            }
        }
        Ok(refs)
    }
}

/// Follows tag objects to a commit; none where they end in something else.
fn peel(repo: &gix::Repository, id: ObjectId) -> Option<ObjectId> {
    Some(repo.find_object(id).ok()?.peel_to_commit().ok()?.id)
}

enum ById {
    Commit(ObjectId),
    Ambiguous,
    None,
}

/// Finds a commit by its whole or abbreviated id (four digits at least, as in Git). Among objects that begin alike, a
/// single commit wins.
fn by_id(repo: &gix::Repository, text: &str) -> ById {
    let Ok(prefix) = gix::hash::Prefix::from_hex(text) else { return ById::None };
    let mut candidates = Default::default();
    let found = match repo.objects.lookup_prefix(prefix, Some(&mut candidates)) {
        Ok(Some(Ok(id))) => vec![id],
        Ok(Some(Err(()))) => candidates.into_iter().collect(),
        Ok(None) | Err(_) => return ById::None,
    };
    let mut commits: Vec<ObjectId> = found.iter().filter_map(|id| peel(repo, *id)).collect();
    commits.sort_unstable();
    commits.dedup();
    match commits[..] {
        [] => ById::None,
        [id] => ById::Commit(id),
        _ => ById::Ambiguous,
    }
}
