//! Who may do what: RBAC over the roles and bindings in the store, as the server's authorizer judges (`rbac/validation`).

use super::{
    certificates::User,
    failure::Failure,
    meta::{items, text},
    store::{Range, Store},
};
use serde_json::Value;
use std::sync::Arc;

/// What somebody wants to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish<'a> {
    /// `get`.
    pub verb: &'a str,
    /// Of the resource.
    pub group: &'a str,
    /// `pods`, with the subresource `pods/log`; empty for a path that is no resource.
    pub resource: &'a str,
    /// Empty for all namespaces and objects of the cluster.
    pub namespace: &'a str,
    /// Empty for a collection.
    pub name: &'a str,
    /// Of no resource.
    pub path: &'a str,
}

/// One rule, with the binding that grants it.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// As it stands in the role.
    pub rule: Value,
    /// For the reason that an access review gives.
    granted: String,
}

/// Judges a wish; says by what it is granted.
pub(super) fn granted(store: &Store, user: &User, wish: &Wish<'_>) -> Option<String> {
    if user.groups.iter().any(|group| group == "system:masters") {
        return Some(String::new());
    }
    rules(store, user, wish.namespace).into_iter().find(|rule| covers(&rule.rule, wish)).map(|rule| rule.granted)
}

/// 403, in the server's words.
pub(super) fn refusal(user: &User, wish: &Wish<'_>) -> Failure {
    if wish.resource.is_empty() {
        return Failure::forbidden_path(&user.name, wish.verb, wish.path);
    }
    let place = match wish.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let why = format!(
        "User {:?} cannot {} resource {:?} in API group {:?} {place}",
        user.name, wish.verb, wish.resource, wish.group
    );
    let resource = wish.resource.split('/').next().unwrap_or_default();
    Failure::forbidden(wish.group, resource, wish.name, &why)
}

/// The rules that hold for a user in a namespace, those of the cluster first.
pub(super) fn rules(store: &Store, user: &User, namespace: &str) -> Vec<Rule> {
    let mut found = Vec::new();
    let mut collect = |bindings: &str, namespace: Option<&str>, kind: &str| {
        for binding in read_all(store, bindings, namespace) {
            let Some(subject) = items(&binding, "/subjects").iter().find(|subject| is_subject(user, subject)) else {
                continue;
            };
            let named = match namespace {
                Some(namespace) => format!("{}/{namespace}", text(&binding, "/metadata/name")),
                None => text(&binding, "/metadata/name").to_owned(),
            };
            let (role_kind, role) = (text(&binding, "/roleRef/kind"), text(&binding, "/roleRef/name"));
            let granted = format!(
                "RBAC: allowed by {kind} {named:?} of {role_kind} {role:?} to {} {:?}",
                text(subject, "/kind"),
                text(subject, "/name")
            );
            let rules = role_rules(store, role_kind, role, namespace.unwrap_or_default());
            found.extend(rules.into_iter().map(|rule| Rule { rule, granted: granted.clone() }));
        }
    };
    collect("clusterrolebindings.rbac.authorization.k8s.io", None, "ClusterRoleBinding");
    if !namespace.is_empty() {
        collect("rolebindings.rbac.authorization.k8s.io", Some(namespace), "RoleBinding");
    }
    found
}

fn read_all(store: &Store, collection: &str, namespace: Option<&str>) -> Vec<Value> {
    let collection = Arc::from(collection);
    let range = Range { collection: &collection, namespace, after: None, limit: 0, at: None };
    let page = store.list(range).unwrap_or_default();
    page.records.iter().map(|(_, record)| record.read()).collect()
}

fn role_rules(store: &Store, kind: &str, name: &str, namespace: &str) -> Vec<Value> {
    let (collection, namespace) = match kind {
        "ClusterRole" => ("clusterroles.rbac.authorization.k8s.io", ""),
        _ => ("roles.rbac.authorization.k8s.io", namespace),
    };
    let key = super::store::Key::new(&Arc::from(collection), namespace, name);
    store.get(&key).map(|record| items(&record.read(), "/rules").to_vec()).unwrap_or_default()
}

fn is_subject(user: &User, subject: &Value) -> bool {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => user.name == format!("system:serviceaccount:{}:{name}", text(subject, "/namespace")),
        _ => false,
    }
}

fn covers(rule: &Value, wish: &Wish<'_>) -> bool {
    let has = |pointer: &str, wanted: &str| items(rule, pointer).iter().any(|known| known == "*" || known == wanted);
    if !has("/verbs", wish.verb) {
        return false;
    }
    if wish.resource.is_empty() {
        return items(rule, "/nonResourceURLs").iter().filter_map(Value::as_str).any(|url| {
            match url.strip_suffix('*') {
                Some(start) => wish.path.starts_with(start),
                None => url == wish.path,
            }
        });
    }
    let of_any = || {
        let part = wish.resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        part.is_some_and(|part| items(rule, "/resources").iter().any(|known| *known == part))
    };
    let names = items(rule, "/resourceNames");
    has("/apiGroups", wish.group)
        && (has("/resources", wish.resource) || of_any())
        && (names.is_empty() || names.iter().any(|name| name == wish.name))
}
