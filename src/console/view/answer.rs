//! What plan and revert end with: the field of the name that arms, and the two answers.

use super::canvas::Ink;
use crate::console::{
    screen::Field,
    text,
    theme::{Role, SELECTED},
};
use ratatui::text::Line;

/// Width of the column of labels.
pub const LABEL: usize = 10;

/// The field into which an application's name is typed.
pub fn typed_field(ink: &Ink<'_>, label: &str, name: &str, typed: &str, field: Field) -> Line<'static> {
    let done = typed == name;
    let cursor = if field == Field::Name { "_" } else { "" };
    let (sign, role) = if done { (ink.glyphs.ok, Role::Ok) } else { (" ", Role::Strong) };
    let hint = if field == Field::Name { "   tab leaves the field" } else { "   tab goes to the field" };
    Line::from(vec![
        ink.span(Role::Production, format!(" {label:<width$}", width = LABEL - 1)),
        ink.plain("type the application name to arm:  "),
        ink.outside(role, typed, 64),
        ink.plain(cursor),
        ink.span(role, format!(" {sign}")),
        ink.span(Role::Muted, hint),
    ])
}

/// The two answers: cancel has the focus, the other one has a key, and a reason when it does not count.
pub fn answers(
    ink: &Ink<'_>,
    field: Field,
    key: &str,
    label: &str,
    blocked: Option<&str>,
    width: usize,
) -> Line<'static> {
    let cancel = ink.span(Role::Strong, "[ Cancel ]");
    let cancel = if field == Field::Cancel { cancel.patch_style(SELECTED) } else { cancel };
    // What blocks the answer is said in full where there is any room for it.
    let needed = 36 + text::width(key) + text::width(label) + blocked.map_or(0, text::width);
    let (left, gap) = if needed > width { (1, 2) } else { (10, 6) };
    let label = if needed > width + 13 && blocked.is_some() { "" } else { label };
    let mut spans = vec![ink.plain(" ".repeat(left)), cancel, ink.plain(" ".repeat(gap))];
    match blocked {
        None => spans.extend([ink.span(Role::Key, key.to_owned()), ink.span(Role::Strong, format!("  {label}"))]),
        Some(reason) => {
            let lead = if label.is_empty() { format!("{key}: ") } else { format!("{key}  {label}: ") };
            let room = width.saturating_sub(left + 10 + gap + text::width(&lead));
            spans.push(ink.span(Role::Muted, lead));
            spans.push(ink.outside(Role::Muted, reason, room));
        }
    }
    Line::from(spans)
}
