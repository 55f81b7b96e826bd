//! The cells of what runs Pods.

use super::age::{duration, since};
use crate::sandbox::{
    meta::{self, items, number, text},
    scale::spelled,
};
use serde_json::Value;

fn age(object: &Value) -> Value {
    since(text(object, "/metadata/creationTimestamp")).into()
}

/// Names and images of the template's containers.
fn containers(object: &Value, at: &str) -> [Value; 2] {
    let all = items(object, &format!("{at}/spec/containers"));
    let joined = |pointer: &str| all.iter().map(|container| text(container, pointer)).collect::<Vec<_>>().join(",");
    [joined("/name").into(), joined("/image").into()]
}

fn selector(object: &Value) -> Value {
    let selector = object.pointer("/spec/selector").map(spelled).unwrap_or_default();
    if selector.is_empty() { "<none>".into() } else { selector.into() }
}

fn with(mut cells: Vec<Value>, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    cells.extend(more);
    cells
}

pub(super) fn deployment(object: &Value) -> Vec<Value> {
    let ready = format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"));
    let counts =
        ["/status/updatedReplicas", "/status/availableReplicas"].map(|at| Value::from(number(object, at).to_string()));
    let cells = with(vec![meta::name(object).into(), ready.into()], counts);
    with(with(with(cells, [age(object)]), containers(object, "/spec/template")), [selector(object)])
}

pub(super) fn replica_set(object: &Value) -> Vec<Value> {
    let counts =
        ["/spec/replicas", "/status/replicas", "/status/readyReplicas"].map(|at| Value::from(number(object, at)));
    let cells = with(with(vec![meta::name(object).into()], counts), [age(object)]);
    with(with(cells, containers(object, "/spec/template")), [selector(object)])
}

pub(super) fn stateful_set(object: &Value) -> Vec<Value> {
    let ready = format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"));
    with(vec![meta::name(object).into(), ready.into(), age(object)], containers(object, "/spec/template"))
}

pub(super) fn daemon_set(object: &Value) -> Vec<Value> {
    let counts = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ]
    .map(|name| Value::from(number(object, &format!("/status/{name}"))));
    let nodes = labels(object.pointer("/spec/template/spec/nodeSelector"));
    let cells = with(with(vec![meta::name(object).into()], counts), [nodes.into(), age(object)]);
    with(with(cells, containers(object, "/spec/template")), [selector(object)])
}

/// `a=b,c=d`.
pub(super) fn labels(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let all: Vec<String> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    if all.is_empty() { "<none>".into() } else { all.join(",") }
}

pub(super) fn job(object: &Value) -> Vec<Value> {
    let has = |kind: &str| {
        items(object, "/status/conditions")
            .iter()
            .any(|condition| text(condition, "/type") == kind && text(condition, "/status") == "True")
    };
    let status = match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if meta::is_terminating(object) => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    };
    let succeeded = number(object, "/status/succeeded");
    let completions =
        match (object.pointer("/spec/completions").and_then(Value::as_i64), number(object, "/spec/parallelism")) {
            (Some(completions), _) => format!("{succeeded}/{completions}"),
            (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
            (None, _) => format!("{succeeded}/1"),
        };
    let second = |at: &str| text(object, at).parse::<jiff::Timestamp>().ok().map(|time| time.as_second());
    let took = match (second("/status/startTime"), second("/status/completionTime")) {
        (None, _) => String::new(),
        (Some(start), Some(end)) => duration(end - start),
        (Some(start), None) => duration(jiff::Timestamp::now().as_second() - start),
    };
    let cells = vec![meta::name(object).into(), status.into(), completions.into(), took.into(), age(object)];
    with(with(cells, containers(object, "/spec/template")), [selector(object)])
}

pub(super) fn cron_job(object: &Value) -> Vec<Value> {
    let zone = text(object, "/spec/timeZone");
    let last = text(object, "/status/lastScheduleTime");
    let suspended = if object.pointer("/spec/suspend") == Some(&true.into()) { "True" } else { "False" };
    let cells = vec![
        meta::name(object).into(),
        text(object, "/spec/schedule").into(),
        if zone.is_empty() { "<none>" } else { zone }.into(),
        suspended.into(),
        items(object, "/status/active").len().into(),
        if last.is_empty() { "<none>".into() } else { since(last).into() },
        age(object),
    ];
    with(with(cells, containers(object, "/spec/jobTemplate/spec/template")), ["<none>".into()])
}

pub(super) fn autoscaler(version: &str, object: &Value) -> Vec<Value> {
    let reference =
        format!("{}/{}", text(object, "/spec/scaleTargetRef/kind"), text(object, "/spec/scaleTargetRef/name"));
    let least = object.pointer("/spec/minReplicas").and_then(Value::as_i64);
    vec![
        meta::name(object).into(),
        reference.into(),
        if version == "v1" { target_of_v1(object) } else { targets(object) }.into(),
        least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string()).into(),
        number(object, "/spec/maxReplicas").into(),
        number(object, "/status/currentReplicas").into(),
        age(object),
    ]
}

fn target_of_v1(object: &Value) -> String {
    match object.pointer("/spec/targetCPUUtilizationPercentage").and_then(Value::as_i64) {
        Some(target) => format!("cpu: <unknown>/{target}%"),
        None => "<none>".into(),
    }
}

fn targets(object: &Value) -> String {
    let metrics = items(object, "/spec/metrics");
    if metrics.is_empty() {
        return "<none>".into();
    }
    let shown = metrics.iter().take(2).map(|metric| {
        let kind = text(metric, "/type").to_lowercase();
        let name = text(metric, &format!("/{kind}/name"));
        let target = metric.pointer(&format!("/{kind}/target")).cloned().unwrap_or_default();
        let value = match target.get("averageUtilization").and_then(Value::as_i64) {
            Some(percent) => format!("{percent}%"),
            None => ["averageValue", "value"].map(|name| text(&target, &format!("/{name}")).to_owned()).concat(),
        };
        if name.is_empty() { format!("<unknown>/{value}") } else { format!("{name}: <unknown>/{value}") }
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    if metrics.len() > 2 { format!("{shown} + {} more...", metrics.len() - 2) } else { shown }
}
