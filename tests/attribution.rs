//! Proves that a comparison says of every change where it comes from: a table of what can happen to an object in Git and in the
//! cluster, by operators, controllers and other tools, each with what `diff` has to say of it, written by hand.

mod support;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Case, Cluster, World, cluster, object, until};

const SUITE: &str = "origins of changes";

/// One object and what happens to it after the first sync.
struct Row {
    /// `Kind/name`.
    object: &'static str,
    /// In Git at the first sync; none: not yet.
    before: Option<String>,
    /// In Git afterwards.
    after: String,
    /// What happens in the cluster after the first sync.
    live: Box<dyn Fn(&Case)>,
    /// What `diff` says: see [`said`].
    expected: &'static [&'static str],
}

fn row(
    object: &'static str,
    (before, after): (Option<String>, String),
    live: impl Fn(&Case) + 'static,
    expected: &'static [&'static str],
) -> Row {
    Row { object, before, after, live: Box::new(live), expected }
}

/// Changes of an object, one line each: operation, path, live -> desired (origin) writer, then conflicts.
fn said(object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let who = |of: &Value| {
        let parts = ["manager", "operation", "subresource"].map(|part| of[part].as_str());
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    let line = |change: &Value| {
        let (live, desired) = (change["live"].to_string(), change["desired"].to_string());
        let mut line = format!("{} {} {live} -> {desired}", text(&change["op"]), text(&change["path"]));
        // The id of the inventory's set is another one in each namespace.
        if let Some((head, tail)) = line.split_once("applyset-") {
            line = format!("{head}SET{}", tail.split_once("-v1").map_or("", |(_, tail)| tail));
        }
        line += &format!(" ({}) {}", text(&change["origin"]), who(change));
        for conflict in change["conflicts"].as_array().expect("a list") {
            line += &format!("; owned by {}", who(conflict));
        }
        if change["same_value"] == true {
            line += "; same value";
        }
        line.trim_end().to_owned()
    };
    object["changes"].as_array().expect("a list").iter().map(line).collect()
}

fn config_map(name: &str, data: &[(&str, &str)]) -> String {
    let data: String = data.iter().map(|(key, value)| format!("  {key}: \"{value}\"\n")).collect();
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{data}")
}

fn secret(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  p: {value}\n")
}

/// A Deployment that makes no Pods: it is paused.
fn deployment(name: &str, replicas: Option<u32>) -> String {
    let replicas = replicas.map(|count| format!("  replicas: {count}\n")).unwrap_or_default();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n{replicas}  paused: true\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers:\n      - name: app\n        image: registry.example.com/{name}:1\n"
    )
}

/// A PodTemplate with a CPU limit, spelled so.
fn pod_template(name: &str, cpu: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PodTemplate\nmetadata:\n  name: {name}\ntemplate:\n  metadata:\n    labels:\n      app: {name}\n  spec:\n    containers:\n    - name: app\n      image: registry.example.com/{name}:1\n      resources:\n        limits:\n          cpu: {cpu}\n{more}"
    )
}

/// The same `data.v` before and after.
fn still(name: &str) -> (Option<String>, String) {
    moved(name, "1", "1")
}

fn moved(name: &str, before: &str, after: &str) -> (Option<String>, String) {
    (Some(config_map(name, &[("v", before)])), config_map(name, &[("v", after)]))
}

fn nothing(_: &Case) {}

/// Applies as another tool does that applies on the server's side, and takes what it needs.
fn apply_as(case: &Case, manager: &str, manifest: &str) {
    let manager = format!("--field-manager={manager}");
    case.run_with(&["apply", "--server-side", "--force-conflicts", &manager], manifest);
}

