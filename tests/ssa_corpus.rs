//! Proves that `merge` answers a server-side apply as kube-apiserver does: against the recorded answers of the corpus'
//! folder `ssa` (a real server's; each case one apply, without and with force).
//!
//! Compared are the conflicts (manager, operation, API version, subresource, field), `managedFields` without times, the
//! paths of typed errors, and the object less status and what only the server writes. Each answer that differs is listed
//! below with its cause; a listed one that agrees again fails too, so the lists only get shorter.

mod support;

use driftdeck::merge::{Applied, Entry, Outcome, Schema, Schemas, changes, defaults, merge};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};
use support::corpus;

/// Answers that are not predicted: what differs, the cases, the cause.
const DIFFERENT: &[(&str, &[&str], &str)] = &[
    (
        "codes",
        &["horizontalpodautoscaler-special-0019", "horizontalpodautoscaler-special-0019 forced"],
        "fields are owned in autoscaling/v1, to which only the server converts; merge says so",
    ),
    (
        "objects",
        &[
            "service-create-0237",
            "service-create-0237 forced",
            "service-create-0402",
            "service-create-0402 forced",
            "service-create-edited-0016",
            "service-create-edited-0016 forced",
            "service-create-edited-0389",
            "service-create-edited-0389 forced",
        ],
        "the server allocates clusterIP and nodePort of a new Service",
    ),
    (
        "objects",
        &["service-lm-other-items-0153", "service-lm-other-items-0153 forced", "service-three-managers-0348 forced"],
        "the server allocates the nodePort of a new port",
    ),
    (
        "objects",
        &["job-resource-version-create-0448", "job-resource-version-create-0448 forced"],
        "the server writes the uid that it gives a new Job into its selector and its Pods' labels",
    ),
];

/// One recorded case with one of its two answers.
struct Case {
    name: String,
    force: bool,
    live: Option<Value>,
    body: Value,
    answer: Value,
}

impl Case {
    fn code(&self) -> u64 {
        self.answer["code"].as_u64().expect("a code")
    }
    /// The causes of a conflict of fields.
    fn causes(&self) -> &[Value] {
        self.answer["status"]["details"]["causes"].as_array().map_or(&[], Vec::as_slice)
    }
    fn message(&self) -> &str {
        self.answer["status"]["message"].as_str().unwrap_or_default()
    }
    fn id(&self) -> String {
        format!("{}{}", self.name, if self.force { " forced" } else { "" })
    }
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    for file in files {
        for line in fs::read_to_string(&file).expect("a file").lines() {
            let case: Value = serde_json::from_str(line).expect("a case");
            for (force, answer) in [(false, "force_false"), (true, "force_true")] {
                cases.push(Case {
                    name: case["name"].as_str().expect("a name").to_owned(),
                    force,
                    live: Some(case["live"].clone()).filter(|live| !live.is_null()),
                    body: case["apply"].clone(),
                    answer: case[answer].clone(),
                });
            }
        }
    }
    cases
}

fn schemas(folder: &Path) -> Schemas {
    let mut schemas = Schemas::default();
    for entry in fs::read_dir(folder.join("openapi")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().replace("__", "/");
        let api_version = name.strip_prefix("apis/").or(name.strip_prefix("api/")).expect("a group and version");
        let schema = Schema::read(&fs::read(&path).expect("a file")).expect("a schema");
        schemas.insert(api_version, Arc::new(schema));
    }
    schemas
}

/// What was compared, by what.
#[derive(Default)]
struct Tally {
    agreed: BTreeMap<&'static str, usize>,
    differed: BTreeMap<&'static str, BTreeSet<String>>,
    details: Vec<String>,
}

impl Tally {
    fn count(&mut self, what: &'static str, case: &Case, agrees: bool, detail: impl FnOnce() -> String) {
        if agrees {
            *self.agreed.entry(what).or_default() += 1;
        } else {
            self.differed.entry(what).or_default().insert(case.id());
            self.details.push(format!("{what}: {}: {}", case.id(), detail()));
        }
    }
}

fn conflicts_of(outcome: &Outcome<'_>) -> BTreeSet<(String, String)> {
    let Outcome::Conflicts(conflicts) = outcome else { return BTreeSet::new() };
    conflicts.iter().map(|conflict| (conflict.to_string(), conflict.path.to_string())).collect()
}

/// The entries of an object by identity, without times.
fn entries_of(object: &Value) -> BTreeMap<String, Value> {
    let entries = object["metadata"]["managedFields"].as_array().map_or(&[][..], Vec::as_slice);
    let entries = entries.iter().map(|entry| {
        let identity =
            ["manager", "operation", "apiVersion", "subresource"].map(|part| entry[part].as_str().unwrap_or_default());
        (identity.join("|"), entry["fieldsV1"].clone())
    });
    entries.collect()
}

