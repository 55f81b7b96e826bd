//! Pods.

use super::{Condition, Health, list, number, text};
use serde_json::Value;

pub(super) fn pod(live: &Value) -> Health {
    let always = matches!(text(live, "/spec/restartPolicy"), "Always" | "");
    if always && let Some(reason) = stuck(live) {
        return Health::degraded(reason);
    }
    match text(live, "/status/phase") {
        "Pending" => Health::progressing(pending(live)),
        "Succeeded" => Health::healthy(),
        "Failed" => Health::degraded(failure(live)),
        "Running" if !always => Health::progressing("Running"),
        "Running" if Condition::of(live, "Ready").is_some_and(|ready| ready.holds()) => Health::healthy(),
        "Running" => {
            let restarted = containers(live).find(|container| container.pointer("/lastState/terminated").is_some());
            match restarted {
                Some(container) => Health::degraded(format!(
                    "container {} was restarted {} times",
                    text(container, "/name"),
                    number(container, "/restartCount")
                )),
                None => Health::progressing("Running, not ready"),
            }
        }
        "" => Health::progressing("no phase yet"),
        phase => Health::unknown(format!("phase {phase}")),
    }
}

fn containers(live: &Value) -> impl Iterator<Item = &Value> {
    list(live, "/status/initContainerStatuses").iter().chain(list(live, "/status/containerStatuses"))
}

/// A container that waits because something failed: `ErrImagePull`, `CrashLoopBackOff`, `CreateContainerConfigError`.
fn stuck(live: &Value) -> Option<String> {
    containers(live).find_map(|container| {
        let reason = text(container, "/state/waiting/reason");
        let failed = reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff");
        failed.then(|| {
            let message = text(container, "/state/waiting/message");
            let colon = if message.is_empty() { "" } else { ": " };
            format!("container {}: {reason}{colon}{message}", text(container, "/name"))
        })
    })
}

fn pending(live: &Value) -> String {
    match Condition::of(live, "PodScheduled").filter(|condition| condition.denied()) {
        Some(condition) => condition.words("Pending"),
        None => "Pending".into(),
    }
}

fn failure(live: &Value) -> String {
    let message = text(live, "/status/message");
    if !message.is_empty() {
        return message.into();
    }
    let ended = containers(live).find_map(|container| {
        let ended = container.pointer("/state/terminated")?;
        let (reason, message, code) = (text(ended, "/reason"), text(ended, "/message"), number(ended, "/exitCode"));
        let why = match (message, reason) {
            (message, _) if !message.is_empty() => message.to_owned(),
            (_, "OOMKilled") => "OOMKilled".to_owned(),
            _ if code != 0 => format!("exit code {code}"),
            _ => return None,
        };
        Some(format!("container {}: {why}", text(container, "/name")))
    });
    ended.unwrap_or_else(|| "Failed".into())
}
