//! One worker per repository: opens or clones the mirror, asks for news, fetches, and says what there is.

use super::{
    fleet::{ActivityKind, CommitSummary, RepositoryState},
    hub::Hub,
    retry::{Backoff, Told},
};
use crate::{
    config,
    git::{FetchReport, GitError, Mirror, Progress, RepositoryUrl},
    object::{clean, sha256_hex},
};
use notify::Watcher as _;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How eagerly a repository is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Ask {
    /// Now and then on, as `poll` says.
    Follow,
    /// Once.
    Once,
    /// Not at all: whatever mirror is there already.
    Never,
}

/// What a repository's worker knows.
#[derive(Clone, Default)]
pub(in crate::engine) struct RepositoryFact {
    /// The mirror, as soon as there is one.
    pub mirror: Option<Mirror>,
    /// Grows whenever a ref moved.
    pub generation: u64,
    /// Why the last try failed.
    pub error: Option<Arc<GitError>>,
    /// The server has been asked at least once (or never will be).
    pub settled: bool,
}

/// A client's end of a repository's worker; dropping it stops the worker.
pub(in crate::engine) struct RepositoryHandle {
    /// Its configuration.
    pub section: config::Repository,
    fact: watch::Receiver<RepositoryFact>,
    wake: Arc<Notify>,
    stop: Arc<Stop>,
}

/// Stops the worker when the last handle goes, blocking work included.
struct Stop {
    token: CancellationToken,
    flag: Arc<AtomicBool>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::Relaxed);
        self.token.cancel();
    }
}

impl RepositoryHandle {
    /// Starts the worker. `cache` is the folder that mirrors live in.
    pub(in crate::engine) fn start(section: config::Repository, cache: &Path, hub: Hub, ask: Ask) -> Self {
        let (publish, fact) = watch::channel(RepositoryFact::default());
        let wake = Arc::new(Notify::new());
        let stop = Arc::new(Stop { token: CancellationToken::new(), flag: Arc::default() });
        let worker = Worker {
            folder: cache.join("mirrors").join(&sha256_hex(&section.url)[..16]),
            section: section.clone(),
            hub,
            publish,
            stop: Arc::clone(&stop.flag),
            told: Told::default(),
        };
        let (token, wake_worker) = (stop.token.clone(), Arc::clone(&wake));
        tokio::spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = worker.run(ask, &wake_worker) => {}
            }
        });
        Self { section, fact, wake, stop }
    }
    /// Follows what the worker knows.
    pub(in crate::engine) fn fact(&self) -> watch::Receiver<RepositoryFact> {
        self.fact.clone()
    }
    /// Asks the server now.
    pub(in crate::engine) fn fetch(&self) {
        self.wake.notify_one();
    }
    /// A flag that is set when the worker stops: for long reads of the mirror.
    pub(in crate::engine) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop.flag)
    }
}

struct Worker {
    section: config::Repository,
    folder: PathBuf,
    hub: Hub,
    publish: watch::Sender<RepositoryFact>,
    stop: Arc<AtomicBool>,
    told: Told,
}

