//! Rows for people (`Table`): the columns that kube-apiserver prints for each resource, and the cells of an object.
//!
//! The columns are data, taken from a real server; the cells are code, as kubernetes' `pkg/printers/internalversion` makes
//! them. Custom resources have the columns of their definition.

mod age;
mod config;
mod custom;
mod network;
mod other;
mod pod;
mod workload;

use super::{
    catalog::{Resource, asset},
    meta::{self, text},
};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// By `GROUP/VERSION/RESOURCE`.
static COLUMNS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_slice(&asset(include_bytes!("../../../assets/sandbox/columns.json.zst"))).unwrap_or_default()
});

/// A table of objects of the resource's version, without the list's metadata. `include` says what of each object goes with
/// its row: `None`, `Object`, else its metadata.
pub(super) fn of(resource: &Resource, objects: &[Value], include: Option<&str>, with_columns: bool) -> Value {
    let columns = columns(resource);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells(resource, &columns, object), "object": included(object, include)});
            if &*resource.collection == "pods" {
                let conditions = pod::row_conditions(object);
                if !conditions.is_empty() {
                    row["conditions"] = conditions.into();
                }
            }
            row
        })
        .collect();
    let columns = if with_columns { columns } else { Vec::new() };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": rows})
}

fn included(object: &Value, include: Option<&str>) -> Value {
    match include {
        Some("None") => Value::Null,
        Some("Object") => object.clone(),
        _ => json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]}),
    }
}

fn columns(resource: &Resource) -> Vec<Value> {
    if let Some(version) = &resource.custom {
        return custom::columns(version);
    }
    let key = format!("{}/{}/{}", resource.group, resource.version, resource.plural);
    COLUMNS.get(&key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn cells(resource: &Resource, columns: &[Value], object: &Value) -> Vec<Value> {
    if let Some(version) = &resource.custom {
        return custom::cells(version, object);
    }
    let name = || Value::from(meta::name(object));
    let age = || Value::from(age::since(text(object, "/metadata/creationTimestamp")));
    let found = match &*resource.collection {
        "pods" => pod::cells(object),
        "deployments.apps" => workload::deployment(object),
        "replicasets.apps" | "replicationcontrollers" => workload::replica_set(object),
        "statefulsets.apps" => workload::stateful_set(object),
        "daemonsets.apps" => workload::daemon_set(object),
        "jobs.batch" => workload::job(object),
        "cronjobs.batch" => workload::cron_job(object),
        "horizontalpodautoscalers.autoscaling" => workload::autoscaler(&resource.version, object),
        "services" => network::service(object),
        "endpoints" => network::endpoints(object),
        "endpointslices.discovery.k8s.io" => network::endpoint_slice(object),
        "ingresses.networking.k8s.io" => network::ingress(object),
        "networkpolicies.networking.k8s.io" => network::policy(object),
        "configmaps" => config::config_map(object),
        "secrets" => config::secret(object),
        "events" => config::event(resource, object),
        "persistentvolumeclaims" => config::claim(object),
        "persistentvolumes" => config::volume(object),
        "storageclasses.storage.k8s.io" => config::storage_class(object),
        "resourcequotas" => config::quota(object),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            config::binding(object)
        }
        "nodes" => other::node(object),
        "namespaces" => vec![name(), text(object, "/status/phase").into(), age()],
        "leases.coordination.k8s.io" => vec![name(), text(object, "/spec/holderIdentity").into(), age()],
        "poddisruptionbudgets.policy" => other::disruption_budget(object),
        "priorityclasses.scheduling.k8s.io" => other::priority_class(object),
        "apiservices.apiregistration.k8s.io" => other::api_service(object),
        "ingressclasses.networking.k8s.io" => other::ingress_class(object),
        "flowschemas.flowcontrol.apiserver.k8s.io" => other::flow_schema(object),
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io" => other::priority_level(object),
        "servicecidrs.networking.k8s.io" => vec![name(), other::joined(object, "/spec/cidrs").into(), age()],
        "controllerrevisions.apps" => other::revision(object),
        "validatingwebhookconfigurations.admissionregistration.k8s.io"
        | "mutatingwebhookconfigurations.admissionregistration.k8s.io" => {
            vec![name(), meta::items(object, "/webhooks").len().into(), age()]
        }
        "runtimeclasses.node.k8s.io" => vec![name(), text(object, "/handler").into(), age()],
        _ => Vec::new(),
    };
    if !found.is_empty() {
        return found;
    }
    // Names and ages all have; of the rest of the rare kinds nothing is shown.
    let cell = |column: &Value| match text(column, "/name") {
        "Name" => name(),
        "Age" => age(),
        "Created At" => object["metadata"]["creationTimestamp"].clone(),
        _ => "<unset>".into(),
    };
    columns.iter().map(cell).collect()
}
