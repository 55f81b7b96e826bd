//! Between the version in which objects are kept and the one in which they are asked for. Most kinds have one version, and
//! those of definitions differ by their `apiVersion` alone; autoscalers and events are written otherwise.

use super::catalog::Resource;
use serde_json::{Map, Value, json};

/// Whether the versions differ by more than `apiVersion`.
pub(super) fn differs(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.version.as_str(), &*resource.collection),
        ("autoscaling", "v1", _) | ("events.k8s.io", _, _)
    )
}

/// From the kept version.
pub(super) fn from_storage(resource: &Resource, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        match (resource.group.as_str(), resource.version.as_str()) {
            ("autoscaling", "v1") => autoscaler_to_v1(fields),
            ("events.k8s.io", _) => event_to_new(fields),
            _ => {}
        }
        fields.insert("apiVersion".into(), resource.api_version().into());
        fields.insert("kind".into(), resource.kind.clone().into());
    }
    object
}

/// Into the kept version.
pub(super) fn to_storage(resource: &Resource, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        match (resource.group.as_str(), resource.version.as_str()) {
            ("autoscaling", "v1") => autoscaler_to_v2(fields),
            ("events.k8s.io", _) => event_to_old(fields),
            _ => {}
        }
        fields.insert("apiVersion".into(), resource.storage_version.clone().into());
    }
    object
}

fn is_cpu(metric: &Value) -> bool {
    metric.pointer("/resource/name") == Some(&json!("cpu"))
        && metric.pointer("/resource/target/averageUtilization").is_some()
}

/// autoscaling/v1 knows the processor's utilization alone; the rest it keeps in annotations.
fn autoscaler_to_v1(fields: &mut Map<String, Value>) {
    let mut annotations = Map::new();
    if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = spec.remove("metrics").and_then(|metrics| metrics.as_array().cloned()).unwrap_or_default();
        let (cpu, others): (Vec<Value>, Vec<Value>) = metrics.into_iter().partition(is_cpu);
        if let Some(target) = cpu.first().and_then(|metric| metric.pointer("/resource/target/averageUtilization")) {
            spec.insert("targetCPUUtilizationPercentage".into(), target.clone());
        }
        if !others.is_empty() {
            annotations.insert("autoscaling.alpha.kubernetes.io/metrics".into(), json!(others).to_string().into());
        }
        if let Some(behavior) = spec.remove("behavior") {
            annotations.insert("autoscaling.alpha.kubernetes.io/behavior".into(), behavior.to_string().into());
        }
    }
    if let Some(status) = fields.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentMetrics");
        if let Some(conditions) = status.remove("conditions") {
            annotations.insert("autoscaling.alpha.kubernetes.io/conditions".into(), conditions.to_string().into());
        }
        status.entry("currentReplicas").or_insert(0.into());
    }
    if !annotations.is_empty()
        && let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(known) = metadata.entry("annotations").or_insert_with(|| json!({})).as_object_mut()
    {
        known.extend(annotations);
    }
}

fn autoscaler_to_v2(fields: &mut Map<String, Value>) {
    let mut take = |name: &str| {
        let annotations = fields.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()?;
        let text = annotations.remove(&format!("autoscaling.alpha.kubernetes.io/{name}"))?;
        serde_json::from_str::<Value>(text.as_str()?).ok()
    };
    let (metrics, behavior, conditions) = (take("metrics"), take("behavior"), take("conditions"));
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut)
        && metadata.get("annotations").is_some_and(is_empty)
    {
        metadata.remove("annotations");
    }
    if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
        let mut all = metrics.and_then(|metrics| metrics.as_array().cloned()).unwrap_or_default();
        if let Some(target) = spec.remove("targetCPUUtilizationPercentage").filter(|target| !target.is_null()) {
            let target = json!({"type": "Utilization", "averageUtilization": target});
            all.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
        }
        if !all.is_empty() {
            spec.insert("metrics".into(), all.into());
        }
        if let Some(behavior) = behavior {
            spec.insert("behavior".into(), behavior);
        }
    }
    if let Some(status) = fields.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentCPUUtilizationPercentage");
        if let Some(conditions) = conditions {
            status.insert("conditions".into(), conditions);
        }
    }
}

/// Names of an event's fields in core/v1 and in events.k8s.io/v1.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn event_to_new(fields: &mut Map<String, Value>) {
    for (old, new) in EVENT_FIELDS {
        if let Some(value) = fields.remove(*old) {
            fields.insert((*new).into(), value);
        }
    }
}

fn event_to_old(fields: &mut Map<String, Value>) {
    for (old, new) in EVENT_FIELDS {
        if let Some(value) = fields.remove(*new) {
            fields.insert((*old).into(), value);
        }
    }
}
