//! An action of the table is carried out.

use super::{commit, movement, plan, revert, sync};
use crate::console::{
    action::{Action, ActionSpec, Danger},
    availability,
    effect::Effect,
    gate::{self, Press},
    key::Key,
    model::{Input, Model, Pane, Tone},
    screen::{Document, Field, HelpScreen, Layer},
    text,
};
use crossterm::event::KeyCode;

/// Does what an action says, or says why not.
pub fn act(model: &mut Model, spec: &ActionSpec, press: Press) -> Vec<Effect> {
    if let Some(reason) = availability::why_not(model, spec.action) {
        model.say(Tone::Warning, reason);
        return Vec::new();
    }
    if spec.danger == Danger::Writes
        && let Some(reason) = early(model, spec.action, press)
    {
        model.say(Tone::Warning, reason);
        return Vec::new();
    }
    use Action as A;
    match spec.action {
        A::Plan => return plan::open_here(model),
        A::Step => return plan::step(model),
        A::Revert => return revert::open(model),
        A::Approve => return plan::approve(model),
        A::Prune => return plan::toggle_prune(model),
        A::Wait => plan::toggle_wait(model),
        A::NextField => name_field(model),
        A::ViewDiff => view_diff(model),
        A::StopSync => return sync::stop(model),
        A::Push => return revert::push(model),
        A::Target => return revert::toggle_target(model),
        A::Parent1 => return revert::choose_parent(model, 1),
        A::Parent2 => return revert::choose_parent(model, 2),
        A::QuitAnyway => model.done = true,
        A::Quit => quit(model),
        A::Help => model.layers.push(Layer::Help(HelpScreen::default())),
        A::Command => model.input = Some(Input::Command { text: String::new(), completing: None }),
        A::Filter => model.input = Some(Input::Filter(model.focus)),
        A::Open => return open(model),
        A::Back | A::Close => back(model),
        A::Fetch => return fetch(model),
        A::Refresh => return refresh(model),
        A::Yaml => yaml(model),
        A::Copy => return copy(model),
        A::Suspend => return vec![Effect::Suspend],
        A::Diff => model.focus = Pane::Diff,
        A::Activity => {
            model.focus = Pane::Activity;
            model.zoom = true;
        }
        A::ZoomIn => model.zoom = true,
        A::ZoomOut => model.zoom = false,
        _ => return movement::act(model, spec.action),
    }
    Vec::new()
}

/// Says why an answer does not count yet. Stopping a sync is never too early.
fn early(model: &Model, action: Action, press: Press) -> Option<String> {
    let shown = match (model.layers.last()?, action) {
        (Layer::Plan(screen), Action::Approve) => screen.shown,
        (Layer::Revert(screen), Action::Push) => screen.shown,
        (Layer::Quit(shown), Action::QuitAnyway) => *shown,
        (Layer::Sync(_), Action::StopSync) => return None,
        _ => None,
    };
    gate::too_early(press, shown)
}

/// On a terminal that is too small for anything but a message, only leaving and stopping work.
pub fn tiny(model: &mut Model, key: Key) -> Vec<Effect> {
    match (key.code, key.ctrl) {
        (KeyCode::Char('q'), false) | (KeyCode::Char('c'), true) if model.running().is_empty() => model.done = true,
        (KeyCode::Char('z'), true) => return vec![Effect::Suspend],
        _ => {}
    }
    Vec::new()
}

/// Leaves; while a sync of this console runs, asks first.
pub fn quit(model: &mut Model) {
    if model.runs.is_empty() {
        model.done = true;
    } else if !matches!(model.layers.last(), Some(Layer::Quit(_))) {
        model.layers.push(Layer::Quit(None));
    }
}

/// Goes into the field of the name that arms.
fn name_field(model: &mut Model) {
    match model.layers.last_mut() {
        Some(Layer::Plan(screen)) => screen.field = Field::Name,
        Some(Layer::Revert(screen)) => screen.field = Field::Name,
        _ => {}
    }
}

