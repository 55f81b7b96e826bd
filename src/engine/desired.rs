//! The desired objects of one application on one cluster: rendered manifests placed into their namespaces, bound to the kinds
//! that the cluster serves, with hooks set apart.

use super::order::{Place, hook_annotation, is_provider, kind_rank, needs, places, wave};
use crate::{
    cluster::{Catalog, Resource},
    object::{Issue, Manifest, ObjectId, PackedManifest, canonical_json, sha256_hex},
    render::Rendered,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

/// Label that makes a live object a member of an application's inventory (KEP-3659).
pub(in crate::engine) const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// One object as it would be sent.
#[derive(Clone, Debug)]
pub(in crate::engine) struct DesiredObject {
    /// The placed manifest, `part-of` label included: exactly the bytes that would be sent, but for preconditions.
    pub manifest: PackedManifest,
    /// Its sync wave.
    pub wave: i32,
    /// SHA-256 of the canonical bytes.
    pub hash: String,
    /// Where requests go, or why there is no such place.
    pub resource: Result<Arc<Resource>, String>,
    /// Objects of the same application that have to be there first (its Namespace, its CRD).
    pub needs: Vec<ObjectId>,
}

/// Everything that Git says about one application.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Desired {
    /// The render that it was made from.
    pub rendered: Arc<Rendered>,
    /// Its objects, in source order.
    pub objects: Vec<Arc<DesiredObject>>,
    /// Hooks: listed, not applied yet.
    pub hooks: Vec<(Manifest, String)>,
    /// The render's issues and those of placing.
    pub issues: Vec<Issue>,
    /// Namespaces and CRDs among the objects: others may need them.
    providers: Vec<Manifest>,
    ids: OnceLock<Arc<BTreeSet<ObjectId>>>,
    order: OnceLock<Arc<Order>>,
}

/// In which order the objects are applied.
#[derive(Debug, Default)]
pub(in crate::engine) struct Order {
    /// The wave in which each object is applied, in source order.
    waves: Vec<i32>,
    /// The rank of each object, in source order.
    pub ranks: Vec<usize>,
    /// The objects' indices, sorted by identity.
    by_id: Vec<usize>,
}

