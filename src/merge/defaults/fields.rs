//! Short ways to read and set the fields of an object, in which an absent field is as good as an empty one.

use serde_json::{Map, Value};

/// The fields of a JSON object.
pub(super) type Fields = Map<String, Value>;

/// The text of a field; empty where there is none.
pub(super) fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The number of a field; 0 where there is none.
pub(super) fn number(fields: &Fields, name: &str) -> i64 {
    fields.get(name).and_then(Value::as_i64).unwrap_or_default()
}

/// The items of a list; none where there is no list.
pub(super) fn items<'a>(fields: &'a Fields, name: &str) -> &'a [Value] {
    fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The items of a list that are objects, to be changed.
pub(super) fn items_mut<'a>(fields: &'a mut Fields, name: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The object in a field, if there is one.
pub(super) fn object<'a>(fields: &'a Fields, name: &str) -> Option<&'a Fields> {
    fields.get(name).and_then(Value::as_object)
}

/// The object in a field, to be changed, if there is one.
pub(super) fn object_mut<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_object_mut)
}

/// The object in a field, made where there is nothing. `None` where something else is.
pub(super) fn made<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// Sets a field that is absent.
pub(super) fn default(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    if !fields.contains_key(name) {
        fields.insert(name.to_owned(), value.into());
    }
}

/// Makes a field what another object has in it, or absent.
pub(super) fn take_over(fields: &mut Fields, name: &str, from: Option<&Fields>) {
    match from.and_then(|from| from.get(name)) {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
}

/// Follows a path of objects.
pub(super) fn at<'a>(fields: &'a Fields, path: &[&str]) -> Option<&'a Fields> {
    path.iter().try_fold(fields, |fields, name| object(fields, name))
}
