//! What a scalar means: goyaml.v2's table of resolution (`resolve.go`), YAML 1.1 as far as it goes.

use std::borrow::Cow;

/// The tag a scalar carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    None,
    Text,
    Int,
    Float,
    Bool,
    Null,
    Binary,
    Timestamp,
    Merge,
    Other,
}

impl Tag {
    /// Reads a tag as the parser hands it out; the second value says whether it is the bare `!`, which makes a text.
    pub(super) fn read(tag: Option<&str>) -> (Self, bool) {
        let Some(tag) = tag else { return (Self::None, false) };
        if tag == "!" {
            return (Self::None, true);
        }
        let known = match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("str") => Self::Text,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("bool") => Self::Bool,
            Some("null") => Self::Null,
            Some("binary") => Self::Binary,
            Some("timestamp") => Self::Timestamp,
            Some("merge") => Self::Merge,
            _ => Self::Other,
        };
        (known, false)
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "plain scalar",
            Self::Text => "!!str",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Bool => "!!bool",
            Self::Null => "!!null",
            Self::Binary => "!!binary",
            Self::Timestamp => "!!timestamp",
            Self::Merge => "!!merge",
            Self::Other => "custom tag",
        }
    }
}

/// A scalar's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above what an `i64` holds.
    Uint(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

/// Resolves a plain or tagged scalar.
pub(super) fn resolve(tag: Tag, text: &str) -> Result<Scalar<'_>, String> {
    if matches!(tag, Tag::Text | Tag::Binary | Tag::Other | Tag::Merge) {
        return Ok(Scalar::Text(text.into()));
    }
    match (tag, resolve_plain(text)) {
        (Tag::None, value) => Ok(value),
        (Tag::Int, value @ (Scalar::Int(_) | Scalar::Uint(_))) => Ok(value),
        (Tag::Float, Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
        (Tag::Float, value @ Scalar::Float(_)) => Ok(value),
        (Tag::Bool, value @ Scalar::Bool(_)) => Ok(value),
        (Tag::Null, Scalar::Null) => Ok(Scalar::Null),
        (Tag::Timestamp, value @ Scalar::Text(_)) => Ok(value),
        (tag, _) => Err(format!("the value is not what its tag {} says", tag.name())),
    }
}

/// Says whether a text written without quotes would be read as that text, by kubectl and by readers of YAML 1.2 or of
/// all of YAML 1.1 (dates, sexagesimal numbers).
pub(super) fn is_plain_text(text: &str) -> bool {
    let digits_or = |extra: &str| text.chars().all(|c| c.is_ascii_digit() || extra.contains(c));
    let date = text.len() >= 8 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) && text.as_bytes()[4] == b'-';
    let special = matches!(text, "<<" | "=");
    let lower = text.to_ascii_lowercase();
    let word = matches!(lower.as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | ".nan");
    matches!(resolve_plain(text), Scalar::Text(_))
        && !(special || word || date)
        && !(text.contains(':') && digits_or(":._+-"))
        && text.replace('_', "").parse::<f64>().is_err()
}

fn resolve_plain(text: &str) -> Scalar<'_> {
    let as_text = || Scalar::Text(text.into());
    match text.as_bytes().first() {
        None => Scalar::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
            "~" | "null" | "Null" | "NULL" => Scalar::Null,
            _ => as_text(),
        },
        Some(b'.') => match text {
            ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
            _ => dotted_float(text).map_or_else(as_text, Scalar::Float),
        },
        Some(b'+' | b'-' | b'0'..=b'9') => match text {
            "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
            _ => number(text).unwrap_or_else(as_text),
        },
        Some(_) => as_text(),
    }
}

/// A float that begins with its point. Go's `ParseFloat` takes an underscore only between two digits.
fn dotted_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let between_digits =
        |at: usize| bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    // The first byte is the point, so `at - 1` exists for every underscore.
    if !(0..bytes.len()).all(|at| bytes[at] != b'_' || between_digits(at)) {
        return None;
    }
    float(&text.replace('_', ""))
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let plain = if text.contains('_') { Cow::from(text.replace('_', "")) } else { text.into() };
    integer(&plain)
        .or_else(|| float(&plain).map(Scalar::Float))
        // goyaml.v2 hands what follows `0b` to ParseInt once more, which lets a sign through.
        .or_else(|| i64::from_str_radix(plain.strip_prefix("0b")?, 2).ok().map(Scalar::Int))
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, signed, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return None;
    }
    let magnitude = u128::from_str_radix(digits, radix).ok()?;
    if negative {
        return i128::try_from(magnitude).ok().and_then(|value| i64::try_from(-value).ok()).map(Scalar::Int);
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Int(value)),
        Err(_) if signed => None,
        Err(_) => u64::try_from(magnitude).ok().map(Scalar::Uint),
    }
}

/// A finite float of goyaml.v2's pattern `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let well_formed = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    well_formed.then(|| text.parse().ok()).flatten().filter(|value: &f64| value.is_finite())
}
