//! Reverting a commit in Git: the commit is written into the mirror and shown; its approval pushes exactly that one.

use crate::{
    console::{
        effect::Effect,
        message::Ticket,
        model::{Model, Tone},
        screen::{Field, Layer, Loaded, RevertScreen},
        text,
    },
    engine::{EngineError, GitChange, RevertTarget},
};
use std::sync::Arc;

/// Previews the revert of the commit under the history's cursor; of a merge only once a parent is chosen.
pub fn open(model: &mut Model) -> Vec<Effect> {
    let (Some(row), Some(application)) = (model.commit().cloned(), model.shown_application()) else {
        return Vec::new();
    };
    let application = application.name.clone();
    let ticket = model.ticket(&application);
    model.layers.push(Layer::Revert(RevertScreen {
        ticket,
        commit: row.id,
        subject: text::one_line(&row.subject),
        parents: row.parents.len(),
        parent: None,
        target: RevertTarget::Branch,
        change: None,
        pushing: false,
        refused: None,
        shown: None,
        typed: String::new(),
        field: Field::Cancel,
        scroll: 0,
    }));
    if row.parents.len() > 1 { Vec::new() } else { write(model) }
}

fn top(model: &mut Model) -> Option<&mut RevertScreen> {
    match model.layers.last_mut() {
        Some(Layer::Revert(screen)) => Some(screen),
        _ => None,
    }
}

/// Asks for the commit with the present choices; the one shown before does not count any more.
fn write(model: &mut Model) -> Vec<Effect> {
    let Some(application) = top(model).map(|screen| screen.ticket.application.clone()) else { return Vec::new() };
    let ticket = model.ticket(&application);
    let Some(screen) = top(model) else { return Vec::new() };
    screen.ticket = ticket.clone();
    screen.change = Some(Loaded::Loading);
    screen.refused = None;
    screen.shown = None;
    screen.typed.clear();
    screen.field = Field::Cancel;
    vec![Effect::Revert { ticket, commit: screen.commit, parent: screen.parent, target: screen.target }]
}

/// Chooses the parent of a merge that stays.
pub fn choose_parent(model: &mut Model, parent: usize) -> Vec<Effect> {
    if let Some(screen) = top(model) {
        screen.parent = Some(parent);
    }
    write(model)
}

/// Switches between the application's branch and a review branch.
pub fn toggle_target(model: &mut Model) -> Vec<Effect> {
    let Some(screen) = top(model) else { return Vec::new() };
    screen.target = match screen.target {
        RevertTarget::Branch => RevertTarget::Review,
        RevertTarget::Review => RevertTarget::Branch,
    };
    if screen.change.is_none() { Vec::new() } else { write(model) }
}

/// Pushes exactly the commit that stands on the screen. Whoever calls has checked availability and timing.
pub fn push(model: &mut Model) -> Vec<Effect> {
    let Some(application) = top(model).map(|screen| screen.ticket.application.clone()) else { return Vec::new() };
    let ticket = model.ticket(&application);
    let Some(screen) = top(model) else { return Vec::new() };
    let Some(commit) = screen.change.as_ref().and_then(Loaded::ready).and_then(|change| change.commit) else {
        return Vec::new();
    };
    screen.ticket = ticket.clone();
    screen.pushing = true;
    screen.refused = None;
    vec![Effect::Push { ticket, reverted: screen.commit, commit, target: screen.target }]
}

fn screen_of<'a>(model: &'a mut Model, ticket: &Ticket) -> Option<&'a mut RevertScreen> {
    model.layers.iter_mut().find_map(|layer| match layer {
        Layer::Revert(screen) if screen.ticket == *ticket => Some(screen),
        _ => None,
    })
}

/// Takes the written commit in.
pub fn arrive(model: &mut Model, ticket: &Ticket, result: Result<Arc<GitChange>, EngineError>) {
    let asked = model.settings.confirm_always && model.armed(&ticket.application);
    let Some(screen) = screen_of(model, ticket) else { return };
    screen.change = Some(match result {
        Ok(change) => {
            if asked && change.commit.is_some() {
                screen.field = Field::Name;
            }
            Loaded::Ready(change)
        }
        Err(error) => Loaded::Failed(error.to_string()),
    });
}

/// Takes the push's end in, on the screen or, when that was left, as a message.
pub fn pushed(model: &mut Model, ticket: &Ticket, result: Result<Arc<GitChange>, EngineError>) {
    if let Some(screen) = screen_of(model, ticket) {
        screen.pushing = false;
        match result {
            Ok(change) => screen.change = Some(Loaded::Ready(change)),
            Err(error) => screen.refused = Some(error.to_string()),
        }
        return;
    }
    match result {
        Ok(change) => model.say(Tone::Info, format!("{}: revert pushed to {}", ticket.application, change.branch)),
        Err(error) => model.say(Tone::Warning, format!("{}: {error}", ticket.application)),
    }
}