/// Places rendered manifests: each namespaced object gets its own namespace or the application's, each cluster-scoped one none.
/// `part_of` is the id of the application's inventory; without one (no state namespace) no label is added.
pub(in crate::engine) fn place(
    rendered: &Arc<Rendered>,
    catalog: &Catalog,
    namespace: Option<&str>,
    part_of: Option<&str>,
) -> Desired {
    let mut desired = Desired { rendered: Arc::clone(rendered), issues: rendered.issues.clone(), ..Desired::default() };
    let own_kinds = own_kinds(&rendered.manifests);
    let mut seen: BTreeMap<ObjectId, String> = BTreeMap::new();
    // Thousands of objects are of a handful of kinds.
    let mut resources: Vec<Arc<Resource>> = Vec::new();
    let mut shared = |resource: Resource| match resources.iter().find(|known| ***known == resource) {
        Some(known) => Arc::clone(known),
        None => {
            resources.push(Arc::new(resource));
            Arc::clone(&resources[resources.len() - 1])
        }
    };
    for packed in &rendered.manifests {
        let mut manifest = packed.read();
        if let Some(hook) = hook_annotation(&manifest) {
            if manifest.id.namespace.is_none() {
                manifest.id.namespace = namespace.map(str::to_owned);
            }
            desired.hooks.push((manifest, hook));
            continue;
        }
        if manifest.id.name.is_empty() {
            desired.issues.push(issue_at(
                &manifest,
                format!("{} has generateName and no name: only hooks may; give it a name", manifest.id.kind),
            ));
            continue;
        }
        let resource = find(catalog, &own_kinds, &manifest);
        let resource = match resource {
            Ok(resource) if !resource.namespaced => {
                manifest.place(None);
                Ok(resource)
            }
            Ok(resource) => match manifest.id.namespace.clone().or_else(|| namespace.map(str::to_owned)) {
                Some(namespace) => {
                    manifest.place(Some(&namespace));
                    Ok(resource)
                }
                None => Err(format!(
                    "{} {} names no namespace and the application has none: set `namespace` in its section",
                    manifest.id.kind, manifest.id.name
                )),
            },
            Err(reason) => {
                // It stands where it will stand once its kind is served, so that nothing takes it for gone from Git.
                let namespaced = catalog.preferred(&manifest.id.group_kind()).is_none_or(|served| served.namespaced);
                if namespaced && manifest.id.namespace.is_none() {
                    manifest.id.namespace = namespace.map(str::to_owned);
                }
                Err(reason)
            }
        };
        if let Some(first) = seen.get(&manifest.id) {
            let message = format!("{} is here and in {first}: one of the two has to go", manifest.id);
            desired.issues.push(issue_at(&manifest, message));
            continue;
        }
        seen.insert(manifest.id.clone(), place_in_file(&manifest));
        if let (Some(part_of), Ok(_)) = (part_of, &resource) {
            label(&mut manifest.body, part_of);
        }
        if is_provider(&manifest.id) {
            desired.providers.push(manifest.clone());
        }
        let (wave, hash) = (wave(&manifest), sha256_hex(canonical_json(&manifest.body)));
        match packed.like(manifest) {
            Ok(manifest) => {
                let resource = resource.map(&mut shared);
                desired.objects.push(Arc::new(DesiredObject { manifest, wave, hash, resource, needs: vec![] }));
            }
            // It was packed before.
            Err(error) => desired.issues.push(Issue::error(error.to_string()).at(packed.origin.path.clone(), None)),
        }
    }
    if !desired.providers.is_empty() {
        for object in &mut desired.objects {
            let id = &object.manifest.id;
            let needed = desired.providers.iter().filter(|provider| provider.id != *id && needs(id, provider));
            let needed: Vec<ObjectId> = needed.map(|provider| provider.id.clone()).collect();
            if !needed.is_empty() {
                Arc::make_mut(object).needs = needed;
            }
        }
    }
    desired
}

impl Desired {
    /// Says whether a kind is missing that another discovery could find, one that only an own CRD defines among them.
    pub(in crate::engine) fn has_unserved_kinds(&self) -> bool {
        self.objects.iter().any(|object| match &object.resource {
            Ok(resource) => resource.verbs.is_empty(),
            Err(reason) => reason.starts_with(UNKNOWN_KIND),
        })
    }
    /// Says whether Git still names an object that is no member just now: a hook, or an object whose kind is not served as written.
    pub(in crate::engine) fn still_names(&self, id: &ObjectId) -> bool {
        let same = |other: &ObjectId| {
            (&other.group, &other.kind, &other.name) == (&id.group, &id.kind, &id.name)
                && (other.namespace.is_none() || id.namespace.is_none() || other.namespace == id.namespace)
        };
        self.hooks.iter().any(|(manifest, _)| same(&manifest.id))
            || self.objects.iter().any(|object| object.resource.is_err() && same(&object.manifest.id))
    }
    /// Returns the identities of its objects.
    pub(in crate::engine) fn ids(&self) -> Arc<BTreeSet<ObjectId>> {
        let ids = || Arc::new(self.objects.iter().map(|object| object.manifest.id.clone()).collect());
        Arc::clone(self.ids.get_or_init(ids))
    }
    /// Returns where an object stands among the objects.
    pub(in crate::engine) fn position(&self, id: &ObjectId) -> Option<usize> {
        let order = self.order();
        let found = order.by_id.binary_search_by(|index| self.objects[*index].manifest.id.cmp(id)).ok()?;
        order.by_id.get(found).copied()
    }
    /// Returns where an object stands in the order.
    pub(in crate::engine) fn place(&self, id: &ObjectId) -> Option<Place> {
        let wave = *self.order().waves.get(self.position(id)?)?;
        Some(Place { wave, rank: kind_rank(&id.group_kind()), id: id.clone() })
    }
    /// Returns the order in which its objects are applied.
    pub(in crate::engine) fn order(&self) -> Arc<Order> {
        let order = || {
            let objects = self.objects.iter().map(|object| (&object.manifest.id, object.wave));
            let places = places(objects, &self.providers);
            let place = |index: &usize| places.get(&self.objects[*index].manifest.id);
            let mut sorted: Vec<usize> = (0..self.objects.len()).collect();
            sorted.sort_by(|a, b| place(a).cmp(&place(b)));
            let mut ranks = vec![0; sorted.len()];
            for (rank, index) in sorted.iter().enumerate() {
                ranks[*index] = rank;
            }
            sorted.sort_by(|a, b| self.objects[*a].manifest.id.cmp(&self.objects[*b].manifest.id));
            let waves = (0..self.objects.len()).map(|index| place(&index).map_or(0, |place| place.wave)).collect();
            Arc::new(Order { waves, ranks, by_id: sorted })
        };
        Arc::clone(self.order.get_or_init(order))
    }
}

