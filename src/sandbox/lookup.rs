//! Objects as the server's own parts read them: parsed, in the version in which they are kept.

use super::{
    api::Api,
    catalog::Resource,
    store::{Key, Range},
};
use serde_json::Value;
use std::sync::Arc;

impl Api {
    /// The resource of a collection, in the version in which its objects are kept.
    pub fn resource(&self, collection: &str) -> Option<Arc<Resource>> {
        let catalog = self.catalog();
        let all = catalog.groups.iter().flat_map(|group| &group.versions).flat_map(|(_, resources)| resources);
        let mut of_collection = all.filter(|resource| *resource.collection == *collection);
        let first = of_collection.next()?;
        let kept = of_collection.find(|resource| resource.api_version() == resource.storage_version);
        Some(if first.api_version() == first.storage_version { first } else { kept.unwrap_or(first) }.clone())
    }

    /// One object.
    pub fn object(&self, collection: &str, namespace: &str, name: &str) -> Option<Value> {
        let record = self.store.get(&Key::new(&Arc::from(collection), namespace, name))?;
        Some(record.read())
    }

    /// All objects of a collection, or of one namespace in it.
    pub fn all(&self, collection: &str, namespace: Option<&str>) -> Vec<Value> {
        let collection = Arc::from(collection);
        let range = Range { collection: &collection, namespace, after: None, limit: 0, at: None };
        let page = self.store.list(range).unwrap_or_default();
        page.records.iter().map(|(_, record)| record.read()).collect()
    }
}
