//! The rules, as a table of objects and verdicts.

use super::{
    HealthStatus::{self, Degraded, Healthy, Progressing, Suspended, Unknown},
    health,
};
use serde_json::{Value, json};

/// Judges each object, and compares status and a part of the message.
fn judged(api_version: &str, kind: &str, cases: &[(&str, Value, HealthStatus, &str)]) {
    for (name, body, status, message) in cases {
        let mut live = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": 2}});
        for (key, value) in body.as_object().unwrap() {
            match (key.as_str(), value) {
                ("metadata", Value::Object(meta)) => {
                    live["metadata"].as_object_mut().unwrap().extend(meta.clone());
                }
                _ => live[key] = value.clone(),
            }
        }
        let seen = health(&live);
        assert_eq!(seen.status, *status, "{kind}: {name}: {}", seen.message);
        assert!(seen.message.contains(message), "{kind}: {name}: `{}` lacks `{message}`", seen.message);
        if message.is_empty() && *status == Healthy {
            assert_eq!(seen.message, "", "{kind}: {name}");
        }
    }
}

fn condition(name: &str, status: &str, reason: &str) -> Value {
    json!({"conditions": [{"type": name, "status": status, "reason": reason, "message": "the words"}]})
}

#[test]
fn deployments() {
    let counts = |wanted: i64, all: i64, updated: i64, available: i64| json!({"spec": {"replicas": wanted}, "status": {"observedGeneration": 2, "replicas": all, "updatedReplicas": updated, "availableReplicas": available}});
    judged(
        "apps/v1",
        "Deployment",
        &[
            ("all there", counts(3, 3, 3, 3), Healthy, ""),
            ("scaled to nothing", counts(0, 0, 0, 0), Healthy, ""),
            ("replicas absent means one", json!({"status": {"observedGeneration": 2}}), Progressing, "0/1 updated"),
            (
                "spec not seen",
                json!({"spec": {"replicas": 1}, "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}}),
                Progressing,
                "generation 1 of 2",
            ),
            ("no status", json!({}), Progressing, "generation 0 of 2"),
            ("rolling out", counts(3, 4, 1, 3), Progressing, "1/3 updated"),
            ("old ones left", counts(3, 4, 3, 3), Progressing, "1 of an older revision"),
            ("not available yet", counts(3, 3, 3, 2), Progressing, "2/3 available"),
            ("paused", json!({"spec": {"paused": true, "replicas": 1}}), Suspended, "paused"),
            (
                "deadline",
                json!({"status": {"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"x\" has timed out"}]}}),
                Degraded,
                "timed out",
            ),
            (
                "quota",
                json!({"status": {"observedGeneration": 2, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]}}),
                Progressing,
                "0/1 updated; exceeded quota",
            ),
            (
                "deleted",
                json!({"metadata": {"deletionTimestamp": "2026-01-31T12:00:00Z", "finalizers": ["a/b", "c"]}}),
                Progressing,
                "terminating, finalizers a/b, c",
            ),
            (
                "deleted without finalizers",
                json!({"metadata": {"deletionTimestamp": "2026-01-31T12:00:00Z"}}),
                Progressing,
                "terminating",
            ),
        ],
    );
}

