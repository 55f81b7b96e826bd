//! The entries of `metadata.managedFields`: who wrote which fields, through which API version and subresource.

use super::field_set::{FieldSet, FieldsError};
use serde_json::{Map, Value};

/// How a manager wrote its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By server-side apply: what it no longer applies is taken out.
    Apply,
    /// By create, update or any other patch: what it wrote it keeps.
    Update,
}

impl Operation {
    /// As it is written in an entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One manager's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Manager's name, e.g. `kubectl-edit`.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// API version in which its fields are named.
    pub api_version: String,
    /// Subresource it wrote through, e.g. `scale`; empty for the object itself.
    pub subresource: String,
    /// When it last changed something, RFC 3339. The server writes its clock where an apply changes the object: there it
    /// is none.
    pub time: Option<String>,
    /// What it owns.
    pub fields: FieldSet,
}

/// Why `managedFields` cannot be read. The server refuses every apply to such an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// An entry lacks a part or has one of another form.
    #[error("entry {0} of managedFields has no right {1}; reset the object's managedFields")]
    Part(usize, &'static str),
    /// Its set of fields is broken.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

impl Entry {
    /// Reads the entries of an object.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn read_all(object: &Value) -> Result<Vec<Self>, EntryError> {
        let mut entries: Vec<Self> = Vec::new();
        for (index, value) in values(object).iter().enumerate() {
            let entry = Self::read(index, value)?;
            // Of two entries of one identity the server knows only the last.
            match entries.iter_mut().find(|known| known.is_same_as(&entry)) {
                Some(known) => *known = entry,
                None => entries.push(entry),
            }
        }
        Ok(entries)
    }

    fn read(index: usize, value: &Value) -> Result<Self, EntryError> {
        let text = |name: &'static str| match value.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(EntryError::Part(index, name)),
        };
        let operation = match text("operation")?.as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err(EntryError::Part(index, "operation")),
        };
        let api_version = text("apiVersion")?;
        if api_version.is_empty() {
            return Err(EntryError::Part(index, "apiVersion"));
        }
        if text("fieldsType")? != "FieldsV1" {
            return Err(EntryError::Part(index, "fieldsType"));
        }
        Ok(Self {
            manager: text("manager")?,
            operation,
            api_version,
            subresource: text("subresource")?,
            time: Some(text("time")?).filter(|time| !time.is_empty()),
            fields: value.get("fieldsV1").map_or(Ok(FieldSet::default()), FieldSet::read)?,
        })
    }

    /// Writes the entry.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        let mut text = |name: &str, text: &str| {
            if !text.is_empty() {
                map.insert(name.into(), text.into());
            }
        };
        text("manager", &self.manager);
        text("operation", self.operation.as_str());
        text("apiVersion", &self.api_version);
        text("time", self.time.as_deref().unwrap_or_default());
        text("fieldsType", "FieldsV1");
        text("subresource", &self.subresource);
        map.insert("fieldsV1".into(), self.fields.to_value());
        Value::Object(map)
    }

    /// Says whether both are one entry: an applier's is the same in every version.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.is_of(&other.manager, other.operation, &other.subresource)
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    pub(super) fn is_of(&self, manager: &str, operation: Operation, subresource: &str) -> bool {
        self.manager == manager && self.operation == operation && self.subresource == subresource
    }
}

/// The entries as they stand in an object.
pub(super) fn values(object: &Value) -> &[Value] {
    let entries = object.get("metadata").and_then(|metadata| metadata.get("managedFields"));
    entries.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
