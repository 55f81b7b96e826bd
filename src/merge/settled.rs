//! Whether an apply would change nothing at all, found out without merging: most objects are as Git says, most of the time.
//!
//! Only a yes means anything: [`merge`](super::merge) then leaves the object as it is and finds no conflict. All that is not as plain as
//! can be is answered with no: nulls, unknown fields, another version, lists in another order or with items of others, mappings whose
//! type allows other forms too.

use super::schema::{List, ListType, Map, Scalar, Schemas, Type};
use crate::object::Borrowed;
use serde_json::Value;

/// Items of a list up to which it is looked at; each is compared with each.
const MOST_ITEMS: usize = 64;

/// Says whether an apply of `desired` by `manager` would leave `live` as it is, everything that the manager owned being named again.
pub fn is_settled(schemas: &Schemas, live: &Borrowed<'_>, desired: &Borrowed<'_>, manager: &str) -> bool {
    check(schemas, live, desired, manager).is_some()
}

/// None is a no.
fn check(schemas: &Schemas, live: &Borrowed<'_>, desired: &Borrowed<'_>, manager: &str) -> Option<()> {
    let text = |object: &Borrowed<'_>, name: &str| object.get(name).and_then(Borrowed::as_str).map(str::to_owned);
    let (api_version, kind) = (text(desired, "apiVersion")?, text(desired, "kind")?);
    // A custom kind's schema may have changed under the object, which the server then refuses to apply to.
    let kind = schemas.kind(&api_version, &kind).filter(|kind| !kind.is_custom)?;
    yes(desired.get("status").is_none() && desired.get("metadata")?.get("managedFields").is_none())?;
    let Borrowed::Array(entries) = live.get("metadata")?.get("managedFields")? else { return None };
    let mut own = None;
    for entry in entries {
        // In another version fields may have other names.
        yes(entry.get("apiVersion")?.as_str()? == api_version && entry.get("fieldsType")?.as_str()? == "FieldsV1")?;
        let is_own = entry.get("manager").and_then(Borrowed::as_str) == Some(manager)
            && entry.get("operation")?.as_str()? == "Apply"
            && entry.get("subresource").is_none();
        if is_own && own.replace(entry.get("fieldsV1")?).is_some() {
            return None;
        }
    }
    let root = kind.root.map()?;
    yes(!root.is_atomic())?;
    members(root, desired, live, own?)
}

