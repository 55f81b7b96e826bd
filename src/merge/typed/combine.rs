//! What an object is after an apply wrote its fields into it; nothing is taken out here.
//!
//! Lists that are sets or maps are merged item by item: the applied items keep the order in which they are applied, the
//! others that of the live list, each before the applied item that follows it there.

use super::{Shape, is_same_item, item_element, items, members, shape};
use crate::merge::{
    path::PathElement,
    schema::{List, ListType, Map, Type},
    value::equal,
};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

type Members = serde_json::Map<String, Value>;

/// Merges what is applied into what is live; borrowed where nothing changes. Both must be valid.
///
/// What only one side has is as that side has it, so this is about values of both.
pub(in crate::merge) fn combine<'a>(schema: Type<'_>, live: &'a Value, applied: &Value) -> Cow<'a, Value> {
    let leaf = || if equal(live, applied) { Cow::Borrowed(live) } else { Cow::Owned(applied.clone()) };
    match shape(schema, applied) {
        Some(Shape::Map(map)) => {
            let (old, new) = (members(Some(live)), members(Some(applied)));
            let nothing = |map: Option<&Members>| map.is_none_or(Members::is_empty);
            match (old, new) {
                _ if map.is_atomic() || nothing(old) && nothing(new) => leaf(),
                (Some(old), Some(new)) => combine_members(map, live, old, new),
                // Null, applied to a mapping that is there, is an empty mapping.
                (Some(_), None) => Cow::Borrowed(live),
                (None, _) => Cow::Owned(applied.clone()),
            }
        }
        Some(Shape::List(list)) => {
            let (old, new) = (items(Some(live)), items(Some(applied)));
            let nothing = |items: Option<&[Value]>| items.is_none_or(<[Value]>::is_empty);
            match (old, new) {
                _ if list.list_type() == ListType::Atomic || nothing(old) && nothing(new) => leaf(),
                (Some(old), Some(new)) => combine_items(list, live, old, new),
                (Some(_), None) => Cow::Borrowed(live),
                (None, _) => Cow::Owned(applied.clone()),
            }
        }
        Some(Shape::Scalar(_)) | None => leaf(),
    }
}

fn combine_members<'a>(map: Map<'_>, live: &'a Value, old: &'a Members, new: &Members) -> Cow<'a, Value> {
    let mut changed = Members::new();
    for (name, applied) in new {
        let member = match (old.get(name), map.member(name)) {
            (Some(live), Some(schema)) => match combine(schema, live, applied) {
                Cow::Borrowed(_) => continue,
                Cow::Owned(value) => value,
            },
            _ => applied.clone(),
        };
        changed.insert(name.clone(), member);
    }
    if changed.is_empty() {
        return Cow::Borrowed(live);
    }
    let rest: Vec<_> = old.iter().filter(|(name, _)| !changed.contains_key(*name)).collect();
    changed.extend(rest.into_iter().map(|(name, member)| (name.clone(), member.clone())));
    Cow::Owned(Value::Object(changed))
}

fn combine_items<'a>(list: List<'_>, live: &'a Value, old: &'a [Value], new: &[Value]) -> Cow<'a, Value> {
    // Mostly both have the same items in the same order.
    if old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_same_item(list, old, new)) {
        let merged = old.iter().zip(new).map(|(old, new)| combine(list.items(), old, new)).collect();
        return collected(live, old, merged);
    }
    let elements =
        |items: &[Value]| -> Result<Vec<_>, _> { items.iter().map(|item| item_element(list, item)).collect() };
    // Items without an element are no valid list.
    let (Ok(old_elements), Ok(new_elements)) = (elements(old), elements(new)) else { return Cow::Borrowed(live) };
    let places = |elements: &[PathElement]| -> BTreeMap<_, _> { elements.iter().cloned().zip(0_usize..).collect() };
    let (in_old, in_new) = (places(&old_elements), places(&new_elements));
    let applied_of: Vec<Option<usize>> = old_elements.iter().map(|element| in_new.get(element).copied()).collect();
    // Of an item that live has several times none is merged with: the applied one replaces all of them.
    let repeated: BTreeSet<usize> = (old_elements.iter().zip(0_usize..))
        .filter(|(element, at)| in_old.get(*element) != Some(at))
        .filter_map(|(_, at)| applied_of[at])
        .collect();
    let live_of = |at: usize| in_old.get(&new_elements[at]).filter(|_| !repeated.contains(&at)).copied();

    let mut merged: Vec<Cow<'a, Value>> = Vec::with_capacity(old.len().max(new.len()));
    merged.extend(order(&applied_of, new.len()).into_iter().map(|source| match source {
        Source::Live(at) => Cow::Borrowed(&old[at]),
        Source::Applied(at) => match live_of(at) {
            Some(live) => combine(list.items(), &old[live], &new[at]),
            None => Cow::Owned(new[at].clone()),
        },
    }));
    collected(live, old, merged)
}

/// The list of these items; the live one if they are its own.
fn collected<'a>(live: &'a Value, old: &[Value], merged: Vec<Cow<'a, Value>>) -> Cow<'a, Value> {
    let same =
        |(item, live): (&Cow<'_, Value>, &Value)| matches!(item, Cow::Borrowed(item) if std::ptr::eq(*item, live));
    if merged.len() == old.len() && merged.iter().zip(old).all(same) {
        return Cow::Borrowed(live);
    }
    Cow::Owned(Value::Array(merged.into_iter().map(Cow::into_owned).collect()))
}

/// Where an item of a merged list comes from, with its index there.
enum Source {
    Live(usize),
    /// Merged with the live one of the same element, if there is one.
    Applied(usize),
}

/// Puts the items of two lists into one order. `applied_of` has for each live item the index of the applied one of the same
/// element.
fn order(applied_of: &[Option<usize>], applied: usize) -> Vec<Source> {
    let mut is_live = vec![false; applied];
    applied_of.iter().flatten().for_each(|&at| is_live[at] = true);
    // The items of both sides, in the applied order: the live list is walked from one of them to the next.
    let mut shared = (0..applied).filter(|&at| is_live[at]);
    let mut next_shared = shared.next();
    let mut taken = vec![false; applied];
    let mut sources = Vec::with_capacity(applied_of.len().max(applied));
    let (mut left, mut right) = (0, 0);
    while left < applied_of.len() || right < applied {
        match applied_of.get(left) {
            Some(&Some(at)) if at == right => {
                left += 1;
                next_shared = shared.next();
            }
            // An item of both sides, but not the next one.
            Some(&Some(at)) if right < applied && next_shared.is_some_and(|next| next != at) => {
                left += 1;
                continue;
            }
            Some(None) => {
                sources.push(Source::Live(left));
                left += 1;
                continue;
            }
            Some(&Some(at)) => {
                left += usize::from(taken[at]);
                if next_shared == Some(right) {
                    next_shared = shared.next();
                }
            }
            None => {
                if next_shared == Some(right) {
                    next_shared = shared.next();
                }
            }
        }
        if right < applied {
            taken[right] = true;
            sources.push(Source::Applied(right));
            right += 1;
        }
    }
    sources
}
