//! What is still true of an object after one of its sides was touched.

use super::*;
use crate::config::Extras;
use crate::engine::compare::Seen;
use crate::{
    cluster::{CachedObject, HealthStatus, Resource},
    engine::comparison::ObjectState,
    object::{Manifest, Origin, PackedManifest},
};
use serde_json::json;

fn deployment(replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop"}, "spec": {"replicas": replicas}})
}

fn desired(replicas: u32, line: usize) -> Arc<Desired> {
    let origin = Origin { path: "api.yaml".into(), document: 0, lines: Some((line, line + 9)) };
    let manifest = Manifest::new(deployment(replicas), origin).unwrap();
    let resource = Resource {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        plural: "deployments".into(),
        namespaced: true,
        verbs: vec!["list".into()],
    };
    let manifest = Arc::new(PackedManifest::new(manifest).unwrap());
    let object = DesiredObject::new(&manifest, PackedManifest::clone(&manifest), Ok(Arc::new(resource)));
    let mut desired = Desired::default();
    desired.objects.push(Arc::new(object));
    Arc::new(desired)
}

fn body(replicas: u32, version: &str, available: u32) -> Value {
    let mut body = deployment(replicas);
    body["metadata"]["uid"] = json!("u");
    body["metadata"]["resourceVersion"] = json!(version);
    body["status"] = json!({"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": available});
    body
}

fn live(replicas: u32, version: &str, available: u32) -> Live {
    Live::Present(Arc::new(CachedObject::of(&body(replicas, version, available))))
}

/// Compares; `after` is what applying would make of 2 live replicas.
fn found(desired: &Desired, live: &Live, after: u32) -> Found {
    let predicted = Predicted::Foreseen(Arc::default());
    let after = (after != 2).then(|| body(after, "1", 2));
    compared(desired, live, Some(predicted), after.as_ref())
}

fn compared(desired: &Desired, live: &Live, predicted: Option<Predicted>, after: Option<&Value>) -> Found {
    let object = &desired.objects[0];
    let comparison = compare::object(Seen {
        desired: object,
        manifest: &object.manifest.body(),
        live,
        body: &body(2, "1", 2),
        predicted: predicted.as_ref(),
        after,
        base: None,
        schemas: &Schemas::default(),
        extras: Extras::Hide,
    });
    Found { comparison: Arc::new(comparison), live: live.clone(), predicted, left_alone: None, blocked: None }
}

fn keep(results: &mut Results, desired: &Arc<Desired>, found: &Found) {
    results.keep("e", desired, &Arc::default(), &[Kept { found: Arc::new(found.clone()), base: None }]);
}

/// Results that know one object, 2 replicas on both sides.
fn known() -> (Results, Arc<Desired>, Found) {
    let (mut results, desired, live) = (Results::default(), desired(2, 1), live(2, "1", 2));
    let found = found(&desired, &live, 2);
    keep(&mut results, &desired, &found);
    (results, desired, found)
}

#[test]
fn an_object_of_which_nothing_moved_is_not_looked_at() {
    let (results, known_desired, found) = known();
    let ledger = Arc::clone(&results.ledger);
    let untouched = |epoch: &str, desired: &Desired, ledger: &Arc<Ledger>, live: &Live| {
        results.untouched(epoch, desired, ledger, 0, live).map(|kept| Arc::clone(&kept.found.comparison))
    };
    let again = untouched("e", &known_desired, &ledger, &found.live).unwrap();
    assert!(Arc::ptr_eq(&again, &found.comparison));
    assert!(untouched("another", &known_desired, &ledger, &found.live).is_none(), "a schema is another");
    assert!(untouched("e", &desired(2, 1), &ledger, &found.live).is_none(), "rendered anew");
    assert!(untouched("e", &known_desired, &Arc::default(), &found.live).is_none(), "a record was written");
    assert!(untouched("e", &known_desired, &ledger, &live(2, "1", 2)).is_none(), "an event came");
    assert!(untouched("e", &known_desired, &ledger, &Live::Absent).is_none(), "it is gone");
}

