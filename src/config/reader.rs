//! Reads tables of a parsed TOML file by key and collects everything that is wrong, with its place.

use super::{
    problem::Problem,
    schema::{SECTIONS, Section},
    values::Wrong,
};
use std::{cell::RefCell, ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One value or table of the file with its place.
pub(super) type Node<'t, 'a> = &'t Spanned<DeValue<'a>>;

/// A problem before its place is turned into line and column.
struct Found {
    at: usize,
    /// Could be an echo of something else that is wrong: dropped when the TOML itself does not parse.
    echo: bool,
    wrong: Wrong,
}

/// Collects what is wrong with one file.
#[derive(Default)]
pub(super) struct Problems {
    found: RefCell<Vec<Found>>,
}

impl Problems {
    pub fn add(&self, at: &Range<usize>, wrong: Wrong) {
        self.found.borrow_mut().push(Found { at: at.start, echo: false, wrong });
    }
    /// Adds what may be wrong only because another part of the file could not be read.
    pub fn add_echo(&self, at: &Range<usize>, wrong: Wrong) {
        self.found.borrow_mut().push(Found { at: at.start, echo: true, wrong });
    }
    /// Returns everything in file order. `syntax` holds what is wrong with the TOML itself.
    pub fn in_order(self, text: &str, path: &Path, mut syntax: Vec<(usize, Wrong)>) -> Vec<Problem> {
        // what follows on a line is mostly the parser's confusion over what came first
        syntax.sort_by_key(|(at, _)| *at);
        syntax.dedup_by_key(|(at, _)| place(text, *at).0);
        let broken_lines: Vec<usize> = syntax.iter().map(|(at, _)| place(text, *at).0).collect();
        // after a broken header keys stand in the wrong table
        let broken_header = syntax.iter().map(|(at, _)| *at).find(|at| line_of(text, *at).starts_with('['));
        let found = self.found.into_inner().into_iter().filter(|found| {
            let clear = !found.echo && !broken_lines.contains(&place(text, found.at).0);
            broken_lines.is_empty() || (clear && broken_header.is_none_or(|at| found.at < at))
        });
        let mut all: Vec<(usize, Wrong)> =
            syntax.into_iter().chain(found.map(|found| (found.at, found.wrong))).collect();
        all.sort_by_key(|(at, _)| *at);
        all.dedup();
        all.into_iter()
            .map(|(at, wrong)| {
                let (line, column) = place(text, at);
                Problem { path: path.to_owned(), line, column, message: wrong.message, hint: wrong.hint }
            })
            .collect()
    }
}

/// Returns the line at a byte offset, without the blanks around it.
pub(super) fn line_of(text: &str, at: usize) -> &str {
    text.lines().nth(place(text, at).0 - 1).unwrap_or_default().trim()
}

/// Returns line and column, both from 1, columns in characters, of a byte offset.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[line_start..].chars().filter(|c| *c != '\u{feff}').count() + 1;
    (line, column)
}

/// One table under the rules of its section.
#[derive(Clone)]
pub(super) struct Table<'t, 'a> {
    section: &'static Section,
    table: &'t DeTable<'a>,
    /// The table's header.
    pub span: Range<usize>,
    problems: &'t Problems,
}

