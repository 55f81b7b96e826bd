//! The answers of a real server, as recorded.

use super::*;
use serde_json::json;

fn answer(status: u16, body: &Value) -> ClusterError {
    answer_to(&Value::Null, status, body)
}

fn answer_to(sent: &Value, status: u16, body: &Value) -> ClusterError {
    refused(&Refused {
        server: "https://api",
        what: "PATCH /api/v1/namespaces/n/configmaps/a",
        write: true,
        deadline: Duration::from_secs(10),
        status,
        retry_after: None,
        body: body.to_string().as_bytes(),
        mask: &Mask::of(sent),
    })
}

#[test]
fn a_conflict_names_every_manager_its_operation_and_its_field() {
    let body = json!({"status": "Failure", "reason": "Conflict", "message": "Apply failed with 4 conflicts", "code": 409, "details": {"causes": [
        {"reason": "FieldManagerConflict", "message": "conflict with \"dd\"", "field": ".data.k"},
        {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using v1", "field": ".data.k2"},
        {"reason": "FieldManagerConflict", "message": "conflict with \"hpa\" with subresource \"scale\" using apps/v1 at 2026-01-31T12:00:00Z", "field": ".spec.replicas"},
        {"reason": "FieldManagerConflict", "message": "conflict with \"a\\\"b\" with subresource \"status\"", "field": ".status"},
    ]}});
    let ClusterError::Conflicts { conflicts, .. } = answer(409, &body) else { panic!("conflicts") };
    let seen: Vec<_> = conflicts
        .iter()
        .map(|c| (c.manager.as_str(), c.operation.as_str(), c.subresource.as_deref(), c.field.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("dd", "Apply", None, ".data.k"),
            ("kubectl-edit", "Update", None, ".data.k2"),
            ("hpa", "Update", Some("scale"), ".spec.replicas"),
            ("a\"b", "Apply", Some("status"), ".status"),
        ]
    );
}

#[test]
fn moved_replaced_vanished_and_existing_objects_are_preconditions() {
    let stale = json!({"reason": "Conflict", "message": "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again", "details": {"name": "a", "kind": "configmaps"}});
    let vanished = json!({"reason": "Conflict", "message": "Operation cannot be fulfilled on configmaps \"b\": uid mismatch: the provided object specified uid d57bf6b7, and no existing object was found"});
    let exists = json!({"reason": "AlreadyExists", "message": "configmaps \"a\" already exists"});
    for body in [stale, vanished, exists] {
        assert!(matches!(answer(409, &body), ClusterError::Precondition { .. }), "{body}");
    }
    let replaced = json!({"reason": "Invalid", "message": "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"0\": field is immutable", "details": {"causes": [{"reason": "FieldValueInvalid", "message": "…", "field": "metadata.uid"}]}});
    assert!(matches!(answer(422, &replaced), ClusterError::Precondition { .. }));
}

#[test]
fn what_is_wrong_with_the_object_is_never_worth_a_retry() {
    for (status, message) in [
        (
            500,
            "failed to create typed patch object (/w; apps/v1, Kind=Deployment): .spec.replicsa: field not declared in schema",
        ),
        (500, "etcdserver: request is too large"),
        (413, "Request entity too large: limit is 3145728"),
        (422, "Deployment.apps \"w\" is invalid: spec.selector: Invalid value: {}: field is immutable"),
        (400, "metadata.managedFields must be nil"),
    ] {
        assert!(matches!(answer(status, &json!({"message": message})), ClusterError::Invalid { .. }), "{message}");
    }
}

#[test]
fn a_busy_server_says_when_to_come_back() {
    let body = json!({"message": "too many requests", "details": {"retryAfterSeconds": 7}});
    assert!(matches!(answer(429, &body), ClusterError::Busy { retry_after: Some(7), .. }));
    for status in [500, 502, 503] {
        let busy = answer(status, &json!({"message": "etcdserver: leader changed"}));
        assert!(matches!(busy, ClusterError::Busy { retry_after: None, .. }), "{status}");
    }
}

#[test]
fn a_write_that_the_server_gave_up_on_has_an_unknown_outcome() {
    let body = json!({"reason": "Timeout", "message": "Timeout: request did not complete within requested timeout"});
    assert!(matches!(answer(504, &body), ClusterError::Timeout { seconds: 10, .. }));
}

#[test]
fn rights_credentials_and_absence_keep_the_servers_words() {
    let words = "configmaps is forbidden: User \"viewer\" cannot patch resource";
    assert_eq!(answer(403, &json!({"message": words})).to_string(), words);
    assert!(answer(401, &json!({"message": "Unauthorized"})).to_string().contains("log in again"));
    assert_eq!(
        answer(404, &json!({"message": "namespaces \"nope\" not found"})).to_string(),
        "namespaces \"nope\" not found"
    );
    assert!(matches!(answer(418, &json!({"message": "x"})), ClusterError::Other { code: 418, .. }));
}

#[test]
fn an_answer_that_is_no_status_is_still_told_and_cannot_reach_the_terminal() {
    let error = refused(&Refused {
        server: "https://api",
        what: "GET /x",
        write: false,
        deadline: Duration::from_secs(1),
        status: 502,
        retry_after: Some(3),
        body: b"<html>\x1b[2J</html>",
        mask: &Mask::default(),
    });
    assert_eq!(error.to_string(), "<html>␛[2J</html>");
    assert!(matches!(error, ClusterError::Busy { retry_after: Some(3), .. }));
}

#[test]
fn no_value_of_a_secret_comes_back_in_an_error() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"},
        "data": {"password": "aHVudGVyMg==", "pin": 1234567}, "stringData": {"note": "open \"sesame\""}});
    for (status, message) in [
        (422, "Secret \"db\" is invalid: data[password]: Invalid value: \"aHVudGVyMg==\": no"),
        (422, "Secret \"db\" is invalid: data[password]: Invalid value: hunter2: no"),
        (
            500,
            "failed to create typed patch object (shop/db; /v1, Kind=Secret): .data.pin: expected string, got &value.valueUnstructured{Value:1234567}",
        ),
        (400, "admission webhook \"vet\" denied the request: hunter2 is weak, aHVudGVyMg== too"),
        (403, "policy: password hunter2 is weak"),
        (422, "note: Invalid value: \"open \\\"sesame\\\"\": no"),
        (422, "an open quote \"hunter"),
        (422, "a quote at the end \""),
    ] {
        let error = answer_to(&secret, status, &json!({"message": message})).to_string();
        for value in ["hunter", "aHVud", "1234567", "sesame"] {
            assert!(!error.contains(value), "{error}");
        }
    }
    let error = answer_to(
        &secret,
        422,
        &json!({"message": "Secret \"db\" is invalid: type: Invalid value: \"x\": field is immutable"}),
    );
    assert_eq!(error.to_string(), "Secret \"db\" is invalid: type: Invalid value: ****: field is immutable");
}
