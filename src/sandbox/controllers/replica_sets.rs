//! ReplicaSets: as many Pods as they ask for.

use super::{
    MANAGER, Next, controlled, controller_key,
    events::{Source, record},
    reference,
};
use crate::sandbox::{
    api::Api,
    failure::Failure,
    meta::{self, items, number, text},
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::{Value, json};

const COLLECTION: &str = "replicasets.apps";
/// So many Pods are made or deleted in one step.
const BURST: usize = 500;

pub(super) fn wants(event: &Event, object: &dyn Fn() -> Value) -> Vec<Key> {
    match &*event.key.collection {
        COLLECTION if event.change != Change::Deleted => vec![event.key.clone()],
        "pods" => controller_key(&object(), "ReplicaSet", COLLECTION).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether a Pod counts.
pub(super) fn is_active(pod: &Value) -> bool {
    !meta::is_terminating(pod) && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether a Pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    items(pod, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
}

/// A Pod of an object's template.
pub(super) fn pod_of(owner: &Value, reference: Value) -> Value {
    let template = &owner["spec"]["template"];
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": template["spec"]});
    for field in ["labels", "annotations", "finalizers"] {
        let value = template.pointer(&format!("/metadata/{field}")).cloned();
        meta::set(meta::metadata(&mut pod), field, value);
    }
    let metadata = meta::metadata(&mut pod);
    metadata.insert("generateName".into(), format!("{}-", meta::name(owner)).into());
    metadata.insert("ownerReferences".into(), json!([reference]));
    pod
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let Some(set) = api.store.get(key).map(|record| record.read()) else { return Ok(None) };
    let pods: Vec<Value> = controlled(api, "pods", &set).into_iter().filter(is_active).collect();
    let wanted = usize::try_from(number(&set, "/spec/replicas")).unwrap_or_default();
    if !meta::is_terminating(&set) {
        scale(api, key, &set, &pods, wanted)?;
    }
    let pods: Vec<Value> = controlled(api, "pods", &set).into_iter().filter(is_active).collect();
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let mut status =
        json!({"replicas": pods.len(), "observedGeneration": set["metadata"]["generation"], "terminatingReplicas": 0});
    for (name, count) in [("fullyLabeledReplicas", pods.len()), ("readyReplicas", ready), ("availableReplicas", ready)]
    {
        if count > 0 {
            status[name] = count.into();
        }
    }
    let resource = api.resource(COLLECTION).ok_or_else(Failure::no_resource)?;
    write::update_object(api, &resource, key, By::status(MANAGER), |live| {
        let mut set = live.clone();
        set["status"] = status.clone();
        Ok(set)
    })?;
    Ok(None)
}

fn scale(api: &Api, key: &Key, set: &Value, pods: &[Value], wanted: usize) -> Result<(), Failure> {
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    let source = Source { component: "replicaset-controller", manager: MANAGER };
    for _ in pods.len()..wanted.min(pods.len() + BURST) {
        let pod = pod_of(set, reference("apps/v1", "ReplicaSet", set));
        let created = write::create_object(api, &resource, &key.namespace, pod, By::manager(MANAGER))?;
        let message = format!("Created pod: {}", meta::name(&created));
        record(api, ("apps/v1", "ReplicaSet", set), "SuccessfulCreate", &message, &source);
    }
    // Those that are not ready go first, then the youngest.
    let mut surplus: Vec<&Value> = pods.iter().collect();
    surplus.sort_by_key(|pod| (is_ready(pod), std::cmp::Reverse(text(pod, "/metadata/creationTimestamp").to_owned())));
    for pod in surplus.into_iter().take(pods.len().saturating_sub(wanted).min(BURST)) {
        let pod_key = Key::new(&resource.collection, &key.namespace, meta::name(pod));
        write::delete_object(api, &resource, &pod_key, &Options::default())?;
        let message = format!("Deleted pod: {}", meta::name(pod));
        record(api, ("apps/v1", "ReplicaSet", set), "SuccessfulDelete", &message, &source);
    }
    Ok(())
}
