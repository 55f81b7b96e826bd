//! One application as the engine works on it: where its sources and its cluster are found, and how they are read.

use super::{
    claims::ClaimBoard,
    desired::{Desired, place},
    error::EngineError,
    fleet::{ActivityKind, Work},
    hub::Hub,
    ignore::IgnoreRules,
    ledger::{LedgerReader, Objects},
    predict::Predictions,
    repository::RepositoryHandle,
    results::Results,
    target::ClusterHandle,
};
use crate::{
    cluster::{Catalog, Follower, Interest, LiveCache, Session, set_id},
    config,
    git::{CommitId, Mirror, Revision},
    object::{ObjectId, SourceTree},
    render::{self, FolderTree, RenderError, Rendered},
};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// Which state of the sources is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum At {
    /// The configured revision, as far as Git is known right now.
    Configured,
    /// A branch, tag or commit.
    Revision(String),
    /// A commit of the mirror, pushed or not.
    Commit(CommitId),
    /// A folder on disk.
    Folder(PathBuf),
}

/// Files to render, and what names them.
#[derive(Clone)]
pub(in crate::engine) struct Source {
    /// The files.
    pub tree: Arc<dyn SourceTree>,
    /// Path of the application in them.
    pub path: String,
    /// The commit; none for a folder on disk.
    pub revision: Option<Revision>,
    /// What names the repository for every operator alike; empty for a folder.
    pub identity: String,
}

/// Placed renders that are kept: that of the configured revision, and one that somebody looks at.
const PLACED_KEPT: usize = 2;

/// A render, the catalog that it was placed by, and the result.
type Placed = (Arc<Rendered>, Arc<Catalog>, Arc<Desired>);

/// One application's place in the engine, shared by its worker and by what clients ask.
pub(in crate::engine) struct Application {
    /// Its configuration.
    pub section: config::Application,
    /// Its repository.
    pub repository: Arc<RepositoryHandle>,
    /// Its cluster.
    pub cluster: Arc<ClusterHandle>,
    /// Where snapshots are made.
    pub hub: Hub,
    /// Who claims what.
    pub claims: ClaimBoard,
    /// Applications whose claims have to be known before this one may be planned.
    pub neighbours: Vec<String>,
    /// Predictions of its cluster.
    pub predictions: Arc<Predictions>,
    /// Fields that are left alone.
    pub ignore: Arc<IgnoreRules>,
    /// Its state in the cluster.
    pub ledger: LedgerReader,
    /// Wakes its worker.
    pub wake: Notify,
    /// The engine keeps following (console), or answers once (command line).
    pub follow: bool,
    syncing: AtomicBool,
    seen_record: Mutex<Option<String>>,
    follower: Mutex<Option<Arc<Follower>>>,
    results: Mutex<Results>,
    placed: Mutex<Vec<Placed>>,
    renders: Arc<render::Cache>,
    scratch: PathBuf,
}

/// Marks an application as being synced by this process, until dropped.
pub(in crate::engine) struct Syncing(Arc<Application>);

impl Drop for Syncing {
    fn drop(&mut self) {
        self.0.syncing.store(false, Ordering::Release);
        self.0.show(Work::Idle);
        self.0.wake.notify_one();
    }
}

impl Application {
    /// Binds a configuration section to the workers that it names.
    #[allow(clippy::too_many_arguments)] // each is a different shared part of the engine; a bundle would only be unpacked here
    pub(in crate::engine) fn new(
        section: config::Application,
        repository: Arc<RepositoryHandle>,
        cluster: Arc<ClusterHandle>,
        predictions: Arc<Predictions>,
        hub: Hub,
        claims: ClaimBoard,
        neighbours: Vec<String>,
        renders: Arc<render::Cache>,
        scratch: PathBuf,
        follow: bool,
    ) -> Self {
        let ledger = LedgerReader::new(&section.name);
        let ignore = Arc::new(IgnoreRules::new(&section.ignore));
        Self {
            section,
            repository,
            cluster,
            hub,
            claims,
            neighbours,
            predictions,
            ignore,
            ledger,
            wake: Notify::new(),
            follow,
            syncing: AtomicBool::new(false),
            seen_record: Mutex::default(),
            follower: Mutex::default(),
            results: Mutex::default(),
            placed: Mutex::default(),
            renders,
            scratch,
        }
    }

