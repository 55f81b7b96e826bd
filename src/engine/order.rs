//! In which order objects are applied: phase, wave, kind rank, name; and which objects are hooks.

use crate::object::{Manifest, ObjectId};
use serde_json::Value;

/// Kinds whose objects others need, in order; everything else comes after them, webhook configurations last.
/// The order is Argo CD's, which users' repositories rely on.
const KIND_ORDER: &[&str] = &[
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PriorityClass",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];
const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Where an object stands in the order. All objects are in phase `Sync` until hooks run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Place {
    /// Sync wave.
    pub wave: i32,
    /// Kind rank.
    pub rank: usize,
    /// Identity, so that the order is total.
    pub id: ObjectId,
}

/// Returns the rank of an object's kind: lower goes first.
pub(in crate::engine) fn kind_rank(id: &ObjectId) -> usize {
    // Another group's kind of the same name is a custom resource like any other.
    let built_in = !id.group.contains('.') || id.group.ends_with(".k8s.io");
    if !built_in {
        return KIND_ORDER.len();
    }
    match LAST.iter().position(|last| *last == id.kind) {
        Some(position) => KIND_ORDER.len() + 1 + position,
        None => KIND_ORDER.iter().position(|known| *known == id.kind).unwrap_or(KIND_ORDER.len()),
    }
}

/// Returns the annotation that makes an object a hook, as `key: value`, if there is one; `annotation` finds an annotation's value.
pub(in crate::engine) fn hook_annotation<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    ["driftdeck.dev/hook", "argocd.argoproj.io/hook", "helm.sh/hook"].iter().find_map(|key| {
        let value = annotation(key)?;
        // Helm 2's crd-install means an ordinary object today.
        (value != "crd-install").then(|| format!("{key}: {value}"))
    })
}

/// Returns an object's sync wave: `driftdeck.dev/sync-wave` wins over `argocd.argoproj.io/sync-wave`; 0 where none can be read.
/// `annotation` finds an annotation's value.
pub(in crate::engine) fn wave<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> i32 {
    ["driftdeck.dev/sync-wave", "argocd.argoproj.io/sync-wave"]
        .iter()
        .find_map(|key| annotation(key)?.trim().parse().ok())
        .unwrap_or(0)
}

/// As [`wave`], of a live object.
pub(in crate::engine) fn wave_of(body: &Value) -> i32 {
    wave(|key| body.pointer("/metadata/annotations")?.get(key)?.as_str())
}

/// Says whether an object must not be pruned, by its own annotations (read from the live object).
pub(in crate::engine) fn keeps_itself(live: &Value) -> Option<&'static str> {
    let annotation =
        |key: &str| live.pointer("/metadata/annotations").and_then(|all| all.get(key)).and_then(Value::as_str);
    let lists = |key: &str, option: &str| {
        annotation(key).is_some_and(|options| options.split(',').any(|each| each.trim().eq_ignore_ascii_case(option)))
    };
    if lists("driftdeck.dev/sync-options", "Prune=false") {
        Some("driftdeck.dev/sync-options: Prune=false")
    } else if lists("argocd.argoproj.io/sync-options", "Prune=false") {
        Some("argocd.argoproj.io/sync-options: Prune=false")
    } else if annotation("kustomize.toolkit.fluxcd.io/prune") == Some("disabled") {
        Some("kustomize.toolkit.fluxcd.io/prune: disabled")
    } else if annotation("helm.sh/resource-policy") == Some("keep") {
        Some("helm.sh/resource-policy: keep")
    } else {
        None
    }
}

/// Returns the wave in which each object is applied. A Namespace or CRD goes before the first object that needs it, whatever its own
/// wave says. `objects` come with their waves, `providers` are the Namespaces and CRDs among them.
pub(in crate::engine) fn waves(objects: &[(&ObjectId, i32)], providers: &[Manifest]) -> Vec<i32> {
    let mut waves: Vec<i32> = objects.iter().map(|(_, wave)| *wave).collect();
    for provider in providers {
        let users = objects.iter().filter(|(id, _)| **id != provider.id && needs(id, provider));
        let needed = users.map(|(_, wave)| *wave).min();
        if let (Some(at), Some(needed)) = (objects.iter().position(|(id, _)| **id == provider.id), needed) {
            waves[at] = waves[at].min(needed);
        }
    }
    waves
}

