//! An object as Git says it should be, with the place it came from.

use super::{Borrowed, Dictionary, ObjectId, Packed, split_api_version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

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

/// A manifest at rest: thousands are known, few are looked at. Its body is kept compressed, and what placing it adds to the
/// body is added when it is read.
#[derive(Clone, Debug)]
pub struct PackedManifest {
    /// Identity, shared by all that know the object by it.
    pub id: Arc<ObjectId>,
    /// Version of the API it is written in.
    pub version: String,
    /// Where it came from.
    pub origin: Arc<Origin>,
    /// The annotations that say how it is to be treated, by key; most manifests have none.
    annotations: Option<Arc<BTreeMap<String, String>>>,
    placement: Option<Placement>,
    body: Packed,
    hash: [u8; HASH],
}

/// A label with its value.
pub type Label = (String, String);

/// What placing an object does to its body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placement {
    /// A label that it gets.
    label: Option<Arc<Label>>,
}

/// Whose annotations say how an object is to be treated.
const TREATMENT: &[&str] = &["driftdeck.dev/", "argocd.argoproj.io/", "helm.sh/", "kustomize.toolkit.fluxcd.io/"];

impl PackedManifest {
    /// Packs a manifest.
    ///
    /// # Errors
    /// [`ManifestError::Invalid`] for one that is nested too deeply to be read back.
    pub fn new(manifest: Manifest) -> Result<Self, ManifestError> {
        Self::pack(manifest, None)
    }
    /// Packs a manifest that has much in common with others of its kind.
    ///
    /// # Errors
    /// As [`PackedManifest::new`].
    pub fn alike(manifest: Manifest, dictionary: &Arc<Dictionary>) -> Result<Self, ManifestError> {
        Self::pack(manifest, Some(dictionary))
    }
    fn pack(manifest: Manifest, dictionary: Option<&Arc<Dictionary>>) -> Result<Self, ManifestError> {
        check_depth(&manifest)?;
        let Manifest { id, version, body, origin } = manifest;
        let annotations = treatment(&body);
        let text = body.to_string();
        let mut hash = [0; HASH];
        hash.copy_from_slice(&Sha256::digest(&text)[..HASH]);
        let body = Packed::text(text.as_bytes(), dictionary);
        let (id, origin) = (Arc::new(id), Arc::new(origin));
        Ok(Self { id, version, origin, annotations, placement: None, body, hash })
    }
    /// Returns the object in a namespace, or in none for a cluster-scoped kind, and with a label where one is given.
    pub fn placed(&self, namespace: Option<&str>, label: Option<&Arc<Label>>) -> Self {
        let id = match self.id.namespace.as_deref() == namespace {
            true => Arc::clone(&self.id),
            false => Arc::new(ObjectId { namespace: namespace.map(str::to_owned), ..ObjectId::clone(&self.id) }),
        };
        Self {
            id,
            version: self.version.clone(),
            origin: Arc::clone(&self.origin),
            annotations: self.annotations.clone(),
            placement: Some(Placement { label: label.cloned() }),
            body: self.body.clone(),
            hash: self.hash,
        }
    }
    /// Reads its body.
    pub fn body(&self) -> Value {
        // What was packed is not nested too deeply, which is all that can be wrong.
        let mut body = self.body.read().unwrap_or_default();
        if let Some(placement) = &self.placement {
            place(&mut body, self.id.namespace.as_deref());
            if let Some(label) = &placement.label {
                add_label(&mut body, label);
            }
        }
        body
    }
    /// Returns the text of its body without what placing adds: see [`PackedManifest::borrowed`].
    pub fn json(&self) -> Cow<'_, [u8]> {
        self.body.json().unwrap_or_default()
    }
    /// Reads its body out of [`PackedManifest::json`].
    pub fn borrowed<'a>(&'a self, json: &'a [u8]) -> Option<Borrowed<'a>> {
        let mut body = Borrowed::read(json)?;
        if let Some(placement) = &self.placement {
            let metadata = body.mapping("metadata")?;
            match &self.id.namespace {
                Some(namespace) => metadata.set("namespace", Borrowed::String(namespace.into())),
                None => metadata.remove("namespace"),
            }
            if let Some(label) = &placement.label {
                metadata.mapping("labels")?.set(&label.0, Borrowed::String((&label.1).into()));
            }
        }
        Some(body)
    }
    /// Reads the whole of it.
    pub fn read(&self) -> Manifest {
        let (id, origin) = (ObjectId::clone(&self.id), Origin::clone(&self.origin));
        Manifest { id, version: self.version.clone(), body: self.body(), origin }
    }
    /// Says whether the other has the same body.
    pub fn same_body(&self, other: &Self) -> bool {
        self.hash == other.hash && self.id.namespace == other.id.namespace && self.placement == other.placement
    }
    /// Returns the value of an annotation that says how the object is to be treated: one of driftdeck's, Argo CD's, Flux's or Helm's.
    pub fn treatment(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

/// Picks the annotations that say how an object is to be treated.
fn treatment(body: &Value) -> Option<Arc<BTreeMap<String, String>>> {
    let annotations = body.get("metadata")?.get("annotations")?.as_object()?;
    let read = annotations.iter().filter(|(key, _)| TREATMENT.iter().any(|prefix| key.starts_with(prefix)));
    let read: BTreeMap<String, String> =
        read.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    (!read.is_empty()).then(|| Arc::new(read))
}

fn place(body: &mut Value, namespace: Option<&str>) {
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        match namespace {
            Some(namespace) => metadata.insert("namespace".into(), namespace.into()),
            None => metadata.remove("namespace"),
        };
    }
}

