//! Waits for what later steps rely on: served kinds, active namespaces, healthy workloads, deletions that have ended.

use super::{approval::BoundStep, bounded::bounded, step::terminating};
use crate::{
    cluster::{HealthStatus, LiveObject, Session, health},
    object::ObjectId,
};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Pause between looks at one object: grows to the second, so that a fast roll-out ends fast and a slow one costs little.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Waited {
    /// As wished.
    Ready,
    /// Not in time, or it failed; which object and why.
    NotReady(String),
    /// Told to stop.
    Stopped,
}

/// Waits until Namespaces that were just applied are active and CRDs are served.
pub(in crate::engine) async fn served(
    session: &Session,
    steps: &[BoundStep],
    timeout: Duration,
    stop: &CancellationToken,
) -> Waited {
    let crds = steps.iter().any(|step| step.id.kind == "CustomResourceDefinition");
    let providers = steps.iter().filter(|step| is_namespace(step) || step.id.kind == "CustomResourceDefinition");
    let deadline = Instant::now() + timeout;
    for step in providers {
        let look = |live: Option<&LiveObject>| match live {
            None => Look::deleted(),
            Some(live) if !is_namespace(step) => established(&live.body),
            Some(live) if live.body.pointer("/status/phase") == Some(&Value::from("Active")) => Look::Ready,
            Some(_) => Look::Wait("the namespace is not active yet".into()),
        };
        let waited = until(session, step, deadline, stop, look).await;
        if waited != Waited::Ready {
            return waited;
        }
    }
    if !crds {
        return Waited::Ready;
    }
    // Established comes a moment before discovery knows the kind.
    let kinds: Vec<(String, String)> = steps
        .iter()
        .filter(|step| step.id.kind == "CustomResourceDefinition")
        .filter_map(|step| {
            let text = |pointer: &str| step.body.pointer(pointer)?.as_str().map(str::to_owned);
            Some((text("/spec/group")?, text("/spec/names/kind")?))
        })
        .collect();
    let mut pause = FIRST_LOOK;
    loop {
        if let Ok(catalog) = session.rediscover().await
            && kinds.iter().all(|(group, kind)| {
                catalog.resources.iter().any(|resource| resource.group == *group && resource.kind == *kind)
            })
        {
            return Waited::Ready;
        }
        if Instant::now() > deadline {
            return Waited::NotReady("a CRD is established, and the API server does not list its kind".into());
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_LOOK),
            () = stop.cancelled() => return Waited::Stopped,
        }
    }
}

fn is_namespace(step: &BoundStep) -> bool {
    step.id.group.is_empty() && step.id.kind == "Namespace"
}

/// Waits until objects that were just written are healthy. `tell` is called with the reason of one that is not yet.
pub(in crate::engine) async fn healthy(
    session: &Session,
    written: &[(&BoundStep, LiveObject)],
    timeout: Duration,
    stop: &CancellationToken,
    tell: &(dyn Fn(&ObjectId, &str) + Sync),
) -> Waited {
    let deadline = Instant::now() + timeout;
    let waiting = written.iter().filter(|(_, object)| passes(&object.body, generation(&object.body)) != Look::Ready);
    let waits = waiting.map(|(step, object)| {
        async move {
            let ours = generation(&object.body);
            let look = |live: Option<&LiveObject>| {
                let Some(live) = live else { return Look::deleted() };
                let look = passes(&live.body, ours);
                if let Look::Wait(reason) | Look::Failed(reason) = &look {
                    tell(&step.id, reason);
                }
                look
            };
            until(session, step, deadline, stop, look).await
        }
        .boxed()
    });
    all(waits).await
}

