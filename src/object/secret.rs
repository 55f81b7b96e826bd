//! Secrets are compared in memory and shown by key only: no value of one leaves this module's callers.

use super::Manifest;
use serde_json::{Map, Value, json};

/// Stands in JSON output where a Secret's value would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// The other side has another value.
    Changed,
    /// Both sides have this value.
    Same,
}

impl Mask {
    /// Returns the JSON that stands in place of the value.
    pub fn json(self) -> Value {
        json!({ "masked": match self { Self::Changed => "changed", Self::Same => "same" } })
    }
}

const SAME: &str = "**** (same, masked)";
const CHANGED: &str = "**** (changed, masked)";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Says whether an object is a core Secret.
pub fn is_secret(body: &Value) -> bool {
    body.get("kind").and_then(Value::as_str) == Some("Secret")
        && body.get("apiVersion").and_then(Value::as_str) == Some("v1")
}

/// Says whether a member of a Secret holds values that nobody may see. Any but the known others does: `stringdata` is a slip, and a secret.
pub fn holds_values(field: &str, value: Option<&Value>) -> bool {
    match field {
        "apiVersion" | "kind" | "metadata" | "type" => false,
        "immutable" => !value.is_none_or(Value::is_boolean),
        _ => true,
    }
}

/// Returns an object without a Secret's values: each is null, only the key names stay. Objects of other kinds come back as they are.
pub fn without_values(body: &Value) -> Value {
    let mut body = body.clone();
    if !is_secret(&body) {
        return body;
    }
    for (field, value) in body.as_object_mut().into_iter().flatten() {
        match value {
            value if !holds_values(field, Some(value)) => {}
            Value::Object(values) => values.values_mut().for_each(|value| *value = Value::Null),
            value => *value = Value::Null,
        }
    }
    if let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    body
}

/// Returns both sides of a comparison with every value of a Secret replaced by a mark that says only whether the two
/// differ. Objects of other kinds come back as they are, but for the last-applied annotation of `kubectl`, whose copy of a Secret is masked too.
pub fn mask_pair(live: Option<&Value>, desired: Option<&Value>) -> (Option<Value>, Option<Value>) {
    if !live.or(desired).is_some_and(is_secret) {
        return (live.cloned(), desired.cloned());
    }
    let masked = |side: Option<&Value>, other: Option<&Value>| {
        side.map(|side| {
            let mut side = side.clone();
            mask_against(&mut side, other);
            side
        })
    };
    (masked(live, desired), masked(desired, live))
}

/// Returns a manifest's body with its Secret values, if it is one, replaced by marks.
pub fn mask_secret(manifest: &Manifest) -> Value {
    mask_pair(None, Some(&manifest.body)).1.unwrap_or(Value::Null)
}

fn mask_against(secret: &mut Value, other: Option<&Value>) {
    for (field, value) in secret.as_object_mut().into_iter().flatten() {
        let theirs = other.and_then(|other| other.get(field));
        match value {
            value if !holds_values(field, Some(value)) => {}
            Value::Object(values) => mask_values(values, theirs.and_then(Value::as_object)),
            value => *value = if theirs == Some(value) { SAME } else { CHANGED }.into(),
        }
    }
    if let Some(annotation) = secret.pointer_mut("/metadata/annotations").and_then(|a| a.get_mut(LAST_APPLIED)) {
        *annotation = CHANGED.into();
    }
}

fn mask_values(values: &mut Map<String, Value>, theirs: Option<&Map<String, Value>>) {
    for (key, value) in values.iter_mut() {
        let same = theirs.is_some_and(|theirs| theirs.get(key) == Some(value));
        *value = if same { SAME } else { CHANGED }.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_which_keys_differ_and_no_value() {
        let live = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "c2VjcmV0", "b": "eA=="}, "metadata": {"annotations": {(LAST_APPLIED): "c2VjcmV0"}}});
        let desired = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "b3RoZXI=", "b": "eA=="}});
        let (live, desired) = mask_pair(Some(&live), Some(&desired));
        let (live, desired) = (live.unwrap(), desired.unwrap());
        assert_eq!(live["data"]["a"], CHANGED);
        assert_eq!(live["data"]["b"], SAME);
        let slip = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": "own", "stringdata": {"a": "own"}, "x": ["own"]});
        let masked = mask_pair(None, Some(&slip)).1.unwrap();
        assert!(!masked.to_string().contains("own") && masked["type"] == "Opaque", "{masked}");
        assert!(!without_values(&slip).to_string().contains("own"));
        assert!(!live.to_string().contains("c2VjcmV0") && !desired.to_string().contains("b3RoZXI="));
    }
}
