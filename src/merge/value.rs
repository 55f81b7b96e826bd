//! Values as the server compares and spells them (structured-merge-diff's `value` package): as they are written, not as
//! quantities or durations; only numbers are compared by their size, so `1` and `1.0` are equal.

use serde_json::{Map, Number, Value};
use std::{cmp::Ordering, fmt::Write};

/// Says whether two values are the same to the server.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || numbers_equal(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((name, a), (other, b))| name == other && equal(a, b))
        }
        _ => a == b,
    }
}

fn numbers_equal(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

/// An order of all values: numbers, texts, booleans, lists, mappings, null.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            compare_all(a.iter().zip(b).map(|(a, b)| compare(a, b)), a.len(), b.len())
        }
        (Value::Object(a), Value::Object(b)) => {
            let members = a.iter().zip(b).map(|((name, a), (other, b))| name.cmp(other).then_with(|| compare(a, b)));
            compare_all(members, a.len(), b.len())
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn compare_all(mut items: impl Iterator<Item = Ordering>, a: usize, b: usize) -> Ordering {
    items.find(|order| order.is_ne()).unwrap_or_else(|| a.cmp(&b))
}

/// Unlike the server's, a whole order also beyond 2^53: sorting must be able to rely on it.
fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    let float = |number: &Number| number.as_f64().unwrap_or_default();
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        (whole_a, whole_b) => {
            // An integer and a float that its nearest float equals: what the rounding took decides.
            let exact = |whole: Option<i64>, float: f64| whole.map_or(float as i128, i128::from);
            let (float_a, float_b) = (float(a), float(b));
            float_a.total_cmp(&float_b).then_with(|| exact(whole_a, float_a).cmp(&exact(whole_b, float_b)))
        }
    }
}

/// Writes a value as Go's JSON encoder does within a field set: `<`, `>`, `&` and line separators escaped.
pub(super) fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, true, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            write_members(map, out);
            out.push('}');
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => out.push_str(&crate::object::canonical_json(value)),
    }
}

fn write_members(map: &Map<String, Value>, out: &mut String) {
    for (index, (name, member)) in map.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        write_text(name, true, out);
        out.push(':');
        write_json(member, out);
    }
}

/// Writes a JSON text as Go does, with or without its escapes for HTML.
pub(super) fn write_text(text: &str, html: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => escape(c, out),
            c if c < ' ' => escape(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escape(c: char, out: &mut String) {
    // Writing to a text cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// Spells a value as the server does in the path of a conflict.
pub(super) fn spelled(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) => spelled_number(number),
        Value::Array(items) => format!("[{}]", items.iter().map(spelled).collect::<Vec<_>>().join(",")),
        Value::Object(map) => map.iter().map(|(name, member)| format!("{name}={}", spelled(member))).collect(),
        Value::Bool(_) | Value::Null => value.to_string(),
    }
}

/// Go's `%v`: small floats get an exponent of two digits earlier than in JSON.
fn spelled_number(number: &Number) -> String {
    let float = number.as_f64().unwrap_or_default();
    if number.is_f64() && float != 0.0 && float.abs() < 1e-4 {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once("e-").unwrap_or((&text, "0"));
        return format!("{mantissa}e-{exponent:0>2}");
    }
    crate::object::canonical_json(&Value::Number(number.clone()))
}

/// Go's `%q`.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if is_printable(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => escape(c, &mut out),
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Go prints letters, marks, numbers, punctuation and symbols. Rust's escape for debugging leaves the same alone, but marks
/// only after another character.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return true;
    }
    let text: String = ['a', c].iter().collect();
    text.escape_debug().eq(text.chars())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_are_equal_by_size_and_nothing_else_is() {
        assert!(equal(&json!([{"a": 1}]), &json!([{"a": 1.0}])));
        for (a, b) in [
            (json!("1"), json!(1)),
            (json!("100m"), json!("0.1")),
            (json!(true), json!(1)),
            (json!(null), json!(0)),
            (json!({}), json!(null)),
            (json!([1, 2]), json!([2, 1])),
            (json!(9007199254740993_i64), json!(9007199254740992_i64)),
        ] {
            assert!(!equal(&a, &b), "{a} {b}");
            assert!(compare(&a, &b).is_ne());
        }
        assert!(compare(&json!(1), &json!(1.0)).is_eq());
    }

    #[test]
    fn values_are_spelled_as_go_spells_them() {
        for (value, text) in [
            (json!("a\"b\\\n\u{1}\u{7f}é\u{a0}\u{301}\u{e0001}"), r#""a\"b\\\n\x01\x7fé\u00a0́\U000e0001""#),
            (json!(80), "80"),
            (json!(1.5), "1.5"),
            (json!(0.00001), "1e-05"),
            (json!(1e21), "1e+21"),
            (json!(true), "true"),
            (json!(["a", 1]), r#"["a",1]"#),
        ] {
            assert_eq!(spelled(&value), text);
        }
        let mut out = String::new();
        write_json(&json!({"a": "<&>\u{2028}\u{8}", "b": [1.0, null]}), &mut out);
        assert_eq!(out, r#"{"a":"\u003c\u0026\u003e\u2028\u0008","b":[1,null]}"#);
    }

    proptest! {
        #[test]
        fn the_order_is_one(mut values in prop::collection::vec(super::super::tests::any_json(), 0..6), numbers in prop::collection::vec(any::<f64>(), 3), integers in prop::collection::vec(any::<i64>(), 3)) {
            values.extend(numbers.into_iter().filter(|number| number.is_finite()).map(Value::from));
            values.extend(integers.iter().map(|integer| Value::from(*integer as f64)));
            values.extend(integers.into_iter().map(Value::from));
            values.sort_by(compare);
            for pair in values.windows(2) {
                prop_assert!(compare(&pair[0], &pair[1]).is_le());
                prop_assert!(compare(&pair[1], &pair[0]).is_ge());
            }
        }
    }
}
