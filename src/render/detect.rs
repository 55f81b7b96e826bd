//! Which renderer a folder wants.

use super::{RenderError, Renderer, kustomization, paths};
use crate::object::{EntryKind, SourceTree, documents};

/// Says what `Auto` means at a path: a kustomization file is Kustomize, `Chart.yaml` is Helm, anything else plain YAML.
pub(super) fn detect(tree: &dyn SourceTree, path: &str) -> Result<Renderer, RenderError> {
    let is_file = |name: &str| -> Result<bool, RenderError> {
        let entry = tree.entry(&paths::child(path, name))?;
        Ok(entry.is_some_and(|entry| matches!(entry.kind, EntryKind::File | EntryKind::Symlink)))
    };
    if tree.entry(path)?.is_none_or(|entry| entry.kind != EntryKind::Folder) {
        return Ok(Renderer::Yaml);
    }
    for name in kustomization::NAMES {
        if is_file(name)? && !is_flux_object(tree, &paths::child(path, name)) {
            return Ok(Renderer::Kustomize);
        }
    }
    Ok(if is_file("Chart.yaml")? { Renderer::Helm } else { Renderer::Yaml })
}

/// Flux's own `Kustomization` objects often share the file's name; they are manifests.
fn is_flux_object(tree: &dyn SourceTree, path: &str) -> bool {
    let Ok(bytes) = tree.read(path) else { return false };
    documents(&String::from_utf8_lossy(&bytes)).iter().any(|document| {
        let api_version = document.value.as_ref().ok().and_then(|value| value.get("apiVersion"));
        api_version.and_then(|version| version.as_str()).is_some_and(|version| version.contains(".toolkit.fluxcd.io/"))
    })
}
