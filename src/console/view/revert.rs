//! A revert commit: where it goes, who wrote it, what it changes in Git, and the plan that it would cause.

use super::{
    answer, border,
    canvas::{Canvas, Frame, Ink},
    plan,
};
use crate::{
    console::{
        availability, layout,
        model::Model,
        screen::{Loaded, RevertScreen},
        text,
        theme::Role,
    },
    engine::{GitChange, RevertTarget},
};
use ratatui::{layout::Rect, text::Line};

/// Returns the lines above the answer and where they stand.
pub fn text_area(model: &Model, screen: &RevertScreen, body: Rect) -> (Vec<Line<'static>>, Rect) {
    let inner = layout::inside(body);
    let area = Rect { height: inner.height.saturating_sub(2), ..inner };
    (lines(model, screen, usize::from(area.width)), area)
}

fn lines(model: &Model, screen: &RevertScreen, width: usize) -> Vec<Line<'static>> {
    let ink = Ink::of(model);
    let mut lines =
        ink.wrapped(Role::Strong, 1, &format!("undoes {} {}", screen.commit.short(), screen.subject), width);
    if let Some(refused) = &screen.refused {
        lines.extend(ink.wrapped(Role::Failed, 1, &format!("{} not pushed: {refused}", ink.glyphs.failed), width));
    }
    match &screen.change {
        None => {
            let text = format!(
                "this commit is a merge of {} parents: press 1 or 2 for the parent whose side stays (1 is the branch that was merged into)",
                screen.parents
            );
            lines.extend(ink.wrapped(Role::Pending, 1, &text, width));
        }
        Some(Loaded::Loading) => {
            lines.extend(ink.wrapped(Role::Running, 1, "writing the commit into the mirror, unpushed", width))
        }
        Some(Loaded::Failed(why)) => lines.extend(ink.wrapped(Role::Failed, 1, why, width)),
        Some(Loaded::Ready(change)) => lines.extend(written(model, &ink, screen, change, width)),
    }
    lines
}

fn written(
    model: &Model,
    ink: &Ink<'_>,
    screen: &RevertScreen,
    change: &GitChange,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if !change.conflicts.is_empty() {
        lines.extend(ink.wrapped(Role::Failed, 1, "nothing was written: these paths were changed again since", width));
        let paths = change.conflicts.iter().flat_map(|path| ink.wrapped(Role::Pending, 3, path, width));
        lines.extend(paths);
        lines.extend(ink.wrapped(Role::Muted, 1, "revert it in a work tree, where the conflict can be settled", width));
        return lines;
    }
    let Some(commit) = change.commit else {
        lines.extend(ink.wrapped(
            Role::Pending,
            1,
            "nothing to revert: the branch already is as if this commit had never been",
            width,
        ));
        return lines;
    };
    let dot = ink.glyphs.dot;
    if change.pushed {
        let text =
            format!("{} pushed {} to {}; s plans the application afresh", ink.glyphs.ok, commit.short(), change.branch);
        lines.extend(ink.wrapped(Role::Ok, 1, &text, width));
    }
    let pushed = change.pushed || screen.pushing;
    let target = match screen.target {
        RevertTarget::Branch => "the application's branch",
        RevertTarget::Review => "a branch for review",
    };
    let switch = if pushed { "" } else { "   (r switches)" };
    lines.extend(ink.wrapped(
        Role::Plain,
        1,
        &format!("commit   {}  to {}: {target}{switch}", commit.short(), change.branch),
        width,
    ));
    lines.extend(ink.wrapped(Role::Plain, 1, &format!("author   {}", change.author), width));
    lines.extend(change.url.iter().flat_map(|url| ink.wrapped(Role::Plain, 1, &format!("review   {url}"), width)));
    if !pushed {
        let mut plan_line = vec![ink.plain(" plan     ")];
        plan_line.extend(plan::counts(ink, &change.plan).spans);
        lines.push(Line::from(plan_line));
        let error = change.plan_error.iter().map(|error| format!("not known: {error}"));
        lines.extend(error.flat_map(|error| ink.wrapped(Role::Drift, 10, &error, width)));
        let text = "approved by itself after the push; this approval covers commit and push only";
        lines.extend(ink.wrapped(Role::Muted, 10, text, width));
    }
    if model.settings.confirm_always && !pushed {
        lines.push(answer::typed_field(ink, "confirm", &screen.ticket.application, &screen.typed, screen.field));
    }
    lines.push(Line::default());
    lines.extend(ink.wrapped(Role::Plain, 1, &change.message, width));
    lines.push(Line::default());
    lines.push(Line::from(ink.span(Role::Muted, format!(" {} {dot} patch", text::count(change.files.len(), "file")))));
    for file in &change.files {
        let rule = ink.glyphs.rule;
        lines.push(Line::from(ink.outside(Role::Title, &format!(" {rule}{rule} {}", file.path), width)));
        for line in file.patch.lines() {
            let role = match line.as_bytes().first() {
                Some(b'+') => Role::Added,
                Some(b'-') => Role::Removed,
                Some(b'@') => Role::Muted,
                _ => Role::Plain,
            };
            let shown = text::one_line_keeping_indent(line);
            lines.push(Line::from(ink.span(role, ink.cut(&format!(" {shown}"), width))));
        }
    }
    lines
}

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, screen: &RevertScreen, body: Rect) {
    let ink = canvas.ink;
    let (lines, area) = text_area(model, screen, body);
    let state = if screen.pushing {
        ink.span(Role::Running, format!("{} pushing", ink.glyphs.running))
    } else if availability::pushed(screen) {
        ink.span(Role::Ok, format!("{} pushed", ink.glyphs.ok))
    } else {
        ink.span(Role::Muted, "not pushed")
    };
    let dot = ink.glyphs.dot;
    let hidden = lines.len().saturating_sub(screen.scroll + usize::from(area.height));
    let more = if hidden > 0 { format!("{} below (j) {dot} ", text::count(hidden, "line")) } else { String::new() };
    let frame = Frame {
        title: Line::from(
            ink.span(Role::Strong, format!("Revert in Git  {}", text::one_line(&screen.ticket.application))),
        ),
        right: Line::from(state),
        bottom: Line::from(if availability::pushed(screen) {
            format!("{more}esc leaves")
        } else {
            format!("{more}esc cancel {dot} Enter is inert here")
        }),
        style: border(model, true),
    };
    let inner = canvas.frame(body, &frame);
    canvas.lines(area, &lines, screen.scroll);
    let blocked = availability::push_missing(model, screen);
    let answer =
        answer::answers(&ink, screen.field, "a", "approve and push", blocked.as_deref(), usize::from(inner.width));
    canvas.line(inner, inner.height.saturating_sub(1), &answer);
}
