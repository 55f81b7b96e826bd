//! Rules of what runs pods: deployments, daemon sets, stateful sets, jobs.

use super::fields::{Fields, at, default, items_mut, made, number, object, text};
use serde_json::{Value, json};

/// The annotation under which apps/v1 keeps a field that it no longer has.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const JOB_NAME: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// A deployment's strategy. (What it leaves out of a rolling update that it does not do is 0: see the table.)
pub(super) fn deployment(spec: &mut Fields) {
    let Some(strategy) = made(spec, "strategy") else { return };
    rolling(strategy, json!("25%"), json!("25%"));
}

/// A daemon set's strategy.
pub(super) fn daemon_set(spec: &mut Fields) {
    let Some(strategy) = made(spec, "updateStrategy") else { return };
    rolling(strategy, json!(1), json!(0));
}

fn rolling(strategy: &mut Fields, unavailable: Value, surge: Value) {
    default(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate"
        && let Some(update) = made(strategy, "rollingUpdate")
    {
        default(update, "maxUnavailable", unavailable);
        default(update, "maxSurge", surge);
    }
}

/// A stateful set's strategy and what becomes of its claims.
pub(super) fn stateful_set(spec: &mut Fields) {
    if let Some(strategy) = made(spec, "updateStrategy") {
        if text(strategy, "type").is_empty() {
            strategy.insert("type".into(), "RollingUpdate".into());
            made(strategy, "rollingUpdate");
        }
        if text(strategy, "type") == "RollingUpdate"
            && let Some(update) = super::fields::object_mut(strategy, "rollingUpdate")
        {
            default(update, "partition", 0);
        }
    }
    default(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    for claim in items_mut(spec, "volumeClaimTemplates") {
        claim.insert("apiVersion".into(), "v1".into());
        claim.insert("kind".into(), "PersistentVolumeClaim".into());
    }
}

/// A replication controller selects, and is labelled, as its template is.
pub(super) fn replication_controller(controller: &mut Fields) {
    let Some(labels) = template_labels(controller).filter(|labels| !labels.is_empty()).cloned() else { return };
    if let Some(spec) = made(controller, "spec") {
        default(spec, "selector", labels.clone());
    }
    if let Some(metadata) = made(controller, "metadata") {
        default(metadata, "labels", labels);
    }
}

/// A job's own defaults; the template of a cron job has none of them.
pub(super) fn job(job: &mut Fields) {
    // A job without labels shares its template's, with what the server adds to them.
    let manual = object(job, "spec").is_some_and(selects_itself);
    let labels = template_labels(job).filter(|labels| manual || labels.contains_key(JOB_NAME[0])).cloned();
    if let (Some(metadata), Some(labels)) = (made(job, "metadata"), labels) {
        default(metadata, "labels", labels);
    }
    let Some(spec) = made(job, "spec") else { return };
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".into(), json!(1));
    }
    default(spec, "parallelism", 1);
    let retries = if spec.contains_key("backoffLimitPerIndex") { i32::MAX } else { 6 };
    default(spec, "backoffLimit", retries);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let replaced = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    default(spec, "podReplacementPolicy", replaced);
}

/// A new job's template is labelled with the job's name (and with its uid, which only the server knows).
pub(super) fn job_selector(job: &mut Fields) {
    let name = at(job, &["metadata"]).map(|metadata| text(metadata, "name").to_owned()).unwrap_or_default();
    let Some(spec) = made(job, "spec") else { return };
    if selects_itself(spec) {
        return;
    }
    let template = made(spec, "template").and_then(|template| made(template, "metadata"));
    let Some(labels) = template.and_then(|metadata| made(metadata, "labels")) else { return };
    for label in JOB_NAME {
        default(labels, label, name.clone());
    }
}

fn selects_itself(spec: &Fields) -> bool {
    spec.get("manualSelector") == Some(&Value::Bool(true))
}

/// Counts the changes of a daemon set's template.
pub(super) fn template_generation(set: &mut Fields, old: Option<&Fields>) {
    let generation = match old {
        None => annotated_number(set, TEMPLATE_GENERATION).unwrap_or_default().max(1),
        Some(old) => {
            let template = |set| at(set, &["spec", "template"]);
            let before = annotated_number(old, TEMPLATE_GENERATION).unwrap_or_default();
            before.saturating_add(i64::from(template(set) != template(old)))
        }
    };
    let annotations = made(set, "metadata").and_then(|metadata| made(metadata, "annotations"));
    if let Some(annotations) = annotations {
        annotations.insert(TEMPLATE_GENERATION.into(), generation.to_string().into());
    }
}

/// The number that an annotation holds.
fn annotated_number(object: &Fields, annotation: &str) -> Option<i64> {
    text(at(object, &["metadata", "annotations"])?, annotation).parse().ok()
}

/// The labels of a workload's pod template.
pub(super) fn template_labels(workload: &Fields) -> Option<&Fields> {
    at(workload, &["spec", "template", "metadata", "labels"])
}

/// A request for an exact number of devices is one for one device.
pub(super) fn device_request(request: &mut Fields) {
    if text(request, "allocationMode") == "ExactCount" && number(request, "count") == 0 {
        request.insert("count".into(), json!(1));
    }
}
