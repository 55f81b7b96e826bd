//! Reads the common form of YAML straight from the text: block mappings and sequences by their indent, scalars and flow
//! collections on one line, block scalars, comments.
//!
//! It follows libyaml's scanner, not the specification of YAML, and gives up at whatever it is not certain of (anchors,
//! tags, tabs, scalars of several lines, anything wrong), so that errors and rarities stay the library's. What it does
//! read is the tree that the library makes of the same text; `agreement` proves it.
//!
//! A break ends a line, and so does the end of the text: the library is given a text with a break at its end.

mod inline;
mod text;

use super::{
    scalar::Tag,
    tree::{Builder, Tree},
};
use memchr::memchr;
use std::borrow::Cow;

/// A key must end within 1024 bytes for the library; well below that its counting does not matter.
const LONG_KEY: usize = 1000;

/// Reads a document whose first line is line `first_line` of the file. None where the library has to read it.
pub(super) fn read(chunk: &str, first_line: usize) -> Option<Tree<'_>> {
    if has_strange_characters(chunk) {
        return None;
    }
    let mut reader = Reader {
        text: chunk,
        at: 0,
        start: 0,
        line: first_line,
        indent: None,
        tree: Builder::with_room(chunk.len() / 16),
    };
    reader.content_line()?;
    reader.container(reader.indent?)?;
    // A line at no open container's column ends them all: it goes on with the scalar before it, or is wrong.
    reader.indent.is_none().then(|| reader.tree.finish()).flatten()
}

/// Says whether there is a control character, or one that the library takes for a break, a byte order mark or no text.
fn has_strange_characters(text: &str) -> bool {
    let is_control = |byte: u8| byte < b' ' && byte != b'\n' && byte != b'\t' || byte == 0x7f;
    // Without a way out of the loop, which is faster over so short texts.
    if text.bytes().fold(false, |found, byte| found | is_control(byte)) {
        return true;
    }
    let is_strange =
        |c| matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    !text.is_ascii() && text.chars().any(is_strange)
}

fn is_blank_or_break(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// A scalar of one line.
struct Scalar<'a> {
    text: Cow<'a, str>,
    plain: bool,
}

/// Where nothing else is said, a method reads from `at` on, and leaves `at` behind what it read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the line of `at` begins.
    start: usize,
    /// That line's number in the file.
    line: usize,
    /// The blanks before the content of the line at which the next node or key is looked for; none at the text's end.
    indent: Option<usize>,
    tree: Builder<'a>,
}

impl<'a> Reader<'a> {
    /// The byte that is so far ahead.
    fn byte(&self, ahead: usize) -> u8 {
        self.byte_at(self.at + ahead)
    }

    fn byte_at(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(b'\n')
    }

    fn spaces(&mut self) {
        while self.byte(0) == b' ' {
            self.at += 1;
        }
    }

