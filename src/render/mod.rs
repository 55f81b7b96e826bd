//! A source tree becomes objects with their origin: plain YAML natively, Kustomize and Helm by the user's programs for now.
//!
//! See [`render`] for the entry point. Everything here blocks: the engine calls it on a blocking thread.

mod assembly;
mod cache;
mod detect;
mod error;
mod folder;
mod helm;
mod kustomization;
mod kustomize;
mod paths;
mod program;
mod scratch;
mod yaml;

pub use cache::Cache;
pub use error::RenderError;
pub use folder::FolderTree;
pub use kustomization::NAMES as KUSTOMIZATIONS;
pub use paths::join as join_path;
pub use scratch::sweep;

use crate::object::{Issue, PackedManifest, SourceError, SourceTree};
use cache::Key;
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
    pub manifests: Vec<Arc<PackedManifest>>,
    /// Files and documents that could not be read, duplicates, warnings.
    pub issues: Vec<Issue>,
    /// Every tree or blob that the result was made from: repository path and id, sorted. What an approval binds.
    pub inputs: Vec<(String, String)>,
    /// A renderer program's own output; empty for plain YAML.
    pub raw: Vec<u8>,
}

/// Renders the folder or file at `path` of `tree`; a result for the same inputs and options is shared through `cache`.
///
/// `scratch` is the folder (0700) for temporary trees of renderer programs.
///
/// # Errors
/// [`RenderError`] where nothing could be rendered; what concerns one file is an issue of the result instead.
pub fn render(
    tree: &dyn SourceTree,
    path: &str,
    options: &Options,
    scratch: &Path,
    cache: &Cache,
) -> Result<Arc<Rendered>, RenderError> {
    let Some(path) = paths::join("", path) else {
        return Err(SourceError::Outside { path: path.to_owned() }.into());
    };
    let path = path.as_str();
    if tree.entry(path)?.is_none() {
        return Err(yaml::missing(tree, path));
    }
    let missing = |program: &str| RenderError::MissingProgram { path: path.to_owned(), program: program.into() };
    let renderer = match options.renderer {
        Renderer::Auto => detect::detect(tree, path)?,
        chosen => chosen,
    };
    match renderer {
        Renderer::Auto | Renderer::Yaml => {
            let files = yaml::files(tree, path, options)?;
            cached(cache, files.key(path, options), Renderer::Yaml, || Ok(files.read(tree, cache)))
        }
        Renderer::Kustomize => {
            let sources = kustomize::sources(tree, path)?;
            let program = kustomize::Program::find(cache).ok_or_else(|| missing("kustomize or kubectl"))?;
            let inputs: Vec<_> = sources.files.clone().into_iter().collect();
            let key = Key::new(renderer, &program.version, path, &inputs, options);
            cached(cache, key, renderer, || {
                kustomize::build(tree, path, sources, &program, scratch, &cache.dictionaries)
            })
        }
        Renderer::Helm => {
            let files = helm::sources(tree, path, options)?;
            let program = helm::Program::find(cache).ok_or_else(|| missing("helm"))?;
            let inputs: Vec<_> = files.clone().into_iter().collect();
            let key = Key::new(renderer, &program.version, path, &inputs, options);
            cached(cache, key, renderer, || {
                helm::template(tree, path, files, &program, options, scratch, &cache.dictionaries)
            })
        }
    }
}

/// Says whether Helm renders what stands at `path`: only charts depend on the target's versions.
pub fn is_chart(tree: &dyn SourceTree, path: &str, renderer: Renderer) -> bool {
    let detected = |path: &String| detect::detect(tree, path).is_ok_and(|renderer| renderer == Renderer::Helm);
    match renderer {
        Renderer::Auto => paths::join("", path).is_some_and(|path| detected(&path)),
        chosen => chosen == Renderer::Helm,
    }
}

/// What a renderer hands back, before it is shared.
struct Assembled {
    program: String,
    assembly: assembly::Assembly,
    inputs: Vec<(String, String)>,
    raw: Vec<u8>,
    /// Bytes of manifests that it was made from.
    source_bytes: usize,
}

fn cached(
    cache: &Cache,
    key: Key,
    renderer: Renderer,
    make: impl FnOnce() -> Result<Assembled, RenderError>,
) -> Result<Arc<Rendered>, RenderError> {
    if let Some(rendered) = cache.get(&key) {
        return Ok(rendered);
    }
    let Assembled { program, assembly, inputs, raw, source_bytes } = make()?;
    let (manifests, issues) = (assembly.manifests, assembly.issues);
    let rendered = Arc::new(Rendered { renderer, program, manifests, issues, inputs, raw });
    cache.put(key, rendered.clone(), source_bytes);
    Ok(rendered)
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
    let cache = Cache::default();
    let shown = |path: &Path, version: &str| format!("{} ({version})", path.display());
    let kustomize = kustomize::Program::find(&cache).map(|program| shown(program.path(), &program.version));
    let helm = helm::Program::find(&cache).map(|program| shown(program.path(), &program.version));
    let network = program::Fence::probe().describe();
    [("kustomize", kustomize), ("helm", helm)]
        .into_iter()
        .map(|(name, found)| ProgramStatus { name: name.into(), found, network: network.clone() })
        .collect()
}
