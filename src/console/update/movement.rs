//! Moving: cursors, scrolling, panes, hunks and objects.

use super::commit;
use crate::console::{
    action::Action,
    diff::DiffPane,
    effect::Effect,
    layout::{self, Layout},
    model::{Model, Pane},
    screen::Layer,
    view,
};

/// What a movement asks for.
#[derive(Clone, Copy)]
enum Motion {
    By(isize),
    Top,
    Bottom,
}

/// Carries a movement out.
pub fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    use Action as A;
    let yaml = model.settings.yaml;
    let half = half_page(model);
    match action {
        A::Down => return go(model, Motion::By(1)),
        A::Up => return go(model, Motion::By(-1)),
        A::HalfDown => return go(model, Motion::By(half)),
        A::HalfUp => return go(model, Motion::By(-half)),
        A::Top => return go(model, Motion::Top),
        A::Bottom => return go(model, Motion::Bottom),
        A::ScrollDown => scroll(model, 3),
        A::ScrollUp => scroll(model, -3),
        A::NextPane => model.focus = layout::neighbour(model.focus, 1),
        A::PreviousPane => model.focus = layout::neighbour(model.focus, -1),
        A::PaneDiff => model.focus = Pane::Diff,
        A::PaneRepositories => model.focus = Pane::Repositories,
        A::PaneApplications => model.focus = Pane::Applications,
        A::PaneHistory => model.focus = Pane::History,
        A::PaneActivity => model.focus = Pane::Activity,
        A::NextHunk
        | A::PreviousHunk
        | A::NextObject
        | A::PreviousObject
        | A::MoreContext
        | A::LessContext
        | A::ManagedFields
        | A::Extras
        | A::Wrap => {
            if let Some(pane) = diff(model) {
                match action {
                    A::NextHunk => pane.step_hunk(true, yaml),
                    A::PreviousHunk => pane.step_hunk(false, yaml),
                    A::NextObject => pane.step_object(1, yaml),
                    A::PreviousObject => pane.step_object(-1, yaml),
                    A::MoreContext => pane.step_context(true, yaml),
                    A::LessContext => pane.step_context(false, yaml),
                    A::Extras => pane.toggle_extras(yaml),
                    A::Wrap => pane.wrap = !pane.wrap,
                    _ => pane.toggle_server_fields(yaml),
                }
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Returns the diff that keys act on: the top screen's, or the main one.
fn diff(model: &mut Model) -> Option<&mut DiffPane> {
    match model.layers.last_mut() {
        None => Some(&mut model.diff),
        Some(Layer::Diff(pane)) => Some(pane),
        Some(_) => None,
    }
}

fn half_page(model: &Model) -> isize {
    let layout = Layout::of(model);
    let rows = if model.layers.is_empty() { layout.rows(model.focus) } else { usize::from(layout.body.height) };
    isize::try_from(rows / 2).unwrap_or(1).max(1)
}

fn go(model: &mut Model, motion: Motion) -> Vec<Effect> {
    let limit = view::scroll_limit(model);
    match model.layers.last_mut() {
        None => match model.focus {
            Pane::Repositories => list(&mut model.repositories, motion),
            Pane::Applications => list(&mut model.applications, motion),
            Pane::History => list(&mut model.history, motion),
            Pane::Activity => list(&mut model.activity, motion),
            Pane::Diff => document(&mut model.diff, motion),
        },
        Some(Layer::Diff(pane)) => document(pane, motion),
        Some(Layer::Commit(_)) => {
            list(&mut model.history, motion);
            return commit::follow(model);
        }
        Some(Layer::Plan(screen)) => text(&mut screen.scroll, motion, limit),
        Some(Layer::Sync(screen)) => text(&mut screen.scroll, motion, limit),
        Some(Layer::Revert(screen)) => text(&mut screen.scroll, motion, limit),
        Some(Layer::Document(screen)) => text(&mut screen.scroll, motion, limit),
        Some(Layer::Help(_) | Layer::Quit(_)) => {}
    }
    Vec::new()
}

fn list<K: Clone + PartialEq>(list: &mut crate::console::selection::Selection<K>, motion: Motion) {
    match motion {
        Motion::By(rows) => list.step(rows),
        Motion::Top => list.go(0),
        Motion::Bottom => list.go(usize::MAX),
    }
}

fn document(pane: &mut DiffPane, motion: Motion) {
    pane.scroll_by(match motion {
        Motion::By(rows) => rows,
        Motion::Top => isize::MIN,
        Motion::Bottom => isize::MAX,
    });
}

fn text(scroll: &mut usize, motion: Motion, limit: usize) {
    *scroll = match motion {
        Motion::By(rows) => scroll.saturating_add_signed(rows),
        Motion::Top => 0,
        Motion::Bottom => limit,
    }
    .min(limit);
}

/// Scrolls the diff or the detail while the focus stays in a list.
pub fn scroll(model: &mut Model, by: isize) {
    let limit = view::scroll_limit(model);
    match model.layers.last_mut() {
        None => model.diff.scroll_by(by),
        Some(Layer::Diff(pane)) => pane.scroll_by(by),
        Some(Layer::Commit(screen)) => text(&mut screen.scroll, Motion::By(by), limit),
        Some(_) => _ = go(model, Motion::By(by)),
    }
}