fn back(model: &mut Model) {
    if model.layers.pop().is_some() {
        return;
    }
    let filter = match model.focus {
        Pane::Repositories => &mut model.repositories.filter,
        Pane::History => &mut model.history.filter,
        Pane::Activity => &mut model.activity.filter,
        Pane::Applications | Pane::Diff => &mut model.applications.filter,
    };
    if model.zoom {
        model.zoom = false;
        if model.focus == Pane::Diff || model.focus == Pane::Activity {
            model.focus = Pane::Applications;
        }
    } else if !filter.is_empty() {
        filter.clear();
        model.rows_stale = true;
    } else {
        model.focus = Pane::Applications;
    }
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.focus {
        Pane::Repositories => {
            if let Some(repository) = model.repository() {
                let mut lines = vec![format!("url      {}", text::one_line(&repository.url))];
                if let crate::engine::RepositoryState::Failed { message, .. } = &repository.state {
                    lines.push(format!("state    {message}"));
                }
                lines.extend(repository.branch.iter().map(|branch| format!("branch   {}", text::one_line(branch))));
                lines
                    .extend(repository.fetched_at.iter().map(|time| format!("heard    {}", time.strftime("%F %T %Z"))));
                let users = model.fleet.applications.iter().filter(|view| view.repository == repository.name);
                let users: Vec<String> = users.map(|view| text::one_line(&view.name)).collect();
                lines.push(format!("used by  {}", if users.is_empty() { "nothing".into() } else { users.join(", ") }));
                lines.extend(repository.notice.iter().map(|notice| format!("notice   {notice}")));
                lines.extend(repository.head.iter().map(|head| format!("head     {} {}", head.id, head.subject)));
                let title = format!("Repository {}", text::one_line(&repository.name));
                model.layers.push(Layer::Document(Document { title, lines, scroll: 0 }));
            }
        }
        Pane::Applications => match model.application() {
            None => {
                let reason = availability::why_not(model, Action::Diff).unwrap_or_default();
                model.say(Tone::Warning, reason);
            }
            Some(application) if model.syncing(&application.name) => {
                let name = application.name.clone();
                sync::open(model, &name);
            }
            Some(_) => {
                model.focus = Pane::Diff;
                model.zoom = true;
            }
        },
        Pane::History => return commit::open(model),
        Pane::Diff => model.zoom = true,
        Pane::Activity => {
            if let Some(entry) = model.activity.current() {
                let title = format!("{}  {}", entry.time.strftime("%H:%M:%S"), text::one_line(&entry.subject));
                let lines = entry.text.split('\n').map(str::to_owned).collect();
                model.layers.push(Layer::Document(Document { title, lines, scroll: 0 }));
            }
        }
    }
    Vec::new()
}

fn fetch(model: &mut Model) -> Vec<Effect> {
    let repository = match model.focus {
        Pane::Repositories => model.repository().map(|repository| repository.name.clone()),
        _ => model.application().map(|application| application.repository.clone()),
    };
    repository.map(Effect::Fetch).into_iter().collect()
}

fn refresh(model: &mut Model) -> Vec<Effect> {
    let Some(name) = model.application().map(|application| application.name.clone()) else { return Vec::new() };
    model.say(Tone::Info, format!("comparing {name} again"));
    vec![Effect::Refresh(name)]
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let text = match model.focus {
        Pane::Repositories => model.repositories.current().cloned(),
        Pane::Applications => model.applications.current().cloned(),
        Pane::History => model.history.current().map(ToString::to_string),
        Pane::Diff => model.diff.objects.current().map(ToString::to_string),
        Pane::Activity => model.activity.current().map(|entry| text::one_line(&entry.text)),
    };
    let Some(text) = text else { return Vec::new() };
    model.say(Tone::Info, format!("copied {}", text::one_line(&text)));
    vec![Effect::Copy(text)]
}

fn yaml(model: &mut Model) {
    let write = model.settings.yaml;
    let managed = match model.layers.last() {
        Some(Layer::Diff(pane)) => pane.server_fields,
        _ => model.diff.server_fields,
    };
    let Some(object) = availability::diff_object(model) else { return };
    let (side, value) = match (&object.sides.live, &object.sides.desired) {
        (Some(live), _) => ("live", live),
        (None, Some(desired)) => ("in Git, not in the cluster", desired),
        (None, None) => {
            model.say(Tone::Warning, "neither side of this object could be read");
            return;
        }
    };
    let mut value = (**value).clone();
    let metadata = value.get_mut("metadata").and_then(serde_json::Value::as_object_mut).filter(|_| !managed);
    let hidden = metadata.is_some_and(|metadata| metadata.remove("managedFields").is_some());
    let hidden = if hidden { "  managed fields hidden (m in the diff)" } else { "" };
    let title = format!("YAML  {}  {side}{hidden}", text::one_line(&object.id().short()));
    let lines = write(&value).lines().map(str::to_owned).collect();
    model.layers.push(Layer::Document(Document { title, lines, scroll: 0 }));
}

fn view_diff(model: &mut Model) {
    let pane = match model.layers.last() {
        Some(Layer::Plan(screen)) => screen.plan.ready().map(|plan| plan::diff(model, plan)),
        Some(Layer::Commit(screen)) => screen.effect.ready().map(|effect| commit::diff(model, effect)),
        _ => None,
    };
    if let Some(pane) = pane {
        model.layers.push(Layer::Diff(Box::new(pane)));
    }
}
