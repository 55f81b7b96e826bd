//! Who owns a field: the entries of `metadata.managedFields`, looked up by the field's place in the live object.

use super::{entry::values, field_set::FieldSet, path::PathElement, value::equal};
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

/// The owners of one live object's fields, read once for any number of fields.
#[derive(Clone, Debug)]
pub struct Ownership<'a> {
    live: &'a Value,
    /// The entries with what they own; one whose fields cannot be read owns nothing.
    entries: Vec<(&'a Value, FieldSet)>,
}

impl<'a> Ownership<'a> {
    /// Reads the entries of a live object.
    pub fn read(live: &'a Value) -> Self {
        let fields = |entry: &Value| entry.get("fieldsV1").map(FieldSet::read)?.ok();
        let entries = values(live).iter().map(|entry| (entry, fields(entry).unwrap_or_default())).collect();
        Self { live, entries }
    }

    /// Returns the entries that own the field at `path` or a part of it (their field set has it, an ancestor leaf, or a
    /// descendant), newest first.
    ///
    /// List items are found by key, value or index against the live object, so `path` is one of the live object:
    /// [`FieldChange::live_path`](super::FieldChange::live_path).
    pub fn owners(&self, path: &Pointer) -> Vec<Owner> {
        let mut found: Vec<Owner> = self.entries_at(path).map(owner).collect();
        // All times are UTC in one format, so their order is that of the texts; entries without a time come last.
        found.sort_by(|a, b| b.time.cmp(&a.time));
        found
    }

    /// Says whether `manager` has an `Apply` entry that owns the field at `path`.
    pub fn is_owned_by(&self, path: &Pointer, manager: &str) -> bool {
        let mut entries = self.entries_at(path);
        entries.any(|entry| text(entry, "manager") == Some(manager) && text(entry, "operation") == Some("Apply"))
    }

    fn entries_at(&self, path: &Pointer) -> impl Iterator<Item = &'a Value> {
        let reach = |fields: &FieldSet| if fields.is_empty() { None } else { reach(fields, Some(self.live), &path.0) };
        let found: Vec<_> = self.entries.iter().filter_map(|(entry, fields)| Some((*entry, reach(fields)?))).collect();
        // Of one value all have the whole. Where somebody has the field itself, what is above it is a mapping, and who has
        // nothing but that (`f:data: {}`, all of its keys lost) has none of its fields.
        let furthest = found.iter().map(|(_, reach)| *reach).max();
        found.into_iter().filter(move |(_, reach)| Some(*reach) == furthest).map(|(entry, _)| entry)
    }
}

/// Returns the owners of one field: see [`Ownership::owners`].
pub fn owners(live: &Value, path: &Pointer) -> Vec<Owner> {
    Ownership::read(live).owners(path)
}

/// Says whether `manager` owns one field by apply: see [`Ownership::is_owned_by`].
pub fn owned_by(live: &Value, path: &Pointer, manager: &str) -> bool {
    Ownership::read(live).is_owned_by(path, manager)
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

/// How far a field set goes along a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// It has an ancestor as a leaf.
    Ancestor,
    /// It has the field, or a part of it.
    Field,
}

/// Walks a field set along a path; none: it has nothing there.
fn reach(fields: &FieldSet, live: Option<&Value>, path: &[String]) -> Option<Reach> {
    let Some((segment, rest)) = path.split_first() else { return Some(Reach::Field) };
    let index = match live {
        Some(Value::Array(_)) => segment.parse::<usize>().ok(),
        _ => None,
    };
    let next = match live {
        Some(Value::Object(map)) => map.get(segment),
        Some(Value::Array(items)) => index.and_then(|at| items.get(at)),
        _ => None,
    };
    let reaches = fields.parts().filter_map(|(element, _, below)| {
        let is_there = match element {
            PathElement::Field(name) => !matches!(live, Some(Value::Array(_))) && name.as_ref() == segment,
            PathElement::Key(key) => index.and(next).is_some_and(|item| {
                key.iter().all(|(name, value)| item.get(name.as_ref()).is_some_and(|found| equal(found, value)))
            }),
            PathElement::Value(value) => index.and(next).is_some_and(|item| equal(item, value)),
            PathElement::Index(at) => index.is_some_and(|index| i64::try_from(index) == Ok(*at)),
        };
        match (is_there, below.is_empty(), rest.is_empty()) {
            (false, ..) => None,
            // A leaf is owned as a whole, with all that is below it.
            (true, true, false) => Some(Reach::Ancestor),
            (true, true, true) => Some(Reach::Field),
            (true, false, _) => reach(below, next, rest),
        }
    });
    reaches.max()
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
    fn who_lost_every_key_of_a_mapping_owns_none_of_them() {
        let entry = |manager: &str, data: Value| json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:data": data}});
        let live = json!({"data": {"v": "9"}, "metadata": {"managedFields": [
            entry("driftdeck", json!({})), entry("edit", json!({"f:v": {}}))]}});
        let names = |path: &str| owners(&live, &path.into()).into_iter().map(|owner| owner.manager).collect::<Vec<_>>();
        assert_eq!(names("/data/v"), ["edit"]);
        assert_eq!(names("/data"), ["driftdeck", "edit"]);
        assert!(!owned_by(&live, &"/data/v".into(), "driftdeck"));
    }

    #[test]
    fn only_an_apply_entry_makes_a_field_ours() {
        assert!(owned_by(&live(), &"/metadata/labels/a".into(), "driftdeck"));
        assert!(!owned_by(&live(), &"/metadata/labels/b~1c".into(), "driftdeck"));
        assert!(!owned_by(&live(), &"/spec/replicas".into(), "kubectl-edit"));
    }
}
