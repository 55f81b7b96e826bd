//! From the bytes of a body to an object of the kind: JSON, YAML or protobuf, checked against the schema as the server's
//! decoder checks it against Go's types, with the words that it has for what does not fit.

use super::{catalog::Resource, failure::Failure, protobuf};
use crate::{
    merge::Schemas,
    merge::schema::{Scalar, Type},
};
use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// What becomes of fields that the kind does not have (`fieldValidation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, and the client is told.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

impl FieldValidation {
    /// Reads the parameter.
    pub fn read(text: Option<&str>) -> Self {
        match text {
            Some("Ignore") => Self::Ignore,
            Some("Strict") => Self::Strict,
            _ => Self::Warn,
        }
    }
}

/// The media types in which objects may be written.
const MEDIA_TYPES: &[&str] = &["application/json", "application/yaml", protobuf::MEDIA_TYPE];

/// Parses a body, of whatever kind.
///
/// # Errors
/// 400 and 415.
pub(super) fn parse(body: &[u8], media_type: &str, kind: &str) -> Result<Value, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error} ({})",
            body.iter().take(256).map(|byte| format!("{byte:02x}")).collect::<String>()
        ))
    };
    match media_type {
        "" | "application/json" => serde_json::from_slice(body).map_err(|error| unreadable(&go_words(&error, body))),
        "application/yaml" => yaml(body).map_err(|error| unreadable(&error)),
        protobuf::MEDIA_TYPE => protobuf::read(body).map_err(Failure::bad_request),
        _ => Err(Failure::unsupported_media_type(MEDIA_TYPES)),
    }
}

fn yaml(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let document = crate::object::documents(text).into_iter().next();
    document.map_or(Ok(Value::Null), |document| document.value.map_err(|error| error.to_string()))
}

/// Go's words for the usual mistake.
fn go_words(error: &serde_json::Error, body: &[u8]) -> String {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => "unexpected end of JSON input".into(),
        Some(first) if !b"{[\"-0123456789tfn".contains(first) => {
            format!("invalid character '{}' looking for beginning of value", char::from(*first))
        }
        _ if error.is_eof() => "unexpected end of JSON input".into(),
        _ => error.to_string(),
    }
}

/// Brings a parsed body to the kind: right `apiVersion` and `kind`, types that fit, no field that the kind does not have.
/// Returns the warnings.
///
/// # Errors
/// 400.
pub(super) fn typed(
    schemas: &Schemas,
    resource: &Resource,
    object: &mut Value,
    validation: FieldValidation,
) -> Result<Vec<String>, Failure> {
    let (api_version, kind) = (resource.api_version(), resource.kind.as_str());
    let found = check(schemas, &api_version, kind, object)?;
    let handled = format!("{kind} in version {:?} cannot be handled as a {kind}", resource.version);
    if let Some(error) = found.error.or_else(|| undecodable(object)) {
        return Err(Failure::bad_request(format!("{handled}: {error}")));
    }
    match validation {
        FieldValidation::Strict if !found.unknown.is_empty() => {
            Err(Failure::bad_request(format!("{handled}: strict decoding error: {}", found.unknown.join(", "))))
        }
        FieldValidation::Warn => Ok(found.unknown),
        _ => Ok(Vec::new()),
    }
}

/// The same for what a patch made of an object.
///
/// # Errors
/// 422.
pub(super) fn patched(
    schemas: &Schemas,
    resource: &Resource,
    object: &mut Value,
    validation: FieldValidation,
) -> Result<Vec<String>, Failure> {
    let shown = Value::from(object.to_string());
    let found = check(schemas, &resource.api_version(), &resource.kind, object)?;
    let refused = |why: &str| {
        let cause = super::failure::Cause::invalid("patch", &shown, why);
        Failure::invalid("", "", "", &[cause])
    };
    if let Some(error) = found.error {
        return Err(refused(&error));
    }
    match validation {
        FieldValidation::Strict if !found.unknown.is_empty() => {
            Err(refused(&format!("strict decoding error: {}", found.unknown.join(", "))))
        }
        FieldValidation::Warn => Ok(found.unknown),
        _ => Ok(Vec::new()),
    }
}

/// Bytes that are no base64, in the words of Go's decoder: it names the first byte that is none.
pub(super) fn undecodable(object: &Value) -> Option<String> {
    let field = match (super::meta::text(object, "/apiVersion"), super::meta::text(object, "/kind")) {
        ("v1", "Secret") => "data",
        ("v1", "ConfigMap") => "binaryData",
        _ => return None,
    };
    let values = object.get(field).and_then(Value::as_object).into_iter().flatten();
    values.filter_map(|(_, value)| value.as_str()).find_map(|text| {
        let plain: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let at = match STANDARD.decode(&plain) {
            Ok(_) => return None,
            Err(DecodeError::InvalidByte(at, _)) => at,
            Err(_) => plain.len(),
        };
        Some(format!("illegal base64 data at input byte {at}"))
    })
}

