//! Proves the main job through the command line with `-o json` against a real API server and a real Git repository:
//! compare, plan, approve, sync, drift and its correction, a new commit, history, revert, prune. Every outcome is read
//! back with `kubectl` and `git`.

mod support;

use serde_json::{Value, json};
use std::{fs, io::Read, path::Path};
use support::{Cluster, Driftdeck, Kubectl, Repository, World, cluster, shop};

const SUITE: &str = "main job on the command line";
/// Jsonpath of the image that runs.
const IMAGE: &str = "/spec/template/spec/containers/0/image";

/// One world with the application synced at its first commit.
struct Synced {
    world: World,
    repository: Repository,
    kubectl: Kubectl,
    namespace: support::Namespace,
    first: String,
}

impl Synced {
    fn new(kubectl: Kubectl) -> Self {
        let namespace = kubectl.namespace("cli");
        let (world, repository) = World::with_shop(&kubectl, namespace.name());
        let first = shop::commit_first(&repository);
        let this = Self { world, repository, kubectl, namespace, first };
        this.sync_what_is_planned();
        this
    }

    fn driftdeck(&self) -> Driftdeck {
        self.world.driftdeck()
    }

    /// Plans, approves exactly that plan, and returns plan and sync.
    fn sync_what_is_planned(&self) -> (Value, Value) {
        let plan = self.driftdeck().json(2, &["plan", "shop"]);
        assert_eq!(plan["approvable"], true, "{plan:#}");
        let sync = self.driftdeck().json(0, &["--write", "sync", "shop", "--approve", text(&plan["digest"])]);
        assert_eq!(sync["kind"], "Sync");
        assert_eq!(sync["outcome"], "Succeeded", "{sync:#}");
        (plan, sync)
    }

    fn deployment(&self, pointer: &str) -> Value {
        self.kubectl.field(self.namespace.name(), "deployment/api", pointer)
    }

    fn scale_by_hand(&self, replicas: u32) {
        let patch = json!({"spec": {"replicas": replicas}}).to_string();
        self.kubectl.run(&[
            "patch",
            "--namespace",
            self.namespace.name(),
            "deployment/api",
            "--type=merge",
            "--field-manager=kubectl-edit",
            "--patch",
            &patch,
        ]);
    }
}

