//! The plan: from what to what, what it binds, every step, what was checked, what to know, and the answer.

use super::{
    answer::{LABEL, answers, typed_field},
    border,
    canvas::{Canvas, Frame, Ink},
    centred,
};
use crate::{
    console::{
        availability, layout,
        model::Model,
        screen::{Field, Loaded, PlanScreen},
        status, text,
        theme::Role,
    },
    engine::{Action, Counts, Plan, Step},
    git::CommitId,
};
use jiff::Timestamp;
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

/// Cells between parts of a line.
const GAP: usize = 3;
/// Steps that are named; the diff (`v`) has the rest.
const NAMED_STEPS: usize = 60;

/// Returns `+ create 1  ~ update 3 …`, on one line.
pub fn counts(ink: &Ink<'_>, counts: &Counts) -> Line<'static> {
    let gap = ink.plain(" ".repeat(GAP));
    Line::from(counted(ink, counts).into_iter().flat_map(|part| [part, gap.clone()]).collect::<Vec<_>>())
}

fn counted(ink: &Ink<'_>, counts: &Counts) -> Vec<Span<'static>> {
    let parts = [
        ("+", "create", counts.create, Role::Added, true),
        ("~", "update", counts.update, Role::Pending, true),
        ("-", "delete", counts.prune, Role::Removed, true),
        ("!", "replace", counts.replace, Role::Failed, true),
        ("!", "adopt", counts.adopt, Role::Drift, false),
        ("!", "remove extra", counts.remove_extra, Role::Drift, false),
        (ink.glyphs.dot, "hook", counts.hook, Role::Muted, false),
        ("=", "same", counts.unchanged, Role::Muted, true),
    ];
    let mut spans = Vec::new();
    for (sign, word, number, role, always) in parts {
        if number > 0 || always {
            let role = if number == 0 { Role::Muted } else { role };
            spans.push(ink.span(role, format!("{sign} {word} {number}")));
        }
    }
    spans
}

/// Rows below the text that never scroll away: the name field where one is needed, and the answer.
fn pinned(model: &Model, screen: &PlanScreen) -> u16 {
    if screen.typed_needed(model.settings.confirm_always) { 4 } else { 2 }
}

fn area(body: Rect, lines: usize, pinned: u16) -> Rect {
    centred(body, body.width.min(96), u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2 + pinned))
}

/// Returns the lines above the answer and where they stand.
pub fn text_area(model: &Model, screen: &PlanScreen, body: Rect) -> (Vec<Line<'static>>, Rect) {
    let width = usize::from(body.width.min(96)).saturating_sub(2);
    let lines = lines(model, screen, width);
    let pinned = pinned(model, screen);
    let inner = layout::inside(area(body, lines.len(), pinned));
    let height = inner.height.saturating_sub(pinned);
    (lines, Rect { height, ..inner })
}

fn labelled(ink: &Ink<'_>, label: &str, spans: Vec<Span<'static>>) -> Line<'static> {
    let mut line = vec![ink.span(Role::Muted, format!(" {label:<width$}", width = LABEL - 1))];
    line.extend(spans);
    Line::from(line)
}

/// Lets parts flow over as many lines as they need: none is cut where the screen is narrow.
fn flow(ink: &Ink<'_>, label: &str, parts: Vec<Vec<Span<'static>>>, room: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for part in parts {
        let cells: usize = part.iter().map(Span::width).sum();
        let used = lines.last().map_or(0, Line::width);
        if used > 0 && used + GAP + cells > room {
            lines.push(Line::default());
        }
        if let Some(line) = lines.last_mut() {
            let gap = if line.spans.is_empty() { 0 } else { GAP };
            line.spans.push(ink.plain(" ".repeat(gap)));
            line.spans.extend(part);
        }
    }
    block(ink, label, lines)
}

/// Puts a label before the first of some wrapped lines.
fn block(ink: &Ink<'_>, label: &str, lines: Vec<Line<'static>>) -> Vec<Line<'static>> {
    let pad = |label: &str| ink.span(Role::Muted, format!(" {label:<width$}", width = LABEL - 1));
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    lines.into_iter().zip(labels).map(|(line, label)| Line::from([vec![pad(label)], line.spans].concat())).collect()
}

