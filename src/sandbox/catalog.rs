//! Which resources are served: Kubernetes' own, from data that a real server gave, and those of CustomResourceDefinitions.
//!
//! A [`Catalog`] is immutable; a new one takes the place of the old when a definition changes. Objects of all versions of
//! a resource stand in one collection of the store.

use super::failure::qualified;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// A resource in one of its versions.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// `apps`; empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `deployments`.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// `Deployment`.
    pub kind: String,
    /// `DeploymentList`.
    pub list_kind: String,
    /// Whether its objects stand in namespaces.
    pub namespaced: bool,
    /// `deploy`.
    pub short_names: Vec<String>,
    /// `all`.
    pub categories: Vec<String>,
    /// What can be done with it.
    pub verbs: Vec<String>,
    /// What else it has.
    pub subresources: Vec<Subresource>,
    /// Where its objects are kept.
    pub collection: Arc<str>,
    /// The `apiVersion` in which its objects are kept.
    pub storage_version: String,
    /// The version in the definition; none for Kubernetes' own.
    pub custom: Option<Arc<Value>>,
}

/// A part of a resource that is read and written by itself.
#[derive(Clone, Debug)]
pub(super) struct Subresource {
    /// `scale`.
    pub name: String,
    /// Of what is read and written: group, version, kind; the first two empty where they are the resource's.
    pub kind: [String; 3],
    /// What can be done with it.
    pub verbs: Vec<String>,
}

impl Resource {
    /// `apps/v1`.
    pub fn api_version(&self) -> String {
        crate::object::join_api_version(&self.group, &self.version)
    }
    /// Whether it has a subresource.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
    /// Whether its objects' status is written by itself.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }
    /// Whether `metadata.generation` counts its objects' changes.
    pub fn has_generation(&self) -> bool {
        self.custom.is_some() || !WITHOUT_GENERATION.contains(&&*self.collection)
    }
}

/// Kubernetes' own resources whose objects have no generation.
const WITHOUT_GENERATION: &[&str] = &[
    "apiservices.apiregistration.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "configmaps",
    "controllerrevisions.apps",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
    "endpoints",
    "events",
    "horizontalpodautoscalers.autoscaling",
    "ipaddresses.networking.k8s.io",
    "leases.coordination.k8s.io",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "podtemplates",
    "resourcequotas",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "runtimeclasses.node.k8s.io",
    "secrets",
    "serviceaccounts",
    "servicecidrs.networking.k8s.io",
    "services",
    "storageclasses.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
];

/// A group with its versions, the preferred one first.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Empty for the core group.
    pub name: String,
    /// Name and resources of each version.
    pub versions: Vec<(String, Vec<Arc<Resource>>)>,
}

/// What is served.
#[derive(Clone, Debug)]
pub(super) struct Catalog {
    /// In the order in which discovery lists them.
    pub groups: Vec<Group>,
}

/// The server's own data, unpacked.
pub(super) fn asset(packed: &[u8]) -> Vec<u8> {
    // What is built in was packed by zstd; a test reads each.
    zstd::stream::decode_all(packed).unwrap_or_default()
}

static DISCOVERY: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_slice(&asset(include_bytes!("../../assets/sandbox/discovery.json.zst"))).unwrap_or_default()
});

/// The answer to `/version`.
pub(super) fn version() -> &'static Value {
    &DISCOVERY["version"]
}

impl Catalog {
    /// Kubernetes' own resources.
    pub fn built_in() -> Self {
        let groups = DISCOVERY["groups"].as_array().into_iter().flatten();
        Self { groups: groups.map(built_in_group).collect() }
    }

    /// Those, and the ones of definitions (CustomResourceDefinition objects that are established).
    pub fn with_definitions(definitions: &[Value]) -> Self {
        let mut catalog = Self::built_in();
        for definition in definitions.iter().filter(|definition| is_established(definition)) {
            catalog.define(definition);
        }
        catalog.groups[1..].sort_by_key(|group| !is_own(&group.name));
        catalog
    }

    fn define(&mut self, definition: &Value) {
        let spec = &definition["spec"];
        let group = text(&spec["group"]);
        let at = match self.groups.iter().position(|known| known.name == group) {
            Some(at) => at,
            None => {
                self.groups.push(Group { name: group.clone(), versions: Vec::new() });
                self.groups.len() - 1
            }
        };
        let versions = &mut self.groups[at].versions;
        let stored = spec["versions"].as_array().into_iter().flatten().find(|version| version["storage"] == true);
        let storage_version = stored.map(|version| text(&version["name"])).unwrap_or_default();
        for version in spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true) {
            let name = text(&version["name"]);
            let resource = Arc::new(custom_resource(spec, version, &storage_version));
            match versions.iter_mut().find(|(known, _)| *known == name) {
                Some((_, resources)) => resources.push(resource),
                None => versions.push((name, vec![resource])),
            }
        }
        versions.sort_by(|(a, _), (b, _)| priority(b).cmp(&priority(a)).then_with(|| a.cmp(b)));
    }

    /// Finds a resource.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        let group = self.groups.iter().find(|known| known.name == group)?;
        let (_, resources) = group.versions.iter().find(|(known, _)| known == version)?;
        resources.iter().find(|resource| resource.plural == plural)
    }

    /// Finds the resource of a kind.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let (group, version) = crate::object::split_api_version(api_version);
        let group = self.groups.iter().find(|known| known.name == group)?;
        let (_, resources) = group.versions.iter().find(|(known, _)| known == version)?;
        resources.iter().find(|resource| resource.kind == kind)
    }

    /// Each resource once, in its preferred version.
    pub fn preferred(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let mut seen = std::collections::BTreeSet::new();
        let all = self.groups.iter().flat_map(|group| &group.versions).flat_map(|(_, resources)| resources);
        all.filter(move |resource| seen.insert(resource.collection.clone()))
    }
}

