//! Who owns a field: `metadata.managedFields` read (FieldsV1 of Kubernetes' structured-merge-diff).

use crate::object::Pointer;
use serde_json::{Map, Value};

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
/// List items are found by key (`k:{…}`), value (`v:…`) or index (`i:…`) against the live object, so `path` is one of the
/// live object: [`FieldChange::live_path`](super::FieldChange::live_path).
pub fn owners(live: &Value, path: &Pointer) -> Vec<Owner> {
    let mut found: Vec<Owner> = entries(live).filter(|entry| owns(entry, live, path)).map(owner).collect();
    // All times are UTC in one format, so their order is that of the texts; entries without a time come last.
    found.sort_by(|a, b| b.time.cmp(&a.time));
    found
}

/// Says whether `manager` has an `Apply` entry that owns the field at `path`.
pub fn owned_by(live: &Value, path: &Pointer, manager: &str) -> bool {
    entries(live)
        .filter(|entry| text(entry, "manager") == Some(manager) && text(entry, "operation") == Some("Apply"))
        .any(|entry| owns(entry, live, path))
}

fn entries(live: &Value) -> impl Iterator<Item = &Value> {
    live.get("metadata")
        .and_then(|metadata| metadata.get("managedFields"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(entry: &'a Value, field: &str) -> Option<&'a str> {
    entry.get(field).and_then(Value::as_str)
}

fn owner(entry: &Value) -> Owner {
    Owner {
        manager: text(entry, "manager").unwrap_or_default().to_owned(),
        operation: text(entry, "operation").unwrap_or_default().to_owned(),
        subresource: text(entry, "subresource").filter(|name| !name.is_empty()).map(str::to_owned),
        time: text(entry, "time").map(str::to_owned),
    }
}

fn owns(entry: &Value, live: &Value, path: &Pointer) -> bool {
    match entry.get("fieldsV1").and_then(Value::as_object) {
        Some(fields) if !fields.is_empty() => reaches(fields, Some(live), &path.0),
        _ => false,
    }
}

/// Walks a field set along a path. At the path's end the set has the field, or a part of it.
fn reaches(fields: &Map<String, Value>, live: Option<&Value>, path: &[String]) -> bool {
    let Some((segment, rest)) = path.split_first() else { return true };
    let next: Option<&Value> = match live {
        Some(Value::Object(map)) => map.get(segment),
        Some(Value::Array(items)) => segment.parse::<usize>().ok().and_then(|at| items.get(at)),
        _ => None,
    };
    let is_list = matches!(live, Some(Value::Array(_)));
    fields.iter().any(|(element, inner)| {
        let matches = if is_list {
            segment.parse().is_ok_and(|at| is_item(element, at, next))
        } else {
            element.strip_prefix("f:") == Some(segment)
        };
        // A leaf is owned as a whole, with all that is below it.
        matches && inner.as_object().is_none_or(|inner| inner.is_empty() || reaches(inner, next, rest))
    })
}

/// Says whether a path element of a list means the item at index `at`.
fn is_item(element: &str, at: usize, item: Option<&Value>) -> bool {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let Some(key) = element.strip_prefix("k:") {
        let Some(Value::Object(key)) = json(key) else { return false };
        item.is_some_and(|item| key.iter().all(|(name, value)| item.get(name) == Some(value)))
    } else if let Some(value) = element.strip_prefix("v:") {
        item.is_some() && json(value).as_ref() == item
    } else {
        element.strip_prefix("i:").and_then(|index| index.parse().ok()) == Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "metadata": {"name": "x", "labels": {"a": "1", "b/c": "2"}, "finalizers": ["one", "two"], "managedFields": [
                {"manager": "driftdeck", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"one\"": {}}},
                    "f:spec": {"f:selector": {}, "f:containers": {"k:{\"name\":\"api\"}": {".": {}, "f:image": {},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {"f:containerPort": {}}}}}}}},
                {"manager": "kubectl-edit", "operation": "Update", "time": "2026-02-01T00:00:00Z", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:b/c": {}}}, "f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"side\"}": {"f:image": {}}}, "f:list": {"i:1": {}}}}},
                {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {"f:x": {}}}},
            ]},
            "spec": {"replicas": 2, "selector": {"app": "x"}, "list": [1, 2], "containers": [
                {"name": "side", "image": "s"},
                {"name": "api", "image": "i", "env": [], "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
            "status": {"x": 1},
        })
    }

    #[test]
    fn owners_are_found_by_field_key_value_index_and_ancestor() {
        for (path, expected) in [
            ("/metadata/labels/a", "driftdeck"),
            ("/metadata/labels/b~1c", "kubectl-edit"),
            ("/metadata/labels", "kubectl-edit driftdeck"),
            ("/metadata/finalizers/0", "driftdeck"),
            ("/metadata/finalizers/1", ""),
            ("/spec/selector/app", "driftdeck"),
            ("/spec/containers/0/image", "kubectl-edit"),
            ("/spec/containers/1/image", "driftdeck"),
            ("/spec/containers/1", "driftdeck"),
            ("/spec/containers/1/env", ""),
            ("/spec/containers/1/ports/0/containerPort", "driftdeck"),
            ("/spec/containers", "kubectl-edit driftdeck"),
            ("/spec/containers/7", ""),
            ("/spec/list/1", "kubectl-edit"),
            ("/spec/list/0", ""),
            ("/status/x", "kubelet"),
            ("/spec/other", ""),
        ] {
            let names: Vec<_> = owners(&live(), &path.into()).into_iter().map(|owner| owner.manager).collect();
            assert_eq!(names.join(" "), expected, "{path}");
        }
        assert_eq!(owners(&live(), &"/status/x".into())[0].subresource.as_deref(), Some("status"));
    }

    #[test]
    fn only_an_apply_entry_makes_a_field_ours() {
        assert!(owned_by(&live(), &"/metadata/labels/a".into(), "driftdeck"));
        assert!(!owned_by(&live(), &"/metadata/labels/b~1c".into(), "driftdeck"));
        assert!(!owned_by(&live(), &"/spec/replicas".into(), "kubectl-edit"));
    }
}
