//! The fields in which two states of one object differ.

use crate::object::Pointer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// What applying would do.
    pub op: Op,
    /// Live value; none for an addition.
    pub live: Option<Value>,
    /// Predicted value; none for a removal.
    pub desired: Option<Value>,
}

/// Returns what differs between live and predicted, in document order. Status and server-written metadata
/// (`managedFields`, `resourceVersion`, `generation`, `uid`, `creationTimestamp`, `selfLink`) never count.
///
/// Lists of mappings are aligned by the first key of `name`, `key`, `containerPort`+`protocol`, `port`+`protocol`, `mountPath`, `devicePath`, `ip`, `type`,
/// `topologyKey` that is present and unique in every item of both sides (the merge keys of Kubernetes' lists), others by the longest common subsequence.
pub fn changes(_live: &Value, _predicted: &Value) -> Vec<FieldChange> {
    todo!("render helper")
}

/// Returns the part of a live object that a plan's digest binds: without status, `resourceVersion`, `generation`, the times in
/// `managedFields` and its entries of subresource `status`. Entries left are sorted by manager, operation, subresource.
pub fn live_content(_live: &Value) -> Value {
    todo!("render helper")
}
