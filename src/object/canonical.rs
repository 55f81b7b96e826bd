//! Canonical JSON (RFC 8785) and hashes over it: what digests and content comparisons are made from.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Writes a value in the JSON Canonicalization Scheme of RFC 8785: members sorted by UTF-16 code units, no blanks,
/// shortest escapes, numbers as ECMAScript writes them.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Returns the SHA-256 of `bytes` in lower-case hex.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes.as_ref()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&ecma_number(number)),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (key, item)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(key, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// ECMAScript's Number::toString. Integers keep all their digits: RFC 8785 would round those above 2^53 to a double, and
/// two different int64 fields must never hash alike.
fn ecma_number(number: &serde_json::Number) -> String {
    if !number.is_f64() {
        return number.to_string();
    }
    let value = number.as_f64().unwrap_or(0.0);
    if value == 0.0 {
        return "0".into();
    }
    let exponential = format!("{value:e}");
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        format!("{value}")
    } else {
        format!("{mantissa}e{}{}", if exponent < 0 { "-" } else { "+" }, exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_example_of_rfc_8785_comes_out_as_printed_there() {
        let value: Value = serde_json::from_str(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
        )
        .unwrap();
        assert_eq!(
            canonical_json(&value),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    #[test]
    fn floats_are_written_as_ecmascript_writes_them() {
        for (value, text) in [
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-9, "1.5e-9"),
            (1.0, "1"),
            (-0.0, "0"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(canonical_json(&json!(value)), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn canonical_bytes_say_the_same_value(
            number in proptest::num::f64::NORMAL,
            integer: i64,
            members: std::collections::BTreeMap<String, String>,
        ) {
            let value = json!({"number": number, "integer": integer, "members": members});
            let text = canonical_json(&value);
            let read: Value = serde_json::from_str(&text).unwrap();
            proptest::prop_assert_eq!(canonical_json(&read), text);
            proptest::prop_assert_eq!(&read["members"], &value["members"]);
            proptest::prop_assert_eq!(read["integer"].as_i64(), Some(integer));
            proptest::prop_assert_eq!(read["number"].as_f64(), Some(number));
        }
    }

    #[test]
    fn integers_beyond_a_double_stay_apart() {
        assert_ne!(canonical_json(&json!(9007199254740993_i64)), canonical_json(&json!(9007199254740992_i64)));
    }
}
