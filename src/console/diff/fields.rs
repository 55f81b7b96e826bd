//! Which field a line of a diff belongs to, and which change explains it.

use super::{document::Sources, path};
use crate::{
    console::text,
    engine::{Change, ObjectComparison},
    merge::Op,
    object::Pointer,
};
use serde_json::Value;
use similar::DiffOp;
use std::collections::HashMap;

/// The fields on both sides' lines, and the changes that explain them, by path: there can be thousands of either.
pub struct Fields<'a> {
    live: Vec<Vec<String>>,
    desired: Vec<Vec<String>>,
    object: &'a ObjectComparison,
    changes: HashMap<Vec<String>, Vec<&'a Change>>,
}

impl<'a> Fields<'a> {
    /// Reads the fields of both texts.
    pub fn new(sources: &Sources<'a>, live: &str, desired: &str) -> Self {
        let object = sources.object;
        let mut changes: HashMap<_, Vec<_>> = HashMap::new();
        for change in &object.changes {
            changes.entry(Pointer::from(change.path.as_str()).0).or_default().push(change);
        }
        Self { live: path::paths(live), desired: path::paths(desired), object, changes }
    }

    /// Returns the changes whose field holds a line, the deepest first.
    fn holding<'l>(&'l self, line: &'l [String]) -> impl Iterator<Item = &'a Change> + 'l {
        (0..=line.len()).rev().filter_map(|depth| self.changes.get(&line[..depth])).flatten().copied()
    }

    /// Finds the change whose field is on a changed line.
    pub fn cause(&self, old: Option<usize>, new: Option<usize>) -> Option<&'a Change> {
        let (line, not) = match (old, new) {
            (_, Some(line)) => (self.desired.get(line)?, Op::Remove),
            (Some(line), None) => (self.live.get(line)?, Op::Add),
            (None, None) => return None,
        };
        self.holding(line).find(|change| change.op != not)
    }

    /// Returns a change for the lines that no field explains: one of the hunk's if they have one origin, else the object's only one.
    pub fn common(&self, group: &[DiffOp]) -> Option<&'a Change> {
        let mut found: Option<&'a Change> = None;
        for line in changed_lines(group).1.filter_map(|line| self.desired.get(line)) {
            for change in self.holding(line) {
                if found.is_some_and(|found| found.origin != change.origin) {
                    return None;
                }
                found = found.or(Some(change));
            }
        }
        found.or(match self.object.changes.as_slice() {
            [only] => Some(only),
            _ => None,
        })
    }

    /// Names the deepest field that holds all changed lines of a hunk; list items by their `name`.
    pub fn title(&self, group: &[DiffOp]) -> String {
        let (old, new) = changed_lines(group);
        let lines = old.filter_map(|line| self.live.get(line)).chain(new.filter_map(|line| self.desired.get(line)));
        let mut common: Option<Vec<String>> = None;
        for line in lines {
            let shared = match common {
                None => line.clone(),
                Some(common) => common.iter().zip(line).take_while(|(a, b)| a == b).map(|(a, _)| a.clone()).collect(),
            };
            common = Some(shared);
        }
        let common = common.unwrap_or_default();
        let sides = &self.object.sides;
        let root = sides.desired().or_else(|| sides.live());
        text::one_line(&dotted(&common, root))
    }
}

/// Returns the changed lines of a hunk on both sides.
fn changed_lines(group: &[DiffOp]) -> (impl Iterator<Item = usize> + '_, impl Iterator<Item = usize> + '_) {
    let changed = |op: &&DiffOp| !matches!(op, DiffOp::Equal { .. });
    let old = group.iter().filter(changed).flat_map(DiffOp::old_range);
    let new = group.iter().filter(changed).flat_map(DiffOp::new_range);
    (old, new)
}

/// Writes a path as operators read it: `spec.containers[api].image`.
pub fn dotted(path: &[String], root: Option<&Value>) -> String {
    let mut out = String::new();
    let mut at = root;
    for segment in path {
        match at {
            Some(Value::Array(items)) => {
                let item = segment.parse::<usize>().ok().and_then(|index| items.get(index));
                let name = item.and_then(|item| item.get("name")).and_then(Value::as_str);
                out.push_str(&format!("[{}]", name.unwrap_or(segment)));
                at = item;
            }
            _ => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(segment);
                at = at.and_then(|value| value.get(segment));
            }
        }
    }
    out
}
