//! An object as Git says it should be, with the place it came from.

use super::{Dictionary, ObjectId, Packed, split_api_version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Where a manifest came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Repository path of the file.
    pub path: String,
    /// Index of the YAML document in it, from 0.
    pub document: usize,
    /// First and last line of the document, from 1; none where a renderer has lost them.
    pub lines: Option<(usize, usize)>,
}

/// One desired object. Its body is normalised: see [`Manifest::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Identity; the namespace is as written until the engine places the object by its kind's scope.
    pub id: ObjectId,
    /// Version of the API it is written in, e.g. `v1`.
    pub version: String,
    /// The whole object.
    pub body: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// A manifest at rest: thousands are known, few are looked at. Its body is kept compressed.
#[derive(Clone, Debug)]
pub struct PackedManifest {
    /// Identity.
    pub id: ObjectId,
    /// Version of the API it is written in.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
    body: Packed,
    hash: [u8; HASH],
}

impl PackedManifest {
    /// Packs a manifest.
    ///
    /// # Errors
    /// [`ManifestError::Invalid`] for one that is nested too deeply to be read back.
    pub fn new(manifest: Manifest) -> Result<Self, ManifestError> {
        check_depth(&manifest)?;
        Ok(Self::packed(manifest, None))
    }
    /// Packs a manifest that has much in common with others of its kind.
    ///
    /// # Errors
    /// As [`PackedManifest::new`].
    pub fn alike(manifest: Manifest, dictionary: &Arc<Dictionary>) -> Result<Self, ManifestError> {
        check_depth(&manifest)?;
        Ok(Self::packed(manifest, Some(dictionary)))
    }
    /// Packs a manifest that was made from this one.
    ///
    /// # Errors
    /// As [`PackedManifest::new`].
    pub fn like(&self, manifest: Manifest) -> Result<Self, ManifestError> {
        check_depth(&manifest)?;
        Ok(Self::packed(manifest, self.body.dictionary()))
    }
    fn packed(manifest: Manifest, dictionary: Option<&Arc<Dictionary>>) -> Self {
        let Manifest { id, version, body, origin } = manifest;
        let text = body.to_string();
        let mut hash = [0; HASH];
        hash.copy_from_slice(&Sha256::digest(&text)[..HASH]);
        Self { id, version, origin, body: Packed::text(text.as_bytes(), dictionary), hash }
    }
    /// Reads its body.
    pub fn body(&self) -> Value {
        // What was packed is not nested too deeply, which is all that can be wrong.
        self.body.read().unwrap_or_default()
    }
    /// Reads the whole of it.
    pub fn read(&self) -> Manifest {
        Manifest { id: self.id.clone(), version: self.version.clone(), body: self.body(), origin: self.origin.clone() }
    }
    /// Says whether the other has the same body.
    pub fn same_body(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

/// Bytes of a body's hash.
const HASH: usize = 16;

/// The deepest body that is taken; what reads JSON back stops a little later.
const DEEPEST: usize = 100;

fn check_depth(manifest: &Manifest) -> Result<(), ManifestError> {
    match depth(&manifest.body) {
        0..=DEEPEST => Ok(()),
        _ => Err(ManifestError::Invalid(format!("it is nested more than {DEEPEST} levels deep"))),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Why a document is not a manifest.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ManifestError {
    /// The document is a list, a number or a text.
    #[error("a manifest is a mapping with apiVersion, kind and metadata, not {0}")]
    NotAMapping(&'static str),
    /// A required text field is missing or no text.
    #[error("{0} is missing or not a text")]
    Missing(&'static str),
    /// A field has the wrong type.
    #[error("{0}")]
    Invalid(String),
}

impl Manifest {
    /// Reads one parsed document and normalises it: `status`, `metadata.managedFields`, `resourceVersion`, `uid`,
    /// `generation`, `selfLink` and `creationTimestamp` are dropped (the server writes them), and a Secret's `stringData` is folded into `data`,
    /// because server-side apply would own only the `stringData` keys and leave `data` behind when one is dropped.
    ///
    /// # Errors
    /// Each [`ManifestError`] says which field is wrong.
    pub fn new(mut body: Value, origin: Origin) -> Result<Self, ManifestError> {
        let map = match &mut body {
            Value::Object(map) => map,
            Value::Array(_) => return Err(ManifestError::NotAMapping("a list")),
            Value::String(_) => return Err(ManifestError::NotAMapping("a text")),
            _ => return Err(ManifestError::NotAMapping("a scalar")),
        };
        let written = |field| text(map, field).filter(|text| !text.is_empty());
        let api_version = written("apiVersion").ok_or(ManifestError::Missing("apiVersion"))?.to_owned();
        let kind = written("kind").ok_or(ManifestError::Missing("kind"))?.to_owned();
        map.remove("status");
        if kind == "Secret" && api_version == "v1" {
            fold_string_data(map)?;
        }
        let metadata =
            map.get_mut("metadata").and_then(Value::as_object_mut).ok_or(ManifestError::Missing("metadata"))?;
        for server_written in ["managedFields", "resourceVersion", "uid", "generation", "selfLink", "creationTimestamp"]
        {
            metadata.remove(server_written);
        }
        let name = match text(metadata, "name") {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ if text(metadata, "generateName").is_some() => String::new(),
            _ => return Err(ManifestError::Missing("metadata.name")),
        };
        let namespace = match metadata.get("namespace") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return Err(ManifestError::Invalid("metadata.namespace is not a text".into())),
        };
        if namespace.is_none() {
            metadata.remove("namespace");
        }
        for (field, text) in [("metadata.name", Some(&name)), ("metadata.namespace", namespace.as_ref())] {
            // Kubernetes' rule for what stands in a URL's path (ValidatePathSegmentName).
            if text.is_some_and(|text| text.contains(['/', '%']) || matches!(text.as_str(), "." | "..")) {
                return Err(ManifestError::Invalid(format!("{field} may not contain `/` or `%`, nor be `.` or `..`")));
            }
        }
        let (group, version) = split_api_version(&api_version);
        let id = ObjectId { group: group.to_owned(), kind, namespace, name };
        Ok(Self { id, version: version.to_owned(), body, origin })
    }

    /// Puts the object into a namespace, or into none for a cluster-scoped kind; identity and body agree afterwards.
    pub fn place(&mut self, namespace: Option<&str>) {
        self.id.namespace = namespace.map(str::to_owned);
        if let Some(metadata) = self.body.get_mut("metadata").and_then(Value::as_object_mut) {
            match namespace {
                Some(namespace) => metadata.insert("namespace".into(), namespace.into()),
                None => metadata.remove("namespace"),
            };
        }
    }

    /// Returns the value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.body.get("metadata")?.get("annotations")?.get(name)?.as_str()
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn fold_string_data(secret: &mut Map<String, Value>) -> Result<(), ManifestError> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let folded = match secret.remove("stringData") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(ManifestError::Invalid("stringData is not a mapping".into())),
    };
    let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    let Value::Object(data) = data else { return Err(ManifestError::Invalid("data is not a mapping".into())) };
    for (key, value) in folded {
        // The value itself must not be named: it is secret.
        let Value::String(value) = value else {
            return Err(ManifestError::Invalid(format!("stringData.{key} is not a text; quote it")));
        };
        data.insert(key, STANDARD.encode(value).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_writes_is_dropped() {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": {"replicas": 1},
            "metadata": {"name": "api", "uid": "1", "resourceVersion": "2", "creationTimestamp": null, "labels": {"a": "b"}}});
        let manifest = Manifest::new(body, Origin::default()).unwrap();
        assert_eq!(
            manifest.body,
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "labels": {"a": "b"}}})
        );
        assert_eq!(manifest.id.to_string(), "apps/Deployment/api");
    }

    #[test]
    fn string_data_is_folded_into_data_and_wins() {
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "eA=="}, "stringData": {"a": "y", "b": "z"}});
        let manifest = Manifest::new(body, Origin::default()).unwrap();
        assert_eq!(manifest.body["data"], json!({"a": "eQ==", "b": "eg=="}));
        assert!(manifest.body.get("stringData").is_none());
    }

    #[test]
    fn what_could_not_be_named_in_a_url_is_no_manifest() {
        let manifest = |kind: &str, name: &str, namespace: &str| {
            let metadata = json!({"name": name, "namespace": namespace});
            Manifest::new(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata}), Origin::default())
        };
        assert!(manifest("ConfigMap", "system:a.b", "n").is_ok());
        for (kind, name, namespace) in [
            ("", "a", "n"),
            ("A", "../a", "n"),
            ("A", "..", "n"),
            ("A", "a%2f", "n"),
            ("A", "a", "n/m"),
            ("A", "", "n"),
        ] {
            assert!(manifest(kind, name, namespace).is_err(), "{kind} {name} {namespace}");
        }
    }

    #[test]
    fn placing_sets_identity_and_body_alike() {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "namespace": "wrong"}});
        let mut manifest = Manifest::new(body, Origin::default()).unwrap();
        manifest.place(None);
        assert_eq!(manifest.id.to_string(), "Namespace/n");
        assert!(manifest.body["metadata"].get("namespace").is_none());
        manifest.place(Some("x"));
        assert_eq!(manifest.body["metadata"]["namespace"], "x");
    }

    #[test]
    fn a_packed_manifest_reads_back_and_one_too_deep_to_be_read_is_refused() {
        let body = |value: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}});
        let manifest = Manifest::new(body(json!("v")), Origin::default()).unwrap();
        let packed = PackedManifest::new(manifest.clone()).unwrap();
        assert_eq!(packed.read(), manifest);
        assert!(packed.same_body(&packed.like(manifest).unwrap()));
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let pack = |levels| PackedManifest::new(Manifest::new(body(nested(levels)), Origin::default()).unwrap());
        assert_eq!(pack(90).unwrap().body(), body(nested(90)));
        assert!(pack(200).unwrap_err().to_string().contains("levels deep"));
    }
}
