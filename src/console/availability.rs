//! Why an action cannot be done right now. The reason is shown when its key is pressed and beside it in help; the key
//! itself stays visible, dimmed.

use super::{
    action::Action,
    gate,
    model::{Model, Pane},
    screen::{Layer, Loaded, PlanScreen, RevertScreen},
};
use crate::{
    engine::{ApplicationView, CommitRow},
    git::CommitId,
};

/// Returns why not; none: it can be done.
pub fn why_not(model: &Model, action: Action) -> Option<String> {
    use Action as A;
    match action {
        A::Plan => match model.layers.last() {
            Some(Layer::Revert(screen)) if !pushed(screen) => Some("the revert is not pushed yet; a pushes it".into()),
            Some(_) => None,
            None => no_application(model),
        },
        A::Diff | A::Refresh => no_application(model),
        A::Fetch => (model.focus == Pane::Repositories && model.repository().is_none())
            .then(|| "no repository under the cursor".into())
            .or_else(|| (model.focus != Pane::Repositories).then(|| no_application(model)).flatten()),
        A::Step => next_commit(model).err(),
        A::Revert if model.layers.is_empty() && model.focus != Pane::History => {
            Some("go to the history (3) and put the cursor on the commit to revert".into())
        }
        A::Revert => model.commit().is_none().then(|| "no commit under the cursor".into()),
        A::Yaml => diff_object(model).is_none().then(|| "no object is shown".into()),
        A::Filter if model.focus == Pane::Diff => Some("the diff has no filter yet; / works in the lists".into()),
        A::Layout => Some("side-by-side is not in this version; the diff is unified".into()),
        A::BackToRevision => Some("not in this version; s in the history plans the commit under the cursor".into()),
        A::Undo => Some("not in this version; plan the earlier commit from the history with s".into()),
        A::SuspendApplication => Some("suspending is not in this version".into()),
        A::Mark => Some("comparing two commits is not in this version".into()),
        A::DryRun => Some("the plan already is a server dry-run; nothing is written before a".into()),
        A::Export => Some("not from here yet: driftdeck plan APP -o json writes the same plan".into()),
        A::Approve => plan_screen(model).and_then(|screen| approval_missing(model, screen)),
        A::ViewDiff => match model.layers.last() {
            Some(Layer::Plan(screen)) if screen.plan.ready().is_none() => Some("there is no plan yet".into()),
            Some(Layer::Commit(screen)) if screen.effect.ready().is_none() => Some("the commit is not read yet".into()),
            _ => None,
        },
        A::NextField => match model.layers.last() {
            Some(Layer::Plan(screen)) => name_not_asked(model, screen),
            Some(Layer::Revert(_)) if !model.settings.confirm_always => Some("this revert needs no name typed".into()),
            Some(Layer::Revert(screen)) => read_only(model, &screen.ticket.application),
            _ => None,
        },
        A::StopSync => match model.layers.last() {
            Some(Layer::Sync(screen)) if screen.stopping => Some("stopping after the requests in flight".into()),
            Some(Layer::Sync(screen)) if !model.syncing(&screen.application) => Some("the sync has ended".into()),
            _ => None,
        },
        A::Push => revert_screen(model).and_then(|screen| push_missing(model, screen)),
        A::Target => revert_screen(model)
            .filter(|screen| screen.pushing || pushed(screen))
            .map(|_| "the commit is on its way already".into()),
        A::Parent1 | A::Parent2 => revert_screen(model).and_then(|screen| match screen.parents {
            0 | 1 => Some("the commit is no merge".into()),
            _ if screen.pushing || pushed(screen) => Some("the commit is on its way already".into()),
            _ => None,
        }),
        _ => None,
    }
}

fn no_application(model: &Model) -> Option<String> {
    if model.application().is_some() {
        return None;
    }
    Some(match model.applications.wanted() {
        Some(_) if model.applications.rows().is_empty() => "no application matches the filter; esc clears it".into(),
        Some(name) => format!("{name} is not in the list any more; move the cursor first"),
        None => "there is no application yet".into(),
    })
}

/// Returns the object that the diff on top shows.
pub fn diff_object(model: &Model) -> Option<&crate::engine::ObjectComparison> {
    match model.layers.last() {
        None => model.diff.object(),
        Some(Layer::Diff(pane)) => pane.object(),
        Some(_) => None,
    }
}

