//! Rules of network policies.

use super::fields::{Fields, default, items};
use serde_json::json;

/// A policy that names no type is one for ingress, and for egress if it says something of it.
pub(super) fn policy(spec: &mut Fields) {
    let types = if items(spec, "egress").is_empty() { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
    default(spec, "policyTypes", types);
}
