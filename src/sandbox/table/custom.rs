//! The columns and cells of custom resources: those of the definition's version (`additionalPrinterColumns`).

use super::age::since;
use crate::sandbox::meta::{self, items, text};
use serde_json::{Value, json};

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// The columns of a version.
pub(super) fn columns(version: &Value) -> Vec<Value> {
    let mut columns =
        vec![json!({"name": "Name", "type": "string", "format": "name", "description": NAME, "priority": 0})];
    let own = items(version, "/additionalPrinterColumns");
    for column in own {
        let or = |name: &str, usual: &str| {
            let given = text(column, &format!("/{name}"));
            if given.is_empty() { usual.to_owned() } else { given.to_owned() }
        };
        let usual = format!("Custom resource definition column (in JSONPath format): {}", text(column, "/jsonPath"));
        columns.push(json!({
            "name": text(column, "/name"), "type": text(column, "/type"), "format": text(column, "/format"),
            "description": or("description", &usual), "priority": meta::number(column, "/priority"),
        }));
    }
    if own.is_empty() {
        columns.push(json!({"name": "Age", "type": "date", "format": "", "description": AGE, "priority": 0}));
    }
    columns
}

/// The cells of an object.
pub(super) fn cells(version: &Value, object: &Value) -> Vec<Value> {
    let mut cells = vec![Value::from(meta::name(object))];
    let own = items(version, "/additionalPrinterColumns");
    for column in own {
        let found = find(object, text(column, "/jsonPath"));
        cells.push(cell(text(column, "/type"), &found));
    }
    if own.is_empty() {
        cells.push(since(text(object, "/metadata/creationTimestamp")).into());
    }
    cells
}

fn cell(kind: &str, found: &[Value]) -> Value {
    let Some(first) = found.first() else { return Value::Null };
    match (kind, first) {
        ("date", Value::String(time)) => since(time).into(),
        ("integer", Value::Number(number)) => {
            number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)).map_or(Value::Null, Value::from)
        }
        ("number" | "boolean", value) => value.clone(),
        ("string", _) => {
            let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.iter().map(shown).collect::<Vec<_>>().join(" ").into()
        }
        _ => Value::Null,
    }
}

/// The simple paths that the API server admits in columns: `.a.b`, `[0]`, `[*]`, `[?(@.type=="Ready")]`, `['a.b']`.
fn find(object: &Value, path: &str) -> Vec<Value> {
    let mut found = vec![object.clone()];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some((inside, after)) = closed(after) else { return Vec::new() };
            found = found.iter().flat_map(|value| index(value, inside)).collect();
            rest = after;
            continue;
        }
        let after = rest.strip_prefix('.').unwrap_or(rest);
        let (name, after) = member(after);
        found = found.iter().filter_map(|value| value.get(&name).cloned()).collect();
        rest = after;
        if name.is_empty() && rest.is_empty() {
            break;
        }
    }
    found.retain(|value| !value.is_null());
    found
}

/// A name may have escaped dots.
fn member(text: &str) -> (String, &str) {
    let (mut name, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, &text[at..]),
            c => {
                name.push(c);
                escaped = false;
            }
        }
    }
    (name, "")
}

fn closed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

fn index(value: &Value, inside: &str) -> Vec<Value> {
    let all = || match value {
        Value::Array(items) => items.clone(),
        Value::Object(members) => members.values().cloned().collect(),
        _ => Vec::new(),
    };
    if inside == "*" {
        return all();
    }
    if let Some(condition) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let Some((left, right)) = condition.split_once("==") else { return Vec::new() };
        let wanted = right.trim().trim_matches(['"', '\'']);
        let path = left.trim().trim_start_matches('@');
        let is_wanted = |item: &Value| {
            find(item, path)
                .first()
                .is_some_and(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned) == wanted)
        };
        return all().into_iter().filter(is_wanted).collect();
    }
    let name = inside.trim_matches(['"', '\'']);
    match (value, name.parse::<usize>()) {
        (Value::Array(items), Ok(at)) => items.get(at).cloned().into_iter().collect(),
        (value, _) => value.get(name).cloned().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_members_items_and_what_meets_a_condition() {
        let object = json!({"spec": {"a.b": 1, "l": [{"n": "x"}, {"n": "y"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]}});
        for (path, expected) in [
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".spec.l[0].n", json!(["x"])),
            (".spec.l[*].n", json!(["x", "y"])),
            (".spec.a\\.b", json!([1])),
            (".spec['a.b']", json!([1])),
            (".spec.missing.x", json!([])),
        ] {
            assert_eq!(json!(find(&object, path)), expected, "{path}");
        }
    }
}
