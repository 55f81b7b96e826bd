//! What only the server can say of an object: the paths at which it will put something of its own.

use super::{
    fields::{Fields, items, number, object, text},
    service::{has_health_check_port, has_node_ports, is_external},
};
use crate::object::Pointer;
use serde_json::Value;

const CONTROLLER_UID: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];

/// The paths of a predicted object (see [`super::apply`]) at which the server puts something that cannot be known:
/// allocated addresses and ports of a service, the uid in a job's labels and selector, and what the admission plugins of
/// every usual server add to a pod, claim or ingress. They are absent from the object, with two exceptions: lists of a pod
/// to which admission adds, and `ipFamilies` of a service, which are those of a cluster whose first family is IPv4.
///
/// Metadata that every object gets (uid, times, versions) is not listed. `created` says that there is no such object yet.
#[must_use]
pub fn server_assigned(object: &Value, created: bool) -> Vec<Pointer> {
    let (Some(fields), Some((api_version, kind))) = (object.as_object(), super::type_of(object)) else {
        return Vec::new();
    };
    let Some(spec) = super::fields::object(fields, "spec") else { return Vec::new() };
    match (api_version.as_str(), kind.as_str()) {
        ("v1", "Service") => service(spec),
        ("batch/v1", "Job") if created => job(fields),
        ("v1", "Pod") if created => pod(spec),
        ("v1", "PersistentVolumeClaim") if created => absent(spec, &["storageClassName"]),
        ("networking.k8s.io/v1", "Ingress") if created => absent(spec, &["ingressClassName"]),
        _ => Vec::new(),
    }
}

/// The fields of a spec that are not there.
fn absent(spec: &Fields, fields: &[&str]) -> Vec<Pointer> {
    fields.iter().filter(|field| !spec.contains_key(**field)).map(|field| in_spec(field)).collect()
}

fn in_spec(field: &str) -> Pointer {
    Pointer::default().child("spec").child(field)
}

fn service(spec: &Fields) -> Vec<Pointer> {
    if is_external(spec) {
        return Vec::new();
    }
    let mut paths = Vec::new();
    if text(spec, "clusterIP").is_empty() {
        paths.extend(["clusterIP", "clusterIPs", "ipFamilies"].map(in_spec));
    }
    let allocates =
        text(spec, "type") == "NodePort" || spec.get("allocateLoadBalancerNodePorts") != Some(&false.into());
    for (at, port) in items(spec, "ports").iter().enumerate() {
        if has_node_ports(spec) && allocates && port.as_object().is_some_and(|port| number(port, "nodePort") == 0) {
            paths.push(in_spec("ports").child(at.to_string()).child("nodePort"));
        }
    }
    if has_health_check_port(spec) && number(spec, "healthCheckNodePort") == 0 {
        paths.push(in_spec("healthCheckNodePort"));
    }
    paths
}

/// Priority, ServiceAccount and DefaultTolerationSeconds; the scheduler.
fn pod(spec: &Fields) -> Vec<Pointer> {
    let fields =
        ["nodeName", "serviceAccountName", "serviceAccount", "priority", "preemptionPolicy", "imagePullSecrets"];
    let mut paths = absent(spec, &fields);
    paths.push(in_spec("tolerations"));
    if spec.get("automountServiceAccountToken") != Some(&false.into()) {
        paths.push(in_spec("volumes"));
        for list in ["initContainers", "containers"] {
            let mounts = |at: usize| in_spec(list).child(at.to_string()).child("volumeMounts");
            paths.extend((0..items(spec, list).len()).map(mounts));
        }
    }
    paths
}

fn job(job: &Fields) -> Vec<Pointer> {
    let spec = object(job, "spec");
    if spec.is_some_and(|spec| spec.get("manualSelector") == Some(&true.into())) {
        return Vec::new();
    }
    let labelled = |base: Pointer| CONTROLLER_UID.map(|label| base.child(label));
    let mut paths = labelled(Pointer::from("/spec/template/metadata/labels")).to_vec();
    paths.push(match spec.and_then(|spec| object(spec, "selector")) {
        Some(_) => Pointer::from("/spec/selector/matchLabels").child(CONTROLLER_UID[0]),
        None => in_spec("selector"),
    });
    // Without labels of its own a job has its template's, which then carry the job's name.
    let own = super::fields::at(job, &["metadata", "labels"]);
    if own.is_some() && own == super::workloads::template_labels(job) {
        paths.extend(labelled(Pointer::from("/metadata/labels")));
    }
    paths
}
