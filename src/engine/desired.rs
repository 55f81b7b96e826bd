//! The desired objects of one application on one cluster: rendered manifests placed into their namespaces, bound to the kinds
//! that the cluster serves, with hooks set apart.

use super::order::{Place, apply_order, hook_annotation, is_provider, kind_rank, needs, wave, waves};
use crate::{
    cluster::{Catalog, Resource},
    object::{Issue, Manifest, ObjectId, ObjectIds, PackedManifest, canonical_json, sha256_hex},
    render::Rendered,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
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
    /// Where requests go, or why there is no such place.
    pub resource: Result<Arc<Resource>, String>,
    /// Objects of the same application that have to be there first (its Namespace, its CRD).
    pub needs: Vec<ObjectId>,
    /// The manifest as it was rendered.
    rendered: Arc<PackedManifest>,
    hash: OnceLock<Box<str>>,
}

impl DesiredObject {
    /// Binds a manifest, placed from `rendered`, to its kind.
    pub(in crate::engine) fn new(
        rendered: &Arc<PackedManifest>,
        manifest: PackedManifest,
        resource: Result<Arc<Resource>, String>,
    ) -> Self {
        let wave = wave(|key| manifest.treatment(key));
        let rendered = Arc::clone(rendered);
        Self { manifest, wave, resource, needs: Vec::new(), rendered, hash: OnceLock::new() }
    }
    /// Returns the SHA-256 of the canonical bytes; only what is planned or asked about needs it.
    pub(in crate::engine) fn hash(&self) -> &str {
        self.hash.get_or_init(|| sha256_hex(canonical_json(&self.manifest.body())).into())
    }
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
    ids: OnceLock<Arc<ObjectIds>>,
    order: OnceLock<Arc<Order>>,
}

/// In which order the objects are applied.
#[derive(Debug, Default)]
pub(in crate::engine) struct Order {
    /// The wave in which each object is applied, in source order.
    waves: Vec<i32>,
    /// The objects' indices, in apply order.
    pub applied: Vec<usize>,
    /// The objects' indices, sorted by identity.
    by_id: Vec<usize>,
}

/// Places rendered manifests: each namespaced object gets its own namespace or the application's, each cluster-scoped one none.
/// `part_of` is the id of the application's inventory; without one (no state namespace) no label is added. `before` is what another render
/// became by the same catalog and settings: what both renders share is placed once.
pub(in crate::engine) fn place(
    rendered: &Arc<Rendered>,
    catalog: &Catalog,
    namespace: Option<&str>,
    part_of: Option<&str>,
    before: Option<&Desired>,
) -> Desired {
    let mut desired = Desired { rendered: Arc::clone(rendered), issues: rendered.issues.clone(), ..Desired::default() };
    let mut earlier = Earlier::new(before, rendered);
    let mut kinds = Kinds::new(catalog, &rendered.manifests);
    let label = part_of.map(|part_of| Arc::new((PART_OF.to_owned(), part_of.to_owned())));
    for packed in &rendered.manifests {
        if let Some(object) = earlier.find(packed) {
            desired.objects.push(Arc::clone(object));
            continue;
        }
        if let Some(hook) = hook_annotation(|key| packed.treatment(key)) {
            let mut manifest = packed.read();
            if manifest.id.namespace.is_none() {
                manifest.id.namespace = namespace.map(str::to_owned);
            }
            desired.hooks.push((manifest, hook));
            continue;
        }
        if packed.id.name.is_empty() {
            desired.issues.push(issue_at(
                packed,
                format!("{} has generateName and no name: only hooks may; give it a name", packed.id.kind),
            ));
            continue;
        }
        let own_or_given = packed.id.namespace.as_deref().or(namespace);
        let (resource, namespace) = match kinds.find(packed) {
            Ok(resource) if !resource.namespaced => (Ok(resource), None),
            Ok(resource) => match own_or_given {
                Some(namespace) => (Ok(resource), Some(namespace)),
                None => {
                    let ObjectId { kind, name, .. } = &*packed.id;
                    let reason = format!(
                        "{kind} {name} names no namespace and the application has none: set `namespace` in its section"
                    );
                    (Err(reason), None)
                }
            },
            Err(reason) => {
                // It stands where it will stand once its kind is served, so that nothing takes it for gone from Git.
                let namespaced = catalog.preferred(&packed.id.group_kind()).is_none_or(|served| served.namespaced);
                (Err(reason), if namespaced { own_or_given } else { packed.id.namespace.as_deref() })
            }
        };
        let manifest = packed.placed(namespace, label.as_ref().filter(|_| resource.is_ok()));
        desired.objects.push(Arc::new(DesiredObject::new(packed, manifest, resource)));
    }
    match before.filter(|before| before.names_the_same(&desired)) {
        Some(before) => {
            desired.providers.clone_from(&before.providers);
            (desired.ids, desired.order) = (before.ids.clone(), before.order.clone());
        }
        None => {
            let twice = desired.take_duplicates();
            desired.issues.extend(twice);
            let provided = desired.objects.iter().filter(|object| is_provider(&object.manifest.id));
            desired.providers = provided.map(|object| object.manifest.read()).collect();
        }
    }
    if !desired.providers.is_empty() {
        for object in &mut desired.objects {
            let id = &object.manifest.id;
            let needed = desired.providers.iter().filter(|provider| provider.id != **id && needs(id, provider));
            let needed: Vec<ObjectId> = needed.map(|provider| provider.id.clone()).collect();
            if object.needs != needed {
                Arc::make_mut(object).needs = needed;
            }
        }
    }
    desired
}

