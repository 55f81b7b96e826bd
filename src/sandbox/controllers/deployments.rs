//! Deployments: a ReplicaSet for each template that they had, and Pods moved from the old ones to the newest as their
//! strategy allows.

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
use std::time::Duration;

const COLLECTION: &str = "deployments.apps";
const SETS: &str = "replicasets.apps";
const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn wants(event: &Event, object: &dyn Fn() -> Value) -> Vec<Key> {
    match &*event.key.collection {
        COLLECTION if event.change != Change::Deleted => vec![event.key.clone()],
        SETS => controller_key(&object(), "Deployment", COLLECTION).into_iter().collect(),
        _ => Vec::new(),
    }
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let Some(deployment) = api.store.get(key).map(|record| record.read()) else { return Ok(None) };
    if meta::is_terminating(&deployment) {
        return Ok(None);
    }
    let mut sets = controlled(api, SETS, &deployment);
    let template = plain_template(&deployment["spec"]["template"]);
    let mut newest = sets.iter().position(|set| plain_template(&set["spec"]["template"]) == template);
    let is_paused = deployment.pointer("/spec/paused") == Some(&true.into());
    if newest.is_none() && !is_paused {
        sets.push(create_set(api, &deployment, &sets)?);
        newest = Some(sets.len() - 1);
    }
    let new = newest.map(|at| sets.remove(at));
    let revision = new.as_ref().map(|new| renumber(api, new, &sets)).transpose()?;
    if let Some(revision) = revision {
        annotate(api, key, revision)?;
    }
    roll(api, &deployment, new.as_ref(), &sets, is_paused)?;
    clean_up(api, &deployment, &sets)?;
    write_status(api, key)
}

/// The template as it was in the Deployment.
fn plain_template(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template
}

fn revision_of(object: &Value) -> i64 {
    let annotation = object.pointer("/metadata/annotations").and_then(|all| all.get(REVISION));
    annotation.and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn create_set(api: &Api, deployment: &Value, sets: &[Value]) -> Result<Value, Failure> {
    let resource = api.resource(SETS).ok_or_else(Failure::no_resource)?;
    let mut sum = crc32fast::Hasher::new();
    sum.update(deployment["spec"]["template"].to_string().as_bytes());
    sum.update(&number(deployment, "/status/collisionCount").to_le_bytes());
    let hash = meta::safe_number(sum.finalize());
    let mut template = deployment["spec"]["template"].clone();
    meta::metadata(&mut template);
    meta::made(&mut template["metadata"], "labels").insert(HASH.into(), hash.clone().into());
    let mut selector = deployment["spec"]["selector"].clone();
    meta::made(&mut selector, "matchLabels").insert(HASH.into(), hash.clone().into());
    let mut annotations = deployment.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        let next = sets.iter().map(revision_of).max().unwrap_or_default() + 1;
        annotations.insert(REVISION.into(), next.to_string().into());
        annotations.extend(sizes(deployment));
    }
    let mut spec = json!({"replicas": 0, "selector": selector, "template": template});
    if let Some(seconds) = deployment.pointer("/spec/minReadySeconds") {
        spec["minReadySeconds"] = seconds.clone();
    }
    let name = format!("{}-{hash}", meta::name(deployment));
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec,
        "metadata": {"name": name, "labels": template["metadata"]["labels"], "annotations": annotations,
            "ownerReferences": [reference("apps/v1", "Deployment", deployment)]},
    });
    let namespace = meta::namespace(deployment);
    write::create_object(api, &resource, namespace, set, By::manager(MANAGER))
}

/// How large a set may become, for whoever scales in proportion.
fn sizes(deployment: &Value) -> [(String, Value); 2] {
    let wanted = number(deployment, "/spec/replicas");
    let most = wanted + surge(deployment);
    [
        ("deployment.kubernetes.io/desired-replicas".into(), wanted.to_string().into()),
        ("deployment.kubernetes.io/max-replicas".into(), most.to_string().into()),
    ]
}

/// A number or a share of the replicas.
fn amount(deployment: &Value, name: &str, up: bool) -> i64 {
    let replicas = number(deployment, "/spec/replicas");
    match deployment.pointer(&format!("/spec/strategy/rollingUpdate/{name}")) {
        Some(Value::String(share)) => {
            let percent: i64 = share.trim_end_matches('%').parse().unwrap_or_default();
            let product = replicas * percent;
            if up { (product + 99) / 100 } else { product / 100 }
        }
        Some(number) => number.as_i64().unwrap_or_default(),
        None => 0,
    }
}

