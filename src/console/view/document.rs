//! Text to read.

use super::{
    border,
    canvas::{Canvas, Frame, Ink},
};
use crate::console::{layout, model::Model, screen::Document, theme::Role};
use ratatui::{layout::Rect, text::Line};

/// Returns its lines, wrapped, and where they stand.
pub fn text_area(ink: &Ink<'_>, screen: &Document, body: Rect) -> (Vec<Line<'static>>, Rect) {
    let area = layout::inside(body);
    let width = usize::from(area.width);
    (screen.lines.iter().flat_map(|line| ink.wrapped(Role::Plain, 1, line, width)).collect(), area)
}

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, screen: &Document, body: Rect) {
    let ink = canvas.ink;
    let (lines, area) = text_area(&ink, screen, body);
    let last = (screen.scroll + usize::from(area.height)).min(lines.len());
    let frame = Frame {
        title: Line::from(ink.span(Role::Focus, screen.title.clone())),
        bottom: Line::from(format!("{last} of {} lines", lines.len())),
        style: border(model, true),
        ..Frame::default()
    };
    canvas.frame(body, &frame);
    canvas.lines(area, &lines, screen.scroll);
}
