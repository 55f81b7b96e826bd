//! Reading and writing the metadata of an object, and the values that the server puts there.

use serde_json::{Map, Value};

/// A text somewhere in an object; empty where it is not there.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number somewhere in an object; 0 where it is not there.
pub(super) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// A list somewhere in an object; empty where it is not there.
pub(super) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The object's name.
pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The object's namespace; empty for one that has none.
pub(super) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// The object's uid.
pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// Whether somebody asked for its deletion.
pub(super) fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// A mapping in an object, made where it is not there; what is no mapping is replaced.
pub(super) fn made<'a>(object: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(fields) = object else { unreachable!("it was just made one") };
    let value = fields.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(found) = value else { unreachable!("it was just made one") };
    found
}

/// The metadata, made where it is not there.
pub(super) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    made(object, "metadata")
}

/// Sets a field, or takes it out.
pub(super) fn set(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(fields.insert(name.to_owned(), value)),
        None => drop(fields.remove(name)),
    }
}

/// The finalizers.
pub(super) fn finalizers(object: &Value) -> Vec<String> {
    items(object, "/metadata/finalizers").iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Writes the finalizers.
pub(super) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let value = (!finalizers.is_empty()).then(|| finalizers.into());
    set(metadata(object), "finalizers", value);
}

/// The reference that says which controller manages the object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    items(object, "/metadata/ownerReferences").iter().find(|owner| owner.get("controller") == Some(&true.into()))
}

/// The clock as the server writes it.
pub(super) fn now() -> String {
    time(jiff::Timestamp::now())
}

/// A time as the server writes it.
pub(super) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let source = rustls::crypto::ring::default_provider().secure_random;
    // The system's source fails only before it was seeded at boot; ids that repeat would be found by the store.
    if source.fill(&mut bytes).is_err() {
        tracing::warn!("the system has no random bytes");
    }
    bytes
}

/// A new uid: a UUID, version 4.
pub(super) fn new_uid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The letters of generated names: none that could make a word.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five letters, as `generateName` gets them.
pub(super) fn suffix() -> String {
    random::<5>().iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// Spells a number in the letters of generated names (apimachinery's `SafeEncodeString` over a decimal).
pub(super) fn safe_number(number: u32) -> String {
    number.to_string().bytes().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_random_uuids_of_version_4() {
        let (a, b) = (new_uid(), new_uid());
        assert_ne!(a, b);
        assert_eq!((a.len(), &a[14..15]), (36, "4"));
    }

    #[test]
    fn numbers_are_spelled_as_in_the_names_of_replica_sets() {
        // Each digit by its byte: 8 is 56, which leaves 2 of 27.
        assert_eq!(safe_number(889), "ddf");
    }
}
