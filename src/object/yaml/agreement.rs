//! Proves that the reader of the common form makes the library's tree of whatever it does not give up at: over odd
//! texts, documents in random styles, and random damage to real manifests. And that it gives up rarely.
//!
//! `DRIFTDECK_TEST_YAML_CASES` says how many random documents there are of each sort, `DRIFTDECK_TEST_SEED` which. The
//! corpus is the folder `DRIFTDECK_TEST_CORPUS`.

use super::{block, library, stream};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// Reads a document both ways. Whether the reader of the common form takes it, and whether the library then agrees.
fn both_ways(document: &str, first_line: usize) -> (bool, bool) {
    let Some(tree) = block::read(document, first_line) else { return (false, true) };
    let mut warnings = Vec::new();
    let theirs = library::parse(document, first_line, &mut warnings);
    (true, theirs == Ok(Some(tree)) && warnings.is_empty())
}

/// How many of a stream's documents are taken, of how many that hold anything.
fn taken(text: &str) -> (usize, usize) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let chunks = stream::split(&text).into_iter().filter(|chunk| chunk.separator_error.is_none() && !chunk.is_blank());
    chunks.fold((0, 0), |(taken, all), chunk| {
        let (takes, agrees) = both_ways(chunk.text, chunk.first_line);
        if !agrees {
            disagreement(chunk.text);
        }
        (taken + usize::from(takes), all + 1)
    })
}

/// Fails with the shortest text on which the two still disagree.
fn disagreement(text: &str) -> ! {
    let mut shortest = text.to_owned();
    for size in [64, 16, 4, 1] {
        let mut at = 0;
        while at < shortest.chars().count() {
            let less: String = shortest.chars().take(at).chain(shortest.chars().skip(at + size)).collect();
            match both_ways(&less, 1).1 {
                true => at += 1,
                false => shortest = less,
            }
        }
    }
    let theirs = library::parse(&shortest, 1, &mut Vec::new());
    panic!("{shortest:?}\nours: {:?}\ntheirs: {theirs:?}", block::read(&shortest, 1));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn random() -> Random {
    // Spread out, so that neighbouring seeds have nothing in common.
    Random((number("DRIFTDECK_TEST_SEED").unwrap_or(1) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
}

fn cases() -> usize {
    let few = if cfg!(debug_assertions) { 3000 } else { 50_000 };
    number("DRIFTDECK_TEST_YAML_CASES").map_or(few, |cases| cases as usize)
}

const SCALARS: &[&str] = &[
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
fn damage(random: &mut Random, text: &mut String) {
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
            text.replace_range(at.min(other)..at.max(other).min(at.min(other) + 8).min(text.len()), "");
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

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("DRIFTDECK_TEST_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// The YAML files of a folder of the corpus.
fn files(folder: &Path) -> Vec<String> {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("read").path()).collect();
    entries.sort();
    let is_yaml = |path: &Path| path.extension().is_some_and(|found| found == "yaml" || found == "yml");
    entries
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false if is_yaml(&path) => std::fs::read_to_string(&path).into_iter().collect(),
            false => Vec::new(),
        })
        .collect()
}

#[test]
fn odd_scalars_are_read_as_the_library_reads_them() {
    for scalar in SCALARS {
        for before in [
            "", "  ", "a: ", "a:", "a:\n", "a:\n  ", "- ", "-", "-\n  ", "- - ", "- a: ", "a:\n- ", "a: {b: ", "a: [",
            "a: \"", "a: |\n",
        ] {
            for after in [
                "", "\n", " # c\n", "#c\n", ":\n", ": 1\n", "\nb: 1\n", "\n  b\n", "\n\n\t\n", "}\n", "]\n", "\"",
                "\n...\n",
            ] {
                taken(&format!("{before}{scalar}{after}"));
            }
        }
    }
}

#[test]
fn documents_of_random_styles_are_read_as_the_library_reads_them() {
    let mut random = random();
    let (mut accepted, mut all) = (0, 0);
    for _ in 0..cases() {
        let mut text = String::new();
        let column = if random.one_in(10) { 2 } else { 0 };
        let write = if random.one_in(4) { entry } else { member };
        (0..1 + random.below(3)).for_each(|_| write(&mut random, column, true, 0, &mut text));
        let found = taken(&text);
        (accepted, all) = (accepted + found.0, all + found.1);
    }
    assert!(accepted * 5 > all, "only {accepted} of {all} are taken at all");
}

#[test]
fn damaged_manifests_are_read_as_the_library_reads_them() {
    let mut manifests = vec![include_str!("agreement.yaml").to_owned()];
    manifests.extend(corpus().iter().flat_map(|folder| files(folder)));
    let mut random = random();
    let (mut accepted, mut all) = (0, 0);
    for _ in 0..cases() {
        let manifest = if random.one_in(3) { 0 } else { random.below(manifests.len()) };
        let lines: Vec<&str> = manifests[manifest].split_inclusive('\n').collect();
        let from = random.below(lines.len());
        let mut text = lines[from..].iter().take(1 + random.below(30)).copied().collect::<String>();
        // The whole of a long line adds nothing but time.
        text.truncate(text.floor_char_boundary(3000));
        (0..random.below(4)).for_each(|_| damage(&mut random, &mut text));
        let found = taken(&text);
        (accepted, all) = (accepted + found.0, all + found.1);
    }
    assert!(accepted * 5 > all, "only {accepted} of {all} are taken at all");
}

#[test]
fn most_documents_of_the_corpus_are_of_the_common_form() {
    let Some(corpus) = corpus() else {
        println!("skipped: 1 test over the corpus (set DRIFTDECK_TEST_CORPUS to a folder of manifests)");
        return;
    };
    for (folder, floor) in [("examples", 90), ("kustomize-suite", 90)] {
        let counts = files(&corpus.join(folder)).iter().map(|text| taken(text)).collect::<Vec<_>>();
        let (accepted, all) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        println!("{folder}: {accepted} of {all} documents are of the common form");
        assert!(accepted * 100 >= all * floor, "{folder}: {accepted} of {all}");
    }
}