fn lines(model: &Model, screen: &PlanScreen, width: usize) -> Vec<Line<'static>> {
    let ink = Ink::of(model);
    let room = width.saturating_sub(LABEL + 1);
    let moved = |lines: &mut Vec<Line<'static>>| {
        let told = screen.moved.iter().take(6).flat_map(|text| ink.wrapped(Role::Drift, 0, &format!("! {text}"), room));
        lines.extend(block(&ink, "moved", told.collect()));
        if !screen.moved.is_empty() {
            let text = "nothing was written; this is the plan for what is there now";
            lines.extend(block(&ink, "", ink.wrapped(Role::Muted, 0, text, room)));
        }
    };
    let mut lines = Vec::new();
    match &screen.plan {
        Loaded::Loading => {
            moved(&mut lines);
            lines.extend(ink.wrapped(Role::Running, 1, "planning: every step is dry-run on the server", width));
        }
        Loaded::Failed(why) => {
            lines.extend(ink.wrapped(Role::Failed, 1, &format!("no plan: {why}"), width));
        }
        Loaded::Ready(plan) => {
            lines.push(revisions(model, &ink, plan, room));
            lines.extend(bound(model, &ink, plan, room));
            moved(&mut lines);
            let counts = counted(&ink, &plan.counts).into_iter().map(|part| vec![part]).collect();
            lines.extend(flow(&ink, "change", counts, room));
            lines.extend(block(&ink, "order", order(&ink, &plan.steps, room)));
            lines.extend(checks(model, &ink, screen, plan, room));
            let warnings = plan.warnings.iter().flat_map(|warning| {
                let object = if warning.object.is_empty() { String::new() } else { format!("{} ", warning.object) };
                let role = if warning.typed { Role::Failed } else { Role::Pending };
                ink.wrapped(role, 0, &format!("! {object}{}", aged(&warning.message, model.stamp.now)), room)
            });
            let warnings: Vec<_> = warnings.collect();
            if !warnings.is_empty() {
                lines.extend(block(&ink, "warn", warnings));
            }
            lines.push(Line::default());
            lines.extend(options(model, &ink, screen, room));
        }
    }
    lines
}

