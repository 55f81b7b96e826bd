//! Rules of volumes, claims, secrets and limits.

use super::fields::{Fields, default, made, object, object_mut, text};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// A volume on its own; the one that stands in a `VolumeAttachment` has no defaults.
pub(super) fn volume(volume: &mut Fields) {
    if let Some(spec) = made(volume, "spec") {
        default(spec, "persistentVolumeReclaimPolicy", "Retain");
        default(spec, "volumeMode", "Filesystem");
    }
}

/// `dataSource` and `dataSourceRef` say the same, where the older one can.
pub(super) fn data_sources(claim: &mut Fields, old: Option<&Fields>) {
    let had_one = old.and_then(|old| object(old, "spec")).is_some_and(names_source);
    let Some(spec) = object_mut(claim, "spec") else { return };
    if !had_one && !spec.contains_key("dataSourceRef") && !object(spec, "dataSource").is_some_and(is_claim_or_snapshot)
    {
        spec.remove("dataSource");
    }
    let copy = |source: &Fields| -> Value {
        source.iter().filter(|(field, _)| matches!(field.as_str(), "apiGroup" | "kind" | "name")).map(owned).collect()
    };
    if let Some(source) = object(spec, "dataSource") {
        let source = copy(source);
        default(spec, "dataSourceRef", source);
    } else if let Some(source) = object(spec, "dataSourceRef").filter(|source| text(source, "namespace").is_empty()) {
        let source = copy(source);
        default(spec, "dataSource", source);
    }
}

fn owned((field, value): (&String, &Value)) -> (String, Value) {
    (field.clone(), value.clone())
}

fn names_source(spec: &Fields) -> bool {
    spec.contains_key("dataSource") || spec.contains_key("dataSourceRef")
}

fn is_claim_or_snapshot(source: &Fields) -> bool {
    matches!(
        (text(source, "apiGroup"), text(source, "kind")),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    )
}

/// `stringData` is only written: it goes into `data`, over what is there.
pub(super) fn secret(secret: &mut Fields) {
    let Some(Value::Object(texts)) = secret.remove("stringData") else { return };
    if texts.is_empty() {
        return;
    }
    if let Some(data) = made(secret, "data") {
        for (key, text) in texts {
            data.insert(key, json!(BASE64_STANDARD.encode(text.as_str().unwrap_or_default())));
        }
    }
}

/// The default limit of containers is the highest one, the default request the default limit, else the lowest.
pub(super) fn limit_range_item(item: &mut Fields) {
    if text(item, "type") != "Container" {
        return;
    }
    for (field, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let Some(from) = object(item, from).filter(|from| !from.is_empty()).cloned() else { continue };
        if let Some(amounts) = made(item, field) {
            for (resource, amount) in from {
                amounts.entry(resource).or_insert(amount);
            }
        }
    }
}
