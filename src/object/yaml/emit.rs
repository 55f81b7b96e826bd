//! YAML for people: block style, a manifest's keys in their usual order, every text quoted that any reader of YAML could
//! take for something else, nothing hidden in it.

use super::scalar::is_plain_text;
use crate::object::clean::is_hidden;
use serde_json::{Map, Value};

/// The longest key that is written before its colon; a parser gives up looking for the colon after 1024 characters.
const MAX_SIMPLE_KEY: usize = 256;

/// Writes a value as YAML for people: block style, keys in the usual order of a manifest (apiVersion, kind, metadata first).
///
/// It reads back as the same value with [`documents`](super::documents).
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, Order::of(map), 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        // At the left margin even a text must not look like a separator.
        Value::String(text) => out.push_str(&quoted(text)),
        other => out.push_str(&inline(other)),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Which keys come first in a mapping; the others follow by name.
#[derive(Clone, Copy)]
enum Order {
    Manifest,
    Metadata,
    ByName,
}

impl Order {
    fn of(map: &Map<String, Value>) -> Self {
        if map.contains_key("apiVersion") && map.contains_key("kind") { Self::Manifest } else { Self::ByName }
    }
    fn under(key: &str, map: &Map<String, Value>) -> Self {
        if key == "metadata" { Self::Metadata } else { Self::of(map) }
    }
    fn rank(self, key: &str) -> usize {
        let first: &[&str] = match self {
            Self::Manifest => &["apiVersion", "kind", "metadata", "spec", "data"],
            Self::Metadata => &["name", "generateName", "namespace", "labels", "annotations"],
            Self::ByName => &[],
        };
        match first.iter().position(|known| *known == key) {
            Some(at) => at,
            None if key == "status" && matches!(self, Self::Manifest) => usize::MAX,
            None => first.len(),
        }
    }
}

/// Writes the members of a mapping, the first at the cursor, the others on lines of their own.
fn mapping(map: &Map<String, Value>, order: Order, indent: usize, out: &mut String) {
    let mut members: Vec<_> = map.iter().collect();
    members.sort_by(|(a, _), (b, _)| order.rank(a).cmp(&order.rank(b)).then_with(|| a.cmp(b)));
    for (at, (key, value)) in members.into_iter().enumerate() {
        if at > 0 {
            margin(indent, out);
        }
        if key.len() <= MAX_SIMPLE_KEY {
            out.push_str(&flow_text(key));
        } else {
            out.push_str("? ");
            out.push_str(&quoted(key));
            out.push('\n');
            margin(indent, out);
        }
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                margin(indent + 2, out);
                mapping(inner, Order::under(key, inner), indent + 2, out);
            }
            // kubectl indents a list like its key.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                margin(indent, out);
                sequence(items, indent, out);
            }
            other => scalar(other, indent, out),
        }
    }
}

fn sequence(items: &[Value], indent: usize, out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            margin(indent, out);
        }
        out.push('-');
        match item {
            Value::Object(inner) if !inner.is_empty() => {
                out.push(' ');
                mapping(inner, Order::of(inner), indent + 2, out);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push(' ');
                sequence(inner, indent + 2, out);
            }
            other => scalar(other, indent, out),
        }
    }
}

fn margin(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a blank, a scalar or an empty container, and the end of the line.
fn scalar(value: &Value, indent: usize, out: &mut String) {
    out.push(' ');
    match value {
        Value::String(text) if fits_a_block(text) => block(text, indent + 2, out),
        other => {
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => flow_text(text),
        Value::Object(_) => "{}".into(),
        Value::Array(_) => "[]".into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text on one line: plain where nobody can misread it.
fn flow_text(text: &str) -> String {
    let opens_well =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '$' | '(' | '+' | ';' | '<' | '=' | '~' | '^');
    let first = text.chars().next();
    // `-x` is a plain text, but `- x`, `-` and `--- x` are not.
    let opens = first.is_some_and(opens_well)
        || text.starts_with('-') && !matches!(text.as_bytes().get(1), None | Some(b' ' | b'\t'));
    let plain = opens
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.chars().any(|c| is_escaped(c) || c == '\n' || c == '\t')
        && is_plain_text(text);
    if plain && !text.starts_with("---") && !text.starts_with("...") { text.into() } else { quoted(text) }
}

fn is_escaped(c: char) -> bool {
    c != '\n' && c != '\t' && (is_hidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_escaped(c) => match c as u32 {
                code @ ..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ ..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Says whether a text can be a literal block: several lines, no line that begins or ends in a way that is lost or hidden.
fn fits_a_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(char::is_whitespace)
        && !text.chars().any(is_escaped)
        && text.split('\n').all(|line| !line.ends_with([' ', '\t']))
}

fn block(text: &str, indent: usize, out: &mut String) {
    let kept = text.len() - text.trim_end_matches('\n').len();
    out.push_str(match kept {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            margin(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}