const UNKNOWN_KIND: &str = "unknown kind";

fn find(
    catalog: &Catalog,
    own: &BTreeMap<(String, String, String), Resource>,
    manifest: &Manifest,
) -> Result<Resource, String> {
    let (group, version, kind) = (&manifest.id.group, &manifest.version, &manifest.id.kind);
    if let Some(resource) = catalog.find(group, version, kind) {
        return Ok(resource.clone());
    }
    if let Some(resource) = own.get(&(group.clone(), version.clone(), kind.clone())) {
        return Ok(resource.clone());
    }
    let api_version = crate::object::join_api_version(group, version);
    if catalog.stale_groups.contains(group) {
        return Err(format!(
            "{UNKNOWN_KIND} {api_version} {kind}: the API server behind group {group} does not answer; see `kubectl get apiservices`"
        ));
    }
    Err(match catalog.preferred(&manifest.id.group_kind()) {
        Some(served) => format!(
            "{UNKNOWN_KIND} {api_version} {kind}: the cluster serves it as {}; change apiVersion",
            crate::object::join_api_version(&served.group, &served.version)
        ),
        None => format!("{UNKNOWN_KIND} {api_version} {kind}: the cluster does not serve it; install its CRD first"),
    })
}

/// Kinds that the application's own CRDs define, as they will be served.
fn own_kinds(manifests: &[PackedManifest]) -> BTreeMap<(String, String, String), Resource> {
    let mut kinds = BTreeMap::new();
    for crd in manifests.iter().filter(|manifest| manifest.id.kind == "CustomResourceDefinition") {
        let body = crd.body();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (group, kind, plural) = (text("/spec/group"), text("/spec/names/kind"), text("/spec/names/plural"));
        let namespaced = text("/spec/scope") == "Namespaced";
        let versions = body.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        for version in versions.filter_map(|version| version.get("name")?.as_str()) {
            let resource = Resource {
                group: group.clone(),
                version: version.to_owned(),
                kind: kind.clone(),
                plural: plural.clone(),
                namespaced,
                verbs: vec![],
            };
            kinds.insert((group.clone(), version.to_owned(), kind.clone()), resource);
        }
    }
    kinds
}

fn label(body: &mut Value, part_of: &str) {
    let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let labels = metadata.entry("labels").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if labels.is_null() {
        *labels = Value::Object(serde_json::Map::new());
    }
    // Labels that are no mapping stay as they are: the server's error names them.
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(PART_OF.into(), part_of.into());
    }
}

fn place_in_file(manifest: &Manifest) -> String {
    match manifest.origin.lines {
        Some((line, _)) => format!("{}:{line}", manifest.origin.path),
        None => format!("{} (document {})", manifest.origin.path, manifest.origin.document + 1),
    }
}

