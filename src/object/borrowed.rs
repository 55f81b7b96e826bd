//! A JSON document that borrows its texts: read, looked at and dropped at a fraction of what a [`Value`] costs.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use std::{borrow::Cow, fmt};

/// A JSON value.
#[derive(Clone, Debug)]
pub enum Borrowed<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Cow<'a, str>),
    /// A list.
    Array(Vec<Self>),
    /// A mapping; its members in their order.
    Object(Vec<(Cow<'a, str>, Self)>),
}

/// Mappings are equal in whatever order their members stand.
impl PartialEq for Borrowed<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(name, value)| other.get(name) == Some(value))
            }
            _ => false,
        }
    }
}

impl<'a> Borrowed<'a> {
    /// Reads a document; none: it is none, or is nested too deeply.
    pub fn read(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
    /// Returns a member of a mapping.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members()?.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
    /// Returns a mapping's members.
    pub fn members(&self) -> Option<&[(Cow<'a, str>, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
    /// Returns a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
    /// Sets a member of a mapping; anything else stays as it is.
    pub fn set(&mut self, name: &'a str, value: Self) {
        if let Self::Object(members) = self {
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = value,
                None => members.push((name.into(), value)),
            }
        }
    }
    /// Returns a mapping's member, which is made an empty mapping where it is absent or null; none where there is no mapping.
    pub fn mapping(&mut self, name: &'a str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        let at = members.iter().position(|(known, _)| known == name).unwrap_or(members.len());
        if at == members.len() {
            members.push((name.into(), Self::Null));
        }
        let (_, member) = members.get_mut(at)?;
        if *member == Self::Null {
            *member = Self::Object(Vec::new());
        }
        Some(member)
    }
    /// Takes a member out of a mapping.
    pub fn remove(&mut self, name: &str) {
        if let Self::Object(members) = self {
            members.retain(|(known, _)| known != name);
        }
    }
    /// Returns the same document with texts of its own.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::String(text) => Value::String(text.clone().into_owned()),
            Self::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.clone().into_owned(), value.to_value()));
                Value::Object(members.collect::<Map<String, Value>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Borrowed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Borrowed::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Borrowed::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Borrowed::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Borrowed::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        // JSON has no number that is not finite.
        Ok(Number::from_f64(value).map_or(Borrowed::Null, Borrowed::Number))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Borrowed::String(text.into()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Borrowed::String(text.to_owned().into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Borrowed::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut map = Vec::new();
        while let Some((Name(name), value)) = members.next_entry()? {
            map.push((name, value));
        }
        Ok(Borrowed::Object(map))
    }
}

/// A member's name: borrowed where it holds no escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Borrowed::deserialize(deserializer)? {
            Borrowed::String(name) => Ok(Self(name)),
            _ => Err(serde::de::Error::custom("a member's name is a text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_read_as_what_it_is() {
        let value = json!({"a": [1, -2, 1.5, true, null, "t\n\"é", {}], "k\t": {"b": []}});
        let text = value.to_string();
        let read = Borrowed::read(text.as_bytes()).unwrap();
        assert_eq!(read.to_value(), value);
        assert!(matches!(read.get("a"), Some(Borrowed::Array(items)) if items.len() == 7));
        assert_eq!(Borrowed::read(b"{\"a\": 1, \"b\": {}}"), Borrowed::read(b"{\"b\": {}, \"a\": 1}"));
        assert_ne!(Borrowed::read(b"{\"a\": 1}"), Borrowed::read(b"{\"a\": 1.5}"));
        assert_ne!(Borrowed::read(b"{\"a\": 1}"), Borrowed::read(b"{\"b\": 1}"));
        assert!(Borrowed::read(b"{\"a\": ").is_none() && Borrowed::read("[".repeat(500).as_bytes()).is_none());
    }

    #[test]
    fn members_are_set_and_taken_out() {
        let mut read = Borrowed::read(b"{\"metadata\": {\"labels\": null, \"namespace\": \"a\"}}").unwrap();
        let metadata = read.mapping("metadata").unwrap();
        metadata.set("namespace", Borrowed::String("b".into()));
        metadata.mapping("labels").unwrap().set("l", Borrowed::Bool(true));
        metadata.mapping("annotations").unwrap().remove("none");
        assert_eq!(read.to_value(), json!({"metadata": {"labels": {"l": true}, "namespace": "b", "annotations": {}}}));
        assert!(read.mapping("metadata").unwrap().mapping("namespace").unwrap().mapping("x").is_none());
    }
}