/// Returns the indices of objects in apply order: by wave, kind, and identity, so that the order is total.
pub(in crate::engine) fn apply_order(objects: &[(&ObjectId, i32)], waves: &[i32]) -> Vec<usize> {
    let places: Vec<(i32, usize)> = objects.iter().zip(waves).map(|((id, _), wave)| (*wave, kind_rank(id))).collect();
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by(|a, b| places[*a].cmp(&places[*b]).then_with(|| objects[*a].0.cmp(objects[*b].0)));
    order
}

/// Says whether other objects may need this one.
pub(in crate::engine) fn is_provider(id: &ObjectId) -> bool {
    matches!(id.kind.as_str(), "Namespace" | "CustomResourceDefinition")
}

/// Says whether `user` cannot exist before `provider` does.
pub(in crate::engine) fn needs(user: &ObjectId, provider: &Manifest) -> bool {
    match provider.id.kind.as_str() {
        "Namespace" if provider.id.group.is_empty() => user.namespace.as_deref() == Some(&provider.id.name),
        "CustomResourceDefinition" => {
            let spec = |pointer: &str| provider.body.pointer(pointer).and_then(Value::as_str);
            spec("/spec/group") == Some(&user.group) && spec("/spec/names/kind") == Some(&user.kind)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Origin;
    use serde_json::json;

    fn manifest(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, wave: Option<&str>) -> Manifest {
        let mut metadata = json!({ "name": name });
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        if let Some(wave) = wave {
            metadata["annotations"] = json!({ "argocd.argoproj.io/sync-wave": wave });
        }
        Manifest::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}), Origin::default())
            .unwrap()
    }

    fn ordered(manifests: &[Manifest]) -> Vec<String> {
        let providers: Vec<Manifest> = manifests.iter().filter(|manifest| is_provider(&manifest.id)).cloned().collect();
        let objects: Vec<(&ObjectId, i32)> =
            manifests.iter().map(|manifest| (&manifest.id, wave(|key| manifest.annotation(key)))).collect();
        let order = apply_order(&objects, &waves(&objects, &providers));
        order.into_iter().map(|index| objects[index].0.to_string()).collect()
    }

    #[test]
    fn a_namespace_goes_before_what_lives_in_it_whatever_its_wave() {
        let manifests = [
            manifest("v1", "ConfigMap", Some("shop"), "env", Some("-5")),
            manifest("v1", "Namespace", None, "shop", Some("3")),
            manifest("apps/v1", "Deployment", Some("shop"), "api", None),
        ];
        assert_eq!(ordered(&manifests), ["Namespace/shop", "ConfigMap/shop/env", "apps/Deployment/shop/api"]);
    }

    #[test]
    fn webhook_configurations_go_last_and_unknown_kinds_after_known_ones() {
        let rank = |group: &str, kind: &str| {
            let (group, kind) = (group.into(), kind.into());
            kind_rank(&ObjectId { group, kind, namespace: None, name: "a".into() })
        };
        let thing = rank("x.io", "Thing");
        assert!(rank("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") > thing);
        assert!(thing > rank("apiregistration.k8s.io", "APIService"));
        assert!(rank("apiextensions.k8s.io", "CustomResourceDefinition") < rank("apps", "Deployment"));
        assert_eq!(rank("crd.projectcalico.org", "NetworkPolicy"), thing);
    }

    #[test]
    fn hooks_are_known_by_their_annotation() {
        let mut hook = manifest("batch/v1", "Job", None, "migrate", None);
        assert_eq!(hook_annotation(|key| hook.annotation(key)), None);
        hook.body["metadata"]["annotations"] = json!({"helm.sh/hook": "pre-upgrade"});
        assert_eq!(hook_annotation(|key| hook.annotation(key)).as_deref(), Some("helm.sh/hook: pre-upgrade"));
        hook.body["metadata"]["annotations"] = json!({"helm.sh/hook": "crd-install"});
        assert_eq!(hook_annotation(|key| hook.annotation(key)), None);
    }

    #[test]
    fn an_object_that_keeps_itself_says_by_which_annotation() {
        let live =
            json!({"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"}}});
        assert_eq!(keeps_itself(&live), Some("argocd.argoproj.io/sync-options: Prune=false"));
        assert_eq!(keeps_itself(&json!({"metadata": {}})), None);
    }
}
