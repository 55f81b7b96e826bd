//! The one place where snapshots are made: workers send what changed, the hub folds it into a new [`Fleet`] and publishes it.

use super::fleet::{Activity, ActivityKind, ApplicationView, ClusterView, Fleet, RepositoryView};
use crate::{config, object::clean};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Entries of the activity pane that are kept.
const ACTIVITY_KEPT: usize = 500;

type Edit<T> = Box<dyn FnOnce(&mut T) + Send>;

/// What a worker tells the hub.
enum Update {
    Repository(String, Edit<RepositoryView>),
    Cluster(String, Edit<ClusterView>),
    Application(String, Edit<ApplicationView>),
    Activity(Activity),
    Layout { repositories: Vec<RepositoryView>, clusters: Vec<ClusterView>, applications: Vec<ApplicationView> },
    ConfigProblems(Vec<String>),
}

/// A worker's end of the hub. Cheap to clone.
#[derive(Clone)]
pub(in crate::engine) struct Hub {
    updates: mpsc::UnboundedSender<Update>,
}

impl Hub {
    /// Starts the hub and returns its two ends.
    pub(in crate::engine) fn start() -> (Self, watch::Receiver<Arc<Fleet>>) {
        let (updates, inbox) = mpsc::unbounded_channel();
        let (publish, fleet) = watch::channel(Arc::new(Fleet::default()));
        tokio::spawn(fold(inbox, publish));
        (Self { updates }, fleet)
    }

    /// Changes one repository's view.
    pub(in crate::engine) fn repository(&self, name: &str, edit: impl FnOnce(&mut RepositoryView) + Send + 'static) {
        self.send(Update::Repository(name.to_owned(), Box::new(edit)));
    }
    /// Changes one cluster's view.
    pub(in crate::engine) fn cluster(&self, name: &str, edit: impl FnOnce(&mut ClusterView) + Send + 'static) {
        self.send(Update::Cluster(name.to_owned(), Box::new(edit)));
    }
    /// Changes one application's view.
    pub(in crate::engine) fn application(&self, name: &str, edit: impl FnOnce(&mut ApplicationView) + Send + 'static) {
        self.send(Update::Application(name.to_owned(), Box::new(edit)));
    }
    /// Adds a line to the activity pane and to the log.
    pub(in crate::engine) fn activity(&self, kind: ActivityKind, subject: &str, text: impl AsRef<str>) {
        let text = clean(text.as_ref()).into_owned();
        match kind {
            ActivityKind::Failed => tracing::warn!(subject, "{text}"),
            _ => tracing::info!(subject, "{text}"),
        }
        self.send(Update::Activity(Activity { time: config::now(), kind, subject: clean(subject).into_owned(), text }));
    }
    /// Sets which repositories, clusters and applications there are; those of the same name keep what is known of them.
    pub(in crate::engine) fn layout(
        &self,
        repositories: Vec<RepositoryView>,
        clusters: Vec<ClusterView>,
        applications: Vec<ApplicationView>,
    ) {
        self.send(Update::Layout { repositories, clusters, applications });
    }
    /// Says why the configuration on disk was not taken up; empty: it was.
    pub(in crate::engine) fn config_problems(&self, problems: Vec<String>) {
        self.send(Update::ConfigProblems(problems));
    }

    fn send(&self, update: Update) {
        // The hub ends only when every sender is gone, so this cannot fail while somebody calls it, save at shutdown.
        let _ = self.updates.send(update);
    }
}

async fn fold(mut inbox: mpsc::UnboundedReceiver<Update>, publish: watch::Sender<Arc<Fleet>>) {
    let mut fleet = Fleet::default();
    let mut batch = Vec::new();
    // Whatever has gathered is folded before one snapshot is published: a thousand events make one redraw.
    while inbox.recv_many(&mut batch, 1024).await > 0 {
        for update in batch.drain(..) {
            apply(&mut fleet, update);
        }
        fleet.generation += 1;
        publish.send_replace(Arc::new(fleet.clone()));
    }
}

fn apply(fleet: &mut Fleet, update: Update) {
    match update {
        Update::Repository(name, change) => edit(&mut fleet.repositories, |view| view.name == name, change),
        Update::Cluster(name, change) => edit(&mut fleet.clusters, |view| view.name == name, change),
        Update::Application(name, change) => edit(&mut fleet.applications, |view| view.name == name, change),
        Update::Activity(entry) => {
            let activity = Arc::make_mut(&mut fleet.activity);
            activity.push(entry);
            let surplus = activity.len().saturating_sub(ACTIVITY_KEPT);
            activity.drain(..surplus);
        }
        Update::Layout { repositories, clusters, applications } => {
            fleet.repositories =
                keep(repositories, &fleet.repositories, |view| &view.name, |old, new| old.url == new.url);
            fleet.clusters = keep(
                clusters,
                &fleet.clusters,
                |view| &view.name,
                |old, new| old.context == new.context && old.production == new.production,
            );
            fleet.applications = keep(
                applications,
                &fleet.applications,
                |view| &view.name,
                |old, new| {
                    (&old.repository, &old.path, &old.cluster, &old.namespace)
                        == (&new.repository, &new.path, &new.cluster, &new.namespace)
                },
            );
        }
        Update::ConfigProblems(problems) => fleet.config_problems = problems,
    }
}

fn edit<T: Clone>(views: &mut [Arc<T>], is_it: impl Fn(&T) -> bool, change: Edit<T>) {
    // A view that is gone was removed by a new configuration while its worker still had something to say.
    if let Some(view) = views.iter_mut().find(|view| is_it(view)) {
        change(Arc::make_mut(view));
    }
}

fn keep<T>(new: Vec<T>, old: &[Arc<T>], name: impl Fn(&T) -> &String, same: impl Fn(&T, &T) -> bool) -> Vec<Arc<T>> {
    new.into_iter()
        .map(|view| match old.iter().find(|old| name(old) == name(&view) && same(old, &view)) {
            Some(old) => Arc::clone(old),
            None => Arc::new(view),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_did_not_change_is_shared_with_the_snapshot_before() {
        let (hub, mut fleet) = Hub::start();
        let view = |name: &str| RepositoryView { name: name.into(), ..RepositoryView::default() };
        hub.layout(vec![view("a"), view("b")], vec![], vec![]);
        let before = fleet.wait_for(|fleet| fleet.repositories.len() == 2).await.unwrap().clone();
        hub.repository("a", |view| view.url = "moved".into());
        let after = fleet.wait_for(|fleet| fleet.repositories[0].url == "moved").await.unwrap().clone();
        assert!(!Arc::ptr_eq(&before.repositories[0], &after.repositories[0]));
        assert!(Arc::ptr_eq(&before.repositories[1], &after.repositories[1]));
        assert!(after.generation > before.generation);
    }

    #[tokio::test]
    async fn a_new_layout_keeps_what_is_known_of_unchanged_repositories() {
        let (hub, mut fleet) = Hub::start();
        let view = |name: &str| RepositoryView { name: name.into(), ..RepositoryView::default() };
        hub.layout(vec![view("a")], vec![], vec![]);
        hub.repository("a", |view| view.branch = Some("main".into()));
        hub.layout(vec![view("b"), view("a")], vec![], vec![]);
        let fleet = fleet.wait_for(|fleet| fleet.repositories.len() == 2).await.unwrap().clone();
        assert_eq!(fleet.repository("a").unwrap().branch.as_deref(), Some("main"));
    }
}