fn predicted_entries(entries: &[Entry]) -> BTreeMap<String, Value> {
    entries_of(&json!({"metadata": {"managedFields": entries.iter().map(Entry::to_value).collect::<Vec<_>>()}}))
}

/// The paths of the errors in a server's message, without its words for them.
fn error_paths(message: &str) -> BTreeSet<String> {
    let (_, errors) = message.split_once("): ").expect("an object's name");
    let lines: Vec<&str> = match errors.strip_prefix("errors:\n") {
        Some(lines) => lines.lines().map(str::trim_start).collect(),
        None => vec![errors],
    };
    lines.into_iter().map(|line| line.rsplit_once(": ").map_or(line, |(path, _)| path).to_owned()).collect()
}

/// The object as the server would store it, as far as that can be known.
fn stored(schemas: &Schemas, applied: Applied<'_>, live: Option<&Value>) -> Value {
    let mut object = applied.into_object();
    defaults::apply(schemas, &mut object, live);
    object
}

#[test]
fn answers_agree_with_those_of_the_real_server() {
    let Some(folder) = corpus("ssa", 1000, "recorded server-side applies") else { return };
    let schemas = schemas(&folder);
    let mut tally = Tally::default();
    let mut unpredictable: BTreeMap<String, usize> = BTreeMap::new();
    for case in &cases(&folder) {
        let manager = "driftdeck";
        let outcome = merge(&schemas, case.live.as_ref(), &case.body, manager, case.force);
        let typed = case.message().contains("failed to create typed patch object");
        match (case.code(), outcome) {
            (409, outcome) if !case.causes().is_empty() => {
                let text = |cause: &Value, part: &str| cause[part].as_str().unwrap_or_default().to_owned();
                let causes = case.causes().iter().map(|cause| (text(cause, "message"), text(cause, "field"))).collect();
                tally.count("conflicts", case, conflicts_of(&outcome) == causes, || format!("{outcome:?}"));
            }
            (500, outcome) if typed => {
                let expected = error_paths(case.message());
                let found = match &outcome {
                    Outcome::Invalid(errors) => errors.iter().map(|error| error.path.clone()).collect(),
                    _ => BTreeSet::new(),
                };
                tally.count("typed errors", case, found == expected, || format!("{found:?} {}", case.message()));
            }
            (code @ (200 | 201), Outcome::Applied(applied)) => {
                tally.count("codes", case, applied.created == (code == 201), || code.to_string());
                let object = &case.answer["object"];
                let (found, expected) = (predicted_entries(&applied.entries), entries_of(object));
                tally.count("managedFields", case, found == expected, || difference(&found, &expected));
                let found = changes(object, &stored(&schemas, applied, case.live.as_ref()));
                let shown = || {
                    found.iter().map(|change| format!("{:?} {}", change.op, change.path)).collect::<Vec<_>>().join(" ")
                };
                tally.count("objects", case, found.is_empty(), shown);
            }
            (200 | 201, outcome) => {
                tally.count("codes", case, false, || format!("{outcome:?}"));
            }
            (code, outcome) => {
                // Preconditions, conversion to Go types, validation: not predicted, and never taken for a conflict.
                tally.count("codes", case, matches!(outcome, Outcome::Applied(_) | Outcome::Unknown(_)), || {
                    format!("{code} {outcome:?}")
                });
                *unpredictable.entry(code.to_string()).or_default() += 1;
            }
        }
    }
    for detail in &tally.details {
        println!("{detail}");
    }
    for (what, agreed) in &tally.agreed {
        let differed = tally.differed.get(what).map_or(0, BTreeSet::len);
        println!("{what}: {agreed} of {} agree", agreed + differed);
    }
    println!("not to be predicted: {unpredictable:?}");

    let listed = |what: &str| -> BTreeSet<String> {
        let cases = DIFFERENT.iter().filter(|(listed, ..)| *listed == what).flat_map(|(_, cases, _)| *cases);
        cases.map(|case| (*case).to_owned()).collect()
    };
    for what in ["codes", "conflicts", "managedFields", "objects", "typed errors"] {
        assert!(tally.agreed.contains_key(what), "the corpus has no {what}");
        let differed = tally.differed.remove(what).unwrap_or_default();
        let unlisted: Vec<_> = differed.difference(&listed(what)).cloned().collect();
        assert!(unlisted.is_empty(), "{what} differ: {unlisted:#?}");
        let agree: Vec<_> = listed(what).difference(&differed).cloned().collect();
        assert!(agree.is_empty(), "{what} agree though listed as different: {agree:#?}");
    }
    assert!(tally.differed.is_empty(), "{:?}", tally.differed.keys());
}

/// What is in only one of two maps of entries.
fn difference(found: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) -> String {
    let mut text = String::new();
    for identity in found.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        let (found, expected) = (found.get(identity), expected.get(identity));
        if found != expected {
            let show = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), Value::to_string);
            text.push_str(&format!("\n  {identity}\n    found    {}\n    expected {}", show(found), show(expected)));
        }
    }
    text
}
