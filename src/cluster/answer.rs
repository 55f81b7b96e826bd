//! What the API server's refusals mean.

use super::{ClusterError, Conflict};
use crate::object::{clean, holds_values, is_secret};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::time::Duration;

const HIDDEN: &str = "****";
/// Characters of a message that are kept: the server lists every conflict in it, and they are told one by one.
const LONGEST_MESSAGE: usize = 2000;

/// Values that an error's text must not repeat: those of the Secret that was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Mask {
    values: Vec<String>,
    names: Vec<String>,
    secret: bool,
}

impl Mask {
    /// Collects the values of a Secret; nothing of other objects.
    pub fn of(body: &Value) -> Self {
        if !is_secret(body) {
            return Self::default();
        }
        let mut values = Vec::new();
        for (_, value) in body.as_object().into_iter().flatten().filter(|(name, value)| holds_values(name, Some(value)))
        {
            collect(value, &mut values);
        }
        // The longest first, or a part of a value would stay behind.
        values.retain(|value| value.len() > 3);
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let name = |field: &str| Some(body.pointer(&format!("/metadata/{field}"))?.as_str()?.to_owned());
        Self { values, names: [name("name"), name("namespace")].into_iter().flatten().collect(), secret: true }
    }

    /// Hides each known value; what is quoted stays, managers' names for one.
    fn hide_values(&self, message: &str) -> String {
        self.values.iter().fold(message.to_owned(), |text, value| text.replace(value.as_str(), HIDDEN))
    }

    /// Hides every quoted text but the object's name, what follows `Invalid value:`, and each known value.
    fn hide(&self, message: &str) -> String {
        if !self.secret {
            return message.to_owned();
        }
        let text = self.hide_values(message);
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find('"') {
            let (before, quoted) = rest.split_at(start);
            out.push_str(before);
            let Some(end) = end_of_quoted(quoted) else {
                out.push_str(HIDDEN);
                rest = "";
                break;
            };
            let inner = &quoted[1..end - 1];
            if self.names.iter().any(|name| name == inner) {
                out.push_str(&quoted[..end])
            } else {
                out.push_str("\"****\"")
            }
            rest = &quoted[end..];
        }
        out.push_str(rest);
        [("Invalid value: ", ':'), ("{Value:", '}'), ("got &{", '}')]
            .into_iter()
            .fold(out, |text, (start, end)| unquoted(&text, start, end))
    }
}

/// Returns words about an object without the values of a Secret.
pub fn masked_words(body: &Value, words: &str) -> String {
    clean(&Mask::of(body).hide(words)).into_owned()
}

/// Collects the texts in a value, those of base64 decoded too.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(value, found)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.extend(BASE64_STANDARD.decode(&text).ok().and_then(|bytes| String::from_utf8(bytes).ok()));
            found.push(text);
        }
    }
}

/// Returns where a text that starts with a quote ends, one past its closing quote.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Hides what stands between each `start` and the next `end`, unless it is hidden already.
fn unquoted(text: &str, start: &str, end: char) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(start) {
        out.push_str(before);
        out.push_str(start);
        let stop = after.find(end).unwrap_or(after.len());
        out.push_str(HIDDEN);
        rest = &after[stop..];
    }
    out + rest
}

/// An answer that is not a success.
pub(super) struct Refused<'a> {
    /// The server.
    pub server: &'a str,
    /// The request.
    pub what: &'a str,
    /// It was a write.
    pub write: bool,
    /// Its deadline.
    pub deadline: Duration,
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// The body, a `Status` or any text.
    pub body: &'a [u8],
    /// What must not be repeated.
    pub mask: &'a Mask,
}

/// Returns the error that an answer is.
pub(super) fn refused(answer: &Refused<'_>) -> ClusterError {
    let status: Value = serde_json::from_slice(answer.body).unwrap_or_default();
    let words = match status.get("message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None if answer.status == 404 => format!("{}: the server does not serve this", answer.what),
        None => String::from_utf8_lossy(answer.body).trim().chars().take(500).collect(),
    };
    let words = if words.is_empty() { format!("{}: no reason given", answer.what) } else { words };
    let causes = status.pointer("/details/causes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // Any of them may be a webhook's own words, which can quote what was sent.
    let masked = || shown(&answer.mask.hide(&words));
    let retry_after =
        answer.retry_after.or_else(|| status.pointer("/details/retryAfterSeconds").and_then(Value::as_u64));
    match answer.status {
        401 => ClusterError::Unauthorized { server: answer.server.into(), message: masked() },
        403 => ClusterError::Forbidden { message: masked() },
        404 => ClusterError::NotFound { message: masked() },
        409 => {
            let conflicts: Vec<_> = causes.iter().filter_map(conflict).collect();
            match conflicts.is_empty() {
                true => ClusterError::Precondition { message: masked() },
                false => ClusterError::Conflicts { message: shown(&answer.mask.hide_values(&words)), conflicts },
            }
        }
        422 if causes.iter().any(|cause| cause.get("field").and_then(Value::as_str) == Some("metadata.uid")) => {
            ClusterError::Precondition { message: masked() }
        }
        400 | 413 | 422 => ClusterError::Invalid { message: masked() },
        500 if says_what_is_wrong(&words) => ClusterError::Invalid { message: masked() },
        // The server gave up on a write that may still come true.
        504 if answer.write => ClusterError::Timeout { what: answer.what.into(), seconds: answer.deadline.as_secs() },
        429 | 500 | 502 | 503 | 504 => ClusterError::Busy { message: masked(), retry_after },
        code => ClusterError::Other { code, message: masked() },
    }
}

/// Makes a message fit to be shown.
fn shown(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", clean(&message[..end])),
        None => clean(message).into_owned(),
    }
}

/// Says whether an HTTP status alone says what a refusal means.
pub(super) fn is_told_by(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 429 | 502 | 503 | 504)
}

/// The 500s that are about the object and not about the server.
fn says_what_is_wrong(words: &str) -> bool {
    words.starts_with("failed to create typed patch object") || words.contains("etcdserver: request is too large")
}

/// Reads a cause such as `conflict with "a" with subresource "scale" using apps/v1 at 2026-01-31T12:00:00Z`
/// (apimachinery's `managedfields/internal/conflict.go`): only a manager that updated has a version.
fn conflict(cause: &Value) -> Option<Conflict> {
    let text = |field: &str| cause.get(field).and_then(Value::as_str);
    if text("reason") != Some("FieldManagerConflict") {
        return None;
    }
    let message = text("message")?;
    let (manager, mut rest) = quoted(message.split_once("conflict with ")?.1)?;
    let mut subresource = None;
    if let Some(after) = rest.strip_prefix(" with subresource ") {
        let (name, after) = quoted(after)?;
        subresource = Some(clean(&name).into_owned());
        rest = after;
    }
    let operation = if rest.starts_with(" using ") { "Update" } else { "Apply" };
    Some(Conflict {
        manager: clean(&manager).into_owned(),
        operation: operation.into(),
        subresource,
        field: clean(text("field").unwrap_or_default()).into_owned(),
    })
}

/// Reads a text as Go's `%q` writes it, and returns what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    text.starts_with('"').then_some(())?;
    let (quoted, rest) = text.split_at(end_of_quoted(text)?);
    // Go's escapes are JSON's but for a few that no manager's name has any business with.
    let name = serde_json::from_str(quoted).unwrap_or_else(|_| quoted[1..quoted.len() - 1].to_owned());
    Some((name, rest))
}

#[cfg(test)]
mod tests;
