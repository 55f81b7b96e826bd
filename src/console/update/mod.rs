//! The pure half: a message changes the model and may ask for effects. No clock, no I/O, no randomness.
//!
//! See [`update`] for the entry point.

mod command;
mod commit;
mod dispatch;
mod fleet;
mod input;
mod mouse;
mod movement;
mod plan;
mod revert;
mod sync;

pub use input::help_rows;

use super::{
    effect::Effect,
    gate::Press,
    key::Key,
    layout::{Layout, Shape},
    message::{Event, Msg, Reply},
    model::{Model, Tone},
    screen::Layer,
};
use crossterm::event::{KeyEvent, KeyEventKind};

/// Takes a message in.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    // Time never goes back for the model, whatever the sender's order.
    model.stamp = msg.at;
    if model.status.as_ref().is_some_and(|status| msg.at.uptime.saturating_sub(status.since) > status.life()) {
        model.status = None;
    }
    let mut effects = match msg.event {
        Event::Drawn => {
            drawn(model);
            return Vec::new();
        }
        Event::Key(event) => {
            let before = model.status.clone();
            let effects = key(model, event);
            match &mut model.status {
                Some(status) if before.as_ref() != Some(status) => status.answer = true,
                Some(status) if status.answer && status.since < msg.at.uptime => model.status = None,
                _ => {}
            }
            effects
        }
        Event::Paste(text) => input::paste(model, &text),
        Event::Mouse(event) => mouse::mouse(model, event),
        Event::Resize(width, height) => {
            model.size = (width, height);
            Vec::new()
        }
        Event::Tick => plan::expire(model),
        Event::Fleet(fleet) => fleet::arrive(model, fleet),
        Event::Reply(reply) => answer(model, reply),
        Event::Note(note) => {
            model.notes.push(note);
            model.rows_stale = true;
            Vec::new()
        }
    };
    fleet::settle(model);
    effects.extend(drawing(model));
    effects
}

/// Hands out the diffs that are too big to be drawn here.
fn drawing(model: &mut Model) -> Vec<Effect> {
    let layers = model.layers.iter_mut().filter_map(|layer| match layer {
        Layer::Diff(pane) => Some(&mut **pane),
        _ => None,
    });
    let mut effects = Vec::new();
    for pane in std::iter::once(&mut model.diff).chain(layers).filter(|pane| pane.has_work()) {
        model.epoch += 1;
        effects.extend(pane.hand_out(model.epoch).map(Effect::Draw));
    }
    effects
}

fn key(model: &mut Model, event: KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let press = Press { at: model.stamp.uptime, before: model.last_key, repeat: event.kind == KeyEventKind::Repeat };
    model.last_key = Some(press.at);
    let key = Key::from(event);
    if Layout::of(model).shape == Shape::Tiny {
        return dispatch::tiny(model, key);
    }
    if let Some(effects) = input::key(model, key, press) {
        return effects;
    }
    match model.settings.keymap.find(model.scopes(), key) {
        Some(spec) => dispatch::act(model, spec, press),
        None => Vec::new(),
    }
}

fn answer(model: &mut Model, reply: Reply) -> Vec<Effect> {
    match reply {
        Reply::Planned(ticket, result) => {
            plan::arrive(model, &ticket, result);
            Vec::new()
        }
        Reply::Synced(ticket, result) => sync::arrive(model, &ticket, result),
        Reply::Commit(ticket, result) => {
            commit::arrive(model, &ticket, result);
            Vec::new()
        }
        Reply::Reverted(ticket, result) => {
            revert::arrive(model, &ticket, result);
            Vec::new()
        }
        Reply::Drawn(ticket, document) => {
            model.diff.arrive(ticket, &document);
            for layer in &mut model.layers {
                if let Layer::Diff(pane) = layer {
                    pane.arrive(ticket, &document);
                }
            }
            Vec::new()
        }
        Reply::Pushed(ticket, result) => {
            revert::pushed(model, &ticket, result);
            Vec::new()
        }
        Reply::Failed(why) => {
            model.say(Tone::Warning, why);
            Vec::new()
        }
    }
}

/// Notes since when the top screen stands on the terminal.
fn drawn(model: &mut Model) {
    if Layout::of(model).shape == Shape::Tiny {
        return;
    }
    let uptime = model.stamp.uptime;
    match model.layers.last_mut() {
        Some(Layer::Plan(screen)) if screen.plan.ready().is_some() => _ = screen.shown.get_or_insert(uptime),
        Some(Layer::Revert(screen)) if screen.change.as_ref().is_some_and(|change| change.ready().is_some()) => {
            _ = screen.shown.get_or_insert(uptime);
        }
        Some(Layer::Quit(shown)) => _ = shown.get_or_insert(uptime),
        _ => {}
    }
}
