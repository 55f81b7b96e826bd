//! The changed lines of one object: gutter with origin and numbers, marks, notes, folds, and live fields that Git does not set.

use super::canvas::{Canvas, Ink};
use crate::{
    console::{
        diff::{DiffLine, DiffPane, DiffRow, ExtraLine, Note, Sign},
        model::Model,
        text,
        theme::Role,
    },
    engine::{ChangeOrigin, ObjectComparison},
};
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};
use unicode_segmentation::UnicodeSegmentation;

/// Draws the rows that fit, from the pane's scroll position on.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, pane: &DiffPane, object: &ObjectComparison, area: Rect) {
    let ink = canvas.ink;
    let rows = &pane.document.rows;
    let digits = rows
        .iter()
        .filter_map(|row| match row {
            DiffRow::Line(line) => line.live.max(line.desired),
            _ => None,
        })
        .max()
        .map_or(3, |line| line.to_string().len().max(3));
    let width = usize::from(area.width);
    let mut drawn = 0;
    for what in rows.iter().skip(pane.scroll) {
        if drawn >= area.height {
            break;
        }
        let lines = match what {
            DiffRow::Title(hunk) => vec![title(&ink, pane, object, *hunk, width)],
            DiffRow::Fold(lines) => vec![Line::from(ink.span(
                Role::Muted,
                format!(
                    "  {}{} {} ({} for more)",
                    " ".repeat(digits * 2 + 1),
                    ink.glyphs.fold,
                    text::count(*lines, "unchanged line"),
                    "}"
                ),
            ))],
            DiffRow::Line(line) => diff_line(model, &ink, line, digits, width, pane.wrap),
            DiffRow::Extras(_) => vec![extras_title(&ink, width)],
            DiffRow::Extra(extra) => extra_line(model, &ink, extra, width, pane.wrap),
        };
        for line in lines {
            canvas.line(area, drawn, &line);
            drawn = drawn.saturating_add(1);
        }
    }
    // The legend stands below where it costs no line of the diff.
    let legend = area.height > 4 && drawn.saturating_add(2) <= area.height && !rows.is_empty();
    if legend {
        let text = "G = changed in Git   D = drift in cluster   B = both   ? = no base known";
        canvas.line(area, area.height - 1, &Line::from(ink.span(Role::Muted, format!(" {text}"))));
    }
}

