//! Proves that `object::documents` reads YAML as the user's `kubectl` does, which is asked without any server.
//!
//! Needs `kubectl` on the PATH. The corpus of real manifests is the folder `DRIFTDECK_TEST_CORPUS`, or
//! `../shared/corpus` beside the checkout.

use driftdeck::object::documents;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What kubectl reads from files: the objects of all of them in order (none where it refuses one of them).
fn kubectl(files: &[&Path]) -> Option<Vec<Value>> {
    let mut command = Command::new("kubectl");
    command.args(["patch", "--local", "--type=merge", "-p", "{}", "-o", "json"]).env("KUBECONFIG", "/dev/null");
    for file in files {
        command.arg("-f").arg(file);
    }
    let output = command.stdin(Stdio::null()).output().expect("kubectl runs");
    if !output.status.success() {
        return None;
    }
    let objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    Some(objects.map(|object| without_printer_traces(object.expect("kubectl prints JSON"))).collect())
}

/// kubectl's printer leaves out `managedFields` and empty namespaces, and writes floats above an i64 without a point;
/// none of it has to do with YAML.
fn without_printer_traces(mut object: Value) -> Value {
    blur_large_numbers(&mut object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if metadata.get("namespace").is_some_and(|namespace| namespace == "") {
            metadata.remove("namespace");
        }
    }
    object
}

fn blur_large_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() => *value = number.as_f64().into(),
        Value::Array(items) => items.iter_mut().for_each(blur_large_numbers),
        Value::Object(map) => map.values_mut().for_each(blur_large_numbers),
        _ => {}
    }
}

/// What we read: the objects with lists flattened, or none where a document is unreadable or no manifest.
fn ours(text: &str) -> Option<Vec<Value>> {
    let mut objects = Vec::new();
    for document in documents(text) {
        let value = document.value.ok()?;
        let is_text = |field| value.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !is_text("apiVersion") || !is_text("kind") {
            return None;
        }
        match value.get("items") {
            Some(Value::Array(items)) if value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
                objects.extend(items.iter().cloned());
            }
            _ => objects.push(value),
        }
    }
    Some(objects.into_iter().map(without_printer_traces).collect())
}

fn kubectl_is_missing() -> bool {
    let missing = Command::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).status().is_err();
    if missing {
        println!("skipped: every comparison with kubectl (kubectl is not on the PATH)");
    }
    missing
}

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("DRIFTDECK_TEST_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn manifest(name: usize, field: &str) -> String {
    format!("apiVersion: v1\nkind: Probe\nmetadata:\n  name: p{name}\n{field}\n")
}

/// Compares many single-document texts with one run of kubectl, and those that we refuse with one run each.
fn compare(texts: &[String]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (read, refused): (Vec<_>, Vec<_>) = texts.iter().partition(|text| ours(text).is_some());
    let file = folder.path().join("read.yaml");
    std::fs::write(&file, read.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("---\n")).expect("written");
    let Some(theirs) = kubectl(&[&file]) else {
        for text in read {
            std::fs::write(&file, text).expect("written");
            assert!(kubectl(&[&file]).is_some(), "we read {text:?}, kubectl does not");
        }
        panic!("kubectl refuses what it reads one by one");
    };
    let ours: Vec<Value> = read.iter().flat_map(|text| ours(text).unwrap_or_default()).collect();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    for (at, text) in refused.into_iter().enumerate() {
        let file = folder.path().join(format!("refused{at}.yaml"));
        std::fs::write(&file, text).expect("written");
        assert_eq!(kubectl(&[&file]), None, "kubectl reads {text:?}, we do not");
    }
}