fn name_field(model: &Model, ink: &Ink<'_>, screen: &PlanScreen, room: usize) -> Line<'static> {
    let production = model.cluster().is_some_and(|cluster| cluster.production);
    let name = &screen.ticket.application;
    if let Some(reason) = availability::name_not_asked(model, screen) {
        let told = format!("the name goes here; first, {reason}");
        return labelled(ink, if production { "PROD" } else { "confirm" }, vec![ink.outside(Role::Muted, &told, room)]);
    }
    typed_field(ink, if production { "PROD" } else { "confirm" }, name, &screen.typed, screen.field)
}

fn revisions(model: &Model, ink: &Ink<'_>, plan: &Plan, room: usize) -> Line<'static> {
    let application = model.fleet.application(&plan.comparison.application);
    let subject = |id: CommitId| {
        let history = application.and_then(|application| application.history.as_ref());
        history
            .and_then(|history| history.commits.iter().find(|row| row.id == id))
            .map(|row| row.subject.as_str())
            // The branch's tip need not touch the application.
            .or_else(|| {
                let repository = application.and_then(|application| model.fleet.repository(&application.repository));
                repository?.head.as_ref().filter(|head| head.id == id).map(|head| head.subject.as_str())
            })
            .map(text::one_line)
    };
    let last = application.and_then(|application| application.last_sync.as_ref());
    let from = match (plan.comparison.base, last) {
        (Some(base), Some(last)) => {
            format!(
                "{}  applied {} ago by {}",
                base.short(),
                text::age(model.stamp.now, last.time),
                text::one_line(&last.by)
            )
        }
        (Some(base), None) => base.short(),
        (None, _) => "nothing applied by driftdeck yet".into(),
    };
    let to = plan.comparison.revision.map_or_else(|| "a folder".to_owned(), |id| id.short());
    let subject = plan.comparison.revision.and_then(subject).unwrap_or_default();
    let used = text::width(&from) + 6 + text::width(&to) + 2;
    labelled(
        ink,
        "from",
        vec![
            ink.plain(from),
            ink.span(Role::Muted, "   to "),
            ink.span(Role::Strong, format!("{to}  ")),
            ink.outside(Role::Plain, &subject, room.saturating_sub(used)),
        ],
    )
}

fn bound(model: &Model, ink: &Ink<'_>, plan: &Plan, room: usize) -> Vec<Line<'static>> {
    let hash: String = plan.digest_hash().chars().take(7 + 12).collect();
    let left = plan.expires.as_second() - model.stamp.now.as_second();
    let role = if left > 60 { Role::Plain } else { Role::Pending };
    let parts = vec![
        vec![
            ink.plain(format!("{hash}{}  ", ink.glyphs.ellipsis)),
            ink.span(Role::Muted, "manifests and live content"),
        ],
        vec![ink.span(role, format!("valid {}", text::countdown(left)))],
    ];
    flow(ink, "bound", parts, room)
}

fn order(ink: &Ink<'_>, steps: &[Step], room: usize) -> Vec<Line<'static>> {
    if steps.is_empty() {
        return ink.wrapped(Role::Muted, 0, "no step: everything is as Git says", room);
    }
    let mut lines = vec![Line::default()];
    let mut used = 0;
    let mut wave = steps[0].wave;
    for step in steps.iter().take(NAMED_STEPS) {
        let object = text::one_line(step.object.rsplit_once('/').map_or(&step.object, |_| short(&step.object)));
        let (sign, role) = match step.action {
            Action::Create => ("+", Role::Added),
            Action::Prune => ("-", Role::Removed),
            Action::Replace | Action::Adopt | Action::RemoveExtra => ("!", Role::Failed),
            Action::Update | Action::None => ("~", Role::Pending),
        };
        let lead = format!("{} {sign}", step.index);
        let unverified = if step.verified { "" } else { "?" };
        let object = ink.cut(&object, room.saturating_sub(lead.len() + 3));
        let cells = text::width(&lead) + text::width(&object) + unverified.len() + 2;
        if (used + cells > room && used > 0) || step.wave != wave {
            lines.push(Line::default());
            used = 0;
            wave = step.wave;
        }
        used += cells;
        if let Some(line) = lines.last_mut() {
            line.spans.extend([ink.span(role, lead), ink.plain(format!("{object}{unverified}  "))]);
        }
    }
    if steps.len() > NAMED_STEPS {
        lines.push(Line::from(ink.span(Role::Muted, format!("and {} more (v shows them)", steps.len() - NAMED_STEPS))));
    }
    lines
}

/// `apps/Deployment/shop/api` -> `Deployment/shop/api`.
fn short(object: &str) -> &str {
    match object.split_once('/') {
        Some((group, rest)) if !group.starts_with(|c: char| c.is_ascii_uppercase()) => rest,
        _ => object,
    }
}

fn checks(model: &Model, ink: &Ink<'_>, screen: &PlanScreen, plan: &Plan, room: usize) -> Vec<Line<'static>> {
    let verified = plan.steps.iter().filter(|step| step.verified).count();
    let all = verified == plan.steps.len();
    let (sign, role) = if all { (ink.glyphs.ok, Role::Ok) } else { ("?", Role::Pending) };
    let armed = if model.armed(&screen.ticket.application) {
        ink.span(Role::Ok, format!("{} writes armed", ink.glyphs.ok))
    } else {
        ink.span(Role::Failed, format!("{} read-only", ink.glyphs.failed))
    };
    let application = model.fleet.application(&screen.ticket.application);
    let unheard = application.is_some_and(|view| status::is_stale(view, model.cluster_of(view).map(|view| &**view)));
    let unchanged = match unheard {
        true => ink.span(Role::Pending, "? live not heard of since plan"),
        false => ink.span(Role::Ok, format!("{} live unchanged since plan", ink.glyphs.ok)),
    };
    let parts = vec![
        vec![ink.span(role, format!("{sign} server dry-run {verified}/{}", plan.steps.len()))],
        vec![unchanged],
        vec![armed],
    ];
    let mut told = Vec::new();
    let lines = &mut told;
    if !all && plan.approvable {
        lines.extend(ink.wrapped(
            Role::Muted,
            0,
            "? needs what this plan creates, so the server could not try it",
            room,
        ));
    }
    if !plan.approvable {
        let reason = plan.reason.clone().unwrap_or_else(|| "this plan cannot be approved".into());
        lines.extend(ink.wrapped(
            Role::Failed,
            0,
            &format!("{} cannot be approved: {reason}", ink.glyphs.failed),
            room,
        ));
    }
    [flow(ink, "checks", parts, room), block(ink, "", told)].concat()
}

/// Turns the time after ` since ` into an age, which says more in less room.
fn aged(message: &str, now: Timestamp) -> String {
    let Some((before, rest)) = message.rsplit_once(" since ") else { return message.to_owned() };
    let (time, after) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
    match time.parse::<Timestamp>() {
        Ok(time) => format!("{before}, written {} ago{after}", text::age(now, time)),
        Err(_) => message.to_owned(),
    }
}

fn options(model: &Model, ink: &Ink<'_>, screen: &PlanScreen, room: usize) -> Vec<Line<'static>> {
    let timeout = model.fleet.application(&screen.ticket.application).map_or(0, |application| {
        // Configured times end at a day.
        i64::try_from(application.timeout.as_secs()).unwrap_or(i64::MAX)
    });
    let wait = if screen.wait { format!("for up to {}", text::span(timeout)) } else { "off".to_owned() };
    let prune = match screen.choices.prune {
        None => "as configured",
        Some(true) => "on",
        Some(false) => "off",
    };
    let parts = vec![
        vec![ink.span(Role::Key, "p"), ink.plain(format!(" prune [{prune}]"))],
        vec![ink.span(Role::Key, "w"), ink.plain(format!(" wait healthy [{wait}]"))],
        vec![ink.span(Role::Muted, "D dry-run only")],
    ];
    flow(ink, "options", parts, room)
}

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, screen: &PlanScreen, body: Rect) {
    let ink = canvas.ink;
    let (lines, place) = text_area(model, screen, body);
    let area = area(body, lines.len(), pinned(model, screen));
    canvas.clear(area);
    let application = model.fleet.application(&screen.ticket.application);
    let cluster = application.and_then(|application| model.cluster_of(application));
    let production = cluster.is_some_and(|cluster| cluster.production);
    let number = screen.plan.ready().map_or_else(String::new, |plan| format!(" #{}", plan.number));
    let target = cluster.map_or_else(String::new, |cluster| text::one_line(&cluster.context));
    let namespace = application.and_then(|application| application.namespace.as_deref());
    let namespace = namespace.map_or_else(String::new, |namespace| format!(" / {}", text::one_line(namespace)));
    let mut told =
        format!("Plan{number}   {} {} {target}", text::one_line(&screen.ticket.application), ink.glyphs.arrow);
    // On a narrow screen the namespace goes, which stands in every step; never the context or PROD.
    if text::width(&told) + text::width(&namespace) + 18 <= usize::from(area.width) {
        told += &namespace;
    }
    let mut title = vec![ink.span(Role::Strong, told)];
    if production {
        title.push(ink.span(Role::Production, "   [PROD]"));
    }
    let dot = ink.glyphs.dot;
    let hidden = lines.len().saturating_sub(screen.scroll + usize::from(place.height));
    let more = if hidden > 0 { format!("{} below (j) {dot} ", text::count(hidden, "line")) } else { String::new() };
    let keys = match screen.field {
        Field::Name => "tab leaves the field".to_owned(),
        Field::Cancel if availability::approval_missing(model, screen).is_some() => "v view diff".to_owned(),
        Field::Cancel => format!("a approve {dot} v view diff"),
    };
    let frame = Frame {
        title: Line::from(title),
        bottom: Line::from(format!("{more}{keys} {dot} esc cancel {dot} Enter is inert here")),
        style: border(model, true),
        ..Frame::default()
    };
    let inner = canvas.frame(area, &frame);
    canvas.lines(place, &lines, screen.scroll);
    if screen.typed_needed(model.settings.confirm_always) {
        let room = usize::from(inner.width).saturating_sub(LABEL + 1);
        let field = name_field(model, &ink, screen, room);
        canvas.line(inner, inner.height.saturating_sub(3), &field);
    }
    let blocked = availability::approval_missing(model, screen);
    let width = usize::from(inner.width);
    let answer = answers(&ink, screen.field, "a", "approve and apply", blocked.as_deref(), width);
    canvas.line(inner, inner.height.saturating_sub(1), &answer);
}
