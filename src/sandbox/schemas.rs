//! The OpenAPI v3 documents: Kubernetes' own as a real server published them, those of definitions made from their
//! schemas; and what apply, defaulting and strategic merge patches know from them.

use super::{
    catalog::{Catalog, Resource, asset},
    openapi,
};
use crate::{
    merge::{Schema, Schemas},
    object::sha256_hex,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock},
};

/// Path and document, by lines.
static OWN: LazyLock<Vec<u8>> = LazyLock::new(|| asset(include_bytes!("../../assets/sandbox/openapi.zst")));

/// The documents by path (`apis/apps/v1`).
static OWN_DOCUMENTS: LazyLock<BTreeMap<&'static str, &'static [u8]>> = LazyLock::new(|| {
    let lines: Vec<&[u8]> = OWN.split(|byte| *byte == b'\n').collect();
    let pairs = lines.chunks_exact(2).filter_map(|pair| Some((std::str::from_utf8(pair[0]).ok()?, pair[1])));
    pairs.collect()
});

/// The way of a group and version into the index of documents.
fn path_of(api_version: &str) -> String {
    if api_version.contains('/') { format!("apis/{api_version}") } else { format!("api/{api_version}") }
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strategy {
    /// `merge`, `replace`, `retainKeys`, or two of them.
    pub patch: Vec<String>,
    /// The field by which items are found.
    pub key: String,
}

/// By the names of type and field.
pub(super) type Strategies = HashMap<(String, String), Strategy>;

/// The documents of a server and what was read from them so far.
#[derive(Default)]
pub(super) struct Documents {
    read: RwLock<Schemas>,
    strategies: Mutex<HashMap<String, Arc<Strategies>>>,
    /// By path.
    custom: RwLock<BTreeMap<String, Arc<Vec<u8>>>>,
}

impl Documents {
    /// Makes the documents of the definitions' resources anew.
    pub fn define(&self, catalog: &Catalog) {
        let mut made: BTreeMap<String, Arc<Vec<u8>>> = BTreeMap::new();
        for group in &catalog.groups {
            for (version, resources) in &group.versions {
                let custom: Vec<&Resource> =
                    resources.iter().map(AsRef::as_ref).filter(|r| r.custom.is_some()).collect();
                if !custom.is_empty() {
                    let path = path_of(&crate::object::join_api_version(&group.name, version));
                    made.insert(path, Arc::new(openapi::document(&custom).to_string().into_bytes()));
                }
            }
        }
        let mut documents = self.custom.write().unwrap_or_else(PoisonError::into_inner);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        for (path, _) in documents.iter().filter(|(path, document)| made.get(*path) != Some(document)) {
            read.remove(path.trim_start_matches("apis/"));
        }
        *documents = made;
    }

    /// The document of a path.
    pub fn document(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(own) = OWN_DOCUMENTS.get(path) {
            return Some(own.to_vec());
        }
        self.custom.read().unwrap_or_else(PoisonError::into_inner).get(path).map(|document| document.to_vec())
    }

    /// `/openapi/v3`: every path with the hash of its document.
    pub fn index(&self) -> Value {
        static HASHES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
            OWN_DOCUMENTS.iter().map(|(path, document)| ((*path).to_owned(), entry(path, document))).collect()
        });
        let mut paths = HASHES.clone();
        let custom = self.custom.read().unwrap_or_else(PoisonError::into_inner);
        paths.extend(custom.iter().map(|(path, document)| (path.clone(), entry(path, document))));
        json!({"paths": paths})
    }

    /// The schemas, with that of a group and version among them.
    pub fn schemas(&self, api_version: &str) -> Schemas {
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner);
        if known.get(api_version).is_some() {
            return known.clone();
        }
        drop(known);
        let read = self.document(&path_of(api_version)).and_then(|text| Schema::read(&text).ok());
        let mut known = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = read {
            known.insert(api_version, Arc::new(schema));
        }
        known.clone()
    }

    /// How strategic merge patches treat the fields of a group and version of Kubernetes' own.
    pub fn strategies(&self, api_version: &str) -> Arc<Strategies> {
        let mut known = self.strategies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(api_version) {
            return known.clone();
        }
        let document = OWN_DOCUMENTS.get(path_of(api_version).as_str()).copied().unwrap_or_default();
        let found = Arc::new(read_strategies(&serde_json::from_slice(document).unwrap_or_default()));
        known.insert(api_version.to_owned(), found.clone());
        found
    }
}

/// The types of the core group's document.
pub(super) fn own_types() -> &'static Map<String, Value> {
    static TYPES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let core = OWN_DOCUMENTS.get("api/v1").copied().unwrap_or_default();
        let document: Value = serde_json::from_slice(core).unwrap_or_default();
        let types = document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
        types.into_iter().filter(|(name, _)| name.starts_with("io.k8s.apimachinery.")).collect()
    });
    &TYPES
}

fn entry(path: &str, document: &[u8]) -> Value {
    let hash = sha256_hex(document).to_uppercase();
    json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")})
}

fn read_strategies(document: &Value) -> Strategies {
    let mut found = Strategies::new();
    let types = document.pointer("/components/schemas").and_then(Value::as_object);
    for (name, schema) in types.into_iter().flatten() {
        for (field, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let text = |name: &str| property.get(name).and_then(Value::as_str).unwrap_or_default();
            let patch = text("x-kubernetes-patch-strategy");
            if !patch.is_empty() {
                let patch = patch.split(',').map(str::to_owned).collect();
                let key = text("x-kubernetes-patch-merge-key").to_owned();
                found.insert((name.clone(), field.clone()), Strategy { patch, key });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_group_has_a_document_that_apply_can_read() {
        let documents = Documents::default();
        for group in &Catalog::built_in().groups {
            for (version, resources) in &group.versions {
                let api_version = crate::object::join_api_version(&group.name, version);
                let schemas = documents.schemas(&api_version);
                for resource in resources.iter().filter(|resource| resource.verbs.iter().any(|verb| verb == "patch")) {
                    assert!(schemas.kind(&api_version, &resource.kind).is_some(), "{api_version} {}", resource.kind);
                }
            }
        }
    }

    #[test]
    fn strategies_are_those_of_the_types() {
        let strategies = Documents::default().strategies("apps/v1");
        let of = |name: &str, field: &str| strategies.get(&(format!("io.k8s.api.{name}"), field.to_owned())).cloned();
        let containers = of("core.v1.PodSpec", "containers").unwrap();
        assert_eq!((containers.patch, containers.key.as_str()), (vec!["merge".to_owned()], "name"));
        assert_eq!(of("apps.v1.DeploymentSpec", "strategy").unwrap().patch, ["retainKeys"]);
        assert_eq!(of("core.v1.PodSpec", "nodeSelector"), None);
    }
}
