//! Plain YAML: the files of a folder as they are, in byte order of their paths.

use super::{
    Assembled, Options, RenderError, Renderer,
    assembly::{Assembly, Kind, Part},
    cache::{Cache, Key},
    paths,
};
use crate::object::{Entry, EntryKind, Issue, Origin, SourceError, SourceTree, documents, sha256_hex};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What stands for the program's version: raise it when the same bytes come to mean something else.
const PARSER: &str = "driftdeck yaml 1";
/// The largest application, in bytes of manifests.
const MAX_APPLICATION: usize = 64 << 20;
const MAX_FILES: usize = 50_000;
/// So many files are worth a thread of their own.
const SHARE: usize = 8;
const DEFAULT_INCLUDE: &[&str] = &["*.yaml", "*.yml", "*.json"];

/// The files of an application, before they are read.
pub(super) struct Files {
    /// Path and entry, in byte order of the path.
    entries: Vec<(String, Entry)>,
    inputs: Vec<(String, String)>,
    issues: Vec<Issue>,
}

/// Lists the files at `path` that the options take.
pub(super) fn files(tree: &dyn SourceTree, path: &str, options: &Options) -> Result<Files, RenderError> {
    let entry = tree.entry(path)?.ok_or_else(|| missing(tree, path))?;
    let mut files = Files { entries: Vec::new(), inputs: Vec::new(), issues: Vec::new() };
    match entry.kind {
        EntryKind::Folder => {
            let default: Vec<String> = DEFAULT_INCLUDE.iter().map(|glob| (*glob).to_owned()).collect();
            let include = Globs::new(if options.include.is_empty() { &default } else { &options.include }, path)?;
            let exclude = Globs::new(&options.exclude, path)?;
            let mut folders = vec![path.to_owned()];
            while let Some(folder) = folders.pop() {
                for (name, entry) in tree.list(&folder)? {
                    let place = paths::child(&folder, &name);
                    let relative = paths::relative(&place, path);
                    match entry.kind {
                        EntryKind::Folder if options.recurse => folders.push(place),
                        EntryKind::Submodule if options.recurse && !exclude.matches(relative) => {
                            files.entries.push((place, entry));
                        }
                        EntryKind::File | EntryKind::Symlink
                            if include.matches(relative) && !exclude.matches(relative) =>
                        {
                            files.entries.push((place, entry));
                        }
                        _ => {}
                    }
                }
                if files.entries.len() > MAX_FILES {
                    return Err(RenderError::too_much(path, format!("more than {MAX_FILES} files; narrow `include`")));
                }
            }
            files.entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        EntryKind::File | EntryKind::Symlink | EntryKind::Submodule => files.entries.push((path.to_owned(), entry)),
    }
    for (place, entry) in &files.entries {
        // A link's id says where it points, not what is there.
        let id = match entry.kind {
            EntryKind::Symlink => tree.read(place).map_or_else(|error| error.to_string(), sha256_hex),
            _ => entry.id.clone(),
        };
        files.inputs.push((place.clone(), id));
    }
    if files.entries.is_empty() {
        files
            .issues
            .push(Issue::warning("no manifest files here; check `path`, `recurse` and `include`").at(path, None));
    }
    Ok(files)
}

impl Files {
    pub(super) fn key(&self, path: &str, options: &Options) -> Key {
        Key::new(Renderer::Yaml, PARSER, path, &self.inputs, options)
    }

    /// Reads the files into manifests; whatever is wrong with one is an issue.
    pub(super) fn read(self, tree: &dyn SourceTree, cache: &Cache) -> Assembled {
        let mut assembly = Assembly::default();
        assembly.issues.clone_from(&self.issues);
        let mut bytes = 0;
        for ((path, _), part) in self.entries.iter().zip(self.parts(tree, cache)) {
            bytes += part.bytes;
            if bytes > MAX_APPLICATION {
                let message = format!(
                    "the application is over {} MiB; this file and the rest are not read",
                    MAX_APPLICATION >> 20
                );
                assembly.issues.push(Issue::error(message).at(path, None));
                break;
            }
            assembly.add(&part);
        }
        cache.make_room();
        Assembled { program: PARSER.into(), assembly, inputs: self.inputs, raw: Vec::new(), source_bytes: bytes }
    }

    /// Reads the files, in their order, on as many processors as there are; those whose content was read before are not read again. What
    /// lies behind an application's largest size may be missing.
    fn parts(&self, tree: &dyn SourceTree, cache: &Cache) -> Vec<Arc<Part>> {
        let mut parts: Vec<Option<Arc<Part>>> =
            self.entries.iter().map(|(path, entry)| cache.part(path, &entry.id)).collect();
        let missing: Vec<usize> = (0..parts.len()).filter(|index| parts[*index].is_none()).collect();
        let (next, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let read = || {
            let mut read = Vec::new();
            while bytes.load(Ordering::Relaxed) <= MAX_APPLICATION {
                let Some(index) = missing.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let (path, entry) = &self.entries[*index];
                let part = Arc::new(part(tree, path, entry, cache));
                bytes.fetch_add(part.bytes, Ordering::Relaxed);
                read.push((*index, part));
            }
            read
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(missing.len().div_ceil(SHARE));
        let read = match threads {
            0 | 1 => read(),
            _ => std::thread::scope(|scope| {
                let running: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
                // A panic of one is this render's, as it would be without threads.
                let read = running
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                read.flatten().collect()
            }),
        };
        for (index, part) in read {
            let (path, entry) = &self.entries[index];
            // What a link leads to is not told by its id.
            if entry.kind == EntryKind::File {
                cache.keep_part(path, &entry.id, &part);
            }
            parts[index] = Some(part);
        }
        parts.into_iter().map_while(|part| part).collect()
    }
}

/// Reads one file.
fn part(tree: &dyn SourceTree, path: &str, entry: &Entry, cache: &Cache) -> Part {
    match text(tree, path, entry) {
        Ok(text) => Part::read(documents(&text), text.len(), Kind::Written, &cache.dictionaries, |document| Origin {
            path: path.to_owned(),
            document: document.index,
            lines: Some(document.lines),
        }),
        Err(message) => Part::issue(Issue::error(message).at(path, None)),
    }
}

/// The text of a manifest file, or why it has none.
fn text(tree: &dyn SourceTree, path: &str, entry: &Entry) -> Result<String, String> {
    if entry.kind == EntryKind::Submodule {
        return Err("a submodule, which is not followed; leave it out with `exclude` or copy its manifests".into());
    }
    let bytes = tree.read_entry(path, entry).map_err(|error| match error {
        SourceError::Outside { .. } => "a symbolic link that leaves the repository is not followed".to_owned(),
        SourceError::NotFound { .. } => "a symbolic link that ends nowhere".to_owned(),
        SourceError::Broken { message, .. } => message,
    })?;
    if bytes.len() > MAX_APPLICATION {
        return Err(format!("a file of {} MiB; at most {} MiB are read", bytes.len() >> 20, MAX_APPLICATION >> 20));
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err("a Git LFS pointer, not the file itself; keep manifests out of LFS".into());
    }
    if bytes.contains(&0) {
        return Err("a binary or UTF-16 file, not UTF-8 text; leave it out with `exclude`".into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("not UTF-8 text (line {line}); save it as UTF-8, or leave it out with `exclude`")
    })
}

pub(super) fn missing(tree: &dyn SourceTree, path: &str) -> RenderError {
    RenderError::Source(SourceError::NotFound { path: path.to_owned(), tree: tree.describe() })
}

/// Globs over paths: one without a slash is for the file's name in any folder, one with a slash for the path from the
/// application's folder.
struct Globs {
    names: GlobSet,
    paths: GlobSet,
}

impl Globs {
    fn new(globs: &[String], path: &str) -> Result<Self, RenderError> {
        let build = |with_slash: bool| {
            let mut set = GlobSetBuilder::new();
            for glob in globs.iter().filter(|glob| glob.contains('/') == with_slash) {
                set.add(GlobBuilder::new(glob.trim_start_matches("./")).literal_separator(true).build()?);
            }
            set.build()
        };
        let refused = |error: globset::Error| RenderError::refused(path, format!("include or exclude: {error}"));
        Ok(Self { names: build(false).map_err(refused)?, paths: build(true).map_err(refused)? })
    }
    fn matches(&self, relative: &str) -> bool {
        let name = relative.rsplit('/').next().unwrap_or(relative);
        self.names.is_match(name) || self.paths.is_match(relative)
    }
}