/// Whether a definition's resources are served.
pub(super) fn is_established(definition: &Value) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type") == Some(&json!("Established")) && condition.get("status") == Some(&json!("True"))
    })
}

fn is_own(group: &str) -> bool {
    DISCOVERY["groups"].as_array().into_iter().flatten().any(|known| known["metadata"]["name"] == group)
}

/// `v2` before `v1` before `v1beta1` before `v1alpha1` before anything else (apimachinery's `CompareKubeAwareVersionStrings`).
fn priority(version: &str) -> (u8, u32, u32) {
    let parse = || {
        let rest = version.strip_prefix('v')?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let major: u32 = rest[..digits].parse().ok()?;
        match &rest[digits..] {
            "" => Some((3, major, 0)),
            rest => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
                (Some(minor), _) => Some((2, major, minor.parse().ok()?)),
                (_, Some(minor)) => Some((1, major, minor.parse().ok()?)),
                _ => None,
            },
        }
    };
    parse().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn built_in_group(group: &Value) -> Group {
    let name = text(&group["metadata"]["name"]);
    let versions = group["versions"].as_array().into_iter().flatten();
    let storage_version = versions.clone().next().map(|version| text(&version["version"])).unwrap_or_default();
    let versions = versions.map(|version| {
        let resources = version["resources"].as_array().into_iter().flatten();
        let resources = resources.map(|resource| built_in_resource(&name, version, resource, &storage_version));
        (text(&version["version"]), resources.map(Arc::new).collect())
    });
    Group { versions: versions.collect(), name }
}

fn built_in_resource(group: &str, version: &Value, resource: &Value, storage_version: &str) -> Resource {
    let kind = text(&resource["responseKind"]["kind"]);
    let plural = text(&resource["resource"]);
    // The events of both groups are the same objects.
    let collection = if plural == "events" { "events".to_owned() } else { qualified(&plural, group) };
    let storage =
        if plural == "events" { "v1".to_owned() } else { crate::object::join_api_version(group, storage_version) };
    let subresources = resource["subresources"].as_array().into_iter().flatten().map(|subresource| Subresource {
        name: text(&subresource["subresource"]),
        kind: ["group", "version", "kind"].map(|part| text(&subresource["responseKind"][part])),
        verbs: texts(&subresource["verbs"]),
    });
    Resource {
        group: group.to_owned(),
        version: text(&version["version"]),
        singular: text(&resource["singularResource"]),
        list_kind: format!("{kind}List"),
        namespaced: resource["scope"] == "Namespaced",
        short_names: texts(&resource["shortNames"]),
        categories: texts(&resource["categories"]),
        verbs: texts(&resource["verbs"]),
        subresources: subresources.collect(),
        collection: collection.into(),
        storage_version: storage,
        custom: None,
        plural,
        kind,
    }
}

fn custom_resource(spec: &Value, version: &Value, storage_version: &str) -> Resource {
    let (names, group) = (&spec["names"], text(&spec["group"]));
    let verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    let subresource = |name: &str, kind: [String; 3]| Subresource {
        name: name.to_owned(),
        kind,
        verbs: ["get", "patch", "update"].map(str::to_owned).to_vec(),
    };
    let kind = text(&names["kind"]);
    let mut subresources = Vec::new();
    if version.pointer("/subresources/status").is_some() {
        subresources.push(subresource("status", [String::new(), String::new(), kind.clone()]));
    }
    if version.pointer("/subresources/scale").is_some() {
        subresources.push(subresource("scale", ["autoscaling", "v1", "Scale"].map(str::to_owned)));
    }
    Resource {
        version: text(&version["name"]),
        plural: text(&names["plural"]),
        singular: text(&names["singular"]),
        list_kind: text(&names["listKind"]),
        namespaced: spec["scope"] == "Namespaced",
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        verbs: verbs.map(str::to_owned).to_vec(),
        subresources,
        collection: qualified(&text(&names["plural"]), &group).into(),
        storage_version: crate::object::join_api_version(&group, storage_version),
        custom: Some(Arc::new(version.clone())),
        kind,
        group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_own_resources_are_found_by_path_and_by_kind() {
        let catalog = Catalog::built_in();
        let deployments = catalog.find("apps", "v1", "deployments").unwrap();
        assert_eq!((deployments.kind.as_str(), &*deployments.collection), ("Deployment", "deployments.apps"));
        assert_eq!(deployments.subresource("scale").unwrap().kind[2], "Scale");
        assert!(catalog.find("", "v1", "pods").unwrap().namespaced);
        assert!(catalog.find("", "v1", "nothing").is_none());
        let autoscalers = catalog.of_kind("autoscaling/v2", "HorizontalPodAutoscaler").unwrap();
        assert_eq!((autoscalers.version.as_str(), autoscalers.storage_version.as_str()), ("v2", "autoscaling/v2"));
    }

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let mut versions = ["v1alpha1", "v10", "foo", "v1beta2", "v2", "v1beta1", "v1"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }
}
