//! Proves that the modules' arrows point one way, that the terminal crates stay in the console, and that no
//! unfinished or oversized file slips in. The scanner at work is tested at the end of this file.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The arrows of `src/lib.rs`: a module, and the modules whose items it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("object", &[]),
    ("merge", &["object"]),
    ("git", &["object"]),
    ("render", &["object"]),
    ("cluster", &["object", "merge"]),
    ("config", &["object", "render"]),
    ("engine", &["object", "merge", "git", "render", "cluster", "config"]),
    ("sandbox", &["object", "merge"]),
    ("cli", &["object", "merge", "git", "render", "cluster", "config", "engine", "sandbox"]),
    ("console", &["object", "merge", "git", "render", "cluster", "config", "engine", "sandbox"]),
];

/// Crates that draw on a terminal, and the one module that may name them.
const TERMINAL_CRATES: &[&str] = &["ratatui", "crossterm"];
const TERMINAL_MODULE: &str = "console";

/// Words that must not be in `src` at all, as whole words.
const FORBIDDEN: &[&str] = &["unsafe", "todo!", "unimplemented!", "dbg!"];

/// Lines of one file: above the first it is reported, above the second the test fails.
const LONG_FILE: usize = 400;
const TOO_LONG_FILE: usize = 600;

#[test]
fn arrows_between_the_modules_point_one_way() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        let Some(allowed) = allowed(&module) else {
            wrong.push(format!("{}: module `{module}` has no row in the table of arrows", source.path.display()));
            continue;
        };
        let used = crate_paths(&source.code).into_iter().chain(escaping_paths(&source.code, source.depth()));
        wrong.extend(
            used.filter(|(_, used)| *used != module && !allowed.contains(&used.as_str()))
                .map(|(line, used)| format!("{}:{line}: `{module}` must not use `{used}`", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_arrows_is_free_of_cycles_and_names_every_module() {
    for (at, (module, uses)) in ARROWS.iter().enumerate() {
        for used in *uses {
            let above = ARROWS[..at].iter().any(|(name, _)| name == used);
            assert!(above, "`{module}` uses `{used}`, which must have a row above it");
        }
    }
    let declared = module_declarations(&fs::read_to_string(source_root().join("lib.rs")).expect("src/lib.rs"));
    assert!(!declared.is_empty(), "src/lib.rs declares no module");
    for module in declared {
        assert!(allowed(&module).is_some(), "`pub mod {module}` has no row in the table of arrows");
    }
}

#[test]
fn terminal_crates_are_named_in_the_console_only() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| source.module().as_deref() != Some(TERMINAL_MODULE))
        .flat_map(|source| {
            TERMINAL_CRATES.iter().flat_map(move |name| {
                word_lines(&source.code, name).into_iter().map(move |line| {
                    format!("{}:{line}: `{name}` outside src/{TERMINAL_MODULE}", source.path.display())
                })
            })
        })
        .collect();
    assert!(wrong.is_empty(), "terminal crates outside the console:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_unfinished_or_unsafe_is_in_the_sources() {
    let wrong: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            FORBIDDEN.iter().flat_map(move |word| {
                word_lines(&source.code, word)
                    .into_iter()
                    .map(move |line| format!("{}:{line}: `{word}`", source.path.display()))
            })
        })
        .collect();
    assert!(wrong.is_empty(), "left in the sources:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_holds_more_than_one_screenful_of_concepts() {
    let sources = sources();
    let (mut long, mut too_long) = (Vec::new(), Vec::new());
    for source in &sources {
        let text = format!("{}: {} lines", source.path.display(), source.lines);
        if source.lines > TOO_LONG_FILE {
            too_long.push(text);
        } else if source.lines > LONG_FILE {
            long.push(text);
        }
    }
    if !long.is_empty() {
        println!("files above {LONG_FILE} lines; does one hold two concepts?\n{}", long.join("\n"));
    }
    assert!(too_long.is_empty(), "files above {TOO_LONG_FILE} lines:\n{}", too_long.join("\n"));
}

#[test]
fn every_file_says_at_its_head_what_it_is() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "files without a `//!` head:\n{}", wrong.join("\n"));
}

