//! What is watched for an application: the kinds and namespaces of its desired objects and of its inventory, each a watch of its own, but
//! one watch of all namespaces for a kind that is in use in many of them, where the user may.

use super::desired::Desired;
use crate::{
    cluster::{Catalog, ClusterError, Inventory, Known, LiveCache, Resource, Scope, Session, Snapshot},
    object::{GroupKind, ObjectId},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// A kind in use in more namespaces than this is watched in all of them at once.
const CROWD: usize = 20;

/// What is watched.
#[derive(Debug, Default)]
pub(in crate::engine) struct Scopes {
    /// All of it.
    pub all: BTreeSet<Scope>,
    /// The part of it in which members of the inventory are looked for.
    pub members: BTreeSet<Scope>,
    /// Kinds of the inventory that the server does not list.
    pub unserved: Vec<GroupKind>,
}

impl Scopes {
    /// Finds what the desired objects and the inventory are watched by.
    pub(in crate::engine) fn of(desired: &Desired, inventory: Option<&Inventory>, catalog: &Catalog) -> Self {
        let mut scopes = Self::default();
        // Thousands of objects stand in a handful of scopes.
        let mut seen: HashSet<(*const Resource, Option<&str>)> = HashSet::new();
        for object in &desired.objects {
            let Some(resource) = served(&object.resource) else { continue };
            let namespace = object.manifest.id.namespace.as_deref();
            if seen.insert((Arc::as_ptr(resource), namespace)) {
                let namespace = namespace.map(str::to_owned);
                scopes.all.insert(Scope { resource: Resource::clone(resource), namespace });
            }
        }
        for kind in inventory.into_iter().flat_map(|inventory| &inventory.kinds) {
            let Some(resource) = catalog.preferred(kind) else {
                scopes.unserved.push(kind.clone());
                continue;
            };
            // A kind that Git still has is watched in the version that Git uses.
            let known = scopes.all.iter().find(|scope| is(&scope.resource, kind));
            let resource = known.map_or(resource, |scope| &scope.resource).clone();
            match inventory {
                Some(inventory) if resource.namespaced => {
                    let scope =
                        |namespace: &String| Scope { resource: resource.clone(), namespace: Some(namespace.clone()) };
                    scopes.members.extend(inventory.namespaces.iter().map(scope));
                }
                _ => drop(scopes.members.insert(Scope { resource, namespace: None })),
            }
        }
        scopes.all.extend(scopes.members.iter().cloned());
        scopes
    }

    /// Watches all namespaces at once of each kind that is in use in many of them, by whomever, where the user may list and watch it
    /// there. Secrets never: others' values are nobody's to hold.
    pub(in crate::engine) async fn widened(mut self, session: &Session) -> Self {
        let mut namespaces: BTreeMap<&Resource, BTreeSet<&str>> = BTreeMap::new();
        for scope in &self.all {
            if let Some(namespace) = &scope.namespace {
                namespaces.entry(&scope.resource).or_default().insert(namespace);
            }
        }
        let crowded = namespaces.into_iter().filter(|(resource, namespaces)| {
            let is_secret = resource.group.is_empty() && resource.kind == "Secret";
            !is_secret
                && session.live().namespaces(resource).is_none_or(|others| {
                    others.iter().map(String::as_str).chain(namespaces.iter().copied()).collect::<BTreeSet<_>>().len()
                        > CROWD
                })
        });
        let crowded: Vec<Resource> = crowded.map(|(resource, _)| resource.clone()).collect();
        let may = crowded.iter().map(|resource| may_watch_everywhere(session, resource));
        let may = futures::future::join_all(may).await;
        let wide: BTreeSet<Resource> =
            crowded.into_iter().zip(may).filter_map(|(resource, may)| may.then_some(resource)).collect();
        if !wide.is_empty() {
            for scopes in [&mut self.all, &mut self.members] {
                *scopes = std::mem::take(scopes).into_iter().map(|scope| widen(scope, &wide)).collect();
            }
        }
        self
    }

    /// Takes the state of everything that is watched.
    pub(in crate::engine) fn snapshots(&self, cache: &LiveCache) -> Snapshots {
        let known: BTreeMap<Scope, Known<Snapshot>> =
            self.all.iter().map(|scope| (scope.clone(), cache.snapshot(scope))).collect();
        Snapshots { known }
    }
}

/// What is known of each scope at one moment.
pub(in crate::engine) struct Snapshots {
    known: BTreeMap<Scope, Known<Snapshot>>,
}

impl Snapshots {
    /// Returns what is known of each scope.
    pub(in crate::engine) fn all(&self) -> impl Iterator<Item = &Known<Snapshot>> {
        self.known.values()
    }
    /// Returns what is known of a scope.
    pub(in crate::engine) fn get(&self, scope: &Scope) -> Option<&Known<Snapshot>> {
        self.known.get(scope)
    }
    /// Finds the snapshots of objects, which are of few kinds and namespaces.
    pub(in crate::engine) fn finder(&self) -> Finder<'_> {
        Finder { snapshots: self, found: HashMap::new() }
    }
}