/// Finds objects that were placed before. Renders of one application are mostly alike, so the search goes on where it last ended.
struct Earlier<'a> {
    objects: &'a [Arc<DesiredObject>],
    next: usize,
}

impl<'a> Earlier<'a> {
    /// How far an object is looked for from where it would stand if nothing came or went before it.
    const REACH: usize = 32;

    fn new(before: Option<&'a Desired>, rendered: &Rendered) -> Self {
        // What a Namespace or a CRD of the application says decides about other objects.
        let same = |before: &&Desired| {
            let provided = |manifest: &&Arc<PackedManifest>| is_provider(&manifest.id);
            let then = before.rendered.manifests.iter().filter(provided);
            then.map(Arc::as_ptr).eq(rendered.manifests.iter().filter(provided).map(Arc::as_ptr))
        };
        Self { objects: before.filter(same).map_or(&[], |before| &before.objects), next: 0 }
    }
    fn find(&mut self, rendered: &Arc<PackedManifest>) -> Option<&'a Arc<DesiredObject>> {
        let end = self.objects.len().min(self.next + Self::REACH);
        let near = self.objects.get(self.next..end)?;
        let found = near.iter().position(|object| Arc::ptr_eq(&object.rendered, rendered))?;
        self.next += found + 1;
        near.get(found)
    }
}

impl Desired {
    /// Says whether the other has the same objects in the same places, whatever their manifests say; both in their order.
    fn names_the_same(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<DesiredObject>, &Arc<DesiredObject>)| {
            Arc::ptr_eq(a, b) || a.manifest.id == b.manifest.id && a.wave == b.wave && !is_provider(&a.manifest.id)
        };
        self.objects.len() == other.objects.len() && self.objects.iter().zip(&other.objects).all(same)
    }
    /// Takes out every object whose identity an earlier one has, and says so of each.
    fn take_duplicates(&mut self) -> Vec<Issue> {
        let mut seen: HashMap<&ObjectId, &PackedManifest> = HashMap::with_capacity(self.objects.len());
        let (mut issues, mut twice) = (Vec::new(), Vec::new());
        for (index, object) in self.objects.iter().enumerate() {
            let manifest = &object.manifest;
            match seen.get(&*manifest.id) {
                Some(first) => {
                    let first = place_in_file(first);
                    let message = format!("{} is here and in {first}: one of the two has to go", manifest.id);
                    issues.push(issue_at(manifest, message));
                    twice.push(index);
                }
                None => drop(seen.insert(&manifest.id, manifest)),
            }
        }
        for index in twice.into_iter().rev() {
            self.objects.remove(index);
        }
        issues
    }
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
    pub(in crate::engine) fn ids(&self) -> Arc<ObjectIds> {
        let ids = || Arc::new(self.objects.iter().map(|object| object.manifest.id.clone()).collect());
        Arc::clone(self.ids.get_or_init(ids))
    }
    /// Returns where an object stands among the objects.
    pub(in crate::engine) fn position(&self, id: &ObjectId) -> Option<usize> {
        let order = self.order();
        let found = order.by_id.binary_search_by(|index| (*self.objects[*index].manifest.id).cmp(id)).ok()?;
        order.by_id.get(found).copied()
    }
    /// Returns where an object stands in the order.
    pub(in crate::engine) fn place(&self, id: &ObjectId) -> Option<Place> {
        let wave = *self.order().waves.get(self.position(id)?)?;
        Some(Place { wave, rank: kind_rank(id), id: id.clone() })
    }
    /// Returns the order in which its objects are applied.
    pub(in crate::engine) fn order(&self) -> Arc<Order> {
        let order = || {
            let objects: Vec<(&ObjectId, i32)> =
                self.objects.iter().map(|object| (&*object.manifest.id, object.wave)).collect();
            let waves = waves(&objects, &self.providers);
            let applied = apply_order(&objects, &waves);
            let mut by_id: Vec<usize> = (0..objects.len()).collect();
            by_id.sort_by_key(|index| objects[*index].0);
            Arc::new(Order { waves, applied, by_id })
        };
        Arc::clone(self.order.get_or_init(order))
    }
}

