//! A commit beside the history: message, files, rendered objects, and what applying it now would do.

use super::{
    border,
    canvas::{Canvas, Frame, Ink},
    history, lists,
};
use crate::{
    console::{
        layout,
        model::Model,
        screen::{CommitScreen, Loaded},
        status, text,
        theme::Role,
    },
    engine::CommitEffect,
    git::FileStatus,
};
use ratatui::{layout::Rect, text::Line};

fn parts(body: Rect) -> (Rect, Rect) {
    if body.width > 84 {
        let left = body.width * 3 / 5;
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let top = body.height / 2;
    (Rect { height: top, ..body }, Rect { y: body.y + top, height: body.height - top, ..body })
}

/// Returns the lines of the detail and where they stand.
pub fn text_area(model: &Model, screen: &CommitScreen, body: Rect) -> (Vec<Line<'static>>, Rect) {
    let area = layout::inside(parts(body).1);
    let ink = Ink::of(model);
    let width = usize::from(area.width);
    let lines = match &screen.effect {
        Loaded::Loading => ink.wrapped(Role::Running, 1, "reading the commit and comparing it with the cluster", width),
        Loaded::Failed(why) => ink.wrapped(Role::Failed, 1, why, width),
        Loaded::Ready(effect) => detail(model, &ink, effect, width),
    };
    (lines, area)
}

fn detail(model: &Model, ink: &Ink<'_>, effect: &CommitEffect, width: usize) -> Vec<Line<'static>> {
    let row = &effect.commit;
    let dot = ink.glyphs.dot;
    let signature = match row.signature.as_str() {
        "good" => format!(" {dot} signed {}", ink.glyphs.ok),
        "bad" => format!(" {dot} BAD signature"),
        _ => String::new(),
    };
    let age = text::age(model.stamp.now, row.time);
    let head =
        format!("{} {dot} {age} ago{signature} {dot} {}", row.author.name, text::count(effect.files.len(), "file"));
    let mut lines = ink.wrapped(Role::Strong, 1, &head, width);
    lines.extend(ink.wrapped(Role::Plain, 1, &effect.message, width));
    lines.push(Line::default());
    if effect.rendered.is_empty() {
        lines.extend(ink.wrapped(Role::Muted, 1, "no rendered change", width));
    }
    for rendered in &effect.rendered {
        let object = &rendered.object;
        let (sign, _, role) = status::object(object.state, ink.glyphs);
        let fields = match object.changes.len() {
            0 => String::new(),
            number => format!("  {}", text::count(number, "field")),
        };
        lines.push(Line::from(vec![
            ink.span(role, format!(" {sign} ")),
            ink.outside(Role::Plain, &format!("{}{fields}", object.id().short()), width.saturating_sub(3)),
        ]));
    }
    lines.push(Line::default());
    for file in &effect.files {
        let sign = match file.status {
            FileStatus::Added => "+",
            FileStatus::Deleted => "-",
            FileStatus::Modified => "~",
        };
        lines.push(Line::from(ink.outside(Role::Muted, &format!(" {sign} {}", file.path), width)));
    }
    lines.push(Line::default());
    match &effect.live.error {
        Some(error) => {
            lines.extend(ink.wrapped(Role::Pending, 1, &format!("if applied now: not known: {error}"), width))
        }
        None => {
            let counts = &effect.live.counts;
            let more = [("adopt", counts.adopt), ("replace", counts.replace), ("remove extra", counts.remove_extra)];
            let more = more.iter().filter(|(_, number)| *number > 0).map(|(word, number)| format!(", {word} {number}"));
            let told = format!("+{} ~{} -{}{}", counts.create, counts.update, counts.prune, more.collect::<String>());
            lines.extend(ink.wrapped(Role::Strong, 1, &format!("if applied now: {told}"), width));
        }
    }
    let previous = row.applied.first().map_or_else(
        || "none".to_owned(),
        |applied| {
            let word = applied.outcome.map_or("running", |outcome| status::outcome(outcome, ink.glyphs).0);
            format!("{} ago by {}, {word}", text::age(model.stamp.now, applied.time), text::one_line(&applied.by))
        },
    );
    lines.extend(ink.wrapped(Role::Muted, 1, &format!("previous apply of this commit: {previous}"), width));
    lines
}

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, screen: &CommitScreen, body: Rect) {
    let ink = canvas.ink;
    let (left, right) = parts(body);
    let branch = model.shown_application().and_then(|view| view.comparison.as_ref()).and_then(|c| c.branch.clone());
    let title =
        format!("3 History  {}  {}", text::one_line(&screen.application), text::one_line(&branch.unwrap_or_default()));
    let frame = Frame {
        title: Line::from(ink.span(Role::Focus, title.trim_end().to_owned())),
        bottom: lists::position(&ink, &model.history),
        style: border(model, true),
        ..Frame::default()
    };
    let inner = canvas.frame(left, &frame);
    history::list(canvas, model, inner, true);
    let (lines, area) = text_area(model, screen, body);
    let frame = Frame {
        title: Line::from(ink.span(Role::Strong, screen.commit.short())),
        bottom: Line::from(format!("u/i scroll {} {} lines", ink.glyphs.dot, lines.len())),
        ..Frame::default()
    };
    canvas.frame(right, &frame);
    canvas.lines(area, &lines, screen.scroll);
}
