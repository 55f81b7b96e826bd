//! A source tree becomes objects with their origin: plain YAML natively, Kustomize and Helm by the user's programs for now.
//!
//! See [`render`] for the entry point. Everything here blocks: the engine calls it on a blocking thread.

use crate::object::{Issue, Manifest, SourceError, SourceTree};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// How manifests are made from a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Renderer {
    /// A kustomization file means Kustomize, `Chart.yaml` means Helm, anything else plain YAML.
    #[default]
    Auto,
    /// Files as they are.
    Yaml,
    /// `kustomize build`, or `kubectl kustomize`.
    Kustomize,
    /// `helm template`.
    Helm,
}

/// Options of a Helm chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HelmOptions {
    /// Release name; default: the application's name.
    pub release: Option<String>,
    /// Values files, relative to the chart, in order.
    pub values: Vec<String>,
    /// `--set` values, by key.
    pub set: BTreeMap<String, String>,
    /// Render the chart's `crds/` too.
    pub include_crds: bool,
}

/// Everything that decides what a render gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Which renderer.
    pub renderer: Renderer,
    /// Plain YAML: go into sub-folders.
    pub recurse: bool,
    /// Plain YAML: globs relative to the path; none: `*.yaml`, `*.yml`, `*.json` in any folder.
    pub include: Vec<String>,
    /// Plain YAML: globs relative to the path that are left out.
    pub exclude: Vec<String>,
    /// Helm's options.
    pub helm: HelmOptions,
    /// Application's name (Helm's default release).
    pub application: String,
    /// Namespace for objects that name none (given to Helm).
    pub namespace: Option<String>,
    /// The target's version, e.g. `1.36.3`, for Helm.
    pub kube_version: Option<String>,
    /// The target's `group/version` and `group/version/Kind` names, for Helm.
    pub api_versions: Vec<String>,
}

/// The result of a render. Objects are in source order.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The renderer that was used, never `Auto`.
    pub renderer: Renderer,
    /// Name and version of the program or parser, part of what an approval binds, e.g. `kustomize v5.8.1`.
    pub program: String,
    /// The objects.
    pub manifests: Vec<Manifest>,
    /// Files and documents that could not be read, duplicates, warnings.
    pub issues: Vec<Issue>,
    /// Every tree or blob that the result was made from: repository path and id, sorted. What an approval binds.
    pub inputs: Vec<(String, String)>,
    /// A renderer program's own output; empty for plain YAML.
    pub raw: Vec<u8>,
}

/// Why nothing could be rendered at all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RenderError {
    /// The path is not in the tree, or the tree cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A program is missing.
    #[error("{path} needs {program}, which is not on the PATH; install it, or set renderer = \"yaml\"")]
    MissingProgram {
        /// The application's path.
        path: String,
        /// What to install.
        program: String,
    },
    /// The program refused; its words, cleaned.
    #[error("{program} failed on {path}: {message}")]
    Failed {
        /// The program.
        program: String,
        /// The application's path.
        path: String,
        /// What it said.
        message: String,
    },
    /// Bounds on time, output or size were passed.
    #[error("{path}: {message}")]
    TooMuch {
        /// The application's path.
        path: String,
        /// Which bound, and how far.
        message: String,
    },
    /// The sources ask for something that is not allowed (remote bases, plugins).
    #[error("{path}: {message}")]
    Refused {
        /// The file.
        path: String,
        /// What and why.
        message: String,
    },
}

/// Renders of earlier calls, found again by what they were made from; bounded. Holds manifests in memory only.
#[derive(Default)]
pub struct Cache {}

/// Renders the folder or file at `path` of `tree`; a result for the same inputs and options is shared through `cache`.
///
/// `scratch` is the folder (0700) for temporary trees of renderer programs.
///
/// # Errors
/// [`RenderError`] where nothing could be rendered; what concerns one file is an issue of the result instead.
pub fn render(
    _tree: &dyn SourceTree,
    _path: &str,
    _options: &Options,
    _scratch: &Path,
    _cache: &Cache,
) -> Result<Arc<Rendered>, RenderError> {
    todo!()
}

/// A folder on disk as a [`SourceTree`] (`--path`), uncommitted files included; `.git` is left out.
pub struct FolderTree {
    #[allow(dead_code)]
    root: std::path::PathBuf,
}

impl FolderTree {
    /// Takes a folder.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] where it is no folder.
    pub fn open(_root: &Path) -> Result<Self, SourceError> {
        todo!()
    }
}

/// One renderer program as `check` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramStatus {
    /// `kustomize` or `helm`.
    pub name: String,
    /// Path and version, or none where it is missing.
    pub found: Option<String>,
    /// Whether its network is cut, and how; else that remote references are refused.
    pub network: String,
}

/// Says which renderer programs are there and how they are fenced in.
pub fn programs() -> Vec<ProgramStatus> {
    todo!()
}

/// Removes temporary trees that a killed process left in `scratch`.
pub fn sweep(_scratch: &Path) {
    todo!()
}
