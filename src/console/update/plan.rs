//! The plan screen: what would be done, and the one answer that does it.

use super::sync;
use crate::{
    console::{
        availability,
        diff::DiffPane,
        effect::Effect,
        message::Ticket,
        model::{Model, Pane, Run},
        screen::{Field, Layer, Loaded, PlanScreen, SyncScreen},
        text,
    },
    engine::{Choices, Comparison, EngineError, Plan},
    git::CommitId,
};
use std::{collections::HashMap, sync::Arc};

/// Plans what the cursor is on: the application, or the commit in the history.
pub fn open_here(model: &mut Model) -> Vec<Effect> {
    let commit = match model.layers.last() {
        Some(Layer::Revert(screen)) => {
            let application = screen.ticket.application.clone();
            model.layers.pop();
            return open(model, &application, Choices::default());
        }
        Some(Layer::Commit(_)) => model.history.current().copied(),
        _ if model.focus == Pane::History => model.history.current().copied(),
        _ => None,
    };
    let Some(application) = model.shown_application() else { return Vec::new() };
    let name = application.name.clone();
    // The newest commit is what the application's own revision says; naming it would only pin the plan to it.
    let newest = model.commits().first().map(|row| row.id);
    let revision = commit.filter(|commit| Some(*commit) != newest).map(|commit| commit.to_string());
    open(model, &name, Choices { revision, ..Choices::default() })
}

/// Plans the commit after the applied one.
pub fn step(model: &mut Model) -> Vec<Effect> {
    let next: Result<CommitId, String> = availability::next_commit(model);
    let (Ok(next), Some(application)) = (next, model.shown_application()) else { return Vec::new() };
    let name = application.name.clone();
    model.history.select(&next);
    open(model, &name, Choices { revision: Some(next.to_string()), ..Choices::default() })
}

fn open(model: &mut Model, application: &str, choices: Choices) -> Vec<Effect> {
    if model.syncing(application) {
        sync::open(model, application);
        return Vec::new();
    }
    let ticket = model.ticket(application);
    model.layers.push(Layer::Plan(Box::new(PlanScreen::new(ticket.clone(), choices.clone()))));
    vec![Effect::Plan { ticket, choices }]
}

/// Opens a plan again, saying what moved since the one that was refused.
pub fn reopen(model: &mut Model, application: &str, choices: Choices, digest: String, moved: String) -> Vec<Effect> {
    let ticket = model.ticket(application);
    let mut screen = PlanScreen::new(ticket.clone(), choices.clone());
    screen.moved = vec![moved];
    screen.previous = Some(digest);
    model.layers.push(Layer::Plan(Box::new(screen)));
    vec![Effect::Plan { ticket, choices }]
}

fn screen_of<'a>(model: &'a mut Model, ticket: &Ticket) -> Option<&'a mut PlanScreen> {
    model.layers.iter_mut().find_map(|layer| match layer {
        Layer::Plan(screen) if screen.ticket == *ticket => Some(&mut **screen),
        _ => None,
    })
}

fn top(model: &mut Model) -> Option<&mut PlanScreen> {
    match model.layers.last_mut() {
        Some(Layer::Plan(screen)) => Some(screen),
        _ => None,
    }
}

/// Takes a plan in.
pub fn arrive(model: &mut Model, ticket: &Ticket, result: Result<Arc<Plan>, EngineError>) {
    let basis = model.fleet.application(&ticket.application).and_then(|application| application.comparison.clone());
    let confirm_always = model.settings.confirm_always;
    let armed = model.armed(&ticket.application);
    let Some(screen) = screen_of(model, ticket) else { return };
    screen.shown = None;
    screen.typed.clear();
    screen.field = Field::Cancel;
    screen.basis = basis;
    match result {
        Err(error) => screen.plan = Loaded::Failed(error.to_string()),
        Ok(plan) => {
            if screen.previous.take().is_some_and(|previous| previous == plan.digest_hash()) {
                screen.moved.push("the new plan is the same, step by step".into());
            }
            screen.plan = Loaded::Ready(plan);
            // Letters go to the name only where it leads to an approval; else they would vanish into it.
            let leads_on = armed && screen.plan.ready().is_some_and(|plan| plan.approvable);
            if leads_on && screen.typed_needed(confirm_always) {
                screen.field = Field::Name;
            }
        }
    }
}

/// Makes the plan on screen anew; its approval is gone with it.
fn again(model: &mut Model, index: usize, moved: Vec<String>) -> Option<Effect> {
    let Some(Layer::Plan(screen)) = model.layers.get(index) else { return None };
    let application = screen.ticket.application.clone();
    let ticket = model.ticket(&application);
    let Some(Layer::Plan(screen)) = model.layers.get_mut(index) else { return None };
    screen.previous = screen.plan.ready().map(|plan| plan.digest_hash().to_owned());
    screen.ticket = ticket.clone();
    screen.plan = Loaded::Loading;
    screen.moved = moved;
    screen.shown = None;
    screen.typed.clear();
    screen.field = Field::Cancel;
    Some(Effect::Plan { ticket, choices: screen.choices.clone() })
}

