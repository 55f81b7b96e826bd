//! The engine as clients hold it.

use super::{
    approval::ApprovedPlan,
    comparison::Comparison,
    error::EngineError,
    fleet::Fleet,
    history::{CommitEffect, GitChange, History, RevertTarget},
    plan::{Choices, Plan},
    report::SyncReport,
};
use crate::{
    config::{Config, Paths},
    git::CommitId,
    render::Rendered,
};
use std::{path::Path, sync::Arc};
use tokio::sync::watch;

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
}

/// A running engine. Cheap to clone; it stops when the last clone is dropped or after [`Engine::shutdown`].
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Starts the workers. Must be called inside a tokio runtime.
    pub fn start(_config: Config, _paths: Paths, _options: Options) -> Self {
        todo!()
    }
    /// Returns the snapshots: the current one, and a notice of each new one.
    pub fn fleet(&self) -> watch::Receiver<Arc<Fleet>> {
        todo!()
    }
    /// Arms (or disarms) every cluster for writes, for this process.
    pub fn arm(&self, _on: bool) {
        todo!()
    }
    /// Asks a repository for news now; an unknown name is an error text.
    ///
    /// # Errors
    /// [`EngineError::NotReady`] for an unknown repository.
    pub fn fetch(&self, _repository: &str) -> Result<(), EngineError> {
        todo!()
    }
    /// Compares an application again, from a fresh discovery and render.
    ///
    /// # Errors
    /// [`EngineError::NoSuchApplication`].
    pub fn refresh(&self, _application: &str) -> Result<(), EngineError> {
        todo!()
    }
    /// Returns the comparison at a revision (none: the configured one), waiting until Git and cluster have answered.
    ///
    /// # Errors
    /// [`EngineError`] where nothing could be compared at all.
    pub async fn compare(&self, _application: &str, _revision: Option<&str>) -> Result<Arc<Comparison>, EngineError> {
        todo!()
    }
    /// Compares the files of a folder on disk, uncommitted ones too, as if they were the application.
    ///
    /// # Errors
    /// As [`Engine::compare`].
    pub async fn compare_folder(&self, _application: &str, _folder: &Path) -> Result<Arc<Comparison>, EngineError> {
        todo!()
    }
    /// Renders the desired objects of an application, in apply order.
    ///
    /// # Errors
    /// As [`Engine::compare`].
    pub async fn render(&self, _application: &str, _revision: Option<&str>) -> Result<Arc<Rendered>, EngineError> {
        todo!()
    }
    /// Makes a plan, every step dry-run on the server where it can be.
    ///
    /// # Errors
    /// [`EngineError`] where nothing could be planned at all; a plan that cannot be approved is not an error, it says why.
    pub async fn plan(&self, _application: &str, _choices: &Choices) -> Result<Arc<Plan>, EngineError> {
        todo!()
    }
    /// Who this process acts as on an application's cluster, for approvals.
    ///
    /// # Errors
    /// [`EngineError::NotReady`] while the cluster is not connected.
    pub fn operator(&self, _application: &str) -> Result<super::approval::Operator, EngineError> {
        todo!()
    }
    /// Carries an approved plan out, or nothing of it. Progress is in the fleet's snapshots ([`super::Work::Syncing`]). `wait`: wait for health after each wave.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when anything that the plan binds has moved, or the cluster is read-only: nothing was written.
    pub async fn sync(&self, _approved: ApprovedPlan, _wait: bool) -> Result<SyncReport, EngineError> {
        todo!()
    }
    /// Stops a running sync after the requests in flight; its record says `Interrupted`.
    pub fn cancel(&self, _application: &str) {
        todo!()
    }
    /// Returns the commits that touch an application, with what was applied when.
    ///
    /// # Errors
    /// [`EngineError`] where Git cannot be read.
    pub async fn history(
        &self,
        _application: &str,
        _limit: Option<usize>,
        _first_parent: bool,
    ) -> Result<Arc<History>, EngineError> {
        todo!()
    }
    /// Returns a commit's rendered change and its effect on the live cluster.
    ///
    /// # Errors
    /// [`EngineError`] where the commit cannot be read; a live side that cannot be computed is told inside.
    pub async fn effect(&self, _application: &str, _revision: &str) -> Result<Arc<CommitEffect>, EngineError> {
        todo!()
    }
    /// Writes the commit that reverts `commit` into the mirror, unpushed, and computes the plan it would cause. `parent`: which parent of a merge stays, from 1.
    ///
    /// # Errors
    /// [`EngineError`]; conflicts and an empty result are told inside.
    pub async fn revert(
        &self,
        _application: &str,
        _commit: &str,
        _parent: Option<usize>,
        _target: RevertTarget,
    ) -> Result<Arc<GitChange>, EngineError> {
        todo!()
    }
    /// Pushes exactly the commit that [`Engine::revert`] wrote and showed, in this process or another, then fetches. Needs an armed console.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when read-only or when the commit is not one that a revert of `reverted` wrote on the branch's current tip.
    pub async fn push(
        &self,
        _application: &str,
        _reverted: &str,
        _commit: CommitId,
        _target: RevertTarget,
    ) -> Result<Arc<GitChange>, EngineError> {
        todo!()
    }
    /// Waits until an application has a comparison, or an error that says why there is none.
    pub async fn settled(&self, _application: &str) -> Arc<super::ApplicationView> {
        todo!()
    }
    /// Stops: syncs finish the requests in flight and mark their records `Interrupted`; at most 5 s.
    pub async fn shutdown(&self) {
        todo!()
    }
}