fn surge(deployment: &Value) -> i64 {
    amount(deployment, "maxSurge", true)
}

/// How many may be missing; where nothing could move otherwise, one.
fn missing(deployment: &Value) -> i64 {
    match (surge(deployment), amount(deployment, "maxUnavailable", false)) {
        (0, 0) => 1,
        (_, missing) => missing,
    }
}

/// A set that is used again gets the next revision.
fn renumber(api: &Api, new: &Value, others: &[Value]) -> Result<i64, Failure> {
    let (own, last) = (revision_of(new), others.iter().map(revision_of).max().unwrap_or_default());
    if own > last {
        return Ok(own);
    }
    let resource = api.resource(SETS).ok_or_else(Failure::no_resource)?;
    let key = Key::new(&resource.collection, meta::namespace(new), meta::name(new));
    write::update_object(api, &resource, &key, By::manager(MANAGER), |live| {
        let mut set = live.clone();
        meta::metadata(&mut set);
        meta::made(&mut set["metadata"], "annotations").insert(REVISION.into(), (last + 1).to_string().into());
        Ok(set)
    })?;
    Ok(last + 1)
}

fn annotate(api: &Api, key: &Key, revision: i64) -> Result<(), Failure> {
    let resource = api.resource(COLLECTION).ok_or_else(Failure::no_resource)?;
    write::update_object(api, &resource, key, By::status(MANAGER), |live| {
        let mut deployment = live.clone();
        meta::metadata(&mut deployment);
        let annotations = meta::made(&mut deployment["metadata"], "annotations");
        annotations.insert(REVISION.into(), revision.to_string().into());
        Ok(deployment)
    })
    .map(drop)
}

/// Moves Pods: the new set up as far as there is room, the old ones down as far as enough are available.
fn roll(api: &Api, deployment: &Value, new: Option<&Value>, old: &[Value], paused: bool) -> Result<(), Failure> {
    let wanted = number(deployment, "/spec/replicas");
    let asked = |set: &Value| number(set, "/spec/replicas");
    let available = |set: &Value| number(set, "/status/availableReplicas");
    let old_total: i64 = old.iter().map(asked).sum();
    let new_asked = new.map_or(0, asked);
    let recreates = text(deployment, "/spec/strategy/type") == "Recreate";
    if let Some(new) = new {
        let old_pods: i64 = old.iter().map(|set| number(set, "/status/replicas")).sum();
        let room = match recreates {
            true if old_pods > 0 || old_total > 0 => 0,
            true => wanted,
            false => (wanted + surge(deployment) - old_total).min(wanted),
        };
        if new_asked > wanted || (new_asked < room && !paused) {
            return resize(api, deployment, new, if new_asked > wanted { wanted } else { room });
        }
    }
    if old_total == 0 || paused {
        return Ok(());
    }
    let mut spare = match recreates {
        true => old_total,
        false => {
            let least = wanted - missing(deployment);
            let new_missing = new_asked - new.map_or(0, available);
            old_total + new_asked - least - new_missing
        }
    };
    // What does not run helps nobody and goes first.
    let mut order: Vec<&Value> = old.iter().filter(|set| asked(set) > 0).collect();
    order.sort_by_key(|set| (available(set) > 0, revision_of(set)));
    for set in order {
        let fewer = asked(set).min(spare.max(0));
        if fewer > 0 {
            resize(api, deployment, set, asked(set) - fewer)?;
            spare -= fewer;
        }
    }
    Ok(())
}

