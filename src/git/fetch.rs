//! Bringing a mirror up to date, and asking whether it is.

use super::{
    CommitId, FetchReport, GitError, Mirror, Progress,
    lock::{WriteLock, sweep},
    progress::reported,
    refs::{BRANCHES, gone_ref, keep_ref, set_ref, short_name},
    remote::Failed,
};
use gix::{
    ObjectId,
    protocol::handshake::Ref,
    refs::{
        FullName, Target,
        transaction::{Change, PreviousValue, RefEdit, RefLog},
    },
};
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

/// What came of a fetch.
pub(super) enum Fetched {
    /// The mirror is as the server was.
    Done(FetchReport),
    /// The server's repository uses another hash than the mirror; nothing was done.
    OtherHash(gix::hash::Kind),
}

/// Where the server's HEAD points.
#[derive(PartialEq, Eq)]
enum Head {
    Branch(FullName),
    Detached(ObjectId),
}

/// What the server says that it has.
struct Advertised {
    /// Full names of branches and tags with what they point to (a tag object where there is one).
    refs: BTreeMap<String, ObjectId>,
    head: Option<Head>,
}

impl Advertised {
    fn of(refs: &[Ref]) -> Self {
        let mut advertised = Self { refs: BTreeMap::new(), head: None };
        for remote in refs {
            let (name, id, target) = match remote {
                Ref::Peeled { full_ref_name, tag, .. } => (full_ref_name, Some(*tag), None),
                Ref::Direct { full_ref_name, object } => (full_ref_name, Some(*object), None),
                Ref::Symbolic { full_ref_name, target, tag, object } => {
                    (full_ref_name, Some(tag.unwrap_or(*object)), Some(target))
                }
                Ref::Unborn { full_ref_name, target } => (full_ref_name, None, Some(target)),
            };
            if name == "HEAD" {
                let branch = target.and_then(|target| FullName::try_from(target.clone()).ok()).map(Head::Branch);
                advertised.head = branch.or(id.map(Head::Detached));
            } else if let (Some(id), true) = (id, is_mirrored(&name.to_string())) {
                advertised.refs.insert(name.to_string(), id);
            }
        }
        advertised
    }
}

fn is_mirrored(name: &str) -> bool {
    name.starts_with("refs/heads/") || name.starts_with("refs/tags/")
}

impl Mirror {
    /// Asks the server, in one round trip, whether any branch or tag differs from the mirror.
    ///
    /// # Errors
    /// As [`Mirror::clone_from`].
    pub fn poll(&self, stop: &AtomicBool) -> Result<bool, GitError> {
        let repo = self.repo();
        let map = self.connected(&repo, stop, |link| {
            let (map, _) = link.ref_map(gix::progress::Discard, Default::default())?;
            Ok(map)
        })?;
        let advertised = Advertised::of(&map.remote_refs);
        if advertised.refs != self.remote_refs_at(&repo)? {
            return Ok(true);
        }
        Ok(advertised.head.is_some() && advertised.head != self.head_at(&repo)?)
    }

    /// Fetches branches and tags, forced moves and deletions included.
    ///
    /// # Errors
    /// As [`Mirror::clone_from`].
    pub fn fetch(&self, progress: &(dyn Fn(Progress) + Sync), stop: &AtomicBool) -> Result<FetchReport, GitError> {
        let lock = WriteLock::wait(self.path(), stop)?;
        sweep(self.path(), &lock);
        match self.fetch_locked(&lock, progress, stop)? {
            Fetched::Done(report) => {
                self.tend(&lock);
                Ok(report)
            }
            Fetched::OtherHash(hash) => Err(GitError::Mirror {
                path: self.path().display().to_string(),
                reason: format!("the repository was made anew with {hash}; remove this folder to clone it again"),
            }),
        }
    }

