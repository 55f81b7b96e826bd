//! Changed lines of one object, in hunks, with both sides' line numbers, the side that moved, and word-level marks.

use super::fields::{Fields, dotted};
use crate::{
    console::text,
    engine::{Change, ChangeOrigin, ObjectComparison},
    git::CommitId,
    object::Pointer,
};
use serde_json::Value;
use similar::{Algorithm, ChangeTag, DiffOp, TextDiff};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// Time after which a diff falls back to coarser marks.
const DEADLINE: Duration = Duration::from_millis(100);
/// Columns after which a line is cut.
const MAX_COLUMNS: usize = 3_000;
/// What stands for a Secret's value that differs; see `object::mask_pair`.
const MASKED: &str = "**** (changed, masked)";
/// Makes the two sides' masks differ, so that a changed Secret value shows as a changed line; never on the screen.
const LIVE_MARK: char = '\u{1}';

/// What a diff is made from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Live object as YAML.
    pub live: Option<&'a str>,
    /// Object after applying, as YAML.
    pub desired: Option<&'a str>,
    /// The comparison, for origins and names.
    pub object: &'a ObjectComparison,
    /// Unchanged lines around a change.
    pub context: usize,
    /// Whether live fields that Git does not set are listed.
    pub extras: bool,
}

/// Which side a line stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Both.
    Same,
    /// Only live.
    Removed,
    /// Only after applying.
    Added,
}

/// What is known about a changed line, shown beside it.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Who wrote the live value, and when (RFC 3339).
    SetBy(String, Option<String>),
    /// Git did not change it: the cluster did.
    GitUnchanged,
    /// Both sides mean the same; only the spelling differs.
    SameValue,
    /// Other managers own the field, with another value: applying takes it from them.
    TakenFrom(String),
    /// The commit that wrote it.
    Commit(CommitId),
}

/// One line of either side.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffLine {
    /// Which side.
    pub sign: Sign,
    /// Line number in live.
    pub live: Option<usize>,
    /// Line number after applying.
    pub desired: Option<usize>,
    /// Text, cleaned; true: this part differs.
    pub segments: Vec<(bool, String)>,
    /// Which side moved.
    pub origin: Option<ChangeOrigin>,
    /// What is known about it.
    pub note: Option<Note>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub enum DiffRow {
    /// Title of a hunk.
    Title(usize),
    /// So many unchanged lines are left out.
    Fold(usize),
    /// A line.
    Line(DiffLine),
    /// Title of the live fields that Git does not set.
    Extras(usize),
    /// One of them.
    Extra(ExtraLine),
}

/// A live field that Git does not set; all texts are clean.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraLine {
    /// Who owns it.
    pub manager: String,
    /// When it was written, RFC 3339.
    pub time: Option<String>,
    /// The field, as operators read it.
    pub field: String,
    /// Its value on one line.
    pub value: String,
}

/// One hunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Hunk {
    /// Row of its title.
    pub row: usize,
    /// The field in which its changes lie, as operators read it.
    pub field: String,
}

/// All rows of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiffDocument {
    /// Rows.
    pub rows: Vec<DiffRow>,
    /// Hunks.
    pub hunks: Vec<Hunk>,
    /// Changed lines.
    pub changed: usize,
    /// It could not be drawn; this is no difference of the object.
    pub failed: bool,
}

impl DiffDocument {
    /// Returns what stands for a diff that could not be drawn.
    pub fn failed() -> Self {
        Self { failed: true, ..Self::default() }
    }
}

