//! Drawing into cells: spans by role, framed areas, rows with a cursor.

use crate::console::{
    glyph::Glyphs,
    model::{Model, Settings},
    text,
    theme::{Role, SELECTED, Theme},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

/// Signs and styles, to make lines with.
#[derive(Clone, Copy, Debug)]
pub struct Ink<'a> {
    /// Signs.
    pub glyphs: &'a Glyphs,
    /// Styles.
    pub theme: &'a Theme,
}

impl<'a> Ink<'a> {
    /// Takes a model's.
    pub fn of(model: &'a Model) -> Self {
        Self::from(&model.settings)
    }
    /// Returns a span of a role.
    pub fn span(&self, role: Role, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.theme.style(role))
    }
    /// Returns ordinary text.
    pub fn plain(&self, text: impl Into<String>) -> Span<'static> {
        Span::raw(text.into())
    }
    /// Returns outside text, cleaned, on one line, cut to `max` cells.
    pub fn outside(&self, role: Role, text: &str, max: usize) -> Span<'static> {
        self.span(role, text::cut(&text::one_line(text), max, self.glyphs.ellipsis))
    }
    /// Cuts or pads to exactly `cells`.
    pub fn fit(&self, text: &str, cells: usize) -> String {
        text::fit(text, cells, self.glyphs.ellipsis)
    }
    /// Cuts or pads to exactly `cells`, at the right.
    pub fn fit_right(&self, text: &str, cells: usize) -> String {
        text::fit_right(text, cells, self.glyphs.ellipsis)
    }
    /// Cuts to `cells`.
    pub fn cut(&self, text: &str, cells: usize) -> String {
        text::cut(text, cells, self.glyphs.ellipsis)
    }
    /// Returns lines of wrapped outside text.
    pub fn wrapped(&self, role: Role, indent: usize, text: &str, width: usize) -> Vec<Line<'static>> {
        let pad = " ".repeat(indent);
        text::wrap(text, width.saturating_sub(indent))
            .into_iter()
            .map(|line| Line::from(self.span(role, format!("{pad}{line}"))))
            .collect()
    }
}

impl<'a> From<&'a Settings> for Ink<'a> {
    fn from(settings: &'a Settings) -> Self {
        Self { glyphs: &settings.glyphs, theme: &settings.theme }
    }
}

/// What stands in a frame's border.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Above, at the left.
    pub title: Line<'static>,
    /// Above, at the right.
    pub right: Line<'static>,
    /// Below, at the right.
    pub bottom: Line<'static>,
    /// Style of the border.
    pub style: Style,
}

/// The cells, and what to draw with.
pub struct Canvas<'a> {
    /// The cells.
    pub buffer: &'a mut Buffer,
    /// Signs and styles.
    pub ink: Ink<'a>,
}

impl Canvas<'_> {
    /// Draws a line into a row, cut at the area's edge.
    pub fn line(&mut self, area: Rect, row: u16, line: &Line<'_>) {
        if row < area.height {
            self.buffer.set_line(area.x, area.y + row, line, area.width);
        }
    }

    /// Draws lines from the `from`th on.
    pub fn lines(&mut self, area: Rect, lines: &[Line<'_>], from: usize) {
        for (row, line) in (0..area.height).zip(lines.iter().skip(from)) {
            self.line(area, row, line);
        }
    }

    /// Marks the row that the cursor is on: one reversed bar where keys move it, bold where another pane has the focus.
    pub fn cursor(&mut self, area: Rect, row: u16, focused: bool) {
        if row < area.height {
            let style = if focused {
                SELECTED.fg(Color::Reset).remove_modifier(Modifier::DIM)
            } else {
                Style::new().add_modifier(Modifier::BOLD).remove_modifier(Modifier::DIM)
            };
            self.buffer.set_style(Rect { y: area.y + row, height: 1, ..area }, style);
        }
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// Draws a frame and returns its inside.
    pub fn frame(&mut self, area: Rect, frame: &Frame) -> Rect {
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let set = self.ink.glyphs.border;
        let (left, right) = (area.x, area.right() - 1);
        let (top, bottom) = (area.y, area.bottom() - 1);
        let middle = usize::from(area.width - 2);
        self.put(
            left,
            top,
            &format!("{}{}{}", set.top_left, set.horizontal_top.repeat(middle), set.top_right),
            frame.style,
        );
        self.put(
            left,
            bottom,
            &format!("{}{}{}", set.bottom_left, set.horizontal_bottom.repeat(middle), set.bottom_right),
            frame.style,
        );
        for y in top + 1..bottom {
            self.put(left, y, set.vertical_left, frame.style);
            self.put(right, y, set.vertical_right, frame.style);
        }
        // The title is never cut for what stands at the right of it.
        let room = middle.saturating_sub(2);
        let title = self.label(left + 2, top, &frame.title, room);
        self.label_right(right, top, &frame.right, room.saturating_sub(title + 2));
        self.label_right(right, bottom, &frame.bottom, room);
        crate::console::layout::inside(area)
    }

    fn put(&mut self, x: u16, y: u16, text: &str, style: Style) {
        self.buffer.set_string(x, y, text, style);
    }

    fn label(&mut self, x: u16, y: u16, line: &Line<'static>, room: usize) -> usize {
        let width = line.width();
        if width == 0 || room < 4 {
            return 0;
        }
        let shown = width.min(room - 2);
        let (room, end) = (u16::try_from(shown).unwrap_or(0), width > shown);
        // The border's colour is no statement about the text in it.
        self.put(x, y, &" ".repeat(usize::from(room) + 2), Style::reset());
        self.buffer.set_line(x + 1, y, line, room);
        if end {
            let mark = self.ink.glyphs.ellipsis;
            self.put(x + 1 + room - u16::try_from(text::width(mark)).unwrap_or(1), y, mark, Style::new());
        }
        self.put(x + 1 + room, y, " ", Style::new());
        shown + 2
    }

    fn label_right(&mut self, right: u16, y: u16, line: &Line<'static>, room: usize) {
        let shown = (line.width() + 2).min(room);
        let x = right.saturating_sub(u16::try_from(shown).unwrap_or(0) + 1);
        self.label(x, y, line, room);
    }
}
