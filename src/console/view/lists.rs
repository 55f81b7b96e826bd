//! Panes 1, 2 and 4: repositories, applications, activity. Only the rows on the screen are drawn.

use super::{
    border,
    canvas::{Canvas, Frame, Ink},
};
use crate::{
    cluster::HealthStatus,
    console::{
        model::{Model, Pane},
        selection::Selection,
        status::{self, Standing},
        text,
        theme::Role,
    },
    engine::{
        ActivityKind, ApplicationView, ClusterState, ObjectComparison, ObjectState, RepositoryState, RepositoryView,
        Work,
    },
    object::Severity,
};
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

/// Says whether keys go to a pane.
pub fn focused(model: &Model, pane: Pane) -> bool {
    model.focus == pane && model.layers.is_empty()
}

/// Returns a pane's frame: bold where the focus is, red on production.
pub fn frame(model: &Model, pane: Pane, title: &str) -> Frame {
    let ink = Ink::of(model);
    let focused = focused(model, pane);
    let role = if focused { Role::Focus } else { Role::Plain };
    Frame { title: Line::from(ink.span(role, title.to_owned())), style: border(model, focused), ..Frame::default() }
}

/// Returns `3 of 40`, with the filter where there is one.
pub fn position<K: Clone + PartialEq>(ink: &Ink<'_>, list: &Selection<K>) -> Line<'static> {
    if list.total == 0 {
        return Line::default();
    }
    let rows = list.rows().len();
    if !list.filter.is_empty() {
        return Line::from(vec![ink.span(Role::Pending, format!("{rows} of {} - esc clears", list.total))]);
    }
    match list.row() {
        Some(row) => Line::from(format!("{} of {rows}", row + 1)),
        None => Line::from(ink.span(Role::Pending, format!("gone; move the cursor  {rows}"))),
    }
}

fn filter_label<K>(ink: &Ink<'_>, list: &Selection<K>) -> Line<'static> {
    if list.filter.is_empty() {
        return Line::default();
    }
    Line::from(vec![ink.plain("/"), ink.outside(Role::Pending, &list.filter, 20)])
}

/// Draws the visible rows of a list, the cursor's with a sign.
fn rows<K: Clone + PartialEq>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    list: &Selection<K>,
    focused: bool,
    line: impl Fn(&K) -> Vec<Span<'static>>,
) {
    for (row, key) in (0..area.height).zip(list.rows().iter().skip(list.offset)) {
        let here = list.row() == Some(list.offset + usize::from(row));
        let mut spans = vec![Span::raw(if here { "> " } else { "  " })];
        spans.extend(line(key));
        canvas.line(area, row, &Line::from(spans));
        if here {
            canvas.cursor(area, row, focused);
        }
    }
}

fn empty(canvas: &mut Canvas<'_>, area: Rect, text: &str) {
    let lines = canvas.ink.wrapped(Role::Muted, 1, text, usize::from(area.width));
    canvas.lines(area, &lines, 0);
}

/// Draws pane 1.
pub fn repositories(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let frame = Frame {
        bottom: position(&ink, &model.repositories),
        right: filter_label(&ink, &model.repositories),
        ..frame(model, Pane::Repositories, "1 Repos")
    };
    let inner = canvas.frame(area, &frame);
    if model.fleet.repositories.is_empty() {
        return empty(canvas, inner, "none: add a [[repository]] to the configuration; driftdeck init writes one");
    }
    rows(canvas, inner, &model.repositories, focused(model, Pane::Repositories), |name| {
        match model.fleet.repository(name) {
            Some(repository) => repository_row(model, &ink, repository, usize::from(inner.width).saturating_sub(2)),
            None => Vec::new(),
        }
    });
}

fn repository_row(model: &Model, ink: &Ink<'_>, repository: &RepositoryView, width: usize) -> Vec<Span<'static>> {
    let now = model.stamp.now;
    let percent = |progress: &crate::git::Progress| match progress.total {
        Some(total) if total > 0 => format!("{} %", progress.done.min(total) * 100 / total),
        _ => String::new(),
    };
    let (sign, role, end) = match &repository.state {
        RepositoryState::Waiting => (ink.glyphs.dot, Role::Muted, "waiting".to_owned()),
        RepositoryState::Cloning(progress) => {
            (ink.glyphs.running, Role::Running, format!("clone {}", percent(progress)).trim_end().to_owned())
        }
        RepositoryState::Fetching(progress) => {
            (ink.glyphs.running, Role::Running, format!("fetch {}", percent(progress)).trim_end().to_owned())
        }
        RepositoryState::Ready if repository.notice.is_some() => ("!", Role::Pending, "see enter".into()),
        RepositoryState::Ready => {
            (ink.glyphs.ok, Role::Ok, repository.fetched_at.map_or_else(String::new, |time| text::age(now, time)))
        }
        RepositoryState::Failed { retry_at, .. } => {
            let retry = retry_at.map(|at| text::countdown(at.as_second() - now.as_second()));
            (ink.glyphs.failed, Role::Failed, retry.map_or_else(|| "failed".into(), |retry| format!("in {retry}")))
        }
    };
    let branch = repository.branch.as_deref().unwrap_or("-");
    let head = repository.head.as_ref().map_or_else(String::new, |head| head.id.short());
    let middle = match &repository.state {
        RepositoryState::Failed { message, .. } => {
            // The address leads the message; the name already says which one it is.
            let reason =
                message.split_once(": ").filter(|(lead, _)| lead.contains("://")).map_or(&**message, |(_, rest)| rest);
            text::one_line(reason)
        }
        _ => text::one_line(&format!("{branch} {head}")),
    };
    let end_width = text::width(&end).max(4);
    let free = width.saturating_sub(2 + 2 + end_width);
    let name_width = text::width(&repository.name).min(free.saturating_sub(10).max(free / 2));
    vec![
        ink.span(role, format!("{sign} ")),
        ink.plain(ink.fit(&text::one_line(&repository.name), name_width)),
        ink.span(Role::Muted, format!(" {} ", ink.fit(&middle, free.saturating_sub(name_width)))),
        ink.span(role, ink.fit_right(&end, end_width)),
    ]
}

/// Draws pane 2.
pub fn applications(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let lost = lost(model, &ink);
    let mut frame = frame(model, Pane::Applications, "2 Applications");
    frame.right = filter_label(&ink, &model.applications);
    frame.bottom = position(&ink, &model.applications);
    if model.applications.filter.is_empty() && frame.bottom.width() > 0 {
        frame.bottom.push_span(ink.span(Role::Muted, "  sort:state"));
    }
    if let Some(lost) = lost {
        frame.bottom = lost;
    }
    let inner = canvas.frame(area, &frame);
    if model.fleet.applications.is_empty() {
        return empty(
            canvas,
            inner,
            "none: add an [[application]] to the configuration; driftdeck init writes one from what it finds",
        );
    }
    if model.applications.rows().is_empty() {
        return empty(canvas, inner, "no name contains the filter; esc clears it");
    }
    let width = usize::from(inner.width);
    let columns = Columns::new(width.saturating_sub(2));
    let body = if inner.height > 1 {
        canvas.line(inner, 0, &columns.head(&ink));
        Rect { y: inner.y + 1, height: inner.height - 1, ..inner }
    } else {
        inner
    };
    rows(canvas, body, &model.applications, focused(model, Pane::Applications), |name| {
        match model.fleet.application(name) {
            Some(application) => columns.row(model, &ink, application),
            None => Vec::new(),
        }
    });
}

/// Says in the border that the cluster is lost: since when, why, and when it is tried again.
fn lost(model: &Model, ink: &Ink<'_>) -> Option<Line<'static>> {
    let cluster = model.cluster()?;
    let ClusterState::Failed { message, since, retry_at } = &cluster.state else { return None };
    let now = model.stamp.now;
    let retry =
        retry_at.map_or_else(String::new, |at| format!(", next {}", text::countdown(at.as_second() - now.as_second())));
    let lead = format!("{} {} {}{retry}: ", ink.glyphs.failed, status::lost(cluster), text::age(now, *since));
    Some(Line::from(vec![ink.span(Role::Failed, lead), ink.outside(Role::Failed, message, 60)]))
}

/// Widths of the application list.
struct Columns {
    name: usize,
    state: usize,
    delta: usize,
    message: usize,
}

impl Columns {
    const AGE: usize = 4;

    fn new(width: usize) -> Self {
        let (state, delta) = (13, 6);
        let free = width.saturating_sub(state + delta + Self::AGE + 1);
        let name = if free > 50 { 30 } else { free };
        Self { name, state, delta, message: free - name }
    }

    fn head(&self, ink: &Ink<'_>) -> Line<'static> {
        Line::from(ink.span(
            Role::Muted,
            format!(
                "  {}{}{} {}{}",
                ink.fit("NAME", self.name),
                ink.fit(" STATE", self.state),
                ink.fit("DELTA", self.delta),
                ink.fit_right("AGE", Self::AGE),
                if self.message > 0 { "  MESSAGE" } else { "" }
            ),
        ))
    }

    fn row(&self, model: &Model, ink: &Ink<'_>, application: &ApplicationView) -> Vec<Span<'static>> {
        let standing = Standing::of(application);
        let stale = status::is_stale(application, model.cluster_of(application).map(|cluster| &**cluster));
        // What is old is never told by a good sign or a good colour.
        let (sign, role) = if stale { ("?", Role::Muted) } else { (standing.sign(ink.glyphs), standing.role()) };
        let age =
            match application.compared_at.filter(|_| stale).or(application.last_sync.as_ref().map(|last| last.time)) {
                Some(time) => text::age(model.stamp.now, time),
                None => "-".into(),
            };
        // The age of what is old stands where its counts would: they may not hold any more.
        let (delta, age) = if stale { (String::new(), format!("{age} old")) } else { (delta(application), age) };
        let message = message(application).unwrap_or_default();
        let mut spans = vec![
            ink.plain(ink.fit(&text::one_line(&application.name), self.name)),
            ink.span(role, ink.fit(&format!(" {sign} {}", standing.word()), self.state)),
            ink.plain(if stale { String::new() } else { ink.fit(&delta, self.delta) + " " }),
            ink.span(Role::Muted, ink.fit_right(&age, if stale { self.delta + 1 + Self::AGE } else { Self::AGE })),
        ];
        if self.message > 2 {
            spans.push(ink.plain("  "));
            spans.push(ink.outside(Role::Failed, &message, self.message - 2));
        }
        spans
    }
}

/// Returns what is wrong with an application, in its own words: the first that holds.
fn message(application: &ApplicationView) -> Option<String> {
    let comparison = application.comparison.as_ref();
    let issue = || {
        let issue = comparison?.issues.iter().find(|issue| issue.severity == Severity::Error)?;
        let place = issue.path.as_ref().map_or_else(String::new, |path| format!("{path}: "));
        Some(format!("{place}{}", issue.message))
    };
    let object = || {
        let mut objects = comparison?.objects.iter();
        let told = |object: &ObjectComparison, what: &str| format!("{}/{}: {what}", object.kind, object.name);
        objects.find_map(|object| match &object.error {
            Some(error) => Some(told(object, error)),
            None if object.health >= HealthStatus::Degraded && !object.message.is_empty() => {
                Some(told(object, &object.message))
            }
            None => None,
        })
    };
    application.error.clone().or_else(issue).or_else(object)
}

/// Returns `~3 +1 -2`, or how far a sync or a comparison is.
fn delta(application: &ApplicationView) -> String {
    match (&application.work, &application.comparison) {
        (Work::Syncing(progress), _) => format!("{}/{}", progress.done, progress.total),
        (Work::Comparing(done, total), None) => format!("{done}/{total}"),
        (_, None) => String::new(),
        (_, Some(comparison)) => {
            let parts = [
                ("~", ObjectState::Changed),
                ("+", ObjectState::Missing),
                ("-", ObjectState::Extra),
                ("?", ObjectState::Unknown),
            ];
            let told = parts.map(|(sign, state)| (sign, comparison.count(state)));
            let told: Vec<String> =
                told.iter().filter(|(_, number)| *number > 0).map(|(sign, number)| format!("{sign}{number}")).collect();
            told.join(" ")
        }
    }
}

/// Draws pane 4.
pub fn activity(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let mut frame = frame(model, Pane::Activity, "4 Activity");
    let running = model.running().len();
    frame.bottom = Line::from(match running {
        0 => format!("nothing running {} @ all", ink.glyphs.dot),
        _ => format!("{} running {} @ all", text::count(running, "sync"), ink.glyphs.dot),
    });
    frame.right = filter_label(&ink, &model.activity);
    let inner = canvas.frame(area, &frame);
    if model.activity.rows().is_empty() {
        return empty(canvas, inner, "nothing has happened yet");
    }
    let width = usize::from(inner.width).saturating_sub(2);
    let names = model.activity.rows().iter().skip(model.activity.offset).take(usize::from(inner.height));
    let subject = names.map(|entry| text::width(&entry.subject)).max().unwrap_or(0).clamp(8, 20);
    let row = |entry: &crate::engine::Activity| {
        let (sign, role) = match entry.kind {
            ActivityKind::Running => (ink.glyphs.running, Role::Running),
            ActivityKind::Done => (ink.glyphs.ok, Role::Ok),
            ActivityKind::Notice => ("!", Role::Pending),
            ActivityKind::Failed => (ink.glyphs.failed, Role::Failed),
        };
        vec![
            ink.span(Role::Muted, entry.time.strftime("%H:%M:%S ").to_string()),
            ink.span(role, format!("{sign} ")),
            ink.plain(ink.fit(&text::one_line(&entry.subject), subject)),
            ink.plain(" "),
            ink.outside(Role::Plain, &entry.text.replace("\n  hint:", "; hint:"), width.saturating_sub(12 + subject)),
        ]
    };
    if focused(model, Pane::Activity) {
        return rows(canvas, inner, &model.activity, true, row);
    }
    for (line, entry) in (0..inner.height).zip(model.activity.rows().iter().skip(model.activity.offset)) {
        let spans = std::iter::once(Span::raw(" ")).chain(row(entry)).collect::<Vec<_>>();
        canvas.line(inner, line, &Line::from(spans));
    }
}
