//! StatefulSets, whose Pods have numbers, and DaemonSets, which have one on each node.

use super::{
    MANAGER, Next, controlled, controller_key, reference,
    replica_sets::{is_active, is_ready, pod_of},
};
use crate::sandbox::{
    api::Api,
    bootstrap::NODES,
    failure::Failure,
    meta::{self, number, text},
    store::{Change, Event, Key},
    write::{self, By, Options},
};
use serde_json::{Value, json};

const STATEFUL: &str = "statefulsets.apps";
const DAEMONS: &str = "daemonsets.apps";
const HASH: &str = "controller-revision-hash";

pub(super) fn wants(event: &Event, object: &dyn Fn() -> Value) -> Vec<Key> {
    match &*event.key.collection {
        STATEFUL | DAEMONS if event.change != Change::Deleted => vec![event.key.clone()],
        "pods" => {
            let object = object();
            let of = |kind, collection| controller_key(&object, kind, collection);
            of("StatefulSet", STATEFUL).or_else(|| of("DaemonSet", DAEMONS)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let Some(owner) = api.store.get(key).map(|record| record.read()) else { return Ok(None) };
    let mut sum = crc32fast::Hasher::new();
    sum.update(owner["spec"]["template"].to_string().as_bytes());
    let hash = meta::safe_number(sum.finalize());
    let is_stateful = &*key.collection == STATEFUL;
    if !meta::is_terminating(&owner) {
        match is_stateful {
            true => number_pods(api, &owner, &hash)?,
            false => cover_nodes(api, &owner, &hash)?,
        }
    }
    let pods: Vec<Value> = controlled(api, "pods", &owner).into_iter().filter(is_active).collect();
    let status = if is_stateful { stateful_status(&owner, &pods, &hash) } else { daemon_status(&owner, &pods, &hash) };
    let resource = api.resource(&key.collection).ok_or_else(Failure::no_resource)?;
    write::update_object(api, &resource, key, By::status(MANAGER), |live| {
        let mut owner = live.clone();
        owner["status"] = status.clone();
        Ok(owner)
    })?;
    Ok(None)
}

fn has_hash(pod: &Value, hash: &str) -> bool {
    pod.pointer("/metadata/labels").and_then(|labels| labels.get(HASH)).is_some_and(|known| known == hash)
}

fn make(
    api: &Api,
    owner: &Value,
    kind: &str,
    hash: &str,
    name: Option<String>,
    node: Option<&str>,
) -> Result<(), Failure> {
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    let mut pod = pod_of(owner, reference("apps/v1", kind, owner));
    meta::made(&mut pod["metadata"], "labels").insert(HASH.into(), hash.into());
    if let Some(name) = name {
        let labels = meta::made(&mut pod["metadata"], "labels");
        labels.insert("statefulset.kubernetes.io/pod-name".into(), name.clone().into());
        let number = name.rsplit('-').next().unwrap_or_default().to_owned();
        labels.insert("apps.kubernetes.io/pod-index".into(), number.into());
        pod["metadata"]["name"] = name.clone().into();
        let spec = meta::made(&mut pod, "spec");
        spec.insert("hostname".into(), name.into());
        meta::set(spec, "subdomain", owner.pointer("/spec/serviceName").cloned());
    }
    meta::set(meta::made(&mut pod, "spec"), "nodeName", node.map(Into::into));
    write::create_object(api, &resource, meta::namespace(owner), pod, By::manager(MANAGER)).map(drop)
}

fn drop_pod(api: &Api, pod: &Value) -> Result<(), Failure> {
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    let key = Key::new(&resource.collection, meta::namespace(pod), meta::name(pod));
    write::delete_object(api, &resource, &key, &Options::default()).map(drop)
}

/// One step of a StatefulSet: the next number is made when those before it are ready; the highest goes first.
fn number_pods(api: &Api, owner: &Value, hash: &str) -> Result<(), Failure> {
    let wanted = number(owner, "/spec/replicas");
    let pods = controlled(api, "pods", owner);
    let in_order = text(owner, "/spec/podManagementPolicy") != "Parallel";
    let find = |index: i64| {
        let name = format!("{}-{index}", meta::name(owner));
        pods.iter().find(|pod| meta::name(pod) == name)
    };
    for index in 0..wanted {
        match find(index) {
            None => make(api, owner, "StatefulSet", hash, Some(format!("{}-{index}", meta::name(owner))), None)?,
            Some(pod) if is_ready(pod) && !meta::is_terminating(pod) => continue,
            Some(_) => {}
        }
        if in_order {
            return Ok(());
        }
    }
    let index_of = |pod: &Value| meta::name(pod).rsplit('-').next().and_then(|text| text.parse::<i64>().ok());
    let surplus = pods.iter().filter(|pod| index_of(pod).is_none_or(|index| index >= wanted));
    if let Some(last) = surplus.filter(|pod| is_active(pod)).max_by_key(|pod| index_of(pod)) {
        return drop_pod(api, last);
    }
    if text(owner, "/spec/updateStrategy/type") != "OnDelete" {
        let partition = number(owner, "/spec/updateStrategy/rollingUpdate/partition");
        let old = (partition..wanted).rev().filter_map(find).find(|pod| !has_hash(pod, hash) && is_active(pod));
        if let Some(old) = old {
            return drop_pod(api, old);
        }
    }
    Ok(())
}

fn cover_nodes(api: &Api, owner: &Value, hash: &str) -> Result<(), Failure> {
    let pods = controlled(api, "pods", owner);
    for node in NODES {
        let on_node = |pod: &&Value| text(pod, "/spec/nodeName") == node;
        match pods.iter().find(on_node) {
            None => make(api, owner, "DaemonSet", hash, None, Some(node))?,
            Some(pod)
                if !has_hash(pod, hash) && is_active(pod) && text(owner, "/spec/updateStrategy/type") != "OnDelete" =>
            {
                // One node after the other.
                return drop_pod(api, pod);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn stateful_status(owner: &Value, pods: &[Value], hash: &str) -> Value {
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let updated = pods.iter().filter(|pod| has_hash(pod, hash)).count();
    let revision = format!("{}-{hash}", meta::name(owner));
    let is_done = updated == pods.len() && i64::try_from(pods.len()) == Ok(number(owner, "/spec/replicas"));
    let current = match text(owner, "/status/currentRevision") {
        "" => revision.clone(),
        known if !is_done => known.to_owned(),
        _ => revision.clone(),
    };
    let mut status = json!({"observedGeneration": owner["metadata"]["generation"], "replicas": pods.len(),
        "availableReplicas": ready, "collisionCount": 0, "currentRevision": current, "updateRevision": revision});
    for (name, count) in [("readyReplicas", ready), ("updatedReplicas", updated)] {
        if count > 0 {
            status[name] = count.into();
        }
    }
    if current == revision && updated > 0 {
        status["currentReplicas"] = updated.into();
    }
    status
}

fn daemon_status(owner: &Value, pods: &[Value], hash: &str) -> Value {
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let updated = pods.iter().filter(|pod| has_hash(pod, hash)).count();
    let mut status = json!({"observedGeneration": owner["metadata"]["generation"], "desiredNumberScheduled": NODES.len(),
        "currentNumberScheduled": pods.len(), "numberMisscheduled": 0, "numberReady": ready});
    let counts = [
        ("numberAvailable", ready),
        ("updatedNumberScheduled", updated),
        ("numberUnavailable", NODES.len() - ready.min(NODES.len())),
    ];
    for (name, count) in counts {
        if count > 0 {
            status[name] = count.into();
        }
    }
    status
}
