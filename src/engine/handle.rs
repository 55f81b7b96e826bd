//! The engine as clients hold it.

use super::{
    application::{Application, At},
    approval::{ApprovedPlan, Operator, Refusal},
    comparison::Comparison,
    error::EngineError,
    examine::Look,
    fleet::{ActivityKind, ApplicationView, Fleet},
    history::{CommitEffect, GitChange, History, RevertTarget},
    hub::Hub,
    order,
    plan::{Choices, Plan},
    report::{Outcome, SyncReport},
    supervisor::{Directory, Supervisor, reload},
    worker,
};
use crate::{
    config::{Config, Paths, nearest},
    git::CommitId,
    object::{Manifest, ObjectId, PackedManifest},
    render::{self, Rendered},
};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How long a shutdown waits for syncs to mark their records.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// How an engine is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Kubeconfig instead of every cluster's own.
    pub kubeconfig: Option<std::path::PathBuf>,
    /// Context instead of every cluster's own.
    pub context: Option<String>,
    /// User to impersonate.
    pub impersonate: Option<String>,
    /// `--write` (some true), `--read-only` (some false), or as each cluster says.
    pub write: Option<bool>,
    /// Keep polling, watching and reloading (the console); else everything is asked once (the command line).
    pub follow: bool,
    /// Work only for these applications; empty: all.
    pub only: Vec<String>,
    /// Reach repositories and clusters that no application uses, too (`check`).
    pub unused: bool,
}

