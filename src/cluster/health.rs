//! Whether an object does what it is for: the rules of Argo CD's built-in checks (gitops-engine `pkg/health`) with these mended: a
//! Job's conditions count by their status and not by being there, suspended Jobs and CronJobs say so, an APIService can be
//! Degraded, init containers are looked at, a PVC may wait for its first consumer. Other kinds follow kstatus.

mod api;
mod batch;
mod conditions;
mod network;
mod pod;
mod scaling;
mod workload;

use crate::object::{clean, split_api_version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Health of an object or of an application, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HealthStatus {
    /// Does its work, or has no rule.
    #[default]
    Healthy,
    /// Stopped on purpose.
    Suspended,
    /// On its way.
    Progressing,
    /// Not there.
    Missing,
    /// Failed.
    Degraded,
    /// Cannot be told.
    Unknown,
}

/// Health with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Which condition or count says so. When healthy it is empty, or a remark such as a PVC's that waits for its first consumer.
    pub message: String,
}

impl Health {
    fn healthy() -> Self {
        Self::default()
    }
    fn new(status: HealthStatus, message: impl AsRef<str>) -> Self {
        Self { status, message: clean(message.as_ref()).into_owned() }
    }
    fn remark(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Healthy, message)
    }
    fn suspended(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Suspended, message)
    }
    fn progressing(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Progressing, message)
    }
    fn degraded(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }
    fn unknown(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Unknown, message)
    }
}

/// Judges one live object. Kinds without a rule are healthy unless their `status.conditions` say otherwise (kstatus).
pub fn health(live: &Value) -> Health {
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return terminating(live);
    }
    let (group, _) = split_api_version(text(live, "/apiVersion"));
    match (group, text(live, "/kind")) {
        ("apps" | "extensions", "Deployment") => workload::deployment(live),
        ("apps", "StatefulSet") => workload::stateful_set(live),
        ("apps" | "extensions", "DaemonSet") => workload::daemon_set(live),
        ("apps" | "extensions", "ReplicaSet") => workload::replica_set(live),
        ("", "Pod") => pod::pod(live),
        ("", "PersistentVolumeClaim") => workload::volume_claim(live),
        ("", "Service") => network::service(live),
        ("networking.k8s.io" | "extensions", "Ingress") => network::ingress(live),
        ("batch", "Job") => batch::job(live),
        ("batch", "CronJob") => batch::cron_job(live),
        ("autoscaling", "HorizontalPodAutoscaler") => scaling::autoscaler(live),
        ("policy", "PodDisruptionBudget") => scaling::disruption_budget(live),
        ("apiregistration.k8s.io", "APIService") => api::api_service(live),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => api::definition(live),
        ("", "Namespace") => api::namespace(live),
        _ => conditions::generic(live),
    }
}

fn terminating(live: &Value) -> Health {
    let finalizers: Vec<&str> = live
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .chain(live.pointer("/spec/finalizers").and_then(Value::as_array).into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    match finalizers.as_slice() {
        [] => Health::progressing("terminating"),
        names => Health::progressing(format!("terminating, finalizers {}", names.join(", "))),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// One of `status.conditions`.
#[derive(Clone, Copy)]
struct Condition<'a> {
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    observed: Option<i64>,
}

impl<'a> Condition<'a> {
    fn of(live: &'a Value, name: &str) -> Option<Self> {
        Self::among(list(live, "/status/conditions"), name)
    }
    fn among(conditions: &'a [Value], name: &str) -> Option<Self> {
        let condition = conditions.iter().find(|condition| text(condition, "/type") == name)?;
        Some(Self {
            status: text(condition, "/status"),
            reason: text(condition, "/reason"),
            message: text(condition, "/message"),
            observed: condition.get("observedGeneration").and_then(Value::as_i64),
        })
    }
    fn holds(self) -> bool {
        self.status == "True"
    }
    fn denied(self) -> bool {
        self.status == "False"
    }
    /// `name: reason: message`, what there is of it.
    fn words(self, name: &str) -> String {
        [name, self.reason, self.message].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

/// Says that a controller has not seen the newest spec yet.
fn unobserved(live: &Value) -> Option<Health> {
    let (generation, observed) = (number(live, "/metadata/generation"), number(live, "/status/observedGeneration"));
    (generation > observed)
        .then(|| Health::progressing(format!("its controller has seen generation {observed} of {generation}")))
}

#[cfg(test)]
mod tests;
