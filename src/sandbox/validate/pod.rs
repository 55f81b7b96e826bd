//! Pods and the templates of them.

use super::names;
use crate::sandbox::{
    failure::Cause,
    meta::{items, number, text},
};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn check(live: Option<&Value>, pod: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    spec(pod, "/spec", "spec", &mut causes);
    if let Some(live) = live {
        fixed(live, pod, &mut causes);
    }
    causes
}

/// Of a Pod that is there only some fields can be changed.
fn fixed(live: &Value, pod: &Value, causes: &mut Vec<Cause>) {
    let plain = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container.as_object_mut().map(|container| container.remove("image"));
            }
        }
        if let Some(spec) = spec.as_object_mut() {
            for field in
                ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates"]
            {
                spec.remove(field);
            }
        }
        spec
    };
    if plain(live) != plain(pod) {
        causes.push(Cause::forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"));
    }
}

/// The spec of a Pod or of a template.
pub(super) fn spec(object: &Value, pointer: &str, field: &str, causes: &mut Vec<Cause>) {
    let mut volumes: BTreeSet<&str> =
        items(object, &format!("{pointer}/volumes")).iter().map(|volume| text(volume, "/name")).collect();
    // The claims of a StatefulSet become volumes of its Pods.
    volumes.extend(items(object, "/spec/volumeClaimTemplates").iter().map(|claim| text(claim, "/metadata/name")));
    for (at, volume) in items(object, &format!("{pointer}/volumes")).iter().enumerate() {
        let name = text(volume, "/name");
        let field = format!("{field}.volumes[{at}].name");
        if name.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if let Some(why) = names::label(name) {
            causes.push(Cause::invalid(field, &name.into(), &why));
        }
    }
    let containers = items(object, &format!("{pointer}/containers"));
    if containers.is_empty() {
        causes.push(Cause::required(format!("{field}.containers"), ""));
    }
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for (at, container) in items(object, &format!("{pointer}/{list}")).iter().enumerate() {
            let field = format!("{field}.{list}[{at}]");
            check_container(container, &field, &volumes, causes);
            if !seen.insert(text(container, "/name")) {
                causes.push(Cause::duplicate(format!("{field}.name"), &text(container, "/name").into()));
            }
        }
    }
    let policy = text(object, &format!("{pointer}/restartPolicy"));
    if !matches!(policy, "" | "Always" | "OnFailure" | "Never") {
        causes.push(Cause::unsupported(
            format!("{field}.restartPolicy"),
            &policy.into(),
            &["Always", "OnFailure", "Never"],
        ));
    }
}

fn check_container(container: &Value, field: &str, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    let name = text(container, "/name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{field}.name"), ""));
    } else if let Some(why) = names::label(name) {
        causes.push(Cause::invalid(format!("{field}.name"), &name.into(), &why));
    }
    if text(container, "/image").is_empty() {
        causes.push(Cause::required(format!("{field}.image"), ""));
    }
    let policy = text(container, "/imagePullPolicy");
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        let allowed = ["Always", "IfNotPresent", "Never"];
        causes.push(Cause::unsupported(format!("{field}.imagePullPolicy"), &policy.into(), &allowed));
    }
    let mut seen = BTreeSet::new();
    for (at, port) in items(container, "/ports").iter().enumerate() {
        let number = number(port, "/containerPort");
        if number == 0 {
            causes.push(Cause::required(format!("{field}.ports[{at}].containerPort"), ""));
        } else if !(1..=65535).contains(&number) {
            let why = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(format!("{field}.ports[{at}].containerPort"), &number.into(), why));
        }
        let name = text(port, "/name");
        if !name.is_empty() && !seen.insert(name) {
            causes.push(Cause::duplicate(format!("{field}.ports[{at}].name"), &name.into()));
        }
    }
    for (at, variable) in items(container, "/env").iter().enumerate() {
        if text(variable, "/name").is_empty() {
            causes.push(Cause::required(format!("{field}.env[{at}].name"), ""));
        }
    }
    for (at, mount) in items(container, "/volumeMounts").iter().enumerate() {
        let name = text(mount, "/name");
        if !volumes.contains(name) {
            causes.push(Cause {
                reason: "FieldValueNotFound",
                field: format!("{field}.volumeMounts[{at}].name"),
                message: format!("Not found: {name:?}"),
            });
        }
        if text(mount, "/mountPath").is_empty() {
            causes.push(Cause::required(format!("{field}.volumeMounts[{at}].mountPath"), ""));
        }
    }
}

/// Twice the same variable is allowed, and seldom meant.
pub(super) fn warnings(object: &Value, pointer: &str, field: &str) -> Vec<String> {
    let mut found = Vec::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in items(object, &format!("{pointer}/{list}")).iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (at, variable) in items(container, "/env").iter().enumerate() {
                let name = text(variable, "/name");
                if !seen.insert(name) {
                    found.push(format!(
                        "{field}.{list}[{index}].env[{at}]: hides previous definition of {name:?}, which may be dropped when using apply"
                    ));
                }
            }
        }
    }
    found
}
