//! What the server adds to objects besides defaults: allocated addresses and ports, the uid in a Job's labels, what the
//! admission plugins of every usual server give a Pod.

use crate::sandbox::{
    api::Api,
    catalog::Resource,
    failure::Failure,
    meta::{self, items, made, text},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// On creation.
///
/// # Errors
/// 403 and 422.
pub(super) fn on_create(api: &Api, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    match &*resource.collection {
        "services" => allocate(api, object),
        "jobs.batch" => label_job(object),
        "pods" => complete_pod(api, object)?,
        "customresourcedefinitions.apiextensions.k8s.io" => {
            let status = made(object, "status");
            status.entry("conditions").or_insert_with(|| json!([]));
            status.entry("acceptedNames").or_insert_with(|| json!({"plural": "", "kind": ""}));
        }
        _ => {}
    }
    Ok(())
}

/// On another state.
///
/// # Errors
/// 403 and 422.
pub(super) fn on_update(api: &Api, resource: &Resource, _live: &Value, object: &mut Value) -> Result<(), Failure> {
    if &*resource.collection == "services" {
        allocate(api, object);
    }
    Ok(())
}

/// The range of cluster addresses is 10.0.0.0/16; the first is the API's own.
const ADDRESSES: u16 = u16::MAX;
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;

/// Addresses and node ports of a Service that has none where it should.
fn allocate(api: &Api, service: &mut Value) {
    let kind = text(service, "/spec/type").to_owned();
    if kind == "ExternalName" {
        return;
    }
    let others = api.all("services", None);
    if text(service, "/spec/clusterIP").is_empty() {
        let used: BTreeSet<&str> = others.iter().map(|other| text(other, "/spec/clusterIP")).collect();
        let start = u16::from_le_bytes(meta::random());
        let addresses =
            (0..ADDRESSES).map(|step| start.wrapping_add(step)).filter(|at| at & 0xff != 0 && at & 0xff != 0xff);
        let address = addresses
            .map(|at| format!("10.0.{}.{}", at >> 8, at & 0xff))
            .find(|address| address != "10.0.0.1" && !used.contains(address.as_str()));
        if let Some(address) = address {
            let spec = made(service, "spec");
            spec.insert("clusterIP".into(), address.clone().into());
            spec.insert("clusterIPs".into(), json!([address]));
        }
    }
    let has_ports = matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        && service.pointer("/spec/allocateLoadBalancerNodePorts") != Some(&false.into());
    if has_ports {
        let own = text(service, "/metadata/uid").to_owned();
        let ports = others.iter().filter(|other| meta::uid(other) != own).flat_map(|other| items(other, "/spec/ports"));
        let mut used: BTreeSet<i64> = ports.map(|port| meta::number(port, "/nodePort")).collect();
        used.extend(items(service, "/spec/ports").iter().map(|port| meta::number(port, "/nodePort")));
        let span = NODE_PORTS.end() - NODE_PORTS.start() + 1;
        let ports = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten().filter(|port| meta::number(port, "/nodePort") == 0) {
            let start = i64::from(u16::from_le_bytes(meta::random()));
            let mut free = (0..span).map(|step| NODE_PORTS.start() + (start + step) % span);
            if let Some(found) = free.find(|port| used.insert(*port)) {
                port["nodePort"] = found.into();
            }
        }
        // Nodes answer there for their share of a load balancer's traffic.
        let is_asked = kind == "LoadBalancer" && text(service, "/spec/externalTrafficPolicy") == "Local";
        if is_asked && meta::number(service, "/spec/healthCheckNodePort") == 0 {
            let start = i64::from(u16::from_le_bytes(meta::random()));
            let mut free = (0..span).map(|step| NODE_PORTS.start() + (start + step) % span);
            let found = free.find(|port| used.insert(*port));
            meta::set(made(service, "spec"), "healthCheckNodePort", found.map(Value::from));
        }
    }
}

/// A Job finds its Pods by its own uid.
fn label_job(job: &mut Value) {
    if job.pointer("/spec/manualSelector") == Some(&true.into()) {
        return;
    }
    let (uid, name) = (meta::uid(job).to_owned(), meta::name(job).to_owned());
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("job-name", &name),
    ];
    let own_labels = job.pointer("/metadata/labels").cloned();
    let template_labels = job.pointer("/spec/template/metadata/labels").cloned();
    let spec = made(job, "spec");
    spec.entry("selector").or_insert_with(|| json!({}));
    made(&mut spec["selector"], "matchLabels").insert(labels[0].0.into(), uid.clone().into());
    let template = spec.entry("template").or_insert_with(|| json!({}));
    meta::metadata(template);
    let into = made(&mut template["metadata"], "labels");
    for (name, value) in labels {
        into.insert(name.into(), value.clone().into());
    }
    let into = into.clone();
    // Without labels of its own it has its template's.
    if own_labels.is_none() || own_labels == template_labels {
        meta::metadata(job).insert("labels".into(), into.into());
    }
}

/// Priority, ServiceAccount, DefaultTolerationSeconds, TaintNodesByCondition: what becomes of every Pod.
fn complete_pod(api: &Api, pod: &mut Value) -> Result<(), Failure> {
    let namespace = meta::namespace(pod).to_owned();
    let spec = made(pod, "spec");
    let account = spec.get("serviceAccountName").and_then(Value::as_str).filter(|name| !name.is_empty());
    let account = account.unwrap_or("default").to_owned();
    if api.object("serviceaccounts", &namespace, &account).is_none() {
        let why =
            format!("error looking up service account {namespace}/{account}: serviceaccount {account:?} not found");
        return Err(Failure::forbidden("", "pods", meta::name(pod), &why));
    }
    let spec = made(pod, "spec");
    spec.insert("serviceAccountName".into(), account.clone().into());
    spec.insert("serviceAccount".into(), account.into());
    spec.entry("priority").or_insert(0.into());
    spec.entry("preemptionPolicy").or_insert("PreemptLowerPriority".into());
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let known = tolerations.as_array().into_iter().flatten().any(|known| known["key"] == key);
        if let Some(tolerations) = tolerations.as_array_mut().filter(|_| !known) {
            tolerations
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    if spec.get("automountServiceAccountToken") != Some(&false.into()) {
        mount_token(spec);
    }
    Ok(())
}

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn mount_token(spec: &mut serde_json::Map<String, Value>) {
    let volume = format!("kube-api-access-{}", meta::suffix());
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else { continue };
            let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
            let has = mounts.as_array().into_iter().flatten().any(|mount| mount["mountPath"] == TOKEN_PATH);
            if let Some(mounts) = mounts.as_array_mut().filter(|_| !has) {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}));
                mounted = true;
            }
        }
    }
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut().filter(|_| mounted) {
        let namespace =
            json!({"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}});
        volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ]}}));
    }
    if spec.get("volumes") == Some(&json!([])) {
        spec.remove("volumes");
    }
}