/// Finds the snapshot that an object stands in.
pub(in crate::engine) struct Finder<'a> {
    snapshots: &'a Snapshots,
    found: HashMap<(*const Resource, Option<&'a str>), Option<&'a Known<Snapshot>>>,
}

impl<'a> Finder<'a> {
    /// Returns what is known of the scope of a kind in a namespace; none: it is not watched.
    pub(in crate::engine) fn find(
        &mut self,
        resource: &'a Arc<Resource>,
        id: &'a ObjectId,
    ) -> Option<&'a Known<Snapshot>> {
        let namespace = id.namespace.as_deref();
        let snapshots = self.snapshots;
        *self.found.entry((Arc::as_ptr(resource), namespace)).or_insert_with(|| {
            let scope = Scope { resource: Resource::clone(resource), namespace: namespace.map(str::to_owned) };
            snapshots.get(&scope).or_else(|| snapshots.get(&Scope { namespace: None, ..scope }))
        })
    }
}

/// Returns a kind that is served: one that only this application's own CRD defines has no verbs, and is not served yet.
pub(in crate::engine) fn served(resource: &Result<Arc<Resource>, String>) -> Option<&Arc<Resource>> {
    resource.as_ref().ok().filter(|resource| !resource.verbs.is_empty())
}

fn is(resource: &Resource, kind: &GroupKind) -> bool {
    resource.group == kind.group && resource.kind == kind.kind
}

fn widen(scope: Scope, wide: &BTreeSet<Resource>) -> Scope {
    if wide.contains(&scope.resource) { Scope { namespace: None, ..scope } } else { scope }
}

/// Says whether the user may list and watch a kind in all namespaces. A right that was taken away since shows in the watch, and is not
/// asked about again.
async fn may_watch_everywhere(session: &Session, resource: &Resource) -> bool {
    let everywhere = Scope { resource: resource.clone(), namespace: None };
    match session.live().snapshot(&everywhere) {
        Known::Known { .. } => true,
        Known::Failed(error) if matches!(*error, ClusterError::Forbidden { .. }) => {
            session.may_not_watch(everywhere);
            false
        }
        Known::Failed(_) | Known::Pending => session.may_watch(resource, None).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(kind: &str) -> Resource {
        Resource {
            group: String::new(),
            version: "v1".into(),
            kind: kind.into(),
            plural: format!("{}s", kind.to_lowercase()),
            namespaced: true,
            verbs: vec!["list".into()],
        }
    }

    #[test]
    fn only_what_is_wide_is_widened() {
        let wide = BTreeSet::from([resource("ConfigMap")]);
        let scope = |kind: &str| Scope { resource: resource(kind), namespace: Some("shop".into()) };
        assert_eq!(widen(scope("ConfigMap"), &wide).namespace, None);
        assert_eq!(widen(scope("Secret"), &wide), scope("Secret"));
    }
}
