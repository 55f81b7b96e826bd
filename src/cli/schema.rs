//! `docs/json-schema`: a schema of each published document, generated from the types. The test here writes them with
//! `DRIFTDECK_UPDATE_SCHEMAS=1`, and else compares.

use super::{check::Check, output::API_VERSION, status::Status};
use crate::engine::{CommitEffect, Comparison, GitChange, History, Plan, SyncReport};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

fn generator() -> SchemaGenerator {
    // what is printed, not what is read: fields that are always written are required
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn document(kind: &str, schema: Schema) -> Value {
    let mut schema = schema.to_value();
    schema["title"] = json!(kind);
    schema["properties"]["apiVersion"] = json!({ "const": API_VERSION });
    schema["properties"]["kind"] = json!({ "const": kind });
    let required = schema["required"].as_array_mut().expect("every document has required fields");
    required.splice(0..0, [json!("apiVersion"), json!("kind")]);
    schema
}

fn list(kind: &str, extra: &[(&str, Value)]) -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{kind}List"),
        "type": "object",
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "const": format!("{kind}List") },
            "items": { "type": "array", "items": { "$ref": format!("{kind}.json") } },
        },
        "required": ["apiVersion", "kind", "items"],
    });
    for (name, property) in extra {
        schema["properties"][name] = property.clone();
        schema["required"].as_array_mut().expect("just made").push(json!(name));
    }
    schema
}

fn schemas() -> BTreeMap<String, Value> {
    let documents = [
        ("Comparison", generator().into_root_schema_for::<Comparison>()),
        ("Plan", generator().into_root_schema_for::<Plan>()),
        ("Sync", generator().into_root_schema_for::<SyncReport>()),
        ("Status", generator().into_root_schema_for::<Status>()),
        ("History", generator().into_root_schema_for::<History>()),
        ("CommitEffect", generator().into_root_schema_for::<CommitEffect>()),
        ("GitChange", generator().into_root_schema_for::<GitChange>()),
        ("Check", generator().into_root_schema_for::<Check>()),
    ];
    let digest =
        ("digest", json!({ "type": "string", "description": "`sha256:<hex>@<issued>` over the plans' digests." }));
    let lists = [list("Comparison", &[]), list("Plan", &[digest]), list("Sync", &[]), list("Status", &[])];
    documents
        .into_iter()
        .map(|(kind, schema)| (kind.to_owned(), document(kind, schema)))
        .chain(lists.into_iter().map(|schema| (schema["title"].as_str().expect("just made").to_owned(), schema)))
        .collect()
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json-schema");
    let update = std::env::var_os("DRIFTDECK_UPDATE_SCHEMAS").is_some();
    let mut names: Vec<String> = Vec::new();
    for (kind, schema) in schemas() {
        let file = folder.join(format!("{kind}.json"));
        let text = format!("{schema:#}\n");
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == text, "{} is not what the types say: run with DRIFTDECK_UPDATE_SCHEMAS=1", file.display());
        names.push(format!("{kind}.json"));
    }
    let published = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut published: Vec<String> = published.collect();
    published.sort();
    names.sort();
    assert_eq!(published, names, "a schema of a document that is not published any more");
}
