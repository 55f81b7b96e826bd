//! One document's tree from the events of `libyaml-safer`, which reads all of YAML and explains what is none.

use super::{
    YamlError,
    scalar::Tag,
    tree::{Builder, NodeId, Tree},
};
use libyaml_safer::{Encoding, EventData, Mark, Parser, ScalarStyle};
use std::{
    cell::Cell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The lines of a file that the parser's marks stand for. The parser also breaks lines at U+0085, U+2028 and U+2029,
/// which no editor counts.
struct FileLines {
    first: usize,
    /// How many LFs stand before each of the parser's lines; empty where these are the lines.
    breaks: Vec<usize>,
    last: usize,
}

impl FileLines {
    fn new(chunk: &str, first: usize) -> Self {
        let mut breaks = Vec::new();
        if chunk.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
            breaks.push(0);
            let mut seen = 0;
            for c in chunk.chars().filter(|c| matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')) {
                seen += usize::from(c == '\n');
                breaks.push(seen);
            }
        }
        Self { first, breaks, last: first + chunk.matches('\n').count().saturating_sub(1) }
    }
    fn at(&self, mark: Mark) -> usize {
        let line = usize::try_from(mark.line).unwrap_or(usize::MAX);
        let before = if self.breaks.is_empty() { line } else { self.breaks.get(line).copied().unwrap_or(usize::MAX) };
        self.first.saturating_add(before).min(self.last)
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Says whether a panic of this thread is about to be caught, and means nothing but unreadable YAML.
///
/// `libyaml-safer` 0.3 panics on some texts that end too early. These panics are caught here, but a panic hook runs
/// before that: a hook must ask this first and return without a word (and without restoring the terminal) if it is true.
pub fn panic_is_caught() -> bool {
    GUARDED.get()
}

fn guarded<R>(call: impl FnOnce() -> R) -> Option<R> {
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(false);
    result.ok()
}

/// Reads the first document of `chunk`, whose first line is line `first_line` of the file. None if it holds no node.
pub(super) fn parse(
    chunk: &str,
    first_line: usize,
    warnings: &mut Vec<(usize, String)>,
) -> Result<Option<Tree<'static>>, YamlError> {
    // A byte order mark may open every document. The final line break is what kubectl's line reader adds too;
    // libyaml-safer 0.3 panics where a block scalar ends without one.
    let chunk = chunk.strip_prefix('\u{feff}').unwrap_or(chunk);
    let terminated;
    let chunk = if chunk.ends_with('\n') {
        chunk
    } else {
        terminated = format!("{chunk}\n");
        &terminated
    };
    let mut bytes = chunk.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    // Else a text that begins with U+FB40 and its like would be taken for one with a byte order mark.
    parser.set_encoding(Encoding::Utf8);
    let mut builder = Builder::default();
    let mut anchors: HashMap<String, NodeId> = HashMap::new();
    let file_lines = FileLines::new(chunk, first_line);
    let mut last_line = first_line;
    loop {
        let event = match guarded(|| parser.parse()) {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(syntax_error(chunk, &file_lines, &error)),
            None => return Err(YamlError::new(last_line, "the text ends inside a quoted or block scalar")),
        };
        let line = file_lines.at(event.start_mark);
        last_line = line;
        let (anchor, id) = match event.data {
            EventData::StreamStart { .. } | EventData::DocumentStart { version_directive: None, .. } => continue,
            EventData::DocumentStart { .. } => {
                return Err(YamlError::new(line, "kubectl reads no %YAML directive; remove that line"));
            }
            EventData::StreamEnd => break,
            EventData::DocumentEnd { .. } => {
                let rest = match guarded(|| parser.parse()) {
                    Some(Ok(next)) if matches!(next.data, EventData::StreamEnd) => None,
                    Some(Ok(next)) => Some(file_lines.at(next.start_mark)),
                    Some(Err(error)) => Some(error.problem_mark().map_or(line, |mark| file_lines.at(mark))),
                    None => Some(line),
                };
                if let Some(line) = rest {
                    let message = "what follows the document's end is ignored, as by kubectl; separate with `---`";
                    warnings.push((line, message.into()));
                }
                break;
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                builder.close();
                continue;
            }
            EventData::Alias { anchor } => {
                let Some(target) = anchors.get(&anchor) else {
                    return Err(YamlError::new(line, format!("no anchor &{anchor} stands before *{anchor}")));
                };
                (None, builder.alias(*target, line))
            }
            EventData::Scalar { anchor, tag, value: text, style, .. } => {
                let (tag, bare) = Tag::read(tag.as_deref());
                let resolved = style == ScalarStyle::Plain && !bare || tag != Tag::None;
                (anchor, builder.scalar(text.into(), tag, resolved, line))
            }
            EventData::SequenceStart { anchor, .. } => (anchor, builder.open_sequence(line)?),
            EventData::MappingStart { anchor, .. } => (anchor, builder.open_mapping(line)?),
        };
        if let Some(anchor) = anchor {
            anchors.insert(anchor, id);
        }
    }
    Ok(builder.finish())
}

/// Puts the parser's complaint into one line with its place and, for the usual causes, the remedy.
fn syntax_error(chunk: &str, file_lines: &FileLines, error: &libyaml_safer::Error) -> YamlError {
    let Some(mark) = error.problem_mark() else {
        let at = chunk.find(|c: char| !is_allowed(c)).unwrap_or(0);
        let line = file_lines.first + chunk[..at].matches('\n').count();
        return YamlError::new(line, "a control character stands here; write it as an escape in double quotes");
    };
    let line = file_lines.at(mark);
    let text = chunk.lines().nth(line - file_lines.first).unwrap_or_default();
    let remedy = if text.trim_start_matches(' ').starts_with('\t') {
        "; a tab indents this line, YAML wants spaces"
    } else if text.contains("{{") {
        "; `{{` looks like a template, which is not YAML until it is rendered"
    } else if error.problem().contains("mapping values are not allowed") {
        "; quote a value that contains `: `, or check the indent"
    } else if error.problem().contains("cannot start any token") {
        "; quote a value that begins with a special character"
    } else {
        ""
    };
    let context = error.context().map(|context| format!(" {context}")).unwrap_or_default();
    YamlError::new(line, format!("{}{context}{remedy}", error.problem()))
}

/// The characters that libyaml lets into a stream.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && c != '\u{feff}'
}
