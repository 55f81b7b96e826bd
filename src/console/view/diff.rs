//! Pane 0: the objects of the application and the changed lines of one of them; the reason where there is no diff.

use super::{
    border,
    canvas::{Canvas, Frame, Ink},
    diff_lines::{self, note_text},
    lists,
};
use crate::{
    console::{
        diff::{DiffPane, Note},
        layout,
        model::{Model, Pane},
        status, text,
        theme::Role,
    },
    engine::{ApplicationView, Change, ChangeOrigin, ClusterState, Comparison, ObjectComparison, ObjectState, Work},
    object::Severity,
};
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let name = model.subject.as_deref().map_or_else(String::new, |name| format!("  {}", text::one_line(name)));
    let frame = frame(model, &ink, &model.diff, lists::frame(model, Pane::Diff, &format!("0 Diff{name}")));
    let inner = canvas.frame(area, &frame);
    match model.shown_application() {
        None => {
            let lines = ink.wrapped(Role::Muted, 1, "an application's diff is shown here", usize::from(inner.width));
            canvas.lines(inner, &lines, 0);
        }
        Some(application) => {
            let told = reasons(model, &ink, application, usize::from(inner.width));
            let room = if model.diff.comparison.is_some() { inner.height / 3 } else { inner.height };
            let height = u16::try_from(told.len()).unwrap_or(u16::MAX).min(room);
            canvas.lines(Rect { height, ..inner }, &told, 0);
            if model.diff.comparison.is_some() {
                let rest = Rect { y: inner.y + height, height: inner.height - height, ..inner };
                content(canvas, model, &model.diff, rest);
            }
        }
    }
}

/// Draws a diff on the whole screen.
pub fn draw_full(canvas: &mut Canvas<'_>, model: &Model, pane: &DiffPane, area: Rect) {
    let ink = canvas.ink;
    let name = pane.comparison.as_ref().map_or_else(String::new, |comparison| text::one_line(&comparison.application));
    let base = Frame {
        title: Line::from(ink.span(Role::Focus, format!("Diff  {name}"))),
        style: border(model, true),
        ..Frame::default()
    };
    let frame = frame(model, &ink, pane, base);
    let inner = canvas.frame(area, &frame);
    content(canvas, model, pane, inner);
}

fn frame(model: &Model, ink: &Ink<'_>, pane: &DiffPane, base: Frame) -> Frame {
    let mut right = vec![ink.plain(pane.sides.clone())];
    let age = model.shown_application().filter(|_| stale(model));
    if let Some(time) = age.and_then(|application| application.compared_at) {
        right.push(ink.span(Role::Failed, format!("  {} old", text::age(model.stamp.now, time))));
    }
    if pane.comparison.is_some() {
        right.push(ink.span(Role::Muted, "  unified"));
    }
    let dot = ink.glyphs.dot;
    let bottom = pane.comparison.as_ref().map_or_else(Line::default, |comparison| {
        let told = summary(comparison, dot);
        let objects = text::count(comparison.objects.len(), "object");
        let hunks = pane.document.hunks.len();
        let hunk = if hunks > 0 { format!("hunk {}/{hunks} {dot} ", pane.hunk + 1) } else { String::new() };
        let managed = if pane.server_fields { "shown" } else { "hidden" };
        Line::from(format!("{hunk}{objects}{told} {dot} managed fields {managed} (m)"))
    });
    Frame { right: Line::from(right), bottom, ..base }
}

/// Counts what differs, in words; what there is none of is not told.
fn summary(comparison: &Comparison, dot: &str) -> String {
    let fields: usize = comparison.objects.iter().map(|object| object.changes.len()).sum();
    let counts = [("new", ObjectState::Missing), ("extra", ObjectState::Extra), ("unknown", ObjectState::Unknown)];
    let counts = counts.map(|(word, state)| (word, comparison.count(state)));
    let fields = (fields > 0).then(|| text::count(fields, "field"));
    let told = counts.iter().filter(|(_, number)| *number > 0).map(|(word, number)| format!("{number} {word}"));
    let told: Vec<String> = fields.into_iter().chain(told).collect();
    match (told.is_empty(), comparison.objects.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!(" {dot} no difference"),
        (false, _) => told.iter().map(|part| format!(" {dot} {part}")).collect(),
    }
}