/// Computes the rows.
pub fn build(sources: &Sources<'_>) -> DiffDocument {
    let live = sources.live.unwrap_or_default().replace(MASKED, &format!("{MASKED}{LIVE_MARK}"));
    let desired = sources.desired.unwrap_or_default();
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(DEADLINE).diff_lines(live.as_str(), desired);
    let deadline = Instant::now() + DEADLINE;
    let fields = Fields::new(sources, &live, desired);
    let mut document = DiffDocument::default();
    let mut next_old = 0;
    for group in diff.grouped_ops(sources.context) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let hunk = document.hunks.len();
        document.hunks.push(Hunk { row: document.rows.len(), field: fields.title(&group) });
        document.rows.push(DiffRow::Title(hunk));
        let skipped = first.old_range().start.saturating_sub(next_old);
        if skipped > 0 {
            document.rows.push(DiffRow::Fold(skipped));
        }
        next_old = last.old_range().end;
        let common = fields.common(&group);
        let mut noted: HashSet<(*const Change, Sign)> = HashSet::new();
        for op in &group {
            for change in diff.iter_inline_changes_deadline(op, Some(deadline)) {
                let sign = match change.tag() {
                    ChangeTag::Equal => Sign::Same,
                    ChangeTag::Delete => Sign::Removed,
                    ChangeTag::Insert => Sign::Added,
                };
                let (old, new) = (change.old_index(), change.new_index());
                let cause = if sign == Sign::Same { None } else { fields.cause(old, new).or(common) };
                let note = cause.and_then(|cause| {
                    let first = noted.insert((std::ptr::from_ref(cause), sign));
                    first.then(|| note(cause, sign)).flatten()
                });
                document.changed += usize::from(sign != Sign::Same);
                document.rows.push(DiffRow::Line(DiffLine {
                    sign,
                    live: old.map(|line| line + 1),
                    desired: new.map(|line| line + 1),
                    segments: segments(change.iter_strings_lossy(), matches!(op, DiffOp::Replace { .. })),
                    origin: cause.map(|cause| cause.origin),
                    note,
                }));
            }
        }
    }
    let rest = diff.old_len().saturating_sub(next_old);
    if !document.hunks.is_empty() && rest > 0 {
        document.rows.push(DiffRow::Fold(rest));
    }
    if sources.extras && !sources.object.extras.is_empty() {
        document.rows.push(DiffRow::Extras(sources.object.extras.len()));
        document.rows.extend(extras(sources.object).into_iter().map(DiffRow::Extra));
    }
    document
}

