//! RFC 6902, with the words of the library that kube-apiserver uses (evanphx/json-patch).

use crate::object::Pointer;
use serde_json::Value;

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) enum Step {
    /// `add`.
    Add(String, Value),
    /// `remove`.
    Remove(String),
    /// `replace`.
    Replace(String, Value),
    /// `move`, from and to.
    Move(String, String),
    /// `copy`, from and to.
    Copy(String, String),
    /// `test`.
    Test(String, Value),
}

/// Reads a patch.
///
/// # Errors
/// What is wrong with it.
pub(in crate::sandbox) fn read(patch: &Value) -> Result<Vec<Step>, String> {
    let steps = patch.as_array().ok_or("json: cannot unmarshal object into Go value of type jsonpatch.Patch")?;
    let read = |step: &Value| {
        let text = |name: &str| step.get(name).and_then(Value::as_str).map(str::to_owned);
        let path = text("path").ok_or("operation missing path field")?;
        let from = || text("from").ok_or("operation missing from field");
        let value = || step.get("value").cloned().unwrap_or_default();
        Ok(match text("op").unwrap_or_default().as_str() {
            "add" => Step::Add(path, value()),
            "remove" => Step::Remove(path),
            "replace" => Step::Replace(path, value()),
            "move" => Step::Move(from()?, path),
            "copy" => Step::Copy(from()?, path),
            "test" => Step::Test(path, value()),
            other => return Err(format!("Unexpected kind: {other}")),
        })
    };
    steps.iter().map(read).collect()
}

/// Carries a patch out.
///
/// # Errors
/// Which operation cannot be carried out.
pub(in crate::sandbox) fn apply(steps: &[Step], object: &Value) -> Result<Value, String> {
    let mut object = object.clone();
    for step in steps {
        match step {
            Step::Add(path, value) => add(&mut object, path, value.clone())?,
            Step::Remove(path) => drop(remove(&mut object, path, "remove")?),
            Step::Replace(path, value) => {
                let place = object.pointer_mut(path);
                let missing = || format!("replace operation does not apply: doc is missing key: {path}: missing value");
                *place.ok_or_else(missing)? = value.clone();
            }
            Step::Move(from, to) => {
                let value = remove(&mut object, from, "move")?;
                add(&mut object, to, value)?;
            }
            Step::Copy(from, to) => {
                let missing =
                    || format!("copy operation does not apply: doc is missing from path: {from}: missing value");
                let value = object.pointer(from).ok_or_else(missing)?.clone();
                add(&mut object, to, value)?;
            }
            Step::Test(path, value) => {
                if object.pointer(path).unwrap_or(&Value::Null) != value {
                    return Err(format!("testing value {path} failed: test failed"));
                }
            }
        }
    }
    Ok(object)
}

/// The parent of a place, and the place's name in it.
fn parent<'a>(object: &'a mut Value, path: &str, verb: &str) -> Result<(&'a mut Value, String), String> {
    let missing = || format!("{verb} operation does not apply: doc is missing path: {path:?}: missing value");
    let mut above = Pointer::from(path);
    let name = above.0.pop().ok_or_else(missing)?;
    let found = object.pointer_mut(&above.to_string()).ok_or_else(missing)?;
    Ok((found, name))
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *object = value;
        return Ok(());
    }
    let (found, name) = parent(object, path, "add")?;
    match found {
        Value::Object(members) => drop(members.insert(name, value)),
        Value::Array(items) => {
            let at = if name == "-" { Some(items.len()) } else { name.parse().ok() };
            let at = at.filter(|at| *at <= items.len());
            let at = at.ok_or_else(|| format!("add operation does not apply: doc is missing path: {path:?}: Unable to access invalid index: {name}: invalid index referenced"))?;
            items.insert(at, value);
        }
        _ => return Err(format!("add operation does not apply: doc is missing path: {path:?}: missing value")),
    }
    Ok(())
}

fn remove(object: &mut Value, path: &str, verb: &str) -> Result<Value, String> {
    let (found, name) = parent(object, path, verb)?;
    let gone = match found {
        Value::Object(members) => members.remove(&name),
        Value::Array(items) => {
            let at = name.parse::<usize>().ok().filter(|at| *at < items.len());
            at.map(|at| items.remove(at))
        }
        _ => None,
    };
    gone.ok_or_else(|| {
        format!("{verb} operation does not apply: doc is missing key: {path}: Unable to remove nonexistent key: {name}: missing value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_are_carried_out_in_order() {
        let patch = json!([
            {"op": "test", "path": "/a", "value": 1}, {"op": "add", "path": "/l/-", "value": 3},
            {"op": "add", "path": "/l/0", "value": 0}, {"op": "move", "from": "/a", "path": "/b"},
            {"op": "copy", "from": "/b", "path": "/x~1y"}, {"op": "replace", "path": "/l/1", "value": 9},
            {"op": "remove", "path": "/l/2"},
        ]);
        let made = apply(&read(&patch).unwrap(), &json!({"a": 1, "l": [1, 2]})).unwrap();
        assert_eq!(made, json!({"b": 1, "x/y": 1, "l": [0, 9, 3]}));
    }

    #[test]
    fn what_cannot_be_carried_out_is_told() {
        for patch in [
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "remove", "path": "/z"}]),
            json!([{"op": "replace", "path": "/z", "value": 1}]),
            json!([{"op": "add", "path": "/l/7", "value": 1}]),
            json!([{"op": "add", "path": "/z/y", "value": 1}]),
        ] {
            assert!(apply(&read(&patch).unwrap(), &json!({"a": 1, "l": []})).is_err(), "{patch}");
        }
        assert!(read(&json!({})).is_err() && read(&json!([{"op": "fly", "path": "/"}])).is_err());
    }
}
