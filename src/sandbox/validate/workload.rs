//! What runs Pods.

use super::{immutable, metadata, not_negative, pod};
use crate::sandbox::{
    failure::Cause,
    meta::{items, number, text},
    selector,
};
use serde_json::Value;

pub(super) fn check(kind: &str, live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    not_negative(&mut causes, "spec.replicas", object, "/spec/replicas");
    let labels = object.pointer("/spec/template/metadata/labels");
    metadata::labels(labels, "spec.template.metadata.labels", &mut causes);
    let shown = labels.cloned().unwrap_or_default();
    let mismatch =
        || Cause::invalid("spec.template.metadata.labels", &shown, "`selector` does not match template `labels`");
    match object.pointer("/spec/selector").filter(|selector| !selector.is_null()) {
        None => {
            causes.push(Cause::required("spec.selector", ""));
            causes.push(mismatch());
        }
        Some(selector) if selector.as_object().is_some_and(serde_json::Map::is_empty) => {
            let why = format!("empty selector is invalid for {}", kind.to_lowercase());
            causes.push(Cause::invalid("spec.selector", &serde_json::json!({}), &why));
        }
        Some(spec) => {
            let matches = selector::of_spec(spec).matches(&object["spec"]["template"]);
            if !matches {
                causes.push(mismatch());
            }
        }
    }
    pod::spec(object, "/spec/template/spec", "spec.template.spec", &mut causes);
    let policy = text(object, "/spec/template/spec/restartPolicy");
    if !matches!(policy, "" | "Always") {
        let field = "spec.template.spec.restartPolicy";
        causes.push(Cause::unsupported(field, &policy.into(), &["Always"]));
    }
    if kind == "StatefulSet" {
        if let Some(live) = live {
            fixed_stateful_set(live, object, &mut causes);
        }
    } else {
        immutable(&mut causes, "spec.selector", live, object, "/spec/selector");
    }
    causes
}

fn fixed_stateful_set(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    const FREE: &[&str] = &[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let plain = |object: &Value| {
        let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
        spec.retain(|field, _| !FREE.contains(&field.as_str()));
        spec
    };
    if plain(live) != plain(object) {
        causes.push(Cause::forbidden("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
    }
}

pub(super) fn check_job(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["parallelism", "completions", "backoffLimit"] {
        not_negative(&mut causes, &format!("spec.{field}"), object, &format!("/spec/{field}"));
    }
    job_template(object, "/spec/template/spec", "spec.template.spec", &mut causes);
    immutable(&mut causes, "spec.selector", live, object, "/spec/selector");
    immutable(&mut causes, "spec.completions", live, object, "/spec/completions");
    immutable(&mut causes, "spec.template", live, object, "/spec/template");
    causes
}

fn job_template(object: &Value, pointer: &str, field: &str, causes: &mut Vec<Cause>) {
    pod::spec(object, pointer, field, causes);
    let policy = text(object, &format!("{pointer}/restartPolicy"));
    if policy == "Always" {
        let field = format!("{field}.restartPolicy");
        if items(object, &format!("{pointer}/containers")).is_empty() {
            return;
        }
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: "Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\"".into(),
            field,
        });
    }
}

pub(super) fn check_cron_job(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    job_template(object, "/spec/jobTemplate/spec/template/spec", "spec.jobTemplate.spec.template.spec", &mut causes);
    let schedule = text(object, "/spec/schedule");
    let fields = schedule.split_whitespace().count();
    if schedule.is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    } else if !schedule.starts_with('@') && fields != 5 {
        let why = format!(
            "expected exactly 5 fields, found {fields}: [{}]",
            schedule.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        causes.push(Cause::invalid("spec.schedule", &schedule.into(), &why));
    }
    causes
}

pub(super) fn check_autoscaler(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (least, most) = (number(object, "/spec/minReplicas"), number(object, "/spec/maxReplicas"));
    if most < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &most.into(), "must be greater than 0"));
    } else if most < least {
        causes.push(Cause::invalid("spec.maxReplicas", &most.into(), "must be greater than or equal to `minReplicas`"));
    }
    causes
}
