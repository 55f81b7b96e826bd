//! The first line: context, link, counts, mode. What is left out first when there is no room is the program's name, then
//! auto-sync, counts and link; never the context, PROD, READ ONLY or WRITE.

use super::canvas::{Canvas, Ink};
use crate::{
    console::{
        model::Model,
        status::{self, Standing},
        text,
        theme::Role,
    },
    engine::{ClusterState, ClusterView},
};
use jiff::Timestamp;
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let width = usize::from(area.width);
    let cluster = model.cluster();
    let mode = mode(model, &ink);
    let mode_width = mode.content.chars().count() + 1;
    let left = context(&ink, cluster.map(|cluster| &**cluster), width.saturating_sub(mode_width + 2));
    let mut parts = vec![(0, left)];
    let link = cluster.map(|cluster| link(model, &ink, cluster)).unwrap_or_default();
    let auto = vec![ink.span(Role::Muted, format!("auto: {}", if auto(model) { "on" } else { "off" }))];
    let mut right = vec![(0, vec![mode])];
    let mut free = width.saturating_sub(spans_width(&parts[0].1) + mode_width + 2);
    let mut push = |at_right: bool, part: Vec<Span<'static>>, free: &mut usize| {
        let needed = spans_width(&part) + 3;
        if !part.is_empty() && needed <= *free {
            *free -= needed;
            if at_right { right.push((3, part)) } else { parts.push((3, part)) }
        }
    };
    push(false, link, &mut free);
    let told = counts(model, &ink, free.saturating_sub(3));
    push(false, told, &mut free);
    push(true, auto, &mut free);
    if free >= 11 {
        parts.insert(0, (0, vec![ink.span(Role::Strong, "driftdeck ")]));
    }
    let flat = |parts: Vec<(usize, Vec<Span<'static>>)>| -> Vec<Span<'static>> {
        parts.into_iter().flat_map(|(gap, part)| std::iter::once(Span::raw(" ".repeat(gap))).chain(part)).collect()
    };
    let (left, right) = (flat(parts), flat(right));
    canvas.line(area, 0, &Line::from([vec![Span::raw(" ")], left].concat()));
    let right_width = u16::try_from(spans_width(&right) + 1).unwrap_or(area.width).min(area.width);
    let place = Rect { x: area.right() - right_width, width: right_width, ..area };
    canvas.line(place, 0, &Line::from(right));
}

fn spans_width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(Span::width).sum()
}

fn context(ink: &Ink<'_>, cluster: Option<&ClusterView>, room: usize) -> Vec<Span<'static>> {
    let Some(cluster) = cluster else { return vec![ink.span(Role::Muted, "no cluster configured")] };
    let production = if cluster.production { " [PROD]" } else { "" };
    let name = if cluster.context.is_empty() { &cluster.name } else { &cluster.context };
    let role = if cluster.production { Role::Production } else { Role::Strong };
    vec![
        ink.plain("ctx "),
        ink.outside(role, name, room.saturating_sub(4 + production.len())),
        ink.span(Role::Production, production),
    ]
}

fn mode(model: &Model, ink: &Ink<'_>) -> Span<'static> {
    let armed = !model.settings.read_only && model.cluster().is_some_and(|cluster| cluster.armed);
    if armed { ink.span(Role::Production, "WRITE") } else { ink.span(Role::Strong, "READ ONLY") }
}

fn auto(model: &Model) -> bool {
    let comparison = model.shown_application().and_then(|application| application.comparison.as_ref());
    comparison.is_some_and(|comparison| comparison.auto_sync.enabled)
}

fn link(model: &Model, ink: &Ink<'_>, cluster: &ClusterView) -> Vec<Span<'static>> {
    match &cluster.state {
        ClusterState::Connecting => vec![ink.span(Role::Running, format!("{} connecting", ink.glyphs.running))],
        ClusterState::Connected { .. } if silent(model, cluster).is_some() => {
            let age = silent(model, cluster).map(|since| text::age(model.stamp.now, since)).unwrap_or_default();
            vec![ink.span(Role::Pending, format!("? no news for {age}"))]
        }
        ClusterState::Connected { latency } => {
            vec![ink.span(Role::Ok, format!("{} connected {} ms", ink.glyphs.ok, latency.as_millis()))]
        }
        ClusterState::Failed { since, .. } => {
            let age = text::age(model.stamp.now, *since);
            vec![ink.span(Role::Failed, format!("{} {} {age}", ink.glyphs.failed, status::lost(cluster)))]
        }
    }
}

/// Returns since when a cluster that was not given up yet has been silent to an application. Nothing good is said meanwhile.
fn silent(model: &Model, cluster: &ClusterView) -> Option<Timestamp> {
    let on_it = model.fleet.applications.iter().filter(|application| application.cluster == cluster.name);
    on_it.filter_map(|application| application.comparison.as_ref()?.stale_since).min()
}

/// Counts what needs a look, in words, the most urgent first, as many as there is room for.
fn counts(model: &Model, ink: &Ink<'_>, room: usize) -> Vec<Span<'static>> {
    const SHOWN: [(Standing, &str); 7] = [
        (Standing::Failed, "failed"),
        (Standing::Degraded, "degraded"),
        (Standing::Unknown, "unknown"),
        (Standing::Missing, "missing"),
        (Standing::OutOfSync, "out of sync"),
        (Standing::Drifted, "drifted"),
        (Standing::Syncing, "syncing"),
    ];
    if model.fleet.applications.is_empty() {
        return Vec::new();
    }
    let standings: Vec<Standing> = model.fleet.applications.iter().map(|view| Standing::of(view)).collect();
    let mut out = Vec::new();
    for (standing, word) in SHOWN {
        let number = standings.iter().filter(|other| **other == standing).count();
        if number > 0 {
            let gap = if out.is_empty() { String::new() } else { format!(" {} ", ink.glyphs.dot) };
            let told = format!("{number} {word}");
            if spans_width(&out) + text::width(&gap) + text::width(&told) > room {
                break;
            }
            out.extend([ink.plain(gap), ink.span(standing.role(), told)]);
        }
    }
    if out.is_empty() && standings.iter().all(|standing| *standing == Standing::Synced) {
        out.push(ink.span(Role::Ok, "all synced"));
    }
    out
}
