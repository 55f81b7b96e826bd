//! The `:` line: a few commands, and every action by its name.

use super::dispatch;
use crate::{
    config::nearest,
    console::{
        action::{self, ActionSpec, Danger},
        effect::Effect,
        gate::Press,
        model::{Model, Tone},
        text,
    },
};

const COMMANDS: [&str; 3] = ["readonly", "write", "q"];

/// Returns the commands and actions that start with a text and can be typed here.
pub fn names(model: &Model, stem: &str) -> Vec<&'static str> {
    let here = model.scopes();
    let actions = action::TABLE.iter().filter(|spec| here.contains(&spec.scope) && spec.danger != Danger::Writes);
    let mut names: Vec<&'static str> =
        COMMANDS.into_iter().chain(actions.map(|spec| spec.id)).filter(|name| name.starts_with(stem)).collect();
    names.sort_unstable();
    names
}

/// Runs a line.
pub fn run(model: &mut Model, line: &str) -> Vec<Effect> {
    match line {
        "" => Vec::new(),
        "q" | "quit" => {
            dispatch::quit(model);
            Vec::new()
        }
        "write" if model.settings.read_only => {
            model.say(Tone::Warning, "driftdeck was started with --read-only; start it without to write");
            Vec::new()
        }
        "write" => {
            model.say(Tone::Info, "writes are armed; every one still asks for an approval");
            vec![Effect::Arm(true)]
        }
        "readonly" => {
            model.say(Tone::Info, "read-only: nothing can be approved or pushed");
            vec![Effect::Arm(false)]
        }
        name => match action::named(name) {
            Some(spec) => {
                let press = Press { at: model.stamp.uptime, before: model.last_key, repeat: false };
                run_spec(model, spec, press)
            }
            None => {
                let told = match (name, nearest(name, names(model, ""))) {
                    ("sync" | "apply" | "deploy", _) => {
                        "nothing is applied without a plan: :plan makes one, a approves it".into()
                    }
                    ("x" | "wq" | "exit" | "quit!" | "q!" | "qa", _) => "`:q` leaves".into(),
                    (_, Some(near)) => format!("no command `{}`; did you mean `{near}`?", text::one_line(name)),
                    (_, None) => {
                        format!("no command `{}`; ? lists them all, tab completes", text::one_line(name))
                    }
                };
                model.say(Tone::Warning, told);
                Vec::new()
            }
        },
    }
}

/// Runs an action by name. What writes has its key, on its screen, and nothing else.
pub fn run_spec(model: &mut Model, spec: &ActionSpec, press: Press) -> Vec<Effect> {
    if spec.danger == Danger::Writes {
        let keys = model.settings.keymap.keys(spec).join(" or ");
        model.say(Tone::Warning, format!("`{}` writes: only its key ({keys}) on its own screen does it", spec.id));
        return Vec::new();
    }
    if !model.scopes().contains(&spec.scope) {
        let place = format!("{:?}", spec.scope).to_lowercase();
        model.say(Tone::Warning, format!("`{}` belongs to the {place} screen", spec.id));
        return Vec::new();
    }
    dispatch::act(model, spec, press)
}
