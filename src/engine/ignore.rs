//! Fields that the configuration tells to leave alone (`[[application.ignore]]`): no sync moves them, and their movements do not count.

use crate::{
    cluster::FIELD_MANAGER,
    config,
    merge::{Entry, LeftOut, Operation, Path, PathElement, Schemas, leave_out, path_of},
    object::{ObjectId, Packed, Pointer, Unreadable},
};
use globset::{Glob, GlobMatcher};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// The rules of one application.
#[derive(Debug, Default)]
pub(in crate::engine) struct IgnoreRules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    group: String,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    paths: Vec<Pointer>,
    managers: Vec<String>,
}

#[derive(Debug)]
enum Pattern {
    Any,
    Glob(GlobMatcher),
    Text(String),
}

impl Pattern {
    fn new(text: &str) -> Self {
        match Glob::new(text) {
            _ if text == "*" => Self::Any,
            Ok(glob) => Self::Glob(glob.compile_matcher()),
            // The configuration's check refuses it; here it is what it says.
            Err(_) => Self::Text(text.to_owned()),
        }
    }
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Glob(glob) => glob.is_match(text),
            Self::Text(own) => own == text,
        }
    }
}

/// What of one object is left alone, and what is sent so that it is.
#[derive(Clone)]
pub(in crate::engine) struct LeftAlone {
    schemas: Arc<Schemas>,
    /// What Git says.
    git: Packed,
    /// What is sent, and what stands for it in a digest.
    payload: Packed,
    marked: Packed,
    /// The fields.
    paths: Vec<Path>,
}

impl fmt::Debug for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeftAlone").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl PartialEq for LeftAlone {
    fn eq(&self, other: &Self) -> bool {
        self.paths == other.paths && self.marked() == other.marked()
    }
}

impl IgnoreRules {
    /// Takes the configuration's rules.
    pub(in crate::engine) fn new(rules: &[config::Ignore]) -> Self {
        Self(
            rules
                .iter()
                .map(|rule| Rule {
                    group: rule.group.clone(),
                    kind: Pattern::new(&rule.kind),
                    name: Pattern::new(&rule.name),
                    namespace: Pattern::new(&rule.namespace),
                    paths: rule.paths.iter().map(|path| Pointer::from(path.as_str())).collect(),
                    managers: rule.managers.clone(),
                })
                .collect(),
        )
    }

    /// Says whether a rule concerns an object.
    pub(in crate::engine) fn concern(&self, id: &ObjectId) -> bool {
        self.of(id).next().is_some()
    }

    fn of(&self, id: &ObjectId) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(|rule| {
            (rule.group == "*" || rule.group == id.group)
                && rule.kind.matches(&id.kind)
                && rule.name.matches(&id.name)
                && rule.namespace.matches(id.namespace.as_deref().unwrap_or_default())
        })
    }

    /// Returns what is sent of an object so that its ignored fields stay as they are. A rule's pointer is one into the manifest, or, where
    /// the manifest has no such field, into the live object.
    ///
    /// # Errors
    /// Why it cannot be known what has to be sent.
    pub(in crate::engine) fn leave_alone(
        &self,
        id: &ObjectId,
        schemas: &Arc<Schemas>,
        live: &Value,
        desired: &Value,
    ) -> Result<LeftAlone, String> {
        let mut paths: Vec<Path> = Vec::new();
        for rule in self.of(id) {
            paths.extend(rule.paths.iter().filter_map(|path| {
                path_of(schemas, desired, path)
                    .or_else(|| path_of(schemas, live, path))
                    .or_else(|| absent(schemas, live, path))
            }));
            if !rule.managers.is_empty() {
                let entries = Entry::read_all(live).map_err(|error| error.to_string())?;
                let theirs = entries.iter().filter(|entry| {
                    rule.managers.contains(&entry.manager)
                        && !(entry.manager == FIELD_MANAGER && entry.operation == Operation::Apply)
                });
                paths.extend(theirs.flat_map(|entry| entry.fields.leaves().paths()).filter(is_content));
            }
        }
        // What is left alone as a whole needs no word about its parts.
        paths.sort();
        paths.dedup_by(|path, above| path.0.starts_with(&above.0));
        let LeftOut { payload, marked } = left_out(schemas, live, desired, &paths)?;
        Ok(LeftAlone {
            schemas: Arc::clone(schemas),
            git: Packed::value(desired),
            payload: Packed::value(&payload),
            marked: Packed::value(&marked),
            paths,
        })
    }
}

