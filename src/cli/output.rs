//! Results on standard output: text, JSON or YAML; colour; documents and lists of them.

use super::error::CliError;
use crate::object::{clean, to_yaml};
use serde::Serialize;
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{IsTerminal, Write},
};

/// Version of the documents.
pub const API_VERSION: &str = "driftdeck.dev/v1";

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// The same document as YAML
    Yaml,
}

/// A published document: the body with its version and kind in front.
#[derive(Clone, Debug, Serialize)]
pub struct Document<T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    body: T,
}

impl<T> Document<T> {
    /// Wraps a body.
    pub fn new(kind: &'static str, body: T) -> Self {
        Self { api_version: API_VERSION, kind, body }
    }
}

/// Several documents of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct List<T> {
    items: Vec<Document<T>>,
}

impl<T> List<T> {
    /// Wraps bodies; `kind` is that of one item.
    pub fn new(kind: &'static str, bodies: impl IntoIterator<Item = T>) -> Self {
        Self { items: bodies.into_iter().map(|body| Document::new(kind, body)).collect() }
    }
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Titles.
    Bold,
    /// Beside the point.
    Dim,
    /// Removed, failed.
    Red,
    /// Added, well.
    Green,
    /// Differs.
    Yellow,
    /// Drifted.
    Magenta,
    /// Places in a diff.
    Cyan,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Red => "\u{1b}[31m",
            Self::Green => "\u{1b}[32m",
            Self::Yellow => "\u{1b}[33m",
            Self::Magenta => "\u{1b}[35m",
            Self::Cyan => "\u{1b}[36m",
        }
    }
}

/// Text that is being put together; everything that enters it is cleaned.
#[derive(Debug, Default)]
pub struct Text {
    color: bool,
    out: String,
}

impl Text {
    /// Starts a text.
    pub fn new(color: bool) -> Self {
        Self { color, out: String::new() }
    }
    /// Adds a piece.
    pub fn put(&mut self, style: Style, text: &str) -> &mut Self {
        let styled = self.color && style != Style::Plain && !text.is_empty();
        if styled {
            self.out.push_str(style.code());
        }
        self.out.push_str(&clean(text));
        if styled {
            self.out.push_str("\u{1b}[0m");
        }
        self
    }
    /// Adds a plain piece.
    pub fn plain(&mut self, text: &str) -> &mut Self {
        self.put(Style::Plain, text)
    }
    /// Ends the line.
    pub fn end(&mut self) -> &mut Self {
        self.out.push('\n');
        self
    }
    /// Adds rows with their columns aligned; empty columns at the end are left out.
    pub fn columns(&mut self, rows: &[Vec<(Style, String)>]) -> &mut Self {
        let count = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |text: &str| unicode_width::UnicodeWidthStr::width(&*clean(text));
        let widths: Vec<usize> = (0..count)
            .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|(_, text)| width(text)).max().unwrap_or(0))
            .collect();
        for row in rows {
            let filled = row.iter().rposition(|(_, text)| !text.is_empty()).map_or(0, |last| last + 1);
            for (column, (style, text)) in row[..filled].iter().enumerate() {
                self.put(*style, text);
                if column + 1 < filled {
                    let _ = write!(self.out, "{:1$}", "", widths[column] - width(text) + 2);
                }
            }
            self.end();
        }
        self
    }
    /// Returns what was put together.
    pub fn finish(self) -> String {
        self.out
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// How they are printed.
    pub format: Format,
    /// Whether text has colours.
    pub color: bool,
}

impl Output {
    /// Decides on colours by the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
    pub fn new(format: Format) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = !set("NO_COLOR") && (forced || (std::io::stdout().is_terminal() && !dumb));
        Self { format, color }
    }
    /// Says whether people read it.
    pub fn is_text(self) -> bool {
        self.format == Format::Text
    }
    /// Starts a text in the right colours.
    pub fn text(self) -> Text {
        Text::new(self.color)
    }
    /// Prints a finished text.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn print(self, text: Text) -> Result<(), CliError> {
        write_out(text.finish().as_bytes())
    }
    /// Prints a document.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn document<T: Serialize>(self, kind: &'static str, body: T) -> Result<(), CliError> {
        self.value(&Document::new(kind, body))
    }
    /// Prints anything that serialises.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn value<T: Serialize>(self, value: &T) -> Result<(), CliError> {
        let text = match self.format {
            Format::Yaml => to_yaml(&json(value)?),
            Format::Text | Format::Json => {
                let mut text = serde_json::to_string_pretty(value).map_err(unserializable)?;
                text.push('\n');
                escaped(text)
            }
        };
        write_out(text.as_bytes())
    }
    /// Prints one document on one line (JSON), or as one YAML document of a stream.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn event<T: Serialize>(self, kind: &'static str, body: T) -> Result<(), CliError> {
        let document = Document::new(kind, body);
        let text = match self.format {
            Format::Yaml => format!("---\n{}", to_yaml(&json(&document)?)),
            Format::Text | Format::Json => escaped(serde_json::to_string(&document).map_err(unserializable)? + "\n"),
        };
        write_out(text.as_bytes())
    }
}

fn json<T: Serialize>(value: &T) -> Result<Value, CliError> {
    serde_json::to_value(value).map_err(unserializable)
}

fn unserializable(error: serde_json::Error) -> CliError {
    CliError::Failed(format!("the result cannot be written as JSON: {error}"))
}

/// JSON leaves C1 controls, bidirectional and invisible characters as they are; on a terminal they must not act.
fn escaped(text: String) -> String {
    if matches!(clean(&text), std::borrow::Cow::Borrowed(_)) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mut one = [0; 4];
        let one: &str = c.encode_utf8(&mut one);
        if matches!(clean(one), std::borrow::Cow::Borrowed(_)) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Returns `1 object`, `2 objects`.
pub fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Writes bytes to standard output.
///
/// # Errors
/// [`CliError::Output`].
pub fn write_out(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(CliError::Output)
}

/// Writes a message to standard error; one that cannot be written is lost.
pub fn message(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hostile_text_reaches_a_terminal_neither_as_text_nor_as_json() {
        let hostile = "a\u{1b}[2J\u{9b}b\u{202e}\u{e0041}";
        let mut text = Text::new(true);
        text.put(Style::Red, hostile);
        assert_eq!(text.finish(), "\u{1b}[31ma␛[2J<U+009B>b<U+202E><U+E0041>\u{1b}[0m");
        let json_text = escaped(serde_json::to_string(&json!({ "x": hostile })).unwrap());
        assert!(json_text.is_ascii(), "{json_text}");
        assert_eq!(serde_json::from_str::<Value>(&json_text).unwrap()["x"], hostile);
    }

    #[test]
    fn one_thing_is_not_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "object")), ["0 objects", "1 object", "2 objects"]);
    }

    #[test]
    fn columns_line_up_by_the_width_on_screen() {
        let mut text = Text::new(false);
        let row = |a: &str, b: &str| vec![(Style::Plain, a.to_owned()), (Style::Plain, b.to_owned())];
        text.columns(&[row("字字", "x"), row("abc", "y")]);
        assert_eq!(text.finish(), "字字  x\nabc   y\n");
    }
}
