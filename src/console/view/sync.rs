//! A sync: its waves and steps while it runs, its report when it has ended.

use super::{
    border,
    canvas::{Canvas, Frame, Ink},
};
use crate::{
    console::{
        layout,
        model::Model,
        screen::{Loaded, SyncScreen},
        status, text,
        theme::Role,
    },
    engine::{Action, StepReport, SyncProgress, Work},
};
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

fn progress<'a>(model: &'a Model, screen: &SyncScreen) -> Option<&'a SyncProgress> {
    match &model.fleet.application(&screen.application)?.work {
        Work::Syncing(progress) => Some(progress),
        _ => None,
    }
}

/// Returns the lines and where they stand.
pub fn text_area(model: &Model, screen: &SyncScreen, body: Rect) -> (Vec<Line<'static>>, Rect) {
    let area = layout::inside(body);
    (lines(model, screen, usize::from(area.width)), area)
}

fn lines(model: &Model, screen: &SyncScreen, width: usize) -> Vec<Line<'static>> {
    let ink = Ink::of(model);
    let mut lines = Vec::new();
    match (&screen.report, progress(model, screen)) {
        (Loaded::Ready(report), _) => {
            let (word, sign, role) = status::outcome(report.outcome, ink.glyphs);
            let record = if report.record.is_empty() { String::new() } else { format!("   record {}", report.record) };
            lines.push(Line::from(vec![
                ink.span(role, format!(" {sign} {word}")),
                ink.outside(Role::Muted, &record, width.saturating_sub(word.len() + 4)),
            ]));
            if !report.message.is_empty() {
                lines.extend(ink.wrapped(role, 1, &report.message, width));
            }
            lines.push(Line::default());
            let name = name_width(report.steps.iter().map(|step| step.object.as_str()));
            for (index, step) in report.steps.iter().enumerate() {
                lines.extend(done(&ink, index + 1, step, name, width));
            }
        }
        (Loaded::Failed(why), _) => lines.extend(ink.wrapped(Role::Failed, 1, why, width)),
        (Loaded::Loading, None) if screen.approved.is_none() => {
            lines.extend(ink.wrapped(Role::Muted, 1, "the sync has ended; the history and 4 Activity say how", width));
        }
        (Loaded::Loading, None) => {
            let text = "checking that nothing has moved since the approval";
            lines.extend(ink.wrapped(Role::Running, 1, text, width));
        }
        (Loaded::Loading, Some(progress)) => {
            lines.push(bar(model, &ink, screen, progress));
            lines.extend(ink.wrapped(Role::Plain, 1, &progress.current, width));
            lines.push(Line::default());
            let mut running = true;
            let name = name_width(progress.steps.iter().map(|(object, ..)| object.as_str()));
            for (index, (object, action, report)) in progress.steps.iter().enumerate() {
                match report {
                    Some(report) => lines.extend(done(&ink, index + 1, report, name, width)),
                    None => {
                        lines.push(open(&ink, index + 1, object, *action, running, name));
                        running = false;
                    }
                }
            }
        }
    }
    lines
}

fn bar(model: &Model, ink: &Ink<'_>, screen: &SyncScreen, progress: &SyncProgress) -> Line<'static> {
    const CELLS: usize = 20;
    let full = (progress.done * CELLS).checked_div(progress.total).unwrap_or(0).min(CELLS);
    let (done, left) = ink.glyphs.bar;
    let mut spans: Vec<Span<'static>> = vec![
        ink.plain(format!(" wave {}  ", progress.wave)),
        ink.span(Role::Running, done.repeat(full)),
        ink.span(Role::Muted, left.repeat(CELLS - full)),
        ink.plain(format!(" {}/{} ", progress.done, progress.total)),
    ];
    if let Some(approved) = screen.approved {
        let elapsed = model.stamp.uptime.saturating_sub(approved.uptime).as_secs();
        spans.push(ink.plain(format!("  {:02}:{:02}", elapsed / 60, elapsed % 60)));
        spans.push(ink.span(Role::Muted, format!("   approved here {}", approved.now.strftime("%H:%M:%S"))));
    }
    Line::from(spans)
}

