//! Proves that `merge` and its defaults answer a server-side apply as a real kube-apiserver does: random objects with random
//! histories of several managers, then one apply, asked of both. Needs `DRIFTDECK_TEST_KUBECONFIG` (context `admin`).
//!
//! `DRIFTDECK_TEST_SSA_CASES` (1000) says how many cases, `DRIFTDECK_TEST_SEED` which ones. The test makes a namespace and
//! two kinds of its own and takes them away. A case that differs is printed with its seed and the smallest body found
//! that still differs.

#[path = "ssa_live/history.rs"]
mod history;
#[path = "ssa_live/objects.rs"]
mod objects;
#[path = "ssa_live/random.rs"]
mod random;
#[path = "ssa_live/server.rs"]
mod server;
mod ssa_answer;
mod support;

use driftdeck::{
    merge::{FieldSet, Schema, Schemas},
    object::Pointer,
};
use futures::StreamExt;
use history::History;
use http::Method;
use objects::{Kind, Place};
use random::Random;
use serde_json::{Value, json};
use server::{APPLY, Server};
use ssa_answer::{Case, MANAGER, Verdict, entries_of};
use std::{collections::BTreeMap, env, sync::Arc};

/// Requests at one time.
const CONCURRENT: usize = 24;
/// Each of [`FEATURES`] is in at least so many of a hundred cases.
const LEAST_SHARE: usize = 5;
/// What cases are about.
const FEATURES: &[&str] = &[
    "map lists",
    "set lists",
    "atomic lists",
    "granular maps",
    "atomic maps",
    "co-ownership",
    "conflicts",
    "removals",
    "subresources",
    "moved ownership",
    "custom kinds",
];

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_applies_are_answered_as_the_real_server_answers_them() {
    let cases = number("DRIFTDECK_TEST_SSA_CASES", 1000);
    let seed = number("DRIFTDECK_TEST_SEED", 20_260);
    let Some(kubectl) = support::cluster(cases as usize, "random server-side applies") else { return };
    let server = Server::connect(kubectl.kubeconfig()).await;
    let id = std::process::id();
    let place = Place { namespace: format!("dd-ssa-{id}"), group: format!("ssa-{id}.driftdeck.dev") };
    // Differences are told after all is taken away again.
    let tally = run(&server, &place, seed, cases).await;
    clean_up(&server, &place).await;

    println!("seed {seed}, {} cases, {} answers", tally.cases, tally.answers);
    for (what, agreed) in &tally.agreed {
        println!("{what}: {agreed} agree");
    }
    println!("not to be predicted: {:?}", tally.unpredictable);
    println!("features: {:?}", tally.features);
    for failure in &tally.failures {
        println!("{failure}");
    }
    assert!(tally.failures.is_empty(), "{} answers differ, see above", tally.failures.len());
    assert_eq!(tally.cases as u64, cases);
    for feature in FEATURES {
        let share = tally.features.get(feature).copied().unwrap_or_default();
        assert!(share * 100 >= LEAST_SHARE * tally.cases, "{feature}: only {share} of {} cases", tally.cases);
    }
}

