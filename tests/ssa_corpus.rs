//! Proves that `merge` answers a server-side apply as kube-apiserver does: against the recorded answers of the corpus'
//! folder `ssa` (a real server's; each case one apply, without and with force).
//!
//! Compared are the conflicts (manager, operation, API version, subresource, field), `managedFields` without times, the
//! paths of typed errors, and the object less status and what only the server writes. Each answer that differs is listed
//! below with its cause; a listed one that agrees again fails too, so the lists only get shorter.

mod ssa_answer;
mod support;

use driftdeck::{
    merge::{Outcome, Schema, Schemas, is_settled, merge},
    object::Borrowed,
};
use serde_json::Value;
use ssa_answer::{Case, MANAGER, Verdict};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
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

/// Where the recorded answers are. CI does without them never.
fn recorded() -> Option<PathBuf> {
    let found = corpus("ssa", 1000, "recorded server-side applies");
    assert!(found.is_some() || env::var_os("CI").is_none(), "CI needs the recorded answers: set DRIFTDECK_TEST_CORPUS");
    found
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
    fn count(&mut self, case: &Case, verdict: Verdict) {
        if verdict.agrees {
            *self.agreed.entry(verdict.what).or_default() += 1;
        } else {
            self.differed.entry(verdict.what).or_default().insert(case.id());
            self.details.push(format!("{}: {}: {}", verdict.what, case.id(), verdict.detail));
        }
    }
}

#[test]
fn answers_agree_with_those_of_the_real_server() {
    let Some(folder) = recorded() else { return };
    let schemas = schemas(&folder);
    let mut tally = Tally::default();
    let mut unpredictable: BTreeMap<u64, usize> = BTreeMap::new();
    for case in &cases(&folder) {
        if !case.is_predictable() {
            *unpredictable.entry(case.code()).or_default() += 1;
        }
        for verdict in case.compare(&schemas, false) {
            tally.count(case, verdict);
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

/// The same manifest with one leaf taken out, or another one in its place, for each of its leaves.
fn damaged(body: &Value) -> Vec<Value> {
    fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
        let step = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(key, value)| leaves(value, &step(key), found));
            }
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().for_each(|(index, value)| leaves(value, &step(&index.to_string()), found));
            }
            _ => found.push(at.to_owned()),
        }
    }
    let mut found = Vec::new();
    leaves(body, "", &mut found);
    let changed = found.iter().map(|at| {
        let mut body = body.clone();
        *body.pointer_mut(at).expect("a leaf") = "another".into();
        body
    });
    let removed = found.iter().map(|at| {
        let (above, last) = at.rsplit_once('/').expect("a path");
        let mut body = body.clone();
        match body.pointer_mut(above).expect("what is above") {
            Value::Object(members) => drop(members.remove(&last.replace("~1", "/").replace("~0", "~"))),
            Value::Array(items) => drop(items.remove(last.parse().expect("an index"))),
            _ => unreachable!("a leaf stands in a mapping or a list"),
        }
        body
    });
    changed.chain(removed).collect()
}

#[test]
fn what_is_called_settled_is_left_alone_by_an_apply() {
    let Some(folder) = recorded() else { return };
    let schemas = schemas(&folder);
    let (mut settled, mut asked, mut applied_again) = (0, 0, (0, 0));
    let mut judge = |live: &Value, body: &Value| {
        let (live_text, body_text) = (live.to_string(), body.to_string());
        let read = |text: &'_ str| Borrowed::read(text.as_bytes()).map(|read| read.to_value());
        assert_eq!(read(&live_text).as_ref(), Some(live));
        let (borrowed_live, borrowed_body) =
            (Borrowed::read(live_text.as_bytes()), Borrowed::read(body_text.as_bytes()));
        let (Some(borrowed_live), Some(borrowed_body)) = (borrowed_live, borrowed_body) else { return false };
        let is_settled = is_settled(&schemas, &borrowed_live, &borrowed_body, MANAGER);
        asked += 1;
        settled += usize::from(is_settled);
        if is_settled {
            let outcome = merge(&schemas, Some(live), body, MANAGER, false);
            let left_alone = matches!(&outcome, Outcome::Applied(applied) if !applied.is_changed());
            assert!(left_alone, "not settled: {live}\nby {body}\nbut {outcome:?}");
        }
        is_settled
    };
    for case in cases(&folder) {
        if let Some(live) = &case.live {
            judge(live, &case.body);
        }
        if matches!(case.code(), 200 | 201) {
            let after = &case.answer["object"];
            // An API group of Kubernetes itself has no dot, or ends in k8s.io.
            let group =
                case.body["apiVersion"].as_str().and_then(|text| text.split_once('/')).map_or("", |(group, _)| group);
            if group.contains('.') && !group.ends_with(".k8s.io") {
                continue;
            }
            applied_again.1 += 1;
            if judge(after, &case.body) {
                applied_again.0 += 1;
                for body in damaged(&case.body) {
                    judge(after, &body);
                }
            }
        }
    }
    println!("settled: {settled} of {asked}; of manifests that were applied just before, {applied_again:?}");
    // Nulls, values that are spelled otherwise and the like are looked at closer; most manifests have none.
    assert!(applied_again.0 * 10 >= applied_again.1 * 4, "{applied_again:?}");
}
