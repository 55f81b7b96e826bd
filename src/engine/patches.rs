//! Patches of commits as they may be shown: the patch of a file that holds a Secret's values, or that they are made from, says only that
//! it changed.

use crate::{
    git::{CommitId, FileChange, GitError, Mirror},
    object::{EntryKind, SourceTree, documents, is_secret},
    render::{KUSTOMIZATIONS, join_path},
};
use serde_json::Value;

/// Stands in place of a patch that would show a Secret's values.
const HIDDEN: &str = "this file holds a Secret: its lines are not shown\n";
/// Folders of templates that are looked through; a chart with more is taken to make Secrets.
const FOLDERS_MOST: usize = 64;

/// The application whose commits are shown, as far as it says which files Secrets are made from.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Sources {
    /// Its path.
    pub path: String,
    /// Files of values that it gives to Helm, relative to its path.
    pub values: Vec<String>,
}

/// Returns what a commit changed against its first parent, with patches that show no Secret's values.
pub(in crate::engine) fn shown(
    mirror: &Mirror,
    commit: CommitId,
    sources: &Sources,
) -> Result<Vec<FileChange>, GitError> {
    let mut changes = mirror.file_changes(commit)?;
    let after = mirror.tree(commit)?;
    let before = mirror.commit(commit)?.parents.first().map(|parent| mirror.tree(*parent)).transpose()?;
    for change in &mut changes {
        let holds_secret = |tree: &dyn SourceTree| sources.hold_secret(tree, &change.path);
        if holds_secret(&after) || before.as_ref().is_some_and(|before| holds_secret(before)) {
            change.patch = HIDDEN.into();
        }
    }
    Ok(changes)
}

impl Sources {
    /// Says whether a file holds a Secret's values, or might.
    fn hold_secret(&self, tree: &dyn SourceTree, path: &str) -> bool {
        if tree.read(path).is_ok_and(|bytes| may_hold_secret(&bytes)) {
            return true;
        }
        let is_given = self.values.iter().any(|values| join_path(&self.path, values).as_deref() == Some(path));
        is_given && makes_secrets(tree, &self.path)
            || folders_above(path).any(|folder| feeds_generator(tree, folder, path) || feeds_chart(tree, folder, path))
    }
}

/// The folders that a file is in, the nearest first.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |folder| parent(folder))
}

fn parent(path: &str) -> Option<&str> {
    (!path.is_empty()).then(|| path.rsplit_once('/').map_or("", |(folder, _)| folder))
}

fn child(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Says whether the kustomization of a folder makes a Secret from a file.
fn feeds_generator(tree: &dyn SourceTree, folder: &str, path: &str) -> bool {
    let texts = KUSTOMIZATIONS.iter().filter_map(|name| tree.read(&child(folder, name)).ok());
    texts.into_iter().any(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        let values = documents(&text).into_iter().filter_map(|document| document.value.ok());
        let generators = values.flat_map(|value| list(&value, "secretGenerator"));
        let files = generators.flat_map(|generator| {
            let one = generator.get("env").cloned();
            [list(&generator, "files"), list(&generator, "envs"), one.into_iter().collect()].concat()
        });
        // A key may stand before the file.
        let file = |text: &str| join_path(folder, text.rsplit_once('=').map_or(text, |(_, file)| file));
        files.into_iter().any(|entry| entry.as_str().and_then(file).as_deref() == Some(path))
    })
}

fn list(value: &Value, field: &str) -> Vec<Value> {
    value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Says whether a file is one of those that a chart in a folder, which makes Secrets, reads values from.
fn feeds_chart(tree: &dyn SourceTree, folder: &str, path: &str) -> bool {
    let own = ["Chart.yaml", "Chart.lock", "templates"].map(|name| child(folder, name));
    let is_own =
        own.iter().any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    !is_own && tree.entry(&own[0]).is_ok_and(|entry| entry.is_some()) && makes_secrets(tree, folder)
}

/// Says whether a chart makes Secrets, or may: what its dependencies make is not known.
fn makes_secrets(tree: &dyn SourceTree, chart: &str) -> bool {
    let has = |name: &str| tree.entry(&child(chart, name)).is_ok_and(|entry| entry.is_some());
    let description = tree.read(&child(chart, "Chart.yaml")).unwrap_or_default();
    let depends = String::from_utf8_lossy(&description).lines().any(|line| line.starts_with("dependencies:"));
    if depends || has("charts") || has("requirements.yaml") {
        return true;
    }
    let mut folders = vec![child(chart, "templates")];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        looked += 1;
        if looked > FOLDERS_MOST {
            return true;
        }
        for (name, entry) in tree.list(&folder).unwrap_or_default() {
            let path = child(&folder, &name);
            match entry.kind {
                EntryKind::Folder => folders.push(path),
                EntryKind::Submodule => {}
                EntryKind::File | EntryKind::Symlink => {
                    if tree.read(&path).is_ok_and(|bytes| names_secret(&String::from_utf8_lossy(&bytes))) {
                        return true;
                    }
                }
            }
        }
    }
    false
}