#[test]
fn a_missing_application_is_planned_approved_and_applied_and_recorded() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let namespace = kubectl.namespace("cli");
    let (mut world, repository) = World::with_shop(&kubectl, namespace.name());
    let commit = shop::commit_first(&repository);
    // What no application uses is looked at too, as `init` writes it.
    world.cluster(Cluster::new("unused", &kubectl));
    shop::commit_first(&world.repository("unused"));
    let driftdeck = world.driftdeck();

    let check = driftdeck.json(0, &["check"]);
    for subject in ["cluster unused", "repository unused", "application shop"] {
        let item = array(&check["items"]).iter().find(|item| item["subject"] == subject);
        assert_eq!(item.map(|item| &item["ok"]), Some(&json!(true)), "{subject}: {check:#}");
    }

    let status = driftdeck.json(2, &["status"]);
    assert_eq!(status["kind"], "StatusList");
    assert_eq!(status["items"][0]["application"], "shop");
    assert_eq!(status["items"][0]["state"], "Missing");

    let comparison = driftdeck.json(2, &["diff", "shop"]);
    assert_eq!(comparison["kind"], "Comparison");
    assert_eq!((&comparison["revision"], &comparison["branch"]), (&json!(commit), &json!("main")));
    let objects = array(&comparison["objects"]);
    assert_eq!(objects.len(), 3, "{comparison:#}");
    assert!(objects.iter().all(|object| object["state"] == "Missing" && object["action"] == "create"));
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("the Deployment");
    assert_eq!(deployment["source"]["path"], "apps/shop/deployment.yaml");

    let plan = driftdeck.json(2, &["plan", "shop"]);
    assert_eq!(plan["kind"], "Plan");
    assert_eq!(plan["counts"]["create"], 3);
    assert_eq!((&plan["approvable"], &plan["confirmation"]), (&json!(true), &json!("none")), "{plan:#}");
    let order: Vec<&str> = array(&plan["steps"]).iter().map(|step| text(&step["object"])).collect();
    let ns = namespace.name();
    let wanted = [format!("ConfigMap/{ns}/api-env"), format!("Service/{ns}/api"), format!("apps/Deployment/{ns}/api")];
    assert_eq!(order, wanted);
    assert!(array(&plan["steps"]).iter().all(|step| step["verified"] == true), "every step was dry-run on the server");

    let digest = text(&plan["digest"]);
    assert!(digest.starts_with("sha256:") && digest.contains('@'), "{digest}");
    let refused = driftdeck.run(&["sync", "shop", "--approve", digest]).expect(3);
    refused.says(&["--write"]);
    assert!(kubectl.get(ns, "deployment/api").is_none(), "a read-only program has written");

    let sync = driftdeck.json(0, &["--write", "sync", "shop", "--approve", digest]);
    assert_eq!(sync["outcome"], "Succeeded", "{sync:#}");
    assert!(array(&sync["steps"]).iter().all(|step| step["result"] == "created"), "{sync:#}");

    assert_eq!(kubectl.field(ns, "deployment/api", IMAGE), shop::OLD_IMAGE);
    assert_eq!(kubectl.field(ns, "configmap/api-env", "/data/LOG_LEVEL"), "info");
    let live = kubectl.get(ns, "service/api").expect("the Service");
    let managers = array(&live["metadata"]["managedFields"]);
    assert!(managers.iter().any(|entry| entry["manager"] == "driftdeck" && entry["operation"] == "Apply"), "{live:#}");
    assert!(live["metadata"]["labels"]["applyset.kubernetes.io/part-of"].is_string(), "{live:#}");

    let (record_namespace, record_name) = text(&sync["record"]).split_once('/').expect("namespace/name");
    let record = kubectl.get(record_namespace, &format!("configmap/{record_name}")).expect("the record");
    assert_eq!(record["metadata"]["labels"]["driftdeck.dev/application"], "shop");
    let head = record["data"].to_string();
    let hash = digest.split('@').next().expect("a digest");
    for said in ["Succeeded", &commit, hash] {
        assert!(head.contains(said), "no {said} in the record: {record:#}");
    }
    let parent = kubectl.get(ns, "configmap/driftdeck-shop").expect("the inventory");
    assert!(parent["metadata"]["labels"]["applyset.kubernetes.io/id"].is_string(), "{parent:#}");

    let status = driftdeck.json(0, &["status", "shop"]);
    assert_eq!((&status["items"][0]["state"], &status["items"][0]["health"]), (&json!("Synced"), &json!("Healthy")));
    assert_eq!(status["items"][0]["last_sync"]["revision"], commit);
    driftdeck.json(0, &["diff", "shop"]);
    assert_eq!(driftdeck.json(0, &["plan", "shop"])["counts"]["unchanged"], 3);
}

#[test]
fn a_live_change_is_shown_as_drift_with_its_manager_and_corrected() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let synced = Synced::new(kubectl);
    synced.scale_by_hand(5);

    let comparison = synced.driftdeck().json(2, &["diff", "shop"]);
    assert_eq!(comparison["state"], "Drifted", "{comparison:#}");
    assert_eq!(comparison["base"], synced.first);
    let changed: Vec<&Value> =
        array(&comparison["objects"]).iter().filter(|object| object["state"] == "Changed").collect();
    assert_eq!(changed.len(), 1, "{comparison:#}");
    let changes = array(&changed[0]["changes"]);
    assert_eq!(changes.len(), 1, "{comparison:#}");
    let change = &changes[0];
    assert_eq!(change["path"], "/spec/replicas");
    assert_eq!((&change["live"], &change["desired"]), (&json!(5), &json!(2)));
    assert_eq!((&change["origin"], &change["manager"]), (&json!("drift"), &json!("kubectl-edit")));
    let object = format!("apps/Deployment/{}/api", synced.namespace.name());
    assert_eq!(change["hunk"], format!("{object}#/spec/replicas"));

    let unified = synced.driftdeck().run(&["diff", "shop"]).expect(2);
    unified.says(&["replicas: 5", "replicas: 2"]);

    let (plan, sync) = synced.sync_what_is_planned();
    assert_eq!(plan["counts"]["update"], 1);
    assert_eq!(sync["steps"][0]["result"], "configured");
    assert_eq!(synced.deployment("/spec/replicas"), 2);
    assert_eq!(synced.driftdeck().json(0, &["status", "shop"])["items"][0]["state"], "Synced");
}

