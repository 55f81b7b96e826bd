//! An OpenAPI document of any form is read or refused; every kind in it can be walked and applied with.
#![no_main]

use driftdeck::merge::{
    Schema, Schemas, merge,
    schema::{Kind, Type},
};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let Ok(schema) = Schema::read(data) else { return };
    let schema = Arc::new(schema);
    let kinds: Vec<_> = schema.kinds().map(|(version, kind)| (version.to_owned(), kind.to_owned())).collect();
    for (version, name) in kinds {
        let Kind { root, .. } = schema.kind(&version, &name).expect("a kind of the document");
        walk(root, 6);
        let mut schemas = Schemas::default();
        schemas.insert(version.clone(), schema.clone());
        let body =
            json!({"apiVersion": version, "kind": name, "metadata": {"name": "x"}, "spec": {"a": [{"name": "b"}]}});
        let _ = merge(&schemas, Some(&body), &body, "fuzz", true);
    }
});

/// Types refer to themselves: only so deep.
fn walk(schema: Type<'_>, depth: usize) {
    if depth == 0 {
        return;
    }
    if let Some(list) = schema.list() {
        walk(list.items(), depth - 1);
    }
    if let Some(map) = schema.map() {
        for field in map.fields().take(8) {
            assert!(map.field(field.name).is_some());
            walk(field.value, depth - 1);
        }
        map.values().into_iter().for_each(|values| walk(values, depth - 1));
    }
}