/// Says whether a template says `kind: Secret`.
fn names_secret(template: &str) -> bool {
    template
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("kind:"))
        .any(|kind| kind.trim().trim_matches(['"', '\'']) == "Secret")
}

/// Says whether a file holds a Secret, or might: one that cannot be read as manifests is judged by the word alone.
fn may_hold_secret(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains("Secret") && !text.contains("secretGenerator") {
        return false;
    }
    documents(&text).iter().any(|document| match &document.value {
        Ok(value) => {
            let items = value.get("items").and_then(Value::as_array).into_iter().flatten();
            let patches = ["patches", "patchesStrategicMerge", "patchesJson6902"];
            is_secret(value)
                || items.into_iter().any(is_secret)
                || value.get("secretGenerator").is_some()
                // A kustomization may change a Secret in place.
                || patches.iter().any(|field| value.get(field).is_some_and(|patch| patch.to_string().contains("Secret")))
        }
        Err(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::render::FolderTree;
    use std::{fs, path::Path};

    fn write(root: &Path, path: &str, text: &str) {
        let place = root.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    #[test]
    fn files_that_secrets_are_made_from_are_known() {
        let root = tempfile::tempdir().unwrap();
        let generator =
            "secretGenerator:\n- name: s\n  literals: [a=b]\n  files: [key=in/file.txt, plain.txt]\n  envs: [x.env]\n";
        write(root.path(), "k/kustomization.yaml", generator);
        for file in ["k/in/file.txt", "k/plain.txt", "k/x.env", "k/other.txt"] {
            write(root.path(), file, "v\n");
        }
        let chart = |name: &str, template: &str, description: &str| {
            write(root.path(), &format!("{name}/Chart.yaml"), description);
            write(root.path(), &format!("{name}/values.yaml"), "token: x\n");
            write(root.path(), &format!("{name}/templates/in/a.yaml"), template);
        };
        chart("secret", "{{ if x }}\nkind: Secret\n{{ end }}\n", "name: c\n");
        chart("plain", "kind: Deployment\nspec: {imagePullSecrets: []}\n", "name: c\n");
        chart("umbrella", "", "name: c\ndependencies:\n- name: d\n");
        write(root.path(), "prod.yaml", "token: y\n");
        let tree = FolderTree::open(root.path()).unwrap();
        let holds = |path: &str, application: &str| {
            let sources = Sources { path: application.into(), values: vec!["../prod.yaml".into()] };
            sources.hold_secret(&tree, path)
        };
        for path in [
            "k/kustomization.yaml",
            "k/in/file.txt",
            "k/plain.txt",
            "k/x.env",
            "secret/values.yaml",
            "umbrella/values.yaml",
        ] {
            assert!(holds(path, "plain"), "{path}");
        }
        for path in ["k/other.txt", "plain/values.yaml", "secret/Chart.yaml", "prod.yaml"] {
            assert!(!holds(path, "plain"), "{path}");
        }
        assert!(holds("prod.yaml", "secret"));
    }

    #[test]
    fn files_with_a_secret_are_known_whatever_else_they_hold() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n";
        assert!(may_hold_secret(secret.as_bytes()));
        assert!(may_hold_secret(format!("apiVersion: v1\nkind: ConfigMap\n---\n{secret}").as_bytes()));
        assert!(may_hold_secret(b"kind: Secret\n\tbroken: ["));
        assert!(!may_hold_secret(b"apiVersion: v1\nkind: ConfigMap\ndata: {note: a Secret is elsewhere}\n"));
    }
}