/// After a new snapshot: a plan whose basis has moved is disarmed and made anew.
pub fn check_basis(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    for index in 0..model.layers.len() {
        let Some(Layer::Plan(screen)) = model.layers.get(index) else { continue };
        let (Loaded::Ready(_), Some(basis)) = (&screen.plan, &screen.basis) else { continue };
        let now = model.fleet.application(&screen.ticket.application).and_then(|view| view.comparison.as_ref());
        let Some(now) = now.filter(|now| !Arc::ptr_eq(now, basis)) else { continue };
        let moved = moved(basis, now, screen.choices.revision.is_some());
        if moved.is_empty() {
            let now = Arc::clone(now);
            if let Some(Layer::Plan(screen)) = model.layers.get_mut(index) {
                screen.basis = Some(now);
            }
        } else {
            effects.extend(again(model, index, moved));
        }
    }
    effects
}

/// Once a second: an approval that has expired is disarmed, and the plan is made anew.
pub fn expire(model: &mut Model) -> Vec<Effect> {
    let now = model.stamp.now;
    let expired = model.layers.iter().position(
        |layer| matches!(layer, Layer::Plan(screen) if screen.plan.ready().is_some_and(|plan| now > plan.expires)),
    );
    let effect = expired.and_then(|index| again(model, index, vec!["the approval had expired".into()]));
    effect.into_iter().collect()
}

/// Says in words what an approval of the old comparison would not have covered. A plan for a named commit does not depend on where the branch is.
fn moved(old: &Comparison, new: &Comparison, named: bool) -> Vec<String> {
    let mut out = Vec::new();
    if !named && old.revision != new.revision {
        let short = |id: Option<CommitId>| id.map_or_else(|| "a folder".to_owned(), |id| id.short());
        out.push(format!("Git moved from {} to {}", short(old.revision), short(new.revision)));
    }
    let mut before: HashMap<_, _> = old.objects.iter().map(|object| (object.id(), object)).collect();
    for object in &new.objects {
        let before = before.remove(&object.id());
        let same = before.is_some_and(|before| {
            before.state == object.state && before.action == object.action && before.changes == object.changes
        });
        if !same {
            out.push(format!("{} is not as it was", text::one_line(&object.id().short())));
        }
    }
    let gone = old.objects.iter().map(|object| object.id()).filter(|id| before.contains_key(id));
    out.extend(gone.map(|id| format!("{} is gone", text::one_line(&id.short()))));
    out
}

/// Approves exactly the plan that stands on the screen. Whoever calls has checked availability and timing; the plan checks itself again.
pub fn approve(model: &mut Model) -> Vec<Effect> {
    let stamp = model.stamp;
    let confirm_always = model.settings.confirm_always;
    let Some(screen) = top(model) else { return Vec::new() };
    let Loaded::Ready(plan) = &screen.plan else { return Vec::new() };
    let plan = Arc::clone(plan);
    let confirm = screen.typed_needed(confirm_always).then(|| screen.typed.clone());
    let (choices, wait) = (screen.choices.clone(), screen.wait);
    let application = screen.ticket.application.clone();
    model.layers.pop();
    let ticket = model.ticket(&application);
    model.runs.insert(
        application.clone(),
        Run {
            ticket: ticket.clone(),
            number: plan.number,
            approved: stamp,
            choices,
            digest: plan.digest_hash().to_owned(),
        },
    );
    model.layers.push(Layer::Sync(SyncScreen {
        application,
        number: plan.number,
        approved: Some(stamp),
        stopping: false,
        report: Loaded::Loading,
        scroll: 0,
    }));
    vec![Effect::Sync { ticket, plan, confirm, wait }]
}

/// Plans again with the other choice about pruning.
pub fn toggle_prune(model: &mut Model) -> Vec<Effect> {
    let Some(screen) = top(model) else { return Vec::new() };
    let prunes = prunes(screen);
    screen.choices.prune = Some(!prunes);
    let index = model.layers.len() - 1;
    again(model, index, Vec::new()).into_iter().collect()
}

/// Says whether the plan prunes, as far as is known: by choice, or by its steps.
pub fn prunes(screen: &PlanScreen) -> bool {
    screen.choices.prune.unwrap_or_else(|| screen.plan.ready().is_some_and(|plan| plan.counts.prune > 0))
}

/// Waits for health, or not.
pub fn toggle_wait(model: &mut Model) {
    if let Some(screen) = top(model) {
        screen.wait = !screen.wait;
    }
}

/// Returns the diff of a plan.
pub fn diff(model: &Model, plan: &Plan) -> DiffPane {
    let mut pane = DiffPane::default();
    let revision = plan.comparison.revision.map_or_else(|| "folder".to_owned(), |id| id.short());
    let sides = format!("plan #{}  live {} {revision}", plan.number, model.settings.glyphs.arrow);
    pane.show(Some(Arc::new(plan.comparison.clone())), sides, model.settings.yaml);
    pane
}