/// A running engine. Cheap to clone; it stops when the last clone is dropped or after [`Engine::shutdown`].
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    directory: watch::Receiver<Arc<Directory>>,
    fleet: watch::Receiver<Arc<Fleet>>,
    hub: Hub,
    syncs: Mutex<HashMap<String, CancellationToken>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Engine {
    /// Starts the workers. Must be called inside a tokio runtime.
    pub fn start(config: Config, paths: Paths, options: Options) -> Self {
        let (hub, fleet) = Hub::start();
        render::sweep(&paths.cache.join("render"));
        let follow = options.follow;
        let supervisor = Supervisor::new(paths, options, hub.clone());
        let first = supervisor.directory(config, &Directory::default());
        let (publish, directory) = watch::channel(Arc::new(first));
        let stop = CancellationToken::new();
        if follow {
            tokio::spawn(reload(supervisor, publish, stop.clone()));
        } else {
            // Without reload the directory never changes; its sender lives as long as the engine, so that receivers stay open.
            let stop = stop.clone();
            tokio::spawn(async move {
                stop.cancelled().await;
                drop(publish);
            });
        }
        let inner = Inner {
            directory,
            fleet,
            hub,
            syncs: Mutex::default(),
            tasks: TaskTracker::new(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the snapshots: the current one, and a notice of each new one.
    pub fn fleet(&self) -> watch::Receiver<Arc<Fleet>> {
        self.inner.fleet.clone()
    }

    /// Arms (or disarms) every cluster for writes, for this process.
    pub fn arm(&self, on: bool) {
        for (cluster, _) in self.directory().clusters.values() {
            cluster.arm(on);
        }
        self.inner.hub.activity(ActivityKind::Notice, "driftdeck", if on { "armed for writes" } else { "read-only" });
    }

    /// Asks a repository for news now.
    ///
    /// # Errors
    /// [`EngineError::NotReady`] for an unknown repository.
    pub fn fetch(&self, repository: &str) -> Result<(), EngineError> {
        let directory = self.directory();
        let handle = directory.repositories.get(repository);
        handle.ok_or_else(|| EngineError::NotReady(format!("there is no repository `{repository}`")))?.fetch();
        Ok(())
    }

    /// Compares an application again, with what its cluster and its records say now.
    ///
    /// # Errors
    /// [`EngineError::NoSuchApplication`].
    pub fn refresh(&self, application: &str) -> Result<(), EngineError> {
        let application = self.application(application)?;
        application.ledger.forget();
        application.repository.fetch();
        application.cluster.wake();
        application.wake.notify_one();
        Ok(())
    }

    /// Returns the comparison at a revision (none: the configured one), waiting until Git and cluster have answered.
    ///
    /// # Errors
    /// [`EngineError`] where nothing could be compared at all.
    pub async fn compare(&self, application: &str, revision: Option<&str>) -> Result<Arc<Comparison>, EngineError> {
        let at = revision.map_or(At::Configured, |revision| At::Revision(revision.to_owned()));
        self.compare_at(application, at).await
    }

    /// Compares the files of a folder on disk, uncommitted ones too, as if they were the application.
    ///
    /// # Errors
    /// As [`Engine::compare`].
    pub async fn compare_folder(&self, application: &str, folder: &Path) -> Result<Arc<Comparison>, EngineError> {
        self.compare_at(application, At::Folder(folder.to_owned())).await
    }

    async fn compare_at(&self, application: &str, at: At) -> Result<Arc<Comparison>, EngineError> {
        let application = self.application(application)?;
        let look = Look { fresh: true, prune: application.section.prune, ..Look::default() };
        Ok(Arc::new(application.examine(&at, look).await?.comparison))
    }

    /// Renders the desired objects of an application, in apply order. A cluster that answers places them as a sync would; without one
    /// they are as rendered.
    ///
    /// # Errors
    /// As [`Engine::compare`].
    pub async fn render(&self, application: &str, revision: Option<&str>) -> Result<Arc<Rendered>, EngineError> {
        let application = self.application(application)?;
        let at = revision.map_or(At::Configured, |revision| At::Revision(revision.to_owned()));
        let source = application.source(&at, true).await?;
        let as_written = application.render(&source).await?;
        let mut rendered = Rendered::clone(&as_written);
        if let Ok(session) = application.session().await {
            let desired = application.desired(&as_written, &session).await;
            let hooks = desired.hooks.iter().filter_map(|(manifest, _)| PackedManifest::new(manifest.clone()).ok());
            let placed = desired.objects.iter().map(|object| object.manifest.clone()).chain(hooks);
            rendered.manifests = placed.map(Arc::new).collect();
            rendered.issues.clone_from(&desired.issues);
        }
        let manifests = &rendered.manifests;
        let providers: Vec<Manifest> = manifests
            .iter()
            .filter(|manifest| order::is_provider(&manifest.id))
            .map(|manifest| manifest.read())
            .collect();
        let objects: Vec<(&ObjectId, i32)> =
            manifests.iter().map(|manifest| (&*manifest.id, order::wave(|key| manifest.treatment(key)))).collect();
        let order = order::apply_order(&objects, &order::waves(&objects, &providers));
        rendered.manifests = order.into_iter().map(|index| Arc::clone(&manifests[index])).collect();
        Ok(Arc::new(rendered))
    }

    /// Makes a plan, every step dry-run on the server where it can be.
    ///
    /// # Errors
    /// [`EngineError`] where nothing could be planned at all; a plan that cannot be approved is not an error, it says why.
    pub async fn plan(&self, application: &str, choices: &Choices) -> Result<Arc<Plan>, EngineError> {
        let application = self.application(application)?;
        let plan = Arc::new(application.make_plan(choices).await?);
        let counts = plan.counts;
        let text = format!("plan #{} computed  +{} ~{} -{}", plan.number, counts.create, counts.update, counts.prune);
        application.tell(ActivityKind::Done, text);
        Ok(plan)
    }

    /// Who this process acts as on an application's cluster, for approvals.
    ///
    /// # Errors
    /// [`EngineError::NotReady`] while the cluster is not connected.
    pub fn operator(&self, application: &str) -> Result<Operator, EngineError> {
        let application = self.application(application)?;
        let fact = application.cluster.fact();
        let user = fact.borrow().session.as_ref().map(|session| session.user().to_owned());
        user.map(|user| Operator::here(&user))
            .ok_or_else(|| EngineError::NotReady(format!("cluster {} is not connected", application.section.cluster)))
    }

    /// Carries an approved plan out, or nothing of it. Progress is in the fleet's snapshots ([`super::Work::Syncing`]); the sync goes on
    /// when the caller stops waiting. `wait`: wait for health after each wave.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when anything that the plan binds has moved, or the cluster is read-only: nothing was written.
    pub async fn sync(&self, approved: ApprovedPlan, wait: bool) -> Result<SyncReport, EngineError> {
        let name = approved.plan.comparison.application.clone();
        let application = self.application(&name)?;
        if self.inner.stop.is_cancelled() {
            return Err(EngineError::Closed);
        }
        let Some(syncing) = application.begin_sync() else {
            return Err(Refusal::Busy(format!("a sync of {name} is running already")).into());
        };
        let stop = self.inner.stop.child_token();
        self.syncs().insert(name.clone(), stop.clone());
        let engine = self.clone();
        let run = self.inner.tasks.spawn(async move {
            let number = approved.plan.number;
            application.tell(
                ActivityKind::Running,
                format!("sync #{number} approved by {}@{}", approved.operator.os_user, approved.operator.host),
            );
            let result = application.carry_out(approved, wait, &stop).await;
            tell_result(&application, number, &result);
            engine.syncs().remove(&name);
            drop(syncing);
            result
        });
        // A panic in the task is this sync's end, told as such; the record stays `running` and the next start makes sense of it.
        run.await.unwrap_or_else(|error| Err(EngineError::NotReady(format!("internal error during the sync: {error}"))))
    }

    /// Stops a running sync after the requests in flight; its record says `Interrupted`.
    pub fn cancel(&self, application: &str) {
        if let Some(stop) = self.syncs().get(application) {
            stop.cancel();
        }
    }

    /// Returns the commits that touch an application, with what was applied when.
    ///
    /// # Errors
    /// [`EngineError`] where Git cannot be read.
    pub async fn history(
        &self,
        application: &str,
        limit: Option<usize>,
        first_parent: bool,
    ) -> Result<Arc<History>, EngineError> {
        let application = self.application(application)?;
        application.mirror(true).await?;
        // Records are the cluster's; without one the history is Git's alone.
        let _ = application.session().await;
        Ok(Arc::new(application.read_history(limit, first_parent).await?))
    }

    /// Returns a commit's rendered change and its effect on the live cluster.
    ///
    /// # Errors
    /// [`EngineError`] where the commit cannot be read; a live side that cannot be computed is told inside.
    pub async fn effect(&self, application: &str, revision: &str) -> Result<Arc<CommitEffect>, EngineError> {
        Ok(Arc::new(self.application(application)?.read_effect(revision).await?))
    }

    /// Writes the commit that reverts `commit` into the mirror, unpushed, and computes the plan it would cause. `parent`: which parent of a merge
    /// stays, from 1.
    ///
    /// # Errors
    /// [`EngineError`]; conflicts and an empty result are told inside.
    pub async fn revert(
        &self,
        application: &str,
        commit: &str,
        parent: Option<usize>,
        target: RevertTarget,
    ) -> Result<Arc<GitChange>, EngineError> {
        Ok(Arc::new(self.application(application)?.preview_revert(commit, parent, target).await?))
    }

    /// Pushes exactly the commit that [`Engine::revert`] wrote and showed, in this process or another, then fetches. Needs an armed console.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when read-only or when the commit is not one that a revert of `reverted` wrote on the branch's current tip.
    pub async fn push(
        &self,
        application: &str,
        reverted: &str,
        commit: CommitId,
        target: RevertTarget,
    ) -> Result<Arc<GitChange>, EngineError> {
        Ok(Arc::new(self.application(application)?.push_revert(reverted, commit, target).await?))
    }

    /// Waits until an application has a comparison, or an error that says why there is none.
    pub async fn settled(&self, application: &str) -> Arc<ApplicationView> {
        let Ok(known) = self.application(application) else { return Arc::default() };
        if !known.follow {
            // Nobody follows it, so it is looked at now.
            worker::compare(&known).await;
        }
        let mut fleet = self.fleet();
        let settled = fleet.wait_for(|fleet| {
            fleet.application(application).is_some_and(|view| view.comparison.is_some() || view.error.is_some())
        });
        match settled.await {
            Ok(fleet) => fleet.application(application).cloned().unwrap_or_default(),
            Err(_) => Arc::default(),
        }
    }

    /// Stops: syncs finish the requests in flight and mark their records `Interrupted`; at most 5 s.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(SHUTDOWN, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("a sync did not end in time; its record stays `running`");
        }
    }

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.inner.directory.borrow())
    }

    fn application(&self, name: &str) -> Result<Arc<Application>, EngineError> {
        let directory = self.directory();
        match directory.applications.get(name) {
            Some(running) => Ok(Arc::clone(&running.application)),
            None => {
                let names = directory.config.applications.iter().map(|section| section.name.as_str());
                let hint = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(EngineError::NoSuchApplication { name: name.to_owned(), hint })
            }
        }
    }

    fn syncs(&self) -> std::sync::MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.inner.syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_result(application: &Application, number: u64, result: &Result<SyncReport, EngineError>) {
    match result {
        Ok(report) => {
            let report = Arc::new(report.clone());
            let shown = Arc::clone(&report);
            application.hub.application(&application.section.name, move |view| view.last_report = Some(shown));
            let kind = match report.outcome {
                Outcome::Succeeded => ActivityKind::Done,
                Outcome::Interrupted | Outcome::Unhealthy => ActivityKind::Notice,
                Outcome::Failed | Outcome::Refused => ActivityKind::Failed,
            };
            let reason = if report.message.is_empty() { String::new() } else { format!(": {}", report.message) };
            application.tell(kind, format!("sync #{number} {:?}{reason}", report.outcome));
        }
        Err(error @ EngineError::AfterNamespace { .. }) => {
            application.tell(ActivityKind::Failed, format!("sync #{number} refused: {error}"));
        }
        Err(error) => {
            application.tell(ActivityKind::Failed, format!("sync #{number} refused, nothing applied: {error}"));
        }
    }
}
