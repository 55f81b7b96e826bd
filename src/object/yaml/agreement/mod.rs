//! Proves that the reader of the common form makes the library's tree of whatever it does not give up at: over odd
//! texts, documents in random styles, and random damage to real manifests. And that it gives up rarely.
//!
//! `DRIFTDECK_TEST_YAML_CASES` says how many random documents there are of each sort, `DRIFTDECK_TEST_SEED` which. The
//! corpus is the folder `DRIFTDECK_TEST_CORPUS`.

mod random;

use super::{block, library, stream};
use random::{Random, SCALARS, damage, document};
use std::path::{Path, PathBuf};

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

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn random() -> Random {
    Random::seeded(number("DRIFTDECK_TEST_SEED").unwrap_or(1))
}

fn cases() -> usize {
    let few = if cfg!(debug_assertions) { 3000 } else { 50_000 };
    number("DRIFTDECK_TEST_YAML_CASES").map_or(few, |cases| cases as usize)
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
fn long_keys_and_deep_nesting_are_left_to_the_library() {
    for length in (900..1100).chain([4000]) {
        let key = "k".repeat(length);
        for text in
            [format!("{key}: a\n"), format!("- '{key}' : a\n"), format!("a: {{\"{key}\": b}}\n"), format!("- {key}\n")]
        {
            taken(&text);
        }
    }
    for depth in 60..70 {
        taken(&format!("{}a\n", "- ".repeat(depth)));
        taken(&format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth)));
        taken(&(0..depth).map(|level| format!("{:level$}a:\n", "")).collect::<String>());
    }
    assert!(block::read(&"- ".repeat(100_000), 1).is_none());
    assert!(block::read(&format!("a: {}", "[".repeat(100_000)), 1).is_none());
}

#[test]
fn documents_of_random_styles_are_read_as_the_library_reads_them() {
    let mut random = random();
    let (mut accepted, mut all) = (0, 0);
    for _ in 0..cases() {
        let text = document(&mut random);
        let found = taken(&text);
        (accepted, all) = (accepted + found.0, all + found.1);
    }
    assert!(accepted * 5 > all, "only {accepted} of {all} are taken at all");
}

#[test]
fn damaged_manifests_are_read_as_the_library_reads_them() {
    let mut manifests = vec![include_str!("manifests.yaml").to_owned()];
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
    for (folder, floor) in [("examples", 95), ("kustomize-suite", 95)] {
        let counts = files(&corpus.join(folder)).iter().map(|text| taken(text)).collect::<Vec<_>>();
        let (accepted, all) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        println!("{folder}: {accepted} of {all} documents are of the common form");
        assert!(accepted * 100 >= all * floor, "{folder}: {accepted} of {all}");
    }
}