impl Worker {
    async fn run(self, ask: Ask, wake: &Notify) {
        let url = match RepositoryUrl::parse(&self.section.url) {
            Ok(url) => url,
            Err(error) => return self.failed(error, None),
        };
        let opened = self.blocking({
            let (folder, url) = (self.folder.clone(), url.clone());
            move || Mirror::open(&folder, &url)
        });
        match opened.await {
            Ok(Some(mirror)) => {
                self.publish.send_modify(|fact| fact.mirror = Some(mirror));
                self.show_head().await;
            }
            Ok(None) => {}
            Err(error) => self.failed(error, None),
        }
        if ask == Ask::Never {
            self.publish.send_modify(|fact| fact.settled = true);
            return;
        }
        let (_watcher, moved) = watch_folder(url.local_path());
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(300));
        loop {
            let pause = match self.refresh(&url).await {
                Ok(()) => {
                    backoff.reset();
                    match self.section.poll {
                        config::Poll::Every(interval) => Some(interval),
                        config::Poll::Never => None,
                    }
                }
                Err(GitError::Interrupted) => return,
                Err(error) => {
                    let pause = backoff.next();
                    self.failed(error, (ask == Ask::Follow).then_some(pause));
                    Some(pause)
                }
            };
            if ask == Ask::Once {
                return;
            }
            let pause = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wake.notified() => {}
                () = moved.notified() => {}
                () = pause => {}
            }
        }
    }

    /// Brings the mirror up to date: a clone the first time, else one question and a fetch if there is news.
    async fn refresh(&self, url: &RepositoryUrl) -> Result<(), GitError> {
        let known = self.publish.borrow().mirror.clone();
        let (mirror, report) = match known {
            None => {
                self.show(RepositoryState::Cloning(Progress::default()));
                let (url, folder, progress, stop) =
                    (url.clone(), self.folder.clone(), self.progress(true), Arc::clone(&self.stop));
                let mirror = self.blocking(move || Mirror::clone_from(&url, &folder, &progress, &stop)).await?;
                self.hub.activity(ActivityKind::Done, &self.section.name, "cloned");
                (mirror, Some(FetchReport::default()))
            }
            Some(mirror) => {
                self.show(RepositoryState::Fetching(Progress::default()));
                let (asked, progress, stop) = (mirror.clone(), self.progress(false), Arc::clone(&self.stop));
                let report = self
                    .blocking(
                        move || if asked.poll(&stop)? { asked.fetch(&progress, &stop).map(Some) } else { Ok(None) },
                    )
                    .await?;
                (mirror, report)
            }
        };
        if self.told.success() {
            self.hub.activity(ActivityKind::Done, &self.section.name, "reached again");
        }
        if let Some(report) = &report {
            self.tell(report);
        }
        self.publish.send_modify(|fact| {
            fact.mirror = Some(mirror);
            fact.error = None;
            fact.settled = true;
            fact.generation += u64::from(report.is_some());
        });
        self.show_head().await;
        let now = config::now();
        self.hub.repository(&self.section.name, move |view| {
            view.state = RepositoryState::Ready;
            view.fetched_at = Some(now);
        });
        Ok(())
    }

    fn tell(&self, report: &FetchReport) {
        let name = &self.section.name;
        if !report.updated.is_empty() {
            self.hub.activity(ActivityKind::Done, name, format!("fetched {}", some_of(&report.updated)));
        }
        let mut notices = Vec::new();
        for (branch, old, new) in &report.forced {
            notices.push(format!("{branch} was rewritten: {} -> {}", old.short(), new.short()));
        }
        for gone in &report.deleted {
            notices.push(format!("{gone} was deleted on the server"));
        }
        for notice in &notices {
            self.hub.activity(ActivityKind::Notice, name, notice);
        }
        let notice = (!notices.is_empty()).then(|| clean(&notices.join("; ")).into_owned());
        self.hub.repository(name, move |view| view.notice = notice);
    }

    /// Shows the commit that the repository's own revision stands at.
    async fn show_head(&self) {
        let Some(mirror) = self.publish.borrow().mirror.clone() else { return };
        let revision = self.section.revision.clone();
        let read = self.blocking(move || {
            let revision = mirror.resolve(revision.as_deref())?;
            Ok((mirror.commit(revision.commit)?, revision.branch))
        });
        match read.await {
            Ok((commit, branch)) => self.hub.repository(&self.section.name, move |view| {
                view.head = Some(CommitSummary {
                    id: commit.id,
                    subject: clean(&commit.subject).into_owned(),
                    author: clean(&commit.author.name).into_owned(),
                    time: commit.time,
                });
                view.branch = branch;
            }),
            // An application with a revision of its own can still work, so this is told and is no failure of the mirror.
            Err(error) => {
                let text = clean(&error.to_string()).into_owned();
                self.hub.repository(&self.section.name, move |view| view.notice = Some(text));
            }
        }
    }

    fn failed(&self, error: GitError, retry: Option<Duration>) {
        let message = clean(&error.to_string()).into_owned();
        if self.told.failure(&message) {
            self.hub.activity(ActivityKind::Failed, &self.section.name, &message);
        }
        let retry_at = retry.and_then(|pause| config::now().checked_add(pause).ok());
        self.hub.repository(&self.section.name, move |view| view.state = RepositoryState::Failed { message, retry_at });
        self.publish.send_modify(|fact| {
            fact.error = Some(Arc::new(error));
            fact.settled = true;
        });
    }

    fn show(&self, state: RepositoryState) {
        self.hub.repository(&self.section.name, move |view| view.state = state);
    }

    fn progress(&self, cloning: bool) -> impl Fn(Progress) + Sync + use<> {
        let (hub, name) = (self.hub.clone(), self.section.name.clone());
        move |progress| {
            hub.repository(&name, move |view| {
                view.state =
                    if cloning { RepositoryState::Cloning(progress) } else { RepositoryState::Fetching(progress) };
            });
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        // A panic in a library is one repository's failure, not the program's end.
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            Err(GitError::Mirror {
                path: self.folder.display().to_string(),
                reason: format!("internal error: {error}"),
            })
        })
    }
}

/// Watches a repository on this machine, so that a commit there is seen at once. The notice comes as a notification; where the
/// system refuses to watch, polling does it alone.
fn watch_folder(path: Option<&Path>) -> (Option<notify::RecommendedWatcher>, Arc<Notify>) {
    let moved = Arc::new(Notify::new());
    let Some(path) = path else { return (None, moved) };
    let git = if path.join(".git").is_dir() { path.join(".git") } else { path.to_owned() };
    let notice = Arc::clone(&moved);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let is_ref = |path: &PathBuf| {
            path.extension().is_none_or(|extension| extension != "lock")
                && path.components().any(|part| {
                    part.as_os_str() == "refs" || part.as_os_str() == "packed-refs" || part.as_os_str() == "HEAD"
                })
        };
        if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(is_ref)) {
            notice.notify_one();
        }
    });
    let mut watcher = match watcher {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "this repository cannot be watched; it is polled only");
            return (None, moved);
        }
    };
    for (folder, mode) in
        [(git.clone(), notify::RecursiveMode::NonRecursive), (git.join("refs"), notify::RecursiveMode::Recursive)]
    {
        if let Err(error) = watcher.watch(&folder, mode) {
            tracing::warn!(%error, folder = %folder.display(), "this folder cannot be watched; the repository is polled only");
        }
    }
    (Some(watcher), moved)
}

fn some_of(names: &[String]) -> String {
    match names {
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c} and {} more", rest.len()),
        names => names.join(", "),
    }
}
