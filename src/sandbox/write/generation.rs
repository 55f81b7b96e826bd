//! `metadata.generation`: how often what an object asks for has changed.

use crate::sandbox::{catalog::Resource, meta};
use serde_json::{Map, Value};

/// Of a new object.
pub(super) fn first(resource: &Resource, metadata: &mut Map<String, Value>) {
    if resource.has_generation() {
        metadata.insert("generation".into(), 1.into());
    }
}

/// Of another state of an object.
pub(super) fn next(resource: &Resource, live: &Value, object: &mut Value) {
    if resource.has_generation() && is_changed(resource, live, object) {
        count(object);
    }
}

/// One more.
pub(super) fn count(object: &mut Value) {
    let generation = meta::number(object, "/metadata/generation") + 1;
    meta::metadata(object).insert("generation".into(), generation.into());
}

fn is_changed(resource: &Resource, live: &Value, object: &Value) -> bool {
    let differs = |pointer: &str| live.pointer(pointer) != object.pointer(pointer);
    if resource.custom.is_none() && live.get("spec").is_some() {
        // A Deployment counts its annotations too: they go to its ReplicaSets.
        return differs("/spec") || resource.kind == "Deployment" && differs("/metadata/annotations");
    }
    let content = |object: &Value| {
        let mut object = object.as_object().cloned().unwrap_or_default();
        object.remove("metadata");
        // Without the subresource a status is content like any other.
        if resource.has_status() || resource.custom.is_none() {
            object.remove("status");
        }
        object
    };
    content(live) != content(object)
}
