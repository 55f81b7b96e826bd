//! The cells of the cluster's own kinds.

use super::age::since;
use crate::sandbox::meta::{self, items, number, text};
use serde_json::Value;

fn age(object: &Value) -> Value {
    since(text(object, "/metadata/creationTimestamp")).into()
}

fn or(text: &str, other: &str) -> Value {
    if text.is_empty() { other.into() } else { text.into() }
}

/// Texts of a list.
pub(super) fn joined(object: &Value, pointer: &str) -> String {
    items(object, pointer).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

pub(super) fn node(object: &Value) -> Vec<Value> {
    let ready = items(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == "Ready");
    let mut status = match ready.map(|ready| text(ready, "/status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object.pointer("/spec/unschedulable") == Some(&true.into()) {
        status.push_str(",SchedulingDisabled");
    }
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let roles: Vec<&str> = labels.filter_map(|(name, _)| name.strip_prefix("node-role.kubernetes.io/")).collect();
    let address = |kind: &str| {
        let found = items(object, "/status/addresses").iter().find(|address| text(address, "/type") == kind);
        or(found.map_or("", |address| text(address, "/address")), "<none>")
    };
    let info = |name: &str| text(object, &format!("/status/nodeInfo/{name}"));
    vec![
        meta::name(object).into(),
        status.into(),
        or(&roles.join(","), "<none>"),
        age(object),
        info("kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        or(info("osImage"), "<unknown>"),
        or(info("kernelVersion"), "<unknown>"),
        or(info("containerRuntimeVersion"), "<unknown>"),
    ]
}

pub(super) fn disruption_budget(object: &Value) -> Vec<Value> {
    let amount = |pointer: &str| match object.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(number) if !number.is_null() => number.to_string(),
        _ => "N/A".into(),
    };
    vec![
        meta::name(object).into(),
        amount("/spec/minAvailable").into(),
        amount("/spec/maxUnavailable").into(),
        number(object, "/status/disruptionsAllowed").into(),
        age(object),
    ]
}

pub(super) fn priority_class(object: &Value) -> Vec<Value> {
    let is_default = object.get("globalDefault") == Some(&true.into());
    vec![
        meta::name(object).into(),
        number(object, "/value").into(),
        is_default.into(),
        age(object),
        text(object, "/preemptionPolicy").into(),
    ]
}

pub(super) fn api_service(object: &Value) -> Vec<Value> {
    let service = match text(object, "/spec/service/name") {
        "" => "Local".to_owned(),
        name => format!("{}/{name}", text(object, "/spec/service/namespace")),
    };
    let condition =
        items(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == "Available");
    let available = match condition {
        Some(condition) if text(condition, "/status") == "True" => "True".to_owned(),
        Some(condition) => format!("{} ({})", text(condition, "/status"), text(condition, "/reason")),
        None => "Unknown".into(),
    };
    vec![meta::name(object).into(), service.into(), available.into(), age(object)]
}

pub(super) fn ingress_class(object: &Value) -> Vec<Value> {
    let parameters = match text(object, "/spec/parameters/name") {
        "" => "<none>".to_owned(),
        name => {
            let (kind, group) = (text(object, "/spec/parameters/kind"), text(object, "/spec/parameters/apiGroup"));
            if group.is_empty() { format!("{kind}/{name}") } else { format!("{kind}.{group}/{name}") }
        }
    };
    vec![meta::name(object).into(), text(object, "/spec/controller").into(), parameters.into(), age(object)]
}

pub(super) fn flow_schema(object: &Value) -> Vec<Value> {
    vec![
        meta::name(object).into(),
        text(object, "/spec/priorityLevelConfiguration/name").into(),
        number(object, "/spec/matchingPrecedence").into(),
        or(text(object, "/spec/distinguisherMethod/type"), "<none>"),
        age(object),
        "False".into(),
    ]
}

pub(super) fn priority_level(object: &Value) -> Vec<Value> {
    let shown = |pointer: &str| match object.pointer(pointer).and_then(Value::as_i64) {
        Some(number) => Value::from(number),
        None => "<none>".into(),
    };
    let queue = |name: &str| shown(&format!("/spec/limited/limitResponse/queuing/{name}"));
    vec![
        meta::name(object).into(),
        text(object, "/spec/type").into(),
        shown("/spec/limited/nominalConcurrencyShares"),
        queue("queues"),
        queue("handSize"),
        queue("queueLengthLimit"),
        age(object),
    ]
}

pub(super) fn revision(object: &Value) -> Vec<Value> {
    let controller = meta::controller(object).map_or_else(
        || "<none>".to_owned(),
        |owner| format!("{}.{}/{}", text(owner, "/kind").to_lowercase(), "apps", text(owner, "/name")),
    );
    vec![meta::name(object).into(), controller.into(), number(object, "/revision").into(), age(object)]
}
