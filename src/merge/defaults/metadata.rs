//! Rules of kinds that are mostly names: namespaces, accounts, bindings, definitions; and finalizers.

use super::fields::{Fields, default, items_mut, made, object, take_over, text};
use serde_json::{Value, json};

/// Every namespace carries its own name as a label.
pub(super) fn namespace(object: &mut Fields) {
    let Some(metadata) = super::fields::object_mut(object, "metadata") else { return };
    let name = text(metadata, "name").to_owned();
    if !name.is_empty()
        && let Some(labels) = made(metadata, "labels")
    {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

/// The finalizers of a namespace's spec: `kubernetes` when it is created, later what it has.
pub(super) fn namespace_finalizers(object: &mut Fields, old: Option<&Fields>) {
    let Some(spec) = made(object, "spec") else { return };
    if let Some(old) = old {
        take_over(spec, "finalizers", super::fields::object(old, "spec"));
        return;
    }
    if let Some(finalizers) = spec.entry("finalizers").or_insert_with(|| json!([])).as_array_mut() {
        push_once(finalizers, "kubernetes");
    }
}

/// Adds a finalizer to the metadata, as an admission plugin does when a volume or claim is created.
pub(super) fn add_finalizer(object: &mut Fields, finalizer: &str) {
    let Some(metadata) = made(object, "metadata") else { return };
    if let Some(finalizers) = metadata.entry("finalizers").or_insert_with(|| json!([])).as_array_mut() {
        push_once(finalizers, finalizer);
    }
}

fn push_once(list: &mut Vec<Value>, item: &str) {
    if !list.iter().any(|known| known == item) {
        list.push(item.into());
    }
}

/// Of the secrets of an account only the names are kept.
pub(super) fn service_account(object: &mut Fields) {
    items_mut(object, "secrets").for_each(|secret| secret.retain(|field, _| field == "name"));
}

/// Users and groups are named in RBAC's own group.
pub(super) fn subject(subject: &mut Fields) {
    if matches!(text(subject, "kind"), "User" | "Group") {
        default(subject, "apiGroup", "rbac.authorization.k8s.io");
    }
}

/// The names of a definition that follow from its kind, and no conversion.
pub(super) fn custom_resource_definition(spec: &mut Fields) {
    if let Some(names) = super::fields::object_mut(spec, "names") {
        let kind = text(names, "kind").to_owned();
        default(names, "singular", kind.to_lowercase());
        if !kind.is_empty() {
            default(names, "listKind", format!("{kind}List"));
        }
    }
    default(spec, "conversion", json!({"strategy": "None"}));
    // The server's internal form has no place for an empty webhook.
    if let Some(conversion) = super::fields::object_mut(spec, "conversion") {
        let keeps_nothing = object(conversion, "webhook").is_some_and(|webhook| {
            !webhook.contains_key("clientConfig") && !webhook.contains_key("conversionReviewVersions")
        });
        if keeps_nothing {
            conversion.remove("webhook");
        }
    }
}

/// The version that a definition's objects are stored in counts as one that they have been stored in.
pub(super) fn stored_version(definition: &mut Fields) {
    let versions = object(definition, "spec").map(|spec| super::fields::items(spec, "versions")).unwrap_or_default();
    let stored =
        versions.iter().filter_map(Value::as_object).find(|version| version.get("storage") == Some(&json!(true)));
    let Some(name) = stored.map(|version| text(version, "name").to_owned()) else { return };
    let Some(status) = made(definition, "status") else { return };
    if let Some(known) = status.entry("storedVersions").or_insert_with(|| json!([])).as_array_mut() {
        push_once(known, &name);
    }
}
