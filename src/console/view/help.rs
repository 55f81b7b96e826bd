//! Help: the table of actions, searchable; what cannot be done now is dimmed and says why.

use super::canvas::{Canvas, Frame};
use crate::console::{action::Danger, availability, model::Model, screen::HelpScreen, text, theme::Role, update};
use ratatui::{layout::Rect, text::Line};

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, screen: &HelpScreen, body: Rect) {
    let ink = canvas.ink;
    let rows = update::help_rows(&screen.filter);
    let frame = Frame {
        title: Line::from(ink.span(Role::Focus, "Keys and actions")),
        bottom: Line::from(format!("{} actions {} type to search, enter runs, esc leaves", rows.len(), ink.glyphs.dot)),
        style: ink.theme.style(Role::Focus),
        ..Frame::default()
    };
    let inner = canvas.frame(body, &frame);
    let search = vec![ink.span(Role::Key, " /"), ink.outside(Role::Plain, &screen.filter, 60), ink.plain("_")];
    canvas.line(inner, 0, &Line::from(search));
    // The whole sentence of the row under the cursor, which the row itself may have no room for.
    if let Some(spec) = rows.get(screen.row) {
        let told = format!(" {}: {}", spec.label, spec.help);
        canvas.line(inner, 1, &Line::from(ink.outside(Role::Muted, &told, usize::from(inner.width))));
    }
    let list = Rect { y: inner.y + 2.min(inner.height), height: inner.height.saturating_sub(2), ..inner };
    // What is below help decides what can be done.
    let mut below = model.clone();
    below.layers.pop();
    let scopes = below.scopes();
    for (line, (index, spec)) in (0..list.height).zip(rows.iter().enumerate().skip(screen.offset)) {
        let keys = model.settings.keymap.keys(spec).join(" ");
        let reason = if scopes.contains(&spec.scope) { availability::why_not(&below, spec.action) } else { None };
        let role = if reason.is_some() { Role::Muted } else { Role::Plain };
        let scope = format!("{:?}", spec.scope).to_lowercase();
        let danger = match spec.danger {
            Danger::None => "",
            Danger::Asks => "  (asks first)",
            Danger::Writes => "  (writes)",
        };
        let used = 2 + 16 + 18 + 9;
        let room = usize::from(list.width).saturating_sub(used + text::width(danger));
        let told = reason.map_or_else(|| spec.help.to_owned(), |reason| format!("{}: {reason}", spec.help));
        let here = index == screen.row;
        let line_text = Line::from(vec![
            ink.plain(if here { "> " } else { "  " }),
            ink.span(if role == Role::Muted { role } else { Role::Key }, ink.fit(&keys, 16)),
            ink.span(role, ink.fit(spec.id, 18)),
            ink.span(Role::Muted, ink.fit(&scope, 9)),
            ink.outside(role, &told, room),
            ink.span(Role::Pending, danger),
        ]);
        canvas.line(list, line, &line_text);
        if here {
            canvas.cursor(list, line, true);
        }
    }
}