impl<'t, 'a> Table<'t, 'a> {
    /// Takes a table and reports its unknown and missing keys.
    pub fn new(section: &'static Section, table: &'t DeTable<'a>, span: Range<usize>, problems: &'t Problems) -> Self {
        let this = Self { section, table, span, problems };
        for key in table.keys() {
            if !section.keys.iter().any(|known| known.name == key.get_ref()) {
                this.unknown(key);
            }
        }
        for key in section.keys.iter().filter(|key| key.required && this.get(key.name).is_none()) {
            problems.add_echo(
                &this.span,
                Wrong::new(
                    format!("{} has no `{}`", section.title, key.name),
                    format!("add {} = {}", key.name, key.example),
                ),
            );
        }
        this
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'a, str>>) {
        let name: &str = key.get_ref();
        let known = || self.section.keys.iter().map(|key| key.name);
        let elsewhere = || SECTIONS.iter().find(|section| section.keys.iter().any(|known| known.name == name));
        let hint = match super::nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match elsewhere() {
                Some(section) => format!("`{name}` belongs in {}", section.title),
                None => format!("known here: {}", known().collect::<Vec<_>>().join(", ")),
            },
        };
        let message = format!("unknown key `{}` in {}", crate::object::clean(name), self.section.title);
        self.problems.add(&key.span(), Wrong::new(message, hint));
    }

    /// Returns the raw value of a key.
    pub fn get(&self, name: &str) -> Option<Node<'t, 'a>> {
        self.table.get(name)
    }

    fn wrong_type(&self, name: &str, node: Node<'_, '_>, expected: &str) {
        let message = format!("`{name}` is {expected}, not {}", words(node.get_ref()));
        self.problems.add(&node.span(), Wrong::new(message, format!("write {name} = {}", self.section.example(name))));
    }

    /// Reads a text.
    pub fn text(&self, name: &str) -> Option<Spanned<String>> {
        let node = self.get(name)?;
        match node.get_ref() {
            DeValue::String(text) => Some(Spanned::new(node.span(), text.to_string())),
            _ => {
                self.wrong_type(name, node, "a text");
                None
            }
        }
    }

    /// Reads a text by a rule of its own.
    pub fn parsed<T>(&self, name: &str, rule: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = self.text(name)?;
        match rule(text.get_ref()) {
            Ok(value) => Some(value),
            Err(mut wrong) => {
                wrong.message = format!("`{name}`: {}", wrong.message);
                self.problems.add(&text.span(), wrong);
                None
            }
        }
    }

    /// Reads one of several words.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let words = choices.iter().map(|(word, _)| *word);
                let all = words.clone().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
                let hint =
                    super::nearest(text, words).map_or(String::new(), |near| format!("did you mean \"{near}\"? "));
                Wrong::new(format!("unknown value \"{}\"", crate::object::clean(text)), format!("{hint}one of {all}"))
            })
        })
    }

    /// Reads true or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        let value = node.get_ref().as_bool();
        if value.is_none() {
            self.wrong_type(name, node, "true or false");
        }
        value
    }

    /// Reads a list of texts, each by a rule.
    pub fn list<T>(&self, name: &str, rule: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<Spanned<T>>> {
        let node = self.get(name)?;
        let Some(items) = node.get_ref().as_array() else {
            self.wrong_type(name, node, "a list of texts");
            return None;
        };
        let mut out = Vec::new();
        for item in items {
            match item.get_ref().as_str().map(&rule) {
                Some(Ok(value)) => out.push(Spanned::new(item.span(), value)),
                Some(Err(mut wrong)) => {
                    wrong.message = format!("`{name}`: {}", wrong.message);
                    self.problems.add(&item.span(), wrong);
                }
                None => self.wrong_type(name, item, "a list of texts"),
            }
        }
        Some(out)
    }

    /// Reads a table of another section.
    pub fn table(&self, name: &str, section: &'static Section) -> Option<Table<'t, 'a>> {
        let node = self.get(name)?;
        match node.get_ref() {
            DeValue::Table(table) => Some(Table::new(section, table, node.span(), self.problems)),
            DeValue::Array(_) if section.title.starts_with('[') => {
                let message = format!("there is one {0}, not several", section.title);
                self.problems.add(&first_span(node), Wrong::new(message, format!("write {}", section.title)));
                None
            }
            _ => {
                self.wrong_type(name, node, "a table");
                None
            }
        }
    }

    /// Reads the tables of a repeated section. One written without the double brackets is reported and read all the same.
    pub fn tables(&self, name: &str, section: &'static Section) -> Vec<Table<'t, 'a>> {
        let Some(node) = self.get(name) else { return Vec::new() };
        let one = |node: Node<'t, 'a>| match node.get_ref() {
            DeValue::Table(table) => Some(Table::new(section, table, node.span(), self.problems)),
            _ => {
                self.wrong_type(name, node, "a table");
                None
            }
        };
        match node.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(one).collect(),
            DeValue::Table(_) => {
                let message = format!("`{name}` is a list of tables, not one table");
                self.problems.add(&node.span(), Wrong::new(message, format!("write {}", section.title)));
                one(node).into_iter().collect()
            }
            _ => {
                let message = format!("`{name}` is a list of tables, not {}", words(node.get_ref()));
                self.problems.add(&node.span(), Wrong::new(message, format!("write {}", section.title)));
                Vec::new()
            }
        }
    }

    /// Reports something about the value of a key, or about the table where the key is missing.
    pub fn report(&self, name: &str, wrong: Wrong) {
        let span = self.get(name).map_or_else(|| self.span.clone(), Spanned::span);
        self.problems.add(&span, wrong);
    }

    /// Where problems go.
    pub fn problems(&self) -> &'t Problems {
        self.problems
    }

    /// The members of a table without fixed keys, in file order.
    pub fn members(table: &'t DeTable<'a>) -> Vec<(&'t Spanned<std::borrow::Cow<'a, str>>, Node<'t, 'a>)> {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        members
    }
}

/// The first element of a list of tables: its header is a better place than the list's, which covers none of the text.
fn first_span(node: Node<'_, '_>) -> Range<usize> {
    node.get_ref().as_array().and_then(|items| items.first()).map_or_else(|| node.span(), |first| first.span())
}

/// Names a value's type in the operator's words.
pub(super) fn words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let text = "a\né字x\r\n\u{feff}b";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 2), (2, 1));
        assert_eq!(place(text, text.find('x').unwrap()), (2, 3));
        assert_eq!(place(text, text.find('字').unwrap() + 1), (2, 2));
        assert_eq!(place(text, 999), (3, 2));
        assert_eq!(place("\u{feff}x", 3), (1, 1));
    }
}
