//! The mouse selects and scrolls; it never answers a question.

use super::movement;
use crate::console::{
    effect::Effect,
    layout::{self, Layout},
    model::{Model, Pane},
};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// Takes a mouse event in.
pub fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let wheel = match event.kind {
        MouseEventKind::ScrollDown => Some(3),
        MouseEventKind::ScrollUp => Some(-3),
        MouseEventKind::Down(MouseButton::Left) => None,
        _ => return Vec::new(),
    };
    if !model.layers.is_empty() {
        if let Some(by) = wheel {
            movement::scroll(model, by);
        }
        return Vec::new();
    }
    let layout = Layout::of(model);
    let at = Position::new(event.column, event.row);
    let Some((pane, area)) = layout.panes.iter().find(|(_, area)| area.contains(at)).copied() else {
        return Vec::new();
    };
    if let Some(by) = wheel {
        match pane {
            Pane::Repositories => model.repositories.step(by),
            Pane::Applications => model.applications.step(by),
            Pane::History => model.history.step(by),
            Pane::Activity => model.activity.step(by),
            Pane::Diff => model.diff.scroll_by(by),
        }
        return Vec::new();
    }
    model.focus = pane;
    let inner = layout::inside(area);
    if !inner.contains(at) {
        return Vec::new();
    }
    let row = usize::from(event.row - inner.y);
    match pane {
        Pane::Repositories => click(&mut model.repositories, row),
        Pane::Applications if row > 0 => click(&mut model.applications, row - 1),
        Pane::History => click(&mut model.history, row),
        Pane::Activity => click(&mut model.activity, row),
        Pane::Diff => {
            let (list, _) = layout::diff_parts(inner, model.diff.objects.rows().len());
            if list.contains(at) {
                let yaml = model.settings.yaml;
                let row = model.diff.objects.offset + row;
                model.diff.go_object(row, yaml);
            }
        }
        Pane::Applications => {}
    }
    Vec::new()
}

fn click<K: Clone + PartialEq>(list: &mut crate::console::selection::Selection<K>, row: usize) {
    let row = list.offset + row;
    if row < list.rows().len() {
        list.go(row);
    }
}
