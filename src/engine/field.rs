//! Fields found again in another state of the same object: list items by their keys, the server's own field paths as pointers.

use crate::object::Pointer;
use serde_json::Value;
use std::{collections::BTreeMap, ops::Bound};

/// Keys by which Kubernetes' lists tell their items apart, tried in this order.
const ITEM_KEYS: &[&str] =
    &["name", "key", "containerPort", "port", "mountPath", "devicePath", "ip", "type", "topologyKey"];

/// Returns what stands in `to` where `path` leads in `from`. A list item is found by its key where it has one, else by its index.
pub(in crate::engine) fn follow<'a>(path: &Pointer, from: &Value, to: &'a Value) -> Option<&'a Value> {
    let mut from = Some(from);
    let mut to = to;
    for segment in &path.0 {
        let next_from = from.and_then(|value| step(value, segment));
        to = match (to, next_from) {
            (Value::Array(items), Some(item)) => match item_key(item) {
                Some((key, value)) => items.iter().find(|each| each.get(key) == Some(value))?,
                None => step(to, segment)?,
            },
            _ => step(to, segment)?,
        };
        from = next_from;
    }
    Some(to)
}

/// Says whether every leaf of `part` is in `whole` with the same value: `whole` may have more members, as a server's defaults do.
pub(in crate::engine) fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => whole == part,
    }
}

/// Turns the server's field path (`.spec.containers[name="api"].image`) into a pointer into `root`, as far as it leads.
pub(in crate::engine) fn pointer_of(field: &str, root: &Value) -> Pointer {
    let mut pointer = Pointer::default();
    let mut value = Some(root);
    for part in split(field) {
        let segment = match (part.strip_prefix('['), value) {
            (Some(selector), Some(Value::Array(items))) => {
                let selector = selector.trim_end_matches(']');
                match items.iter().position(|item| selects(selector, item)) {
                    Some(index) => index.to_string(),
                    None => break,
                }
            }
            (Some(_), _) => break,
            (None, _) => part.trim_start_matches('.').to_owned(),
        };
        value = value.and_then(|value| step(value, &segment));
        pointer = pointer.child(segment);
    }
    pointer
}

/// Things by the fields that they are about; those at, above and below a field are found without a look at the others.
pub(in crate::engine) struct ByField<T>(BTreeMap<Vec<String>, Vec<T>>);

impl<T> FromIterator<(Pointer, T)> for ByField<T> {
    fn from_iter<I: IntoIterator<Item = (Pointer, T)>>(all: I) -> Self {
        let mut by_field: BTreeMap<Vec<String>, Vec<T>> = BTreeMap::new();
        for (pointer, one) in all {
            by_field.entry(pointer.0).or_default().push(one);
        }
        Self(by_field)
    }
}

impl<T> ByField<T> {
    /// Returns what is about this field, a part of it, or what it is a part of.
    pub(in crate::engine) fn about(&self, pointer: &Pointer) -> impl Iterator<Item = &T> {
        let path = pointer.0.as_slice();
        let above = (0..path.len()).filter_map(move |length| self.0.get(&path[..length]));
        let below = self.0.range::<[String], _>((Bound::Included(path), Bound::Unbounded));
        let below = below.take_while(move |(at, _)| at.starts_with(path)).map(|(_, things)| things);
        above.chain(below).flatten()
    }
}

fn step<'a>(value: &'a Value, segment: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    }
}

fn item_key(item: &Value) -> Option<(&'static str, &Value)> {
    ITEM_KEYS.iter().find_map(|key| Some((*key, item.get(*key)?)))
}

/// Splits `.a.b[name="x.y"].c` into `.a`, `.b`, `[name="x.y"]`, `.c`.
fn split(field: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut in_brackets, mut quoted) = (0, false, false);
    let bytes = field.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if in_brackets && (index == 0 || bytes[index - 1] != b'\\') => quoted = !quoted,
            b'.' | b'[' if !in_brackets => {
                if index > start {
                    parts.push(&field[start..index]);
                }
                start = index;
                in_brackets = *byte == b'[';
            }
            b']' if in_brackets && !quoted => in_brackets = false,
            _ => {}
        }
    }
    if start < field.len() {
        parts.push(&field[start..]);
    }
    parts
}

/// Says whether a selector `name="x",protocol="TCP"` or `="value"` picks an item.
fn selects(selector: &str, item: &Value) -> bool {
    if let Some(value) = selector.strip_prefix('=') {
        return serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item);
    }
    selector.split(',').all(|pair| {
        pair.split_once('=').is_some_and(|(key, value)| {
            serde_json::from_str::<Value>(value).is_ok_and(|value| item.get(key) == Some(&value))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_item_is_found_again_by_its_name() {
        let from = json!({"c": [{"name": "side"}, {"name": "api", "image": "2"}]});
        let to = json!({"c": [{"name": "api", "image": "1"}]});
        assert_eq!(follow(&Pointer::from("/c/1/image"), &from, &to), Some(&json!("1")));
        assert_eq!(follow(&Pointer::from("/c/0"), &from, &to), None);
    }

    #[test]
    fn the_servers_field_paths_become_pointers() {
        let root = json!({"spec": {"containers": [{"name": "a.b"}, {"name": "api", "image": "x"}]}, "metadata": {"finalizers": ["f/x"]}});
        assert_eq!(pointer_of(".spec.containers[name=\"api\"].image", &root).to_string(), "/spec/containers/1/image");
        assert_eq!(pointer_of(".spec.containers[name=\"a.b\"]", &root).to_string(), "/spec/containers/0");
        assert_eq!(pointer_of(".metadata.finalizers[=\"f/x\"]", &root).to_string(), "/metadata/finalizers/0");
    }

    #[test]
    fn defaults_do_not_hide_that_a_value_is_the_one_applied() {
        let live = json!({"a": 1, "defaulted": true, "l": [{"x": 1, "d": 2}]});
        assert!(contains(&live, &json!({"a": 1, "l": [{"x": 1}]})));
        assert!(!contains(&live, &json!({"a": 2})));
        assert!(!contains(&live, &json!({"l": []})));
    }

    #[test]
    fn what_is_about_a_field_is_found_above_at_and_below_it() {
        let fields = ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/bb", "/b", "/"];
        let all: ByField<&str> = fields.into_iter().map(|field| (Pointer::from(field), field)).collect();
        let about = |field: &str| all.about(&Pointer::from(field)).copied().collect::<Vec<_>>();
        for field in ["/a/b", "/a/b/c/d/e", "/b", "/c", ""] {
            let pointer = Pointer::from(field);
            let related = |other: &&str| {
                let other = Pointer::from(*other);
                other.covers(&pointer) || pointer.covers(&other)
            };
            let mut expected: Vec<&str> = fields.into_iter().filter(related).collect();
            let mut found = about(field);
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{field}");
        }
    }
}
