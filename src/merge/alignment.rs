//! Which item of one list is which item of another.

use crate::object::canonical_json;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// One step through two aligned lists, with indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The same item, perhaps with another content.
    Both(usize, usize),
    /// Only live has it.
    Live(usize),
    /// Only predicted has it.
    Predicted(usize),
}

/// The merge keys of Kubernetes' lists, in the order in which they are tried. A protocol that is absent is TCP.
const MERGE_KEYS: &[(&str, bool)] = &[
    ("name", false),
    ("key", false),
    ("containerPort", true),
    ("port", true),
    ("mountPath", false),
    ("devicePath", false),
    ("ip", false),
    ("type", false),
    ("topologyKey", false),
];

/// The largest table of a longest common subsequence; lists beyond it are compared as a whole.
const MAX_TABLE: usize = 1 << 20;

/// Aligns two lists: by a merge key where both have one, else by equal items. In both cases along a longest common
/// subsequence, so that a change of order shows.
pub(super) fn align(live: &[Value], predicted: &[Value]) -> Vec<Step> {
    let keys = MERGE_KEYS.iter().find_map(|key| Some((keys_of(live, *key)?, keys_of(predicted, *key)?)));
    let (live, predicted, keyed) = match keys {
        Some((live, predicted)) => (live, predicted, true),
        None => (live.iter().map(canonical_json).collect(), predicted.iter().map(canonical_json).collect(), false),
    };
    let mut steps = Vec::new();
    let (mut left, mut right) = (0, 0);
    for (next_left, next_right) in
        common_subsequence(&live, &predicted).into_iter().chain([(live.len(), predicted.len())])
    {
        // As many items gone as come: without keys they are most likely the same items, changed.
        if !keyed && next_left - left == next_right - right {
            steps.extend((left..next_left).zip(right..next_right).map(|(left, right)| Step::Both(left, right)));
        } else {
            steps.extend((left..next_left).map(Step::Live));
            steps.extend((right..next_right).map(Step::Predicted));
        }
        if next_left < live.len() && next_right < predicted.len() {
            steps.push(Step::Both(next_left, next_right));
        }
        (left, right) = (next_left + 1, next_right + 1);
    }
    steps
}

/// The values of a merge key, if every item has one and no two the same.
fn keys_of(items: &[Value], (name, with_protocol): (&str, bool)) -> Option<Vec<String>> {
    let mut seen = HashSet::new();
    items
        .iter()
        .map(|item| {
            let value = item.as_object()?.get(name).filter(|value| value.is_string() || value.is_number())?;
            let mut key = canonical_json(value);
            if with_protocol {
                key.push_str(item.get("protocol").and_then(Value::as_str).unwrap_or("TCP"));
            }
            seen.insert(key.clone()).then_some(key)
        })
        .collect()
}

/// The index pairs of a longest common subsequence.
fn common_subsequence(live: &[String], predicted: &[String]) -> Vec<(usize, usize)> {
    let start = live.iter().zip(predicted).take_while(|(a, b)| a == b).count();
    let (live_rest, predicted_rest) = (&live[start..], &predicted[start..]);
    let end = live_rest.iter().rev().zip(predicted_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let mut pairs: Vec<_> = (0..start).map(|at| (at, at)).collect();
    let middle = table(&live_rest[..live_rest.len() - end], &predicted_rest[..predicted_rest.len() - end]);
    pairs.extend(middle.into_iter().map(|(left, right)| (left + start, right + start)));
    pairs.extend((0..end).map(|at| (live.len() - end + at, predicted.len() - end + at)));
    pairs
}

fn table(live: &[String], predicted: &[String]) -> Vec<(usize, usize)> {
    if live.is_empty() || predicted.is_empty() || live.len().saturating_mul(predicted.len()) > MAX_TABLE {
        return Vec::new();
    }
    let mut ids = HashMap::new();
    let mut numbered = |items: &[String]| -> Vec<usize> {
        items
            .iter()
            .map(|item| {
                let next = ids.len();
                *ids.entry(item.clone()).or_insert(next)
            })
            .collect()
    };
    let (live, predicted) = (numbered(live), numbered(predicted));
    let width = predicted.len() + 1;
    // lengths[left * width + right]: of the longest common subsequence of what follows these positions
    let mut lengths = vec![0_u32; (live.len() + 1) * width];
    for left in (0..live.len()).rev() {
        for right in (0..predicted.len()).rev() {
            lengths[left * width + right] = if live[left] == predicted[right] {
                lengths[(left + 1) * width + right + 1] + 1
            } else {
                lengths[(left + 1) * width + right].max(lengths[left * width + right + 1])
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut left, mut right) = (0, 0);
    while left < live.len() && right < predicted.len() {
        if live[left] == predicted[right] {
            pairs.push((left, right));
            left += 1;
            right += 1;
        } else if lengths[(left + 1) * width + right] >= lengths[left * width + right + 1] {
            left += 1;
        } else {
            right += 1;
        }
    }
    pairs
}
