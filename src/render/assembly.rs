//! Documents become manifests: lists are flattened, what is no manifest becomes an issue, and no identity is there twice.

use crate::object::{Dictionary, Document, Issue, Manifest, ManifestError, Origin, PackedManifest, clean};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

/// What one file, or a program's output, holds.
#[derive(Debug, Default)]
pub(super) struct Part {
    found: Vec<Found>,
    /// How much text it was.
    pub(super) bytes: usize,
}

/// A manifest with the line where it begins, if lines mean anything to the reader; or something that is wrong.
#[derive(Debug)]
enum Found {
    Manifest(Arc<PackedManifest>, Option<usize>),
    Issue(Issue),
}

/// Where documents come from, and what a document that is no manifest means there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Files as somebody wrote them: a file of something else altogether is passed over.
    Written,
    /// A program's output, whose lines mean nothing to the reader.
    Rendered,
}

impl Part {
    /// Reads the documents of a text of so many bytes; `origin` says where each comes from.
    pub(super) fn read(
        documents: Vec<Document>,
        bytes: usize,
        kind: Kind,
        dictionaries: &Dictionaries,
        origin: impl Fn(&Document) -> Origin,
    ) -> Self {
        let mut reader = Reader { part: Self { found: Vec::with_capacity(documents.len()), bytes }, dictionaries };
        if kind == Kind::Written && !documents.is_empty() && documents.iter().all(is_something_else) {
            let issue = Issue::warning("not a manifest (neither apiVersion nor kind), skipped");
            reader.issue(issue.at(origin(&documents[0]).path, None));
            return reader.part;
        }
        for document in documents {
            let origin = origin(&document);
            let place = |line: usize| (kind == Kind::Written).then_some(line);
            for (line, text) in &document.warnings {
                reader.issue(issue(Issue::warning, text, &origin, place(*line)));
            }
            match document.value {
                Ok(value) => reader.value(value, &origin, place(document.lines.0), None),
                Err(error) => reader.issue(issue(Issue::error, &error.message, &origin, place(error.line))),
            }
        }
        reader.part
    }
    /// A part that is nothing but something wrong.
    pub(super) fn issue(issue: Issue) -> Self {
        Self { found: vec![Found::Issue(issue)], bytes: 0 }
    }
    /// Says whether a render holds manifests of it.
    pub(super) fn is_in_use(&self) -> bool {
        self.found.iter().any(|found| matches!(found, Found::Manifest(manifest, _) if Arc::strong_count(manifest) > 1))
    }
}

struct Reader<'a> {
    part: Part,
    dictionaries: &'a Dictionaries,
}

impl Reader<'_> {
    fn issue(&mut self, issue: Issue) {
        self.part.found.push(Found::Issue(issue));
    }

    fn value(&mut self, mut value: Value, origin: &Origin, line: Option<usize>, list: Option<(&str, &str)>) {
        if let Some((api_version, kind)) = list {
            fill_in(&mut value, api_version, kind);
        }
        if is_encrypted(&value) {
            let text = "encrypted with SOPS, which is not decrypted; leave the file out with `exclude`";
            return self.issue(issue(Issue::error, text, origin, line));
        }
        if is_kustomization(&value) {
            let text = "a kustomization file is no manifest, skipped";
            return self.issue(issue(Issue::warning, text, origin, line));
        }
        if let Some(items) = take_items(&mut value) {
            let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
            let item_kind = text("kind").strip_suffix("List").unwrap_or_default();
            for item in items {
                self.value(item, origin, line, Some((text("apiVersion"), item_kind)));
            }
            return;
        }
        let packed = Manifest::new(value, origin.clone()).and_then(|manifest| self.dictionaries.pack(manifest));
        match packed {
            Ok(manifest) => self.part.found.push(Found::Manifest(Arc::new(manifest), line)),
            Err(error) => self.issue(issue(Issue::error, &error.to_string(), origin, line)),
        }
    }
}

/// The manifests and issues of one application while they are gathered.
#[derive(Default)]
pub(super) struct Assembly {
    pub(super) manifests: Vec<Arc<PackedManifest>>,
    pub(super) issues: Vec<Issue>,
    first: HashSet<ById>,
}

/// A manifest among others of which each has an identity of its own.
struct ById(Arc<PackedManifest>);

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl Assembly {
    /// Adds what a part holds; an identity that was there before is an issue.
    pub(super) fn add(&mut self, part: &Part) {
        for found in &part.found {
            match found {
                Found::Issue(issue) => self.issues.push(issue.clone()),
                Found::Manifest(manifest, line) => self.manifest(manifest, *line),
            }
        }
    }

    fn manifest(&mut self, manifest: &Arc<PackedManifest>, line: Option<usize>) {
        // An object with generateName gets its name from the server: two of them are two objects.
        if !manifest.id.name.is_empty() {
            if let Some(ById(first)) = self.first.get(&ById(Arc::clone(manifest))) {
                let text = format!("{} is already in {}; keep one of them", manifest.id, place(&first.origin));
                return self.issues.push(issue(Issue::error, &text, &manifest.origin, line));
            }
            self.first.insert(ById(Arc::clone(manifest)));
        }
        self.manifests.push(Arc::clone(manifest));
    }
}

/// What manifests of a kind have in common, once there are many of that kind. Shared by all renders.
#[derive(Default)]
pub(super) struct Dictionaries(Mutex<HashMap<String, Alike>>);

/// The manifests of a kind.
#[derive(Default)]
struct Alike {
    count: usize,
    /// What they have in common.
    dictionary: Option<Arc<Dictionary>>,
}

impl Dictionaries {
    fn pack(&self, manifest: Manifest) -> Result<PackedManifest, ManifestError> {
        match self.of(&manifest) {
            Some(dictionary) => PackedManifest::alike(manifest, &dictionary),
            None => PackedManifest::new(manifest),
        }
    }
    fn of(&self, manifest: &Manifest) -> Option<Arc<Dictionary>> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = match kinds.get_mut(&manifest.id.kind) {
            Some(known) => known,
            None => kinds.entry(manifest.id.kind.clone()).or_default(),
        };
        alike.count += 1;
        if alike.count == Dictionary::WORTH_IT {
            alike.dictionary = Some(Arc::new(Dictionary::of(manifest.body.to_string().as_bytes())));
        }
        alike.dictionary.clone()
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
