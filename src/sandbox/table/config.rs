//! The cells of configuration, storage, rights and events.

use super::age::since;
use crate::sandbox::{
    catalog::Resource,
    meta::{self, items, number, text},
};
use serde_json::Value;

fn age(object: &Value) -> Value {
    since(text(object, "/metadata/creationTimestamp")).into()
}

fn size(object: &Value, pointer: &str) -> usize {
    object.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

pub(super) fn config_map(object: &Value) -> Vec<Value> {
    let count = size(object, "/data") + size(object, "/binaryData");
    vec![meta::name(object).into(), count.into(), age(object)]
}

pub(super) fn secret(object: &Value) -> Vec<Value> {
    vec![meta::name(object).into(), text(object, "/type").into(), size(object, "/data").into(), age(object)]
}

pub(super) fn event(resource: &Resource, object: &Value) -> Vec<Value> {
    let is_new = resource.group == "events.k8s.io";
    let pick = |old: &'static str, new: &'static str| text(object, if is_new { new } else { old });
    let about = if is_new { "/regarding" } else { "/involvedObject" };
    let time = |pointer: &str| Some(text(object, pointer)).filter(|time| !time.is_empty());
    let began = time("/eventTime");
    let first = time(if is_new { "/deprecatedFirstTimestamp" } else { "/firstTimestamp" }).or(began);
    let last = time("/series/lastObservedTime")
        .or_else(|| time(if is_new { "/deprecatedLastTimestamp" } else { "/lastTimestamp" }))
        .or(first);
    let shown = |time: Option<&str>| Value::from(time.map_or_else(|| "<unknown>".to_owned(), since));
    let component = match pick("/source/component", "/deprecatedSource/component") {
        "" => pick("/reportingComponent", "/reportingController"),
        component => component,
    };
    let host = match pick("/source/host", "/deprecatedSource/host") {
        "" => text(object, "/reportingInstance"),
        host => host,
    };
    let source = if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") };
    let count =
        number(object, "/series/count").max(number(object, if is_new { "/deprecatedCount" } else { "/count" })).max(1);
    let part = |name: &str| text(object, &format!("{about}/{name}"));
    vec![
        shown(last),
        text(object, "/type").into(),
        text(object, "/reason").into(),
        format!("{}/{}", part("kind").to_lowercase(), part("name")).into(),
        part("fieldPath").into(),
        source.into(),
        pick("/message", "/note").trim().into(),
        shown(first),
        count.into(),
        meta::name(object).into(),
    ]
}

/// `RWO,ROX`.
fn access_modes(object: &Value, pointer: &str) -> String {
    let short = items(object, pointer).iter().filter_map(Value::as_str).map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    });
    short.collect::<Vec<_>>().join(",")
}

fn or_unset(text: &str) -> Value {
    if text.is_empty() { "<unset>".into() } else { text.into() }
}

pub(super) fn claim(object: &Value) -> Vec<Value> {
    let phase = if meta::is_terminating(object) { "Terminating" } else { text(object, "/status/phase") };
    let is_bound = !text(object, "/spec/volumeName").is_empty();
    let capacity = if is_bound { text(object, "/status/capacity/storage") } else { "" };
    let modes = if is_bound { access_modes(object, "/status/accessModes") } else { String::new() };
    vec![
        meta::name(object).into(),
        phase.into(),
        text(object, "/spec/volumeName").into(),
        capacity.into(),
        modes.into(),
        text(object, "/spec/storageClassName").into(),
        or_unset(text(object, "/spec/volumeAttributesClassName")),
        age(object),
        or_unset(text(object, "/spec/volumeMode")),
    ]
}

pub(super) fn volume(object: &Value) -> Vec<Value> {
    let phase = if meta::is_terminating(object) { "Terminating" } else { text(object, "/status/phase") };
    let claim = match text(object, "/spec/claimRef/name") {
        "" => String::new(),
        name => format!("{}/{name}", text(object, "/spec/claimRef/namespace")),
    };
    vec![
        meta::name(object).into(),
        text(object, "/spec/capacity/storage").into(),
        access_modes(object, "/spec/accessModes").into(),
        text(object, "/spec/persistentVolumeReclaimPolicy").into(),
        phase.into(),
        claim.into(),
        text(object, "/spec/storageClassName").into(),
        or_unset(text(object, "/spec/volumeAttributesClassName")),
        text(object, "/status/reason").into(),
        age(object),
        or_unset(text(object, "/spec/volumeMode")),
    ]
}

pub(super) fn storage_class(object: &Value) -> Vec<Value> {
    let is_default = object.pointer("/metadata/annotations/storageclass.kubernetes.io~1is-default-class");
    let name = match is_default {
        Some(value) if value == "true" => format!("{} (default)", meta::name(object)),
        _ => meta::name(object).to_owned(),
    };
    let expands = object.get("allowVolumeExpansion") == Some(&true.into());
    let policy =
        |name: &str, usual: &str| Value::from(if text(object, name).is_empty() { usual } else { text(object, name) });
    vec![
        name.into(),
        text(object, "/provisioner").into(),
        policy("/reclaimPolicy", "Delete"),
        policy("/volumeBindingMode", "Immediate"),
        expands.to_string().into(),
        age(object),
    ]
}

pub(super) fn quota(object: &Value) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in object.pointer("/status/hard").and_then(Value::as_object).into_iter().flatten() {
        let used =
            object.pointer("/status/used").and_then(|used| used.get(name)).and_then(Value::as_str).unwrap_or("0");
        let shown = format!("{name}: {used}/{}", hard.as_str().unwrap_or_default());
        if name.starts_with("limits.") { limits.push(shown) } else { requests.push(shown) }
    }
    vec![meta::name(object).into(), requests.join(", ").into(), limits.join(", ").into(), age(object)]
}

pub(super) fn binding(object: &Value) -> Vec<Value> {
    let role = format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
    let subjects = |kind: &str| {
        let of_kind = items(object, "/subjects").iter().filter(|subject| text(subject, "/kind") == kind);
        let names = of_kind.map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", text(subject, "/namespace"), text(subject, "/name")),
            _ => text(subject, "/name").to_owned(),
        });
        Value::from(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        meta::name(object).into(),
        role.into(),
        age(object),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
