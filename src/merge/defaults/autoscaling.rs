//! Rules of horizontal pod autoscalers: the CPU target, and complete scaling rules as soon as one is given.

use super::fields::{Fields, at, default, made};
use serde_json::{Value, json};

/// The utilization that is aimed at when no metric is given.
const CPU_TARGET: i64 = 80;

/// autoscaling/v1 has other metrics in an annotation; without those too, the CPU's is the default.
pub(super) fn v1(object: &mut Fields) {
    let other = at(object, &["metadata", "annotations"])
        .is_some_and(|annotations| annotations.contains_key("autoscaling.alpha.kubernetes.io/metrics"));
    if let Some(spec) = made(object, "spec").filter(|_| !other) {
        default(spec, "targetCPUUtilizationPercentage", CPU_TARGET);
    }
}

/// autoscaling/v2's spec.
pub(super) fn v2(spec: &mut Fields) {
    default(
        spec,
        "metrics",
        json!([{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": CPU_TARGET}}}]),
    );
    let Some(behavior) = super::fields::object_mut(spec, "behavior") else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    fill(behavior, "scaleUp", [("stabilizationWindowSeconds", json!(0)), ("policies", json!([pods, percent]))]);
    fill(behavior, "scaleDown", [("policies", json!([percent]))]);
}

fn fill<const N: usize>(behavior: &mut Fields, side: &str, values: [(&str, Value); N]) {
    let Some(rules) = made(behavior, side) else { return };
    default(rules, "selectPolicy", "Max");
    for (field, value) in values {
        default(rules, field, value);
    }
}
