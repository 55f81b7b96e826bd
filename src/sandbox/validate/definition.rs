//! CustomResourceDefinitions.

use super::{immutable, names};
use crate::sandbox::{
    failure::Cause,
    meta::{self, items, text},
};
use serde_json::Value;

pub(super) fn check(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (group, plural) = (text(object, "/spec/group"), text(object, "/spec/names/plural"));
    let wanted = format!("{plural}.{group}");
    if meta::name(object) != wanted {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &meta::name(object).into(), why));
    }
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    } else if let Some(why) = names::subdomain(group) {
        causes.push(Cause::invalid("spec.group", &group.into(), &why));
    } else if !group.contains('.') {
        causes.push(Cause::invalid("spec.group", &group.into(), "should be a domain with at least one dot"));
    }
    let scope = text(object, "/spec/scope");
    if !matches!(scope, "Cluster" | "Namespaced") {
        causes.push(Cause::unsupported("spec.scope", &scope.into(), &["Cluster", "Namespaced"]));
    }
    for name in ["plural", "kind"] {
        if text(object, &format!("/spec/names/{name}")).is_empty() {
            causes.push(Cause::required(format!("spec.names.{name}"), ""));
        }
    }
    let versions = items(object, "/spec/versions");
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &Value::from(versions), why));
    }
    for (at, version) in versions.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            let field = format!("spec.versions[{at}].schema.openAPIV3Schema");
            causes.push(Cause::required(field, "schemas are required"));
        }
    }
    if live.is_some_and(crate::sandbox::catalog::is_established) {
        immutable(&mut causes, "spec.scope", live, object, "/spec/scope");
        immutable(&mut causes, "spec.group", live, object, "/spec/group");
        immutable(&mut causes, "spec.names.plural", live, object, "/spec/names/plural");
        immutable(&mut causes, "spec.names.kind", live, object, "/spec/names/kind");
    }
    causes
}
