//! FieldsV1: the JSON form of a field set in `metadata.managedFields`.
//!
//! `{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}}}}`: an empty mapping is a member without members
//! below it, `.` marks a member that has some.

use super::{FieldSet, PathElement};
use crate::merge::value::write_text;
use serde_json::{Map, Value};

/// Why a value is no FieldsV1. The server refuses every apply to an object with such an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A path element is of no known form.
    #[error("`{0}` in managedFields is no path element; reset the object's managedFields")]
    Element(String),
    /// A list, text or number stands where a mapping has to.
    #[error("fieldsV1 in managedFields is no mapping; reset the object's managedFields")]
    NotAMapping,
    /// Deeper than any object.
    #[error("fieldsV1 in managedFields is nested more than {DEPTH} deep; reset the object's managedFields")]
    TooDeep,
}

/// The server's own limit for JSON is far below what the stack allows; objects stay far below this one.
const DEPTH: usize = 256;

impl FieldSet {
    /// Reads FieldsV1.
    ///
    /// # Errors
    /// See [`FieldsError`].
    pub fn read(fields: &Value) -> Result<Self, FieldsError> {
        read(fields, 0).map(|(set, _)| set)
    }

    /// Writes FieldsV1, byte for byte as the server does.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        self.write(false, &mut String::new(), &mut out);
        out.push('}');
        out
    }

    /// Returns FieldsV1 as a value. Its members are sorted as texts, so its bytes are not quite the server's.
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_map(false))
    }

    fn to_map(&self, member: bool) -> Map<String, Value> {
        let mut map = Map::new();
        if member && !self.is_empty() {
            map.insert(".".into(), Value::Object(Map::new()));
        }
        for node in &self.nodes {
            let mut name = String::new();
            node.element.write(&mut name);
            map.insert(name, Value::Object(node.below.to_map(node.member)));
        }
        map
    }

    fn write(&self, member: bool, element: &mut String, out: &mut String) {
        if member && !self.is_empty() {
            out.push_str("\".\":{},");
        }
        for (index, node) in self.nodes.iter().enumerate() {
            out.push_str(if index > 0 { "," } else { "" });
            element.clear();
            node.element.write(element);
            write_text(element, false, out);
            out.push_str(":{");
            node.below.write(node.member, element, out);
            out.push('}');
        }
    }
}

/// Reads what is below a part, and whether the part is a member itself.
fn read(fields: &Value, depth: usize) -> Result<(FieldSet, bool), FieldsError> {
    if depth > DEPTH {
        return Err(FieldsError::TooDeep);
    }
    let members = match fields {
        Value::Object(members) => members,
        Value::Null => return Ok((FieldSet::default(), true)),
        _ => return Err(FieldsError::NotAMapping),
    };
    let mut set = FieldSet::default();
    let mut member = false;
    for (name, inner) in members {
        if name == "." {
            member = true;
        } else if let Some(element) = PathElement::read(name).map_err(FieldsError::Element)? {
            let (below, member) = read(inner, depth + 1)?;
            set.push(element, member, below);
        }
    }
    set.sort();
    member |= set.is_empty();
    Ok((set, member))
}