fn resize(api: &Api, deployment: &Value, set: &Value, to: i64) -> Result<(), Failure> {
    let resource = api.resource(SETS).ok_or_else(Failure::no_resource)?;
    let key = Key::new(&resource.collection, meta::namespace(set), meta::name(set));
    let from = number(set, "/spec/replicas");
    write::update_object(api, &resource, &key, By::manager(MANAGER), |live| {
        let mut set = live.clone();
        set["spec"]["replicas"] = to.into();
        meta::metadata(&mut set);
        meta::made(&mut set["metadata"], "annotations").extend(sizes(deployment));
        Ok(set)
    })?;
    if from != to {
        let direction = if to > from { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {} from {from} to {to}", meta::name(set));
        let source = Source { component: "deployment-controller", manager: MANAGER };
        record(api, ("apps/v1", "Deployment", deployment), "ScalingReplicaSet", &message, &source);
    }
    Ok(())
}

/// Old sets beyond the history's limit go.
fn clean_up(api: &Api, deployment: &Value, old: &[Value]) -> Result<(), Failure> {
    let limit = usize::try_from(number(deployment, "/spec/revisionHistoryLimit")).unwrap_or_default();
    let mut idle: Vec<&Value> =
        old.iter().filter(|set| number(set, "/spec/replicas") == 0 && number(set, "/status/replicas") == 0).collect();
    idle.sort_by_key(|set| revision_of(set));
    let resource = api.resource(SETS).ok_or_else(Failure::no_resource)?;
    for set in idle.iter().take(old.len().saturating_sub(limit)) {
        let key = Key::new(&resource.collection, meta::namespace(set), meta::name(set));
        write::delete_object(api, &resource, &key, &Options::default())?;
    }
    Ok(())
}

fn write_status(api: &Api, key: &Key) -> Next {
    let resource = api.resource(COLLECTION).ok_or_else(Failure::no_resource)?;
    let Some(deployment) = api.store.get(key).map(|record| record.read()) else { return Ok(None) };
    let sets = controlled(api, SETS, &deployment);
    let template = plain_template(&deployment["spec"]["template"]);
    let new = sets.iter().find(|set| plain_template(&set["spec"]["template"]) == template);
    let status = status(&deployment, new, &sets);
    write::update_object(api, &resource, key, By::status(MANAGER), |live| {
        let mut deployment = live.clone();
        deployment["status"] = status.clone();
        Ok(deployment)
    })?;
    let progressing =
        items(&status, "/conditions").iter().any(|condition| text(condition, "/reason") == "ReplicaSetUpdated");
    Ok(progressing.then_some(Duration::from_secs(30)))
}

fn status(deployment: &Value, new: Option<&Value>, sets: &[Value]) -> Value {
    let sum = |name: &str| sets.iter().map(|set| number(set, &format!("/status/{name}"))).sum::<i64>();
    let wanted = number(deployment, "/spec/replicas");
    let (total, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let updated = new.map_or(0, |new| number(new, "/status/replicas"));
    let mut status = json!({"observedGeneration": deployment["metadata"]["generation"], "terminatingReplicas": 0});
    let counts = [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (total.max(wanted) - available).max(0)),
    ];
    for (name, count) in counts {
        if count > 0 {
            status[name] = count.into();
        }
    }
    let known = items(deployment, "/status/conditions");
    let is_available = available >= wanted - missing(deployment);
    let condition = |kind: &str, met: bool, reason: &str, message: &str| {
        let was = known.iter().find(|known| text(known, "/type") == kind);
        let state = if met { "True" } else { "False" };
        let now = meta::now();
        if let Some(was) = was.filter(|was| {
            text(was, "/status") == state && text(was, "/reason") == reason && text(was, "/message") == message
        }) {
            return was.clone();
        }
        let since =
            was.filter(|was| text(was, "/status") == state).map(|was| text(was, "/lastTransitionTime").to_owned());
        json!({"type": kind, "status": state, "reason": reason, "message": message, "lastUpdateTime": now,
            "lastTransitionTime": since.unwrap_or_else(|| now.clone())})
    };
    let available_now = match is_available {
        true => condition("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => condition(
            "Available",
            false,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        ),
    };
    let mut conditions = vec![available_now];
    if let Some(new) = new {
        let name = meta::name(new);
        let is_complete = updated == wanted && total == wanted && available == wanted;
        conditions.push(match is_complete {
            true => condition(
                "Progressing",
                true,
                "NewReplicaSetAvailable",
                &format!("ReplicaSet {name:?} has successfully progressed."),
            ),
            false if is_late(deployment, known) => condition(
                "Progressing",
                false,
                "ProgressDeadlineExceeded",
                &format!("ReplicaSet {name:?} has timed out progressing."),
            ),
            false => {
                condition("Progressing", true, "ReplicaSetUpdated", &format!("ReplicaSet {name:?} is progressing."))
            }
        });
    }
    status["conditions"] = conditions.into();
    status
}

/// Whether nothing has moved for longer than the Deployment allows.
fn is_late(deployment: &Value, known: &[Value]) -> bool {
    let progressing = known.iter().find(|known| text(known, "/type") == "Progressing");
    let Some(progressing) = progressing.filter(|known| text(known, "/reason") != "NewReplicaSetAvailable") else {
        return false;
    };
    let since = text(progressing, "/lastUpdateTime").parse::<jiff::Timestamp>();
    let allowed = number(deployment, "/spec/progressDeadlineSeconds");
    since.is_ok_and(|since| jiff::Timestamp::now().as_second() - since.as_second() > allowed)
}