#[derive(Default)]
struct Tally {
    cases: usize,
    answers: usize,
    agreed: BTreeMap<&'static str, usize>,
    unpredictable: BTreeMap<u64, usize>,
    features: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

/// What one case came to.
struct Done {
    features: Vec<&'static str>,
    answers: Vec<Case>,
    verdicts: Vec<Verdict>,
    failures: Vec<String>,
}

async fn run(server: &Server, place: &Place, seed: u64, cases: u64) -> Tally {
    let schemas = Arc::new(set_up(server, place).await);
    let one = |number: u64| {
        let (server, place, schemas) = (server.clone(), place.clone(), schemas.clone());
        tokio::spawn(async move { case(&server, &place, &schemas, seed, number).await })
    };
    let mut done = futures::stream::iter((0..cases).map(one)).buffer_unordered(CONCURRENT);
    let mut tally = Tally::default();
    while let Some(done) = done.next().await {
        let done = done.expect("no case panics");
        tally.cases += 1;
        tally.answers += done.answers.len();
        done.features.iter().for_each(|feature| *tally.features.entry(feature).or_default() += 1);
        for case in done.answers.iter().filter(|case| !case.is_predictable()) {
            *tally.unpredictable.entry(case.code()).or_default() += 1;
        }
        for verdict in done.verdicts.iter().filter(|verdict| verdict.agrees) {
            *tally.agreed.entry(verdict.what).or_default() += 1;
        }
        tally.failures.extend(done.failures);
    }
    tally
}

/// Makes the namespace and the kinds, and reads the schemas.
async fn set_up(server: &Server, place: &Place) -> Schemas {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace}});
    let reply = server.send(Method::POST, "/api/v1/namespaces", "application/json", Some(&namespace)).await;
    assert!(reply.is_ok(), "{}", reply.body);
    let manifests = include_str!("ssa_live/crds.yaml").replace("GROUP", &place.group);
    for document in driftdeck::object::documents(&manifests) {
        let manifest = document.value.expect("right YAML");
        let name = manifest["metadata"]["name"].as_str().expect("a name");
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}?fieldManager=test");
        let reply = server.patch(&path, APPLY, &manifest).await;
        assert!(reply.is_ok(), "{}", reply.body);
    }
    let mut schemas = Schemas::default();
    let built_in = ["v1", "apps/v1", "autoscaling/v2", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"];
    let own = ["v1", "v1beta1"].map(|version| format!("{}/{version}", place.group));
    for api_version in built_in.map(str::to_owned).into_iter().chain(own) {
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let both = |reply: &server::Reply| {
            let schemas = reply.body["components"]["schemas"].as_object();
            let has = |kind: &str| schemas.is_some_and(|schemas| schemas.keys().any(|name| name.ends_with(kind)));
            // A new kind comes into the document a moment after it is made.
            reply.is_ok() && (!api_version.ends_with("driftdeck.dev/v1") || has(".Widget") && has(".Gadget"))
        };
        let document = server.until(&format!("/openapi/v3/{root}/{api_version}"), both).await;
        let schema = Schema::read(document.body.to_string().as_bytes()).expect("a schema");
        schemas.insert(api_version, Arc::new(schema));
    }
    for kind in [Kind::Widget, Kind::Gadget] {
        server.until(&kind.path(place, &kind.api_version(place), ""), server::Reply::is_ok).await;
    }
    schemas
}

async fn clean_up(server: &Server, place: &Place) {
    for plural in ["widgets", "gadgets"] {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{}", place.group);
        server.delete(&path).await;
    }
    server.delete(&format!("/api/v1/namespaces/{}", place.namespace)).await;
}

/// One random object with its history, and the apply to it asked of both, without and with force.
async fn case(server: &Server, place: &Place, schemas: &Schemas, seed: u64, number: u64) -> Done {
    let mut random = Random::new(seed, number);
    let kind = *random.pick(objects::KINDS);
    let name = format!("x{}-{number}", place.namespace.trim_start_matches("dd-ssa-"));
    let history = history::make(server, place, kind, name, &mut random).await;
    let live = server.get(&history.path(place)).await;
    let body = history.next_body(place, Some(&live.body).filter(|_| live.is_ok()), &mut random);

    let mut done = Done { features: Vec::new(), answers: Vec::new(), verdicts: Vec::new(), failures: Vec::new() };
    for asked in ask(server, place, &history, &body, &[false, true]).await {
        let verdicts = asked.compare(schemas, true);
        if let Some(wrong) = verdicts.iter().find(|verdict| !verdict.agrees) {
            let text = failure(server, place, schemas, &history, &asked, wrong).await;
            done.failures.push(format!("seed {seed} case {number}: {text}"));
        }
        done.verdicts.extend(verdicts);
        done.answers.push(asked);
    }
    done.features = features(&history, &done.answers);
    server.delete(&history.path(place)).await;
    done
}

/// Asks the server for dry-runs, together with the live object that they were about: controllers write meanwhile.
async fn ask(server: &Server, place: &Place, history: &History, body: &Value, forces: &[bool]) -> Vec<Case> {
    let path = history.path(place);
    let version = |reply: &server::Reply| reply.body["metadata"]["resourceVersion"].clone();
    for _ in 0..50 {
        let live = server.get(&path).await;
        let mut cases = Vec::new();
        for &force in forces {
            let query = format!("{path}?fieldManager={MANAGER}&force={force}&dryRun=All&fieldValidation=Strict");
            let answer = server.patch(&query, APPLY, body).await.answer();
            let live = Some(live.body.clone()).filter(|_| live.code == 200);
            cases.push(Case { name: history.name.clone(), force, live, body: body.clone(), answer });
        }
        let after = server.get(&path).await;
        if live.code == after.code && version(&live) == version(&after) {
            return cases;
        }
    }
    panic!("{path} does not come to rest");
}

