//! JSON pointers (RFC 6901): how a field of an object is named in JSON output, hunks and ignore rules.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One step of a [`Pointer`].
pub type Segment = String;

/// A path to a field, from the object's root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Pointer(pub Vec<Segment>);

impl Pointer {
    /// Returns the pointer one step deeper.
    #[must_use]
    pub fn child(&self, segment: impl Into<Segment>) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.into());
        Self(segments)
    }
    /// Returns the value that it points to.
    pub fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, segment| match value {
            Value::Object(map) => map.get(segment),
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }
    /// Says whether `self` is `other` or one of its ancestors.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
    /// Returns the form that operators read: `spec.template.spec.containers[0].image`.
    pub fn dotted(&self) -> String {
        let mut out = String::new();
        for segment in &self.0 {
            if !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) {
                out.push_str(&format!("[{segment}]"));
            } else {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(segment);
            }
        }
        out
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1")))
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.to_string()
    }
}

impl From<String> for Pointer {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Pointer {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        let text = text.strip_prefix('/').unwrap_or(text);
        Self(text.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_reads_back_what_it_writes() {
        let pointer = Pointer(vec!["metadata".into(), "annotations".into(), "a/b~c".into()]);
        assert_eq!(pointer.to_string(), "/metadata/annotations/a~1b~0c");
        assert_eq!(Pointer::from("/metadata/annotations/a~1b~0c"), pointer);
    }

    #[test]
    fn a_pointer_finds_map_members_and_list_items() {
        let root = json!({"a": [{"b": 1}]});
        assert_eq!(Pointer::from("/a/0/b").get(&root), Some(&json!(1)));
        assert_eq!(Pointer::from("/a/1").get(&root), None);
        assert_eq!(Pointer::from("/a/0/b").dotted(), "a[0].b");
    }

    proptest::proptest! {
        #[test]
        fn every_pointer_reads_back(segments: Vec<String>) {
            let pointer = Pointer(segments);
            proptest::prop_assert_eq!(Pointer::from(pointer.to_string()), pointer);
        }
    }
}