fn add_label(body: &mut Value, (key, value): &Label) {
    let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    // Labels that are no mapping stay as they are: the server's error names them.
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(key.clone(), value.as_str().into());
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
    fn placing_sets_identity_and_body_alike_and_adds_a_label() {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "namespace": "wrong", "labels": null}});
        let packed = PackedManifest::new(Manifest::new(body, Origin::default()).unwrap()).unwrap();
        let label = Arc::new(("part-of".to_owned(), "set-1".to_owned()));
        let none = packed.placed(None, Some(&label));
        assert_eq!(none.id.to_string(), "Namespace/n");
        assert_eq!(none.body()["metadata"], json!({"name": "n", "labels": {"part-of": "set-1"}}));
        let other = packed.placed(Some("x"), None);
        assert_eq!(
            (other.id.to_string(), other.read().body["metadata"]["namespace"].clone()),
            ("Namespace/x/n".into(), json!("x"))
        );
        for placed in [&packed, &none, &other] {
            assert_eq!(placed.borrowed(&placed.json()).unwrap().to_value(), placed.body());
        }
        assert!(none.same_body(&packed.placed(None, Some(&label))));
        assert!(
            !none.same_body(&other)
                && !none.same_body(&packed)
                && !other.same_body(&packed.placed(Some("x"), Some(&label)))
        );
    }

    #[test]
    fn annotations_that_say_how_to_treat_an_object_are_known_without_reading_it() {
        let annotations = json!({"argocd.argoproj.io/sync-wave": "3", "driftdeck.dev/hook": "PreSync", "checksum/config": "x", "helm.sh/hook": 1});
        let body =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": annotations}});
        let packed = PackedManifest::new(Manifest::new(body, Origin::default()).unwrap()).unwrap();
        assert_eq!(packed.treatment("argocd.argoproj.io/sync-wave"), Some("3"));
        assert_eq!(packed.treatment("driftdeck.dev/hook"), Some("PreSync"));
        assert_eq!((packed.treatment("checksum/config"), packed.treatment("helm.sh/hook")), (None, None));
    }

    #[test]
    fn a_packed_manifest_reads_back_and_one_too_deep_to_be_read_is_refused() {
        let body = |value: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}});
        let manifest = Manifest::new(body(json!("v")), Origin::default()).unwrap();
        let packed = PackedManifest::new(manifest.clone()).unwrap();
        assert_eq!(packed.read(), manifest);
        assert!(packed.same_body(&PackedManifest::new(manifest).unwrap()));
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let pack = |levels| PackedManifest::new(Manifest::new(body(nested(levels)), Origin::default()).unwrap());
        assert_eq!(pack(90).unwrap().body(), body(nested(90)));
        assert!(pack(200).unwrap_err().to_string().contains("levels deep"));
    }
}