fn yes(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// A value and what the manager owned there; `owned` is none where it owned nothing.
fn value(schema: Type<'_>, desired: &Borrowed<'_>, live: &Borrowed<'_>, owned: Option<&Borrowed<'_>>) -> Option<()> {
    // A mapping or a list of a type that allows several forms may mean either of them.
    match (schema.map(), schema.list(), schema.scalar(), desired) {
        (Some(map), None, None, Borrowed::Object(_)) if !map.is_atomic() => {
            members(map, desired, live, owned.unwrap_or(&NOTHING))
        }
        (Some(_), None, None, Borrowed::Object(_)) => whole(desired, live, owned),
        (None, Some(list), None, Borrowed::Array(wanted)) => match (list.list_type(), live) {
            (ListType::Atomic, _) => whole(desired, live, owned),
            (_, Borrowed::Array(there)) => items(list, wanted, there, owned.unwrap_or(&NOTHING)),
            _ => None,
        },
        (.., Some(scalar), Borrowed::Number(_) | Borrowed::String(_) | Borrowed::Bool(_)) => {
            let fits = matches!(
                (scalar, desired),
                (Scalar::Any, _)
                    | (Scalar::Numeric, Borrowed::Number(_))
                    | (Scalar::String, Borrowed::String(_))
                    | (Scalar::Boolean, Borrowed::Bool(_))
            );
            yes(fits)?;
            whole(desired, live, owned)
        }
        _ => None,
    }
}

const NOTHING: Borrowed<'static> = Borrowed::Object(Vec::new());

/// A value that is owned as one.
fn whole(desired: &Borrowed<'_>, live: &Borrowed<'_>, owned: Option<&Borrowed<'_>>) -> Option<()> {
    let is_leaf = owned.is_none_or(|owned| owned.members().is_some_and(<[_]>::is_empty));
    yes(is_leaf && desired == live)
}

fn members(map: Map<'_>, desired: &Borrowed<'_>, live: &Borrowed<'_>, owned: &Borrowed<'_>) -> Option<()> {
    let (wanted, there, owned) = (desired.members()?, live.members()?, owned.members()?);
    let mut named = 0;
    for (index, (name, wanted_value)) in wanted.iter().enumerate() {
        let field = map.field(name);
        let schema = field.map(|field| field.value).or_else(|| map.values())?;
        // Both sides are mostly written in the same order.
        let near = there.get(index).filter(|(known, _)| known == name);
        let (_, live_value) = near.or_else(|| there.iter().find(|(known, _)| known == name))?;
        let known = owned.iter().find(|(known, _)| known.strip_prefix("f:") == Some(name)).map(|(_, below)| below);
        named += usize::from(known.is_some());
        if let Some(known) = known {
            // What it owned as such it must own again: a value that is owned as one, an empty mapping, or a member that is not declared.
            let is_whole = !matches!(wanted_value, Borrowed::Object(_) | Borrowed::Array(_)) || is_atomic(schema);
            let is_empty = wanted_value.members().is_some_and(<[_]>::is_empty);
            yes(!is_member(known) || is_whole || is_empty || field.is_none())?;
        }
        value(schema, wanted_value, live_value, known)?;
    }
    yes(owned.iter().filter(|(name, _)| name != ".").count() == named)
}

fn is_atomic(schema: Type<'_>) -> bool {
    schema.map().is_some_and(Map::is_atomic) || schema.list().is_some_and(|list| list.list_type() == ListType::Atomic)
}

/// Says whether FieldsV1 has the value itself as a member, not only parts of it.
fn is_member(fields: &Borrowed<'_>) -> bool {
    fields.members().is_some_and(|members| members.is_empty() || members.iter().any(|(name, _)| name == "."))
}

fn items(list: List<'_>, wanted: &[Borrowed<'_>], there: &[Borrowed<'_>], owned: &Borrowed<'_>) -> Option<()> {
    let owned = owned.members()?;
    yes(wanted.len() == there.len() && wanted.len() <= MOST_ITEMS)?;
    let mut elements: Vec<(Element, &Borrowed<'_>)> = Vec::with_capacity(owned.len());
    for (name, below) in owned.iter().filter(|(name, _)| name != ".") {
        elements.push((Element::read(list, name)?, below));
    }
    let mut named = 0;
    for (index, (wanted_item, live_item)) in wanted.iter().zip(there).enumerate() {
        let element = Element::of(list, wanted_item)?;
        yes(element == Element::of(list, live_item)?)?;
        for other in &wanted[..index] {
            yes(Element::of(list, other)? != element)?;
        }
        let known = elements.iter().find(|(known, _)| *known == element).map(|(_, below)| *below);
        named += usize::from(known.is_some());
        value(list.items(), wanted_item, live_item, known)?;
    }
    yes(elements.len() == named)
}

/// What tells one item of a list from the others.
#[derive(PartialEq)]
enum Element {
    Value(Value),
    Key(Vec<Value>),
}

impl Element {
    fn of(list: List<'_>, item: &Borrowed<'_>) -> Option<Self> {
        match (list.list_type(), item) {
            (ListType::Set, Borrowed::String(_) | Borrowed::Number(_) | Borrowed::Bool(_)) => {
                Some(Self::Value(item.to_value()))
            }
            (ListType::Map, Borrowed::Object(_)) => {
                let map = list.items().map()?;
                let key = list.keys().iter().map(|name| match item.get(name) {
                    Some(value) => Some(value.to_value()),
                    None => map.field(name)?.value.default().cloned(),
                });
                key.collect::<Option<Vec<_>>>().map(Self::Key)
            }
            _ => None,
        }
    }
    /// Reads the form that it has in FieldsV1.
    fn read(list: List<'_>, text: &str) -> Option<Self> {
        match (list.list_type(), text.get(..2)?) {
            (ListType::Set, "v:") => Some(Self::Value(serde_json::from_str(&text[2..]).ok()?)),
            (ListType::Map, "k:") => {
                let mut key: serde_json::Map<String, Value> = serde_json::from_str(&text[2..]).ok()?;
                let parts: Option<Vec<Value>> = list.keys().iter().map(|name| key.remove(name.as_ref())).collect();
                parts.filter(|_| key.is_empty()).map(Self::Key)
            }
            _ => None,
        }
    }
}
