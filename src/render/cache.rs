//! Renders of earlier calls, found again by what they were made from.

use super::{
    Options, Rendered, Renderer,
    assembly::{Dictionaries, Part},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs::Metadata,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// How many renders are kept.
const MAX_RENDERS: usize = 2048;
/// How many bytes of manifests these were made from; they are kept compressed.
const MAX_SOURCE_BYTES: usize = 32 << 20;
/// How many bytes of files are kept that no render holds manifests of.
const MAX_SPARE_BYTES: usize = 16 << 20;

/// What a render is found by: everything that decides its result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn new(
        renderer: Renderer,
        program: &str,
        path: &str,
        inputs: &[(String, String)],
        options: &Options,
    ) -> Self {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        for text in [&format!("{renderer:?} {options:?}"), program, path] {
            add(text);
        }
        for (path, id) in inputs {
            add(path);
            add(id);
        }
        Self(hash.finalize().into())
    }
}

/// Renders of earlier calls, found again by what they were made from; bounded. Holds manifests in memory only.
#[derive(Default)]
pub struct Cache {
    renders: Mutex<Renders>,
    parts: Mutex<Parts>,
    pub(super) dictionaries: Dictionaries,
    versions: Mutex<HashMap<ProgramFile, String>>,
}

/// A program's file with its time of change and its size.
type ProgramFile = (PathBuf, Option<SystemTime>, u64);

#[derive(Default)]
struct Renders {
    kept: HashMap<Key, Kept>,
    source_bytes: usize,
    clock: u64,
}

struct Kept {
    rendered: Arc<Rendered>,
    source_bytes: usize,
    used: u64,
}

/// Files that were read, by path: a commit that changes one file has that one read.
#[derive(Default)]
struct Parts {
    kept: HashMap<String, Vec<KeptPart>>,
    bytes: usize,
    /// From how many bytes on it is looked whether some of them are to go.
    look_at: usize,
    clock: u64,
}

struct KeptPart {
    /// Id of the file's content.
    id: String,
    part: Arc<Part>,
    used: u64,
}

impl Cache {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Rendered>> {
        let mut renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
        renders.clock += 1;
        let now = renders.clock;
        let kept = renders.kept.get_mut(key)?;
        kept.used = now;
        Some(kept.rendered.clone())
    }

    /// Keeps a render, and drops those that were not asked for longest to make room.
    pub(super) fn put(&self, key: Key, rendered: Arc<Rendered>, source_bytes: usize) {
        let mut renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
        if source_bytes > MAX_SOURCE_BYTES {
            return;
        }
        renders.clock += 1;
        let kept = Kept { rendered, source_bytes, used: renders.clock };
        renders.source_bytes += source_bytes;
        if let Some(before) = renders.kept.insert(key, kept) {
            renders.source_bytes -= before.source_bytes;
        }
        while renders.kept.len() > MAX_RENDERS || renders.source_bytes > MAX_SOURCE_BYTES {
            let oldest = renders.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
            let Some(dropped) = oldest.and_then(|key| renders.kept.remove(&key)) else { return };
            renders.source_bytes -= dropped.source_bytes;
        }
    }

    /// Returns what a file holds that was read before.
    pub(super) fn part(&self, path: &str, id: &str) -> Option<Arc<Part>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = parts.clock;
        let kept = parts.kept.get_mut(path)?.iter_mut().find(|kept| kept.id == id)?;
        kept.used = now;
        Some(Arc::clone(&kept.part))
    }

    /// Keeps what a file holds.
    pub(super) fn keep_part(&self, path: &str, id: &str, part: &Arc<Part>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.bytes += part.bytes;
        let kept = KeptPart { id: id.to_owned(), part: Arc::clone(part), used: parts.clock };
        parts.kept.entry(path.to_owned()).or_default().push(kept);
    }

    /// Drops the files that were not asked for longest, if there are too many that no render holds manifests of.
    pub(super) fn make_room(&self) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.clock += 1;
        if parts.bytes <= parts.look_at {
            return;
        }
        let idle = |kept: &KeptPart| !kept.part.is_in_use();
        let all = || parts.kept.values().flatten();
        let mut spare: Vec<(u64, usize)> =
            all().filter(|kept| idle(kept)).map(|kept| (kept.used, kept.part.bytes)).collect();
        spare.sort_unstable_by(|a, b| b.cmp(a));
        // The latest that there is room for stay.
        let mut room = MAX_SPARE_BYTES;
        let last = spare.iter().find(|(_, bytes)| room.checked_sub(*bytes).map(|left| room = left).is_none());
        if let Some((too_old, _)) = last.copied() {
            parts.kept.retain(|_, kept| {
                kept.retain(|kept| kept.used > too_old || !idle(kept));
                !kept.is_empty()
            });
        }
        parts.bytes = parts.kept.values().flatten().map(|kept| kept.part.bytes).sum();
        parts.look_at = parts.bytes + MAX_SPARE_BYTES;
    }

    /// Returns a program's version, asking it only when its file has changed.
    pub(super) fn version<E>(&self, program: &Path, ask: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        let metadata = std::fs::metadata(program).ok();
        let changed = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        let key = (program.to_owned(), changed, metadata.as_ref().map_or(0, Metadata::len));
        let known = self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(version) = known {
            return Ok(version);
        }
        let version = ask()?;
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(key, version.clone());
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_render_not_asked_for_longest_makes_room() {
        let cache = Cache::default();
        let key = |name: &str| Key::new(Renderer::Yaml, "p", name, &[], &Options::default());
        let half = MAX_SOURCE_BYTES / 2;
        cache.put(key("a"), Arc::default(), half);
        cache.put(key("b"), Arc::default(), half);
        assert!(cache.get(&key("a")).is_some());
        cache.put(key("c"), Arc::default(), half);
        assert!(cache.get(&key("a")).is_some() && cache.get(&key("c")).is_some());
        assert!(cache.get(&key("b")).is_none());
        cache.put(key("d"), Arc::default(), MAX_SOURCE_BYTES + 1);
        assert!(cache.get(&key("d")).is_none() && cache.get(&key("a")).is_some());
    }

    #[test]
    fn every_input_and_option_is_part_of_the_key() {
        let inputs = [("a".to_owned(), "1".to_owned())];
        let key = Key::new(Renderer::Yaml, "p", "a", &inputs, &Options::default());
        let others = [
            Key::new(Renderer::Helm, "p", "a", &inputs, &Options::default()),
            Key::new(Renderer::Yaml, "q", "a", &inputs, &Options::default()),
            Key::new(Renderer::Yaml, "p", "b", &inputs, &Options::default()),
            Key::new(Renderer::Yaml, "p", "a", &[], &Options::default()),
            Key::new(Renderer::Yaml, "p", "a", &inputs, &Options { recurse: true, ..Options::default() }),
        ];
        assert!(!others.contains(&key));
    }
}
