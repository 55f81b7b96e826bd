//! Starts the workers that a configuration names, and changes them when it changes: what stays the same goes on undisturbed.

use super::{
    application::Application,
    claims::ClaimBoard,
    fleet::{ActivityKind, ApplicationView, ClusterView, RepositoryView},
    handle::Options,
    hub::Hub,
    predict::Predictions,
    repository::{Ask, RepositoryHandle},
    target::ClusterHandle,
    worker,
};
use crate::{
    cluster::Target,
    config::{self, Config, ConfigError, Paths},
    git::RepositoryUrl,
    object::clean,
    render,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Everything that is running, by name.
#[derive(Clone, Default)]
pub(in crate::engine) struct Directory {
    /// The configuration that it runs.
    pub config: Arc<Config>,
    /// Repositories.
    pub repositories: BTreeMap<String, Arc<RepositoryHandle>>,
    /// Clusters, each with the predictions of its objects.
    pub clusters: BTreeMap<String, (Arc<ClusterHandle>, Arc<Predictions>)>,
    /// Applications.
    pub applications: BTreeMap<String, Running>,
}

/// One application and what stops its worker.
#[derive(Clone)]
pub(in crate::engine) struct Running {
    /// The application.
    pub application: Arc<Application>,
    _stop: Arc<DropGuard>,
}

/// Makes directories.
pub(in crate::engine) struct Supervisor {
    paths: Paths,
    options: Options,
    hub: Hub,
    claims: ClaimBoard,
    renders: Arc<render::Cache>,
    write: Option<bool>,
}

impl Supervisor {
    /// Makes a supervisor; nothing runs yet.
    pub(in crate::engine) fn new(paths: Paths, options: Options, hub: Hub) -> Self {
        let write = options.write;
        Self { paths, options, hub, claims: ClaimBoard::default(), renders: Arc::default(), write }
    }

    /// Starts what `config` names and `before` does not have in the same form; what it no longer names stops when `before` goes.
    pub(in crate::engine) fn directory(&self, config: Config, before: &Directory) -> Directory {
        let selected: BTreeSet<&str> = if self.options.only.is_empty() {
            config.applications.iter().map(|section| section.name.as_str()).collect()
        } else {
            self.options.only.iter().map(String::as_str).collect()
        };
        let chosen = || config.applications.iter().filter(|section| selected.contains(section.name.as_str()));
        let clusters_in_use: BTreeSet<&str> = chosen().map(|section| section.cluster.as_str()).collect();
        let repositories_asked: BTreeSet<&str> = chosen().map(|section| section.repository.as_str()).collect();
        let Options { follow, unused, .. } = self.options;
        self.show_layout(&config);

        let mut next = Directory { config: Arc::new(config.clone()), ..Directory::default() };
        for section in &config.repositories {
            let ask = match (follow, unused || repositories_asked.contains(section.name.as_str())) {
                (true, _) => Ask::Follow,
                (false, true) => Ask::Once,
                (false, false) => Ask::Never,
            };
            let handle = match before.repositories.get(&section.name).filter(|handle| handle.section == *section) {
                Some(running) => Arc::clone(running),
                None => Arc::new(RepositoryHandle::start(section.clone(), &self.paths.cache, self.hub.clone(), ask)),
            };
            next.repositories.insert(section.name.clone(), handle);
        }
        for section in &config.clusters {
            if !follow && !unused && !clusters_in_use.contains(section.name.as_str()) {
                continue;
            }
            let running = before.clusters.get(&section.name).filter(|(handle, _)| handle.section == *section);
            let cluster = running.cloned().unwrap_or_else(|| {
                let armed = self.write.unwrap_or(section.write);
                let handle =
                    ClusterHandle::start(section.clone(), self.target(section), armed, self.hub.clone(), follow);
                (Arc::new(handle), Arc::default())
            });
            next.clusters.insert(section.name.clone(), cluster);
        }
        for section in &config.applications {
            let is_chosen = selected.contains(section.name.as_str());
            let Some(repository) = next.repositories.get(&section.repository).cloned() else { continue };
            let Some((cluster, predictions)) = next.clusters.get(&section.cluster).cloned() else { continue };
            let neighbours = config
                .applications
                .iter()
                .filter(|other| other.cluster == section.cluster && other.name != section.name)
                .map(|other| other.name.clone())
                .collect();
            let running = before.applications.get(&section.name).filter(|running| {
                let known = &running.application;
                known.section == *section
                    && Arc::ptr_eq(&known.repository, &repository)
                    && Arc::ptr_eq(&known.cluster, &cluster)
            });
            let running = running.cloned().unwrap_or_else(|| {
                let application = Arc::new(Application::new(
                    section.clone(),
                    repository,
                    cluster,
                    predictions,
                    self.hub.clone(),
                    self.claims.clone(),
                    neighbours,
                    Arc::clone(&self.renders),
                    self.paths.cache.join("render"),
                    follow,
                ));
                // A single chosen application claims its objects when it is looked at, and nobody else asks for them.
                self.run(application, !is_chosen || selected.len() > 1)
            });
            next.applications.insert(section.name.clone(), running);
        }
        next
    }

    fn run(&self, application: Arc<Application>, claim: bool) -> Running {
        let stop = CancellationToken::new();
        if self.options.follow {
            tokio::spawn(worker::follow(Arc::clone(&application), stop.clone()));
        } else if claim {
            // Whoever is looked at first waits for what the others claim.
            let claim = worker::claim_once(Arc::clone(&application));
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = claim => {}
                }
            });
        }
        Running { application, _stop: Arc::new(stop.drop_guard()) }
    }

    fn target(&self, section: &config::Cluster) -> Target {
        Target {
            kubeconfig: self.options.kubeconfig.clone().or_else(|| section.kubeconfig.clone()),
            context: self.options.context.clone().or_else(|| section.context.clone()),
            impersonate: self.options.impersonate.clone(),
            exec_plugins: section.exec_plugins.clone(),
            cache: Some(self.paths.cache.clone()),
        }
    }

    fn show_layout(&self, config: &Config) {
        let repositories = config.repositories.iter().map(|section| RepositoryView {
            name: section.name.clone(),
            url: RepositoryUrl::parse(&section.url)
                .map_or_else(|_| "(unusable address)".into(), |url| clean(&url.to_string()).into_owned()),
            ..RepositoryView::default()
        });
        let clusters = config.clusters.iter().map(|section| ClusterView {
            name: section.name.clone(),
            context: self.options.context.clone().or_else(|| section.context.clone()).unwrap_or_default(),
            production: section.production,
            armed: self.write.unwrap_or(section.write),
            ..ClusterView::default()
        });
        let applications = config.applications.iter().map(|section| ApplicationView {
            name: section.name.clone(),
            repository: section.repository.clone(),
            path: section.path.clone(),
            cluster: section.cluster.clone(),
            namespace: section.namespace.clone(),
            timeout: section.timeout,
            ..ApplicationView::default()
        });
        self.hub.layout(repositories.collect(), clusters.collect(), applications.collect());
    }
}

