//! The documents by which clients find out what is served: aggregated discovery, the older lists, and the paths.

use super::catalog::{Catalog, Group, Resource};
use serde_json::{Value, json};

/// The media type of aggregated discovery, as it is answered.
pub(super) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/api` or `/apis` in the aggregated form; the core group is the one without a name.
pub(super) fn aggregated(catalog: &Catalog, core: bool) -> Value {
    let groups = catalog.groups.iter().filter(|group| group.name.is_empty() == core);
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": groups.map(aggregated_group).collect::<Vec<_>>(),
    })
}

fn aggregated_group(group: &Group) -> Value {
    let versions = group.versions.iter().map(|(version, resources)| {
        let resources: Vec<Value> = resources.iter().map(|resource| aggregated_resource(resource)).collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    });
    let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
    json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = |[group, version, kind]: [&str; 3]| json!({"group": group, "version": version, "kind": kind});
    // Of its own kinds the server leaves group and version out, of others' it says them.
    let own = match resource.custom {
        None => kind(["", "", &resource.kind]),
        Some(_) => kind([&resource.group, &resource.version, &resource.kind]),
    };
    let mut found = json!({
        "resource": resource.plural, "responseKind": own, "singularResource": resource.singular,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" }, "verbs": resource.verbs,
    });
    if !resource.short_names.is_empty() {
        found["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        found["categories"] = json!(resource.categories);
    }
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|part| {
            let response = kind(part.kind.each_ref().map(String::as_str));
            json!({"subresource": part.name, "responseKind": response, "verbs": part.verbs})
        })
        .collect();
    if !subresources.is_empty() {
        found["subresources"] = json!(subresources);
    }
    found
}

/// `/api` in the older form.
pub(super) fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis` in the older form.
pub(super) fn groups(catalog: &Catalog) -> Value {
    let groups = catalog.groups.iter().filter(|group| !group.name.is_empty()).map(described);
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>()})
}

/// `/apis/GROUP`.
pub(super) fn group(catalog: &Catalog, name: &str) -> Option<Value> {
    let found = catalog.groups.iter().find(|group| !name.is_empty() && group.name == name)?;
    let mut group = described(found);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    Some(group)
}

fn described(group: &Group) -> Value {
    let version = |version: &str| json!({"groupVersion": format!("{}/{version}", group.name), "version": version});
    let versions: Vec<Value> = group.versions.iter().map(|(name, _)| version(name)).collect();
    json!({"name": group.name, "versions": versions, "preferredVersion": versions.first()})
}

/// `/apis/GROUP/VERSION` and `/api/v1`.
pub(super) fn resources(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let found = catalog.groups.iter().find(|known| known.name == group)?;
    let (_, resources) = found.versions.iter().find(|(known, _)| known == version)?;
    let mut listed = Vec::new();
    for resource in resources {
        let mut own = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": resource.verbs,
        });
        if !resource.short_names.is_empty() {
            own["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            own["categories"] = json!(resource.categories);
        }
        listed.push(own);
        for part in &resource.subresources {
            let mut described = json!({
                "name": format!("{}/{}", resource.plural, part.name), "singularName": "",
                "namespaced": resource.namespaced, "kind": part.kind[2], "verbs": part.verbs,
            });
            if !part.kind[1].is_empty() {
                described["group"] = part.kind[0].as_str().into();
                described["version"] = part.kind[1].as_str().into();
            }
            listed.push(described);
        }
    }
    let group_version = crate::object::join_api_version(group, version);
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}))
}

/// `/`.
pub(super) fn paths(catalog: &Catalog) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned(), "/apis/".to_owned()];
    for group in catalog.groups.iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|(version, _)| format!("/apis/{}/{version}", group.name)));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    paths.sort();
    json!({"paths": paths})
}
