//! Helm, by the user's `helm template`. Dependencies must be in the chart's `charts/`; nothing is fetched.

use super::{
    Assembled, Cache, Options, RenderError,
    assembly::{Assembly, Dictionaries, Kind, Part},
    kustomize::{shorten, version, write},
    paths,
    program::{self, Run},
    scratch::Scratch,
};
use crate::object::{Document, EntryKind, Origin, SourceTree, documents, sha256_hex};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// The program that renders charts.
pub(super) struct Program {
    path: PathBuf,
    /// Name and version.
    pub(super) version: String,
}

impl Program {
    /// Finds `helm` on the PATH.
    pub(super) fn find(cache: &Cache) -> Option<Self> {
        let path = program::find("helm")?;
        let version = version(cache, &path, &["version", "--short"]).unwrap_or_else(|| path.display().to_string());
        Some(Self { path, version: format!("helm {version}") })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The chart's files and the values files, with their ids.
pub(super) fn sources(
    tree: &dyn SourceTree,
    path: &str,
    options: &Options,
) -> Result<BTreeMap<String, String>, RenderError> {
    if tree.entry(&paths::child(path, "Chart.yaml"))?.is_none() {
        return Err(RenderError::refused(path, "no Chart.yaml here; check `path` and `renderer`"));
    }
    let mut files = BTreeMap::new();
    chart(tree, path, &mut files)?;
    for values in &options.helm.values {
        let place = values_file(path, values)?;
        let known = match tree.entry(&place)? {
            Some(entry) if entry.kind == EntryKind::File => entry.id,
            Some(entry) if entry.kind == EntryKind::Symlink => sha256_hex(tree.read(&place)?),
            _ => return Err(RenderError::refused(path, format!("the values file `{values}` is not there"))),
        };
        files.insert(place, known);
    }
    Ok(files)
}

fn chart(tree: &dyn SourceTree, folder: &str, files: &mut BTreeMap<String, String>) -> Result<(), RenderError> {
    for (name, entry) in tree.list(folder)? {
        let place = paths::child(folder, &name);
        match entry.kind {
            EntryKind::Folder => chart(tree, &place, files)?,
            EntryKind::File => drop(files.insert(place, entry.id)),
            EntryKind::Symlink => {
                let bytes = tree.read(&place).map_err(|error| RenderError::refused(&place, error.to_string()))?;
                files.insert(place, sha256_hex(bytes));
            }
            EntryKind::Submodule => return Err(RenderError::refused(place, "a submodule, which is not followed")),
        }
    }
    Ok(())
}

fn values_file(path: &str, values: &str) -> Result<String, RenderError> {
    if values.contains("://") {
        return Err(RenderError::refused(path, format!("the values file `{values}` is remote, which is not fetched")));
    }
    paths::join(path, values).ok_or_else(|| {
        RenderError::refused(
            path,
            format!("the values file `{values}` leaves the repository; only files inside it are read"),
        )
    })
}

/// Renders the chart in `path` on a temporary tree that holds `files` and nothing else.
pub(super) fn template(
    tree: &dyn SourceTree,
    path: &str,
    files: BTreeMap<String, String>,
    program: &Program,
    options: &Options,
    scratch: &Path,
    dictionaries: &Dictionaries,
) -> Result<Assembled, RenderError> {
    let failed = |error: io::Error| RenderError::failed("the temporary tree", path, error.to_string());
    let scratch = Scratch::new(scratch).map_err(failed)?;
    let source_bytes = write(tree, path, files.keys(), &scratch)?;
    let (folder, home) = (scratch.tree(), scratch.home());
    let arguments = arguments(path, options, &folder)?;
    let run = Run { program: program.path(), arguments: &arguments, folder: &folder, home: &home };
    let outcome = run.run(path)?;
    if !outcome.succeeded {
        let mut message = shorten(&outcome.complaint, &folder);
        if message.contains("missing in charts/") {
            message.push_str("; nothing is fetched: run `helm dependency build` and commit charts/");
        }
        return Err(RenderError::failed(&program.version, path, message));
    }
    let text = String::from_utf8_lossy(&outcome.output);
    let lines: Vec<&str> = text.lines().collect();
    let bytes = source_bytes + outcome.output.len();
    let part = Part::read(documents(&text), bytes, Kind::Rendered, dictionaries, |document| Origin {
        path: source(path, document, &lines, &files),
        document: document.index,
        lines: None,
    });
    let mut assembly = Assembly::default();
    assembly.add(&part);
    Ok(Assembled {
        program: program.version.clone(),
        assembly,
        inputs: files.into_iter().collect(),
        source_bytes: bytes,
        raw: outcome.output,
    })
}

fn arguments(path: &str, options: &Options, tree: &Path) -> Result<Vec<OsString>, RenderError> {
    let mut arguments: Vec<OsString> = vec!["template".into()];
    // Written with `=`, and the names after `--`, so that no value can pass for a flag.
    let mut flag = |name: &str, value: &str| arguments.push(format!("--{name}={value}").into());
    if let Some(namespace) = &options.namespace {
        flag("namespace", namespace);
    }
    if let Some(version) = &options.kube_version {
        flag("kube-version", version);
    }
    for version in &options.api_versions {
        flag("api-versions", version);
    }
    for values in &options.helm.values {
        flag("values", &tree.join(values_file(path, values)?).to_string_lossy());
    }
    for (key, value) in &options.helm.set {
        flag("set", &format!("{key}={}", escaped(value)));
    }
    if options.helm.include_crds {
        arguments.push("--include-crds".into());
    }
    let release = options.helm.release.as_deref().unwrap_or(&options.application);
    arguments.extend(["--".into(), release.into(), tree.join(path).into_os_string()]);
    Ok(arguments)
}

/// A value of `--set` in which a comma is a comma, unless it is a list in braces (as in Argo CD's parameters).
fn escaped(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut before = ' ';
    for c in value.chars() {
        if c == ',' && before != '\\' {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

/// The template that helm names in its `# Source: CHART/templates/…` comment, where that is a file of the chart.
fn source(path: &str, document: &Document, lines: &[&str], files: &BTreeMap<String, String>) -> String {
    let own = lines.get(document.lines.0 - 1..document.lines.1).unwrap_or_default();
    own.iter()
        .find_map(|line| line.strip_prefix("# Source: "))
        .and_then(|source| source.split_once('/'))
        .and_then(|(_, rest)| paths::join(path, rest.trim()))
        .filter(|place| files.contains_key(place))
        .unwrap_or_else(|| paths::child(path, "Chart.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_passes_for_a_flag_or_for_two_values() {
        let mut options = Options { application: "--debug".into(), namespace: Some("-n".into()), ..Options::default() };
        options.helm.set = [("a".to_owned(), "1,b=2".to_owned()), ("l".to_owned(), "{x,y}".to_owned())].into();
        let arguments = arguments("charts/x", &options, Path::new("/t")).unwrap();
        let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let expected =
            ["template", "--namespace=-n", "--set=a=1\\,b=2", "--set=l={x,y}", "--", "--debug", "/t/charts/x"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_values_file_outside_the_repository_is_refused() {
        for values in ["../../../etc/passwd", "/etc/passwd", "https://x/values.yaml"] {
            assert!(matches!(values_file("charts/x", values), Err(RenderError::Refused { .. })), "{values}");
        }
        assert_eq!(values_file("charts/x", "../values.yaml").unwrap(), "charts/values.yaml");
    }
}
