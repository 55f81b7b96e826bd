//! A sync's progress and end. Leaving the screen never stops the run.

use super::plan;
use crate::{
    console::{
        effect::Effect,
        message::Ticket,
        model::{Model, Tone},
        screen::{Layer, Loaded, SyncScreen},
        status,
    },
    engine::{EngineError, Refusal, SyncReport, Work},
};
use std::sync::Arc;

/// Shows a sync that runs.
pub fn open(model: &mut Model, application: &str) {
    let run = model.runs.get(application);
    let number = match model.fleet.application(application).map(|view| &view.work) {
        Some(Work::Syncing(progress)) => progress.number,
        _ => run.map_or(0, |run| run.number),
    };
    let approved = run.map(|run| run.approved);
    model.layers.push(Layer::Sync(SyncScreen {
        application: application.to_owned(),
        number,
        approved,
        stopping: false,
        report: Loaded::Loading,
        scroll: 0,
    }));
}

/// Stops after the requests in flight.
pub fn stop(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Sync(screen)) = model.layers.last_mut() else { return Vec::new() };
    screen.stopping = true;
    vec![Effect::Cancel(screen.application.clone())]
}

/// Takes a sync's end in. A refusal because something moved opens the new plan, with what moved.
pub fn arrive(model: &mut Model, ticket: &Ticket, result: Result<Arc<SyncReport>, EngineError>) -> Vec<Effect> {
    if model.runs.get(&ticket.application).is_none_or(|run| run.ticket != *ticket) {
        return Vec::new();
    }
    let Some(run) = model.runs.remove(&ticket.application) else { return Vec::new() };
    let place = model.layers.iter().position(|layer| {
        matches!(layer, Layer::Sync(screen)
            if screen.application == ticket.application && matches!(screen.report, Loaded::Loading))
    });
    if let Err(EngineError::Refused(refusal @ (Refusal::Stale(_) | Refusal::Expired))) = &result {
        let moved = match refusal {
            Refusal::Stale(what) => what.clone(),
            _ => "the approval had expired".into(),
        };
        let on_top = place.is_some_and(|place| place + 1 == model.layers.len());
        if let Some(place) = place {
            model.layers.remove(place);
        }
        if on_top {
            return plan::reopen(model, &ticket.application, run.choices, run.digest, moved);
        }
        model.say(Tone::Warning, format!("{}: nothing was written: {moved}; plan again", ticket.application));
        return Vec::new();
    }
    let (tone, told) = match &result {
        Ok(report) => {
            let (word, _, _) = status::outcome(report.outcome, &model.settings.glyphs);
            let tone = if report.outcome == crate::engine::Outcome::Succeeded { Tone::Info } else { Tone::Warning };
            (tone, format!("{}: sync {word}", ticket.application))
        }
        Err(error) => (Tone::Warning, format!("{}: {error}", ticket.application)),
    };
    match place.and_then(|place| model.layers.get_mut(place)) {
        Some(Layer::Sync(screen)) => {
            screen.report = match result {
                Ok(report) => Loaded::Ready(report),
                Err(error) => Loaded::Failed(error.to_string()),
            };
        }
        _ => model.say(tone, told),
    }
    Vec::new()
}
