//! Which files a kustomization is made from, transitively, and that all of them are in the tree.
//!
//! Kustomization files are read for what they refer to only, by the rules that Kustomize itself has for them
//! (sigs.k8s.io/yaml). What another version of it could read differently, merge keys and references written twice, is
//! refused: no reference may slip by unseen.

use super::{RenderError, paths};
use crate::object::{Entry, EntryKind, SourceError, SourceTree, documents, sha256_hex};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The names of kustomization files.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// The fields that may name folders, which Kustomize lets lie anywhere.
const FOLDER_FIELDS: [&str; 6] = ["resources", "bases", "components", "generators", "transformers", "validators"];
/// More files than any real application has; a tree beyond it is refused.
const MAX_FILES: usize = 100_000;

/// The files that a kustomization is made from.
#[derive(Default)]
pub(super) struct Sources {
    /// Path and id.
    pub(super) files: BTreeMap<String, String>,
    /// Folders with a kustomization file; the kustomization's own is among them.
    pub(super) folders: BTreeSet<String>,
    /// The first kustomization file that was read.
    pub(super) root: String,
}

/// Follows the kustomization in the folder `path`.
pub(super) fn sources(tree: &dyn SourceTree, path: &str) -> Result<Sources, RenderError> {
    let mut walk = Walk { tree, sources: Sources::default(), pending: vec![path.to_owned()], whole: false };
    while let Some(folder) = walk.pending.pop() {
        if walk.sources.folders.insert(folder.clone()) {
            walk.folder(&folder)?;
        }
    }
    if walk.sources.root.is_empty() {
        let message = format!("no kustomization file here ({}); check `path` and `renderer`", NAMES.join(", "));
        return Err(RenderError::refused(path, message));
    }
    if walk.whole {
        walk.everything("")?;
    }
    Ok(walk.sources)
}

