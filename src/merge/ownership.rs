//! Who owns a field: `metadata.managedFields` read (FieldsV1).

use crate::object::Pointer;
use serde_json::Value;

/// One manager's entry in `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Manager's name, e.g. `kubectl-edit`.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// Subresource it wrote through, e.g. `scale`.
    pub subresource: Option<String>,
    /// When it last wrote, RFC 3339.
    pub time: Option<String>,
}

/// Returns the entries that own the field at `path` or a part of it (their field set has it, an ancestor leaf, or a descendant), newest first.
///
/// List items are found by key (`k:{…}`), value (`v:…`) or index (`i:…`) against the live object.
pub fn owners(_live: &Value, _path: &Pointer) -> Vec<Owner> {
    todo!("render helper")
}

/// Says whether `manager` has an `Apply` entry that owns the field at `path`.
pub fn owned_by(_live: &Value, _path: &Pointer, _manager: &str) -> bool {
    todo!("render helper")
}
