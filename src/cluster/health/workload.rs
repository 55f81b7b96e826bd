//! Deployments, StatefulSets, DaemonSets, ReplicaSets and volume claims.

use super::{Condition, Health, conditions::stalled, number, text, unobserved};
use serde_json::Value;

/// `spec.replicas`; absent means 1.
fn wanted(live: &Value) -> i64 {
    live.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

pub(super) fn deployment(live: &Value) -> Health {
    if live.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return Health::suspended("paused");
    }
    if let Some(health) = unobserved(live) {
        return health;
    }
    if let Some(condition) = Condition::of(live, "Progressing").filter(|c| c.reason == "ProgressDeadlineExceeded") {
        return Health::degraded(condition.words("Progressing"));
    }
    let (wanted, updated) = (wanted(live), number(live, "/status/updatedReplicas"));
    let (all, available) = (number(live, "/status/replicas"), number(live, "/status/availableReplicas"));
    // A quota or an admission webhook: the deadline will tell, but the reason is known now.
    let why = Condition::of(live, "ReplicaFailure")
        .filter(|c| c.holds())
        .map(|c| format!("; {}", c.message))
        .unwrap_or_default();
    if updated < wanted {
        Health::progressing(format!("{updated}/{wanted} updated{why}"))
    } else if all > updated {
        Health::progressing(format!("{} of an older revision still there{why}", all - updated))
    } else if available < updated {
        Health::progressing(format!("{available}/{updated} available{why}"))
    } else {
        Health::healthy()
    }
}

pub(super) fn stateful_set(live: &Value) -> Health {
    if number(live, "/status/observedGeneration") == 0 {
        return Health::progressing("its controller has not seen it");
    }
    if let Some(health) = unobserved(live) {
        return health;
    }
    let (wanted, ready) = (wanted(live), number(live, "/status/readyReplicas"));
    let updated = number(live, "/status/updatedReplicas");
    if ready < wanted {
        return Health::progressing(format!("{ready}/{wanted} ready"));
    }
    if text(live, "/spec/updateStrategy/type") == "OnDelete" {
        return Health::healthy();
    }
    if let Some(partition) = live.pointer("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_i64) {
        let due = (wanted - partition).max(0);
        return match updated < due {
            true => Health::progressing(format!("{updated}/{due} updated (partition {partition})")),
            false => Health::healthy(),
        };
    }
    if text(live, "/status/updateRevision") != text(live, "/status/currentRevision") {
        return Health::progressing(format!("{updated}/{wanted} updated"));
    }
    Health::healthy()
}

/// A DaemonSet says nothing of failure but by conditions, which its own controller does not write and others do: counts
/// alone cannot tell a slow start from a broken one.
pub(super) fn daemon_set(live: &Value) -> Health {
    if let Some(health) = unobserved(live) {
        return health;
    }
    if let Some(health) = stalled(live) {
        return health;
    }
    if text(live, "/spec/updateStrategy/type") == "OnDelete" {
        return Health::healthy();
    }
    let wanted = number(live, "/status/desiredNumberScheduled");
    let (updated, available) =
        (number(live, "/status/updatedNumberScheduled"), number(live, "/status/numberAvailable"));
    if updated < wanted {
        Health::progressing(format!("{updated}/{wanted} updated, {available} available"))
    } else if available < wanted {
        Health::progressing(format!("{available}/{wanted} available"))
    } else {
        Health::healthy()
    }
}

pub(super) fn replica_set(live: &Value) -> Health {
    if let Some(health) = unobserved(live) {
        return health;
    }
    if let Some(condition) = Condition::of(live, "ReplicaFailure").filter(|c| c.holds()) {
        return Health::degraded(condition.words("ReplicaFailure"));
    }
    let (wanted, available) = (wanted(live), number(live, "/status/availableReplicas"));
    if available < wanted {
        return Health::progressing(format!("{available}/{wanted} available"));
    }
    Health::healthy()
}

/// A pending claim whose provisioning has not begun waits for a Pod to use it (`volumeBindingMode: WaitForFirstConsumer`): the volume
/// controller names the provisioner on the claim when it begins.
pub(super) fn volume_claim(live: &Value) -> Health {
    let provisioning = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"]
        .iter()
        .any(|name| live.pointer("/metadata/annotations").and_then(|annotations| annotations.get(name)).is_some());
    match text(live, "/status/phase") {
        "Bound" => Health::healthy(),
        "Lost" => Health::degraded("Lost: its volume is gone"),
        "Pending" if provisioning => Health::progressing("Pending: its volume is being made"),
        "Pending" if !text(live, "/spec/volumeName").is_empty() => {
            Health::progressing("Pending: not bound to its volume yet")
        }
        "Pending" if text(live, "/spec/storageClassName").is_empty() => {
            Health::progressing("Pending: it has no storage class, and no volume fits")
        }
        "Pending" => Health::remark("Pending: waits for its first consumer"),
        "" => Health::progressing("no phase yet"),
        phase => Health::unknown(format!("phase {phase}")),
    }
}
