//! What an object must be before it is stored: the rules of kubernetes' validation that people meet, with its words.
//!
//! Metadata of every kind; the specs of workloads, Services, configuration, rights, definitions; custom resources by
//! their schema. Kinds that are not named here are checked by their types alone.

mod config;
mod custom;
mod definition;
mod metadata;
pub(super) mod names;
mod network;
mod pod;
mod rights;
mod workload;

use super::{
    catalog::Resource,
    failure::{Cause, Failure},
    meta,
};
use serde_json::Value;

/// A new object.
///
/// # Errors
/// 422.
pub(super) fn created(resource: &Resource, object: &Value) -> Result<(), Failure> {
    let mut causes = metadata::created(resource, object);
    causes.extend(content(resource, None, object));
    refuse(resource, object, causes)
}

/// Another state of an object.
///
/// # Errors
/// 422.
pub(super) fn updated(resource: &Resource, live: &Value, object: &Value) -> Result<(), Failure> {
    let mut causes = metadata::updated(live, object);
    causes.extend(content(resource, Some(live), object));
    refuse(resource, object, causes)
}

fn refuse(resource: &Resource, object: &Value, causes: Vec<Cause>) -> Result<(), Failure> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(&resource.group, &resource.kind, meta::name(object), &causes))
}

fn content(resource: &Resource, live: Option<&Value>, object: &Value) -> Vec<Cause> {
    if let Some(version) = &resource.custom {
        return custom::check(version, object);
    }
    match &*resource.collection {
        "pods" => pod::check(live, object),
        "deployments.apps" | "replicasets.apps" | "daemonsets.apps" | "statefulsets.apps" => {
            workload::check(&resource.kind, live, object)
        }
        "jobs.batch" => workload::check_job(live, object),
        "cronjobs.batch" => workload::check_cron_job(object),
        "services" => network::service(live, object),
        "configmaps" => config::config_map(live, object),
        "secrets" => config::secret(live, object),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            rights::binding(live, object)
        }
        "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io" => rights::role(object),
        "customresourcedefinitions.apiextensions.k8s.io" => definition::check(live, object),
        "horizontalpodautoscalers.autoscaling" => workload::check_autoscaler(object),
        "persistentvolumeclaims" => config::claim(live, object),
        _ => Vec::new(),
    }
}

/// What a client is told of an object that is all right.
pub(super) fn warnings(resource: &Resource, object: &Value) -> Vec<String> {
    match &*resource.collection {
        "deployments.apps" | "replicasets.apps" | "daemonsets.apps" | "statefulsets.apps" | "jobs.batch" => {
            pod::warnings(object, "/spec/template/spec", "spec.template.spec")
        }
        "pods" => pod::warnings(object, "/spec", "spec"),
        _ => Vec::new(),
    }
}

/// Two states of a field must be the same.
fn immutable(causes: &mut Vec<Cause>, field: &str, live: Option<&Value>, object: &Value, pointer: &str) {
    let Some(live) = live else { return };
    let is = object.pointer(pointer).cloned().unwrap_or_default();
    if live.pointer(pointer).unwrap_or(&Value::Null) != &is {
        causes.push(Cause::invalid(field, &is, "field is immutable"));
    }
}

/// A number must not be below zero.
fn not_negative(causes: &mut Vec<Cause>, field: &str, object: &Value, pointer: &str) {
    if let Some(number) = object.pointer(pointer).and_then(Value::as_i64).filter(|number| *number < 0) {
        causes.push(Cause::invalid(field, &number.into(), "must be greater than or equal to 0"));
    }
}