/// What does not fit.
#[derive(Default)]
struct Misfits {
    /// `unknown field "spec.x"`.
    unknown: Vec<String>,
    /// The first wrong type.
    error: Option<String>,
}

fn check(schemas: &Schemas, api_version: &str, kind: &str, object: &mut Value) -> Result<Misfits, Failure> {
    let Some(fields) = object.as_object_mut() else {
        return Err(Failure::bad_request(format!("the object provided is unrecognized (must be of type {kind})")));
    };
    for (field, right) in [("apiVersion", api_version), ("kind", kind)] {
        match fields.get(field).and_then(Value::as_str).unwrap_or_default() {
            "" => drop(fields.insert(field.into(), right.into())),
            given if given != right => return Err(wrong_kind(fields, api_version, kind)),
            _ => {}
        }
    }
    let mut walk = Walk { found: Misfits::default(), is_own: false };
    if let Some(kind) = schemas.kind(api_version, kind) {
        walk.is_own = !kind.is_custom;
        walk.value(kind.root, object, "", "", "");
    }
    Ok(walk.found)
}

fn wrong_kind(fields: &serde_json::Map<String, Value>, api_version: &str, kind: &str) -> Failure {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let (given_version, given_kind) = (text("apiVersion"), text("kind"));
    if given_version == api_version || given_version.is_empty() {
        let (_, version) = crate::object::split_api_version(api_version);
        return Failure::bad_request(format!(
            "{given_kind} in version {version:?} cannot be handled as a {kind}: no kind {given_kind:?} is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\""
        ));
    }
    Failure::bad_request(format!(
        "the API version in the data ({given_version}) does not match the expected API version ({api_version})"
    ))
}

struct Walk {
    found: Misfits,
    /// Of Kubernetes' own kinds types are Go's; those of other kinds are looked at by validation.
    is_own: bool,
}

impl Walk {
    /// `path` names the place with its indices, `go` the fields alone, `owner` the struct that they are in.
    fn value(&mut self, schema: Type<'_>, value: &mut Value, path: &str, go: &str, owner: &str) {
        let owner = schema.name().map_or(owner, |name| name.rsplit('.').next().unwrap_or(name));
        match value {
            Value::Object(members) => {
                let Some(map) = schema.map() else {
                    // What stands where nothing can stand is unknown; of Kubernetes' own kinds it cannot even be read.
                    if !self.is_own {
                        self.found
                            .unknown
                            .extend(members.keys().map(|name| format!("unknown field {:?}", format!("{path}.{name}"))));
                        members.clear();
                    }
                    return self.misfit(schema, "object", go, owner);
                };
                let inside = |name: &str, place: &str| match place {
                    "" => name.to_owned(),
                    place => format!("{place}.{name}"),
                };
                let mut gone = Vec::new();
                for (name, member) in members.iter_mut() {
                    let path = inside(name, path);
                    match (map.field(name), map.values()) {
                        (Some(field), _) => self.value(field.value, member, &path, &inside(name, go), owner),
                        (None, Some(values)) => self.value(values, member, &path, go, owner),
                        (None, None) => {
                            self.found.unknown.push(format!("unknown field {path:?}"));
                            gone.push(name.clone());
                        }
                    }
                }
                gone.iter().for_each(|name| drop(members.remove(name)));
            }
            Value::Array(items) => {
                let Some(list) = schema.list() else { return self.misfit(schema, "array", go, owner) };
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(list.items(), item, &format!("{path}[{index}]"), go, owner);
                }
            }
            Value::Null => {}
            Value::String(_) => self.scalar(schema, Scalar::String, "string", go, owner),
            Value::Number(_) => self.scalar(schema, Scalar::Numeric, "number", go, owner),
            Value::Bool(_) => self.scalar(schema, Scalar::Boolean, "bool", go, owner),
        }
    }

    fn scalar(&mut self, schema: Type<'_>, is: Scalar, name: &str, go: &str, owner: &str) {
        if schema.scalar().is_none_or(|right| right != is && right != Scalar::Any) {
            self.misfit(schema, name, go, owner);
        }
    }

    fn misfit(&mut self, schema: Type<'_>, is: &str, go: &str, owner: &str) {
        if self.is_own && self.found.error.is_none() {
            let kind = go_type(schema);
            self.found.error =
                Some(format!("json: cannot unmarshal {is} into Go struct field {owner}.{go} of type {kind}"));
        }
    }
}

/// A type's name in Go, as far as the schema tells it.
fn go_type(schema: Type<'_>) -> String {
    if let Some(name) = schema.name() {
        let mut parts = name.rsplit('.');
        let (kind, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        return format!("{version}.{kind}");
    }
    match (schema.scalar(), schema.list(), schema.map()) {
        (Some(Scalar::String), ..) => "string".into(),
        (Some(Scalar::Boolean), ..) => "bool".into(),
        (Some(_), ..) => "int32".into(),
        (_, Some(list), _) => format!("[]{}", go_type(list.items())),
        (_, _, Some(map)) => format!("map[string]{}", map.values().map_or_else(|| "string".into(), go_type)),
        _ => "interface {}".into(),
    }
}
