//! Random documents, and random damage to documents.

use std::fmt::Write;

/// A source of whole numbers (xorshift), the same ones for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        // Spread out, so that neighbouring seeds have nothing in common.
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
    pub(super) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
    pub(super) fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// What may stand for a scalar, the plain ones first.
pub(super) const SCALARS: &[&str] = &[
    "a",
    "web",
    "a b",
    "0644",
    "yes",
    "~",
    "1.5",
    "<<",
    "=",
    "\"\"",
    "''",
    "\"a: b\"",
    "'it''s'",
    "\"\\n\\t\\\\\"",
    "\"\\x41\"",
    "\"\\0\"",
    "\"\\e\"",
    "\"\\u00e9\"",
    "\"\\ \"",
    "\"a\\",
    "'a",
    "'a'b",
    "\"a\" b",
    "a: b",
    "a:",
    ":a",
    "::",
    "a:b",
    "a #b",
    "a#b",
    "#b",
    "- a",
    "-a",
    "-",
    "--",
    "---",
    "...",
    "?",
    "?a",
    "? a",
    "&a",
    "&a b",
    "*a",
    "!a",
    "!!str a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    ",a",
    "a,",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[a]",
    "[a, b]",
    "[a,b]",
    "[a, ]",
    "[a, 'b', \"c\"]",
    "[a: b]",
    "[[a], {b: c}]",
    "{a: b}",
    "{a: b, 'c': [d]}",
    "{a: }",
    "{a}",
    "{a:b}",
    "{\"a\":b}",
    "{a : b}",
    "{? a}",
    "[a #b]",
    "[-a]",
    "[a-b]",
    "[-]",
    "[a b]",
    "[https://a.b/c]",
    "{{ a }}",
    "a\tb",
    "a\t",
    "\ta",
    "é",
    "\u{a0}",
    "é: ü",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "a\u{7f}",
    "😀",
    "",
    "key: value",
    "\"key\": value",
    "'key' : value",
    "key : value",
    "key:  value  # comment",
    "a :b",
    "a? b",
    "a!b",
    "100%",
    "$(A)",
    "[a] ",
    "[a]#b",
    "\"a\"#b",
    "\"a\" #b",
    "[a]: b",
    "{a: b}: c",
    "\"a\":b",
    "|-",
    "|+",
    "| # c",
    "|#c",
    "|2",
    ">-",
    ">+",
    "|- a",
    "| \t",
    "\"\\/\\r\\\"\"",
    "'a' ",
];

const HEADERS: &[&str] = &["|", "|-", "|+", ">", ">-", ">+", "| # comment", "|  "];
const BODY: &[&str] = &[
    "a", "a b ", " a", "  a", "\ta", "", "", " ", "   ", "        ", "# a", "a: b", "- a", "é", "---", "|", "\"",
    "a\tb",
];

/// Writes a document of block collections in random styles, most of them sound.
pub(super) fn document(random: &mut Random) -> String {
    let mut text = String::new();
    let column = if random.one_in(10) { 2 } else { 0 };
    let write = if random.one_in(4) { entry } else { member };
    (0..1 + random.below(3)).for_each(|_| write(random, column, true, 0, &mut text));
    text
}

