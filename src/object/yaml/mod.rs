//! YAML as kubectl means it (sigs.k8s.io/yaml over goyaml.v2: YAML 1.1 scalars), and YAML for people to read.
//!
//! See [`documents`] for reading and [`to_yaml`] for writing. No ready crate reads as kubectl does (`0644` is 420, `on`
//! is true, a later merge key wins), so the resolving and decoding is ours, over the events of `libyaml-safer`, a port
//! of the same libyaml that goyaml.v2 is a port of. It is slow, so a reader of the common form goes before it, which
//! leaves to the library whatever it is not certain of.

mod block;
mod decode;
mod emit;
mod json;
mod library;
mod scalar;
mod stream;
mod tree;

use serde_json::Value;

pub use emit::to_yaml;
pub use library::panic_is_caught;

/// The largest object that is read, in bytes: a document, or an item of one that is a `List`.
const MAX_DOCUMENT: usize = 1 << 20;
/// The largest document that is parsed at all; only a `List` may be larger than an object.
const MAX_LIST: usize = 16 << 20;
/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;
/// How many bytes of values one document's aliases may repeat.
const MAX_ALIASED: usize = 4 << 20;
/// Warnings kept of one document; a file with more says the same thing again.
const MAX_WARNINGS: usize = 20;

/// One non-empty document of a YAML stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Index in the stream, from 0, empty documents counted.
    pub index: usize,
    /// First and last line, from 1.
    pub lines: (usize, usize),
    /// What it says, or why it cannot be read.
    pub value: Result<Value, YamlError>,
    /// Duplicate keys and the like: read as kubectl does, worth a warning; line and text.
    pub warnings: Vec<(usize, String)>,
}

/// Why a document could not be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {message}")]
pub struct YamlError {
    /// Line in the file, from 1.
    pub line: usize,
    /// What is wrong and the remedy.
    pub message: String,
}

impl YamlError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Splits a stream and reads each document as kubectl would. Documents that are empty or hold only comments are left out.
///
/// A stream that starts with `{` is read as JSON where it is JSON, as kubectl does. What is past a budget (1 MiB a
/// document, or an item of a `List` of up to 16 MiB, 64 levels, 4 MiB repeated by aliases) is that document's error. Text that is not UTF-8, and what is no
/// YAML to begin with (encrypted or binary files), is the caller's to refuse.
pub fn documents(text: &str) -> Vec<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{')
        && let Some(documents) = json::documents(text)
    {
        return documents;
    }
    // kubectl's line reader does the same; libyaml-safer 0.3 panics on a lone CR at the edge of its buffer.
    let normalised;
    let text = if memchr::memchr(b'\r', text.as_bytes()).is_some() {
        normalised = text.replace("\r\n", "\n").replace('\r', "\n");
        &normalised
    } else {
        text
    };
    stream::split(text).into_iter().filter_map(read).collect()
}

fn read(chunk: stream::Chunk<'_>) -> Option<Document> {
    let mut warnings = Vec::new();
    if chunk.separator_error.is_none() && chunk.is_blank() {
        return None;
    }
    let lines = chunk.lines();
    let value = match chunk.separator_error {
        Some(error) => Err(error),
        None => within_budget(chunk.text, lines.0, || {
            let tree = match block::read(chunk.text, chunk.first_line) {
                Some(tree) => Some(tree),
                None => library::parse(chunk.text, chunk.first_line, &mut warnings)?,
            };
            tree.map_or(Ok(Value::Null), |tree| decode::decode(&tree, &mut warnings))
        }),
    };
    if matches!(value, Ok(Value::Null)) {
        return None;
    }
    Some(Document { index: chunk.index, lines, value, warnings })
}

/// Parses a document that begins on `line` unless it, or an object in it, is too large.
fn within_budget(
    text: &str,
    line: usize,
    parse: impl FnOnce() -> Result<Value, YamlError>,
) -> Result<Value, YamlError> {
    let too_large = |what: &str, bytes: usize| {
        let message =
            format!("{what} has {} KiB; at most {} KiB are read of one object", bytes >> 10, MAX_DOCUMENT >> 10);
        Err(YamlError::new(line, message))
    };
    if text.len() <= MAX_DOCUMENT {
        return parse();
    }
    if text.len() > MAX_LIST {
        return too_large("the document", text.len());
    }
    let value = parse()?;
    let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match value.get("items").and_then(Value::as_array).filter(|_| is_list) {
        None => too_large("the document", text.len()),
        Some(items) => match items.iter().map(|item| item.to_string().len()).find(|bytes| *bytes > MAX_DOCUMENT) {
            Some(bytes) => too_large("an item of the list", bytes),
            None => Ok(value),
        },
    }
}

fn too_deep(line: usize) -> YamlError {
    YamlError::new(line, format!("nested deeper than {MAX_DEPTH} levels"))
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
