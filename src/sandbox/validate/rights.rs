//! Roles and bindings.

use crate::sandbox::{
    failure::Cause,
    meta::{items, text},
};
use serde_json::Value;

pub(super) fn binding(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let group = text(object, "/roleRef/apiGroup");
    if group != "rbac.authorization.k8s.io" {
        causes.push(Cause::unsupported("roleRef.apiGroup", &group.into(), &["rbac.authorization.k8s.io"]));
    }
    let kind = text(object, "/roleRef/kind");
    let is_cluster = crate::sandbox::meta::namespace(object).is_empty();
    let allowed: &[&str] = if is_cluster { &["ClusterRole"] } else { &["ClusterRole", "Role"] };
    if !allowed.contains(&kind) {
        causes.push(Cause::unsupported("roleRef.kind", &kind.into(), allowed));
    }
    if text(object, "/roleRef/name").is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (at, subject) in items(object, "/subjects").iter().enumerate() {
        if text(subject, "/name").is_empty() {
            causes.push(Cause::required(format!("subjects[{at}].name"), ""));
        }
        let kind = text(subject, "/kind");
        if !matches!(kind, "ServiceAccount" | "User" | "Group") {
            let field = format!("subjects[{at}].kind");
            causes.push(Cause::unsupported(field, &kind.into(), &["Group", "ServiceAccount", "User"]));
        } else if kind == "ServiceAccount" && text(subject, "/namespace").is_empty() {
            causes.push(Cause::required(format!("subjects[{at}].namespace"), ""));
        }
    }
    if live.is_some_and(|live| live.get("roleRef") != object.get("roleRef")) {
        let part = |name: &str| text(object, &format!("/roleRef/{name}"));
        // As Go spells the struct.
        let shown = serde_json::json!({"APIGroup": part("apiGroup"), "Kind": part("kind"), "Name": part("name")});
        causes.push(Cause::invalid("roleRef", &shown, "cannot change roleRef"));
    }
    causes
}

pub(super) fn role(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (at, rule) in items(object, "/rules").iter().enumerate() {
        if items(rule, "/verbs").is_empty() {
            causes.push(Cause::required(format!("rules[{at}].verbs"), "verbs must contain at least one value"));
        }
        if items(rule, "/nonResourceURLs").is_empty() {
            if items(rule, "/apiGroups").is_empty() {
                let why = "resource rules must supply at least one api group";
                causes.push(Cause::required(format!("rules[{at}].apiGroups"), why));
            }
            if items(rule, "/resources").is_empty() {
                let why = "resource rules must supply at least one resource";
                causes.push(Cause::required(format!("rules[{at}].resources"), why));
            }
        }
    }
    causes
}