    /// Takes the right to sync it in this process; none while another sync of it runs here.
    pub(in crate::engine) fn begin_sync(self: &Arc<Self>) -> Option<Syncing> {
        let free = self.syncing.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
        free.then(|| Syncing(Arc::clone(self)))
    }
    /// Says whether this process is syncing it.
    pub(in crate::engine) fn is_syncing(&self) -> bool {
        self.syncing.load(Ordering::Acquire)
    }
    /// Says whether there is a newer record than at the last call: the history shows what was applied.
    pub(in crate::engine) fn ledger_moved(&self) -> bool {
        let newest = self.ledger.newest_record();
        let mut seen = self.seen_record.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = *seen != newest;
        *seen = newest;
        moved
    }
    /// Follows what its comparison is made from; what it followed before is let go.
    pub(in crate::engine) fn follow_live(&self, cache: &LiveCache, interest: Interest) {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match follower.take().filter(|follower| follower.follows(cache)) {
            Some(current) => current,
            None => Arc::new(cache.follow()),
        };
        current.want(interest);
        *follower = Some(current);
    }
    /// Returns what tells of moves in the cluster; none before the first comparison.
    pub(in crate::engine) fn follower(&self) -> Option<Arc<Follower>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Lets the cluster's objects go: nobody looks any more.
    pub(in crate::engine) fn stop_following(&self) {
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
    /// Returns what was found of its objects.
    pub(in crate::engine) fn results(&self) -> MutexGuard<'_, Results> {
        // The worst that a panic can leave is results of some objects.
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Namespace of inventory, records and Lease.
    pub(in crate::engine) fn state_namespace(&self) -> Option<&str> {
        self.section.state_namespace.as_deref().or(self.section.namespace.as_deref())
    }
    /// Id of its inventory's set.
    pub(in crate::engine) fn part_of(&self) -> Option<String> {
        self.state_namespace().map(|namespace| set_id(namespace, &self.section.name))
    }
    /// Shows what the engine is doing for it.
    pub(in crate::engine) fn show(&self, work: Work) {
        self.hub.application(&self.section.name, move |view| view.work = work);
    }
    /// Adds a line to the activity pane.
    pub(in crate::engine) fn tell(&self, kind: ActivityKind, text: impl AsRef<str>) {
        self.hub.activity(kind, &self.section.name, text);
    }

    /// Returns the mirror, waiting for the first answer of the server unless a mirror is there already and `fresh` is not asked for.
    pub(in crate::engine) async fn mirror(&self, fresh: bool) -> Result<Mirror, EngineError> {
        let mut fact = self.repository.fact();
        let fact = fact
            .wait_for(|fact| fact.settled || !fresh && fact.mirror.is_some())
            .await
            .map_err(|_| EngineError::Closed)?
            .clone();
        match (fact.mirror, fact.error) {
            (Some(mirror), _) => Ok(mirror),
            (None, Some(error)) => Err(EngineError::Git(error)),
            (None, None) => {
                Err(EngineError::NotReady(format!("repository {} has not been cloned yet", self.section.repository)))
            }
        }
    }

    /// Returns the session of its cluster, waiting for the first try to connect.
    pub(in crate::engine) async fn session(&self) -> Result<Session, EngineError> {
        let mut fact = self.cluster.fact();
        let fact = fact.wait_for(|fact| fact.settled).await.map_err(|_| EngineError::Closed)?.clone();
        match (fact.session, fact.error) {
            (Some(session), _) => Ok(session),
            (None, Some(error)) => Err(EngineError::Cluster(error)),
            (None, None) => {
                Err(EngineError::NotReady(format!("cluster {} has not answered yet", self.section.cluster)))
            }
        }
    }

    /// Finds the files of a state of the sources.
    pub(in crate::engine) async fn source(&self, at: &At, fresh: bool) -> Result<Source, EngineError> {
        if let At::Folder(folder) = at {
            let tree = FolderTree::open(folder).map_err(RenderError::from)?;
            return Ok(Source { tree: Arc::new(tree), path: String::new(), revision: None, identity: String::new() });
        }
        let mirror = self.mirror(fresh).await?;
        let wanted = self.section.revision.clone().or_else(|| self.repository.section.revision.clone());
        let (at, path) = (at.clone(), self.section.path.clone());
        blocking(move || {
            let revision = match at {
                At::Configured | At::Folder(_) => mirror.resolve(wanted.as_deref())?,
                At::Revision(text) => mirror.resolve(Some(&text))?,
                At::Commit(commit) => Revision { commit, branch: None },
            };
            let tree: Arc<dyn SourceTree> = Arc::new(mirror.tree(revision.commit)?);
            let identity = mirror.source_identity()?;
            Ok(Source { tree, path, revision: Some(revision), identity })
        })
        .await
    }

    /// Renders the files of a state of the sources. A chart waits for the cluster, whose versions it may ask about; nothing else does.
    pub(in crate::engine) async fn render(&self, source: &Source) -> Result<Arc<Rendered>, EngineError> {
        let (tree, path, renderer) = (Arc::clone(&source.tree), source.path.clone(), self.section.renderer);
        let is_chart = blocking(move || Ok(render::is_chart(tree.as_ref(), &path, renderer))).await?;
        let target = if is_chart { self.session().await.ok() } else { None };
        let options = self.render_options(target.as_ref());
        let (tree, path) = (Arc::clone(&source.tree), source.path.clone());
        let (renders, scratch) = (Arc::clone(&self.renders), self.scratch.clone());
        blocking(move || Ok(render::render(tree.as_ref(), &path, &options, &scratch, &renders)?)).await
    }

    /// Places a render on the cluster.
    pub(in crate::engine) async fn desired(&self, rendered: &Arc<Rendered>, session: &Session) -> Arc<Desired> {
        let desired = self.placed(rendered, &session.catalog());
        if desired.has_unserved_kinds() && self.cluster.may_rediscover() && self.follow_up_discovery(session).await {
            return self.placed(rendered, &session.catalog());
        }
        desired
    }

    /// Renders a commit without a trace on screen and returns these of its objects; none where that is not possible any more.
    pub(in crate::engine) async fn objects_at(
        &self,
        commit: CommitId,
        session: &Session,
        ids: &BTreeSet<ObjectId>,
    ) -> Option<Objects> {
        let source = self.source(&At::Commit(commit), false).await.ok()?;
        let rendered = self.render(&source).await.ok()?;
        let desired = self.placed(&rendered, &session.catalog());
        let wanted = desired.objects.iter().filter(|object| ids.contains(&*object.manifest.id));
        let objects = wanted.map(|object| (ObjectId::clone(&object.manifest.id), object.manifest.body()));
        Some(objects.collect())
    }

    /// What decides a render, from the configuration and the target.
    pub(in crate::engine) fn render_options(&self, session: Option<&Session>) -> render::Options {
        let section = &self.section;
        render::Options {
            renderer: section.renderer,
            recurse: section.recurse,
            include: section.include.clone(),
            exclude: section.exclude.clone(),
            helm: section.helm.clone(),
            application: section.name.clone(),
            namespace: section.namespace.clone(),
            kube_version: session.map(|session| session.version().to_owned()),
            api_versions: session.map(|session| session.catalog().api_versions()).unwrap_or_default(),
        }
    }

    /// Places a render; one that was placed just now is not placed again.
    fn placed(&self, rendered: &Arc<Rendered>, catalog: &Arc<Catalog>) -> Arc<Desired> {
        let placed = || self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(of, by, _): &&Placed| Arc::ptr_eq(of, rendered) && Arc::ptr_eq(by, catalog);
        if let Some((_, _, known)) = placed().iter().find(same) {
            return Arc::clone(known);
        }
        let before =
            placed().iter().find(|(_, by, _)| Arc::ptr_eq(by, catalog)).map(|(_, _, desired)| Arc::clone(desired));
        let (namespace, part_of) = (self.section.namespace.as_deref(), self.part_of());
        let desired = Arc::new(place(rendered, catalog, namespace, part_of.as_deref(), before.as_deref()));
        let mut placed = placed();
        placed.insert(0, (Arc::clone(rendered), Arc::clone(catalog), Arc::clone(&desired)));
        placed.truncate(PLACED_KEPT);
        desired
    }

    /// Asks the server again which kinds it serves: a CRD may have come since.
    pub(in crate::engine) async fn follow_up_discovery(&self, session: &Session) -> bool {
        match session.rediscover().await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(application = self.section.name, %error, "discovery failed");
                false
            }
        }
    }
}

/// Runs blocking work of Git or the renderer off the async threads; a panic in it is this call's error only.
pub(in crate::engine) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(EngineError::NotReady(format!("internal error: {error}; the log has more"))))
}
