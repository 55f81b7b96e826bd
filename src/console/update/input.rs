//! Text being typed: the filter, the `:` line, the search of help, and the name that arms a plan.

use super::{command, dispatch};
use crate::console::{
    action::{self, ActionSpec},
    effect::Effect,
    gate::Press,
    key::Key,
    model::{Input, Model, Pane, Tone},
    screen::{Field, Layer},
    view,
};
use crossterm::event::KeyCode;
use unicode_segmentation::UnicodeSegmentation;

/// Longest text that can be typed.
const MAX: usize = 200;

/// Takes a key where text is typed; none: the key belongs to the table of actions.
pub fn key(model: &mut Model, key: Key, press: Press) -> Option<Vec<Effect>> {
    if key.ctrl && key.code == KeyCode::Char('z') {
        return None;
    }
    let key = if model.input.is_some() && key.ctrl && key.code == KeyCode::Char('c') {
        // Who types and wants out means the text, not the program.
        Key { code: KeyCode::Esc, ctrl: false, alt: false }
    } else {
        key
    };
    match model.input.take() {
        Some(Input::Filter(pane)) => {
            filter(model, pane, key);
            return Some(Vec::new());
        }
        Some(Input::Command { text, completing }) => return Some(line(model, text, completing, key)),
        None => {}
    }
    match model.layers.last() {
        Some(Layer::Help(_)) => help(model, key, press),
        Some(Layer::Plan(screen)) if screen.field == Field::Name => name(model, key),
        Some(Layer::Revert(screen)) if screen.field == Field::Name => name(model, key),
        _ => None,
    }
}

/// Takes pasted text in, where text is typed. The name that arms a plan has to be typed.
pub fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    model.last_key = Some(model.stamp.uptime);
    let name = match model.layers.last() {
        Some(Layer::Plan(screen)) => screen.field == Field::Name,
        Some(Layer::Revert(screen)) => screen.field == Field::Name,
        _ => false,
    };
    match &mut model.input {
        Some(Input::Filter(pane)) => {
            let pane = *pane;
            filter_of(model, pane).push_str(&text);
            model.rows_stale = true;
        }
        Some(Input::Command { text: line, completing }) => {
            line.push_str(&text);
            *completing = None;
        }
        None if name => model.say(Tone::Warning, "the name has to be typed; a paste does not count"),
        None => {
            if let Some(Layer::Help(help)) = model.layers.last_mut() {
                help.filter.push_str(&text);
                help.row = 0;
            }
        }
    }
    Vec::new()
}

/// Changes a text by a key; false: the key does nothing to it.
fn edit(text: &mut String, key: Key) -> bool {
    match key.code {
        KeyCode::Char('u') if key.ctrl => text.clear(),
        KeyCode::Char('w') if key.ctrl => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }
        KeyCode::Char(c) if !key.ctrl && !key.alt && text.len() < MAX => text.push(c),
        KeyCode::Backspace => {
            let kept = text.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
            text.truncate(kept);
        }
        _ => return false,
    }
    true
}

fn filter_of(model: &mut Model, pane: Pane) -> &mut String {
    match pane {
        Pane::Repositories => &mut model.repositories.filter,
        Pane::Applications | Pane::Diff => &mut model.applications.filter,
        Pane::History => &mut model.history.filter,
        Pane::Activity => &mut model.activity.filter,
    }
}

fn filter(model: &mut Model, pane: Pane, key: Key) {
    match key.code {
        KeyCode::Esc => {
            filter_of(model, pane).clear();
            model.rows_stale = true;
            return;
        }
        KeyCode::Enter => {
            // Accepting the filter is a movement: the cursor goes to the first hit if its object is hidden.
            match pane {
                Pane::Repositories => first(&mut model.repositories),
                Pane::Applications | Pane::Diff => first(&mut model.applications),
                Pane::History => first(&mut model.history),
                Pane::Activity => first(&mut model.activity),
            }
            return;
        }
        KeyCode::Up | KeyCode::Down => {
            let by = if key.code == KeyCode::Up { -1 } else { 1 };
            match pane {
                Pane::Repositories => model.repositories.step(by),
                Pane::Applications | Pane::Diff => model.applications.step(by),
                Pane::History => model.history.step(by),
                Pane::Activity => model.activity.step(by),
            }
        }
        _ => {
            if edit(filter_of(model, pane), key) {
                model.rows_stale = true;
            }
        }
    }
    model.input = Some(Input::Filter(pane));
}

