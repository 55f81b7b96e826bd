//! Pane 3: the commits that touch the application, and what was applied when.

use super::{
    canvas::{Canvas, Frame, Ink},
    lists,
};
use crate::{
    console::{
        availability,
        model::{Model, Pane},
        text,
        theme::Role,
    },
    engine::{CommitRow, Outcome},
};
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let frame = Frame { bottom: bottom(model, &ink), ..lists::frame(model, Pane::History, "3 History") };
    let inner = canvas.frame(area, &frame);
    list(canvas, model, inner, false);
}

fn bottom(model: &Model, ink: &Ink<'_>) -> Line<'static> {
    if !model.history.filter.is_empty() || model.focus == Pane::History {
        return lists::position(ink, &model.history);
    }
    match model.shown_application().and_then(|application| availability::applied_row(application)) {
        Some(0) => Line::from("the newest is applied"),
        Some(pending) => Line::from(format!("{} applied here, {pending} pending", ink.glyphs.here)),
        None => lists::position(ink, &model.history),
    }
}

/// Draws the rows; `words`: on the screen of a commit, with the state in words where there is room.
pub fn list(canvas: &mut Canvas<'_>, model: &Model, area: Rect, words: bool) {
    let ink = canvas.ink;
    let Some(application) = model.shown_application() else { return };
    if model.history.rows().is_empty() {
        let told = match &application.history {
            None if application.error.is_some() => "no history: see the reason in the diff (0)",
            None => "the history is being read",
            Some(_) if model.history.filter.is_empty() => "no commit touches this application's path",
            Some(_) => "no commit contains the filter; esc clears it",
        };
        let lines = ink.wrapped(Role::Muted, 1, told, usize::from(area.width));
        return canvas.lines(area, &lines, 0);
    }
    let commits = model.commits();
    let applied = availability::applied_row(application);
    let next = availability::next_commit(model).ok();
    let width = usize::from(area.width);
    for (line, id) in (0..area.height).zip(model.history.rows().iter().skip(model.history.offset)) {
        let Some((index, row)) = commits.iter().enumerate().find(|(_, row)| row.id == *id) else { continue };
        let here = model.history.row() == Some(model.history.offset + usize::from(line));
        let standing = standing(model, &ink, row, index, applied, next == Some(row.id));
        let mut spans = vec![Span::raw(if here { ">" } else { " " })];
        spans.extend(columns(model, &ink, row, standing, width.saturating_sub(1), words));
        canvas.line(area, line, &Line::from(spans));
        if here {
            canvas.cursor(area, line, words || lists::focused(model, Pane::History));
        }
    }
}

/// A commit's sign, words and role.
fn standing(
    model: &Model,
    ink: &Ink<'_>,
    row: &CommitRow,
    index: usize,
    applied: Option<usize>,
    next: bool,
) -> (&'static str, String, Role) {
    let last = row.applied.first();
    let failed = last.is_some_and(|applied| matches!(applied.outcome, Some(Outcome::Failed | Outcome::Unhealthy)));
    let words = match (applied, last) {
        (Some(applied), _) if index == applied => "APPLIED (here)".to_owned(),
        _ if failed => "failed".into(),
        (_, Some(last)) => format!("applied {} ago", text::age(model.stamp.now, last.time)),
        _ if row.effect == Some(false) => "no effect here".into(),
        (Some(applied), None) if index < applied => (if next { "pending (next)" } else { "pending" }).into(),
        _ => String::new(),
    };
    let (sign, role) = match applied {
        Some(applied) if index == applied => (ink.glyphs.here, Role::Ok),
        _ if failed => (ink.glyphs.failed, Role::Failed),
        _ if row.reverts.is_some() => (ink.glyphs.revert, Role::Plain),
        Some(applied) if index < applied && row.effect != Some(false) => (" ", Role::Pending),
        _ => (" ", Role::Muted),
    };
    (sign, words, role)
}

fn columns(
    model: &Model,
    ink: &Ink<'_>,
    row: &CommitRow,
    (sign, words, role): (&'static str, String, Role),
    width: usize,
    with_words: bool,
) -> Vec<Span<'static>> {
    let author = text::width(&row.author.name).min(if with_words { 12 } else { 6 }).max(4);
    let state = if with_words { 16 } else { 0 };
    let fixed = 2 + 8 + 1 + author + 1 + 3 + state;
    let subject = width.saturating_sub(fixed + usize::from(with_words));
    let mut spans = vec![
        ink.span(role, format!("{sign} ")),
        ink.span(if role == Role::Muted { Role::Muted } else { Role::Strong }, format!("{} ", row.id.short())),
        ink.plain(ink.fit(&text::one_line(&row.subject), subject)),
        ink.span(Role::Muted, format!(" {}", ink.fit(&text::one_line(&row.author.name), author))),
        ink.span(Role::Muted, format!(" {}", ink.fit_right(&text::age(model.stamp.now, row.time), 3))),
    ];
    if with_words {
        spans.push(ink.span(role, format!(" {}", ink.fit(&words, state))));
    }
    spans
}
