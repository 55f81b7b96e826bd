//! Waits for what later steps rely on: served kinds, active namespaces, healthy workloads, deletions that have ended.

use super::{approval::BoundStep, bounded::bounded, step::terminating};
use crate::{
    cluster::{HealthStatus, LiveObject, Resource, Session, health},
    object::ObjectId,
};
use futures::{FutureExt, StreamExt, future};
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
        let ready = |live: &Value| match step.id.kind.as_str() {
            "Namespace" if live.pointer("/status/phase") == Some(&Value::from("Active")) => Ok(()),
            "Namespace" => Err("the namespace is not active yet".to_owned()),
            _ => established(live),
        };
        let waited = until(session, &step.resource, &step.id, deadline, stop, ready).await;
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
    let waiting =
        written.iter().filter(|(_, object)| !passes(&object.body, generation(&object.body)).is_ok_and(|pass| pass));
    let mut waits = bounded(waiting.map(|(step, object)| {
        async move {
            let ours = generation(&object.body);
            let ready = |live: &Value| match passes(live, ours) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    let reason = health(live).message;
                    tell(&step.id, &reason);
                    Err(reason)
                }
                // Degraded by our generation: waiting longer would not help.
                Err(reason) => {
                    tell(&step.id, &reason);
                    Err(format!("{FATAL}{reason}"))
                }
            };
            until(session, &step.resource, &step.id, deadline, stop, ready).await
        }
        .boxed()
    }));
    let mut result = Waited::Ready;
    while let Some(waited) = waits.next().await {
        match waited {
            Waited::Ready => {}
            Waited::Stopped => return Waited::Stopped,
            // The first reason is told; the others are on screen as their own state.
            not_ready => result = if result == Waited::Ready { not_ready } else { result },
        }
    }
    result
}

/// Waits until pruned objects are gone; at the time-out the reason names the finalizers that hold them.
pub(in crate::engine) async fn gone(
    session: &Session,
    pruned: &[&BoundStep],
    timeout: Duration,
    stop: &CancellationToken,
) -> Vec<(ObjectId, String)> {
    let deadline = Instant::now() + timeout;
    let waits = pruned.iter().map(|step| {
        async move {
            let mut pause = FIRST_LOOK;
            loop {
                let reason = match session.get(&step.resource, &step.id).await {
                    Ok(None) => return None,
                    Ok(Some(live)) if step.live.as_ref().is_some_and(|(uid, _)| *uid != live.uid) => return None,
                    Ok(Some(live)) => terminating(&live.body).unwrap_or_else(|| "it is still there".into()),
                    Err(error) => error.to_string(),
                };
                if Instant::now() > deadline || stop.is_cancelled() {
                    return Some((step.id.clone(), reason));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_LOOK);
            }
        }
        .boxed()
    });
    bounded(waits).filter_map(future::ready).collect().await
}

/// Marks a reason that waiting cannot mend.
const FATAL: &str = "degraded: ";

async fn until(
    session: &Session,
    resource: &Resource,
    id: &ObjectId,
    deadline: Instant,
    stop: &CancellationToken,
    ready: impl Fn(&Value) -> Result<(), String> + Send,
) -> Waited {
    let mut pause = FIRST_LOOK;
    loop {
        let reason = match session.get(resource, id).await {
            Ok(Some(live)) => match ready(&live.body) {
                Ok(()) => return Waited::Ready,
                Err(reason) if reason.starts_with(FATAL) => return Waited::NotReady(format!("{id}: {reason}")),
                Err(reason) => reason,
            },
            Ok(None) => return Waited::NotReady(format!("{id} was deleted while it was waited for")),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Waited::NotReady(format!("{id}: not ready in time: {reason}"));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_LOOK),
            () = stop.cancelled() => return Waited::Stopped,
        }
    }
}

/// Says whether a live object's health lets the next wave go on: an error is Degraded by the generation that was written.
fn passes(live: &Value, ours: i64) -> Result<bool, String> {
    let observed = live.pointer("/status/observedGeneration").and_then(Value::as_i64);
    let health = health(live);
    match health.status {
        HealthStatus::Healthy | HealthStatus::Suspended => Ok(observed.is_none_or(|observed| observed >= ours)),
        HealthStatus::Degraded if observed.is_none_or(|observed| observed >= ours) => Err(health.message),
        // A claim that binds only when a Pod uses it would wait for ever.
        HealthStatus::Progressing if is_waiting_claim(live) => Ok(true),
        _ => Ok(false),
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

fn established(live: &Value) -> Result<(), String> {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let condition = |kind: &str| conditions.clone().find(|condition| condition.get("type") == Some(&Value::from(kind)));
    let is = |condition: Option<&Value>, status: &str| {
        condition.is_some_and(|condition| condition.get("status") == Some(&Value::from(status)))
    };
    if is(condition("NamesAccepted"), "False") {
        let message = condition("NamesAccepted")
            .and_then(|condition| condition.get("message")?.as_str())
            .unwrap_or("names not accepted");
        return Err(format!("{FATAL}{message}"));
    }
    if is(condition("Established"), "True") { Ok(()) } else { Err("the CRD is not established yet".into()) }
}
