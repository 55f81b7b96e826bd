//! Block scalars: literal (`|`) and folded (`>`).

use super::Reader;
use crate::object::yaml::scalar::Tag;

/// What becomes of the breaks at a block scalar's end.
#[derive(PartialEq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Reader<'_> {
    /// Reads a block scalar from its sign on, the value of an entry at column `parent`.
    pub(super) fn block_scalar(&mut self, parent: usize) -> Option<()> {
        let line = self.line;
        let literal = self.byte(0) == b'|';
        let chomping = match self.byte(1) {
            b'-' => Chomping::Strip,
            b'+' => Chomping::Keep,
            _ => Chomping::Clip,
        };
        self.at += if chomping == Chomping::Clip { 1 } else { 2 };
        self.rest_of_line()?;
        self.begin_line();
        let mut body = Body::new(literal);
        self.block_lines(parent, &mut body)?;
        self.tree.scalar(body.chomped(&chomping).into(), Tag::None, false, line);
        self.content_line()
    }

    /// Reads the lines that belong to a block scalar: all that are indented like its first one, and blank ones.
    fn block_lines(&mut self, parent: usize, body: &mut Body) -> Option<()> {
        let mut indent = None;
        let mut widest_blank = 0;
        while self.start < self.text.len() {
            self.at = self.start;
            while self.byte(0) == b' ' && indent.is_none_or(|indent| self.at - self.start < indent) {
                self.at += 1;
            }
            let column = self.at - self.start;
            match (self.byte(0), indent) {
                (b'\n', _) => {
                    widest_blank = widest_blank.max(column);
                    body.blank();
                    self.begin_line();
                    continue;
                }
                (_, Some(indent)) if column == indent => {}
                (b'\t', _) => return None,
                (_, Some(_)) => break,
                (_, None) if column <= parent => break,
                // For the library the widest blank line sets the indent then, and this line is none of the scalar's.
                (_, None) if widest_blank > column => return None,
                (_, None) => indent = Some(column),
            }
            let from = self.at;
            self.skip_line();
            body.content(&self.text[from..self.at]);
            self.begin_line();
        }
        Some(())
    }
}

/// The text of a block scalar, with the breaks that are not yet decided on.
struct Body {
    literal: bool,
    text: String,
    /// Whether a line of content stands before, whose break is pending.
    broken: bool,
    /// Whether that line began with a blank, which keeps it from being folded.
    set_off: bool,
    /// Blank lines since.
    blanks: usize,
}

impl Body {
    fn new(literal: bool) -> Self {
        Self { literal, text: String::new(), broken: false, set_off: false, blanks: 0 }
    }

    fn blank(&mut self) {
        self.blanks += 1;
    }

    fn content(&mut self, line: &str) {
        let set_off = line.starts_with([' ', '\t']);
        if self.broken {
            if self.literal || self.set_off || set_off {
                self.text.push('\n');
            } else if self.blanks == 0 {
                self.text.push(' ');
            }
        }
        self.push_blanks();
        self.text.push_str(line);
        self.broken = true;
        self.set_off = set_off;
    }

    fn push_blanks(&mut self) {
        self.text.extend(std::iter::repeat_n('\n', self.blanks));
        self.blanks = 0;
    }

    fn chomped(mut self, chomping: &Chomping) -> String {
        if self.broken && *chomping != Chomping::Strip {
            self.text.push('\n');
        }
        if *chomping == Chomping::Keep {
            self.push_blanks();
        }
        self.text
    }
}
