//! Where everything stands, as a pure function of size, focus and zoom; drawing, scrolling and the mouse all read it.

use super::model::{Model, PANES, Pane};
use ratatui::layout::Rect;

/// Below this many columns or rows there is only a plain message.
pub const TINY: (u16, u16) = (60, 15);
const SMALL: (u16, u16) = (80, 20);
const STACKED: u16 = 84;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Too little for anything.
    Tiny,
    /// One pane, the others as tabs.
    Small,
    /// Panes one above the other.
    Stacked,
    /// Lists at the left, diff and activity at the right.
    Wide,
}

/// The places.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// How much room there is.
    pub shape: Shape,
    /// First line.
    pub header: Rect,
    /// Line of tabs; empty unless small.
    pub tabs: Rect,
    /// Between header and footer.
    pub body: Rect,
    /// Panes on the screen, with their frames.
    pub panes: Vec<(Pane, Rect)>,
    /// Line of place and message.
    pub crumbs: Rect,
    /// Line of hints, or of what is typed.
    pub hints: Rect,
}

impl Layout {
    /// Computes the places.
    pub fn of(model: &Model) -> Self {
        let (width, height) = model.size;
        let line = |y: u16| Rect::new(0, y.min(height.saturating_sub(1)), width, 1.min(height));
        let shape = if width < TINY.0 || height < TINY.1 {
            Shape::Tiny
        } else if width < SMALL.0 || height < SMALL.1 {
            Shape::Small
        } else if width <= STACKED {
            Shape::Stacked
        } else {
            Shape::Wide
        };
        let tabs_height = u16::from(shape == Shape::Small);
        let top = 1 + tabs_height;
        let body = Rect::new(0, top, width, height.saturating_sub(top + 2));
        let panes = match shape {
            Shape::Tiny => Vec::new(),
            _ if model.zoom || shape == Shape::Small => vec![(model.focus, body)],
            Shape::Stacked => stacked(body, model.focus),
            _ => wide(body, model),
        };
        Self {
            shape,
            header: line(0),
            tabs: if tabs_height == 1 { line(1) } else { Rect::default() },
            body,
            panes,
            crumbs: line(height.saturating_sub(2)),
            hints: line(height.saturating_sub(1)),
        }
    }

    /// Returns where a pane stands, if it does.
    pub fn pane(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(here, _)| *here == pane).map(|(_, area)| *area)
    }

    /// Returns how many rows a pane can show.
    pub fn rows(&self, pane: Pane) -> usize {
        let frame = if pane == Pane::Applications { 3 } else { 2 };
        self.pane(pane).map_or(1, |area| usize::from(area.height.saturating_sub(frame)))
    }
}

fn wide(body: Rect, model: &Model) -> Vec<(Pane, Rect)> {
    let left = (body.width / 3).clamp(38, 60);
    let right = body.width - left;
    let repositories = u16::try_from(model.fleet.repositories.len()).unwrap_or(u16::MAX).saturating_add(2).clamp(5, 8);
    let repositories = repositories.min(body.height / 4).max(3);
    let history = (body.height * 3 / 10).max(4);
    let applications = body.height - repositories - history;
    let activity = (body.height / 4).clamp(4, 9);
    let column = |x, width, y, height| Rect::new(body.x + x, body.y + y, width, height);
    vec![
        (Pane::Repositories, column(0, left, 0, repositories)),
        (Pane::Applications, column(0, left, repositories, applications)),
        (Pane::History, column(0, left, repositories + applications, history)),
        (Pane::Diff, column(left, right, 0, body.height - activity)),
        (Pane::Activity, column(left, right, body.height - activity, activity)),
    ]
}

/// The pane with the focus gets the room, the others keep the row of their cursor.
fn stacked(body: Rect, focus: Pane) -> Vec<(Pane, Rect)> {
    const CLOSED: u16 = 3;
    let order = [Pane::Repositories, Pane::Applications, Pane::History, Pane::Diff, Pane::Activity];
    let free = body.height.saturating_sub(CLOSED * 5);
    let mut y = body.y;
    let mut out = Vec::new();
    for pane in order {
        let extra = match (pane == focus, pane, focus) {
            (true, Pane::Diff, _) => free,
            (true, ..) => free - free / 3,
            (false, Pane::Diff, _) => free / 3,
            _ => 0,
        };
        out.push((pane, Rect::new(body.x, y, body.width, CLOSED + extra)));
        y += CLOSED + extra;
    }
    out
}

/// Returns the pane `by` steps of `tab` away.
pub fn neighbour(pane: Pane, by: isize) -> Pane {
    let here = PANES.iter().position(|other| *other == pane).unwrap_or(0) as isize;
    PANES[(here + by).rem_euclid(PANES.len() as isize) as usize]
}

/// Returns a frame's inside.
pub fn inside(area: Rect) -> Rect {
    Rect::new(
        (area.x + 1).min(area.right()),
        (area.y + 1).min(area.bottom()),
        area.width.saturating_sub(2),
        area.height.saturating_sub(2),
    )
}

/// Splits the diff's inside into object list and document; the list takes at most a third.
pub fn diff_parts(inner: Rect, objects: usize) -> (Rect, Rect) {
    let list = u16::try_from(objects).unwrap_or(u16::MAX).min((inner.height / 3).max(1)).min(inner.height);
    let gap = u16::from(inner.height > list + 4);
    let top = list + gap;
    (
        Rect { height: list, ..inner },
        Rect { y: inner.y + top.min(inner.height), height: inner.height.saturating_sub(top), ..inner },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    #[test]
    fn every_size_is_filled_without_overlap_and_without_leaving_the_screen() {
        let mut model = fixture::model(120, 36);
        for width in 1..200 {
            for height in [1, 2, 5, 14, 15, 19, 20, 24, 36, 80] {
                for focus in PANES {
                    model.size = (width, height);
                    model.focus = focus;
                    let layout = Layout::of(&model);
                    let mut used = 0;
                    for (_, area) in &layout.panes {
                        assert!(area.right() <= width && area.bottom() <= height, "{width}x{height}");
                        used += area.area();
                    }
                    if layout.shape != Shape::Tiny {
                        assert_eq!(used, layout.body.area(), "{width}x{height} {focus:?}");
                    }
                }
            }
        }
    }
}
