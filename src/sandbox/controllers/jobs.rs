//! Jobs: Pods until enough of them have succeeded.

use super::{
    MANAGER, Next, controlled, controller_key,
    events::{Source, record},
    reference,
    replica_sets::{is_active, is_ready, pod_of},
};
use crate::sandbox::{
    api::Api,
    failure::Failure,
    meta::{self, items, number, text},
    store::{Change, Event, Key},
    write::{self, By},
};
use serde_json::{Value, json};

const COLLECTION: &str = "jobs.batch";

pub(super) fn wants(event: &Event, object: &dyn Fn() -> Value) -> Vec<Key> {
    match &*event.key.collection {
        COLLECTION if event.change != Change::Deleted => vec![event.key.clone()],
        "pods" => controller_key(&object(), "Job", COLLECTION).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn is_over(job: &Value) -> bool {
    items(job, "/status/conditions").iter().any(|condition| {
        matches!(text(condition, "/type"), "Complete" | "Failed") && text(condition, "/status") == "True"
    })
}

pub(super) fn look(api: &Api, key: &Key) -> Next {
    let Some(job) = api.store.get(key).map(|record| record.read()) else { return Ok(None) };
    if meta::is_terminating(&job) || is_over(&job) || job.pointer("/spec/suspend") == Some(&true.into()) {
        return Ok(None);
    }
    let pods = controlled(api, "pods", &job);
    let succeeded = pods.iter().filter(|pod| text(pod, "/status/phase") == "Succeeded").count();
    let completions = job.pointer("/spec/completions").and_then(Value::as_i64).unwrap_or(1);
    let wanted = usize::try_from(completions).unwrap_or(1);
    let active: Vec<&Value> = pods.iter().filter(|pod| is_active(pod)).collect();
    let parallel = usize::try_from(number(&job, "/spec/parallelism")).unwrap_or(1);
    let more = wanted.saturating_sub(succeeded).min(parallel).saturating_sub(active.len());
    let resource = api.resource("pods").ok_or_else(Failure::no_resource)?;
    for _ in 0..more {
        let pod = pod_of(&job, reference("batch/v1", "Job", &job));
        let created = write::create_object(api, &resource, &key.namespace, pod, By::manager(MANAGER))?;
        tell(api, &job, "SuccessfulCreate", &format!("Created pod: {}", meta::name(&created)));
    }
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let status = status(&job, active.len() + more, ready, succeeded, succeeded >= wanted);
    if succeeded >= wanted {
        tell(api, &job, "Completed", "Job completed");
    }
    let resource = api.resource(COLLECTION).ok_or_else(Failure::no_resource)?;
    write::update_object(api, &resource, key, By::status(MANAGER), |live| {
        let mut job = live.clone();
        job["status"] = status.clone();
        Ok(job)
    })?;
    Ok(None)
}

fn tell(api: &Api, job: &Value, reason: &str, message: &str) {
    record(api, ("batch/v1", "Job", job), reason, message, &Source { component: "job-controller", manager: MANAGER });
}

fn status(job: &Value, active: usize, ready: usize, succeeded: usize, is_done: bool) -> Value {
    let now = meta::now();
    let started = match text(job, "/status/startTime") {
        "" => now.clone(),
        known => known.to_owned(),
    };
    let ready = if is_done { 0 } else { ready };
    let mut status = json!({"startTime": started, "ready": ready, "terminating": 0, "uncountedTerminatedPods": {}});
    if active > 0 && !is_done {
        status["active"] = active.into();
    }
    if succeeded > 0 {
        status["succeeded"] = succeeded.into();
    }
    if is_done {
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now,
                "reason": "CompletionsReached", "message": "Reached expected number of succeeded pods"})
        };
        status["conditions"] = json!([condition("SuccessCriteriaMet"), condition("Complete")]);
        status["completionTime"] = now.into();
    }
    status
}
