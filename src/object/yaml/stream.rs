//! A stream is split into documents before anything is parsed, as kubectl's `YAMLReader` does: at every line that starts
//! with `---`, wherever it stands.

use super::YamlError;
use memchr::{memchr, memchr_iter, memmem};

/// The text between two separators.
pub(super) struct Chunk<'a> {
    pub(super) index: usize,
    /// Line of the file, from 1, on which `text` begins.
    pub(super) first_line: usize,
    pub(super) text: &'a str,
    /// How many line breaks are in it.
    breaks: usize,
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
        let without_end = self.text.trim_end();
        if without_end.is_empty() {
            return (self.first_line, self.first_line);
        }
        let written = without_end.trim_start();
        let before = breaks(&without_end[..without_end.len() - written.len()]);
        let after = breaks(&self.text[without_end.len()..]);
        (self.first_line + before, self.first_line + self.breaks - after)
    }
}

fn breaks(text: &str) -> usize {
    memchr_iter(b'\n', text.as_bytes()).count()
}

/// Splits a text whose line breaks are LF. Only blanks or a comment may follow `---`; kubectl refuses the rest.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let finder = memmem::Finder::new("\n---");
    let separator = |text: &str| match text.starts_with("---") {
        true => Some(0),
        false => finder.find(text.as_bytes()).map(|at| at + 1),
    };
    let mut chunks = Vec::new();
    let mut open = Chunk { index: 0, first_line: 1, text: "", breaks: 0, separator_error: None };
    let mut rest = text;
    while let Some(at) = separator(rest) {
        let (before, from_separator) = rest.split_at(at);
        let end = memchr(b'\n', from_separator.as_bytes()).map_or(from_separator.len(), |at| at + 1);
        let (line, after) = from_separator.split_at(end);
        rest = after;
        open.text = before;
        open.breaks = breaks(before);
        let number = open.first_line + open.breaks;
        // Comments before the first separator belong to the first document.
        let is_head = chunks.is_empty() && open.first_line == 1 && open.is_blank();
        let index = if is_head { 0 } else { open.index + 1 };
        if !is_head {
            chunks.push(open);
        }
        let remark = line["---".len()..].trim();
        let separator_error = (!remark.is_empty() && !remark.starts_with('#')).then(|| {
            YamlError::new(number, "a line that starts with `---` separates documents; only a comment may follow it")
        });
        open = Chunk { index, first_line: number + 1, text: "", breaks: 0, separator_error };
    }
    open.text = rest;
    open.breaks = breaks(rest);
    chunks.push(open);
    chunks
}