/// Tells of a difference, with the smallest body that still makes one.
async fn failure(
    server: &Server,
    place: &Place,
    schemas: &Schemas,
    history: &History,
    asked: &Case,
    wrong: &Verdict,
) -> String {
    let (mut smallest, mut detail) = (asked.clone(), wrong.detail.clone());
    let mut at = 0;
    while let Some(smaller) = parts(&smallest.body).get(at).map(|part| without(&smallest.body, part)) {
        let Some(case) = ask(server, place, history, &smaller, &[asked.force]).await.pop() else { break };
        let verdicts = case.compare(schemas, true);
        match verdicts.into_iter().find(|verdict| !verdict.agrees && verdict.what == wrong.what) {
            Some(verdict) => (smallest, detail) = (case, verdict.detail),
            None => at += 1,
        }
    }
    let live = smallest.live.as_ref().map_or_else(|| "none".to_owned(), Value::to_string);
    format!(
        "{} differ ({} force={}): {detail}\n  steps {:#?}\n  live {live}\n  body {}\n  answer {}",
        wrong.what, history.name, asked.force, history.steps, smallest.body, smallest.answer
    )
}

/// The parts that can be left out of a body.
fn parts(body: &Value) -> Vec<Pointer> {
    fn walk(value: &Value, at: &Pointer, found: &mut Vec<Pointer>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
            _ => Vec::new(),
        };
        for (key, child) in children {
            let at = at.child(key);
            let identity = ["/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace"];
            if !identity.contains(&at.to_string().as_str()) {
                found.push(at.clone());
            }
            walk(child, &at, found);
        }
    }
    let mut found = Vec::new();
    walk(body, &Pointer::default(), &mut found);
    found
}

fn without(body: &Value, part: &Pointer) -> Value {
    let mut body = body.clone();
    if let Some((last, above)) = part.0.split_last() {
        match body.pointer_mut(&Pointer(above.to_vec()).to_string()) {
            Some(Value::Object(map)) => drop(map.remove(last)),
            Some(Value::Array(items)) => drop(last.parse().ok().map(|at: usize| items.remove(at))),
            _ => {}
        }
    }
    body
}

/// What a case is about, read from what was sent and answered.
fn features(history: &History, answers: &[Case]) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut add = |feature: &'static str, is: bool| found.extend(is.then_some(feature));
    let forced = answers.last().expect("two answers");
    let object = &forced.answer["object"];
    let set = |value: &Value| FieldSet::read(value).unwrap_or_default();
    let own = |identity: &str| identity.starts_with(&format!("{MANAGER}|Apply|")) && identity.ends_with('|');
    let (before, after) = (forced.live.as_ref().map(entries_of).unwrap_or_default(), entries_of(object));
    let of_own = |entries: &BTreeMap<String, Value>| {
        entries.iter().find(|(identity, _)| own(identity)).map(|(_, fields)| set(fields)).unwrap_or_default()
    };
    let (last, now) = (of_own(&before), of_own(&after));
    let text = now.to_json();
    let has = |pointers: &[&str]| pointers.iter().any(|pointer| is_filled(forced.body.pointer(pointer)));
    add("map lists", text.contains("\"k:{"));
    add("set lists", text.contains("\"v:"));
    add(
        "atomic lists",
        has(&[
            "/rules",
            "/subjects",
            "/imagePullSecrets",
            "/spec/args",
            "/spec/plainList",
            "/spec/metrics",
            "/spec/rules",
            "/spec/tls",
            "/spec/ingress",
            "/spec/template/spec/tolerations",
            "/spec/template/spec/containers/0/args",
        ]),
    );
    add("granular maps", has(&["/metadata/labels", "/metadata/annotations", "/data", "/spec/params", "/spec/config"]));
    add(
        "atomic maps",
        has(&["/spec/selector", "/spec/podSelector", "/spec/whole", "/roleRef", "/spec/template/spec/nodeSelector"]),
    );
    let others = after.iter().filter(|(identity, _)| !own(identity));
    add("co-ownership", others.into_iter().any(|(_, fields)| !set(fields).intersection(&now).is_empty()));
    add("conflicts", answers.iter().any(|case| !case.causes().is_empty()));
    add("removals", object.is_object() && !last.difference(&now).is_empty());
    add("subresources", before.keys().any(|identity| !identity.ends_with('|')));
    add("moved ownership", history.moved);
    add("custom kinds", history.kind.is_custom());
    found
}

fn is_filled(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        _ => false,
    }
}
