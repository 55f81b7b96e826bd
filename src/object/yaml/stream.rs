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
        let written = |line: &str| !line.trim().is_empty();
        let first = self.text.lines().position(written).unwrap_or(0);
        let last = self.text.lines().enumerate().filter(|(_, line)| written(line)).last().map_or(0, |(at, _)| at);
        (self.first_line + first, self.first_line + last)
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