const UNKNOWN_KIND: &str = "unknown kind";

/// Finds the kinds of manifests. Thousands of objects are of a handful of kinds, so each is found once and then shared.
struct Kinds<'a> {
    catalog: &'a Catalog,
    own: BTreeMap<(String, String, String), Resource>,
    found: Vec<(&'a PackedManifest, Result<Arc<Resource>, String>)>,
}

impl<'a> Kinds<'a> {
    fn new(catalog: &'a Catalog, manifests: &[Arc<PackedManifest>]) -> Self {
        Self { catalog, own: own_kinds(manifests), found: Vec::new() }
    }
    fn find(&mut self, manifest: &'a PackedManifest) -> Result<Arc<Resource>, String> {
        let alike = |(first, _): &&(&PackedManifest, _)| {
            let (a, b) = (&first.id, &manifest.id);
            (&a.kind, &a.group, &first.version) == (&b.kind, &b.group, &manifest.version)
        };
        if let Some((_, found)) = self.found.iter().find(alike) {
            return found.clone();
        }
        let found = self.look_up(manifest).map(Arc::new);
        self.found.push((manifest, found.clone()));
        found
    }
    fn look_up(&self, manifest: &PackedManifest) -> Result<Resource, String> {
        let (group, version, kind) = (&manifest.id.group, &manifest.version, &manifest.id.kind);
        if let Some(resource) = self.catalog.find(group, version, kind) {
            return Ok(resource.clone());
        }
        if let Some(resource) = self.own.get(&(group.clone(), version.clone(), kind.clone())) {
            return Ok(resource.clone());
        }
        let api_version = crate::object::join_api_version(group, version);
        if self.catalog.stale_groups.contains(group) {
            return Err(format!(
                "{UNKNOWN_KIND} {api_version} {kind}: the API server behind group {group} does not answer; see `kubectl get apiservices`"
            ));
        }
        Err(match self.catalog.preferred(&manifest.id.group_kind()) {
            Some(served) => format!(
                "{UNKNOWN_KIND} {api_version} {kind}: the cluster serves it as {}; change apiVersion",
                crate::object::join_api_version(&served.group, &served.version)
            ),
            None => {
                format!("{UNKNOWN_KIND} {api_version} {kind}: the cluster does not serve it; install its CRD first")
            }
        })
    }
}

