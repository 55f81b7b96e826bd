//! What only the server can say of an object: the paths at which it will put something of its own.

use super::{
    fields::{Fields, items, number, object, text},
    service::{has_health_check_port, has_node_ports, is_external},
};
use crate::object::Pointer;
use serde_json::Value;

const CONTROLLER_UID: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];

/// The paths of a predicted object (see [`super::apply`]) at which the server assigns a value: allocated addresses and
/// ports of a service, the uid in a job's labels and selector. They are absent from the object, but for `ipFamilies` of a
/// new service, which are those of a cluster whose first family is IPv4. Metadata that every object gets (uid, times,
/// versions) is not listed. `created` says that there is no such object yet.
#[must_use]
pub fn server_assigned(object: &Value, created: bool) -> Vec<Pointer> {
    let (Some(fields), Some((api_version, kind))) = (object.as_object(), super::type_of(object)) else {
        return Vec::new();
    };
    match (api_version.as_str(), kind.as_str()) {
        ("v1", "Service") => {
            super::fields::object(fields, "spec").map(|spec| service(spec, created)).unwrap_or_default()
        }
        ("batch/v1", "Job") if created => job(fields),
        _ => Vec::new(),
    }
}

fn service(spec: &Fields, created: bool) -> Vec<Pointer> {
    let mut paths = Vec::new();
    if is_external(spec) {
        return paths;
    }
    let mut push = |path: String| paths.push(Pointer::from(path.as_str()));
    if text(spec, "clusterIP").is_empty() {
        ["clusterIP", "clusterIPs"].iter().for_each(|field| push(format!("/spec/{field}")));
        if created {
            push("/spec/ipFamilies".to_owned());
        }
    }
    let allocates =
        text(spec, "type") == "NodePort" || spec.get("allocateLoadBalancerNodePorts") != Some(&false.into());
    for (at, port) in items(spec, "ports").iter().enumerate() {
        if has_node_ports(spec) && allocates && port.as_object().is_some_and(|port| number(port, "nodePort") == 0) {
            push(format!("/spec/ports/{at}/nodePort"));
        }
    }
    if has_health_check_port(spec) && number(spec, "healthCheckNodePort") == 0 {
        push("/spec/healthCheckNodePort".to_owned());
    }
    paths
}

fn job(job: &Fields) -> Vec<Pointer> {
    let spec = object(job, "spec");
    if spec.is_some_and(|spec| spec.get("manualSelector") == Some(&true.into())) {
        return Vec::new();
    }
    let labelled = |base: &[&str]| {
        let base = base.iter().fold(Pointer::default(), |path, segment| path.child(*segment));
        CONTROLLER_UID.map(|label| base.child(label))
    };
    // Without labels of its own a job has its template's, which then carry the job's name.
    let shared = super::fields::at(job, &["metadata", "labels"])
        .zip(super::pod::template_labels(job))
        .is_some_and(|(own, templates)| own == templates);
    let mut paths = labelled(&["spec", "template", "metadata", "labels"]).to_vec();
    paths.push(Pointer::from("/spec/selector/matchLabels").child(CONTROLLER_UID[0]));
    if shared {
        paths.extend(labelled(&["metadata", "labels"]));
    }
    paths
}