/// One file of `src`.
struct Source {
    path: PathBuf,
    text: String,
    /// The text with comments and literals blanked, so that only code is scanned.
    code: String,
    lines: usize,
}

impl Source {
    /// The top-level module it belongs to; none for `lib.rs` and `main.rs`, which tie the modules together.
    fn module(&self) -> Option<String> {
        let relative = self.path.strip_prefix(source_root()).ok()?;
        let first = relative.components().next()?.as_os_str().to_str()?;
        match first.strip_suffix(".rs") {
            Some("lib" | "main") => None,
            Some(file) => Some(file.to_owned()),
            None => Some(first.to_owned()),
        }
    }

    /// How many modules deep it is: 1 for `src/git/mod.rs`, 2 for `src/git/url.rs`.
    fn depth(&self) -> usize {
        let relative = self.path.strip_prefix(source_root()).map_or(0, |path| path.components().count());
        relative - usize::from(self.path.file_name().is_some_and(|name| name == "mod.rs"))
    }
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![source_root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push(Source { code: blank(&text), lines: text.lines().count(), text, path });
            }
        }
    }
    assert!(found.len() > 10, "only {} files found under src: is the scanner looking in the right place?", found.len());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn allowed(module: &str) -> Option<&'static [&'static str]> {
    ARROWS.iter().find(|(name, _)| *name == module).map(|(_, uses)| *uses)
}

/// Returns `pub mod NAME;` declarations.
fn module_declarations(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

/// Returns the modules named right behind `crate::`, in `use` declarations (groups included) and in paths, with their lines.
/// `pub(in crate::…)` says who may see an item and is no use of it.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in word_positions(code, "crate") {
        let Some(rest) = code[at + "crate".len()..].trim_start().strip_prefix("::") else { continue };
        if code[..at].trim_end().ends_with("(in") || code[..at].ends_with('$') {
            continue;
        }
        let rest = rest.trim_start();
        let line = code[..at].matches('\n').count() + 1;
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group).into_iter().map(|name| (line, name))),
            None => found.push((line, identifier(rest))),
        }
    }
    found
}

/// Returns the modules reached by `super::super::…` out of a file's own top-level module, with their lines.
/// Names that are no top-level module are left alone: an inline `mod tests` makes one `super` more harmless.
fn escaping_paths(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in word_positions(code, "super") {
        if code[..at].trim_end().ends_with("::") {
            continue; // not the first of its path
        }
        let (mut rest, mut climbed) = (&code[at..], 0);
        while let Some(after) = rest.strip_prefix("super").and_then(|rest| rest.trim_start().strip_prefix("::")) {
            rest = after.trim_start();
            climbed += 1;
        }
        let names = match rest.strip_prefix('{') {
            Some(group) => group_heads(group),
            None => vec![identifier(rest)],
        };
        if climbed >= depth {
            let line = code[..at].matches('\n').count() + 1;
            found.extend(names.into_iter().filter(|name| allowed(name).is_some()).map(|name| (line, name)));
        }
    }
    found
}

/// Returns the first name of each item of a `{a::b, c::{d, e}}` group that starts behind its brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut at_head) = (0, Vec::new(), true);
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            c if at_head && (c.is_alphanumeric() || c == '_') => {
                heads.push(identifier(&group[index..]));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Returns the lines on which `word` stands as a whole word (a trailing `!` is part of it).
fn word_lines(code: &str, word: &str) -> Vec<usize> {
    word_positions(code, word).into_iter().map(|at| code[..at].matches('\n').count() + 1).collect()
}

fn word_positions(code: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !code[..*at].chars().next_back().is_some_and(part))
        .filter(|at| word.ends_with('!') || !code[at + word.len()..].chars().next().is_some_and(part))
        .collect()
}

