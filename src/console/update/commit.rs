//! A commit beside the history: what it renders to, and what applying it now would do.

use crate::{
    console::{
        diff::DiffPane,
        effect::Effect,
        message::Ticket,
        model::Model,
        screen::{CommitScreen, Layer, Loaded},
    },
    engine::{
        ApplicationState, AutoSyncView, CommitEffect, Comparison, EngineError, LeaseView, LiveAge, ObjectComparison,
    },
};
use std::sync::Arc;

/// Shows the commit under the history's cursor.
pub fn open(model: &mut Model) -> Vec<Effect> {
    let (Some(commit), Some(application)) = (model.history.current().copied(), model.shown_application()) else {
        return Vec::new();
    };
    let application = application.name.clone();
    let ticket = model.ticket(&application);
    model.layers.push(Layer::Commit(CommitScreen {
        application,
        ticket: ticket.clone(),
        commit,
        effect: Loaded::Loading,
        scroll: 0,
    }));
    vec![Effect::Commit { ticket, commit }]
}

/// After the cursor has moved: asks for the commit that it is on now.
pub fn follow(model: &mut Model) -> Vec<Effect> {
    let moved = match (model.layers.last(), model.history.current()) {
        (Some(Layer::Commit(screen)), Some(commit)) => screen.commit != *commit,
        _ => false,
    };
    if !moved {
        return Vec::new();
    }
    model.layers.pop();
    open(model)
}

/// Takes a commit in.
pub fn arrive(model: &mut Model, ticket: &Ticket, result: Result<Arc<CommitEffect>, EngineError>) {
    for layer in &mut model.layers {
        if let Layer::Commit(screen) = layer
            && screen.ticket == *ticket
        {
            screen.effect = match &result {
                Ok(effect) => Loaded::Ready(Arc::clone(effect)),
                Err(error) => Loaded::Failed(error.to_string()),
            };
        }
    }
}

/// Returns the diff of what a commit renders to against its parent.
pub fn diff(model: &Model, effect: &CommitEffect) -> DiffPane {
    let objects: Vec<Arc<ObjectComparison>> =
        effect.rendered.iter().map(|rendered| Arc::new(rendered.object.clone())).collect();
    let cluster = model.fleet.application(&effect.application).map_or_else(String::new, |view| view.cluster.clone());
    let comparison = Comparison {
        application: effect.application.clone(),
        cluster,
        revision: Some(effect.commit.id),
        branch: None,
        base: None,
        state: ApplicationState::OutOfSync,
        partial: false,
        stale_since: None,
        pinned: None,
        paused: false,
        health: crate::cluster::HealthStatus::default(),
        objects,
        live: LiveAge::default(),
        lease: LeaseView::default(),
        auto_sync: AutoSyncView::default(),
        issues: Vec::new(),
    };
    let mut pane = DiffPane::default();
    let sides = format!("parent {} {}", model.settings.glyphs.arrow, effect.commit.id.short());
    pane.show(Some(Arc::new(comparison)), sides, model.settings.yaml);
    pane
}