    /// Goes to the content of the line at `start`, or of the first line after it that has any.
    fn content_line(&mut self) -> Option<()> {
        loop {
            self.at = self.start;
            self.spaces();
            let indent = self.at - self.start;
            if self.at >= self.text.len() {
                self.indent = None;
                return Some(());
            }
            match self.byte(0) {
                b'\n' => {}
                b'#' => self.skip_line(),
                b'\t' => return None,
                // Document markers and directives; a plain scalar that looks like one is as rare.
                b'.' | b'-' if indent == 0 && matches!(self.text.get(self.at..self.at + 3), Some("---" | "...")) => {
                    return None;
                }
                _ => {
                    self.indent = Some(indent);
                    return Some(());
                }
            }
            self.begin_line();
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// Begins the line after the break at `at`.
    fn begin_line(&mut self) {
        self.at += 1;
        self.start = self.at.min(self.text.len());
        self.line += 1;
    }

    /// Goes over blanks and a comment to the line's break.
    fn rest_of_line(&mut self) -> Option<()> {
        let from = self.at;
        self.spaces();
        match self.byte(0) {
            b'\n' => Some(()),
            // A comment's mark that touches a scalar's end is better left to the library.
            b'#' if self.at > from || self.byte_at(from.wrapping_sub(1)) == b' ' => {
                self.skip_line();
                Some(())
            }
            _ => None,
        }
    }

    /// Goes over the rest of the line to the next content.
    fn next_line(&mut self) -> Option<()> {
        self.rest_of_line()?;
        self.begin_line();
        self.content_line()
    }

    fn is_entry(&self) -> bool {
        self.byte(0) == b'-' && is_blank_or_break(self.byte(1))
    }

    /// Reads the block sequence or block mapping whose first entry stands here, at this column.
    fn container(&mut self, column: usize) -> Option<()> {
        if self.is_entry() {
            return self.sequence(column);
        }
        let key = self.key()?;
        self.mapping(column, key)
    }

    /// Reads a mapping at this column from what follows its first key's colon.
    fn mapping(&mut self, column: usize, first: Scalar<'a>) -> Option<()> {
        self.tree.open_mapping(self.line).ok()?;
        self.scalar(first);
        self.value(column, true)?;
        while self.indent == Some(column) {
            let key = self.key()?;
            self.scalar(key);
            self.value(column, true)?;
        }
        self.tree.close();
        Some(())
    }

    /// Reads a sequence at this column. One that is as far to the left as the mapping around it ends where that goes on.
    fn sequence(&mut self, column: usize) -> Option<()> {
        self.tree.open_sequence(self.line).ok()?;
        while self.indent == Some(column) && self.is_entry() {
            self.at += 1;
            self.item(column)?;
        }
        self.tree.close();
        Some(())
    }

    /// Reads what follows the dash of an entry at this column.
    fn item(&mut self, column: usize) -> Option<()> {
        self.spaces();
        if matches!(self.byte(0), b'\n' | b'#' | b'|' | b'>' | b'[' | b'{') {
            return self.value(column, false);
        }
        let inner = self.at - self.start;
        if self.is_entry() {
            // This one's first entry does not stand at its line's indent.
            self.indent = Some(inner);
            return self.sequence(inner);
        }
        let from = self.at;
        let scalar = self.one_line()?;
        if self.is_colon(from)? {
            return self.mapping(inner, scalar);
        }
        self.scalar(scalar);
        self.next_line()
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Option<Scalar<'a>> {
        let from = self.at;
        let key = self.one_line()?;
        self.is_colon(from)?.then_some(key)
    }

    /// Says whether a colon makes a key of the scalar that was read from `from` on; if so, it is read too.
    fn is_colon(&mut self, from: usize) -> Option<bool> {
        let end = self.at;
        self.spaces();
        if self.byte(0) != b':' || !is_blank_or_break(self.byte(1)) {
            self.at = end;
            return Some(false);
        }
        self.at += 1;
        (self.at - from < LONG_KEY).then_some(true)
    }

    /// Reads what follows the colon or the dash of an entry at this column.
    fn value(&mut self, column: usize, in_mapping: bool) -> Option<()> {
        self.spaces();
        match self.byte(0) {
            b'\n' | b'#' => return self.value_below(column, in_mapping),
            b'|' | b'>' => return self.block_scalar(column),
            b'[' | b'{' => self.flow()?,
            _ => {
                let scalar = self.one_line()?;
                self.scalar(scalar);
            }
        }
        self.next_line()
    }

    /// Reads a value that stands on the lines below, or is not there.
    fn value_below(&mut self, column: usize, in_mapping: bool) -> Option<()> {
        let line = self.line;
        self.next_line()?;
        match self.indent {
            Some(indent) if indent > column => self.container(indent),
            Some(indent) if indent == column && in_mapping && self.is_entry() => self.sequence(column),
            _ => {
                self.tree.scalar("".into(), Tag::None, true, line);
                Some(())
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar<'a>) {
        self.tree.scalar(scalar.text, Tag::None, scalar.plain, self.line);
    }
}