#[test]
fn a_commit_is_shown_stepped_to_and_reverted_by_a_pushed_commit() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let synced = Synced::new(kubectl);
    let driftdeck = synced.driftdeck();
    let bump = shop::commit_bump(&synced.repository);

    let comparison = driftdeck.json(2, &["diff", "shop"]);
    assert_eq!((&comparison["state"], &comparison["revision"]), (&json!("OutOfSync"), &json!(bump)));
    let changes: Vec<&Value> =
        array(&comparison["objects"]).iter().flat_map(|object| array(&object["changes"])).collect();
    assert_eq!(changes.len(), 1, "{comparison:#}");
    assert_eq!((&changes[0]["origin"], &changes[0]["desired"]), (&json!("git"), &json!(shop::NEW_IMAGE)));

    let effect = driftdeck.json(2, &["show", "shop", &bump]);
    assert_eq!(effect["kind"], "CommitEffect");
    assert_eq!(effect["commit"]["subject"], "bump api to 1.9.0");
    assert_eq!(array(&effect["rendered"]).len(), 1, "{effect:#}");
    assert_eq!(effect["live"]["counts"]["update"], 1);

    synced.sync_what_is_planned();
    assert_eq!(synced.deployment(IMAGE), shop::NEW_IMAGE);

    let history = driftdeck.json(0, &["history", "shop", "--limit", "0"]);
    let commits = array(&history["commits"]);
    let ids: Vec<&str> = commits.iter().map(|commit| text(&commit["id"])).collect();
    let by_git = synced.repository.git(&["log", "--format=%H", "--", shop::PATH]);
    assert_eq!(ids, by_git.lines().collect::<Vec<_>>());
    assert!(commits.iter().all(|commit| commit["applied"][0]["outcome"] == "Succeeded"), "{history:#}");

    let preview = driftdeck.json(0, &["revert", "shop", &bump, "--dry-run"]);
    assert_eq!(preview["kind"], "GitChange");
    assert_eq!(preview["pushed"], false);
    assert_eq!(preview["plan"]["update"], 1, "{preview:#}");
    assert_eq!(synced.repository.server_tip("main"), bump, "a dry run has pushed");

    let written = text(&preview["commit"]);
    let other = "0".repeat(written.len());
    driftdeck.run(&["--write", "revert", "shop", &bump, "--approve", &other]).expect(3);
    driftdeck.run(&["revert", "shop", &bump, "--approve", written]).expect(3);
    assert_eq!(synced.repository.server_tip("main"), bump, "an unapproved revert was pushed");

    let pushed = driftdeck.json(0, &["--write", "revert", "shop", &bump, "--approve", written]);
    assert_eq!((&pushed["pushed"], &pushed["branch"]), (&json!(true), &json!("main")));
    let repository = &synced.repository;
    assert_eq!(repository.server_tip("main"), written);
    assert_eq!(repository.on_server(&["log", "-1", "--format=%s|%an|%P", "main"]), {
        format!("Revert \"bump api to 1.9.0\"|Olga Operator|{bump}")
    });
    let tree = |commit: &str| repository.on_server(&["rev-parse", &format!("{commit}^{{tree}}")]);
    assert_eq!(tree(written), tree(&synced.first));
    assert_eq!(synced.deployment(IMAGE), shop::NEW_IMAGE, "a revert has written to the cluster");

    synced.sync_what_is_planned();
    assert_eq!(synced.deployment(IMAGE), shop::OLD_IMAGE);
    let history = driftdeck.json(0, &["history", "shop"]);
    assert_eq!(history["commits"][0]["reverts"], bump, "{history:#}");
    assert_eq!(history["commits"][1]["reverted_by"], written, "{history:#}");
}