#[test]
fn stateful_sets() {
    let status = |ready: i64, updated: i64, update: &str| json!({"observedGeneration": 2, "readyReplicas": ready, "updatedReplicas": updated, "currentRevision": "a", "updateRevision": update});
    judged(
        "apps/v1",
        "StatefulSet",
        &[
            ("all there", json!({"spec": {"replicas": 3}, "status": status(3, 3, "a")}), Healthy, ""),
            ("not seen", json!({"spec": {"replicas": 3}, "status": {}}), Progressing, "not seen"),
            ("spec not seen", json!({"status": {"observedGeneration": 1}}), Progressing, "generation 1 of 2"),
            ("not ready", json!({"spec": {"replicas": 3}, "status": status(1, 3, "a")}), Progressing, "1/3 ready"),
            ("rolling out", json!({"spec": {"replicas": 3}, "status": status(3, 1, "b")}), Progressing, "1/3 updated"),
            (
                "partition reached",
                json!({"spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "status": status(3, 1, "b")}),
                Healthy,
                "",
            ),
            (
                "partition not reached",
                json!({"spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}, "status": status(3, 1, "b")}),
                Progressing,
                "1/2 updated (partition 1)",
            ),
            (
                "on delete",
                json!({"spec": {"replicas": 1, "updateStrategy": {"type": "OnDelete"}}, "status": status(1, 0, "b")}),
                Healthy,
                "",
            ),
        ],
    );
}

#[test]
fn daemon_sets() {
    let status = |wanted: i64, updated: i64, available: i64| json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": wanted, "updatedNumberScheduled": updated, "numberAvailable": available}});
    judged(
        "apps/v1",
        "DaemonSet",
        &[
            ("all there", status(3, 3, 3), Healthy, ""),
            ("no node fits", status(0, 0, 0), Healthy, ""),
            ("rolling out", status(3, 1, 2), Progressing, "1/3 updated, 2 available"),
            ("not available", status(3, 3, 1), Progressing, "1/3 available"),
            ("spec not seen", json!({"status": {"observedGeneration": 1}}), Progressing, "generation"),
            (
                "on delete",
                json!({"spec": {"updateStrategy": {"type": "OnDelete"}}, "status": {"observedGeneration": 2, "desiredNumberScheduled": 3}}),
                Healthy,
                "",
            ),
            (
                "stalled",
                json!({"status": {"observedGeneration": 2, "conditions": [{"type": "Stalled", "status": "True", "reason": "ImagePull", "message": "no such image"}]}}),
                Degraded,
                "no such image",
            ),
        ],
    );
}

#[test]
fn replica_sets() {
    judged(
        "apps/v1",
        "ReplicaSet",
        &[
            (
                "all there",
                json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "availableReplicas": 2}}),
                Healthy,
                "",
            ),
            (
                "starting",
                json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "availableReplicas": 1}}),
                Progressing,
                "1/2 available",
            ),
            (
                "refused",
                json!({"status": {"observedGeneration": 2, "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]}}),
                Degraded,
                "FailedCreate: quota",
            ),
        ],
    );
}

#[test]
fn pods() {
    let waiting = |reason: &str| json!({"spec": {"restartPolicy": "Always"}, "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason, "message": "why"}}}]}});
    let running = |ready: &str, last: Value| json!({"spec": {"restartPolicy": "Always"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [{"name": "c", "restartCount": 4, "lastState": last}]}});
    judged(
        "v1",
        "Pod",
        &[
            ("ready", running("True", json!({})), Healthy, ""),
            ("not ready", running("False", json!({})), Progressing, "not ready"),
            ("restarted", running("False", json!({"terminated": {"exitCode": 1}})), Degraded, "restarted 4 times"),
            ("image pull", waiting("ErrImagePull"), Degraded, "container c: ErrImagePull: why"),
            ("back-off", waiting("CrashLoopBackOff"), Degraded, "CrashLoopBackOff"),
            ("bad configuration", waiting("CreateContainerConfigError"), Degraded, "CreateContainerConfigError"),
            ("creating", waiting("ContainerCreating"), Progressing, "Pending"),
            (
                "init back-off",
                json!({"status": {"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}),
                Degraded,
                "container i: CrashLoopBackOff",
            ),
            (
                "back-off of a task",
                json!({"spec": {"restartPolicy": "OnFailure"}, "status": {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}),
                Progressing,
                "Running",
            ),
            (
                "does not fit",
                json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]}}),
                Progressing,
                "Unschedulable: 0/3 nodes",
            ),
            ("done", json!({"spec": {"restartPolicy": "Never"}, "status": {"phase": "Succeeded"}}), Healthy, ""),
            (
                "evicted",
                json!({"status": {"phase": "Failed", "message": "The node was low on memory"}}),
                Degraded,
                "low on memory",
            ),
            (
                "out of memory",
                json!({"status": {"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}}),
                Degraded,
                "container c: OOMKilled",
            ),
            (
                "exit code",
                json!({"status": {"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 3}}}]}}),
                Degraded,
                "exit code 3",
            ),
            ("lost node", json!({"status": {"phase": "Unknown"}}), Unknown, "phase Unknown"),
            ("hostile words", json!({"status": {"phase": "Failed", "message": "\u{1b}[2J"}}), Degraded, "␛[2J"),
        ],
    );
}

#[test]
fn volume_claims() {
    judged(
        "v1",
        "PersistentVolumeClaim",
        &[
            ("bound", json!({"status": {"phase": "Bound"}}), Healthy, ""),
            ("lost", json!({"status": {"phase": "Lost"}}), Degraded, "Lost"),
            (
                "first consumer",
                json!({"spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}),
                Healthy,
                "waits for its first consumer",
            ),
            (
                "being made",
                json!({"metadata": {"annotations": {"volume.kubernetes.io/storage-provisioner": "x"}}, "spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}),
                Progressing,
                "being made",
            ),
            ("no class", json!({"spec": {}, "status": {"phase": "Pending"}}), Progressing, "no storage class"),
            (
                "its volume is missing",
                json!({"spec": {"volumeName": "v"}, "status": {"phase": "Pending"}}),
                Progressing,
                "not bound",
            ),
            ("unheard of", json!({"status": {"phase": "Odd"}}), Unknown, "Odd"),
        ],
    );
}

#[test]
fn services_and_ingresses() {
    judged(
        "v1",
        "Service",
        &[
            ("inside", json!({"spec": {"type": "ClusterIP"}}), Healthy, ""),
            (
                "waiting",
                json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}),
                Progressing,
                "load balancer",
            ),
            (
                "addressed",
                json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}),
                Healthy,
                "",
            ),
        ],
    );
    judged(
        "networking.k8s.io/v1",
        "Ingress",
        &[
            ("addressed", json!({"status": {"loadBalancer": {"ingress": [{"hostname": "h"}]}}}), Healthy, ""),
            ("no class", json!({"status": {"loadBalancer": {}}}), Progressing, "names no ingress class"),
            (
                "class",
                json!({"spec": {"ingressClassName": "nginx"}}),
                Progressing,
                "ingress class nginx has given it no address",
            ),
            (
                "class by annotation",
                json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "old"}}}),
                Progressing,
                "ingress class old",
            ),
        ],
    );
}

#[test]
fn jobs() {
    judged(
        "batch/v1",
        "Job",
        &[
            ("done", json!({"status": condition("Complete", "True", "")}), Healthy, ""),
            (
                "failed",
                json!({"status": condition("Failed", "True", "BackoffLimitExceeded")}),
                Degraded,
                "BackoffLimitExceeded: the words",
            ),
            (
                "suspended",
                json!({"spec": {"suspend": true}, "status": condition("Suspended", "True", "JobSuspended")}),
                Suspended,
                "suspended",
            ),
            (
                "resumed",
                json!({"spec": {"suspend": false}, "status": condition("Suspended", "False", "JobResumed")}),
                Progressing,
                "0/1 done",
            ),
            ("suspended, not seen", json!({"spec": {"suspend": true}}), Suspended, "suspended"),
            (
                "running",
                json!({"spec": {"completions": 3}, "status": {"active": 2, "succeeded": 1, "failed": 1}}),
                Progressing,
                "1/3 done, 2 active, 1 failed",
            ),
        ],
    );
    judged(
        "batch/v1",
        "CronJob",
        &[
            ("never run", json!({"status": {}}), Healthy, ""),
            ("not seen", json!({}), Progressing, "not seen"),
            ("suspended", json!({"spec": {"suspend": true}, "status": {}}), Suspended, "suspended"),
            (
                "succeeded",
                json!({"status": {"lastScheduleTime": "2026-01-31T12:00:00Z", "lastSuccessfulTime": "2026-01-31T12:00:09Z"}}),
                Healthy,
                "",
            ),
            (
                "failed",
                json!({"status": {"lastScheduleTime": "2026-01-31T12:00:00Z", "lastSuccessfulTime": "2026-01-30T12:00:09Z"}}),
                Degraded,
                "did not succeed",
            ),
            (
                "running",
                json!({"status": {"active": [{}], "lastScheduleTime": "2026-01-31T12:00:00Z", "lastSuccessfulTime": "2026-01-30T12:00:09Z"}}),
                Healthy,
                "",
            ),
            (
                "never succeeded",
                json!({"status": {"lastScheduleTime": "2026-01-31T12:00:00Z"}}),
                Healthy,
                "no Job has succeeded yet",
            ),
        ],
    );
}

#[test]
fn autoscalers_and_disruption_budgets() {
    judged(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        &[
            ("able", json!({"status": condition("AbleToScale", "True", "ReadyForNewScale")}), Healthy, ""),
            ("limited", json!({"status": condition("ScalingLimited", "True", "TooManyReplicas")}), Healthy, ""),
            (
                "no target",
                json!({"status": condition("AbleToScale", "False", "FailedGetScale")}),
                Degraded,
                "FailedGetScale: the words",
            ),
            (
                "no metrics",
                json!({"status": condition("ScalingActive", "False", "FailedGetResourceMetric")}),
                Degraded,
                "FailedGetResourceMetric",
            ),
            (
                "backing off",
                json!({"status": condition("AbleToScale", "False", "BackoffBoth")}),
                Progressing,
                "BackoffBoth",
            ),
            ("not judged", json!({}), Progressing, "not judged"),
        ],
    );
    let annotation = r#"[{"type":"AbleToScale","status":"False","reason":"FailedUpdateScale","message":"m"}]"#;
    judged(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        &[(
            "v1",
            json!({"metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/conditions": annotation}}}),
            Degraded,
            "FailedUpdateScale",
        )],
    );
    judged(
        "policy/v1",
        "PodDisruptionBudget",
        &[
            ("allowed", json!({"status": condition("DisruptionAllowed", "True", "SufficientPods")}), Healthy, ""),
            ("too few", json!({"status": condition("DisruptionAllowed", "False", "InsufficientPods")}), Healthy, ""),
            (
                "broken",
                json!({"status": condition("DisruptionAllowed", "False", "SyncFailed")}),
                Degraded,
                "SyncFailed",
            ),
        ],
    );
}

#[test]
fn what_extends_the_api() {
    judged(
        "apiregistration.k8s.io/v1",
        "APIService",
        &[
            ("available", json!({"status": condition("Available", "True", "Passed")}), Healthy, ""),
            (
                "broken",
                json!({"status": condition("Available", "False", "FailedDiscoveryCheck")}),
                Degraded,
                "FailedDiscoveryCheck",
            ),
            (
                "starting",
                json!({"status": condition("Available", "False", "MissingEndpoints")}),
                Progressing,
                "MissingEndpoints",
            ),
            ("not judged", json!({}), Progressing, "not judged"),
        ],
    );
    judged(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &[
            ("established", json!({"status": condition("Established", "True", "InitialNamesAccepted")}), Healthy, ""),
            (
                "installing",
                json!({"status": condition("Established", "False", "Installing")}),
                Progressing,
                "Installing",
            ),
            (
                "not established",
                json!({"status": condition("Established", "False", "NotAccepted")}),
                Degraded,
                "NotAccepted",
            ),
            (
                "names taken",
                json!({"status": condition("NamesAccepted", "False", "PluralConflict")}),
                Degraded,
                "PluralConflict",
            ),
            (
                "bad schema",
                json!({"status": condition("NonStructuralSchema", "True", "Violations")}),
                Degraded,
                "Violations",
            ),
            (
                "going",
                json!({"status": condition("Terminating", "True", "InstanceDeletionInProgress")}),
                Progressing,
                "InstanceDeletionInProgress",
            ),
            ("new", json!({}), Progressing, "not established"),
        ],
    );
    judged(
        "v1",
        "Namespace",
        &[
            ("active", json!({"status": {"phase": "Active"}}), Healthy, ""),
            (
                "terminating",
                json!({"status": {"phase": "Terminating", "conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"}]}}),
                Progressing,
                "pods. has 1",
            ),
            (
                "deleted",
                json!({"metadata": {"deletionTimestamp": "2026-01-31T12:00:00Z"}, "spec": {"finalizers": ["kubernetes"]}}),
                Progressing,
                "finalizers kubernetes",
            ),
        ],
    );
}

#[test]
fn kinds_without_a_rule_follow_kstatus() {
    judged(
        "cert-manager.io/v1",
        "Certificate",
        &[
            ("no status", json!({}), Healthy, ""),
            ("ready", json!({"status": condition("Ready", "True", "Issued")}), Healthy, ""),
            (
                "not ready",
                json!({"status": condition("Ready", "False", "Pending")}),
                Progressing,
                "not Ready: Pending: the words",
            ),
            ("unknown", json!({"status": condition("Ready", "Unknown", "Waiting")}), Progressing, "Ready is unknown"),
            (
                "reconciling",
                json!({"status": condition("Reconciling", "True", "NewGeneration")}),
                Progressing,
                "NewGeneration",
            ),
            ("stalled", json!({"status": condition("Stalled", "True", "BadSpec")}), Degraded, "BadSpec: the words"),
            ("other conditions", json!({"status": condition("Odd", "False", "x")}), Healthy, ""),
            (
                "generation not seen",
                json!({"status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}}),
                Progressing,
                "generation 1 of 2",
            ),
            (
                "an older Ready",
                json!({"status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}}),
                Progressing,
                "older generation",
            ),
        ],
    );
    judged("v1", "ConfigMap", &[("no status", json!({"data": {}}), Healthy, "")]);
    judged(
        "apps.example.com/v1",
        "Deployment",
        &[("another group's Deployment", json!({"spec": {"paused": true}}), Healthy, "")],
    );
}