/// Writes a block collection or a scalar behind its parent's sign, which stands at column `column`.
fn node(random: &mut Random, column: usize, depth: usize, in_mapping: bool, out: &mut String) {
    let left = if in_mapping && random.one_in(2) { column } else { column + 1 + random.below(4) };
    match random.below(if depth > 4 { 6 } else { 12 }) {
        0 => out.push('\n'),
        1 => {
            writeln!(out, " {}", random.of(HEADERS)).expect("written");
            let margin = column + 1 + random.below(3);
            for _ in 0..random.below(5) {
                writeln!(out, "{:1$}{2}", "", if random.one_in(12) { margin - 1 } else { margin }, random.of(BODY))
                    .expect("written");
            }
        }
        2..6 => writeln!(out, "{}{}", random.of(&[" ", " ", " ", "  ", "", "\t"]), simple(random)).expect("written"),
        6..9 => {
            out.push('\n');
            let left = left.max(column + 1);
            (0..1 + random.below(4)).for_each(|_| member(random, left, true, depth, out));
        }
        9 if !in_mapping => {
            out.push(' ');
            let left = column + 2;
            (0..1 + random.below(3)).for_each(|at| member(random, left, at > 0, depth, out));
        }
        10 if !in_mapping => {
            out.push(' ');
            (0..1 + random.below(3)).for_each(|at| entry(random, column + 2, at > 0, depth, out));
        }
        _ => {
            out.push('\n');
            (0..1 + random.below(4)).for_each(|_| entry(random, left, true, depth, out));
        }
    }
}

/// Mostly what the reader takes, sometimes anything.
fn simple<'a>(random: &mut Random) -> &'a str {
    if random.one_in(6) { random.of(SCALARS) } else { random.of(&SCALARS[..13]) }
}

fn lead(random: &mut Random, column: usize, out: &mut String) {
    if random.one_in(10) {
        out.push_str(random.of(&["\n", "# comment\n", "   # comment\n", "  \n", "                \n", "\t\n"]));
    }
    let column = if random.one_in(60) { column + 1 } else { column };
    write!(out, "{:column$}", "").expect("written");
}

fn member(random: &mut Random, column: usize, on_new_line: bool, depth: usize, out: &mut String) {
    if on_new_line {
        lead(random, column, out);
    }
    out.push_str(if random.one_in(8) {
        simple(random)
    } else {
        random.of(&["a", "b", "key", "\"quoted\"", "'q'", "a.b/c", "-x"])
    });
    out.push_str(if random.one_in(20) { random.of(&[" :", ":  ", "", ":\t", ": # c"]) } else { ":" });
    node(random, column, depth + 1, true, out);
}

fn entry(random: &mut Random, column: usize, on_new_line: bool, depth: usize, out: &mut String) {
    if on_new_line {
        lead(random, column, out);
    }
    out.push('-');
    node(random, column, depth + 1, false, out);
}

/// Changes a text in one place.
pub(super) fn damage(random: &mut Random, text: &mut String) {
    const LETTERS: &[&str] = &[
        " ", " ", "  ", "\t", "\n", "\n\n", ":", ": ", ":\n", "#", " #", "-", "- ", "\n- ", "'", "\"", "|", ">", "[",
        "]", "{", "}", ",", "&", "*", "!", "%", "@", "`", "?", "? ", ".", "...", "---", "\\", "\\n", "a", "1", "é",
        "\u{a0}", "\u{85}", "\u{2028}", "\u{feff}", "~", "<<", "=", "\n...\n", "\n%", "\u{7}", "|+\n", "\u{0}",
    ];
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let place = |random: &mut Random| places[random.below(places.len())];
    let at = place(random);
    match random.below(9) {
        0 => text.insert_str(at, random.of(LETTERS)),
        1 => text.insert_str(at, random.of(SCALARS)),
        2 => text.replace_range(at..text[at..].chars().next().map_or(at, |c| at + c.len_utf8()), random.of(LETTERS)),
        3 => text.truncate(at),
        4 => {
            let other = place(random);
            let (from, to) = (at.min(other), at.max(other));
            text.replace_range(from..text.floor_char_boundary(to.min(from + 8)), "");
        }
        change => {
            let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
            if lines.is_empty() {
                return;
            }
            let (at, other) = (random.below(lines.len()), random.below(lines.len()));
            match change {
                5 => drop(lines.remove(at)),
                6 => lines.swap(at, other),
                7 => lines[at].insert_str(0, &" ".repeat(1 + random.below(4))),
                _ => lines[at] = lines[at].replacen(random.of(&[" ", "  ", "- ", ": "]), "", 1),
            }
            *text = lines.concat();
        }
    }
}