struct Walk<'a> {
    tree: &'a dyn SourceTree,
    sources: Sources,
    pending: Vec<String>,
    /// Whether a reference could not be understood, so that the whole tree is needed.
    whole: bool,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str) -> Result<(), RenderError> {
        for name in NAMES {
            let file = paths::child(folder, name);
            let Some(entry) = self.tree.entry(&file)? else { continue };
            if self.sources.root.is_empty() {
                self.sources.root.clone_from(&file);
            }
            let bytes = self.add(&file, &entry)?;
            for value in self.values(&file, bytes)? {
                let Value::Object(fields) = value else { continue };
                self.fields(folder, &file, &fields)?;
            }
        }
        Ok(())
    }

    /// Reads the documents of a file that refers to others.
    fn values(&self, file: &str, bytes: Option<Vec<u8>>) -> Result<Vec<Value>, RenderError> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.tree.read(file)?,
        };
        let text = String::from_utf8(bytes).map_err(|_| RenderError::refused(file, "not UTF-8 text"))?;
        let squeezed: String = text.split_whitespace().collect::<String>().replace(['"', '\''], "");
        if squeezed.contains("<<:") || squeezed.contains("!!merge") || squeezed.contains("yaml.org,2002:merge") {
            return Err(RenderError::refused(file, "merge keys (`<<`) are not supported in kustomization files"));
        }
        let mut values = Vec::new();
        for document in documents(&text) {
            let twice = |name: &str| {
                let key = format!("`{name}`");
                document.warnings.iter().find(|(_, text)| text.to_ascii_lowercase().contains(&key))
            };
            if let Some((line, message)) = FOLDER_FIELDS.iter().find_map(|name| twice(name)) {
                return Err(RenderError::refused(file, format!("line {line}: {message}; write it once")));
            }
            values.push(document.value.map_err(|error| RenderError::refused(file, error.to_string()))?);
        }
        Ok(values)
    }

    /// Follows what a kustomization's fields refer to. Kustomize matches their names without regard to case.
    fn fields(&mut self, folder: &str, file: &str, fields: &Map<String, Value>) -> Result<(), RenderError> {
        for (name, value) in fields {
            match name.to_ascii_lowercase().as_str() {
                "resources" | "bases" | "components" | "crds" | "configurations" => {
                    for text in texts(value) {
                        self.refer(folder, file, name, text)?;
                    }
                }
                "generators" | "transformers" | "validators" => {
                    for text in texts(value) {
                        self.plugin(folder, file, name, text)?;
                    }
                }
                "patchesstrategicmerge" => {
                    for text in texts(value).filter(|text| !is_inline(text)) {
                        self.refer(folder, file, name, text)?;
                    }
                }
                "patches" | "patchesjson6902" | "replacements" => {
                    for item in list(value) {
                        for text in members(item, "path") {
                            self.refer(folder, file, &format!("{name}.path"), text)?;
                        }
                    }
                }
                "openapi" => {
                    for text in members(value, "path") {
                        self.refer(folder, file, "openapi.path", text)?;
                    }
                }
                "configmapgenerator" | "secretgenerator" => {
                    for item in list(value) {
                        self.generator(folder, file, name, item)?;
                    }
                }
                "helmcharts" | "helmchartinflationgenerator" if !list(value).is_empty() => {
                    let message =
                        format!("`{name}`: charts inside Kustomize are not rendered; use renderer = \"helm\"");
                    return Err(RenderError::refused(file, message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn generator(&mut self, folder: &str, file: &str, field: &str, item: &Value) -> Result<(), RenderError> {
        for name in ["files", "envs", "env"] {
            for text in members(item, name) {
                // `files` may say `key=path`.
                let path = if name == "files" { text.split_once('=').map_or(text, |(_, path)| path) } else { text };
                self.refer(folder, file, &format!("{field}.{name}"), path)?;
            }
        }
        Ok(())
    }

    /// Follows a generator, transformer or validator: inline, a file, or a folder that makes several.
    fn plugin(&mut self, folder: &str, file: &str, field: &str, text: &str) -> Result<(), RenderError> {
        if is_inline(text) {
            for document in documents(text) {
                match document.value {
                    Ok(value) => self.mentioned(folder, file, &value)?,
                    Err(_) => self.whole = true,
                }
            }
            return Ok(());
        }
        self.refer(folder, file, field, text)?;
        let Some(place) = paths::join(folder, text) else { return Ok(()) };
        match self.tree.entry(&place)?.map(|entry| entry.kind) {
            Some(EntryKind::File | EntryKind::Symlink) => {
                for value in self.values(&place, None)? {
                    self.mentioned(folder, &place, &value)?;
                }
            }
            // Its plugins' files are given from here, not from there.
            _ => self.whole = true,
        }
        Ok(())
    }

    /// Adds every file that a plugin's configuration mentions in any field.
    fn mentioned(&mut self, folder: &str, file: &str, value: &Value) -> Result<(), RenderError> {
        match value {
            Value::String(text) if !is_inline(text) && text.len() < 4096 => {
                if text.starts_with("http://") || text.starts_with("https://") {
                    return Err(remote(file, "a plugin", text));
                }
                for text in [text.as_str()].into_iter().chain(text.split_once('=').map(|(_, path)| path)) {
                    let Some(place) = paths::join(folder, text).filter(|place| place != folder) else { continue };
                    match self.tree.entry(&place)? {
                        Some(entry) if matches!(entry.kind, EntryKind::File | EntryKind::Symlink) => {
                            self.add(&place, &entry)?;
                        }
                        Some(entry) if entry.kind == EntryKind::Folder => self.whole = true,
                        _ => {}
                    }
                }
                Ok(())
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.mentioned(folder, file, item)),
            Value::Object(members) => members.values().try_for_each(|member| self.mentioned(folder, file, member)),
            _ => Ok(()),
        }
    }

    /// Follows one reference of `field` in `file`, which stands in `folder`.
    fn refer(&mut self, folder: &str, file: &str, field: &str, reference: &str) -> Result<(), RenderError> {
        if is_surely_remote(reference) {
            return Err(remote(file, field, reference));
        }
        let Some(place) = paths::join(folder, reference) else {
            let message =
                format!("`{field}` names `{reference}`, which leaves the repository; only files inside it are read");
            return Err(RenderError::refused(file, message));
        };
        match self.tree.entry(&place)? {
            Some(entry) => match entry.kind {
                EntryKind::File | EntryKind::Symlink => self.add(&place, &entry).map(drop),
                EntryKind::Folder => {
                    self.pending.push(place);
                    Ok(())
                }
                EntryKind::Submodule => {
                    let message = format!("`{field}` names `{reference}`, a submodule, which is not followed");
                    Err(RenderError::refused(file, message))
                }
            },
            None if is_likely_remote(reference) => Err(remote(file, field, reference)),
            None => {
                let message = match self.special_ancestor(&place)? {
                    Some(ancestor) => format!(
                        "`{field}` names `{reference}`, but `{ancestor}` is a symbolic link or a submodule, which is not followed"
                    ),
                    None => format!("`{field}` names `{reference}`, which is not there"),
                };
                Err(RenderError::refused(file, message))
            }
        }
    }

    fn special_ancestor(&self, place: &str) -> Result<Option<String>, SourceError> {
        for (end, _) in place.match_indices('/') {
            let kind = self.tree.entry(&place[..end])?.map(|entry| entry.kind);
            if matches!(kind, Some(EntryKind::Symlink | EntryKind::Submodule)) {
                return Ok(Some(place[..end].to_owned()));
            }
        }
        Ok(None)
    }

    /// Adds a file. A link's bytes are read at once, because its id says only where it points.
    fn add(&mut self, path: &str, entry: &Entry) -> Result<Option<Vec<u8>>, RenderError> {
        if self.sources.files.len() >= MAX_FILES {
            return Err(RenderError::too_much(path, format!("more than {MAX_FILES} files belong to it")));
        }
        if entry.kind == EntryKind::File {
            self.sources.files.insert(path.to_owned(), entry.id.clone());
            return Ok(None);
        }
        let bytes = self.tree.read(path).map_err(|error| match error {
            SourceError::Outside { .. } => RenderError::refused(path, "a symbolic link that leaves the repository"),
            error => RenderError::refused(path, format!("a symbolic link that cannot be read: {error}")),
        })?;
        self.sources.files.insert(path.to_owned(), sha256_hex(&bytes));
        Ok(Some(bytes))
    }

    /// Adds every file of the tree that can be read.
    fn everything(&mut self, folder: &str) -> Result<(), RenderError> {
        for (name, entry) in self.tree.list(folder)? {
            let place = paths::child(folder, &name);
            match entry.kind {
                EntryKind::Folder => self.everything(&place)?,
                EntryKind::File => drop(self.add(&place, &entry)?),
                // Whatever refers to a link that cannot be read says so itself.
                EntryKind::Symlink => drop(self.add(&place, &entry).ok()),
                EntryKind::Submodule => {}
            }
        }
        Ok(())
    }
}

/// The texts of a list; Kustomize refuses anything else in its place.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    list(value).iter().filter_map(Value::as_str)
}

/// The texts in a member of a mapping, be it one or a list.
fn members<'a>(item: &'a Value, name: &'a str) -> impl Iterator<Item = &'a str> {
    let members = item.as_object().into_iter().flatten().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    members.flat_map(|(_, value)| texts(value))
}

/// A list's items; a scalar is its own and only one.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        other => std::slice::from_ref(other),
    }
}

/// Says whether a text is YAML itself and not the name of a file.
fn is_inline(text: &str) -> bool {
    text.contains('\n') || text.contains(": ") || text.trim_start().starts_with(['{', '['])
}

/// A URL, or an scp-like address.
fn is_surely_remote(reference: &str) -> bool {
    let before_path = reference.split('/').next().unwrap_or_default();
    reference.contains("://")
        || reference.starts_with("git::")
        || before_path.contains('@') && before_path.contains(':')
}

/// What Kustomize takes for a repository if no such file is there.
fn is_likely_remote(reference: &str) -> bool {
    ["?ref=", "?version=", "?timeout=", "?submodules=", ".git", "//"].iter().any(|sign| reference.contains(sign))
        || ["github.com", "gitlab.com", "bitbucket.org", "gh:"].iter().any(|host| reference.starts_with(host))
}

fn remote(file: &str, field: &str, reference: &str) -> RenderError {
    let message =
        format!("`{field}` names the remote `{reference}`, which is not fetched; copy it into the repository");
    RenderError::refused(file, message)
}
