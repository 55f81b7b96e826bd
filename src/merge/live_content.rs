//! The part of a live object that counts: what a plan's digest binds, and what a comparison is repeated for.

use super::{field_set::FieldSet, path::Path};
use crate::object::Pointer;
use serde_json::{Map, Value};

/// Returns a live object without status, `resourceVersion`, `generation`, the times in `managedFields`, its entries of subresource `status`,
/// and the fields at or below `uncounted`, which leave every `managedFields` entry too. Mappings that are empty without these go with
/// them. Entries left are sorted by manager, operation, subresource.
pub fn live_content(live: &Value, uncounted: &[Pointer]) -> Value {
    let mut content = live.clone();
    let Some(object) = content.as_object_mut() else { return content };
    object.remove("status");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
            entries.retain_mut(|entry| counts(entry, live, uncounted));
            entries.sort_by_cached_key(|entry| {
                let field = |name| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                (field("manager"), field("operation"), field("subresource"), entry.to_string())
            });
        }
    }
    // The last item first: taking one out of a list moves those behind it.
    let mut uncounted: Vec<&Pointer> = uncounted.iter().collect();
    uncounted.sort_by(|a, b| by_place(b, a));
    for pointer in uncounted {
        take_out(&mut content, &pointer.0);
    }
    content
}

/// Orders pointers as their fields stand; indexes of lists as numbers.
fn by_place(a: &Pointer, b: &Pointer) -> std::cmp::Ordering {
    let key = |segment: &String| (segment.parse::<usize>().unwrap_or(usize::MAX), segment.clone());
    a.0.iter().map(key).cmp(b.0.iter().map(key))
}

/// Takes an entry's time and uncounted fields away; says whether there is anything left of it.
fn counts(entry: &mut Value, live: &Value, uncounted: &[Pointer]) -> bool {
    let Some(entry) = entry.as_object_mut() else { return true };
    entry.remove("time");
    if entry.get("subresource").and_then(Value::as_str) == Some("status") {
        return false;
    }
    let Some(fields) = entry.get_mut("fieldsV1").filter(|_| !uncounted.is_empty()) else { return true };
    // What cannot be read as a field set counts as it stands.
    let Ok(set) = FieldSet::read(fields) else { return true };
    let is_counted = |pointer: Pointer| !uncounted.iter().any(|uncounted| uncounted.covers(&pointer));
    let (mut counted, gone): (Vec<Path>, Vec<Path>) =
        set.paths().into_iter().partition(|path| path.resolve(live).is_none_or(is_counted));
    if gone.is_empty() {
        return true;
    }
    // What is around uncounted fields alone goes with them; the longest first, so that what is around that may go too.
    counted.sort_by_key(|path| std::cmp::Reverse(path.0.len()));
    let mut kept: Vec<Path> = Vec::new();
    for path in counted {
        let is_around = |inner: &Path| inner.0.len() > path.0.len() && inner.0.starts_with(&path.0);
        if kept.iter().any(is_around) || !gone.iter().any(is_around) {
            kept.push(path);
        }
    }
    let mut left = FieldSet::default();
    for path in kept {
        left.insert(&path.0);
    }
    *fields = left.to_value();
    !left.is_empty()
}

/// Removes the field at a path, and mappings that are empty without it.
fn take_out(value: &mut Value, path: &[String]) {
    let Some((segment, rest)) = path.split_first() else { return };
    match value {
        Value::Object(map) if rest.is_empty() => drop(map.remove(segment)),
        Value::Object(map) => {
            let Some(inner) = map.get_mut(segment) else { return };
            let was_empty = is_empty(inner);
            take_out(inner, rest);
            if !was_empty && is_empty(inner) {
                map.remove(segment);
            }
        }
        Value::Array(items) => {
            let Some(index) = segment.parse::<usize>().ok().filter(|index| *index < items.len()) else { return };
            if rest.is_empty() {
                items.remove(index);
            } else {
                take_out(&mut items[index], rest);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scaled(replicas: Option<i64>, time: &str) -> Value {
        let mut live = json!({
            "kind": "Deployment",
            "metadata": {"name": "api", "resourceVersion": time, "managedFields": [
                {"manager": "driftdeck", "operation": "Apply", "time": "t", "fieldsV1": {"f:spec": {"f:paused": {}}}}]},
            "spec": {"paused": true},
            "status": {"replicas": replicas},
        });
        if let Some(replicas) = replicas {
            live["spec"]["replicas"] = json!(replicas);
            let entry = json!({"manager": "hpa", "operation": "Update", "subresource": "scale", "time": time, "fieldsV1": {"f:spec": {"f:replicas": {}}}});
            live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
        }
        live
    }

    #[test]
    fn scalings_of_an_uncounted_field_leave_the_content_alone() {
        let uncounted = ["/spec/replicas".into()];
        let content = live_content(&scaled(None, "1"), &uncounted);
        assert_eq!(live_content(&scaled(Some(3), "2"), &uncounted), content);
        assert_eq!(live_content(&scaled(Some(9), "3"), &uncounted), content);
        assert_ne!(live_content(&scaled(Some(3), "2"), &[]), live_content(&scaled(Some(9), "3"), &[]));
    }

    #[test]
    fn an_uncounted_field_that_comes_with_its_mapping_and_its_writer_is_no_change() {
        let entry = |fields: Value| json!({"manager": "x", "operation": "Update", "fieldsV1": fields});
        let live = |annotations: Value, entries: Value| json!({"metadata": {"annotations": annotations, "labels": {"l": "1"}, "managedFields": entries}});
        let uncounted = ["/metadata/annotations/seen".into()];
        let annotations = json!({"f:annotations": {".": {}, "f:seen": {}}});
        let after = live(json!({"seen": "1"}), json!([entry(json!({"f:metadata": annotations}))]));
        let before = json!({"metadata": {"labels": {"l": "1"}, "managedFields": []}});
        assert_eq!(live_content(&after, &uncounted), live_content(&before, &uncounted));
        // Beside another field the mapping is counted.
        let both = json!({"f:metadata": {"f:annotations": {".": {}, "f:seen": {}, "f:other": {}}}});
        let content = live_content(&live(json!({"seen": "1", "other": "1"}), json!([entry(both)])), &uncounted);
        assert_eq!(
            content["metadata"]["managedFields"][0]["fieldsV1"],
            json!({"f:metadata": {"f:annotations": {".": {}, "f:other": {}}}})
        );
    }

    #[test]
    fn a_mapping_that_is_empty_without_an_uncounted_field_goes_and_items_of_lists_keep_their_places() {
        let live = json!({"metadata": {"annotations": {"a": "1"}}, "l": [{"x": 1, "y": 1}, {"x": 2}], "m": {}});
        let content =
            live_content(&live, &["/metadata/annotations/a".into(), "/l/0/x".into(), "/l/1".into(), "/m/x".into()]);
        assert_eq!(content, json!({"l": [{"y": 1}], "m": {}}));
    }
}
