//! Whether a value is what its schema says: unknown fields, wrong types, items that cannot be told apart.

use super::{Shape, check_item, item_element, shape};
use crate::merge::schema::{List, ListType, Scalar, Type};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// One thing that is wrong with a value. It never quotes the value, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypedError {
    /// Where, in the server's spelling: `.spec.containers[name="a"].image`. Empty for the object itself.
    pub path: String,
    /// What, nearly in the server's words.
    pub message: String,
}

/// As the server writes it into its answer.
impl fmt::Display for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// More errors than these say nothing new.
const MAX_ERRORS: usize = 256;

/// Values are far from this deep; what is deeper could end the stack.
pub(in crate::merge) const DEPTH: usize = 200;

/// Checks a value, strictly: two items of one key are an error. The server stops within a mapping at the first field that is
/// not declared, in a random order; here all of them are found.
///
/// # Errors
/// All that is wrong.
pub(in crate::merge) fn validate(schema: Type<'_>, value: &Value) -> Result<(), Vec<TypedError>> {
    checked(schema, value, false)
}

/// Checks a live object. Two items of one key are let pass, since an update can write them; `managedFields` are not looked
/// at, since they are read by themselves.
///
/// # Errors
/// All that is wrong.
pub(in crate::merge) fn validate_live(schema: Type<'_>, value: &Value) -> Result<(), Vec<TypedError>> {
    checked(schema, value, true)
}

fn checked(schema: Type<'_>, value: &Value, live: bool) -> Result<(), Vec<TypedError>> {
    let mut walk = Walk { live, depth: 0, errors: Vec::new() };
    walk.value(schema, value, &Place::Root);
    if walk.errors.is_empty() { Ok(()) } else { Err(walk.errors) }
}

/// Where the walk is; spelled only where something is wrong.
enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, List<'a>, &'a Value, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Member(above, name) => write!(f, "{above}.{name}"),
            Place::Item(above, list, item, index) => match item_element(*list, item) {
                Ok(element) if list.list_type() != ListType::Atomic => write!(f, "{above}{element}"),
                _ => write!(f, "{above}[{index}]"),
            },
        }
    }
}

struct Walk {
    live: bool,
    depth: usize,
    errors: Vec<TypedError>,
}

impl Walk {
    fn error(&mut self, place: &Place<'_>, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(TypedError { path: place.to_string(), message: message.into() });
        }
    }

    fn items(&mut self, list: List<'_>, items: &[Value], place: &Place<'_>) {
        let keyed = list.list_type() != ListType::Atomic;
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            if let Some(message) = keyed.then(|| check_item(list, item).err()).flatten() {
                return self.error(place, format!("element {index}: {message}"));
            }
            let at = Place::Item(place, list, item, index);
            if keyed
                && !self.live
                && items.len() > 1
                && let Ok(element) = item_element(list, item)
                && !seen.insert(element.clone())
            {
                self.error(place, format!("duplicate entries for key {element}"));
            }
            self.value(list.items(), item, &at);
        }
    }

    fn value(&mut self, schema: Type<'_>, value: &Value, place: &Place<'_>) {
        self.depth += 1;
        if self.depth > DEPTH {
            self.error(place, "nested too deep");
        } else {
            self.at_depth(schema, value, place);
        }
        self.depth -= 1;
    }

    fn at_depth(&mut self, schema: Type<'_>, value: &Value, place: &Place<'_>) {
        match (shape(schema, value), value) {
            (None, _) => self.error(place, "schema error: invalid atom"),
            (Some(_), Value::Null) => {}
            (Some(Shape::Map(map)), Value::Object(members)) => {
                let is_metadata = matches!(place, Place::Member(Place::Root, "metadata"));
                for (name, member) in members {
                    if self.live && is_metadata && name == "managedFields" {
                        continue;
                    }
                    let place = Place::Member(place, name);
                    match map.member(name) {
                        Some(schema) => self.value(schema, member, &place),
                        None => self.error(&place, "field not declared in schema"),
                    }
                }
            }
            (Some(Shape::Map(_)), other) => self.error(place, format!("expected map, got {}", type_name(other))),
            (Some(Shape::List(list)), Value::Array(items)) => self.items(list, items, place),
            (Some(Shape::List(_)), other) => self.error(place, format!("expected list, got {}", type_name(other))),
            (Some(Shape::Scalar(scalar)), value) => {
                if let Err(message) = check_scalar(scalar, value) {
                    self.error(place, message);
                }
            }
        }
    }
}

/// Checks a scalar; null is right everywhere.
fn check_scalar(scalar: Scalar, value: &Value) -> Result<(), String> {
    let (right, expected) = match (scalar, value) {
        (_, Value::Null) => return Ok(()),
        (Scalar::Numeric, value) => (value.is_number(), "numeric (int or float)"),
        (Scalar::String, value) => (value.is_string(), "string"),
        (Scalar::Boolean, value) => (value.is_boolean(), "boolean"),
        (Scalar::Any, value) => (!value.is_array() && !value.is_object(), "any scalar"),
    };
    if right { Ok(()) } else { Err(format!("expected {expected}, got {}", type_name(value))) }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}