fn stale(model: &Model) -> bool {
    let shown = model.shown_application();
    shown.is_some_and(|view| status::is_stale(view, model.cluster_of(view).map(|cluster| &**cluster)))
}

/// Why there is no diff, or what is wrong beside it.
fn reasons(model: &Model, ink: &Ink<'_>, application: &ApplicationView, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let cluster = model.cluster_of(application).map(|cluster| &cluster.state);
    let told = application.error.as_deref().unwrap_or_default();
    if let Some(ClusterState::Failed { message, .. }) = cluster
        && !told.contains(message.as_str())
    {
        lines.extend(ink.wrapped(Role::Failed, 1, &format!("{} {message}", ink.glyphs.failed), width));
    }
    if let Some(error) = &application.error {
        lines.extend(ink.wrapped(Role::Failed, 1, &format!("{} {error}", ink.glyphs.failed), width));
    }
    let waiting = match &application.work {
        Work::Waiting(what) => Some(format!("waiting for {what}")),
        Work::Rendering => Some("rendering".into()),
        Work::Comparing(done, total) => Some(format!("comparing {done}/{total}")),
        _ => None,
    };
    match &application.comparison {
        None => lines.extend(
            waiting
                .iter()
                .flat_map(|text| ink.wrapped(Role::Running, 1, &format!("{} {text}", ink.glyphs.running), width)),
        ),
        Some(comparison) => {
            for issue in &comparison.issues {
                let place = match (&issue.path, issue.line) {
                    (Some(path), Some(line)) => format!("{path}:{line}: "),
                    (Some(path), None) => format!("{path}: "),
                    _ => String::new(),
                };
                let role = if issue.severity == Severity::Error { Role::Failed } else { Role::Pending };
                lines.extend(ink.wrapped(role, 1, &format!("! {place}{}", issue.message), width));
            }
        }
    }
    if lines.is_empty() && application.comparison.is_none() {
        lines.extend(ink.wrapped(Role::Muted, 1, "not compared yet", width));
    }
    lines
}

fn content(canvas: &mut Canvas<'_>, model: &Model, pane: &DiffPane, inner: Rect) {
    let ink = canvas.ink;
    let Some(comparison) = &pane.comparison else { return };
    let differing = comparison.objects.len() - comparison.count(ObjectState::Synced);
    if comparison.objects.is_empty() {
        let told = if comparison.issues.iter().any(|issue| issue.severity == Severity::Error) {
            "nothing could be compared"
        } else {
            "no object: neither Git nor the cluster has one"
        };
        let lines = ink.wrapped(Role::Muted, 1, told, usize::from(inner.width));
        return canvas.lines(inner, &lines, 0);
    }
    let (list, rest) = layout::diff_parts(inner, pane.objects.rows().len());
    let visible = comparison.objects.iter().skip(pane.objects.offset).take(usize::from(list.height));
    let widest = visible.map(|object| text::width(&object.id().short())).max().unwrap_or(0);
    let name_width = (widest + 1).min(usize::from(list.width) * 3 / 5);
    for (row, object) in (0..list.height).zip(comparison.objects.iter().skip(pane.objects.offset)) {
        let here = pane.objects.row() == Some(pane.objects.offset + usize::from(row));
        canvas.line(list, row, &object_row(model, &ink, object, here, name_width, usize::from(list.width)));
    }
    let Some(object) = pane.object() else { return };
    let mut told: Vec<Line<'static>> = Vec::new();
    let width = usize::from(rest.width);
    if let Some(error) = &object.error {
        told.extend(ink.wrapped(Role::Pending, 1, &format!("? {error}"), width));
    } else if !object.message.is_empty() {
        told.extend(ink.wrapped(Role::Pending, 1, &object.message, width));
    }
    if let Some(hook) = &object.hook {
        told.extend(ink.wrapped(Role::Muted, 1, &format!("a hook ({hook}): listed, not compared, not applied"), width));
    }
    if pane.document.failed {
        let text = "the difference could not be drawn; this is a bug worth reporting (y shows the live object)";
        told.extend(ink.wrapped(Role::Failed, 1, text, width));
    } else if pane.is_drawing() {
        if pane.document.rows.is_empty() {
            let text = format!(" {} drawing the difference of a big object", ink.glyphs.running);
            told.push(Line::from(ink.span(Role::Running, text)));
        }
    } else if pane.document.hunks.is_empty() && object.error.is_none() && object.hook.is_none() {
        let text = if differing == 0 { "no difference in any object" } else { "no difference in this object" };
        // What is old is not told by a good sign.
        let (sign, role) = if stale(model) { ("?", Role::Muted) } else { (ink.glyphs.ok, Role::Ok) };
        told.push(Line::from(ink.span(role, format!(" {sign} {text}"))));
    }
    if !object.extras.is_empty() {
        let fields = text::count(object.extras.len(), "live field");
        let key = if pane.extras { "x hides them" } else { "x lists them" };
        told.extend(ink.wrapped(Role::Muted, 1, &format!("{fields} that Git does not set ({key})"), width));
    }
    let height = u16::try_from(told.len()).unwrap_or(u16::MAX).min(rest.height);
    canvas.lines(Rect { height, ..rest }, &told, 0);
    let rest = Rect { y: rest.y + height, height: rest.height - height, ..rest };
    diff_lines::draw(canvas, model, pane, object, rest);
}