fn left_out(schemas: &Schemas, live: &Value, desired: &Value, paths: &[Path]) -> Result<LeftOut, String> {
    leave_out(schemas, live, desired, FIELD_MANAGER, paths)
        .ok_or_else(|| "its ignored fields cannot be told apart: its kind's schema is not known".to_owned())
}

/// The path of a field that neither side has, below mappings that live has: it may come.
fn absent(schemas: &Schemas, live: &Value, pointer: &Pointer) -> Option<Path> {
    let there = (0..pointer.0.len()).rev().map(|length| Pointer(pointer.0[..length].to_vec()));
    let above = there.into_iter().find(|above| above.get(live).is_some())?;
    if !above.get(live)?.is_object() {
        return None;
    }
    let mut path = path_of(schemas, live, &above)?;
    path.0.extend(pointer.0[above.0.len()..].iter().map(|segment| PathElement::field(segment)));
    Some(path)
}

/// Reads what was a value in memory.
fn read(packed: Result<Value, Unreadable>) -> Value {
    packed.unwrap_or_default()
}

/// Items' keys are no content of their own, status never counts.
fn is_content(path: &Path) -> bool {
    let status = PathElement::field("status");
    path.0.first() != Some(&status)
        && match path.0.as_slice() {
            [.., PathElement::Key(key), PathElement::Field(name)] => !key.iter().any(|(key, _)| key == name),
            _ => true,
        }
}

impl LeftAlone {
    /// Returns what is sent.
    pub(in crate::engine) fn payload(&self) -> Value {
        read(self.payload.read())
    }
    /// Returns what stands for it in a digest.
    pub(in crate::engine) fn marked(&self) -> Value {
        read(self.marked.read())
    }
    /// Returns the fields.
    pub(in crate::engine) fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Returns what is sent to a later state of the live object: what is carried is carried as it is now.
    ///
    /// # Errors
    /// Why what was shown cannot be sent any more.
    pub(in crate::engine) fn payload_for(&self, live: &Value) -> Result<Value, String> {
        let now = left_out(&self.schemas, live, &read(self.git.read()), &self.paths)?;
        if now.marked != self.marked() {
            return Err("what has to be sent so that its ignored fields stay as they are has changed".into());
        }
        Ok(now.payload)
    }

    /// Names an ignored field that applying would move all the same, if there is one.
    pub(in crate::engine) fn moved(&self, live: &Value, predicted: &Value) -> Option<String> {
        let at = |root: &Value, path: &Path| path.resolve(root).and_then(|pointer| pointer.get(root).cloned());
        let moved = self.paths.iter().find(|path| at(live, path) != at(predicted, path))?;
        Some(format!(
            "applying would change {moved}, which is to be ignored; ignore all of the value that it is a part of"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(group: &str, kind: &str, name: &str) -> config::Ignore {
        config::Ignore {
            group: group.into(),
            kind: kind.into(),
            name: name.into(),
            namespace: "*".into(),
            paths: vec!["/spec/replicas".into()],
            managers: vec![],
        }
    }

    #[test]
    fn rules_concern_objects_by_group_kind_and_name() {
        let rules = IgnoreRules::new(&[rule("apps", "Deployment", "api-*"), rule("", "ConfigMap", "*")]);
        for (id, concerned) in [
            ("apps/Deployment/shop/api-a", true),
            ("apps/Deployment/shop/web", false),
            ("apps/StatefulSet/shop/api-a", false),
            ("ConfigMap/shop/x", true),
            ("x.io/ConfigMap/shop/x", false),
        ] {
            assert_eq!(rules.concern(&id.parse().unwrap()), concerned, "{id}");
        }
        assert!(IgnoreRules::new(&[rule("*", "*", "*")]).concern(&"Namespace/a".parse().unwrap()));
    }

    #[test]
    fn keys_of_items_and_status_are_nobodys_content() {
        let name = PathElement::Key([("name".into(), Value::from("a"))].into());
        let path = |last: &str| Path(vec![PathElement::field("spec"), name.clone(), PathElement::field(last)]);
        assert!(!is_content(&path("name")));
        assert!(is_content(&path("image")));
        assert!(!is_content(&Path(vec![PathElement::field("status"), PathElement::field("x")])));
    }
}