fn issue_at(manifest: &Manifest, message: String) -> Issue {
    Issue::error(message).at(manifest.origin.path.clone(), manifest.origin.lines.map(|(first, _)| first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Origin, Severity};
    use serde_json::json;

    fn resource(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
        Resource {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced,
            verbs: vec!["list".into()],
        }
    }

    fn catalog() -> Catalog {
        Catalog {
            resources: vec![
                resource("", "v1", "ConfigMap", "configmaps", true),
                resource("", "v1", "Namespace", "namespaces", false),
                resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
            ],
            stale_groups: vec![],
        }
    }

    fn rendered(bodies: Vec<Value>) -> Arc<Rendered> {
        let manifests = bodies
            .into_iter()
            .enumerate()
            .map(|(document, body)| {
                let lines = Some((document * 10 + 1, document * 10 + 5));
                let manifest = Manifest::new(body, Origin { path: "all.yaml".into(), document, lines }).unwrap();
                PackedManifest::new(manifest).unwrap()
            })
            .collect();
        Arc::new(Rendered { manifests, ..Rendered::default() })
    }

    #[test]
    fn objects_get_the_applications_namespace_and_its_label() {
        let rendered = rendered(vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "own"}}),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "namespace": "nonsense"}}),
        ]);
        let desired = place(&rendered, &catalog(), Some("shop"), Some("set-1"));
        let ids: Vec<String> = desired.objects.iter().map(|object| object.manifest.id.to_string()).collect();
        assert_eq!(ids, ["ConfigMap/shop/a", "ConfigMap/own/b", "Namespace/shop"]);
        assert!(desired.objects.iter().all(|object| object.manifest.body()["metadata"]["labels"][PART_OF] == "set-1"));
        assert_eq!(desired.objects[0].needs, [desired.objects[2].manifest.id.clone()]);
    }

    #[test]
    fn a_kind_of_the_applications_own_crd_is_known_before_the_cluster_serves_it() {
        let rendered = rendered(vec![
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.x.io"},
                "spec": {"group": "x.io", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1"}]}}),
            json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}}),
            json!({"apiVersion": "y.io/v1", "kind": "Other", "metadata": {"name": "o"}}),
        ]);
        let desired = place(&rendered, &catalog(), Some("shop"), None);
        assert_eq!(desired.objects[1].resource.as_ref().unwrap().plural, "things");
        assert!(desired.objects[2].resource.as_ref().unwrap_err().starts_with("unknown kind y.io/v1 Other"));
        assert!(desired.has_unserved_kinds());
    }

    #[test]
    fn the_same_object_twice_is_an_error_that_names_both_places() {
        let rendered = rendered(vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}),
        ]);
        let desired = place(&rendered, &catalog(), Some("shop"), None);
        assert_eq!(desired.objects.len(), 1);
        assert_eq!(desired.issues[0].severity, Severity::Error);
        assert_eq!((desired.issues[0].path.as_deref(), desired.issues[0].line), (Some("all.yaml"), Some(11)));
        assert!(desired.issues[0].message.contains("all.yaml:1"), "{}", desired.issues[0].message);
    }

    #[test]
    fn an_object_without_any_namespace_says_what_to_set() {
        let rendered = rendered(vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})]);
        let desired = place(&rendered, &catalog(), None, None);
        assert!(desired.objects[0].resource.as_ref().unwrap_err().contains("set `namespace`"));
    }

    #[test]
    fn hooks_are_set_apart() {
        let rendered = rendered(vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"argocd.argoproj.io/hook": "PreSync"}}}),
        ]);
        let desired = place(&rendered, &catalog(), Some("shop"), Some("set"));
        assert!(desired.objects.is_empty());
        assert_eq!(desired.hooks[0].1, "argocd.argoproj.io/hook: PreSync");
    }
}
