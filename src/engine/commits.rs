//! The Git side of an application for clients: its history, what a commit does, and commits that revert others.

use super::{
    application::{Application, At, Source, blocking},
    approval::Refusal,
    compare,
    comparison::{Action, Comparison},
    error::EngineError,
    examine::Look,
    fleet::ActivityKind,
    history::{AppliedAt, CommitEffect, CommitRow, GitChange, History, LiveEffect, RenderedObject, RevertTarget},
    ledger::Ledger,
    patches,
    plan::Counts,
};
use crate::{
    cluster::{RecordHead, Session},
    git::{Commit, CommitId, HistoryOptions, Mirror, Reverted},
    object::{Manifest, ObjectId, PackedManifest, Severity, clean},
    render::Rendered,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// How long a pushed commit is waited for to come back by a fetch.
const FETCH_BACK: Duration = Duration::from_secs(30);

impl Application {
    /// Returns the commits that touch the application. Without a cluster, nothing is known about what was applied.
    pub(in crate::engine) async fn read_history(
        &self,
        limit: Option<usize>,
        first_parent: bool,
    ) -> Result<History, EngineError> {
        let source = self.source(&At::Configured, false).await?;
        let Some(revision) = source.revision.clone() else {
            return Ok(History { application: self.section.name.clone(), commits: vec![] });
        };
        let mirror = self.mirror(false).await?;
        let session = self.connected();
        let paths = self.paths(&source).await;
        let stop = self.repository.stop_flag();
        let read = mirror.clone();
        let (commits, refs) = blocking(move || {
            let commits = read.history(revision.commit, &paths, HistoryOptions { limit, first_parent }, &stop)?;
            Ok((commits, read.refs()?))
        })
        .await?;
        let ledger = match &session {
            Some(session) => self.known_ledger(session).await,
            None => Arc::default(),
        };
        let rows = rows(commits, &refs, &ledger, self.state_namespace().unwrap_or_default());
        Ok(History { application: self.section.name.clone(), commits: rows })
    }

    /// Returns what one commit changed, and what applying it now would do.
    pub(in crate::engine) async fn read_effect(&self, revision: &str) -> Result<CommitEffect, EngineError> {
        let source = self.source(&At::Revision(revision.to_owned()), true).await?;
        let id = source
            .revision
            .as_ref()
            .map(|revision| revision.commit)
            .ok_or_else(|| EngineError::NotReady("a folder has no commits".into()))?;
        let mirror = self.mirror(true).await?;
        let (commit, files, refs) = {
            let mirror = mirror.clone();
            let sources = self.secret_sources();
            blocking(move || Ok((mirror.commit(id)?, patches::shown(&mirror, id, &sources)?, mirror.refs()?))).await?
        };
        let session = self.session().await;
        let after = self.render(&source).await?;
        let before = match commit.parents.first() {
            Some(parent) => match self.source(&At::Commit(*parent), true).await {
                Ok(source) => self.render(&source).await.ok(),
                Err(_) => None,
            },
            None => None,
        };
        let rendered = rendered_changes(before.as_deref(), &after, self.section.namespace.as_deref());
        let look = Look { prune: self.section.prune, ..Look::default() };
        let live = match self.examine(&At::Commit(id), look).await {
            Ok(examined) => LiveEffect {
                counts: effect_counts(examined.comparison.objects.iter().map(|object| object.action)),
                objects: examined.acting().cloned().collect(),
                error: None,
            },
            Err(error) => LiveEffect { error: Some(error.to_string()), ..LiveEffect::default() },
        };
        let ledger = match &session {
            Ok(session) => self.known_ledger(session).await,
            Err(_) => Arc::default(),
        };
        let message = clean(&commit.message).into_owned();
        let namespace = self.state_namespace().unwrap_or_default().to_owned();
        let row = rows(vec![commit], &refs, &ledger, &namespace).remove(0);
        Ok(CommitEffect {
            application: self.section.name.clone(),
            commit: CommitRow { effect: Some(!rendered.is_empty()), ..row },
            message,
            files,
            rendered,
            live,
        })
    }

    /// Writes the commit that reverts another into the mirror, and computes what applying it would do.
    pub(in crate::engine) async fn preview_revert(
        &self,
        commit: &str,
        parent: Option<usize>,
        target: RevertTarget,
    ) -> Result<GitChange, EngineError> {
        let mirror = self.mirror(true).await?;
        let (branch, tip, reverted) = self.tip_and_commit(&mirror, commit).await?;
        let identity: Option<PathBuf> = self.repository.section.identity_from.clone();
        let outcome = {
            let mirror = mirror.clone();
            blocking(move || Ok(mirror.revert(tip, reverted, parent, identity.as_deref())?)).await?
        };
        let mut change = GitChange {
            application: self.section.name.clone(),
            commit: None,
            branch: target_branch(target, &branch, reverted),
            pushed: false,
            url: None,
            files: vec![],
            conflicts: vec![],
            plan: Counts::default(),
            plan_error: None,
            author: String::new(),
            message: String::new(),
        };
        match outcome {
            Reverted::Empty => {
                change.message = "the branch already is as if this commit had never been: nothing to revert".into()
            }
            Reverted::Conflicts(paths) => change.conflicts = paths,
            Reverted::Committed(id) => {
                change.commit = Some(id);
                self.describe(&mirror, id, &mut change).await?;
                let look = Look { prune: self.section.prune, ..Look::default() };
                match self.examine(&At::Commit(id), look).await {
                    Ok(examined) => {
                        let Comparison { objects, issues, .. } = examined.comparison;
                        change.plan = effect_counts(objects.iter().map(|object| object.action));
                        let error = issues.into_iter().find(|issue| issue.severity == Severity::Error);
                        change.plan_error = error.map(|error| error.message);
                    }
                    // Without a cluster the commit can still be judged by its files.
                    Err(error) => change.plan_error = Some(error.to_string()),
                }
            }
        }
        Ok(change)
    }

    /// Pushes the commit that a preview wrote, if it still is what it was shown to be: the revert of `reverted` on the branch's tip.
    pub(in crate::engine) async fn push_revert(
        &self,
        reverted: &str,
        commit: CommitId,
        target: RevertTarget,
    ) -> Result<GitChange, EngineError> {
        if !self.cluster.armed() {
            return Err(Refusal::ReadOnly.into());
        }
        let mirror = self.mirror(true).await?;
        let (branch, tip, reverted) = self.tip_and_commit(&mirror, reverted).await?;
        let written = {
            let mirror = mirror.clone();
            blocking(move || Ok(mirror.commit(commit)?)).await
        };
        let Ok(written) = written else {
            return Err(Refusal::Stale(format!(
                "there is no commit {} in the mirror: preview the revert again",
                commit.short()
            ))
            .into());
        };
        if written.parents != [tip] {
            return Err(Refusal::Stale(format!(
                "{branch} moved to {} since commit {} was written: preview the revert again",
                tip.short(),
                commit.short()
            ))
            .into());
        }
        if reverts(&written.message) != Some(reverted) {
            return Err(
                Refusal::Stale(format!("commit {} is no revert of {}", commit.short(), reverted.short())).into()
            );
        }
        let to = target_branch(target, &branch, reverted);
        let pushed = {
            let (mirror, to) = (mirror.clone(), to.clone());
            blocking(move || Ok(mirror.push(commit, &to)?)).await
        };
        let pushed = pushed.inspect_err(|error| {
            self.tell(
                ActivityKind::Failed,
                format!("{error}; the commit {} is kept and can be pushed again", commit.short()),
            )
        })?;
        self.tell(ActivityKind::Done, format!("pushed {} to {to}", commit.short()));
        self.fetch_back(&mirror, &branch, commit, target).await;
        let mut change = GitChange {
            application: self.section.name.clone(),
            commit: Some(commit),
            branch: pushed.branch,
            pushed: true,
            url: pushed.url,
            files: vec![],
            conflicts: vec![],
            plan: Counts::default(),
            plan_error: None,
            author: String::new(),
            message: String::new(),
        };
        self.describe(&mirror, commit, &mut change).await?;
        Ok(change)
    }

    /// Which files its Secrets may be made from.
    fn secret_sources(&self) -> patches::Sources {
        patches::Sources { path: self.section.path.clone(), values: self.section.helm.values.clone() }
    }

    async fn describe(&self, mirror: &Mirror, id: CommitId, change: &mut GitChange) -> Result<(), EngineError> {
        let mirror = mirror.clone();
        let sources = self.secret_sources();
        let (files, author, message) = blocking(move || {
            Ok((patches::shown(&mirror, id, &sources)?, mirror.author_line(id)?, mirror.commit(id)?.message))
        })
        .await?;
        change.files = files;
        change.author = clean(&author).into_owned();
        change.message = clean(&message).into_owned();
        Ok(())
    }

    /// Fetches, so that the pushed commit is what the application is compared with next.
    async fn fetch_back(&self, mirror: &Mirror, branch: &str, commit: CommitId, target: RevertTarget) {
        self.repository.fetch();
        if target == RevertTarget::Review {
            return;
        }
        let mut fact = self.repository.fact();
        let arrived = async {
            loop {
                let (mirror, branch) = (mirror.clone(), branch.to_owned());
                let tip = blocking(move || Ok(mirror.resolve(Some(&branch))?.commit)).await;
                if tip.is_ok_and(|tip| tip == commit) || fact.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(FETCH_BACK, arrived).await.is_err() {
            tracing::warn!(application = self.section.name, "the pushed commit has not come back by a fetch yet");
        }
    }

    /// The branch that commits go to, its tip, and the commit that a text names.
    async fn tip_and_commit(&self, mirror: &Mirror, commit: &str) -> Result<(String, CommitId, CommitId), EngineError> {
        let wanted = self.section.revision.clone().or_else(|| self.repository.section.revision.clone());
        let (mirror, commit, name) = (mirror.clone(), commit.to_owned(), self.section.name.clone());
        blocking(move || {
            let tip = mirror.resolve(wanted.as_deref())?;
            let branch = tip.branch.ok_or_else(|| {
                EngineError::NotReady(format!(
                    "{name} follows a tag or a commit, no branch: a revert needs a branch to go to"
                ))
            })?;
            Ok((branch, tip.commit, mirror.resolve(Some(&commit))?.commit))
        })
        .await
    }

    fn connected(&self) -> Option<Session> {
        self.cluster.fact().borrow().session.clone()
    }

    /// Returns the application's state in the cluster, as far as it is known.
    pub(in crate::engine) async fn known_ledger(&self, session: &Session) -> Arc<Ledger> {
        match self.state_namespace() {
            Some(namespace) => self.ledger.last_known(session, namespace, self.cluster.when_lost()).await,
            None => Arc::default(),
        }
    }

    /// Paths that decide what is rendered: the application's own, and files outside it that it refers to.
    async fn paths(&self, source: &Source) -> Vec<String> {
        let own = self.section.path.clone();
        let mut paths = vec![own.clone()];
        if let Ok(rendered) = self.render(source).await {
            let outside = |path: &String| !own.is_empty() && *path != own && !path.starts_with(&format!("{own}/"));
            paths.extend(rendered.inputs.iter().map(|(path, _)| path.clone()).filter(outside));
        }
        paths
    }
}

fn target_branch(target: RevertTarget, branch: &str, reverted: CommitId) -> String {
    match target {
        RevertTarget::Branch => branch.to_owned(),
        RevertTarget::Review => format!("driftdeck/revert-{}", reverted.short()),
    }
}

/// Returns the commit that a message says it reverts, in `git revert`'s words.
pub(in crate::engine) fn reverts(message: &str) -> Option<CommitId> {
    let rest = message.split("This reverts commit ").nth(1)?;
    let hex: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    hex.parse().ok()
}

fn rows(commits: Vec<Commit>, refs: &[(String, CommitId)], ledger: &Ledger, namespace: &str) -> Vec<CommitRow> {
    let mut by_commit: BTreeMap<String, Vec<&RecordHead>> = BTreeMap::new();
    for head in &ledger.records {
        by_commit.entry(head.revision.clone()).or_default().push(head);
    }
    let mut names: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
    for (name, id) in refs {
        names.entry(*id).or_default().push(clean(name).into_owned());
    }
    let reverted: BTreeMap<CommitId, CommitId> =
        commits.iter().filter_map(|commit| Some((reverts(&commit.message)?, commit.id))).collect();
    let pinned = ledger.inventory.as_ref().and_then(|inventory| inventory.annotations.get("driftdeck.dev/pinned"));
    commits
        .into_iter()
        .map(|commit| CommitRow {
            refs: names.remove(&commit.id).unwrap_or_default(),
            applied: by_commit
                .get(&commit.id.to_string())
                .into_iter()
                .flatten()
                .map(|head| applied_at(head, ledger, namespace))
                .collect(),
            pinned: pinned.is_some_and(|pinned| *pinned == commit.id.to_string()),
            reverts: reverts(&commit.message),
            reverted_by: reverted.get(&commit.id).copied(),
            id: commit.id,
            parents: commit.parents,
            subject: commit.subject,
            author: commit.author,
            time: commit.time,
            signature: "unknown".into(),
            effect: None,
        })
        .collect()
}

fn applied_at(head: &RecordHead, ledger: &Ledger, namespace: &str) -> AppliedAt {
    AppliedAt {
        time: head.started,
        by: format!("{}@{}", head.approval.os_user, head.approval.host),
        outcome: ledger.outcome_of(head),
        record: format!("{namespace}/{}", head.name),
        digest: head.digest.clone(),
    }
}

/// Compares two renders object by object; objects without a namespace of their own stand in the application's on both sides.
fn rendered_changes(before: Option<&Rendered>, after: &Rendered, namespace: Option<&str>) -> Vec<RenderedObject> {
    let by_id = |rendered: &Rendered| -> BTreeMap<ObjectId, Arc<PackedManifest>> {
        let manifests = rendered.manifests.iter().map(|manifest| {
            let mut id = ObjectId::clone(&manifest.id);
            if id.namespace.is_none() {
                id.namespace = namespace.map(str::to_owned);
            }
            (id, Arc::clone(manifest))
        });
        manifests.collect()
    };
    let read = |id: &ObjectId, manifest: &Arc<PackedManifest>| Manifest { id: id.clone(), ..manifest.read() };
    let before = before.map(by_id).unwrap_or_default();
    let after = by_id(after);
    let ids: BTreeSet<&ObjectId> = before.keys().chain(after.keys()).collect();
    ids.into_iter()
        .filter_map(|id| match (before.get(id), after.get(id)) {
            (Some(before), Some(after)) if before.same_body(after) => None,
            (before, after) => {
                let (before, after) = (before.map(|before| read(id, before)), after.map(|after| read(id, after)));
                compare::rendered(before.as_ref(), after.as_ref())
            }
        })
        .map(|object| RenderedObject { object })
        .collect()
}

fn effect_counts(actions: impl Iterator<Item = Action>) -> Counts {
    let mut counts = Counts::default();
    for action in actions {
        match action {
            Action::None => counts.unchanged += 1,
            Action::Create => counts.create += 1,
            Action::Update => counts.update += 1,
            Action::Adopt => counts.adopt += 1,
            Action::Replace => counts.replace += 1,
            Action::RemoveExtra => counts.remove_extra += 1,
            Action::Prune => counts.prune += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revert_names_the_commit_that_it_reverts() {
        let id = "4be77aa0c3d4e5f60718293a4b5c6d7e8f901234";
        assert_eq!(reverts(&format!("Revert \"x\"\n\nThis reverts commit {id}.\n")).unwrap().to_string(), id);
        assert_eq!(reverts("This reverts commit nothing"), None);
    }
}