#[test]
fn an_object_that_left_git_is_pruned_only_with_the_name_typed() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let synced = Synced::new(kubectl);
    let driftdeck = synced.driftdeck();
    let ns = synced.namespace.name();
    // Not ours: the same kind, in the same namespace, never applied by the application.
    synced.kubectl.run(&["create", "--namespace", ns, "configmap", "by-hand"]);
    synced.repository.remove("drop the environment", "apps/shop/env.yaml");

    let plan = driftdeck.json(2, &["plan", "shop"]);
    assert_eq!((&plan["counts"]["prune"], &plan["confirmation"]), (&json!(1), &json!("typed")), "{plan:#}");
    let digest = text(&plan["digest"]);
    driftdeck.run(&["--write", "sync", "shop", "--approve", digest]).expect(3).says(&["--confirm"]);
    assert!(synced.kubectl.get(ns, "configmap/api-env").is_some(), "pruned without confirmation");

    let sync = driftdeck.json(0, &["--write", "sync", "shop", "--approve", digest, "--confirm", "shop"]);
    assert_eq!(sync["steps"][0]["result"], "pruned", "{sync:#}");
    assert!(synced.kubectl.get(ns, "configmap/api-env").is_none());
    assert!(synced.kubectl.get(ns, "configmap/by-hand").is_some(), "pruned what is not a member");
    assert_eq!(driftdeck.json(0, &["status"])["items"][0]["state"], "Synced");
}

#[test]
fn a_secret_is_applied_and_its_values_are_in_no_output_record_or_file() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let synced = Synced::new(kubectl);
    let driftdeck = synced.driftdeck();
    let ns = synced.namespace.name();
    let (old, new) = ("correct-horse-battery", "staple-gun-orchestra");
    let manifest = |value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: api\nstringData:\n  password: {value}\n")
    };
    let mut outputs = Vec::new();
    for value in [old, new] {
        synced.repository.commit("set the password", &[("apps/shop/secret.yaml", &manifest(value))]);
        for arguments in [vec!["diff", "shop"], vec!["diff", "shop", "-o", "json"], vec!["show", "shop", "main"]] {
            outputs.push(driftdeck.run(&arguments).expect(2));
        }
        let plan = driftdeck.run(&["plan", "shop", "-o", "json"]).expect(2);
        let digest = plan.json();
        let arguments = ["--write", "sync", "shop", "--approve", text(&digest["digest"]), "-o", "json"];
        outputs.extend([driftdeck.run(&arguments).expect(0), plan]);
        let live = synced.kubectl.field(ns, "secret/api", "/data/password");
        assert_eq!(decode(text(&live)), value.as_bytes(), "the Secret was not applied");
    }
    outputs.push(driftdeck.run(&["render", "shop"]).expect(0));
    let known = [old, new].map(|value| [value.to_owned(), encode(value)]).concat();
    for output in &outputs {
        for value in &known {
            assert!(!output.stdout.contains(value) && !output.stderr.contains(value), "{value} in {output:?}");
        }
    }

    let stored: Vec<Vec<u8>> = synced
        .kubectl
        .list(ns, "configmaps,secrets", "driftdeck.dev/application=shop")
        .iter()
        .flat_map(|object| object["data"].as_object().cloned().unwrap_or_default().into_iter())
        .map(|(_, value)| payload(text(&value)))
        .collect();
    assert!(!stored.is_empty(), "no record was found");
    for content in stored.into_iter().chain(files(&synced.world.home())) {
        for value in &known {
            let found = content.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!found, "{value} is stored in {}", String::from_utf8_lossy(&content));
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

fn encode(value: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, value)
}

fn decode(value: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, value).expect("base64")
}

/// A value of a ConfigMap as it is, or a Secret's, unpacked.
fn payload(value: &str) -> Vec<u8> {
    let engine = &base64::engine::general_purpose::STANDARD;
    match base64::Engine::decode(engine, value) {
        Ok(bytes) => zstd::stream::decode_all(bytes.as_slice()).unwrap_or(bytes),
        Err(_) => value.as_bytes().to_vec(),
    }
}

/// The content of every file below a folder, Git's own objects left out (they hold what was committed).
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the home can be read") {
        let path = entry.expect("the home can be read").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "objects") {
            found.extend(files(&path));
        } else if path.is_file() {
            let mut content = Vec::new();
            fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut content)).expect("a file of the home");
            found.push(content);
        }
    }
    found
}