/// One object: its sign, name, how much of it differs, and which side moved.
fn object_row(
    model: &Model,
    ink: &Ink<'_>,
    object: &ObjectComparison,
    here: bool,
    name_width: usize,
    width: usize,
) -> Line<'static> {
    let (sign, word, role) = status::object(object.state, ink.glyphs);
    let told = match object.state {
        ObjectState::Changed => text::count(object.changes.len(), "field"),
        _ if object.hook.is_some() => "hook".into(),
        _ => word.to_owned(),
    };
    let (mut origins, mut writer) = (String::new(), String::new());
    if !object.changes.is_empty() {
        origins = origin_words(&object.changes);
        let drifted =
            object.changes.iter().find(|change| change.origin != ChangeOrigin::Git && change.manager.is_some());
        if let Some(Change { manager: Some(manager), time, .. }) = drifted {
            writer = note_text(model, &Note::SetBy(manager.clone(), time.clone())).replace("live, set by ", "");
            writer = format!("  ({writer})");
        }
    }
    let health = status::health(object.health);
    let name = name(ink, object, name_width);
    let mut spans = vec![
        ink.span(Role::Strong, format!(" {} ", if here { ink.glyphs.open } else { " " })),
        ink.span(role, format!("{sign} ")),
        ink.span(if here { Role::Strong } else { Role::Plain }, ink.fit(&name, name_width)),
        ink.plain(format!(" {}", ink.fit(&told, 9))),
    ];
    if let Some((word, role)) = health.filter(|_| object.state != ObjectState::Missing) {
        spans.push(ink.span(role, format!(" {word}")));
    }
    spans.push(ink.plain(format!(" {origins}")));
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(ink.outside(Role::Muted, &writer, width.saturating_sub(used)));
    Line::from(spans)
}

/// Names an object in so many cells; where they do not suffice, the namespace goes first, the name last.
fn name(ink: &Ink<'_>, object: &ObjectComparison, room: usize) -> String {
    let id = object.id();
    let full = text::one_line(&id.short());
    if text::width(&full) <= room || id.namespace.is_none() {
        return full;
    }
    let ellipsis = ink.glyphs.ellipsis;
    let short = text::one_line(&format!("{} {ellipsis}/{}", id.kind, id.name));
    if text::width(&short) <= room { short } else { text::cut_start(&full, room, ellipsis) }
}

fn origin_words(changes: &[Change]) -> String {
    let words = [
        (ChangeOrigin::Git, "git"),
        (ChangeOrigin::Drift, "drift"),
        (ChangeOrigin::Both, "both"),
        (ChangeOrigin::Unknown, "no base"),
    ];
    let found = words.iter().filter(|(origin, _)| changes.iter().any(|change| change.origin == *origin));
    found.map(|(_, word)| *word).collect::<Vec<_>>().join("+")
}
