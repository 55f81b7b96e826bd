//! ConfigMaps, Secrets and claims.

use super::{immutable, names};
use crate::sandbox::{failure::Cause, meta::text};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

const MOST: usize = 1 << 20;

fn members<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a str)> {
    let map = object.get(field).and_then(Value::as_object);
    map.into_iter().flatten().map(|(name, value)| (name, value.as_str().unwrap_or_default()))
}

fn keys(object: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (name, _) in members(object, field) {
        if let Some(why) = names::config_key(name) {
            causes.push(Cause::invalid(format!("{field}[{name}]"), &name.clone().into(), &why));
        }
    }
}

/// What is immutable stays so.
fn fixed(live: Option<&Value>, object: &Value, fields: &[&str], causes: &mut Vec<Cause>) {
    let Some(live) = live.filter(|live| live.get("immutable") == Some(&true.into())) else { return };
    if object.get("immutable") != Some(&true.into()) {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for field in fields {
        if live.get(*field) != object.get(*field) {
            causes.push(Cause::forbidden(*field, "field is immutable when `immutable` is set"));
        }
    }
}

pub(super) fn config_map(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    fixed(live, object, &["data", "binaryData"], &mut causes);
    keys(object, "data", &mut causes);
    keys(object, "binaryData", &mut causes);
    let decoded = members(object, "binaryData").map(|(_, value)| value.len() / 4 * 3);
    let size: usize = members(object, "data").map(|(_, value)| value.len()).chain(decoded).sum();
    if size > MOST {
        causes.push(Cause::too_long("[]", MOST));
    }
    causes
}

/// Keys that the types ask for.
const NEEDED: &[(&str, &[&str])] = &[
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
];

pub(super) fn secret(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    immutable(&mut causes, "type", live, object, "/type");
    fixed(live, object, &["data"], &mut causes);
    keys(object, "data", &mut causes);
    let size: usize =
        members(object, "data").map(|(_, value)| STANDARD.decode(value).map_or(0, |value| value.len())).sum();
    if size > MOST {
        causes.push(Cause::too_long("data", MOST));
    }
    let kind = text(object, "/type");
    for key in NEEDED.iter().filter(|(name, _)| *name == kind).flat_map(|(_, keys)| *keys) {
        if !members(object, "data").any(|(name, _)| name == key) {
            causes.push(Cause::required(format!("data[{key}]"), ""));
        }
    }
    causes
}

pub(super) fn claim(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if crate::sandbox::meta::items(object, "/spec/accessModes").is_empty() {
        causes.push(Cause::required("spec.accessModes", "at least 1 access mode is required"));
    }
    if text(object, "/spec/resources/requests/storage").is_empty() {
        causes.push(Cause::required("spec.resources[storage]", ""));
    }
    let plain = |object: &Value| {
        let mut spec = object["spec"].clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("resources");
            spec.remove("volumeName");
            spec.remove("volumeAttributesClassName");
        }
        spec
    };
    if live.is_some_and(|live| plain(live) != plain(object)) {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ));
    }
    causes
}
