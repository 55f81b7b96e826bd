//! What a commit changed, file by file, as unified patches with Git's headers.

use super::{CommitId, FileChange, FileStatus, GitError, Mirror};
use gix::{
    ObjectId,
    bstr::{BStr, ByteSlice},
    object::tree::diff::ChangeDetached,
    objs::tree::EntryMode,
};
use similar::TextDiff;
use std::{fmt::Write, time::Duration};

/// Files past this size are named, not shown: a screen cannot hold them.
const LARGEST_FILE: u64 = 1 << 20;
/// When all patches of a commit together are past this, further files are named, not shown.
const LARGEST_COMMIT: usize = 16 << 20;
/// A comparison that takes longer becomes a coarser one.
const PATIENCE: Duration = Duration::from_secs(1);
/// Git calls content binary that has a NUL in its first 8000 bytes.
const BINARY_WINDOW: usize = 8000;

/// One side of a change.
#[derive(Clone, Copy)]
struct Side {
    mode: EntryMode,
    id: ObjectId,
}

/// A side's content as far as it can be shown.
enum Content {
    Text(Vec<u8>),
    Binary,
    Large(u64),
}

impl Mirror {
    /// Returns what a commit changed against its first parent (against nothing for a root commit), by path. A renamed file
    /// is one that is gone and one that is new.
    ///
    /// # Errors
    /// [`GitError`] where the commit is not in the mirror.
    pub fn file_changes(&self, commit: CommitId) -> Result<Vec<FileChange>, GitError> {
        let repo = self.repo();
        let damaged = |error: gix::Error| self.damaged(&error);
        let commit = repo.find_commit(commit.object_id()).map_err(damaged)?;
        let tree = commit.tree().map_err(damaged)?;
        let parent = match commit.parent_ids().next().and_then(|id| repo.find_commit(id).ok()) {
            Some(parent) => parent.tree().map_err(damaged)?,
            // a root commit, or the last one of a shallow clone
            None => repo.empty_tree(),
        };
        let changes = repo.diff_tree_to_tree(&parent, &tree, gix::diff::Options::default()).map_err(damaged)?;
        let mut found = Vec::new();
        let mut written = 0;
        for change in changes {
            let (path, old, new) = sides(change);
            let side = |side: Option<Side>| side.filter(|side| !side.mode.is_tree());
            let (old, new) = (side(old), side(new));
            let status = match (old, new) {
                (None, None) => continue,
                (None, Some(_)) => FileStatus::Added,
                (Some(_), None) => FileStatus::Deleted,
                (Some(_), Some(_)) => FileStatus::Modified,
            };
            let shown = written < LARGEST_COMMIT;
            let patch = patch(&repo, path.as_bstr(), old, new, shown).map_err(damaged)?;
            written += patch.len();
            found.push(FileChange { path: path.to_str_lossy().into_owned(), status, patch });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

fn sides(change: ChangeDetached) -> (gix::bstr::BString, Option<Side>, Option<Side>) {
    match change {
        ChangeDetached::Addition { location, entry_mode, id, .. } => {
            (location, None, Some(Side { mode: entry_mode, id }))
        }
        ChangeDetached::Deletion { location, entry_mode, id, .. } => {
            (location, Some(Side { mode: entry_mode, id }), None)
        }
        ChangeDetached::Modification { location, previous_entry_mode, previous_id, entry_mode, id } => {
            (location, Some(Side { mode: previous_entry_mode, id: previous_id }), Some(Side { mode: entry_mode, id }))
        }
        // renames are not searched for
        ChangeDetached::Rewrite { location, source_entry_mode, source_id, entry_mode, id, .. } => {
            (location, Some(Side { mode: source_entry_mode, id: source_id }), Some(Side { mode: entry_mode, id }))
        }
    }
}

/// Writes the patch of one file. A change of kind (file, link, submodule) is a deletion and an addition, as in Git.
fn patch(
    repo: &gix::Repository,
    path: &BStr,
    old: Option<Side>,
    new: Option<Side>,
    shown: bool,
) -> gix::Result<String> {
    if let (Some(before), Some(after)) = (old, new)
        && kind(before.mode) != kind(after.mode)
    {
        let gone = patch(repo, path, old, None, shown)?;
        return Ok(gone + &patch(repo, path, None, new, shown)?);
    }
    let mut out = String::new();
    let (a, b) = (quoted("a/", path), quoted("b/", path));
    // writing to a string does not fail
    let _ = writeln!(out, "diff --git {a} {b}");
    let short = |side: Option<Side>| match side {
        Some(side) => side.id.to_hex_with_len(7).to_string(),
        None => "0000000".to_owned(),
    };
    let index = format!("index {}..{}", short(old), short(new));
    let mode = |side: Side| format!("{:06o}", side.mode.value());
    match (old, new) {
        (None, Some(new)) => {
            let _ = writeln!(out, "new file mode {}\n{index}", mode(new));
        }
        (Some(old), None) => {
            let _ = writeln!(out, "deleted file mode {}\n{index}", mode(old));
        }
        (Some(old), Some(new)) if old.mode == new.mode => {
            let _ = writeln!(out, "{index} {}", mode(new));
        }
        (Some(old), Some(new)) => {
            let _ = writeln!(out, "old mode {}\nnew mode {}", mode(old), mode(new));
            if old.id == new.id {
                return Ok(out);
            }
            let _ = writeln!(out, "{index}");
        }
        (None, None) => return Ok(out),
    }
    let (a, b) = (old.map_or("/dev/null".to_owned(), |_| a), new.map_or("/dev/null".to_owned(), |_| b));
    if !shown {
        let _ = writeln!(out, "Files {a} and {b} differ; the commit is too large to show them all");
        return Ok(out);
    }
    match (content(repo, old)?, content(repo, new)?) {
        (Content::Large(size), _) | (_, Content::Large(size)) => {
            let _ = writeln!(out, "Files {a} and {b} differ; {size} bytes are too many to show");
        }
        (Content::Binary, _) | (_, Content::Binary) => {
            let _ = writeln!(out, "Binary files {a} and {b} differ");
        }
        (Content::Text(before), Content::Text(after)) => hunks(&mut out, &a, &b, &before, &after),
    }
    Ok(out)
}

fn hunks(out: &mut String, a: &str, b: &str, before: &[u8], after: &[u8]) {
    // lines end at \n alone, as in Git: a carriage return is content
    let lines = |text: &[u8]| -> Vec<String> {
        text.split_inclusive(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
    let diff = TextDiff::configure().newline_terminated(true).timeout(PATIENCE).diff_slices(&before, &after);
    let _ = write!(out, "{}", diff.unified_diff().context_radius(3).header(a, b));
}

fn kind(mode: EntryMode) -> u16 {
    mode.value() & 0o170_000
}

fn content(repo: &gix::Repository, side: Option<Side>) -> gix::Result<Content> {
    let Some(side) = side else { return Ok(Content::Text(Vec::new())) };
    if side.mode.is_commit() {
        return Ok(Content::Text(format!("Subproject commit {}\n", side.id).into_bytes()));
    }
    let size = repo.find_header(side.id)?.size();
    if size > LARGEST_FILE {
        return Ok(Content::Large(size));
    }
    let data = repo.find_blob(side.id)?.take_data();
    let binary = data[..data.len().min(BINARY_WINDOW)].contains(&0);
    Ok(if binary { Content::Binary } else { Content::Text(data) })
}

/// Quotes a path as Git does (with `core.quotePath` off: letters beyond ASCII stay).
fn quoted(prefix: &str, path: &BStr) -> String {
    let text = format!("{prefix}{}", path.to_str_lossy());
    if !text.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
        return text;
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                for byte in c.to_string().bytes() {
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
