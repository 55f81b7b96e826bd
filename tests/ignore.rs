//! Proves that fields which the configuration tells to leave alone stay as they are in the cluster, whoever owns them, and that nothing
//! else is left alone with them.

mod support;

use serde_json::{Value, json};
use support::{Case, USUAL, cluster, object, until};

const SUITE: &str = "ignore rules";

fn rule(kind: &str, lines: &str) -> String {
    let group = if kind == "Deployment" { "apps" } else { "" };
    format!(
        "[[application.ignore]]\ngroup = \"{group}\"\nkind = \"{kind}\"\nname = \"*\"\nnamespace = \"*\"\n{lines}\n"
    )
}

/// A Deployment that makes no Pods: it is paused.
fn deployment(name: &str, replicas: Option<u32>, image: &str, more: &str) -> String {
    let replicas = replicas.map(|count| format!("  replicas: {count}\n")).unwrap_or_default();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n{replicas}  paused: true\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers:\n      - name: app\n        image: registry.example.com/app:{image}\n{more}"
    )
}

/// What our Apply entry owns below a path of field-set keys.
fn owned(case: &Case, object: &str, path: &[&str]) -> Value {
    let entries = case.field(object, "/metadata/managedFields");
    let ours = entries.as_array().expect("entries").iter().find(|entry| entry["manager"] == "driftdeck");
    let fields = ours.map(|entry| entry["fieldsV1"].clone()).unwrap_or_default();
    path.iter().fold(fields, |fields, key| fields[*key].clone())
}

const IMAGE: &str = "/spec/template/spec/containers/0/image";

#[test]
fn an_ignored_field_stays_as_it_is_whoever_owns_it() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "ignored", &rule("Deployment", "paths = [\"/spec/replicas\"]"));
    // Somebody else's before us.
    case.run(&["create", "deployment", "theirs", "--image=registry.example.com/app:0", "--replicas=5"]);
    let commit = |image: &str, kept: Option<u32>, dropped: Option<u32>| {
        let theirs = deployment("theirs", Some(3), image, "");
        case.commit(&[
            ("theirs.yaml", &theirs),
            ("scaled.yaml", &deployment("scaled", Some(3), image, "")),
            ("kept.yaml", &deployment("kept", kept, image, "")),
            ("dropped.yaml", &deployment("dropped", dropped, image, "")),
        ]);
    };
    commit("1", Some(3), Some(3));
    case.sync();
    let replicas = |expected: [u32; 4]| {
        for (name, expected) in ["theirs", "scaled", "kept", "dropped"].into_iter().zip(expected) {
            assert_eq!(case.field(&format!("deployment/{name}"), "/spec/replicas"), expected, "{name}");
        }
    };
    replicas([5, 3, 3, 3]);
    let ours = |name: &str| owned(&case, &format!("deployment/{name}"), &["f:spec", "f:replicas"]).is_object();
    assert_eq!(["theirs", "scaled", "kept", "dropped"].map(ours), [false, true, true, true]);

    case.run(&["scale", "deployment/scaled", "--replicas=7"]);
    let synced = case.diff(0);
    assert_eq!(synced["state"], "Synced", "{synced:#}");
    assert_eq!(object(&synced, "Deployment/scaled")["extras"], json!([]), "what is ignored is no extra");
    commit("2", Some(9), None);
    let changed = case.diff(2);
    for name in ["theirs", "scaled", "kept", "dropped"] {
        let changes = &object(&changed, &format!("Deployment/{name}"))["changes"];
        let paths: Vec<&Value> = changes.as_array().expect("a list").iter().map(|change| &change["path"]).collect();
        assert_eq!(paths.last(), Some(&&json!(IMAGE)), "{name}: {changes:#}");
        assert!(!paths.contains(&&json!("/spec/replicas")), "{name}: {changes:#}");
    }
    case.sync();
    replicas([5, 7, 3, 3]);
    assert_eq!(case.field("deployment/dropped", IMAGE), "registry.example.com/app:2");
    assert_eq!(["theirs", "scaled", "kept", "dropped"].map(ours), [false, false, true, true]);
    case.diff(0);
}

