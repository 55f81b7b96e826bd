//! One worker per application: compares again whenever Git, the cluster or another application's claims moved.

use super::{
    application::{Application, At},
    error::EngineError,
    examine::Look,
    fleet::{ActivityKind, ApplicationView, Work},
};
use crate::{
    cluster::{Follower, LiveChanges, Session},
    config,
    object::{ObjectId, clean},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Events gather for this long before a comparison, so that a burst costs one.
const GATHER: Duration = Duration::from_millis(60);
/// They gather for this many times as long as the last comparison took, so that a stream of them takes a bounded share of the processor.
const GATHER_TIMES: u32 = 8;
/// But what happens is shown within this time.
const GATHER_AT_MOST: Duration = Duration::from_millis(600);
/// Inventory, records and Lease are read again at least so often: other operators' doings show after at most this long.
const READ_AGAIN: Duration = Duration::from_secs(30);
/// Rows of history that are kept at hand.
const HISTORY_ROWS: usize = 500;

/// Follows an application until `stop`.
pub(in crate::engine) async fn follow(application: Arc<Application>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = compare_for_ever(&application) => {}
    }
    application.claims.withdraw(&application.section.name);
    application.stop_following();
}

/// Says what the application claims, for the comparison of its neighbours; nothing of it is shown.
pub(in crate::engine) async fn claim_once(application: Arc<Application>) {
    let claimed = async {
        let source = application.source(&At::Configured, true).await?;
        let rendered = application.render(&source).await?;
        let session = application.session().await?;
        let desired = application.desired(&rendered, &session).await;
        Ok::<_, EngineError>((session.cluster_id().to_owned(), desired.ids()))
    };
    match claimed.await {
        Ok((cluster, ids)) => application.claims.claim(&application.section.name, Some((&cluster, ids))),
        Err(error) => {
            tracing::info!(application = application.section.name, %error, "what it claims is not known");
            application.claims.claim(&application.section.name, None);
        }
    }
}

async fn compare_for_ever(application: &Application) {
    let mut repository = application.repository.fact();
    let mut cluster = application.cluster.fact();
    let claims = application.claims.follow(&application.section.name);
    let mut read_history_at = None;
    loop {
        repository.mark_unchanged();
        cluster.mark_unchanged();
        if let Some(follower) = application.follower() {
            // What has moved so far is seen by the comparison that comes now.
            kinds_may_have_moved(application, &follower.take()).await;
        }
        let mut schemas = cluster.borrow().session.as_ref().map(Session::schema_epoch);
        let began = Instant::now();
        compare(application).await;
        let gather = (began.elapsed() * GATHER_TIMES).clamp(GATHER, GATHER_AT_MOST);
        let follower = application.follower();
        let state = repository.borrow().generation;
        if read_history_at != Some(state) || application.ledger_moved() {
            read_history_at = Some(state);
            read_history(application).await;
        }
        tokio::select! {
            moved = repository.changed() => if moved.is_err() { return },
            moved = cluster.changed() => if moved.is_err() { return },
            () = claims.notified() => {}
            () = application.wake.notified() => {}
            () = schemas_moved(&mut schemas) => {}
            moved = live_moved(follower.as_deref()) => kinds_may_have_moved(application, &moved).await,
            () = tokio::time::sleep(READ_AGAIN) => {}
        }
        tokio::time::sleep(gather).await;
    }
}

/// Ends when something moved that the application's comparison was made from.
async fn live_moved(follower: Option<&Follower>) -> LiveChanges {
    match follower {
        Some(follower) => follower.moved().await,
        None => std::future::pending().await,
    }
}

/// Ends when schemas that comparisons were made by are others now.
async fn schemas_moved(epoch: &mut Option<watch::Receiver<u64>>) {
    if let Some(epoch) = epoch
        && epoch.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// An object that defines kinds moved: what the server serves is asked for again.
async fn kinds_may_have_moved(application: &Application, moved: &LiveChanges) {
    let defines = |id: &ObjectId| {
        matches!(
            (id.group.as_str(), id.kind.as_str()),
            ("apiextensions.k8s.io", "CustomResourceDefinition") | ("apiregistration.k8s.io", "APIService")
        )
    };
    if moved.objects.iter().any(defines)
        && let Ok(session) = application.session().await
    {
        application.follow_up_discovery(&session).await;
    }
}

/// Compares once and shows the result.
pub(in crate::engine) async fn compare(application: &Application) {
    let quiet = application.is_syncing();
    let look = Look { fresh: !application.follow, show: !quiet, prune: application.section.prune, ..Look::default() };
    let began = Instant::now();
    let examined = application.examine(&At::Configured, look).await;
    let now = config::now();
    let idle = !application.is_syncing();
    let name = application.section.name.clone();
    match examined {
        Ok(examined) => {
            let (objects, milliseconds) = (examined.comparison.objects.len(), began.elapsed().as_secs_f64() * 1e3);
            tracing::debug!(application = name, objects, milliseconds, "compared");
            let last_sync = examined.ledger.last_sync();
            let comparison = Arc::new(examined.comparison);
            let hub = application.hub.clone();
            application.hub.application(&name.clone(), move |view| {
                if let Some(news) = news(view, &comparison) {
                    hub.activity(ActivityKind::Notice, &name, news);
                }
                // An equal comparison stays the same one, so that clients see that nothing changed.
                if view.comparison.as_deref().is_none_or(|known| !known.says_the_same(&comparison)) {
                    view.comparison = Some(comparison);
                }
                view.compared_at = Some(now);
                view.error = None;
                view.last_sync = last_sync;
                if idle {
                    view.work = Work::Idle;
                }
            });
        }
        Err(error) => {
            // Others wait for what this one claims: that it cannot be told is an answer too.
            application.claims.claim(&name, None);
            let message = clean(&error.to_string()).into_owned();
            let hub = application.hub.clone();
            application.hub.application(&name.clone(), move |view| {
                if view.error.as_ref() != Some(&message) {
                    hub.activity(ActivityKind::Failed, &name, &message);
                }
                view.error = Some(message);
                if idle {
                    view.work = Work::Idle;
                }
            });
        }
    }
}

/// A line for the activity pane when an application's state is another than before.
fn news(view: &ApplicationView, comparison: &super::Comparison) -> Option<String> {
    let before = view.comparison.as_ref()?;
    (before.state != comparison.state).then(|| format!("{:?} -> {:?}", before.state, comparison.state))
}

async fn read_history(application: &Application) {
    match application.read_history(Some(HISTORY_ROWS), false).await {
        Ok(history) => {
            let history = Arc::new(history);
            application.hub.application(&application.section.name, move |view| view.history = Some(history));
        }
        // The comparison tells why Git cannot be read.
        Err(error) => tracing::info!(application = application.section.name, %error, "no history"),
    }
}