/// Blanks comments, strings and characters; line breaks stay where they are.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let literal = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, &out) {
            length
        } else if character == '"' {
            quoted(rest, '"')
        } else if character == '\'' {
            character_literal(rest)
        } else {
            0
        };
        if literal == 0 {
            out.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            out.extend(rest[..literal].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[literal..];
        }
    }
    out
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of a raw string that starts here, `r"…"` or `r#"…"#` (with `b` or `c` before it).
fn raw_string(text: &str, before: &str) -> Option<usize> {
    if before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let hashes = text[prefix.len()..].chars().take_while(|c| *c == '#').count();
    let open = prefix.len() + hashes;
    if !text[open..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[open + 1..].find(&close).map_or(text.len(), |at| open + 1 + at + close.len()))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal, or 0 for a lifetime.
fn character_literal(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), _) => quoted(text, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

mod scanner {
    use super::{blank, crate_paths, escaping_paths, module_declarations, word_lines};

    fn names(text: &str) -> Vec<String> {
        crate_paths(&blank(text)).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn a_plain_use_is_seen() {
        assert_eq!(names("use crate::engine::Engine;"), ["engine"]);
        assert_eq!(names("pub(crate) use crate::git;"), ["git"]);
    }

    #[test]
    fn every_item_of_a_group_is_seen_and_nothing_below_it() {
        let text =
            "use crate::{\n    cluster::{ClusterError, health::Health},\n    git::CommitId,\n    merge as m,\n};";
        assert_eq!(names(text), ["cluster", "git", "merge"]);
    }

    #[test]
    fn a_path_in_an_expression_or_a_type_is_seen_with_its_line() {
        let text = "fn f(_: &crate::console::Model) {\n    crate :: cli::run();\n}";
        assert_eq!(crate_paths(&blank(text)), [(1, "console".to_owned()), (2, "cli".to_owned())]);
    }

    #[test]
    fn visibility_macros_and_other_crates_are_no_use() {
        assert!(names("pub(in crate::engine) struct Bound {}").is_empty());
        assert!(names("pub(crate) fn f() {}").is_empty());
        assert!(names("use mycrate::engine; use super::crate_paths;").is_empty());
    }

    #[test]
    fn climbing_out_of_a_module_is_seen() {
        assert_eq!(escaping_paths("use super::engine::Engine;", 1), [(1, "engine".to_owned())]);
        assert_eq!(escaping_paths("\nuse super::super::{cli, Mirror};", 2), [(2, "cli".to_owned())]);
        assert!(escaping_paths("use super::plan::Plan; use super::git;", 2).is_empty());
        assert!(escaping_paths("pub(super) fn f() {}", 1).is_empty());
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "//! [`crate::engine`]\n/* crate::git /* crate::cli */ */ let _ = (\"crate::console \\\" crate::git\", r#\"crate::\"cli\"#, 'c');";
        assert!(names(text).is_empty(), "{:?}", names(text));
        assert!(names("let q = '\"'; use crate::engine; let r = '\\''; // \"").contains(&"engine".to_owned()));
        assert_eq!(names("fn f<'a>(x: &'a str) -> &'a crate::git::CommitId"), ["git"]);
    }

    #[test]
    fn forbidden_words_are_whole_words() {
        assert_eq!(word_lines(&blank("fn f() {\n    todo!()\n}"), "todo!"), [2]);
        assert_eq!(word_lines(&blank("unsafe { }"), "unsafe"), [1]);
        assert!(word_lines(&blank("#![forbid(unsafe_code)] // unsafe"), "unsafe").is_empty());
        assert!(word_lines(&blank("let my_todo = 1; method_todo!()"), "todo!").is_empty());
    }

    #[test]
    fn terminal_crates_are_seen_in_uses_and_paths() {
        assert_eq!(word_lines(&blank("use ratatui::Frame;\nfn f(_: crossterm::event::Event) {}"), "crossterm"), [2]);
        assert!(word_lines(&blank("let ratatui_like = 1;"), "ratatui").is_empty());
    }

    #[test]
    fn declared_modules_are_found() {
        assert_eq!(module_declarations("pub mod cli;\nmod hidden;\npub mod engine;\n"), ["cli", "engine"]);
    }
}
