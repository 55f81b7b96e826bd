//! Which key does what where: the table of actions with the operator's `[keys]` over it.

use super::{
    action::{self, Action, ActionSpec, Danger, Scope},
    key::Key,
};
use crossterm::event::KeyCode;
use std::collections::BTreeMap;

/// Keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<(Key, &'static ActionSpec)>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::bind(&BTreeMap::new()).0
    }
}

impl Keymap {
    /// Puts the operator's keys over the table's.
    ///
    /// # Errors
    /// Every problem at once: unknown actions and keys, clashes, keys on which nothing that writes may sit.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<String>> {
        let (keymap, problems) = Self::bind(overrides);
        if problems.is_empty() { Ok(keymap) } else { Err(problems) }
    }

    fn bind(overrides: &BTreeMap<String, Vec<String>>) -> (Self, Vec<String>) {
        let mut problems: Vec<String> = overrides
            .keys()
            .filter(|id| action::named(id).is_none())
            .map(|id| format!("[keys] {id}: there is no such action; `driftdeck keys` lists them"))
            .collect();
        let mut bindings: Vec<(Key, &'static ActionSpec)> = Vec::new();
        for spec in action::TABLE {
            let names: Vec<&str> = match overrides.get(spec.id) {
                Some(keys) => keys.iter().map(String::as_str).collect(),
                None => spec.keys.to_vec(),
            };
            for name in names {
                match Key::parse(name) {
                    None => problems
                        .push(format!("[keys] {}: `{name}` is not a key; write e.g. j, ctrl-d, f5, esc", spec.id)),
                    Some(key) => bindings.push((key, spec)),
                }
            }
        }
        for (index, (key, spec)) in bindings.iter().enumerate() {
            if let Some((_, other)) =
                bindings[..index].iter().find(|(k, other)| k == key && clash(spec.scope, other.scope))
            {
                problems.push(format!("[keys] `{key}` is both `{}` and `{}`; unbind one", other.id, spec.id));
            }
            let moves = bindings.iter().any(|(k, other)| k == key && is_motion(other.action));
            let inert = key.ctrl || moves || matches!(key.code, KeyCode::Enter | KeyCode::Char(' ') | KeyCode::Esc);
            if spec.danger == Danger::Writes && inert {
                problems.push(format!(
                    "[keys] {}: `{key}` cannot be bound to an action that writes (no enter, space, esc, ctrl or motion key)",
                    spec.id
                ));
            }
        }
        (Self { bindings }, problems)
    }

    /// Finds what a key does, looking through scopes from the innermost outwards.
    pub fn find(&self, scopes: &[Scope], key: Key) -> Option<&'static ActionSpec> {
        let found = |scope: &Scope| self.bindings.iter().find(|(k, spec)| *k == key && spec.scope == *scope);
        scopes.iter().find_map(found).map(|(_, spec)| *spec)
    }

    /// Returns the keys of an action, in words.
    pub fn keys(&self, spec: &ActionSpec) -> Vec<String> {
        self.bindings.iter().filter(|(_, bound)| bound.id == spec.id).map(|(key, _)| key.to_string()).collect()
    }
}

/// Two scopes whose keys count at the same time and at the same level.
fn clash(one: Scope, other: Scope) -> bool {
    let broad = |scope| matches!(scope, Scope::Global | Scope::Move | Scope::Main);
    one == other || (broad(one) && broad(other))
}

fn is_motion(action: Action) -> bool {
    use Action as A;
    matches!(
        action,
        A::Down
            | A::Up
            | A::Top
            | A::Bottom
            | A::HalfDown
            | A::HalfUp
            | A::ScrollDown
            | A::ScrollUp
            | A::NextPane
            | A::PreviousPane
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(id: &str, keys: &[&str]) -> Vec<String> {
        let keys = keys.iter().map(ToString::to_string).collect();
        Keymap::new(&BTreeMap::from([(id.to_owned(), keys)])).err().unwrap_or_default()
    }

    #[test]
    fn the_table_itself_has_no_clash_and_no_dangerous_key() {
        assert_eq!(Keymap::new(&BTreeMap::new()).err(), None);
    }

    #[test]
    fn a_remapped_key_replaces_the_tables_and_an_empty_list_unbinds() {
        let keymap =
            Keymap::new(&BTreeMap::from([("plan".into(), vec!["f5".into()]), ("fetch".into(), vec![])])).unwrap();
        let key = |name| Key::parse(name).unwrap();
        assert_eq!(keymap.find(&[Scope::Main], key("f5")).unwrap().id, "plan");
        assert!(keymap.find(&[Scope::Main], key("s")).is_none());
        assert!(keymap.find(&[Scope::Main], key("f")).is_none());
    }

    #[test]
    fn all_bad_keys_are_told_at_once() {
        assert!(problems("plan", &["f"])[0].contains("both"));
        assert!(problems("plann", &["x"])[0].contains("no such action"));
        assert!(problems("plan", &["hyper-x"])[0].contains("not a key"));
        for key in ["enter", "space", "ctrl-a", "j", "G"] {
            assert!(problems("approve", &[key]).iter().any(|text| text.contains("cannot be bound")), "{key}");
        }
        let both = BTreeMap::from([("plann".into(), vec!["x".into()]), ("plan".into(), vec!["f".into(), "??".into()])]);
        assert_eq!(Keymap::new(&both).unwrap_err().len(), 3);
    }
}
