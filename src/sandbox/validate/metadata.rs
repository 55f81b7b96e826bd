//! The metadata of every object (apimachinery's `api/validation`).

use super::names;
use crate::sandbox::{
    catalog::Resource,
    failure::Cause,
    meta::{self, items, text},
};
use serde_json::Value;

const ANNOTATIONS: usize = 256 << 10;

pub(super) fn created(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = meta::name(object);
    if let Some(why) = judge(resource, name) {
        causes.push(Cause::invalid("metadata.name", &name.into(), &why));
    }
    common(object, &mut causes);
    causes
}

/// Each kind says what its names are.
fn judge(resource: &Resource, name: &str) -> Option<String> {
    match &*resource.collection {
        "namespaces" => names::label(name),
        // Since 1.34 a Service's name may begin with a digit.
        "services" => names::label_1035(name),
        "clusterroles.rbac.authorization.k8s.io"
        | "roles.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io"
        | "rolebindings.rbac.authorization.k8s.io" => names::path_segment(name),
        "cronjobs.batch" if name.len() > 52 => Some("must be no more than 52 characters".into()),
        "events" => names::subdomain(name).filter(|_| false),
        _ => names::subdomain(name),
    }
}

pub(super) fn updated(live: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if meta::uid(object) != meta::uid(live) {
        causes.push(Cause::invalid("metadata.uid", &meta::uid(object).into(), "field is immutable"));
    }
    if meta::is_terminating(live) {
        let known = meta::finalizers(live);
        let fresh: Vec<String> = meta::finalizers(object).into_iter().filter(|name| !known.contains(name)).collect();
        if !fresh.is_empty() {
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                fresh.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
            );
            causes.push(Cause::forbidden("metadata.finalizers", &why));
        }
    }
    common(object, &mut causes);
    causes
}

fn common(object: &Value, causes: &mut Vec<Cause>) {
    labels(object.pointer("/metadata/labels"), "metadata.labels", causes);
    let mut size = 0;
    for (name, value) in object.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten() {
        size += name.len() + value.as_str().map_or(0, str::len);
        if let Some(why) = names::qualified_name(&name.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &name.clone().into(), &why));
        }
    }
    if size > ANNOTATIONS {
        causes.push(Cause::too_long("metadata.annotations", ANNOTATIONS));
    }
    for (at, finalizer) in items(object, "/metadata/finalizers").iter().filter_map(Value::as_str).enumerate() {
        if let Some(why) = names::qualified_name(finalizer) {
            causes.push(Cause::invalid(format!("metadata.finalizers[{at}]"), &finalizer.into(), &why));
        }
    }
    for (at, owner) in items(object, "/metadata/ownerReferences").iter().enumerate() {
        for (name, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if text(owner, &format!("/{name}")).is_empty() {
                causes.push(Cause::invalid(format!("metadata.ownerReferences[{at}].{name}"), &"".into(), why));
            }
        }
    }
}

/// Names and values of labels.
pub(super) fn labels(labels: Option<&Value>, field: &str, causes: &mut Vec<Cause>) {
    for (name, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        if let Some(why) = names::qualified_name(name) {
            causes.push(Cause::invalid(field, &name.clone().into(), &why));
        }
        if let Some(why) = names::label_value(value.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid(field, value, &why));
        }
    }
}
