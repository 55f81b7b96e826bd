//! The cells of a Pod (`printPod`): what its containers make of its status.

use super::age::since;
use crate::sandbox::meta::{self, items, number, text};
use serde_json::{Value, json};

/// The row's conditions: that it is over.
pub(super) fn row_conditions(pod: &Value) -> Vec<Value> {
    let condition = |reason: &str, message: &str| {
        vec![json!({"type": "Completed", "status": "True", "reason": reason, "message": message})]
    };
    match text(pod, "/status/phase") {
        "Succeeded" => condition("Succeeded", "The pod has completed successfully."),
        "Failed" => condition("Failed", "The pod failed."),
        _ => Vec::new(),
    }
}

pub(super) fn cells(pod: &Value) -> Vec<Value> {
    let total = items(pod, "/spec/containers").len();
    let statuses = items(pod, "/status/containerStatuses");
    let mut reason = match text(pod, "/status/reason") {
        "" => text(pod, "/status/phase").to_owned(),
        reason => reason.to_owned(),
    };
    let is_gated = items(pod, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "PodScheduled" && text(condition, "/reason") == "SchedulingGated");
    if is_gated {
        reason = "SchedulingGated".into();
    }
    let (mut restarts, mut ready, mut has_running) = (0, 0, false);
    for status in statuses.iter().rev() {
        restarts += number(status, "/restartCount");
        let (waiting, terminated) = (text(status, "/state/waiting/reason"), text(status, "/state/terminated/reason"));
        if !waiting.is_empty() {
            reason = waiting.to_owned();
        } else if !terminated.is_empty() {
            reason = terminated.to_owned();
        } else if status.pointer("/state/terminated").is_some() {
            reason = match number(status, "/state/terminated/signal") {
                0 => format!("ExitCode:{}", number(status, "/state/terminated/exitCode")),
                signal => format!("Signal:{signal}"),
            };
        } else if status.get("ready") == Some(&true.into()) && status.pointer("/state/running").is_some() {
            has_running = true;
            ready += 1;
        }
    }
    if reason == "Completed" && has_running {
        let is_ready = items(pod, "/status/conditions")
            .iter()
            .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True");
        reason = if is_ready { "Running".into() } else { "NotReady".into() };
    }
    if meta::is_terminating(pod) {
        reason = if text(pod, "/status/reason") == "NodeLost" { "Unknown".into() } else { "Terminating".into() };
    }
    let or_none = |text: &str| if text.is_empty() { "<none>".to_owned() } else { text.to_owned() };
    let gates = items(pod, "/spec/readinessGates");
    let gates = if gates.is_empty() { "<none>".to_owned() } else { format!("0/{}", gates.len()) };
    vec![
        meta::name(pod).into(),
        format!("{ready}/{total}").into(),
        reason.into(),
        restarts.to_string().into(),
        since(text(pod, "/metadata/creationTimestamp")).into(),
        or_none(text(pod, "/status/podIP")).into(),
        or_none(text(pod, "/spec/nodeName")).into(),
        or_none(text(pod, "/status/nominatedNodeName")).into(),
        gates.into(),
    ]
}