    pub(super) fn fetch_locked(
        &self,
        _held: &WriteLock,
        progress: &(dyn Fn(Progress) + Sync),
        stop: &AtomicBool,
    ) -> Result<Fetched, GitError> {
        let repo = self.repo();
        let before = self.remote_refs_at(&repo)?;
        let outcome = reported(progress, |item| {
            self.connected(&repo, stop, |link| {
                let fetch = link.prepare_fetch(item.clone(), Default::default())?;
                let map = fetch.ref_map();
                if map.object_hash != repo.object_hash() {
                    return Ok(Err(map.object_hash));
                }
                let advertised = Advertised::of(&map.remote_refs);
                // first, because `a` must be gone before `a/b` can be written; gix does not prune
                self.prune(&repo, &before, &advertised.refs).map_err(Failed::Other)?;
                if map.remote_refs.iter().any(|remote| remote.unpack().1.is_some()) {
                    fetch.receive(item, stop)?;
                }
                Ok(Ok(advertised))
            })
        })?;
        let advertised = match outcome {
            Ok(advertised) => advertised,
            Err(hash) => return Ok(Fetched::OtherHash(hash)),
        };
        let after = self.remote_refs_at(&repo)?;
        let refused = advertised.refs.iter().find(|(name, id)| after.get(*name) != Some(*id));
        if let Some((name, id)) = refused {
            let reason = format!("{name} could not be moved to {id}");
            return Err(GitError::Mirror { path: self.path().display().to_string(), reason });
        }
        if let Some(head) = advertised.head {
            self.set_head(&repo, head)?;
        }
        self.report(&repo, &before, &after).map(Fetched::Done)
    }

    /// Takes away what the server does not have any more, and keeps its commits readable.
    fn prune(
        &self,
        repo: &gix::Repository,
        before: &BTreeMap<String, ObjectId>,
        now: &BTreeMap<String, ObjectId>,
    ) -> Result<(), GitError> {
        let mut keep = Vec::new();
        let mut delete = Vec::new();
        for (name, id) in before.iter().filter(|(name, _)| !now.contains_key(*name)) {
            keep.extend(set_ref(&gone_ref(name), *id));
            delete.extend(FullName::try_from(name.as_str()).ok().map(|name| RefEdit {
                change: Change::Delete { expected: PreviousValue::Any, log: RefLog::AndReference },
                name,
                deref: false,
            }));
        }
        for edits in [keep, delete] {
            if !edits.is_empty() {
                repo.edit_references(edits).map_err(|error| self.damaged(&error))?;
            }
        }
        Ok(())
    }

    /// Says what changed, and keeps the commits that a forced move left behind.
    fn report(
        &self,
        repo: &gix::Repository,
        before: &BTreeMap<String, ObjectId>,
        after: &BTreeMap<String, ObjectId>,
    ) -> Result<FetchReport, GitError> {
        let mut report = FetchReport::default();
        let mut keep = Vec::new();
        for (name, id) in after {
            match before.get(name) {
                Some(old) if old == id => {}
                Some(old) => {
                    let forced = name.starts_with(BRANCHES) && !self.contains_at(repo, *id, *old)?;
                    if forced {
                        report.forced.push((short_name(name), CommitId(*old), CommitId(*id)));
                    } else {
                        report.updated.push(short_name(name));
                    }
                    if forced || !name.starts_with(BRANCHES) {
                        keep.extend(set_ref(&keep_ref(*old), *old));
                    }
                }
                None => report.updated.push(short_name(name)),
            }
        }
        report.deleted = before.keys().filter(|name| !after.contains_key(*name)).map(|name| short_name(name)).collect();
        if !keep.is_empty() {
            repo.edit_references(keep).map_err(|error| self.damaged(&error))?;
        }
        Ok(report)
    }

    fn head_at(&self, repo: &gix::Repository) -> Result<Option<Head>, GitError> {
        let head = repo.head().map_err(|error| self.damaged(&error))?;
        Ok(match head.kind {
            gix::head::Kind::Symbolic(branch) => Some(Head::Branch(branch.name)),
            gix::head::Kind::Unborn(name) => Some(Head::Branch(name)),
            gix::head::Kind::Detached { target, .. } => Some(Head::Detached(target)),
        })
    }

    fn set_head(&self, repo: &gix::Repository, head: Head) -> Result<(), GitError> {
        if self.head_at(repo)?.as_ref() == Some(&head) {
            return Ok(());
        }
        let new = match head {
            Head::Branch(name) => Target::Symbolic(name),
            Head::Detached(id) => Target::Object(id),
        };
        let log = gix::refs::transaction::LogChange::default();
        let change = Change::Update { log, expected: PreviousValue::Any, new };
        // `HEAD` is a valid name
        let edit = FullName::try_from("HEAD").ok().map(|name| RefEdit { change, name, deref: false });
        repo.edit_references(edit).map(drop).map_err(|error| self.damaged(&error))
    }
}
