//! What an operator should know before approving a plan.

use super::{
    comparison::{Action, ChangeOrigin, ObjectComparison},
    plan::PlanWarning,
};
use crate::merge::Op;
use serde_json::Value;
use std::sync::Arc;

/// Share of the members, in percent, above which a prune counts as a mass delete.
const MASS_DELETE_PERCENT: usize = 30;

/// Returns the warnings of a plan: typed ones first.
pub(in crate::engine) fn of(
    objects: &[&ObjectComparison],
    all: &[Arc<ObjectComparison>],
    production: bool,
) -> Vec<PlanWarning> {
    let mut warnings = Vec::new();
    if production && !objects.is_empty() {
        warnings.push(typed("production", "", "this is a production cluster".into()));
    }
    let prunes: Vec<_> = objects.iter().filter(|object| object.action == Action::Prune).collect();
    for object in &prunes {
        let (code, message) = match object.kind.as_str() {
            "PersistentVolumeClaim" => ("prune-pvc", "deletes a PersistentVolumeClaim: its data may be lost"),
            "PersistentVolume" => ("prune-pv", "deletes a PersistentVolume: its data may be lost"),
            "Namespace" => ("prune-namespace", "deletes a Namespace with everything in it"),
            "CustomResourceDefinition" => ("prune-crd", "deletes a CRD with every object of its kind"),
            _ => ("prune", "deletes this object"),
        };
        warnings.push(typed(code, &object.id().to_string(), message.into()));
    }
    let members = all.iter().filter(|object| object.uid.is_some() && object.hook.is_none()).count();
    if !prunes.is_empty() && (prunes.len() == members || prunes.len() * 100 > members * MASS_DELETE_PERCENT) {
        let objects = if members == 1 { "object" } else { "objects" };
        let message = format!("deletes {} of {members} {objects}: is this the right revision and path?", prunes.len());
        warnings.push(typed("mass-prune", "", message));
    }
    for object in objects.iter().filter(|object| object.action != Action::Prune) {
        object_warnings(object, &mut warnings);
    }
    warnings.sort_by_key(|warning| !warning.typed);
    warnings
}

fn object_warnings(object: &ObjectComparison, warnings: &mut Vec<PlanWarning>) {
    let id = object.id().to_string();
    for change in &object.changes {
        let others: Vec<String> = change
            .conflicts
            .iter()
            .map(|conflict| match &conflict.subresource {
                Some(subresource) => format!("{} ({}, {subresource})", conflict.manager, conflict.operation),
                None => format!("{} ({})", conflict.manager, conflict.operation),
            })
            .collect();
        if !others.is_empty() {
            let since = change.time.as_deref().map(|time| format!(" since {time}")).unwrap_or_default();
            let message = format!("takes {} from {}{since}", change.path, others.join(", "));
            warnings.push(plain("overwrites-manager", &id, message));
        } else if matches!(change.origin, ChangeOrigin::Drift | ChangeOrigin::Both) {
            let by = change.manager.as_deref().map(|manager| format!(" by {manager}")).unwrap_or_default();
            let message = format!("undoes a change{by} in the cluster: {}", change.path);
            warnings.push(plain("overwrites-drift", &id, message));
        }
        if change.path == "/spec/replicas" && change.desired == 0 {
            warnings.push(plain("scale-to-zero", &id, "scales to 0 replicas".into()));
        }
        if change.path.starts_with("/spec/selector") && change.op != Op::Add {
            warnings.push(plain("selector", &id, format!("changes the selector: {}", change.path)));
        }
    }
    let Some(desired) = object.sides.desired() else { return };
    for image in mutable_images(desired) {
        warnings.push(plain(
            "mutable-image",
            &id,
            format!("image {image} has no fixed tag: what runs can change by itself"),
        ));
    }
    if widens_privileges(object, desired) {
        warnings.push(plain(
            "privileges",
            &id,
            "widens privileges (privileged container, host access, or RBAC wildcards)".into(),
        ));
    }
}

fn typed(code: &str, object: &str, message: String) -> PlanWarning {
    PlanWarning { code: code.into(), object: object.into(), message, typed: true }
}

fn plain(code: &str, object: &str, message: String) -> PlanWarning {
    PlanWarning { typed: false, ..typed(code, object, message) }
}

/// The Pod spec of a workload, whatever its kind.
fn pod_spec(body: &Value) -> Option<&Value> {
    ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"]
        .iter()
        .find_map(|pointer| body.pointer(pointer))
        .or_else(|| (body.get("kind")? == "Pod").then(|| body.get("spec"))?)
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().filter_map(|list| spec.get(list)?.as_array()).flatten()
}

fn mutable_images(body: &Value) -> Vec<String> {
    let Some(spec) = pod_spec(body) else { return Vec::new() };
    containers(spec)
        .filter_map(|container| container.get("image")?.as_str())
        .filter(|image| {
            let name = image.rsplit('/').next().unwrap_or(image);
            !image.contains('@') && (!name.contains(':') || name.ends_with(":latest"))
        })
        .map(str::to_owned)
        .collect()
}

fn widens_privileges(object: &ObjectComparison, desired: &Value) -> bool {
    let live = object.sides.live().unwrap_or(&Value::Null);
    privileged(desired) && !privileged(live)
}

fn privileged(body: &Value) -> bool {
    let rules = body.get("rules").and_then(Value::as_array).into_iter().flatten();
    let wildcard = |rule: &Value, list: &str| {
        rule.get(list).and_then(Value::as_array).is_some_and(|items| items.iter().any(|item| item == "*"))
    };
    if rules.into_iter().any(|rule| wildcard(rule, "verbs") || wildcard(rule, "resources")) {
        return true;
    }
    let Some(spec) = pod_spec(body) else { return false };
    let host = ["hostNetwork", "hostPID", "hostIPC"].iter().any(|field| spec.get(field) == Some(&Value::Bool(true)));
    let host_path = spec
        .get("volumes")
        .and_then(Value::as_array)
        .is_some_and(|volumes| volumes.iter().any(|volume| volume.get("hostPath").is_some()));
    host || host_path
        || containers(spec)
            .any(|container| container.pointer("/securityContext/privileged") == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_without_a_fixed_tag_are_named() {
        let body = json!({"spec": {"template": {"spec": {"containers": [
            {"image": "nginx"}, {"image": "r:5000/x:latest"}, {"image": "r:5000/x"}, {"image": "x:1"}, {"image": "x@sha256:1"}]}}}});
        assert_eq!(mutable_images(&body), ["nginx", "r:5000/x:latest", "r:5000/x"]);
    }

    #[test]
    fn host_access_and_wildcards_are_privileges() {
        assert!(privileged(&json!({"rules": [{"verbs": ["*"], "resources": ["pods"]}]})));
        assert!(privileged(&json!({"kind": "Pod", "spec": {"hostNetwork": true, "containers": []}})));
        assert!(!privileged(&json!({"kind": "Pod", "spec": {"containers": [{"name": "a"}]}})));
    }
}