/// Takes up changes of the configuration file for as long as the engine runs; a file with errors is rejected whole and told.
pub(in crate::engine) async fn reload(
    supervisor: Supervisor,
    publish: watch::Sender<Arc<Directory>>,
    stop: CancellationToken,
) {
    let path = publish.borrow().config.path.clone();
    let (_watch, mut changed) = match config::watch(&path) {
        Ok(watch) => watch,
        Err(error) => {
            supervisor.hub.activity(
                ActivityKind::Notice,
                "config",
                format!("changes of the file are not seen: {error}"),
            );
            stop.cancelled().await;
            return;
        }
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            change = changed.recv() => if change.is_none() { return },
        }
        match Config::load(&path) {
            Ok(config) if config == *publish.borrow().config => supervisor.hub.config_problems(vec![]),
            Ok(config) => {
                let next = supervisor.directory(config, &publish.borrow().clone());
                publish.send_replace(Arc::new(next));
                supervisor.hub.config_problems(vec![]);
                supervisor.hub.activity(ActivityKind::Done, "config", "taken up anew");
            }
            Err(error) => {
                let problems = match &error {
                    ConfigError::Invalid(problems) => {
                        problems.iter().map(|problem| clean(&problem.to_string()).into_owned()).collect()
                    }
                    error => vec![clean(&error.to_string()).into_owned()],
                };
                supervisor.hub.activity(ActivityKind::Failed, "config", format!("not taken up: {error}"));
                supervisor.hub.config_problems(problems);
            }
        }
    }
}