/// Waits until pruned objects are gone; at the time-out the reason names the finalizers that hold one.
pub(in crate::engine) async fn gone(
    session: &Session,
    pruned: &[&BoundStep],
    timeout: Duration,
    stop: &CancellationToken,
) -> Waited {
    let deadline = Instant::now() + timeout;
    let waits = pruned.iter().map(|step| {
        async move {
            let look = |live: Option<&LiveObject>| match live {
                None => Look::Ready,
                Some(live) if step.live.as_ref().is_some_and(|mark| mark.uid != live.uid) => Look::Ready,
                Some(live) => Look::Wait(terminating(&live.body).unwrap_or_else(|| "it is still there".into())),
            };
            until(session, step, deadline, stop, look).await
        }
        .boxed()
    });
    all(waits).await
}

/// Waits for all; the first reason is told, the others are on screen as their own state.
async fn all<'a>(waits: impl Iterator<Item = BoxFuture<'a, Waited>> + Send) -> Waited {
    let mut waits = bounded(waits);
    let mut result = Waited::Ready;
    while let Some(waited) = waits.next().await {
        match waited {
            Waited::Stopped => return Waited::Stopped,
            not_ready if result == Waited::Ready => result = not_ready,
            _ => {}
        }
    }
    result
}

/// What one look at an object says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    /// As wished.
    Ready,
    /// Not yet, and why.
    Wait(String),
    /// Waiting longer would not help, and why.
    Failed(String),
}

impl Look {
    fn deleted() -> Self {
        Self::Failed("it was deleted while it was waited for".into())
    }
}

/// Looks at an object until a look says that the wait is over. A read that fails is looked again.
async fn until(
    session: &Session,
    step: &BoundStep,
    deadline: Instant,
    stop: &CancellationToken,
    look: impl Fn(Option<&LiveObject>) -> Look + Send,
) -> Waited {
    let mut pause = FIRST_LOOK;
    loop {
        let live = tokio::select! {
            live = session.get(&step.resource, &step.id) => live,
            () = stop.cancelled() => return Waited::Stopped,
        };
        let reason = match live.map(|live| look(live.as_ref())) {
            Ok(Look::Ready) => return Waited::Ready,
            Ok(Look::Failed(reason)) => return Waited::NotReady(format!("{}: {reason}", step.id)),
            Ok(Look::Wait(reason)) => reason,
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Waited::NotReady(format!("{}: not in time: {reason}", step.id));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_LOOK),
            () = stop.cancelled() => return Waited::Stopped,
        }
    }
}

/// Says whether a live object's health lets the next wave go on; it fails where it is Degraded by the generation that was written.
fn passes(live: &Value, ours: i64) -> Look {
    let observed = live.pointer("/status/observedGeneration").and_then(Value::as_i64);
    let is_ours = observed.is_none_or(|observed| observed >= ours);
    let health = health(live);
    match health.status {
        HealthStatus::Healthy | HealthStatus::Suspended if is_ours => Look::Ready,
        HealthStatus::Degraded if is_ours => Look::Failed(format!("degraded: {}", health.message)),
        // A claim that binds only when a Pod uses it would wait for ever.
        HealthStatus::Progressing if is_waiting_claim(live) => Look::Ready,
        _ => Look::Wait(health.message),
    }
}

/// A claim that is not bound may wait for its first consumer, which may come in a later wave.
fn is_waiting_claim(live: &Value) -> bool {
    live.get("kind") == Some(&Value::from("PersistentVolumeClaim"))
        && live.pointer("/status/phase").is_none_or(|phase| phase == "Pending")
}

fn generation(live: &Value) -> i64 {
    live.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0)
}

fn established(live: &Value) -> Look {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let condition = |kind: &str| conditions.clone().find(|condition| condition.get("type") == Some(&Value::from(kind)));
    let is = |condition: Option<&Value>, status: &str| {
        condition.is_some_and(|condition| condition.get("status") == Some(&Value::from(status)))
    };
    if is(condition("NamesAccepted"), "False") {
        let message = condition("NamesAccepted")
            .and_then(|condition| condition.get("message")?.as_str())
            .unwrap_or("names not accepted");
        return Look::Failed(message.to_owned());
    }
    if is(condition("Established"), "True") { Look::Ready } else { Look::Wait("the CRD is not established yet".into()) }
}
