//! The fields in which two states of one object differ.

use super::alignment::{Step, align};
use crate::object::Pointer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Live lacks it.
    Add,
    /// Only live has it.
    Remove,
    /// Both have it, with different values.
    Replace,
}

/// One field that differs. The path is the smallest one: a whole subtree that only one side has is one change.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where; list items by their index (on the predicted side, for a removal on the live side).
    pub path: Pointer,
    /// Where it stands in the live object, for [`owners`](super::owners); for an addition the place of its nearest
    /// ancestor that live has, with the new steps after it. Differs from `path` where list items have moved.
    pub live_path: Pointer,
    /// What applying would do.
    pub op: Op,
    /// Live value; none for an addition.
    pub live: Option<Value>,
    /// Predicted value; none for a removal.
    pub desired: Option<Value>,
}

/// What the server writes into `metadata`; it says nothing about an object's content.
const SERVER_WRITTEN: &[&str] =
    &["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/// Returns what differs between live and predicted, in document order. Status and server-written metadata
/// (`managedFields`, `resourceVersion`, `generation`, `uid`, `creationTimestamp`, `selfLink`) never count.
///
/// Lists of mappings are aligned by the first key of `name`, `key`, `containerPort`+`protocol`, `port`+`protocol`, `mountPath`, `devicePath`, `ip`, `type`,
/// `topologyKey` that is present and unique in every item of both sides (the merge keys of Kubernetes' lists), others by the longest common subsequence.
/// An item that stands in another order is a removal and an addition.
pub fn changes(live: &Value, predicted: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    let place = Place::default();
    match (live, predicted) {
        (Value::Object(live), Value::Object(predicted)) => members(live, predicted, &place, &mut found, |key| {
            key == "status" || (key == "metadata" && metadata_is_mapping(live) && metadata_is_mapping(predicted))
        }),
        (live, predicted) => return compare_all(live, predicted, &place),
    }
    if let (Some(Value::Object(live)), Some(Value::Object(predicted))) =
        (live.get("metadata"), predicted.get("metadata"))
    {
        let mut metadata = Vec::new();
        let place = place.child("metadata");
        members(live, predicted, &place, &mut metadata, |key| SERVER_WRITTEN.contains(&key));
        // Document order: metadata stands among the other members by its name.
        let at = found.iter().position(|change| change.path.0.first().is_some_and(|key| key.as_str() > "metadata"));
        let at = at.unwrap_or(found.len());
        found.splice(at..at, metadata);
    }
    found
}

fn metadata_is_mapping(object: &Map<String, Value>) -> bool {
    object.get("metadata").is_some_and(Value::is_object)
}

fn compare_all(live: &Value, predicted: &Value, place: &Place) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(live, predicted, place, &mut found);
    found
}

/// Where the comparison stands, on both sides.
#[derive(Clone, Default)]
struct Place {
    live: Pointer,
    predicted: Pointer,
}

impl Place {
    fn child(&self, key: &str) -> Self {
        Self { live: self.live.child(key), predicted: self.predicted.child(key) }
    }
    fn items(&self, live: usize, predicted: usize) -> Self {
        Self { live: self.live.child(live.to_string()), predicted: self.predicted.child(predicted.to_string()) }
    }
    fn added(&self, desired: &Value) -> FieldChange {
        let (path, live_path) = (self.predicted.clone(), self.live.clone());
        FieldChange { path, live_path, op: Op::Add, live: None, desired: Some(desired.clone()) }
    }
    fn removed(&self, live: &Value) -> FieldChange {
        let path = self.live.clone();
        FieldChange { live_path: path.clone(), path, op: Op::Remove, live: Some(live.clone()), desired: None }
    }
    fn replaced(&self, live: &Value, desired: &Value) -> FieldChange {
        let (path, live_path) = (self.predicted.clone(), self.live.clone());
        FieldChange { path, live_path, op: Op::Replace, live: Some(live.clone()), desired: Some(desired.clone()) }
    }
}

fn compare(live: &Value, predicted: &Value, place: &Place, found: &mut Vec<FieldChange>) {
    match (live, predicted) {
        (Value::Object(live), Value::Object(predicted)) => members(live, predicted, place, found, |_| false),
        (Value::Array(live), Value::Array(predicted)) => items(live, predicted, place, found),
        (live, predicted) if same_scalar(live, predicted) => {}
        (live, predicted) => found.push(place.replaced(live, predicted)),
    }
}

fn same_scalar(live: &Value, predicted: &Value) -> bool {
    match (live, predicted) {
        // `1` and `1.0` are one number to the server; two integers are compared as integers, or large ones would blur.
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

fn members(
    live: &Map<String, Value>,
    predicted: &Map<String, Value>,
    place: &Place,
    found: &mut Vec<FieldChange>,
    skip: impl Fn(&str) -> bool,
) {
    let mut keys: Vec<&String> = live.keys().chain(predicted.keys().filter(|key| !live.contains_key(*key))).collect();
    keys.sort();
    for key in keys.into_iter().filter(|key| !skip(key)) {
        let place = place.child(key);
        match (live.get(key), predicted.get(key)) {
            (Some(live), Some(predicted)) => compare(live, predicted, &place, found),
            (Some(live), None) => found.push(place.removed(live)),
            (None, Some(predicted)) => found.push(place.added(predicted)),
            (None, None) => {}
        }
    }
}

fn items(live: &[Value], predicted: &[Value], place: &Place, found: &mut Vec<FieldChange>) {
    for step in align(live, predicted) {
        match step {
            Step::Both(left, right) => compare(&live[left], &predicted[right], &place.items(left, right), found),
            Step::Live(left) => found.push(place.items(left, left).removed(&live[left])),
            Step::Predicted(right) => found.push(place.items(right, right).added(&predicted[right])),
        }
    }
}