fn first<K: Clone + PartialEq>(list: &mut crate::console::selection::Selection<K>) {
    if list.current().is_none() {
        list.go(0);
    }
}

fn line(model: &mut Model, mut text: String, completing: Option<(String, usize)>, key: Key) -> Vec<Effect> {
    match key.code {
        KeyCode::Esc => return Vec::new(),
        KeyCode::Backspace if text.is_empty() => return Vec::new(),
        KeyCode::Enter => return command::run(model, text.trim()),
        KeyCode::Tab | KeyCode::BackTab => {
            let (stem, index) = completing.unwrap_or((text.clone(), 0));
            let candidates = command::names(model, &stem);
            let Some(candidate) = candidates.get(index % candidates.len().max(1)) else {
                model.input = Some(Input::Command { text, completing: None });
                return Vec::new();
            };
            let next = if key.code == KeyCode::Tab { index + 1 } else { index + candidates.len() - 1 };
            model.input = Some(Input::Command { text: (*candidate).to_owned(), completing: Some((stem, next)) });
            return Vec::new();
        }
        _ => _ = edit(&mut text, key),
    }
    model.input = Some(Input::Command { text, completing: None });
    Vec::new()
}

/// Returns the rows of help that fit its search.
pub fn help_rows(filter: &str) -> Vec<&'static ActionSpec> {
    let filter = filter.to_lowercase();
    let fits = |spec: &&ActionSpec| {
        filter.is_empty() || [spec.id, spec.label, spec.help].iter().any(|text| text.to_lowercase().contains(&filter))
    };
    action::TABLE.iter().filter(fits).collect()
}

fn help(model: &mut Model, key: Key, press: Press) -> Option<Vec<Effect>> {
    let page = isize::from(i16::try_from(view::help_height(model)).unwrap_or(1) / 2);
    let Some(Layer::Help(screen)) = model.layers.last_mut() else { return None };
    let rows = help_rows(&screen.filter);
    let by = match key.code {
        KeyCode::Up => -1,
        KeyCode::Down => 1,
        KeyCode::PageUp => -page,
        KeyCode::PageDown => page,
        KeyCode::Char('u') if key.ctrl => -page,
        KeyCode::Char('d') if key.ctrl => page,
        KeyCode::Esc if !screen.filter.is_empty() => {
            screen.filter.clear();
            0
        }
        KeyCode::Esc => {
            model.layers.pop();
            return Some(Vec::new());
        }
        KeyCode::Char('c') if key.ctrl => {
            dispatch::quit(model);
            return Some(Vec::new());
        }
        KeyCode::Enter => {
            let Some(spec) = rows.get(screen.row).copied() else { return Some(Vec::new()) };
            model.layers.pop();
            return Some(command::run_spec(model, spec, press));
        }
        _ => {
            if edit(&mut screen.filter, key) {
                screen.row = 0;
            }
            0
        }
    };
    let last = help_rows(&screen.filter).len().saturating_sub(1);
    screen.row = screen.row.saturating_add_signed(by).min(last);
    Some(Vec::new())
}

/// Letters go to the name field until `tab` leaves it; enter is inert.
fn name(model: &mut Model, key: Key) -> Option<Vec<Effect>> {
    let (typed, field) = match model.layers.last_mut()? {
        Layer::Plan(screen) => (&mut screen.typed, &mut screen.field),
        Layer::Revert(screen) => (&mut screen.typed, &mut screen.field),
        _ => return None,
    };
    match key.code {
        KeyCode::Char('c') if key.ctrl => dispatch::quit(model),
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => return None,
        KeyCode::Esc => _ = model.layers.pop(),
        KeyCode::Tab | KeyCode::BackTab => *field = Field::Cancel,
        _ => _ = edit(typed, key),
    }
    Some(Vec::new())
}
