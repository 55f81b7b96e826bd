//! Autoscalers and disruption budgets.

use super::{Condition, Health, list, text};
use serde_json::Value;

/// Reasons that mean a misconfiguration or a missing metrics server.
const BROKEN: [(&str, &[&str]); 2] = [
    ("AbleToScale", &["FailedGetScale", "FailedUpdateScale"]),
    (
        "ScalingActive",
        &[
            "FailedGetResourceMetric",
            "FailedGetContainerResourceMetric",
            "FailedGetObjectMetric",
            "FailedGetPodsMetric",
            "FailedGetExternalMetric",
            "FailedComputeMetricsReplicas",
            "InvalidSelector",
            "InvalidMetricSourceType",
        ],
    ),
];

pub(super) fn autoscaler(live: &Value) -> Health {
    // autoscaling/v1 carries the conditions in an annotation.
    let annotation = live
        .pointer("/metadata/annotations")
        .and_then(|a| a.get("autoscaling.alpha.kubernetes.io/conditions")?.as_str());
    let parsed: Vec<Value> = annotation.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let conditions = if parsed.is_empty() { list(live, "/status/conditions") } else { &parsed };
    for (name, reasons) in BROKEN {
        if let Some(condition) =
            Condition::among(conditions, name).filter(|condition| reasons.contains(&condition.reason))
        {
            return Health::degraded(condition.words(name));
        }
    }
    let holds = |name| Condition::among(conditions, name).is_some_and(Condition::holds);
    if holds("AbleToScale") || holds("ScalingLimited") {
        return Health::healthy();
    }
    match Condition::among(conditions, "AbleToScale") {
        Some(condition) => Health::progressing(condition.words("AbleToScale")),
        None => Health::progressing("its controller has not judged it yet"),
    }
}

pub(super) fn disruption_budget(live: &Value) -> Health {
    for condition in list(live, "/status/conditions") {
        if text(condition, "/status") == "False" && text(condition, "/reason") != "InsufficientPods" {
            let name = text(condition, "/type");
            return Condition::of(live, name).map_or_else(Health::healthy, |c| Health::degraded(c.words(name)));
        }
    }
    Health::healthy()
}