#[test]
fn scalars_and_keys_are_read_alike() {
    if kubectl_is_missing() {
        return;
    }
    let numbers = [
        "0644",
        "0o14",
        "0O14",
        "0x1F",
        "0X1f",
        "08",
        "09.5",
        "0b101",
        "-0b11",
        "0b-11",
        "0b",
        "0x",
        "1e3",
        "1E+3",
        "1.0",
        "1.",
        ".5",
        "-.5",
        "+.5",
        "1_000",
        "1__0",
        "_1",
        "1_",
        "1_000.5",
        "._5",
        ".5_5",
        ".5_",
        "+1",
        "-1",
        "--1",
        "+-1",
        "1e400",
        "-1e400",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "1e20",
        "1e21",
        "123456789012345680000.0",
        "0.1",
        "1e-7",
        "100m",
        "10Gi",
        "12:30",
        "12:30:45",
        "1.2.3",
        "v1",
    ];
    let words = [
        "yes",
        "Yes",
        "yEs",
        "on",
        "off",
        "y",
        "N",
        "true",
        "tRue",
        "TRUE",
        "null",
        "Null",
        "nUll",
        "~",
        "~a",
        ".inf",
        "-.inf",
        "+.INF",
        ".nan",
        "2001-12-14",
        "2001-12-14T21:59:43.10-05:00",
        "\"yes\"",
        "'0644'",
        "! 12",
        "!!str 12",
        "!!int 12",
        "!!int '12'",
        "!!int x",
        "!!float 1",
        "!!bool yes",
        "!!bool 1",
        "!!null ''",
        "!!null x",
        "!!binary aGk=",
        "!!binary '?'",
        "!foo bar",
        "!!timestamp 2001-12-14",
        "<<",
        "=",
    ];
    let layouts = [
        "|\n  a\n  b\n",
        "|-\n  a\n\n",
        "|+\n  a\n\n",
        ">\n  a\n  b\n\n  c\n",
        ">-\n  a\n   b\n",
        "|2\n   a\n",
        "\"a\\x41\\u0042\\\n  c\"",
        "a b\n  c",
        "'a\n\n  b'",
        "\"wrapped\nquoted\"",
        "[1, 2, ]",
        "{a: 1, b}",
        "{a, ? b}",
        "[a: 1]",
        "[[]]",
        "{}",
        "{a: {b: [c, {d: }]}}",
        "@a",
        "`a",
        "%a",
        "a: b",
        "a #b",
        "a#b",
        "*x",
        "&x 1",
        "&x [*x]",
        "\t1",
        "1\t",
        "a\tb",
        "\u{85}",
        "\u{2028}x",
        "é字😀",
        "{{ .Values.x }}",
    ];
    let keys = [
        "y: 1",
        "yes: 1",
        "1: 1",
        "0644: 1",
        "1.5: 1",
        "1e10: 1",
        "1e-7: 1",
        "0.1: 1",
        "~: 1",
        ": 1",
        "18446744073709551615: 1",
        "[a]: 1",
        "{a: b}: 1",
        "? a\n: b",
        "? |\n  a\n: b",
        "\"a b\": 1",
        "2001-12-14: 1",
        "!!str 1: 1",
        "!!binary aGk=: 1",
        "a: 1\na: 2",
        "a: {b: 1}\na: {c: 1}",
        "<<: {q: 1}",
        "q: 1\n<<: {q: 2}",
        "<<: {q: 2}\nq: 1",
        "<<: [{q: 1}, {q: 2, r: 3}]",
        "<<: 1",
        "<<: [1]",
        "\"<<\": {q: 1}",
        "b: &b {q: 1}\nc: {<<: *b, r: 2}\nd: {<<: [*b, {q: 3}]}",
        "b: &b [1]\nc: {<<: *b}",
        "b: &b {q: &q 1}\nc: *q\nd: *b",
        "b: &k key\n*k : 1",
        "b:\n- 1\n-  2\n- - 3\n  - 4",
        "b:\n\t- 1",
        "b: 1\n c: 2",
        "b: [1\n",
        "b: \"x",
        "b: 'x\\'",
        "# c\nb: 1 # d",
        "b: 1\n...\n# c",
        "b: |",
        "b: |\n  x",
        "b: >\n  x\n y",
        "b: \"x\\",
    ];
    let scalars = numbers.iter().chain(&words).chain(&layouts).enumerate();
    let scalars = scalars.map(|(at, text)| manifest(at, &format!("x: {text}")));
    let keys = keys.iter().enumerate().map(|(at, text)| manifest(1000 + at, text));
    compare(&scalars.chain(keys).collect::<Vec<_>>());
}