fn rows() -> Vec<Row> {
    let v = |value: &str| json!({"data": {"v": value}}).to_string();
    vec![
        row("ConfigMap/git", moved("git", "1", "2"), nothing, &[r#"replace /data/v "1" -> "2" (git) driftdeck/Apply"#]),
        row(
            "ConfigMap/edited",
            still("edited"),
            move |case| case.edit("configmap/edited", &v("9")),
            &[r#"replace /data/v "9" -> "1" (drift) kubectl-edit/Update; owned by kubectl-edit/Update"#],
        ),
        row(
            "ConfigMap/both",
            moved("both", "1", "2"),
            move |case| case.edit("configmap/both", &v("9")),
            &[r#"replace /data/v "9" -> "2" (both) kubectl-edit/Update; owned by kubectl-edit/Update"#],
        ),
        row(
            "ConfigMap/agreed",
            moved("agreed", "1", "2"),
            // Somebody did by hand what Git says now: there is nothing to do.
            move |case| case.edit("configmap/agreed", &v("2")),
            &[],
        ),
        row(
            "ConfigMap/keys",
            (
                Some(config_map("keys", &[("deleted", "1"), ("dropped", "1"), ("v", "1")])),
                config_map("keys", &[("added", "1"), ("deleted", "1"), ("v", "1")]),
            ),
            |case| case.edit("configmap/keys", r#"{"data": {"deleted": null}}"#),
            &[
                r#"add /data/added null -> "1" (git)"#,
                r#"add /data/deleted null -> "1" (drift)"#,
                r#"remove /data/dropped "1" -> null (git) driftdeck/Apply"#,
            ],
        ),
        row(
            "ConfigMap/found",
            (None, config_map("found", &[("same", "1"), ("v", "2")])),
            |case| drop(case.run(&["create", "configmap", "found", "--from-literal=v=1", "--from-literal=same=1"])),
            &[
                r#"replace /data/v "1" -> "2" (unknown) kubectl-create/Update; owned by kubectl-create/Update"#,
                r#"add /metadata/labels null -> {"applyset.kubernetes.io/part-of":"SET"} (unknown)"#,
            ],
        ),
        row(
            "ConfigMap/kubectl-git",
            (None, config_map("kubectl-git", &[("v", "2")])),
            |case| drop(case.run_with(&["apply"], &config_map("kubectl-git", &[("v", "1")]))),
            &[
                r#"replace /data/v "1" -> "2" (git) kubectl-client-side-apply/Update; owned by kubectl-client-side-apply/Update"#,
                r#"add /metadata/labels null -> {"applyset.kubernetes.io/part-of":"SET"} (git)"#,
            ],
        ),
        row(
            "ConfigMap/kubectl-drift",
            (None, config_map("kubectl-drift", &[("v", "1")])),
            |case| {
                case.run_with(&["apply"], &config_map("kubectl-drift", &[("v", "1")]));
                case.edit("configmap/kubectl-drift", r#"{"data": {"v": "9"}}"#);
            },
            &[
                r#"replace /data/v "9" -> "1" (drift) kubectl-edit/Update; owned by kubectl-edit/Update"#,
                r#"add /metadata/labels null -> {"applyset.kubernetes.io/part-of":"SET"} (git)"#,
            ],
        ),
        row(
            "ConfigMap/kubectl-over",
            still("kubectl-over"),
            |case| drop(case.run_with(&["apply"], &config_map("kubectl-over", &[("v", "7")]))),
            &[
                r#"replace /data/v "7" -> "1" (drift) kubectl-client-side-apply/Update; owned by kubectl-client-side-apply/Update"#,
            ],
        ),
        row(
            "ConfigMap/argo",
            still("argo"),
            |case| apply_as(case, "argocd-controller", &config_map("argo", &[("v", "7")])),
            &[r#"replace /data/v "7" -> "1" (drift) argocd-controller/Apply; owned by argocd-controller/Apply"#],
        ),
        row(
            "ConfigMap/flux",
            moved("flux", "1", "2"),
            |case| apply_as(case, "kustomize-controller", &config_map("flux", &[("v", "7")])),
            &[r#"replace /data/v "7" -> "2" (both) kustomize-controller/Apply; owned by kustomize-controller/Apply"#],
        ),
        row(
            "Secret/git",
            (Some(secret("git", "one")), secret("git", "two")),
            nothing,
            &[r#"replace /data/p {"masked":"changed"} -> {"masked":"changed"} (git) driftdeck/Apply"#],
        ),
        row(
            "Secret/live",
            (Some(secret("live", "one")), secret("live", "one")),
            |case| case.edit("secret/live", r#"{"stringData": {"p": "nine"}}"#),
            &[
                r#"replace /data/p {"masked":"changed"} -> {"masked":"changed"} (drift) kubectl-edit/Update; owned by kubectl-edit/Update"#,
            ],
        ),
        row(
            "Secret/both",
            (Some(secret("both", "one")), secret("both", "two")),
            |case| case.edit("secret/both", r#"{"stringData": {"p": "nine"}}"#),
            &[
                r#"replace /data/p {"masked":"changed"} -> {"masked":"changed"} (both) kubectl-edit/Update; owned by kubectl-edit/Update"#,
            ],
        ),
        row(
            "Secret/kubectl",
            (None, secret("kubectl", "two")),
            |case| drop(case.run_with(&["apply"], &secret("kubectl", "one"))),
            &[
                r#"replace /data/p {"masked":"changed"} -> {"masked":"changed"} (git) kubectl-client-side-apply/Update; owned by kubectl-client-side-apply/Update"#,
                r#"add /metadata/labels null -> {"applyset.kubernetes.io/part-of":"SET"} (git)"#,
            ],
        ),
        row(
            "Deployment/autoscaled",
            (Some(deployment("autoscaled", None)), deployment("autoscaled", None)),
            |case| scale_as(case, "kube-controller-manager", "autoscaled"),
            &[],
        ),
        // Nobody's either, though it was by hand: see below.
        row(
            "Deployment/scaled-freely",
            (Some(deployment("scaled-freely", None)), deployment("scaled-freely", None)),
            |case| drop(case.run(&["scale", "deployment/scaled-freely", "--replicas=5"])),
            &[],
        ),
        row(
            "Deployment/scaled",
            (Some(deployment("scaled", Some(3))), deployment("scaled", Some(3))),
            |case| drop(case.run(&["scale", "deployment/scaled", "--replicas=5"])),
            &["replace /spec/replicas 5 -> 3 (drift) kubectl/Update/scale; owned by kubectl/Update/scale"],
        ),
        // What was ours goes back to its default.
        row(
            "Deployment/dropped",
            (Some(deployment("dropped", Some(3))), deployment("dropped", None)),
            nothing,
            &["replace /spec/replicas 3 -> 1 (git) driftdeck/Apply"],
        ),
        // Nobody moved a default that Git sets now, and what goes with a change is its author's.
        row(
            "Deployment/undefaulted",
            (Some(deployment("undefaulted", None)), deployment("undefaulted", Some(2))),
            nothing,
            &["replace /spec/replicas 1 -> 2 (git)"],
        ),
        row(
            "Deployment/autoscaled-before",
            (Some(deployment("autoscaled-before", None)), deployment("autoscaled-before", Some(2))),
            |case| scale_as(case, "kube-controller-manager", "autoscaled-before"),
            // The API server notes nobody where nobody had the field that is scaled.
            &["replace /spec/replicas 5 -> 2 (both)"],
        ),
        row(
            "Service/typed",
            (Some(service("typed", "ClusterIP", 0)), service("typed", "NodePort", 0)),
            nothing,
            &[
                r#"add /spec/externalTrafficPolicy null -> "Cluster" (git)"#,
                r#"replace /spec/type "ClusterIP" -> "NodePort" (git) driftdeck/Apply"#,
            ],
        ),
        row(
            "Service/untyped",
            (Some(service("untyped", "NodePort", 0)), service("untyped", "NodePort", 0)),
            |case| case.edit("service/untyped", r#"{"spec": {"type": "ClusterIP"}}"#),
            &[
                r#"add /spec/externalTrafficPolicy null -> "Cluster" (drift)"#,
                r#"replace /spec/type "ClusterIP" -> "NodePort" (drift) kubectl-edit/Update; owned by kubectl-edit/Update"#,
            ],
        ),
        row(
            "PodTemplate/respelled",
            (Some(pod_template("respelled", "0.1", "")), pod_template("respelled", "100m", "")),
            nothing,
            &[],
        ),
    ]
}

/// Writes through the subresource as the autoscaler does.
fn scale_as(case: &Case, manager: &str, name: &str) {
    let (object, manager) = (format!("deployment/{name}"), format!("--field-manager={manager}"));
    let patch = ["--subresource=scale", "--type=merge", "--patch", r#"{"spec": {"replicas": 5}}"#];
    case.run(&[&["patch", &object, &manager], &patch[..]].concat());
}

/// Looks at the same cluster as another user.
fn as_user(case: &Case, user: &str) -> World {
    let (mut world, kubectl) = (World::new(), case.kubectl.as_user(user));
    world.repository_at("platform", &case.repository.url());
    world.cluster(Cluster::new("test", &kubectl));
    world.application(support::Application::new("shop", "apps/shop", case.namespace()));
    world
}

#[test]
fn every_change_says_who_moved_what() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "origins", "");
    let rows = rows();
    let file = |row: &Row| format!("{}.yaml", row.object.replace('/', "-"));
    let files = |of: &dyn Fn(&Row) -> Option<String>| -> Vec<(String, String)> {
        rows.iter().filter_map(|row| Some((file(row), of(row)?))).collect()
    };
    let commit = |files: &[(String, String)]| {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        case.commit(&files)
    };
    commit(&files(&|row| row.before.clone()));
    case.sync();
    commit(&files(&|row| Some(row.after.clone())));
    for row in &rows {
        (row.live)(&case);
    }

    let comparison = case.diff(2);
    assert_eq!(comparison["state"], "OutOfSync");
    for row in &rows {
        let object = object(&comparison, row.object);
        assert_eq!(said(object), row.expected, "{}: {object:#}", row.object);
        let state = if row.expected.is_empty() { "Synced" } else { "Changed" };
        assert_eq!(object["state"], state, "{object:#}");
        assert_eq!(object["extras"], json!([]), "{object:#}");
        for change in object["changes"].as_array().expect("a list") {
            // Whoever wrote a field did it a moment ago; what is not there was written by nobody.
            let time = change["time"].as_str().map(|time| time.parse::<jiff::Timestamp>().expect("RFC 3339"));
            let age = time.map(|time| jiff::Timestamp::now().duration_since(time).as_secs());
            // The API server notes no time for writes through the scale subresource, and no owner of a default.
            let timeless = change["op"] == "add" || change["subresource"] == "scale" || change["manager"].is_null();
            assert_eq!(age.is_none(), timeless, "{change:#}");
            assert!(age.is_none_or(|age| (-5..600).contains(&age)), "{change:#}");
            assert_eq!(change["commit"], Value::Null);
            let id = format!("/{}/{}#", case.namespace(), row.object.split('/').next_back().unwrap_or_default());
            assert!(change["hunk"].as_str().is_some_and(|hunk| hunk.contains(&id)), "{change:#}");
            assert_eq!(change["masked"], row.object.starts_with("Secret/") && change["path"] == "/data/p");
        }
    }

    // A viewer reads no Secrets: not those of the application, and not what records keep. The base is Git's, and says the same.
    let viewed = as_user(&case, "viewer").driftdeck().json(1, &["diff", "shop"]);
    assert_eq!(viewed["state"], "Unknown");
    for row in &rows {
        let object = object(&viewed, row.object);
        if row.object.starts_with("Secret/") {
            assert_eq!(object["state"], "Unknown", "{object:#}");
            let error = object["error"].as_str().expect("a reason");
            for word in ["cannot", "secrets", case.namespace()] {
                assert!(error.contains(word), "no {word} in {error}");
            }
        } else {
            assert_eq!(said(object), row.expected, "a viewer, {}: {object:#}", row.object);
        }
    }

    // What others own is taken by an approval that showed it, and not before.
    let plan = case.plan(&[]);
    let argo = object(&plan, "ConfigMap/argo");
    assert_eq!(
        argo["changes"][0]["conflicts"],
        json!([{"manager": "argocd-controller", "operation": "Apply", "subresource": null}]),
        "{argo:#}"
    );
    assert_eq!(case.field("configmap/argo", "/data/v"), "7");
    let sync = case.approve(0, plan["digest"].as_str().expect("a digest"), &[]);
    assert_eq!(sync["outcome"], "Succeeded", "{sync:#}");
    assert_eq!(case.field("configmap/argo", "/data/v"), "1");
    assert_eq!(case.field("deployment/dropped", "/spec/replicas"), 1);
    assert_eq!(case.field("deployment/autoscaled", "/spec/replicas"), 5);
    let comparison = case.diff(0);
    assert_eq!(comparison["state"], "Synced", "{comparison:#}");
}

#[test]
fn one_value_in_two_spellings_is_no_drift() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "spelling", "");
    case.commit(&[("template.yaml", &pod_template("api", "\"0.1\"", ""))]);
    case.sync();
    // Another owner of the same value, in the spelling that the server stores.
    let theirs = "apiVersion: v1\nkind: PodTemplate\nmetadata:\n  name: api\ntemplate:\n  spec:\n    containers:\n    - name: app\n      resources:\n        limits:\n          cpu: 100m\n";
    let manager = "--field-manager=tuner";
    case.run_with(&["apply", "--server-side", manager], theirs);

    let comparison = case.diff(0);
    assert_eq!(comparison["state"], "Synced", "{comparison:#}");
    let object = object(&comparison, "PodTemplate/api");
    assert_eq!((&object["state"], &object["action"]), (&json!("Synced"), &json!("none")), "{object:#}");
    let path = "/template/spec/containers/0/resources/limits/cpu";
    let expected = format!(r#"replace {path} "100m" -> "0.1" (drift) tuner/Apply; owned by tuner/Apply; same value"#);
    assert_eq!(said(object), [expected.replace("(drift)", "(unknown)")], "{object:#}");
    let message = object["message"].as_str().expect("a message");
    for word in ["cpu", "same value", "100m", "tuner"] {
        assert!(message.contains(word), "no {word} in {message}");
    }
    case.driftdeck().run(&["plan", "shop"]).expect(0);
    // Written as it says, there is nothing left to be said.
    case.commit(&[("template.yaml", &pod_template("api", "100m", ""))]);
    let comparison = case.diff(0);
    assert_eq!(said(support::object(&comparison, "PodTemplate/api")), [""; 0], "{comparison:#}");
}

/// Two ConfigMaps, `a` and `b`, with one value.
fn two(a: &str, b: &str) -> [(&'static str, String); 2] {
    [("a.yaml", config_map("a", &[("v", a)])), ("b.yaml", config_map("b", &[("v", b)]))]
}

fn commit_two(case: &Case, a: &str, b: &str) -> String {
    let files = two(a, b);
    case.commit(&[(files[0].0, &files[0].1), (files[1].0, &files[1].1)])
}

#[test]
fn after_a_partial_sync_each_object_is_compared_with_what_was_applied_of_it() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "partial", "");
    commit_two(&case, "1", "1");
    case.sync();
    commit_two(&case, "2", "2");
    let skipped = format!("ConfigMap/{}/b", case.namespace());
    let choices = ["--skip", skipped.as_str()];
    let plan = case.plan(&choices);
    case.approve(0, plan["digest"].as_str().expect("a digest"), &choices);

    let comparison = case.diff(2);
    assert_eq!((&comparison["state"], &comparison["partial"]), (&json!("OutOfSync"), &json!(true)), "{comparison:#}");
    assert_eq!(said(object(&comparison, "ConfigMap/a")), [""; 0]);
    assert_eq!(said(object(&comparison, "ConfigMap/b")), [r#"replace /data/v "1" -> "2" (git) driftdeck/Apply"#]);
    // Each is at the cluster's hands; only of the one that was left out did Git move too.
    case.edit("configmap/a", r#"{"data": {"v": "9"}}"#);
    case.edit("configmap/b", r#"{"data": {"v": "9"}}"#);
    let comparison = case.diff(2);
    let by = "kubectl-edit/Update; owned by kubectl-edit/Update";
    assert_eq!(said(object(&comparison, "ConfigMap/a")), [format!(r#"replace /data/v "9" -> "2" (drift) {by}"#)]);
    assert_eq!(said(object(&comparison, "ConfigMap/b")), [format!(r#"replace /data/v "9" -> "2" (both) {by}"#)]);
    case.sync();
    let comparison = case.diff(0);
    assert_eq!((&comparison["state"], &comparison["partial"]), (&json!("Synced"), &json!(false)), "{comparison:#}");
}

fn service(name: &str, kind: &str, wave: u32) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    argocd.argoproj.io/sync-wave: \"{wave}\"\nspec:\n  type: {kind}\n  selector:\n    app: api\n  ports:\n  - port: 80\n"
    )
}

#[test]
fn after_a_failed_sync_each_object_is_compared_with_what_was_applied_of_it() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "failed", "");
    let files = |kind: &str| [("first.yaml", service("first", kind, 0)), ("second.yaml", service("second", kind, 1))];
    let commit = |kind: &str| {
        let [first, second] = files(kind);
        case.commit(&[(first.0, &first.1), (second.0, &second.1)])
    };
    commit("ClusterIP");
    case.sync();
    // Room for one: a dry-run of each finds it, the second write does not.
    case.run(&["create", "quota", "ports", "--hard=services.nodeports=1"]);
    until("the quota to be in force", support::USUAL, || match case.field("resourcequota/ports", "/status/hard") {
        Value::Null => Err("no status"),
        _ => Ok(()),
    });
    commit("NodePort");
    let report = case.approve(1, &case.digest(), &[]);
    let results: Vec<&Value> = report["steps"].as_array().expect("steps").iter().map(|step| &step["result"]).collect();
    assert_eq!(
        (&report["outcome"], results),
        (&json!("Failed"), vec![&json!("configured"), &json!("failed")]),
        "{report:#}"
    );

    let comparison = case.diff(2);
    assert_eq!(said(object(&comparison, "Service/first")), [""; 0]);
    let said_of = |comparison: &Value, name: &str| said(object(comparison, name)).join("\n");
    let second = said_of(&comparison, "Service/second");
    assert!(second.contains(r#"replace /spec/type "ClusterIP" -> "NodePort" (git) driftdeck/Apply"#), "{second}");
    assert!(!second.contains("(drift)") && !second.contains("(unknown)"), "{second}");
    // The first one's base is what was applied just now, the second one's what was applied before.
    for name in ["first", "second"] {
        case.edit(&format!("service/{name}"), r#"{"spec": {"type": "ExternalName", "externalName": "example.com"}}"#);
    }
    let comparison = case.diff(2);
    for (name, origin) in [("first", "drift"), ("second", "both")] {
        let said = said_of(&comparison, &format!("Service/{name}"));
        let expected = format!(r#"replace /spec/type "ExternalName" -> "NodePort" ({origin}) kubectl-edit/Update"#);
        assert!(said.contains(&expected), "{name}: {said}");
    }
}

/// Writes the record of a sync that left hunks out, as `docs/cluster-state.md` describes it: the newest record's head and payload, with
/// these objects as what was applied.
fn write_record(case: &Case, revision: &str, hunks: &[String], applied: &[(&str, Value)]) {
    let records = case.kubectl.list(case.namespace(), "configmaps", "driftdeck.dev/kind=record");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut head: Value = serde_json::from_str(&text(&records[0]["data"]["record.json"])).expect("JSON");
    let lines: String = applied.iter().map(|(id, body)| format!("{}\n", json!([id, body]))).collect();
    let packed = zstd::bulk::compress(lines.as_bytes(), 3).expect("packed");
    let chunk = |bytes: &[u8]| -> String {
        Sha256::digest([b"shop/".as_slice(), bytes].concat()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (payload, record) =
        (format!("driftdeck-payload-{}", &chunk(&packed)[..40]), "driftdeck-shop-9000000000-0123456789");
    let labels = |kind: &str| json!({"driftdeck.dev/application": "shop", "driftdeck.dev/kind": kind});
    let time = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1)).to_string();
    for field in ["started", "finished"] {
        head[field] = json!(time);
    }
    head["revision"] = json!(revision);
    head["skippedHunks"] = json!(hunks);
    head["payload"] = json!({"chunks": [payload]});
    head["applied"] = applied.iter().map(|(id, _)| ((*id).to_owned(), json!(record))).collect();
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &packed);
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "type": "driftdeck.dev/payload.v1",
            "metadata": {"name": payload, "labels": labels("payload")}, "data": {"chunk": data}},
        {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": record, "labels": labels("record")}, "data": {"record.json": head.to_string()}},
    ]});
    case.run_with(&["create"], &objects.to_string());
}

#[test]
fn after_a_hunk_was_left_out_the_base_is_what_was_applied() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "hunk", "");
    let file = |left: &str, right: &str| config_map("env", &[("left", left), ("right", right)]);
    case.commit(&[("env.yaml", &file("1", "1"))]);
    case.sync();
    let second = case.commit(&[("env.yaml", &file("2", "2"))]);
    // As a sync does that applies the left hunk only: what we own of the right one is carried as it is live.
    let live = case.field("configmap/env", "");
    let id = format!("ConfigMap/{}/env", case.namespace());
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"left": "2", "right": "1"},
        "metadata": {"name": "env", "namespace": case.namespace(), "labels": live["metadata"]["labels"]}});
    case.run_with(&["apply", "--server-side", "--field-manager=driftdeck"], &body.to_string());
    write_record(&case, &second, &[format!("{id}#/data/right")], &[(&id, body)]);

    let comparison = case.diff(2);
    assert_eq!((&comparison["state"], &comparison["partial"]), (&json!("OutOfSync"), &json!(true)), "{comparison:#}");
    assert_eq!(comparison["base"], second);
    assert_eq!(said(object(&comparison, "ConfigMap/env")), [r#"replace /data/right "1" -> "2" (git) driftdeck/Apply"#]);
    case.edit("configmap/env", r#"{"data": {"left": "9", "right": "9"}}"#);
    let by = "kubectl-edit/Update; owned by kubectl-edit/Update";
    assert_eq!(
        said(object(&case.diff(2), "ConfigMap/env")),
        [
            format!(r#"replace /data/left "9" -> "2" (drift) {by}"#),
            format!(r#"replace /data/right "9" -> "2" (both) {by}"#)
        ]
    );
}
