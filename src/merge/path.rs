//! How a field set names a field: path elements (structured-merge-diff's `fieldpath` package) and paths of them.

use super::{
    schema::Name,
    value::{compare, spelled, write_json, write_text},
};
use serde_json::{Map, Value};
use std::{cmp::Ordering, fmt, sync::Arc};

/// One step from a value to a part of it. Cheap to clone.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A member of a mapping.
    Field(Name),
    /// The item of a list of mappings in which these fields have these values; sorted by name.
    Key(Arc<[(Name, Value)]>),
    /// The item of a set.
    Value(Arc<Value>),
    /// The item at an index of a list.
    Index(i64),
}

impl PathElement {
    /// Returns the element of a member.
    pub fn field(name: &str) -> Self {
        Self::Field(Name::from(name))
    }

    /// Reads the form that it has in FieldsV1: `f:name`, `k:{…}`, `v:…`, `i:3`. None for a kind that is not known: the
    /// server ignores these.
    ///
    /// # Errors
    /// The text is not of that form; it is handed back.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let bad = || text.to_owned();
        let (Some(rest), Some(":")) = (text.get(2..), text.get(1..2)) else { return Err(bad()) };
        Ok(Some(match &text[..1] {
            "f" => Self::field(rest),
            "k" => {
                let key: Map<String, Value> = serde_json::from_str(rest).map_err(|_| bad())?;
                // The members of the mapping come sorted by name.
                Self::Key(key.into_iter().map(|(name, value)| (Name::from(name), value)).collect())
            }
            "v" => Self::Value(Arc::new(serde_json::from_str(rest).map_err(|_| bad())?)),
            "i" => Self::Index(rest.parse().map_err(|_| bad())?),
            _ => return Ok(None),
        }))
    }

    /// Writes the form that it has in FieldsV1.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push_str("f:");
                out.push_str(name);
            }
            Self::Key(key) => {
                out.push_str("k:{");
                for (index, (name, value)) in key.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    write_text(name, false, out);
                    out.push(':');
                    write_json(value, out);
                }
                out.push('}');
            }
            Self::Value(value) => {
                out.push_str("v:");
                write_json(value, out);
            }
            Self::Index(index) => {
                out.push_str("i:");
                out.push_str(&index.to_string());
            }
        }
    }
}

impl Ord for PathElement {
    /// Fields, keys, values, indices: the order in which FieldsV1 is written.
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |element: &Self| match element {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        };
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => {
                let pairs = a.iter().zip(b.iter());
                let mut pairs = pairs.map(|((name, a), (other, b))| name.cmp(other).then_with(|| compare(a, b)));
                pairs.find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (Self::Value(a), Self::Value(b)) => compare(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement {}

/// The server's spelling: `.name`, `[name="a",port=80]`, `[="value"]`, `[3]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(key) => {
                let pairs: Vec<_> = key.iter().map(|(name, value)| format!("{name}={}", spelled(value))).collect();
                write!(f, "[{}]", pairs.join(","))
            }
            Self::Value(value) => write!(f, "[={}]", spelled(value)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A path from an object's root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<PathElement>);

/// The server's spelling: `.spec.template.spec.containers[name="a"].image`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.fmt(f))
    }
}
