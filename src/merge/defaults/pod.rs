//! Rules of pods and of the templates that they are made from.

use super::{
    fields::{Fields, default, items_mut, made, object, text},
    image::is_latest,
};
use serde_json::{Value, json};

/// Rules for pods alone: templates keep what their authors wrote, so that new rules do not change them.
pub(super) fn pod(pod: &mut Fields) {
    let Some(spec) = made(pod, "spec") else { return };
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    default(spec, "enableServiceLinks", true);
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), json!(1));
    }
    for list in ["containers", "initContainers"] {
        for container in items_mut(spec, list) {
            if let Some(resources) = super::fields::object_mut(container, "resources") {
                fill_requests(resources);
            }
            for port in items_mut(container, "ports").filter(|_| host_network) {
                if let Some(number) = port.get("containerPort").cloned() {
                    default(port, "hostPort", number);
                }
            }
        }
    }
}

/// What is limited is requested, if nothing else is said.
fn fill_requests(resources: &mut Fields) {
    let Some(limits) = object(resources, "limits").cloned() else { return };
    if let Some(requests) = made(resources, "requests") {
        for (resource, limit) in limits {
            requests.entry(resource).or_insert(limit);
        }
    }
}

/// `serviceAccount` is the old name of `serviceAccountName`, which wins.
pub(super) fn spec(spec: &mut Fields) {
    let name = match text(spec, "serviceAccountName") {
        "" => text(spec, "serviceAccount"),
        name => name,
    };
    if !name.is_empty() {
        let name = Value::from(name);
        spec.insert("serviceAccountName".into(), name.clone());
        spec.insert("serviceAccount".into(), name);
    }
}

/// When a container's image is pulled.
pub(super) fn container(container: &mut Fields) {
    default(container, "imagePullPolicy", pull_policy(text(container, "image")));
}

fn pull_policy(image: &str) -> &'static str {
    if is_latest(image) { "Always" } else { "IfNotPresent" }
}

/// A volume without a source is an empty directory.
pub(super) fn volume(volume: &mut Fields) {
    if volume.keys().all(|field| field == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    if let Some(image) = super::fields::object_mut(volume, "image") {
        default(image, "pullPolicy", pull_policy(text(image, "reference")));
    }
}
