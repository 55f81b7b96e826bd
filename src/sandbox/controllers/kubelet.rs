//! Pods: a scheduler that gives each a node in turn, and kubelets that say how its containers fare.
//!
//! As in the tests' control plane, the tag of the first image decides: `crash` crash-loops, `nopull` cannot be pulled,
//! `slow` is ready after five seconds, anything else is ready at once; a Pod of a Job completes a second later.

use super::{
    Next,
    events::{Source, record},
};
use crate::sandbox::{
    api::Api,
    bootstrap::NODES,
    failure::Failure,
    meta::{self, items, text},
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::{Value, json};
use std::time::Duration;

const SLOW: i64 = 5;
const KUBELET: &str = "kwok";

pub(super) fn wants(event: &Event, _: &dyn Fn() -> Value) -> Vec<Key> {
    let is_pod = &*event.key.collection == "pods" && event.change != Change::Deleted;
    if is_pod { vec![event.key.clone()] } else { Vec::new() }
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let Some(record) = api.store.get(key) else { return Ok(None) };
    let pod = record.read();
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    if meta::is_terminating(&pod) {
        let now = Options { grace: Some(0), ..Options::default() };
        write::delete_object(api, &resource, key, &now)?;
        return Ok(None);
    }
    if text(&pod, "/spec/nodeName").is_empty() {
        return schedule(api, key, &pod);
    }
    let is_new = pod.pointer("/status/containerStatuses").is_none();
    if is_new {
        let waits = left(&pod, "/metadata/creationTimestamp", if tag(&pod) == "slow" { SLOW } else { 0 });
        if let Some(waits) = waits {
            return Ok(Some(waits));
        }
        let status = started(api, &pod);
        write_status(api, key, &status)?;
        return Ok(None);
    }
    let runs = text(&pod, "/status/phase") == "Running" && !matches!(tag(&pod), "crash" | "nopull");
    let is_of_job = meta::controller(&pod).is_some_and(|owner| text(owner, "/kind") == "Job");
    if runs && is_of_job {
        if let Some(waits) = left(&pod, "/status/startTime", 1) {
            return Ok(Some(waits));
        }
        write_status(api, key, &completed(&pod))?;
    }
    Ok(None)
}

/// How long until so many seconds after a time; none: they are over.
fn left(pod: &Value, since: &str, seconds: i64) -> Option<Duration> {
    let since = text(pod, since).parse::<jiff::Timestamp>().ok()?;
    let due = since + jiff::SignedDuration::from_secs(seconds);
    let left = due.duration_since(jiff::Timestamp::now());
    if left.is_positive() { Duration::try_from(left).ok() } else { None }
}

/// The tag of the first image.
fn tag(pod: &Value) -> &str {
    let image = items(pod, "/spec/containers").first().map_or("", |container| text(container, "/image"));
    image.rsplit_once(':').map_or("", |(_, tag)| tag)
}

fn schedule(api: &Api, key: &Key, pod: &Value) -> Next {
    // The same Pod is given the same node whenever it is looked at.
    let node = NODES[usize::from(meta::uid(pod).bytes().last().unwrap_or_default()) % NODES.len()];
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    // A binding is written by nobody: it is no update of the Pod.
    let by = By { manager: "kube-scheduler", subresource: "binding", dry_run: false };
    let bound = write::update_object(api, &resource, key, by, |live| {
        let mut pod = live.clone();
        meta::made(&mut pod, "spec").insert("nodeName".into(), node.into());
        let conditions = with_condition(items(live, "/status/conditions"), "PodScheduled", "True");
        meta::made(&mut pod, "status").insert("conditions".into(), conditions.into());
        Ok(pod)
    })?;
    let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
    let source = Source { component: "default-scheduler", manager: "kube-scheduler" };
    record(api, ("v1", "Pod", &bound), "Scheduled", &message, &source);
    Ok(None)
}

fn with_condition(known: &[Value], kind: &str, status: &str) -> Vec<Value> {
    let mut conditions: Vec<Value> = known.iter().filter(|known| text(known, "/type") != kind).cloned().collect();
    conditions.push(json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": meta::now()}));
    conditions
}

fn write_status(api: &Api, key: &Key, status: &Value) -> Result<(), Failure> {
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    let by = By::status(KUBELET);
    write::update_object(api, &resource, key, by, |live| {
        let mut pod = live.clone();
        let fields = meta::made(&mut pod, "status");
        for (name, value) in status.as_object().into_iter().flatten() {
            fields.insert(name.clone(), value.clone());
        }
        Ok(pod)
    })
    .map(drop)
}

/// An address of the Pods' own range that no other Pod has.
fn address(api: &Api) -> String {
    let pods = api.all("pods", None);
    let used: std::collections::BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/status/podIP")).collect();
    let all = (1..u32::from(u16::MAX)).map(|at| format!("10.244.{}.{}", at >> 8, at & 0xff));
    all.into_iter().find(|address| !used.contains(address.as_str())).unwrap_or_default()
}

fn started(api: &Api, pod: &Value) -> Value {
    let now = meta::now();
    let (phase, ready, restarts, state) = match tag(pod) {
        "crash" => (
            "Running",
            false,
            5,
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2m40s restarting failed container"}}),
        ),
        "nopull" => (
            "Pending",
            false,
            0,
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}),
        ),
        _ => ("Running", true, 0, json!({"running": {"startedAt": now}})),
    };
    let container = |container: &Value| {
        json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": ready, "started": ready,
            "restartCount": restarts, "lastState": {}, "state": state})
    };
    let containers: Vec<Value> = items(pod, "/spec/containers").iter().map(container).collect();
    let condition = |kind: &str, met: bool| json!({"type": kind, "status": if met { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": now});
    let scheduled = items(pod, "/status/conditions").iter().filter(|known| text(known, "/type") == "PodScheduled");
    let mut conditions =
        vec![condition("Initialized", true), condition("ContainersReady", ready), condition("Ready", ready)];
    conditions.extend(scheduled.cloned());
    let address = address(api);
    json!({"phase": phase, "startTime": now, "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions,
        "containerStatuses": containers})
}

fn completed(pod: &Value) -> Value {
    let now = meta::now();
    let container = |container: &Value| {
        let state = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}});
        json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": false, "started": false,
            "restartCount": 0, "lastState": {}, "state": state})
    };
    let containers: Vec<Value> = items(pod, "/spec/containers").iter().map(container).collect();
    json!({"phase": "Succeeded", "containerStatuses": containers})
}