/// Lists the live fields that Git does not set, by manager. A Secret's values stay out whatever they are.
fn extras(object: &ObjectComparison) -> Vec<ExtraLine> {
    let secret = object.group.is_empty() && object.kind == "Secret";
    let mut lines: Vec<ExtraLine> = object
        .extras
        .iter()
        .map(|extra| {
            let pointer = Pointer::from(extra.path.as_str());
            let value = match &extra.live {
                _ if secret => "****".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            ExtraLine {
                manager: text::one_line(&extra.manager),
                time: extra.time.clone(),
                field: text::one_line(&dotted(&pointer.0, object.sides.live())),
                value: text::cut(&text::one_line(&value), MAX_COLUMNS, "\u{2026}"),
            }
        })
        .collect();
    lines.sort_by(|one, other| one.manager.cmp(&other.manager));
    lines
}

fn note(cause: &Change, sign: Sign) -> Option<Note> {
    let drifted = matches!(cause.origin, ChangeOrigin::Drift | ChangeOrigin::Both);
    match sign {
        Sign::Added if cause.same_value => Some(Note::SameValue),
        Sign::Removed if drifted => cause.manager.clone().map(|manager| Note::SetBy(manager, cause.time.clone())),
        Sign::Added if cause.origin == ChangeOrigin::Drift => Some(Note::GitUnchanged),
        Sign::Added if !cause.conflicts.is_empty() && !drifted => {
            let mut managers: Vec<&str> = cause.conflicts.iter().map(|conflict| conflict.manager.as_str()).collect();
            managers.dedup();
            Some(Note::TakenFrom(managers.join(", ")))
        }
        Sign::Added => cause.commit.map(Note::Commit),
        _ => None,
    }
}

/// Cleans a line's parts, drops its line break, and cuts it. Marks count only where a part of the line stays the same.
fn segments<'a>(parts: impl Iterator<Item = (bool, std::borrow::Cow<'a, str>)>, marks: bool) -> Vec<(bool, String)> {
    let mut out: Vec<(bool, String)> = Vec::new();
    let mut columns = 0;
    for (changed, part) in parts {
        let part = text::one_line_keeping_indent(&part.replace(LIVE_MARK, ""));
        let part = text::cut(&part, MAX_COLUMNS - columns, "\u{2026}");
        columns += text::width(&part);
        if !part.is_empty() {
            out.push((changed && marks, part));
        }
    }
    if out.iter().all(|(changed, _)| *changed) {
        out.iter_mut().for_each(|(changed, _)| *changed = false);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;
    use serde_json::json;

    fn lines(document: &DiffDocument) -> Vec<&DiffLine> {
        let rows = document.rows.iter();
        rows.filter_map(|row| match row {
            DiffRow::Line(line) => Some(line),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn hunks_are_titled_by_field_and_lines_say_which_side_moved() {
        let object = fixture::deployment();
        let live = fixture::yaml(object.sides.live().unwrap());
        let desired = fixture::yaml(object.sides.desired().unwrap());
        let document =
            build(&Sources { live: Some(&live), desired: Some(&desired), object: &object, context: 1, extras: false });
        let titles: Vec<&str> = document.hunks.iter().map(|hunk| hunk.field.as_str()).collect();
        assert_eq!(titles, ["spec.replicas", "spec.template.spec.containers[api].image"]);
        let changed: Vec<_> = lines(&document).into_iter().filter(|line| line.sign != Sign::Same).collect();
        let origins: Vec<_> = changed.iter().map(|line| line.origin.unwrap()).collect();
        assert_eq!(origins, [ChangeOrigin::Drift, ChangeOrigin::Drift, ChangeOrigin::Git, ChangeOrigin::Git]);
        assert!(matches!(&changed[0].note, Some(Note::SetBy(manager, _)) if manager == "kubectl-edit"));
        assert_eq!(changed[1].note, Some(Note::GitUnchanged));
        assert!(changed[2].segments.iter().any(|(mark, _)| *mark), "word-level marks");
    }

    #[test]
    fn a_changed_secret_value_is_a_changed_line_without_the_value() {
        let mut object = fixture::deployment();
        object.changes.clear();
        let side = "data:\n  a: '**** (changed, masked)'\n  b: '**** (same, masked)'\n";
        let document =
            build(&Sources { live: Some(side), desired: Some(side), object: &object, context: 3, extras: false });
        assert_eq!(document.changed, 2);
        let text: String = lines(&document).iter().flat_map(|line| &line.segments).map(|(_, text)| &**text).collect();
        assert!(!text.contains(LIVE_MARK) && text.contains("changed, masked"));
    }

    #[test]
    fn a_new_object_is_one_hunk_of_additions() {
        let mut object = fixture::deployment();
        object.sides.live = None;
        let desired = fixture::yaml(&json!({"kind": "ConfigMap", "data": {"a": "1"}}));
        let document =
            build(&Sources { live: None, desired: Some(&desired), object: &object, context: 3, extras: false });
        assert_eq!(document.hunks.len(), 1);
        assert!(lines(&document).iter().all(|line| line.sign == Sign::Added && line.live.is_none()));
    }

    #[test]
    fn hostile_and_endless_lines_are_cleaned_and_cut() {
        let object = fixture::deployment();
        let live = format!("a: {}\n", "x".repeat(50_000));
        let document = build(&Sources {
            live: Some(&live),
            desired: Some("a: \u{1b}[2J\u{202e}\n"),
            object: &object,
            context: 3,
            extras: false,
        });
        for line in lines(&document) {
            let text: String = line.segments.iter().map(|(_, text)| text.as_str()).collect();
            assert!(text::width(&text) <= MAX_COLUMNS && !text.contains('\u{1b}') && !text.contains('\u{202e}'));
        }
    }

    #[test]
    fn a_big_and_wholly_different_object_is_done_in_bounded_time() {
        let object = fixture::deployment();
        let text =
            |salt: usize| (0..20_000).map(|n| format!("k{}: v{n}\n", n * 7919 % 20_011 + salt)).collect::<String>();
        let (live, desired) = (text(0), text(1));
        let started = Instant::now();
        let document =
            build(&Sources { live: Some(&live), desired: Some(&desired), object: &object, context: 3, extras: false });
        assert!(document.changed > 0);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}