/// Returns the width of the column of names.
fn name_width<'a>(objects: impl Iterator<Item = &'a str>) -> usize {
    objects.map(|object| text::width(&text::one_line(object))).max().unwrap_or(0).clamp(30, 60)
}

/// Writes how long a step took, short ones in milliseconds.
fn took(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1_000.0) } else { format!("{seconds:.1} s") }
}

fn done(ink: &Ink<'_>, index: usize, step: &StepReport, name: usize, width: usize) -> Vec<Line<'static>> {
    let (word, sign, role) = status::step(step.result, ink.glyphs);
    let object = text::one_line(&step.object);
    let mut lines = vec![Line::from(vec![
        ink.plain(format!(" {index:>3} ")),
        ink.span(role, format!("{sign} ")),
        ink.plain(ink.fit(&object, name)),
        ink.span(role, format!(" {word:<22}")),
        ink.span(Role::Muted, took(step.seconds)),
    ])];
    if !step.message.is_empty() {
        lines.extend(ink.wrapped(role, 8, &step.message, width));
    }
    lines
}

fn open(ink: &Ink<'_>, index: usize, object: &str, action: Action, running: bool, name: usize) -> Line<'static> {
    let verb = match action {
        Action::None => "nothing",
        Action::Create => "create",
        Action::Update => "apply",
        Action::Adopt => "adopt",
        Action::Replace => "replace",
        Action::RemoveExtra => "remove extra fields",
        Action::Prune => "delete",
    };
    let object = text::one_line(object);
    let (sign, role, word) =
        if running { (ink.glyphs.running, Role::Running, verb) } else { (ink.glyphs.dot, Role::Muted, "queued") };
    Line::from(vec![
        ink.plain(format!(" {index:>3} ")),
        ink.span(role, format!("{sign} ")),
        ink.plain(ink.fit(&object, name)),
        ink.span(role, format!(" {word}")),
    ])
}

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, screen: &SyncScreen, body: Rect) {
    let ink = canvas.ink;
    let (lines, area) = text_area(model, screen, body);
    let (word, sign, role) = match &screen.report {
        Loaded::Ready(report) => status::outcome(report.outcome, ink.glyphs),
        Loaded::Failed(_) => ("not carried out", ink.glyphs.failed, Role::Failed),
        Loaded::Loading if screen.stopping => ("stopping", ink.glyphs.running, Role::Pending),
        Loaded::Loading if model.syncing(&screen.application) => ("running", ink.glyphs.running, Role::Running),
        Loaded::Loading => ("ended", ink.glyphs.dot, Role::Muted),
    };
    let production = model.cluster().is_some_and(|cluster| cluster.production);
    let number = if screen.number > 0 { format!(" #{}", screen.number) } else { String::new() };
    let target = model.cluster().map_or_else(String::new, |cluster| text::one_line(&cluster.context));
    let mut title = vec![ink.span(
        Role::Strong,
        format!("Apply{number}  {} {} {target}", text::one_line(&screen.application), ink.glyphs.arrow),
    )];
    if production {
        title.push(ink.span(Role::Production, "  [PROD]"));
    }
    let dot = ink.glyphs.dot;
    let bottom = if model.syncing(&screen.application) {
        format!("x stop after this object {dot} esc leave it running")
    } else {
        "esc leaves".to_owned()
    };
    let frame = Frame {
        title: Line::from(title),
        right: Line::from(ink.span(role, format!("{sign} {word}"))),
        bottom: Line::from(bottom),
        style: border(model, true),
    };
    canvas.frame(body, &frame);
    canvas.lines(area, &lines, screen.scroll);
}
