//! Bodies in protobuf, which typed clients (kubectl's `create`, controllers) send of Kubernetes' own kinds: the wire format,
//! read into the JSON that the rest of the server works on. Answers are JSON, which these clients take too.
//!
//! Field numbers and types come from the published `generated.proto` files, as data.

use super::catalog::asset;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::LazyLock};

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Deeper than any kind.
const DEEPEST: usize = 64;

/// A field of a message.
#[derive(Debug)]
struct Field {
    name: &'static str,
    repeated: bool,
    /// Its own fields stand in place of it.
    inlined: bool,
    /// A map from texts.
    map: bool,
    kind: &'static str,
}

type Messages = HashMap<&'static str, HashMap<u64, Field>>;

static TEXT: LazyLock<String> =
    LazyLock::new(|| String::from_utf8(asset(include_bytes!("../../assets/sandbox/protobuf.zst"))).unwrap_or_default());

static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let mut messages = Messages::new();
    let mut current = "";
    for line in TEXT.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some(name), None, _) => {
                current = name;
                messages.entry(current).or_default();
            }
            (Some(number), Some(name), Some(kind)) => {
                let is = |mark: char| kind.starts_with(mark);
                let kind_name = kind.trim_start_matches(['*', '%', '^']);
                let field = Field { name, repeated: is('*'), inlined: is('^'), map: is('%'), kind: kind_name };
                if let Ok(number) = number.parse() {
                    messages.entry(current).or_default().insert(number, field);
                }
            }
            _ => {}
        }
    }
    messages
});

/// Reads a body.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(body: &[u8]) -> Result<Value, String> {
    let unknown = body.strip_prefix(MAGIC).ok_or("provided data does not appear to be a protobuf message")?;
    let envelope = message("k8s.io.apimachinery.pkg.runtime.Unknown", unknown, 0)?;
    let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("/typeMeta/apiVersion"), text("/typeMeta/kind"));
    let raw = STANDARD.decode(text("/raw")).map_err(|error| error.to_string())?;
    let name = message_of(&api_version, &kind)
        .ok_or_else(|| format!("no kind {kind:?} is registered for version {api_version:?}"))?;
    let mut object = message(&name, &raw, 0)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

/// The message of a kind: packages are named after the first part of the group.
fn message_of(api_version: &str, kind: &str) -> Option<String> {
    let (group, version) = crate::object::split_api_version(api_version);
    let package = match group.split('.').next() {
        Some("") | None => "core",
        Some(first) => first,
    };
    let candidates = [
        format!("k8s.io.api.{package}.{version}.{kind}"),
        format!("k8s.io.apiextensions_apiserver.pkg.apis.{package}.{version}.{kind}"),
        format!("k8s.io.kube_aggregator.pkg.apis.{package}.{version}.{kind}"),
        format!("k8s.io.apimachinery.pkg.apis.meta.v1.{kind}"),
    ];
    candidates.into_iter().find(|name| MESSAGES.contains_key(name.as_str()))
}

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Splits the next field off: its number and value.
fn next<'a>(rest: &mut &'a [u8]) -> Result<(u64, Wire<'a>), String> {
    let tag = varint(rest)?;
    let wire = match tag & 7 {
        0 => Wire::Number(varint(rest)?),
        1 => Wire::Number(u64::from_le_bytes(fixed(rest)?)),
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| "length out of range".to_owned())?;
            let (bytes, after) = rest.split_at_checked(length).ok_or("unexpected EOF")?;
            *rest = after;
            Wire::Bytes(bytes)
        }
        5 => Wire::Number(u64::from(u32::from_le_bytes(fixed(rest)?))),
        other => return Err(format!("proto: illegal wireType {other}")),
    };
    Ok((tag >> 3, wire))
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, after) = rest.split_first_chunk::<N>().ok_or("unexpected EOF")?;
    *rest = after;
    Ok(*bytes)
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or("unexpected EOF")?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("proto: integer overflow".into())
}

fn message(name: &str, mut rest: &[u8], depth: usize) -> Result<Value, String> {
    let fields = MESSAGES.get(name).ok_or_else(|| format!("no message {name}"))?;
    if depth > DEEPEST {
        return Err("nested too deeply".into());
    }
    let mut found = Map::new();
    while !rest.is_empty() {
        let (number, wire) = next(&mut rest)?;
        let Some(field) = fields.get(&number) else { continue };
        if field.map {
            let Wire::Bytes(bytes) = wire else { return Err(format!("{name}.{} is no map", field.name)) };
            let (key, value) = map_entry(field.kind, bytes, depth)?;
            if let Some(map) = found.entry(field.name).or_insert_with(|| json!({})).as_object_mut() {
                map.insert(key, value);
            }
            continue;
        }
        let value = value(field.kind, wire, depth)?;
        if let (true, Value::Object(inner)) = (field.inlined, &value) {
            found.extend(inner.clone());
            continue;
        }
        if field.repeated {
            if let Some(items) = found.entry(field.name).or_insert_with(|| json!([])).as_array_mut() {
                items.push(value);
            }
        } else {
            found.insert(field.name.to_owned(), value);
        }
    }
    Ok(special(name, found))
}

