//! Scalars and flow collections that end on the line on which they begin.

use super::{LONG_KEY, Reader, Scalar, is_blank_or_break};
use memchr::memchr3;
use std::borrow::Cow;

impl<'a> Reader<'a> {
    /// Reads a plain or quoted scalar outside of flow collections.
    pub(super) fn one_line(&mut self) -> Option<Scalar<'a>> {
        match self.byte(0) {
            b'"' | b'\'' => self.quoted(),
            _ => self.plain(),
        }
    }

    /// Reads a plain scalar, up to a break, a comment, or a colon before a blank.
    fn plain(&mut self) -> Option<Scalar<'a>> {
        let opens = match self.byte(0) {
            b'-' | b'?' | b':' => !is_blank_or_break(self.byte(1)),
            byte => !b"\t\n,[]{}#&*!|>'\"%@`".contains(&byte),
        };
        if !opens {
            return None;
        }
        let start = self.at;
        loop {
            match self.byte(0) {
                b'\n' => break,
                b'\t' => return None,
                b':' if is_blank_or_break(self.byte(1)) => break,
                b'#' if self.byte_at(self.at - 1) == b' ' => break,
                _ => self.at += 1,
            }
        }
        let text = self.text[start..self.at].trim_end_matches(' ');
        Some(Scalar { text: text.into(), plain: true })
    }

    fn quoted(&mut self) -> Option<Scalar<'a>> {
        let quote = self.byte(0);
        self.at += 1;
        // What is read before the last escape, and where the rest begins.
        let mut unescaped = String::new();
        let mut start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += memchr3(quote, b'\\', b'\n', rest)?;
            let escaped = match self.byte(0) {
                b'\n' => return None,
                b'\'' if quote == b'\'' && self.byte(1) == b'\'' => '\'',
                b'\\' if quote == b'"' => match self.byte(1) {
                    b'n' => '\n',
                    b't' => '\t',
                    b'r' => '\r',
                    byte @ (b'"' | b'\\' | b'/') => byte.into(),
                    _ => return None,
                },
                byte if byte == quote => break,
                _ => {
                    self.at += 1;
                    continue;
                }
            };
            unescaped.push_str(&self.text[start..self.at]);
            unescaped.push(escaped);
            self.at += 2;
            start = self.at;
        }
        let rest = &self.text[start..self.at];
        self.at += 1;
        let text = if unescaped.is_empty() { rest.into() } else { Cow::Owned(unescaped + rest) };
        Some(Scalar { text, plain: false })
    }

    /// Reads a flow collection.
    pub(super) fn flow(&mut self) -> Option<()> {
        let is_mapping = self.byte(0) == b'{';
        let (opened, end) = match is_mapping {
            true => (self.tree.open_mapping(self.line), b'}'),
            false => (self.tree.open_sequence(self.line), b']'),
        };
        opened.ok()?;
        self.at += 1;
        self.spaces();
        while self.byte(0) != end {
            if is_mapping {
                self.flow_key()?;
            }
            self.flow_node()?;
            self.spaces();
            match self.byte(0) {
                b',' => {
                    self.at += 1;
                    self.spaces();
                    // A comma before the end is allowed, and rare.
                    if self.byte(0) == end {
                        return None;
                    }
                }
                byte if byte == end => {}
                _ => return None,
            }
        }
        self.at += 1;
        self.tree.close();
        Some(())
    }

    fn flow_key(&mut self) -> Option<()> {
        let start = self.at;
        let key = self.flow_scalar()?;
        self.scalar(key);
        self.spaces();
        let is_key = self.byte(0) == b':' && self.byte(1) == b' ' && self.at - start < LONG_KEY;
        self.at += 1;
        self.spaces();
        is_key.then_some(())
    }

    fn flow_node(&mut self) -> Option<()> {
        if matches!(self.byte(0), b'[' | b'{') {
            return self.flow();
        }
        let scalar = self.flow_scalar()?;
        self.scalar(scalar);
        Some(())
    }

    /// Reads a scalar in a flow collection; of plain ones, single words without any sign that could have a meaning there.
    fn flow_scalar(&mut self) -> Option<Scalar<'a>> {
        if matches!(self.byte(0), b'"' | b'\'') {
            return self.quoted();
        }
        let start = self.at;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/');
        while is_letter(self.byte(0)) || self.at > start && matches!(self.byte(0), b'-' | b'+' | b'=' | b'$') {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        (!text.is_empty()).then(|| Scalar { text: text.into(), plain: true })
    }
}
