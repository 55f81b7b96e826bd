//! Kustomize, by the user's `kustomize build` or `kubectl kustomize`.

use super::{
    Assembled, Cache, RenderError,
    assembly::{Assembly, Dictionaries, Kind, Part},
    kustomization::{self, Sources},
    program::{self, Run},
    scratch::Scratch,
};
use crate::object::{Origin, SourceTree, documents};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// The largest tree that is written out, in bytes.
const MAX_TREE: usize = 64 << 20;
/// How much of a program's complaint is shown.
const MAX_MESSAGE: usize = 800;

/// The program that builds kustomizations.
pub(super) struct Program {
    path: PathBuf,
    /// `build` or `kustomize`.
    verb: &'static str,
    /// Name and version.
    pub(super) version: String,
}

impl Program {
    /// Finds `kustomize`, else `kubectl`, on the PATH.
    pub(super) fn find(cache: &Cache) -> Option<Self> {
        let (path, name, verb, ask): (_, _, _, &[&str]) = match program::find("kustomize") {
            Some(path) => (path, "kustomize", "build", &["version"]),
            None => (program::find("kubectl")?, "kubectl", "kustomize", &["version", "--client"]),
        };
        // A program that cannot say its version can still build; without one its file's place stands in.
        let version = version(cache, &path, ask).unwrap_or_else(|| path.display().to_string());
        Some(Self { path, verb, version: format!("{name} {version}") })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Asks a program for its version: all the words of its answer that begin like one.
pub(super) fn version(cache: &Cache, program: &Path, ask: &[&str]) -> Option<String> {
    let asked = cache.version(program, || {
        let home = tempfile::tempdir().map_err(|_| ())?;
        let arguments: Vec<OsString> = ask.iter().map(OsString::from).collect();
        let run = Run { program, arguments: &arguments, folder: home.path(), home: home.path() };
        let outcome = run.run("").map_err(drop)?;
        let text = String::from_utf8_lossy(&outcome.output).into_owned();
        let is_version = |word: &&str| word.starts_with('v') && word[1..].starts_with(|c: char| c.is_ascii_digit());
        let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '"').filter(is_version).collect();
        if outcome.succeeded && !words.is_empty() { Ok(words.join(" ")) } else { Err(()) }
    });
    asked.ok()
}

/// Finds out what the kustomization in `path` is made from.
pub(super) fn sources(tree: &dyn SourceTree, path: &str) -> Result<Sources, RenderError> {
    kustomization::sources(tree, path)
}

/// Builds the kustomization in `path` on a temporary tree that holds `sources` and nothing else.
pub(super) fn build(
    tree: &dyn SourceTree,
    path: &str,
    sources: Sources,
    program: &Program,
    scratch: &Path,
    dictionaries: &Dictionaries,
) -> Result<Assembled, RenderError> {
    let failed = |error: io::Error| RenderError::failed("the temporary tree", path, error.to_string());
    let scratch = Scratch::new(scratch).map_err(failed)?;
    let source_bytes = write(tree, path, sources.files.keys(), &scratch)?;
    for folder in &sources.folders {
        scratch.folder(folder).map_err(failed)?;
    }
    let arguments = [OsString::from(program.verb), scratch.tree().join(path).into_os_string()];
    let (folder, home) = (scratch.tree(), scratch.home());
    let run = Run { program: program.path(), arguments: &arguments, folder: &folder, home: &home };
    let outcome = run.run(path)?;
    if !outcome.succeeded {
        let message = shorten(&outcome.complaint, &scratch.tree());
        return Err(RenderError::failed(&program.version, path, message));
    }
    let text = String::from_utf8_lossy(&outcome.output);
    let bytes = source_bytes + outcome.output.len();
    let part = Part::read(documents(&text), bytes, Kind::Rendered, dictionaries, |document| Origin {
        path: sources.root.clone(),
        document: document.index,
        lines: None,
    });
    let mut assembly = Assembly::default();
    assembly.add(&part);
    Ok(Assembled {
        program: program.version.clone(),
        assembly,
        inputs: sources.files.into_iter().collect(),
        source_bytes: bytes,
        raw: outcome.output,
    })
}

/// Writes files of a tree out; links as the files they lead to. Returns how many bytes these are.
pub(super) fn write<'a>(
    tree: &dyn SourceTree,
    path: &str,
    files: impl IntoIterator<Item = &'a String>,
    scratch: &Scratch,
) -> Result<usize, RenderError> {
    let mut written = 0;
    for file in files {
        let bytes = tree.read(file)?;
        written += bytes.len();
        if written > MAX_TREE {
            let message = format!("its sources have more than {} MiB", MAX_TREE >> 20);
            return Err(RenderError::too_much(path, message));
        }
        let failed = |error: io::Error| RenderError::failed("the temporary tree", file, error.to_string());
        scratch.write(file, &bytes).map_err(failed)?;
    }
    Ok(written)
}

/// The gist of a complaint: without the temporary tree's place, advice on flags and repetition.
pub(super) fn shorten(complaint: &str, tree: &Path) -> String {
    let tree = tree.display().to_string();
    let text = complaint.replace(&format!("{tree}/"), "").replace(&tree, ".");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != ">");
    let lines: Vec<&str> = lines
        .filter(|line| {
            !line.starts_with("Use --debug") && !line.starts_with("# Warning:") && !line.starts_with("WARNING:")
        })
        .map(without_log_prefix)
        .map(|line| line.strip_prefix("Error: ").or_else(|| line.strip_prefix("error: ")).unwrap_or(line))
        .filter(|line| !line.is_empty())
        .collect();
    let text = lines.join("\n");
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no reason given".into(),
        None => text,
    }
}

/// kubectl may log its last words: `E1125 00:34:50.747663 19368 run.go:72] "command failed" err="…"`.
fn without_log_prefix(line: &str) -> &str {
    let is_log = line.strip_prefix('E').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    match line.split_once("err=").filter(|_| is_log) {
        Some((_, words)) => words.trim_matches(['"', '<']),
        None => line,
    }
}
