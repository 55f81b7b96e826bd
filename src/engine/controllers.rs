//! Fields that well-known controllers write into objects that Git describes. Unless Git sets one itself, it is no extra and no
//! movement of the object: nobody drifts because an autoscaler does its work.
//!
//! The list is closed: what is not on it counts. Sources: the controllers of Kubernetes 1.30 to 1.37 (`pkg/controller`), the API server's
//! own writes at creation, cert-manager's cainjector.

use super::field::follow;
use crate::{
    merge::Owner,
    object::{ObjectId, Pointer},
};
use serde_json::Value;

/// Whose writes of a field are a controller's.
enum Who {
    /// Whoever scales through the subresource, but people with kubectl.
    Autoscalers,
    /// Kubernetes' own controllers.
    KubeControllers,
    /// Nobody but controllers writes it.
    Anybody,
}

struct Known {
    /// Group and kind; empty: any.
    kind: Option<(&'static str, &'static str)>,
    /// JSON pointer; `*` is every member or item.
    path: &'static str,
    who: Who,
}

const fn of(group: &'static str, kind: &'static str, path: &'static str, who: Who) -> Known {
    Known { kind: Some((group, kind)), path, who }
}

const fn any(path: &'static str, who: Who) -> Known {
    Known { kind: None, path, who }
}

const LIST: &[Known] = &[
    any("/spec/replicas", Who::Autoscalers),
    // What `kubectl apply` notes for itself.
    any("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", Who::Anybody),
    of("apps", "Deployment", "/metadata/annotations/deployment.kubernetes.io~1revision", Who::KubeControllers),
    of("apps", "DaemonSet", "/metadata/annotations/deprecated.daemonset.template.generation", Who::Anybody),
    of("", "PersistentVolumeClaim", "/metadata/annotations/pv.kubernetes.io~1bind-completed", Who::KubeControllers),
    of(
        "",
        "PersistentVolumeClaim",
        "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
        Who::KubeControllers,
    ),
    of(
        "",
        "PersistentVolumeClaim",
        "/metadata/annotations/volume.kubernetes.io~1storage-provisioner",
        Who::KubeControllers,
    ),
    of(
        "",
        "PersistentVolumeClaim",
        "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner",
        Who::KubeControllers,
    ),
    of("", "PersistentVolumeClaim", "/metadata/annotations/volume.kubernetes.io~1selected-node", Who::Anybody),
    of("", "PersistentVolumeClaim", "/spec/volumeName", Who::KubeControllers),
    of("", "PersistentVolumeClaim", "/metadata/finalizers", Who::KubeControllers),
    of("", "PersistentVolume", "/metadata/annotations/pv.kubernetes.io~1bound-by-controller", Who::KubeControllers),
    of("", "PersistentVolume", "/metadata/finalizers", Who::KubeControllers),
    of("", "PersistentVolume", "/spec/claimRef", Who::KubeControllers),
    of("", "Service", "/metadata/finalizers", Who::KubeControllers),
    of("", "ServiceAccount", "/secrets", Who::KubeControllers),
    of("", "Namespace", "/metadata/labels/kubernetes.io~1metadata.name", Who::Anybody),
    of("", "Namespace", "/spec/finalizers", Who::Anybody),
    of("rbac.authorization.k8s.io", "ClusterRole", "/rules", Who::KubeControllers),
    of(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "/webhooks/*/clientConfig/caBundle",
        Who::Anybody,
    ),
    of(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        "/webhooks/*/clientConfig/caBundle",
        Who::Anybody,
    ),
    of("apiregistration.k8s.io", "APIService", "/spec/caBundle", Who::Anybody),
    of(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "/spec/conversion/webhook/clientConfig/caBundle",
        Who::Anybody,
    ),
];

impl Known {
    fn concerns(&self, id: &ObjectId) -> bool {
        self.kind.is_none_or(|(group, kind)| group == id.group && kind == id.kind)
    }