#[test]
fn random_plain_scalars_are_read_alike() {
    if kubectl_is_missing() {
        return;
    }
    let alphabet = b"0123456789_.+-eExXoObynaNfiIsT:~";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let texts: Vec<String> = (0..4000)
        .map(|at| {
            let length = 1 + next(7);
            let scalar: String = (0..length).map(|_| char::from(alphabet[next(alphabet.len())])).collect();
            manifest(at, &format!("x: [{scalar}]"))
        })
        .filter(|text| ours(text).is_some())
        .collect();
    assert!(texts.len() > 3000);
    compare(&texts);
}

#[test]
fn streams_are_split_alike() {
    if kubectl_is_missing() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("stream.yaml");
    let (a, b) = (manifest(1, "x: 1"), manifest(2, "y: 2"));
    for text in [
        format!("{a}---\n{b}"),
        format!("---\n---\n{a}---\n# only a comment\n---   \n{b}---\n"),
        format!("# head\n--- # comment\n{a}---# glued\n{b}"),
        format!("\u{feff}{a}---\n\u{feff}{b}"),
        format!("{a}...\n{b}"),
        format!("{a}--- {b}"),
        format!("{a}----\n{b}"),
        format!("{a}z: |\n  x\n---\n{b}"),
        format!("{a}z: |\n---\n{b}"),
        a.replace('\n', "\r\n"),
        format!("%YAML 1.1\n---\n{a}"),
        r#"{"apiVersion": "v1", "kind": "Probe", "x": 1.0, "y": 1e3, "z": 18446744073709551615}"#.to_owned(),
        r#"{"apiVersion": "v1", "kind": "Probe", "x": "\/"} {"apiVersion": "v1", "kind": "Probe", "a": 1, "a": 2}"#
            .to_owned(),
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Probe, x: on}\n- {apiVersion: v1, kind: Other}\n"
            .to_owned(),
    ] {
        std::fs::write(&file, &text).expect("written");
        assert_eq!(ours(&text), kubectl(&[&file]), "{text:?}");
    }
}

#[test]
fn the_files_of_the_corpus_are_read_alike() {
    if kubectl_is_missing() {
        return;
    }
    let Some(corpus) = corpus() else {
        println!("skipped: 1 test over the corpus (set DRIFTDECK_TEST_CORPUS to a folder of manifests)");
        return;
    };
    let mut files = Vec::new();
    collect(&corpus, &mut files);
    files.sort();
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for file in &files {
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        match ours(&text) {
            Some(objects) if !objects.is_empty() => read.push((file.as_path(), objects)),
            _ if documents(&text).iter().any(|document| document.value.is_err()) => unreadable.push(file.as_path()),
            _ => {}
        }
    }
    assert!(!read.is_empty(), "no manifest in {}", corpus.display());
    let (mut compared, mut invalid) = (0, 0);
    for batch in read.chunks(40) {
        let names: Vec<_> = batch.iter().map(|(file, _)| *file).collect();
        if let Some(theirs) = kubectl(&names)
            && theirs.iter().eq(batch.iter().flat_map(|(_, objects)| objects))
        {
            compared += batch.len();
            continue;
        }
        for (file, objects) in batch {
            // kubectl also refuses what is fine YAML and no valid object, such as a number as an annotation.
            let Some(theirs) = kubectl(&[file]) else {
                invalid += 1;
                continue;
            };
            assert_eq!(objects, &theirs, "{}", file.display());
            compared += 1;
        }
    }
    for file in &unreadable {
        assert_eq!(kubectl(&[file]), None, "kubectl reads {}, we do not", file.display());
    }
    assert!(compared > 20 * invalid, "{compared} files compared, {invalid} refused by kubectl");
    println!("{compared} files read alike, {} refused alike, {invalid} no valid objects", unreadable.len());
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the corpus").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|found| ["yaml", "yml", "json"].iter().any(|known| found == *known)) {
            files.push(path);
        }
    }
}