fn map_entry(kind: &'static str, mut rest: &[u8], depth: usize) -> Result<(String, Value), String> {
    let (mut key, mut found) = (String::new(), None);
    while !rest.is_empty() {
        match next(&mut rest)? {
            (1, Wire::Bytes(bytes)) => key = String::from_utf8_lossy(bytes).into_owned(),
            (2, wire) => found = Some(value(kind, wire, depth)?),
            _ => {}
        }
    }
    let empty = || value(kind, Wire::Bytes(&[]), depth);
    Ok((key, found.map_or_else(empty, Ok)?))
}

fn value(kind: &str, wire: Wire<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (kind, wire) {
        ("string", Wire::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned().into(),
        ("bytes", Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        ("bool", Wire::Number(number)) => (number != 0).into(),
        ("double", Wire::Number(number)) => json!(f64::from_bits(number)),
        ("int32" | "int64", Wire::Number(number)) => number.cast_signed().into(),
        ("uint32" | "uint64", Wire::Number(number)) => number.into(),
        (name, Wire::Bytes(bytes)) => message(name, bytes, depth + 1)?,
        (kind, Wire::Number(_)) => return Err(format!("proto: wrong wireType for {kind}")),
    })
}

/// Messages whose JSON is no object of their fields.
fn special(name: &str, mut fields: Map<String, Value>) -> Value {
    let (package, name) = name.rsplit_once('.').unwrap_or_default();
    let number = |name: &str| fields.get(name).and_then(Value::as_i64).unwrap_or_default();
    let embedded = |fields: &Map<String, Value>, name: &str| {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or_default();
        STANDARD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    };
    match (package.rsplit_once('.').map_or(package, |(_, last)| last), name) {
        // Go's zero time is no time.
        (_, "Time" | "MicroTime") if fields.is_empty() || number("seconds") == ZERO_TIME => Value::Null,
        (_, "Time") => {
            jiff::Timestamp::from_second(number("seconds")).map_or(Value::Null, |at| super::meta::time(at).into())
        }
        (_, "MicroTime") => {
            let nanos = i32::try_from(number("nanos")).unwrap_or_default();
            let at = jiff::Timestamp::new(number("seconds"), nanos);
            at.map_or(Value::Null, |at| at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into())
        }
        ("resource", "Quantity") => fields.remove("string").unwrap_or_else(|| "0".into()),
        ("intstr", "IntOrString") if number("type") == 0 => number("intVal").into(),
        ("intstr", "IntOrString") => fields.remove("strVal").unwrap_or_else(|| "".into()),
        ("runtime", "RawExtension") => embedded(&fields, "raw"),
        ("v1", "FieldsV1") => embedded(&fields, "Raw"),
        ("v1", "JSON") => embedded(&fields, "raw"),
        ("v1", "ExtraValue" | "Verbs") => fields.remove("items").unwrap_or_else(|| json!([])),
        ("v1", "JSONSchemaPropsOrBool") => match fields.remove("schema") {
            Some(schema) => schema,
            None => fields.remove("allows").unwrap_or(false.into()),
        },
        ("v1", "JSONSchemaPropsOrArray") => match fields.remove("schema") {
            Some(schema) => schema,
            None => fields.remove("jSONSchemas").unwrap_or_else(|| json!([])),
        },
        _ => Value::Object(fields),
    }
}

/// Seconds of the year 1.
const ZERO_TIME: i64 = -62_135_596_800;

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kubectl create namespace x` sends.
    #[test]
    fn a_body_of_kubectl_is_read() {
        let mut body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x0f".to_vec();
        body.extend(b"\x0a\x09\x0a\x01x\x12\x00\x1a\x00\x22\x00\x12\x00\x1a\x00".iter().take(15));
        body[22] = 13 + 2;
        let read = read(&body).unwrap();
        assert_eq!((read["kind"].as_str(), read["metadata"]["name"].as_str()), (Some("Namespace"), Some("x")));
    }

    #[test]
    fn a_body_that_ends_too_early_or_is_none_is_refused() {
        assert!(read(b"{}").is_err());
        assert!(read(b"k8s\0\x0a\x0f\x0a\x02v1").is_err());
    }
}
