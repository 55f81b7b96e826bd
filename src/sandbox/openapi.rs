//! The OpenAPI v3 document of a definition's resources, as kube-apiserver publishes it (apiextensions-apiserver's
//! `controller/openapi/builder`): the schema with the metadata that every object has, and the operations by which
//! clients see what can be done.

use super::{
    answer::{self, Answer},
    catalog::{self, Resource},
    failure::Failure,
};
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// The media type in which kubectl asks for the older document, and the one in which it is answered.
const VERSION_2: (&str, &str) = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
);

/// `/openapi/v2`, which kubectl asks for where the newer index does not have a kind, to be sure that there is none. It
/// describes no kind: who wants to know one has version 3.
///
/// # Errors
/// 406 for the JSON form.
pub(super) fn version_2(headers: &HeaderMap) -> Result<Answer, Failure> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains(VERSION_2.0) {
        return Err(Failure::not_acceptable());
    }
    // gnostic's `Document`: swagger = 1, info = 2 with title = 1 and version = 2; lengths fit one byte.
    let field = |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8], content].concat();
    let version = catalog::version()["gitVersion"].as_str().unwrap_or_default();
    let info = [field(1, b"Kubernetes"), field(2, version.as_bytes())].concat();
    Ok(answer::bytes(200, VERSION_2.1, [field(1, b"2.0"), field(2, &info)].concat()))
}

/// The document of resources of one group and version.
pub(super) fn document(resources: &[&Resource]) -> Value {
    let (mut schemas, mut paths) = (meta_schemas(), Map::new());
    for resource in resources {
        let name = type_name(resource);
        schemas.insert(name.clone(), object_schema(resource));
        schemas.insert(format!("{name}List"), list_schema(resource, &name));
        add_paths(&mut paths, resource, &name);
    }
    json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
        "paths": paths, "components": {"schemas": schemas},
    })
}

/// `com.example.v1.Widget` of the group `example.com`.
fn type_name(resource: &Resource) -> String {
    let mut parts: Vec<&str> = resource.group.split('.').rev().collect();
    parts.extend([resource.version.as_str(), resource.kind.as_str()]);
    parts.join(".")
}

fn group_version_kind(resource: &Resource, kind: &str) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": kind})
}

/// What objects are made of besides their own schema, from the document of the core group.
fn meta_schemas() -> Map<String, Value> {
    let core = super::schemas::own_types();
    let mut found = Map::new();
    let mut wanted = vec![
        format!("{META}ObjectMeta"),
        format!("{META}ListMeta"),
        format!("{META}DeleteOptions"),
        format!("{META}Status"),
        format!("{META}Patch"),
    ];
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let Some(schema) = core.get(&name) else { continue };
        collect_references(schema, &mut wanted);
        found.insert(name, schema.clone());
    }
    found
}

fn collect_references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().and_then(|text| text.strip_prefix("#/components/schemas/")) {
                    Some(target) if name == "$ref" => found.push(target.to_owned()),
                    _ => collect_references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

fn object_schema(resource: &Resource) -> Value {
    let custom = resource.custom.as_deref();
    let mut schema = custom
        .and_then(|version| version.pointer("/schema/openAPIV3Schema"))
        .cloned()
        .unwrap_or_else(|| json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
    published(&mut schema);
    let Some(fields) = schema.as_object_mut() else { return schema };
    let preserves = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&true.into());
    if !preserves || fields.contains_key("properties") {
        let properties = fields.entry("properties").or_insert_with(|| json!({}));
        properties["apiVersion"] = json!({"type": "string", "description": API_VERSION});
        properties["kind"] = json!({"type": "string", "description": KIND});
        properties["metadata"] = json!({
            "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
            "allOf": [{"$ref": format!("#/components/schemas/{META}ObjectMeta")}],
        });
    }
    fields.insert("x-kubernetes-group-version-kind".into(), json!([group_version_kind(resource, &resource.kind)]));
    schema
}

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// An embedded object has the metadata of any object.
fn published(schema: &mut Value) {
    if schema.get("x-kubernetes-embedded-resource") == Some(&true.into()) {
        let properties = super::meta::made(schema, "properties");
        properties.insert("apiVersion".into(), json!({"type": "string", "description": API_VERSION}));
        properties.insert("kind".into(), json!({"type": "string", "description": KIND}));
        properties
            .insert("metadata".into(), json!({"allOf": [{"$ref": format!("#/components/schemas/{META}ObjectMeta")}]}));
    }
    let Some(fields) = schema.as_object_mut() else { return };
    for (name, member) in fields {
        match (name.as_str(), member) {
            ("properties", Value::Object(members)) => members.values_mut().for_each(published),
            ("items" | "additionalProperties", member @ Value::Object(_)) => published(member),
            _ => {}
        }
    }
}

fn list_schema(resource: &Resource, name: &str) -> Value {
    json!({
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "type": "object", "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string", "description": API_VERSION},
            "items": {
                "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", resource.plural),
                "type": "array", "items": {"$ref": format!("#/components/schemas/{name}")},
            },
            "kind": {"type": "string", "description": KIND},
            "metadata": {"allOf": [{"$ref": format!("#/components/schemas/{META}ListMeta")}]},
        },
        "x-kubernetes-group-version-kind": [group_version_kind(resource, &resource.list_kind)],
    })
}

fn add_paths(paths: &mut Map<String, Value>, resource: &Resource, name: &str) {
    let base = format!("/apis/{}/{}", resource.group, resource.version);
    let namespaced = if resource.namespaced { format!("{base}/namespaces/{{namespace}}") } else { base.clone() };
    let reference = json!({"$ref": format!("#/components/schemas/{name}")});
    let operation = |action: &str, parameters: &[&str]| {
        let parameters: Vec<Value> = parameters.iter().map(|name| query_parameter(name)).collect();
        json!({
            "tags": [format!("{}_{}", resource.group.replace('.', "_"), resource.version)],
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": group_version_kind(resource, &resource.kind),
        })
    };
    let write = ["dryRun", "fieldManager", "fieldValidation"];
    let listed = json!({
        "get": operation("list", &["continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "watch"]),
        "post": operation("post", &write),
        "delete": operation("deletecollection", &["dryRun", "labelSelector", "fieldSelector"]),
    });
    let single = json!({
        "get": operation("get", &["resourceVersion"]),
        "put": operation("put", &write),
        "patch": operation("patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
        "delete": operation("delete", &["dryRun", "gracePeriodSeconds", "propagationPolicy"]),
    });
    paths.insert(format!("{namespaced}/{}", resource.plural), listed);
    paths.insert(format!("{namespaced}/{}/{{name}}", resource.plural), single);
    for part in resource.subresources.iter().filter(|part| part.name == "status") {
        let of_status = json!({
            "get": operation("get", &["resourceVersion"]), "put": operation("put", &write),
            "patch": operation("patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
        });
        paths.insert(format!("{namespaced}/{}/{{name}}/{}", resource.plural, part.name), of_status);
    }
    if resource.namespaced {
        let everywhere =
            json!({"get": operation("list", &["continue", "fieldSelector", "labelSelector", "limit", "watch"])});
        paths.insert(format!("{base}/{}", resource.plural), everywhere);
    }
}

fn query_parameter(name: &str) -> Value {
    let kind = match name {
        "limit" | "gracePeriodSeconds" => "integer",
        "watch" | "force" => "boolean",
        _ => "string",
    };
    json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
}
