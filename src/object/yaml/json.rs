//! A stream of JSON documents, with the numbers of Go's JSON reader, a bound on depth and duplicate keys seen.

use super::{Document, MAX_DEPTH, MAX_WARNINGS, YamlError, decode::number, too_deep, within_budget};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::RefCell, fmt};

/// Reads a stream of JSON objects; none if it is not JSON from end to end (it may be flow YAML then).
pub(super) fn documents(text: &str) -> Option<Vec<Document>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut documents = Vec::new();
    let mut end = 0;
    while let Some(read) = stream.next() {
        read.ok()?;
        let raw = text[end..stream.byte_offset()].trim_start();
        end = stream.byte_offset();
        let line = |at: usize| 1 + text[..at].matches('\n').count();
        let lines = (line(end - raw.len()), line(end));
        let duplicates = RefCell::new(Vec::new());
        let value = within_budget(raw, lines.0, || {
            // The text is JSON already; all that can be wrong is its depth.
            Reader { depth: 0, duplicates: &duplicates }
                .deserialize(&mut serde_json::Deserializer::from_str(raw))
                .map_err(|error| {
                    let at = lines.0 + error.line().saturating_sub(1);
                    let too_deep_for_us = error.to_string().contains(TOO_DEEP);
                    if too_deep_for_us { too_deep(at) } else { YamlError::new(at, error.to_string()) }
                })
        });
        let warnings = duplicates
            .into_inner()
            .into_iter()
            .take(MAX_WARNINGS)
            .map(|key: String| (lines.0, format!("the key `{key}` is in one object twice; the last one counts")))
            .collect();
        documents.push(Document { index: documents.len(), lines, value, warnings });
    }
    Some(documents)
}

const TOO_DEEP: &str = "nested too deep";

struct Reader<'a> {
    depth: usize,
    duplicates: &'a RefCell<Vec<String>>,
}

impl Reader<'_> {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Self { depth: self.depth + 1, duplicates: self.duplicates })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        // Go's reader keeps what fits an int64 and makes a float64 of the rest.
        i64::try_from(value).map_or_else(|_| self.visit_f64(value as f64), |value| Ok(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        number(value).ok_or_else(|| E::custom("a number is not finite"))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inner()?)?;
            if map.insert(key.clone(), value).is_some() {
                self.duplicates.borrow_mut().push(key);
            }
        }
        Ok(Value::Object(map))
    }
}