fn title(ink: &Ink<'_>, pane: &DiffPane, object: &ObjectComparison, hunk: usize, width: usize) -> Line<'static> {
    let rule = ink.glyphs.rule;
    let field = pane.document.hunks.get(hunk).map(|hunk| hunk.field.as_str()).unwrap_or_default();
    let end = format!(" hunk {}/{} {rule}{rule}", hunk + 1, pane.document.hunks.len());
    let room = width.saturating_sub(text::width(&end) + 1);
    // Which object it is stands above; of the two, the field says more.
    let full = text::one_line(&object.id().short());
    let fits = text::width(&full) + text::width(field) + 8 <= room;
    let object =
        if fits || field.is_empty() { full } else { text::one_line(&format!("{}/{}", object.kind, object.name)) };
    let mut lead = ink.cut(&format!(" {rule}{rule} {object}"), room);
    let left = room.saturating_sub(text::width(&lead) + 4);
    if !field.is_empty() && left > 4 {
        lead = format!("{lead} {} {}", ink.glyphs.dot, text::cut_start(field, left, ink.glyphs.ellipsis));
    }
    lead.push(' ');
    let fill = rule.repeat(room.saturating_sub(text::width(&lead)));
    let role = if hunk == pane.hunk { Role::Title } else { Role::Muted };
    Line::from(ink.span(role, format!("{lead}{fill}{end}")))
}

/// Title of the live fields that Git does not set.
fn extras_title(ink: &Ink<'_>, width: usize) -> Line<'static> {
    let rule = ink.glyphs.rule;
    let lead = format!(" {rule}{rule} live fields that Git does not set, by who wrote them ");
    let fill = rule.repeat(width.saturating_sub(text::width(&lead) + 1));
    Line::from(ink.span(Role::Muted, format!("{lead}{fill}")))
}

fn extra_line(model: &Model, ink: &Ink<'_>, extra: &ExtraLine, width: usize, wrap: bool) -> Vec<Line<'static>> {
    let gutter = vec![ink.plain("   ")];
    let who = note_text(model, &Note::SetBy(extra.manager.clone(), extra.time.clone())).replace("live, set by ", "");
    let body = vec![ink.plain(format!("{}: {}", extra.field, extra.value))];
    noted(ink, broken(ink, gutter, body, width, wrap), who, 3, width)
}

/// Puts a long line on several, each after a gutter as wide as the first one's; or cuts it, and says so.
fn broken(
    ink: &Ink<'_>,
    gutter: Vec<Span<'static>>,
    body: Vec<Span<'static>>,
    width: usize,
    wrap: bool,
) -> Vec<Line<'static>> {
    let left: usize = gutter.iter().map(Span::width).sum();
    let room = width.saturating_sub(left).max(1);
    if body.iter().map(Span::width).sum::<usize>() <= room {
        return vec![Line::from([gutter, body].concat())];
    }
    let rows = if wrap { usize::MAX } else { 1 };
    let room = if wrap { room } else { room.saturating_sub(text::width(ink.glyphs.ellipsis)) };
    let mut lines = vec![Line::from(gutter)];
    let mut used = 0;
    'line: for span in body {
        let mut part = String::new();
        for grapheme in span.content.graphemes(true) {
            let cells = text::width(grapheme);
            if used + cells > room && used > 0 {
                let full = std::mem::take(&mut part);
                if let Some(line) = lines.last_mut() {
                    line.spans.push(Span::styled(full, span.style));
                }
                if lines.len() >= rows {
                    if let Some(line) = lines.last_mut() {
                        line.spans.push(ink.span(Role::Muted, ink.glyphs.ellipsis));
                    }
                    break 'line;
                }
                lines.push(Line::from(ink.plain(" ".repeat(left))));
                used = 0;
            }
            part.push_str(grapheme);
            used += cells;
        }
        if let Some(line) = lines.last_mut() {
            line.spans.push(Span::styled(part, span.style));
        }
    }
    lines
}

fn diff_line(
    model: &Model,
    ink: &Ink<'_>,
    line: &DiffLine,
    digits: usize,
    width: usize,
    wrap: bool,
) -> Vec<Line<'static>> {
    let (letter, letter_role) = match line.origin {
        None => (" ", Role::Plain),
        Some(ChangeOrigin::Git) => ("G", Role::Pending),
        Some(ChangeOrigin::Drift) => ("D", Role::Drift),
        Some(ChangeOrigin::Both) => ("B", Role::Failed),
        Some(ChangeOrigin::Unknown) => ("?", Role::Muted),
    };
    let (sign, role) = match line.sign {
        Sign::Same => (" ", Role::Plain),
        Sign::Removed => ("-", Role::Removed),
        Sign::Added => ("+", Role::Added),
    };
    let number = |number: Option<usize>| {
        let shown = number.map_or_else(String::new, |number| number.to_string());
        format!("{shown:>digits$}")
    };
    let gutter = vec![
        ink.span(letter_role, letter.to_owned()),
        ink.span(Role::Muted, format!(" {} {} ", number(line.live), number(line.desired))),
        ink.span(role, format!("{sign} ")),
    ];
    let mark = ink.theme.style(Role::Mark);
    let mut body = Vec::new();
    for (changed, part) in &line.segments {
        let span = ink.span(role, part.clone());
        body.push(if *changed { span.patch_style(mark) } else { span });
    }
    let left: usize = gutter.iter().map(Span::width).sum();
    let mut lines = broken(ink, gutter, body, width, wrap);
    if let Some(note) = &line.note {
        lines = noted(ink, lines, note_text(model, note), left, width);
    }
    lines
}

/// Puts a note behind the last line, or below it, whole, where there is no room behind.
fn noted(ink: &Ink<'_>, mut lines: Vec<Line<'static>>, note: String, left: usize, width: usize) -> Vec<Line<'static>> {
    let note = format!("   {} {note}", ink.glyphs.note);
    let used = lines.last().map_or(0, Line::width);
    match lines.last_mut() {
        Some(line) if used + text::width(&note) <= width => line.spans.push(ink.span(Role::Muted, note)),
        _ => {
            let note = ink.cut(&note, width.saturating_sub(left));
            lines.push(Line::from(vec![ink.plain(" ".repeat(left)), ink.span(Role::Muted, note)]));
        }
    }
    lines
}

/// Returns a note in words.
pub fn note_text(model: &Model, note: &Note) -> String {
    match note {
        Note::SetBy(manager, time) => {
            let time = time.as_ref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
            let age = time.map_or_else(String::new, |time| format!(" {} ago", text::age(model.stamp.now, time)));
            format!("live, set by {}{age}", text::one_line(manager))
        }
        Note::GitUnchanged => "git (unchanged)".into(),
        Note::SameValue => "same value, spelled differently".into(),
        Note::TakenFrom(managers) => format!("taken from {}", text::one_line(managers)),
        Note::Commit(commit) => format!("git {}", commit.short()),
    }
}
