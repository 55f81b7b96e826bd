//! A new snapshot, and the rows that follow from it.

use super::plan;
use crate::{
    console::{
        effect::Effect,
        filter,
        layout::{self, Layout},
        model::{Model, Pane},
        screen::Layer,
        status::Standing,
        text, view,
    },
    engine::{Fleet, RepositoryState},
};
use std::sync::Arc;

/// Takes a snapshot in.
pub fn arrive(model: &mut Model, fleet: Arc<Fleet>) -> Vec<Effect> {
    model.fleet = fleet;
    model.rows_stale = true;
    plan::check_basis(model)
}

/// Brings rows, cursors and scroll positions in line with the rest of the model.
pub fn settle(model: &mut Model) {
    if model.rows_stale {
        model.rows_stale = false;
        lists(model);
    }
    subject(model);
    let layout = Layout::of(model);
    model.repositories.scroll_to_cursor(layout.rows(Pane::Repositories));
    model.applications.scroll_to_cursor(layout.rows(Pane::Applications));
    let history = match model.layers.last() {
        Some(Layer::Commit(_)) => usize::from(layout.body.height.saturating_sub(2)),
        _ => layout.rows(Pane::History),
    };
    model.history.scroll_to_cursor(history);
    model.activity.scroll_to_cursor(layout.rows(Pane::Activity));
    let body = layout.body;
    let diff_area = layout.pane(Pane::Diff).unwrap_or(body);
    let pane = match model.layers.last_mut() {
        Some(Layer::Diff(pane)) => Some((&mut **pane, body)),
        None => Some((&mut model.diff, diff_area)),
        Some(_) => None,
    };
    if let Some((pane, area)) = pane {
        let (list, _) = layout::diff_parts(layout::inside(area), pane.objects.rows().len());
        pane.objects.scroll_to_cursor(usize::from(list.height));
    }
    let limit = view::scroll_limit(model);
    let help_height = usize::from(view::help_height(model)).max(1);
    match model.layers.last_mut() {
        Some(Layer::Plan(screen)) => screen.scroll = screen.scroll.min(limit),
        Some(Layer::Sync(screen)) => screen.scroll = screen.scroll.min(limit),
        Some(Layer::Revert(screen)) => screen.scroll = screen.scroll.min(limit),
        Some(Layer::Commit(screen)) => screen.scroll = screen.scroll.min(limit),
        Some(Layer::Document(screen)) => screen.scroll = screen.scroll.min(limit),
        Some(Layer::Help(screen)) => {
            screen.offset = screen.offset.min(screen.row).max((screen.row + 1).saturating_sub(help_height));
        }
        _ => {}
    }
}

fn lists(model: &mut Model) {
    let untouched = model.last_key.is_none();
    let fleet = Arc::clone(&model.fleet);
    let mut repositories: Vec<_> = fleet.repositories.iter().collect();
    repositories.sort_by_key(|repository| !matches!(repository.state, RepositoryState::Failed { .. }));
    let repositories: Vec<String> = repositories.into_iter().map(|repository| repository.name.clone()).collect();
    let total = repositories.len();
    let rows = filter::keep(repositories, &model.repositories.filter, Clone::clone);
    model.repositories.settle(rows, total, untouched);

    let mut applications: Vec<_> = fleet.applications.iter().map(|view| (Standing::of(view), &view.name)).collect();
    applications.sort_by_key(|(standing, _)| *standing);
    let names = applications.into_iter().map(|(_, name)| name.clone()).collect();
    let rows = filter::keep(names, &model.applications.filter, Clone::clone);
    model.applications.settle(rows, fleet.applications.len(), untouched);

    let mut entries: Vec<_> = fleet.activity.iter().chain(&model.notes).cloned().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.time));
    entries.dedup();
    let total = entries.len();
    let rows = filter::keep(entries, &model.activity.filter, |entry| format!("{} {}", entry.subject, entry.text));
    let newest = model.focus != Pane::Activity;
    model.activity.settle(rows, total, untouched || newest);
    history(model);
}

fn history(model: &mut Model) {
    let commits = model.commits();
    let total = commits.len();
    let named: Vec<_> = commits
        .iter()
        .map(|row| (row.id, format!("{} {} {}", row.id, text::one_line(&row.subject), row.author.name)))
        .collect();
    let rows = filter::keep(named, &model.history.filter, |(_, name)| name.clone());
    let rows = rows.into_iter().map(|(id, _)| id).collect();
    model.history.settle(rows, total, model.last_key.is_none());
}

/// Makes history and diff be about the application under the cursor.
fn subject(model: &mut Model) {
    let wanted = model.applications.wanted().filter(|name| model.fleet.application(name).is_some()).cloned();
    if wanted != model.subject && !matches!(model.layers.last(), Some(Layer::Commit(_))) {
        model.subject = wanted;
        model.history.reset();
        history(model);
    }
    let comparison = model.shown_application().and_then(|application| application.comparison.clone());
    let sides = comparison.as_ref().map_or_else(String::new, |comparison| {
        let revision = comparison.revision.map_or_else(|| "folder".to_owned(), |id| id.short());
        format!("live {} {revision}", model.settings.glyphs.arrow)
    });
    let yaml = model.settings.yaml;
    model.diff.show(comparison, sides, yaml);
}