#[test]
fn what_did_not_move_is_the_same_comparison() {
    let (results, desired, found) = known();
    let again = results.of("e", &desired, 0, &found.live, None).unwrap();
    assert!(Arc::ptr_eq(&again.comparison, &found.comparison));
}

#[test]
fn a_status_brings_health_and_version_up_to_date_without_another_prediction() {
    let (results, desired, found) = known();
    let moved = live(2, "7", 0);
    let again = results.of("e", &desired, 0, &moved, None).unwrap();
    assert_eq!((again.comparison.state, again.comparison.health), (ObjectState::Synced, HealthStatus::Progressing));
    assert_eq!(again.comparison.resource_version.as_deref(), Some("7"));
    let sides = &again.comparison.sides;
    assert_eq!((sides.live(), sides.desired()), (Some(&body(2, "7", 0)), Some(&body(2, "7", 0))));
    assert_eq!(found.comparison.health, HealthStatus::Healthy, "what was published stays as it was");
}

#[test]
fn a_manifest_that_moved_in_its_file_is_shown_where_it_is_now() {
    let (results, _, found) = known();
    let below = desired(2, 40);
    let again = results.of("e", &below, 0, &found.live, None).unwrap();
    assert_eq!(again.comparison.source.as_ref().unwrap().lines, Some((40, 49)));
}

#[test]
fn another_manifest_content_base_or_schema_is_compared_again() {
    let (results, desired_before, found) = known();
    let object = &desired_before;
    assert!(results.of("e", &desired(3, 1), 0, &found.live, None).is_none(), "Git moved");
    assert!(results.of("e", object, 0, &live(3, "7", 3), None).is_none(), "live moved");
    assert!(results.of("e", object, 0, &Live::Absent, None).is_none(), "it is gone");
    assert!(results.of("e", object, 0, &Live::Unreadable("403".into()), None).is_none(), "it cannot be read");
    assert!(results.of("e", object, 0, &found.live, Some("record-1")).is_none(), "it was applied since");
    assert!(results.of("another", object, 0, &found.live, None).is_none(), "a schema or the cluster is another");
}

#[test]
fn an_object_that_differs_is_compared_again_when_its_status_moves() {
    let (mut results, desired, live_before) = (Results::default(), desired(3, 1), live(2, "1", 2));
    let differs = found(&desired, &live_before, 3);
    assert_eq!(differs.comparison.state, ObjectState::Changed);
    keep(&mut results, &desired, &differs);
    assert!(results.of("e", &desired, 0, &live(2, "7", 0), None).is_none());
    let written = results.of("e", &desired, 0, &live(2, "7", 2), None).unwrap();
    assert_eq!(written.comparison.resource_version.as_deref(), Some("7"));
}

#[test]
fn what_could_not_be_asked_is_asked_again_and_what_git_dropped_is_forgotten() {
    let (mut results, desired, found) = known();
    let failed = Found { predicted: Some(Predicted::Failed("busy".into())), ..found.clone() };
    keep(&mut results, &desired, &failed);
    assert!(results.of("e", &desired, 0, &found.live, None).is_none());
    keep(&mut results, &desired, &found);
    results.keep("e", &Arc::default(), &Arc::default(), &[]);
    assert!(results.of("e", &desired, 0, &found.live, None).is_none());
}

#[test]
fn an_unreadable_object_stays_the_same_as_long_as_the_reason_does() {
    let (mut results, desired) = (Results::default(), desired(2, 1));
    let unreadable = Live::Unreadable("403".into());
    let found = compared(&desired, &unreadable, None, None);
    keep(&mut results, &desired, &found);
    assert!(results.of("e", &desired, 0, &unreadable, None).is_some());
    assert!(results.of("e", &desired, 0, &Live::Unreadable("500".into()), None).is_none());
}