    fn is_by(&self, owner: &Owner) -> bool {
        match self.who {
            Who::Autoscalers => owner.subresource.as_deref() == Some("scale") && !owner.manager.starts_with("kubectl"),
            Who::KubeControllers => {
                ["kube-controller-manager", "cloud-controller-manager", "clusterrole-aggregation-controller"]
                    .contains(&owner.manager.as_str())
            }
            Who::Anybody => true,
        }
    }
}

/// Returns the known controllers' fields that `payload` does not set, as pointers into the live object.
pub(in crate::engine) fn uncounted(id: &ObjectId, live: &Value, payload: &Value) -> Vec<Pointer> {
    LIST.iter()
        .filter(|known| known.concerns(id))
        .flat_map(|known| expand(&Pointer::from(known.path), live))
        .filter(|pointer| follow(pointer, live, payload).is_none())
        .collect()
}

/// Says whether a field that Git does not set is a known controller's, `owners` being those who have it.
pub(in crate::engine) fn wrote(id: &ObjectId, pointer: &Pointer, owner: &Owner) -> bool {
    LIST.iter().any(|known| known.concerns(id) && known.is_by(owner) && matches(&Pointer::from(known.path), pointer))
}

/// Replaces each `*` by what is there.
fn expand(pattern: &Pointer, live: &Value) -> Vec<Pointer> {
    let mut found = vec![Pointer::default()];
    for segment in &pattern.0 {
        found = found
            .into_iter()
            .flat_map(|pointer| {
                if segment != "*" {
                    return vec![pointer.child(segment)];
                }
                match pointer.get(live) {
                    Some(Value::Array(items)) => {
                        (0..items.len()).map(|index| pointer.child(index.to_string())).collect()
                    }
                    Some(Value::Object(map)) => map.keys().map(|key| pointer.child(key)).collect(),
                    _ => vec![],
                }
            })
            .collect();
    }
    found
}

/// Says whether a pointer is at or below a pattern.
fn matches(pattern: &Pointer, pointer: &Pointer) -> bool {
    pattern.0.len() <= pointer.0.len()
        && pattern.0.iter().zip(&pointer.0).all(|(pattern, segment)| pattern == "*" || pattern == segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner(manager: &str, subresource: Option<&str>) -> Owner {
        Owner {
            manager: manager.into(),
            operation: "Update".into(),
            subresource: subresource.map(str::to_owned),
            time: None,
        }
    }

    #[test]
    fn an_autoscaler_is_known_and_a_hand_is_not() {
        let id: ObjectId = "apps/Deployment/shop/api".parse().unwrap();
        let replicas = Pointer::from("/spec/replicas");
        assert!(wrote(&id, &replicas, &owner("kube-controller-manager", Some("scale"))));
        assert!(wrote(&id, &replicas, &owner("keda", Some("scale"))));
        assert!(!wrote(&id, &replicas, &owner("kubectl", Some("scale"))));
        assert!(!wrote(&id, &replicas, &owner("kubectl-edit", None)));
        assert!(!wrote(&id, &"/spec/paused".into(), &owner("kube-controller-manager", Some("scale"))));
    }

    #[test]
    fn what_git_sets_counts_and_patterns_reach_every_item() {
        let id: ObjectId = "apps/Deployment/shop/api".parse().unwrap();
        let live = json!({"spec": {"replicas": 3}});
        assert!(uncounted(&id, &live, &json!({"spec": {}})).contains(&"/spec/replicas".into()));
        assert!(!uncounted(&id, &live, &live).contains(&"/spec/replicas".into()));
        let hooks: ObjectId = "admissionregistration.k8s.io/ValidatingWebhookConfiguration/x".parse().unwrap();
        let live = json!({"webhooks": [{"name": "a", "clientConfig": {"caBundle": "x"}}, {"name": "b"}]});
        let payload =
            json!({"webhooks": [{"name": "a", "clientConfig": {}}, {"name": "b", "clientConfig": {"caBundle": "y"}}]});
        let found = uncounted(&hooks, &live, &payload);
        assert!(found.contains(&"/webhooks/0/clientConfig/caBundle".into()), "{found:?}");
    }
}
