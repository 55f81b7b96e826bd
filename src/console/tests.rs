//! What the console promises, key by key.

mod approving;
mod moving;
mod telling;

use super::{
    effect::Effect,
    fixture::{self, send},
    message::Event,
    model::Model,
    snapshots::open_plan,
};
use crate::engine::{Confirmation, Fleet};
use std::sync::Arc;

pub fn syncs(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Sync { .. })).count()
}

pub fn status(model: &Model) -> &str {
    model.status.as_ref().map_or("", |status| &status.text)
}

pub fn plan_model(confirmation: Confirmation) -> Model {
    let mut model = fixture::model(120, 36);
    open_plan(&mut model, confirmation);
    model
}

/// Changes the fleet and sends it.
pub fn change(model: &mut Model, by: impl FnOnce(&mut Fleet)) -> Vec<Effect> {
    let mut fleet = (*model.fleet).clone();
    fleet.generation += 1;
    by(&mut fleet);
    send(model, Event::Fleet(Arc::new(fleet)))
}