#[test]
fn items_of_lists_parts_of_atomic_mappings_and_a_managers_fields_are_left_alone_too() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let rules = [
        // The image of the first container, wherever it stands.
        rule("PodTemplate", "paths = [\"/template/spec/containers/0/image\"]"),
        // A selector of a Service is one value.
        rule("Service", "paths = [\"/spec/selector/colour\"]"),
        rule("ConfigMap", "managers = [\"tuner\"]"),
    ];
    let case = Case::new(kubectl, "parts", &rules.concat());
    let template = |app: &str, env: &str| {
        format!(
            "apiVersion: v1\nkind: PodTemplate\nmetadata:\n  name: api\ntemplate:\n  spec:\n    containers:\n    - name: app\n      image: {app}\n      env:\n      - name: LEVEL\n        value: {env}\n    - name: side\n      image: {app}\n"
        )
    };
    let service = |colour: &str, track: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: api\nspec:\n  selector:\n    colour: {colour}\n    track: {track}\n  ports:\n  - port: 80\n"
        )
    };
    let config = |free: &str, tuned: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: env\ndata:\n  free: \"{free}\"\n  tuned: \"{tuned}\"\n"
        )
    };
    let commit = |app: &str, env: &str, colour: &str, track: &str, free: &str, tuned: &str| {
        let files = (template(app, env), service(colour, track), config(free, tuned));
        case.commit(&[("template.yaml", &files.0), ("service.yaml", &files.1), ("env.yaml", &files.2)]);
    };
    commit("a:1", "info", "blue", "stable", "1", "1");
    case.sync();
    let image = r#"{"template": {"spec": {"containers": [{"name": "app", "image": "a:9"}]}}}"#;
    case.run(&["patch", "podtemplate/api", "--type=strategic", "--field-manager=tuner", "--patch", image]);
    case.edit("service/api", r#"{"spec": {"selector": {"colour": "green"}}}"#);
    case.edit_as("tuner", "configmap/env", r#"{"data": {"tuned": "9", "own": "9"}}"#);
    let comparison = case.diff(0);
    assert_eq!(comparison["state"], "Synced", "{comparison:#}");

    commit("a:2", "debug", "red", "canary", "2", "2");
    let comparison = case.diff(2);
    let changed = |name: &str| -> Vec<String> {
        let changes = object(&comparison, name)["changes"].as_array().expect("a list").clone();
        changes
            .iter()
            .map(|change| {
                format!("{} {} {}", change["path"].as_str().unwrap_or_default(), change["live"], change["desired"])
            })
            .collect()
    };
    let containers = "/template/spec/containers";
    assert_eq!(
        changed("PodTemplate/api"),
        [format!("{containers}/0/env/0/value \"info\" \"debug\""), format!("{containers}/1/image \"a:1\" \"a:2\"")]
    );
    assert_eq!(changed("Service/api"), [r#"/spec/selector/track "stable" "canary""#]);
    assert_eq!(changed("ConfigMap/env"), [r#"/data/free "1" "2""#]);
    case.sync();
    assert_eq!(case.field("podtemplate/api", "/template/spec/containers/0/image"), "a:9");
    assert_eq!(case.field("podtemplate/api", "/template/spec/containers/1/image"), "a:2");
    assert_eq!(case.field("service/api", "/spec/selector"), json!({"colour": "green", "track": "canary"}));
    assert_eq!(case.field("configmap/env", "/data"), json!({"free": "2", "tuned": "9", "own": "9"}));
    case.diff(0);
}

#[test]
fn a_rule_that_cannot_hold_blocks_the_plan_and_says_why() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    // A list of arguments is one value: when Git drops it, no part of it can stay.
    let rules = rule("PodTemplate", "paths = [\"/template/spec/containers/0/args/0\"]");
    let case = Case::new(kubectl, "blocked", &rules);
    let template = |args: &str, image: &str| {
        format!(
            "apiVersion: v1\nkind: PodTemplate\nmetadata:\n  name: api\ntemplate:\n  spec:\n    containers:\n    - name: app\n      image: {image}\n{args}"
        )
    };
    let args = "      args: [\"a\", \"b\"]\n";
    case.commit(&[("template.yaml", &template(args, "a:1"))]);
    case.sync();
    // Where it can hold, it does.
    case.commit(&[("template.yaml", &template(&args.replace("\"a\"", "\"c\""), "a:2"))]);
    case.sync();
    assert_eq!(case.field("podtemplate/api", "/template/spec/containers/0/args"), json!(["a", "b"]));
    case.commit(&[("template.yaml", &template("", "a:3"))]);
    let plan = case.driftdeck().json(2, &["plan", "shop"]);
    assert_eq!(plan["approvable"], false, "{plan:#}");
    let reason = plan["reason"].as_str().expect("a reason");
    for word in ["PodTemplate", "args", "ignore"] {
        assert!(reason.contains(word), "no {word} in {reason}");
    }
    let digest = plan["digest"].as_str().expect("a digest");
    case.driftdeck().run(&["--write", "sync", "shop", "--approve", digest]).expect(3);
    assert_eq!(case.field("podtemplate/api", "/template/spec/containers/0/image"), "a:2", "something was written");
    // With the whole value left alone, the rest goes through.
    let file = case.world.config_file();
    let text = std::fs::read_to_string(&file).expect("the configuration");
    std::fs::write(&file, text.replace("/args/0", "/args")).expect("the configuration");
    case.sync();
    assert_eq!(case.field("podtemplate/api", "/template/spec/containers/0/args"), json!(["a", "b"]));
    assert_eq!(case.field("podtemplate/api", "/template/spec/containers/0/image"), "a:3");
}

#[test]
fn an_ignored_field_that_moves_while_the_sync_is_at_work_is_not_set_back() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "race", &rule("Deployment", "paths = [\"/spec/replicas\"]"));
    let wave = |manifest: String, wave: u32| {
        manifest.replace("\nspec:", &format!("\n  annotations:\n    argocd.argoproj.io/sync-wave: \"{wave}\"\nspec:"))
    };
    let service = |kind: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: api\nspec:\n  type: {kind}\n  ports:\n  - port: 80\n"
        );
        wave(text, 0)
    };
    let commit = |kind: &str, image: &str| {
        case.commit(&[("service.yaml", &service(kind)), ("api.yaml", &wave(deployment("api", Some(3), image, ""), 1))]);
    };
    commit("ClusterIP", "1");
    case.sync();
    // The second wave waits until the first one's load balancer has an address.
    commit("LoadBalancer", "2");
    let (digest, driftdeck) = (case.digest(), case.driftdeck());
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| driftdeck.json(0, &["--write", "sync", "shop", "--approve", &digest]));
        until("the first wave", USUAL, || match case.field("service/api", "/spec/type") {
            kind if kind == "LoadBalancer" => Ok(()),
            kind => Err(kind.to_string()),
        });
        case.run(&["scale", "deployment/api", "--replicas=7"]);
        let address = r#"{"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}"#;
        case.run(&["patch", "service/api", "--subresource=status", "--type=merge", "--patch", address]);
        let report = sync.join().expect("the sync ends");
        assert_eq!(report["outcome"], "Succeeded", "{report:#}");
    });
    assert_eq!(case.field("deployment/api", "/spec/replicas"), 7);
    assert_eq!(case.field("deployment/api", IMAGE), "registry.example.com/app:2");
}
