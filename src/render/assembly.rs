//! Documents become manifests: lists are flattened, what is no manifest becomes an issue, and no identity is there twice.

use crate::object::{Dictionary, Document, Issue, Manifest, ObjectId, Origin, PackedManifest, clean};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// The manifests and issues of one application while they are gathered.
#[derive(Default)]
pub(super) struct Assembly {
    pub(super) manifests: Vec<PackedManifest>,
    pub(super) issues: Vec<Issue>,
    first: HashMap<ObjectId, Origin>,
    kinds: HashMap<String, (usize, Option<Arc<Dictionary>>)>,
}

/// Where documents come from, and what a document that is no manifest means there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Files as somebody wrote them: a file of something else altogether is passed over.
    Written,
    /// A program's output, whose lines mean nothing to the reader.
    Rendered,
}

impl Assembly {
    /// Adds the documents of a file, or of a program's output; `origin` says where each comes from.
    pub(super) fn add(&mut self, documents: Vec<Document>, kind: Kind, origin: impl Fn(&Document) -> Origin) {
        if kind == Kind::Written && !documents.is_empty() && documents.iter().all(is_something_else) {
            let origin = origin(&documents[0]);
            self.issues
                .push(Issue::warning("not a manifest (neither apiVersion nor kind), skipped").at(origin.path, None));
            return;
        }
        for document in documents {
            let origin = origin(&document);
            let place = |line: usize| (kind == Kind::Written).then_some(line);
            for (line, text) in &document.warnings {
                self.issues.push(issue(Issue::warning, text, &origin, place(*line)));
            }
            match document.value {
                Ok(value) => self.add_value(value, &origin, place(document.lines.0), None),
                Err(error) => self.issues.push(issue(Issue::error, &error.message, &origin, place(error.line))),
            }
        }
    }

    fn add_value(&mut self, mut value: Value, origin: &Origin, line: Option<usize>, list: Option<(&str, &str)>) {
        if let Some((api_version, kind)) = list {
            fill_in(&mut value, api_version, kind);
        }
        if is_encrypted(&value) {
            let text = "encrypted with SOPS, which is not decrypted; leave the file out with `exclude`";
            return self.issues.push(issue(Issue::error, text, origin, line));
        }
        if is_kustomization(&value) {
            let text = "a kustomization file is no manifest, skipped";
            return self.issues.push(issue(Issue::warning, text, origin, line));
        }
        match take_items(&mut value) {
            Some(items) => {
                let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
                let item_kind = text("kind").strip_suffix("List").unwrap_or_default();
                for item in items {
                    self.add_value(item, origin, line, Some((text("apiVersion"), item_kind)));
                }
            }
            None => match Manifest::new(value, origin.clone()) {
                Ok(manifest) => self.add_manifest(manifest, line),
                Err(error) => self.issues.push(issue(Issue::error, &error.to_string(), origin, line)),
            },
        }
    }

    fn add_manifest(&mut self, manifest: Manifest, line: Option<usize>) {
        let origin = manifest.origin.clone();
        // An object with generateName gets its name from the server: two of them are two objects.
        if !manifest.id.name.is_empty() {
            if let Some(first) = self.first.get(&manifest.id) {
                let text = format!("{} is already in {}; keep one of them", manifest.id, place(first));
                return self.issues.push(issue(Issue::error, &text, &manifest.origin, line));
            }
            self.first.insert(manifest.id.clone(), manifest.origin.clone());
        }
        let (count, dictionary) = self.kinds.entry(manifest.id.kind.clone()).or_default();
        *count += 1;
        if *count == Dictionary::WORTH_IT {
            *dictionary = Some(Arc::new(Dictionary::of(manifest.body.to_string().as_bytes())));
        }
        let packed = match dictionary {
            Some(dictionary) => PackedManifest::alike(manifest, dictionary),
            None => PackedManifest::new(manifest),
        };
        match packed {
            Ok(manifest) => self.manifests.push(manifest),
            Err(error) => self.issues.push(issue(Issue::error, &error.to_string(), &origin, line)),
        }
    }
}

fn issue(make: fn(String) -> Issue, text: &str, origin: &Origin, line: Option<usize>) -> Issue {
    let text = clean(text).into_owned();
    let text = if line.is_none() { format!("document {} of the output: {text}", origin.document + 1) } else { text };
    make(text).at(&origin.path, line)
}

fn place(origin: &Origin) -> String {
    match origin.lines {
        Some((line, _)) => format!("{}:{line}", origin.path),
        None => format!("document {} of the output ({})", origin.document + 1, origin.path),
    }
}

fn is_something_else(document: &Document) -> bool {
    document.value.as_ref().is_ok_and(|value| value.get("apiVersion").is_none() && value.get("kind").is_none())
}

/// A file that SOPS has encrypted carries its keys and a MAC in this field.
fn is_encrypted(value: &Value) -> bool {
    value.get("sops").is_some_and(|sops| sops.get("mac").is_some() || sops.get("lastmodified").is_some())
}

fn is_kustomization(value: &Value) -> bool {
    let api_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    api_version.starts_with("kustomize.config.k8s.io/")
}

/// Takes the items out of a list, which is what has a list in `items`, as for kubectl; a `List` may also have none.
fn take_items(value: &mut Value) -> Option<Vec<Value>> {
    let is_list = value.get("kind").is_some_and(|kind| kind == "List");
    match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Some(items),
        None | Some(Value::Null) if is_list => Some(Vec::new()),
        Some(other) => {
            value["items"] = other;
            None
        }
        None => None,
    }
}

/// An item of a `ConfigMapList` may leave out what the list says already (apimachinery's `UnstructuredList`).
fn fill_in(item: &mut Value, api_version: &str, kind: &str) {
    if let Some(item) = item.as_object_mut()
        && !kind.is_empty()
        && item.get("kind").is_none_or(Value::is_null)
    {
        item.insert("kind".into(), kind.into());
        item.insert("apiVersion".into(), api_version.into());
    }
}
