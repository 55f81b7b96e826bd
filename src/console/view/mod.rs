//! The pure other half: a model becomes cells. No I/O, no state.
//!
//! See [`view`] for the entry point; one file for each pane or screen.

mod answer;
mod canvas;
mod commit;
mod diff;
mod diff_lines;
mod document;
mod footer;
mod header;
mod help;
mod history;
mod lists;
mod plan;
mod revert;
mod sync;

use super::{
    layout::{self, Layout, Shape, TINY},
    model::{Model, PANES, Pane},
    screen::Layer,
    text,
    theme::Role,
};
use canvas::{Canvas, Ink};
use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
};

/// Draws the model.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let mut canvas = Canvas { buffer: frame.buffer_mut(), ink: Ink::of(model) };
    let mut layout = Layout::of(model);
    // The terminal may have shrunk since the model heard of its size.
    let real = canvas.buffer.area;
    if (real.width, real.height) != model.size {
        let mut here = model.clone();
        here.size = (real.width, real.height);
        layout = Layout::of(&here);
    }
    if layout.shape == Shape::Tiny {
        return tiny(&mut canvas, model, real);
    }
    header::draw(&mut canvas, model, layout.header);
    if layout.tabs.height > 0 {
        tabs(&mut canvas, model, layout.tabs);
    }
    let covered = matches!(
        model.layers.last(),
        Some(
            Layer::Commit(_) | Layer::Diff(_) | Layer::Document(_) | Layer::Help(_) | Layer::Sync(_) | Layer::Revert(_)
        )
    );
    if !covered {
        for (pane, area) in &layout.panes {
            draw_pane(&mut canvas, model, *pane, *area);
        }
    }
    let body = layout.body;
    match model.layers.last() {
        None => {}
        Some(Layer::Plan(screen)) => plan::draw(&mut canvas, model, screen, body),
        Some(Layer::Sync(screen)) => sync::draw(&mut canvas, model, screen, body),
        Some(Layer::Revert(screen)) => revert::draw(&mut canvas, model, screen, body),
        Some(Layer::Commit(screen)) => commit::draw(&mut canvas, model, screen, body),
        Some(Layer::Diff(pane)) => diff::draw_full(&mut canvas, model, pane, body),
        Some(Layer::Document(screen)) => document::draw(&mut canvas, model, screen, body),
        Some(Layer::Help(screen)) => help::draw(&mut canvas, model, screen, body),
        Some(Layer::Quit(_)) => quit(&mut canvas, model, body),
    }
    footer::draw(&mut canvas, model, &layout);
}

fn draw_pane(canvas: &mut Canvas<'_>, model: &Model, pane: Pane, area: Rect) {
    match pane {
        Pane::Repositories => lists::repositories(canvas, model, area),
        Pane::Applications => lists::applications(canvas, model, area),
        Pane::History => history::draw(canvas, model, area),
        Pane::Diff => diff::draw(canvas, model, area),
        Pane::Activity => lists::activity(canvas, model, area),
    }
}

/// Returns how far the top screen can be scrolled.
pub fn scroll_limit(model: &Model) -> usize {
    let body = Layout::of(model).body;
    let (lines, area) = match model.layers.last() {
        Some(Layer::Plan(screen)) => plan::text_area(model, screen, body),
        Some(Layer::Sync(screen)) => sync::text_area(model, screen, body),
        Some(Layer::Revert(screen)) => revert::text_area(model, screen, body),
        Some(Layer::Commit(screen)) => commit::text_area(model, screen, body),
        Some(Layer::Document(screen)) => document::text_area(&Ink::of(model), screen, body),
        _ => return 0,
    };
    lines.len().saturating_sub(usize::from(area.height))
}

/// Returns how many rows of help fit.
pub fn help_height(model: &Model) -> u16 {
    layout::inside(Layout::of(model).body).height.saturating_sub(2)
}

/// One pane only: the others are named above it.
fn tabs(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    let mut spans = vec![Span::raw(" ")];
    for pane in PANES {
        let (key, name) = match pane {
            Pane::Repositories => ("1", "Repos"),
            Pane::Applications => ("2", "Apps"),
            Pane::History => ("3", "History"),
            Pane::Diff => ("0", "Diff"),
            Pane::Activity => ("4", "Activity"),
        };
        if pane == model.focus {
            spans.push(ink.span(Role::Focus, format!("[{key} {name}]")));
        } else {
            spans.push(ink.span(Role::Muted, format!(" {key} {name} ")));
        }
    }
    canvas.line(area, 0, &Line::from(spans));
}

fn tiny(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let ink = canvas.ink;
    header::draw(canvas, model, Rect { height: area.height.min(1), ..area });
    let ask = if model.running().is_empty() { "q quits." } else { "A sync runs and goes on." };
    let message = format!(
        "This terminal is {}x{}; driftdeck needs {}x{} to show a whole row. {ask}",
        area.width, area.height, TINY.0, TINY.1
    );
    let lines = ink.wrapped(Role::Plain, 0, &message, usize::from(area.width));
    let rest = Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area };
    canvas.lines(rest, &lines, 0);
}

fn quit(canvas: &mut Canvas<'_>, model: &Model, body: Rect) {
    let ink = canvas.ink;
    let names: Vec<String> = model.runs.keys().map(|name| text::one_line(name)).collect();
    let names = if names.is_empty() { "nothing any more".to_owned() } else { names.join(", ") };
    let width = body.width.min(64);
    let inner = usize::from(width).saturating_sub(4);
    let mut lines = ink.wrapped(Role::Plain, 1, &format!("Syncing: {names}"), inner);
    lines.push(Line::default());
    lines.extend(ink.wrapped(
        Role::Plain,
        1,
        "Quitting stops each sync after the requests in flight; its record will say Interrupted.",
        inner,
    ));
    lines.push(Line::default());
    lines.push(Line::from(vec![
        ink.span(Role::Strong, "    [ Stay ]"),
        ink.plain("          "),
        ink.span(Role::Key, "y"),
        ink.plain("  stop and quit"),
    ]));
    let area = centred(body, width, u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2));
    canvas.clear(area);
    let frame = canvas::Frame {
        title: Line::from(ink.span(Role::Failed, "A sync is running")),
        bottom: Line::from("esc stays"),
        style: ink.theme.style(Role::Failed),
        ..canvas::Frame::default()
    };
    let area = canvas.frame(area, &frame);
    canvas.lines(area, &lines, 0);
}

/// Returns the style of a frame: bold where the focus is; red on production, whatever stands in it.
fn border(model: &Model, focused: bool) -> Style {
    let theme = &model.settings.theme;
    match (model.cluster().is_some_and(|cluster| cluster.production), focused) {
        (true, true) => theme.style(Role::Production),
        (true, false) => theme.style(Role::Production).remove_modifier(Modifier::BOLD),
        (false, true) => theme.style(Role::Focus),
        (false, false) => theme.style(Role::Plain),
    }
}

/// Returns a place in the middle.
fn centred(body: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(body.width), height.min(body.height));
    Rect::new(body.x + (body.width - width) / 2, body.y + (body.height - height) / 2, width, height)
}