/// Kinds that the application's own CRDs define, as they will be served.
fn own_kinds(manifests: &[Arc<PackedManifest>]) -> BTreeMap<(String, String, String), Resource> {
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

fn place_in_file(manifest: &PackedManifest) -> String {
    match manifest.origin.lines {
        Some((line, _)) => format!("{}:{line}", manifest.origin.path),
        None => format!("{} (document {})", manifest.origin.path, manifest.origin.document + 1),
    }
}

fn issue_at(manifest: &PackedManifest, message: String) -> Issue {
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
                Arc::new(PackedManifest::new(manifest).unwrap())
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
        let desired = place(&rendered, &catalog(), Some("shop"), Some("set-1"), None);
        let ids: Vec<String> = desired.objects.iter().map(|object| object.manifest.id.to_string()).collect();
        assert_eq!(ids, ["ConfigMap/shop/a", "ConfigMap/own/b", "Namespace/shop"]);
        assert!(desired.objects.iter().all(|object| object.manifest.body()["metadata"]["labels"][PART_OF] == "set-1"));
        assert_eq!(desired.objects[0].needs, [ObjectId::clone(&desired.objects[2].manifest.id)]);
    }

    #[test]
    fn a_kind_of_the_applications_own_crd_is_known_before_the_cluster_serves_it() {
        let rendered = rendered(vec![
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.x.io"},
                "spec": {"group": "x.io", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1"}]}}),
            json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}}),
            json!({"apiVersion": "y.io/v1", "kind": "Other", "metadata": {"name": "o"}}),
        ]);
        let desired = place(&rendered, &catalog(), Some("shop"), None, None);
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
        let desired = place(&rendered, &catalog(), Some("shop"), None, None);
        assert_eq!(desired.objects.len(), 1);
        assert_eq!(desired.issues[0].severity, Severity::Error);
        assert_eq!((desired.issues[0].path.as_deref(), desired.issues[0].line), (Some("all.yaml"), Some(11)));
        assert!(desired.issues[0].message.contains("all.yaml:1"), "{}", desired.issues[0].message);
    }

    #[test]
    fn an_object_without_any_namespace_says_what_to_set() {
        let rendered = rendered(vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})]);
        let desired = place(&rendered, &catalog(), None, None, None);
        assert!(desired.objects[0].resource.as_ref().unwrap_err().contains("set `namespace`"));
    }

    #[test]
    fn hooks_are_set_apart() {
        let rendered = rendered(vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"argocd.argoproj.io/hook": "PreSync"}}}),
        ]);
        let desired = place(&rendered, &catalog(), Some("shop"), Some("set"), None);
        assert!(desired.objects.is_empty());
        assert_eq!(desired.hooks[0].1, "argocd.argoproj.io/hook: PreSync");
    }

    /// Everything that placing decides, in a form that can be compared.
    fn said(desired: &Desired) -> Vec<String> {
        let order = desired.order();
        let objects = desired.objects.iter().map(|object| {
            let (manifest, resource) = (&object.manifest, object.resource.as_ref().map(|resource| &resource.plural));
            format!("{} {} {:?} {:?} {}", manifest.id, manifest.body(), resource, object.needs, object.hash())
        });
        let providers = desired.providers.iter().map(|provider| format!("provides {}", provider.id));
        let rest = [format!("{:?} {:?} {:?} {:?}", order, desired.ids(), desired.issues, desired.hooks)];
        objects.chain(providers).chain(rest).collect()
    }

    proptest::proptest! {
        #[test]
        fn placing_after_another_render_gives_the_same_as_placing_alone(
            renders in proptest::collection::vec(proptest::collection::vec(0_usize..40, 0..30), 1..6)
        ) {
            // Objects that are alike but for their value, their wave, their namespace; two of each name, a Namespace, a hook, an unknown kind.
            let pool = rendered((0..40).map(|n| {
                let name = format!("c{}", n / 4);
                match n {
                    0 | 1 => json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "own", "labels": {"n": n.to_string()}}}),
                    2 => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": {"helm.sh/hook": "pre-install"}}}),
                    3 => json!({"apiVersion": "y.io/v1", "kind": "Other", "metadata": {"name": name}}),
                    _ => {
                        let namespace = if n % 4 == 3 { "own" } else { "shop" };
                        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"n": n.to_string()}, "metadata": {"name": name, "namespace": namespace,
                            "annotations": {"argocd.argoproj.io/sync-wave": (n % 4 / 2).to_string()}}})
                    }
                }
            }).collect());
            let catalog = catalog();
            let mut before: Option<Desired> = None;
            for picked in renders {
                let manifests = picked.iter().map(|index| Arc::clone(&pool.manifests[*index])).collect();
                let render = Arc::new(Rendered { manifests, ..Rendered::default() });
                let after = place(&render, &catalog, Some("shop"), Some("set"), before.as_ref());
                let alone = place(&render, &catalog, Some("shop"), Some("set"), None);
                proptest::prop_assert_eq!(said(&after), said(&alone));
                before = Some(after);
            }
        }
    }
}
