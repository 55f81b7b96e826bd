//! The last two lines: where the cursor is and what was said last; then keys, or what is being typed.

use super::canvas::{Canvas, Ink};
use crate::console::{
    action, availability,
    layout::Layout,
    model::{Input, Model, Pane, Tone},
    screen::{Field, Layer},
    text,
    theme::Role,
};
use ratatui::text::{Line, Span};

/// Draws them.
pub fn draw(canvas: &mut Canvas<'_>, model: &Model, layout: &Layout) {
    let ink = canvas.ink;
    canvas.line(layout.crumbs, 0, &crumbs(model, &ink, usize::from(layout.crumbs.width)));
    let hints = match (&model.input, field_keys(model)) {
        (Some(input), _) => typing(model, &ink, input),
        (None, Some(keys)) => {
            let spans = keys
                .iter()
                .flat_map(|(key, label)| [ink.span(Role::Key, (*key).to_owned()), ink.plain(format!(" {label}   "))]);
            Line::from(std::iter::once(ink.plain(" ")).chain(spans).collect::<Vec<_>>())
        }
        (None, None) => hints(model, &ink, usize::from(layout.hints.width)),
    };
    canvas.line(layout.hints, 0, &hints);
}

fn crumbs(model: &Model, ink: &Ink<'_>, width: usize) -> Line<'static> {
    if let Some(status) = &model.status {
        let age = model.stamp.uptime.saturating_sub(status.since).as_secs();
        let (sign, role) = match status.tone {
            Tone::Info => (ink.glyphs.ok, Role::Plain),
            Tone::Warning => ("!", Role::Pending),
        };
        let age = if age > 0 { format!("  {age}s ago") } else { String::new() };
        let room = width.saturating_sub(age.len() + 5);
        return Line::from(vec![
            ink.span(role, format!(" {sign} ")),
            ink.outside(role, &status.text, room),
            ink.span(Role::Muted, age),
        ]);
    }
    if let Some(problem) = model.fleet.config_problems.first() {
        let more = model.fleet.config_problems.len() - 1;
        let more = if more > 0 { format!("  (+{more} more)") } else { String::new() };
        let problem = &problem.replace("\n  hint:", "; hint:");
        let lead = " ! configuration not taken up: ";
        let room = width.saturating_sub(lead.len() + more.len() + 1);
        return Line::from(vec![
            ink.span(Role::Pending, lead),
            ink.outside(Role::Pending, problem, room),
            ink.span(Role::Muted, more),
        ]);
    }
    let crumb = format!(" {} ", ink.glyphs.crumb);
    let mut place = Vec::new();
    if let Some(application) = model.shown_application() {
        place.push(text::one_line(&application.name));
        if let Some(object) = model.diff.object() {
            place.push(text::one_line(&format!("{}/{}", object.kind, object.name)));
        }
        let hunk = model.diff.document.hunks.get(model.diff.hunk);
        place.extend(hunk.map(|hunk| hunk.field.clone()).filter(|field| !field.is_empty()));
    }
    let right = fetched(model);
    let room = width.saturating_sub(text::width(&right) + 3);
    let left = ink.fit(&place.join(&crumb), room);
    Line::from(vec![ink.plain(format!(" {left}")), ink.span(Role::Muted, format!(" {right}"))])
}

fn fetched(model: &Model) -> String {
    let repository = model.shown_application().and_then(|application| model.fleet.repository(&application.repository));
    match repository.and_then(|repository| repository.fetched_at) {
        Some(time) => format!("fetched {} ago", text::age(model.stamp.now, time)),
        None => String::new(),
    }
}

fn typing(model: &Model, ink: &Ink<'_>, input: &Input) -> Line<'static> {
    match input {
        Input::Command { text, .. } => Line::from(vec![
            ink.span(Role::Key, " :"),
            ink.outside(Role::Plain, text, 300),
            ink.plain("_"),
            ink.span(Role::Muted, "   enter runs   tab completes   esc leaves"),
        ]),
        Input::Filter(pane) => {
            let (filter, shown, total) = match pane {
                Pane::Repositories => count(&model.repositories),
                Pane::Applications | Pane::Diff => count(&model.applications),
                Pane::History => count(&model.history),
                Pane::Activity => count(&model.activity),
            };
            Line::from(vec![
                ink.span(Role::Key, " /"),
                ink.outside(Role::Plain, filter, 300),
                ink.plain("_"),
                ink.span(Role::Muted, format!("   {shown} of {total}   enter keeps   esc clears")),
            ])
        }
    }
}

/// The keys of a text field that has the focus: there, every letter is text, so the table's keys do not count.
fn field_keys(model: &Model) -> Option<&'static [(&'static str, &'static str)]> {
    let field = match model.layers.last()? {
        Layer::Help(screen) if screen.filter.is_empty() => {
            return Some(&[("letters", "search"), ("up down", "move"), ("enter", "runs"), ("esc", "leaves")]);
        }
        Layer::Help(_) => {
            return Some(&[
                ("letters", "search"),
                ("up down", "move"),
                ("enter", "runs"),
                ("esc", "clears the search"),
            ]);
        }
        Layer::Plan(screen) => screen.field,
        Layer::Revert(screen) => screen.field,
        _ => return None,
    };
    (field == Field::Name).then_some(&[
        ("letters", "type the name"),
        ("ctrl-u", "empties it"),
        ("tab", "leaves the field"),
        ("esc", "cancels"),
    ])
}

fn count<K: Clone + PartialEq>(list: &crate::console::selection::Selection<K>) -> (&str, usize, usize) {
    (&list.filter, list.rows().len(), list.total)
}

/// The keys of the screen on top, those that cannot act dimmed.
fn hints(model: &Model, ink: &Ink<'_>, width: usize) -> Line<'static> {
    let scopes = model.scopes();
    let wanted = |spec: &&action::ActionSpec| spec.hint && scopes.contains(&spec.scope) && fits(model, spec.action);
    let mut specs: Vec<_> = action::TABLE.iter().filter(wanted).collect();
    specs.sort_by_key(|spec| scopes.iter().position(|scope| *scope == spec.scope && is_screen(*scope)).unwrap_or(9));
    // Help and the way out are never what is left out.
    let (tail, head): (Vec<_>, Vec<_>) = specs.into_iter().partition(|spec| is_tail(spec.action));
    let hint = |spec: &action::ActionSpec| -> Vec<Span<'static>> {
        let Some(key) = model.settings.keymap.keys(spec).into_iter().next() else { return Vec::new() };
        let blocked = availability::why_not(model, spec.action).is_some();
        let (key_role, role) = if blocked { (Role::Muted, Role::Muted) } else { (Role::Key, Role::Plain) };
        vec![ink.span(key_role, key), ink.span(role, format!(" {}", spec.label)), ink.plain("  ")]
    };
    let cells = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let tail: Vec<Span<'static>> = tail.into_iter().flat_map(hint).collect();
    let mut spans: Vec<Span<'static>> = vec![ink.plain(" ")];
    for spec in head {
        let next = hint(spec);
        if cells(&spans) + cells(&next) + cells(&tail) > width + 2 {
            break;
        }
        spans.extend(next);
    }
    spans.extend(tail);
    Line::from(spans)
}

fn is_tail(action: action::Action) -> bool {
    use action::Action as A;
    matches!(action, A::Help | A::Quit | A::Close)
}

fn is_screen(scope: action::Scope) -> bool {
    !matches!(scope, action::Scope::Main | action::Scope::Move | action::Scope::Global)
}

/// Keys of the diff are hinted only where a diff is.
fn fits(model: &Model, action: action::Action) -> bool {
    use action::Action as A;
    let diff = matches!(model.layers.last(), None | Some(Layer::Diff(_)));
    diff || !matches!(action, A::NextHunk | A::NextObject | A::Layout | A::MoreContext)
}
