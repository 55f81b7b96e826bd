//! A stream is split into documents before anything is parsed, as kubectl's `YAMLReader` does: at every line that starts
//! with `---`, wherever it stands.

use super::YamlError;

/// The text between two separators.
pub(super) struct Chunk<'a> {
    pub(super) index: usize,
    /// Line of the file, from 1, on which `text` begins.
    pub(super) first_line: usize,
    pub(super) text: &'a str,
    /// Why the separator before it is none.
    pub(super) separator_error: Option<YamlError>,
}

impl Chunk<'_> {
    /// Says whether there is nothing but blanks and comments.
    pub(super) fn is_blank(&self) -> bool {
        self.text.lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#')
        })
    }

    /// First and last line, from 1, blank lines at both ends left out.
    pub(super) fn lines(&self) -> (usize, usize) {
        let breaks = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
        let from_first = self.text.trim_start();
        if from_first.is_empty() {
            return (self.first_line, self.first_line);
        }
        let blank = self.text.len() - from_first.len();
        let first = self.first_line + breaks(&self.text[..blank]);
        (first, first + breaks(from_first.trim_end()))
    }
}

/// Splits a text whose line breaks are LF. Only blanks or a comment may follow `---`; kubectl refuses the rest.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let mut open = Chunk { index: 0, first_line: 1, text: "", separator_error: None };
    let mut start = 0;
    let mut position = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        if let Some(rest) = line.strip_prefix("---") {
            open.text = &text[start..position];
            // Comments before the first separator belong to the first document.
            let is_head = chunks.is_empty() && open.first_line == 1 && open.is_blank();
            let index = if is_head { 0 } else { open.index + 1 };
            if !is_head {
                chunks.push(open);
            }
            let rest = rest.trim();
            let separator_error = (!rest.is_empty() && !rest.starts_with('#')).then(|| {
                YamlError::new(
                    at + 1,
                    "a line that starts with `---` separates documents; only a comment may follow it",
                )
            });
            open = Chunk { index, first_line: at + 2, text: "", separator_error };
            start = position + line.len();
        }
        position += line.len();
    }
    open.text = &text[start..];
    chunks.push(open);
    chunks
}
