//! Proves what counts as an extra: live fields that neither Git sets nor we own, by who wrote them. What others added is listed, what
//! the server filled in is not; the application's section says what extras mean.

mod support;

use serde_json::{Value, json};
use std::fs;
use support::{Case, cluster, object};

const SUITE: &str = "extras";
const EXTRAS: &str = "extras = \"show\"";

/// What `kubectl create deployment web --image=registry.example.com/web:1` means, without the label that it puts on the Deployment.
const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  paused: true\n  selector:\n    matchLabels:\n      app: web\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      containers:\n      - name: web\n        image: registry.example.com/web:1\n";

/// Extras as `path value manager`.
fn extras(comparison: &Value, name: &str) -> Vec<String> {
    let object = object(comparison, name);
    let list = object["extras"].as_array().unwrap_or_else(|| panic!("no extras in {object:#}"));
    list.iter()
        .map(|extra| {
            format!(
                "{} {} {}",
                extra["path"].as_str().unwrap_or_default(),
                extra["live"],
                extra["manager"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

/// Makes extras mean something else.
fn extras_mean(case: &Case, word: &str) {
    let file = case.world.config_file();
    let text = fs::read_to_string(&file).expect("the configuration");
    let line = text.lines().find(|line| line.starts_with("extras = ")).expect("the setting");
    fs::write(&file, text.replace(line, &format!("extras = \"{word}\""))).expect("the configuration");
}

#[test]
fn adopting_what_kubectl_created_lists_only_what_its_author_set_beyond_git() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "adopted", EXTRAS);
    case.run(&["create", "deployment", "web", "--image=registry.example.com/web:1", "--replicas=3"]);
    case.run(&["create", "service", "clusterip", "web", "--tcp=80:8080"]);
    case.run(&["create", "secret", "generic", "web", "--from-literal=own=1", "--from-literal=git=1"]);
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  labels:\n    app: web\nspec:\n  selector:\n    app: web\n  ports:\n  - name: 80-8080\n    port: 80\n    targetPort: 8080\n";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\nstringData:\n  git: \"1\"\n";
    case.commit(&[("web.yaml", WEB), ("service.yaml", service), ("secret.yaml", secret)]);
    let comparison = case.diff(2);
    assert_eq!(
        extras(&comparison, "Deployment/web"),
        [r#"/metadata/labels/app "web" kubectl-create"#, "/spec/replicas 3 kubectl-create"],
        "{comparison:#}"
    );
    assert_eq!(extras(&comparison, "Service/web"), [""; 0]);
    assert_eq!(extras(&comparison, "Secret/web"), [r#"/data/own {"masked":"changed"} kubectl-create"#]);
}

#[test]
fn what_others_added_is_listed_by_who_wrote_it_and_counts_as_the_application_says() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "extras", EXTRAS);
    let env = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: env\ndata:\n  v: \"1\"\n";
    case.commit(&[("web.yaml", WEB), ("env.yaml", env)]);
    case.sync();
    let settle = |expected: Value| {
        let comparison = case.diff(if expected == "Synced" { 0 } else { 2 });
        assert_eq!(comparison["state"], expected, "{comparison:#}");
        comparison
    };
    assert_eq!(extras(&settle(json!("Synced")), "Deployment/web"), [""; 0], "nobody but us has written");

    let sidecar = r#"{"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "registry.example.com/side:1", "args": ["a"], "ports": [{"containerPort": 9}]}]}}}}"#;
    case.run(&["patch", "deployment/web", "--type=strategic", "--field-manager=injector", "--patch", sidecar]);
    case.edit_as("team-bot", "deployment/web", r#"{"metadata": {"annotations": {"team": "shop"}}}"#);
    case.edit_as("team-bot", "configmap/env", r#"{"data": {"w": "\u001b[2J"}}"#);

    let comparison = settle(json!("Synced"));
    let found = object(&comparison, "Deployment/web");
    let listed = found["extras"].as_array().expect("a list");
    let names: Vec<_> = listed.iter().map(|extra| (&extra["path"], &extra["manager"])).collect();
    let containers = "/spec/template/spec/containers";
    let side = listed.iter().position(|extra| extra["manager"] == "injector").expect("the sidecar");
    assert_eq!(names.len(), 2, "{found:#}");
    assert_eq!(listed[1 - side]["path"], "/metadata/annotations/team");
    assert_eq!(listed[1 - side]["live"], "shop");
    assert!(listed[side]["path"].as_str().is_some_and(|path| path.starts_with(containers)), "{found:#}");
    assert_eq!((&listed[side]["live"]["name"], &listed[side]["live"]["args"]), (&json!("side"), &json!(["a"])));
    for extra in listed {
        let time: jiff::Timestamp = extra["time"].as_str().expect("a time").parse().expect("RFC 3339");
        assert!((-5..600).contains(&jiff::Timestamp::now().duration_since(time).as_secs()), "{extra:#}");
    }
    assert_eq!((&found["state"], &found["action"]), (&json!("Synced"), &json!("none")));

    // In words: by whom, what, since when; nothing without being asked.
    let silent = case.driftdeck().run(&["diff", "shop"]).expect(0);
    assert!(!silent.stdout.contains("team-bot"), "{silent:?}");
    let told = case.driftdeck().run(&["diff", "shop", "--extras"]).expect(0);
    told.says(&["extra fields", "by injector", "by team-bot", "/metadata/annotations/team  \"shop\"", "ago"]);
    assert!(!told.stdout.contains('\u{1b}'), "{told:?}");

    extras_mean(&case, "drift");
    let comparison = settle(json!("Drifted"));
    assert_eq!(object(&comparison, "Deployment/web")["state"], "Changed");
    assert_eq!(extras(&comparison, "ConfigMap/env").len(), 1);
    case.driftdeck().run(&["diff", "shop"]).expect(2).says(&["by team-bot", "/data/w"]);
    extras_mean(&case, "hide");
    let comparison = settle(json!("Synced"));
    assert_eq!((extras(&comparison, "Deployment/web"), extras(&comparison, "ConfigMap/env")), (vec![], vec![]));
}