fn plan_screen(model: &Model) -> Option<&PlanScreen> {
    match model.layers.last() {
        Some(Layer::Plan(screen)) => Some(screen),
        _ => None,
    }
}

fn revert_screen(model: &Model) -> Option<&RevertScreen> {
    match model.layers.last() {
        Some(Layer::Revert(screen)) => Some(screen),
        _ => None,
    }
}

/// Says whether a revert is on the server.
pub fn pushed(screen: &RevertScreen) -> bool {
    matches!(&screen.change, Some(Loaded::Ready(change)) if change.pushed)
}

/// Says why writes are off.
pub fn read_only(model: &Model, application: &str) -> Option<String> {
    if model.armed(application) {
        return None;
    }
    Some(if model.settings.read_only {
        "read-only: driftdeck was started with --read-only".into()
    } else {
        "read-only: :write arms this console".into()
    })
}

/// Says why the name field takes no letters: an approval does not need it, or lacks more than a name.
pub fn name_not_asked(model: &Model, screen: &PlanScreen) -> Option<String> {
    let plan = screen.plan.ready()?;
    if !plan.approvable {
        return approval_missing(model, screen);
    }
    let asked = screen.typed_needed(model.settings.confirm_always);
    (!asked).then(|| "this plan needs no name typed".into()).or_else(|| read_only(model, &screen.ticket.application))
}

/// Returns what an approval still lacks, time aside.
pub fn approval_missing(model: &Model, screen: &PlanScreen) -> Option<String> {
    let plan = match &screen.plan {
        Loaded::Loading => return Some("the plan is being computed".into()),
        Loaded::Failed(_) => return Some("there is no plan to approve".into()),
        Loaded::Ready(plan) => plan,
    };
    if !plan.approvable {
        return Some(plan.reason.clone().unwrap_or_else(|| "this plan cannot be approved".into()));
    }
    if model.stamp.now > plan.expires {
        return Some("the approval has expired; the plan is made anew".into());
    }
    let name = &screen.ticket.application;
    read_only(model, name).or_else(|| {
        let typed = screen.typed_needed(model.settings.confirm_always);
        typed.then(|| gate::name_missing(&screen.typed, name)).flatten()
    })
}

/// Returns what a push still lacks, time aside.
pub fn push_missing(model: &Model, screen: &RevertScreen) -> Option<String> {
    if screen.pushing {
        return Some("it is being pushed".into());
    }
    let change = match &screen.change {
        None => return Some("choose which parent of the merge stays: 1 or 2".into()),
        Some(Loaded::Loading) => return Some("the commit is being written".into()),
        Some(Loaded::Failed(_)) => return Some("there is no commit to push".into()),
        Some(Loaded::Ready(change)) => change,
    };
    if change.pushed {
        return Some("it is pushed; s plans the application afresh".into());
    }
    if change.commit.is_none() {
        return Some("there is nothing to push".into());
    }
    let name = &screen.ticket.application;
    read_only(model, name)
        .or_else(|| model.settings.confirm_always.then(|| gate::name_missing(&screen.typed, name)).flatten())
}

/// Returns the row of the applied commit: the comparison's base, else the newest that was ever applied.
pub fn applied_row(application: &ApplicationView) -> Option<usize> {
    let commits = &application.history.as_ref()?.commits;
    let base = application.comparison.as_ref().and_then(|comparison| comparison.base);
    base.and_then(|base| commits.iter().position(|row| row.id == base))
        .or_else(|| commits.iter().position(|row| !row.applied.is_empty()))
}

/// Finds the commit after the applied one, those without an effect here left out.
///
/// # Errors
/// Says why there is none.
pub fn next_commit(model: &Model) -> Result<CommitId, String> {
    if let Some(reason) = model.layers.is_empty().then(|| no_application(model)).flatten() {
        return Err(reason);
    }
    let application = model.shown_application().ok_or("there is no application yet")?;
    let commits = &application.history.as_ref().ok_or("the history is not read yet")?.commits;
    let applied =
        applied_row(application).ok_or("no commit of this history was applied yet; s plans the newest one")?;
    let next = commits[..applied].iter().rev().find(|row: &&CommitRow| row.effect != Some(false));
    next.map(|row| row.id).ok_or("the newest commit is applied".into())
}
