//! Proves that bad input of every kind names its place and a remedy, and that everything else goes on working: beside each
//! bad thing stands a good one, which must still be compared, planned and applied.

mod support;

use serde_json::{Value, json};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, time::Instant};
use support::{Application, Cluster, Kubectl, Namespace, Repository, SHORT, Size, USUAL, World, cluster, shop};

const SUITE: &str = "bad input";

/// A world with the application `shop`, whose good part is a ConfigMap, and the bad files of a test.
struct Case {
    world: World,
    repository: Repository,
    kubectl: Kubectl,
    namespace: Namespace,
}

impl Case {
    fn new(kubectl: Kubectl, context: &str, bad: &[(&str, &str)]) -> Self {
        let namespace = kubectl.namespace("bad");
        let (world, repository) = World::with_shop(&kubectl.as_user(context), namespace.name());
        repository.commit("add the shop", &[&[("apps/shop/env.yaml", shop::ENV)], bad].concat());
        Self { world, repository, kubectl, namespace }
    }

    fn comparison(&self) -> Value {
        self.world.driftdeck().run(&["diff", "shop", "-o", "json"]).json()
    }

    /// Syncs whatever can be synced, and wants the good object to be there afterwards.
    fn the_rest_is_applied(&self) {
        self.applied_without(&[]);
    }

    /// As [`Case::the_rest_is_applied`], without the objects that the operator leaves out.
    fn applied_without(&self, skipped: &[&str]) {
        let mut arguments = vec!["--write", "sync", "shop", "--yes", "--confirm", "shop"];
        arguments.extend(skipped.iter().flat_map(|object| ["--skip", *object]));
        let sync = self.world.driftdeck().run(&arguments);
        let live = self.kubectl.get(self.namespace.name(), "configmap/api-env");
        assert!(live.is_some(), "the good object was not applied: {sync:?}");
    }
}

fn object<'a>(comparison: &'a Value, kind: &str, name: &str) -> &'a Value {
    let objects = comparison["objects"].as_array().expect("objects");
    let found = objects.iter().find(|object| object["kind"] == kind && object["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} in {comparison:#}"))
}

/// Wants an issue with this severity, at this place, that says this.
fn issue(comparison: &Value, severity: &str, path: &str, line: Option<u64>, words: &[&str]) {
    let issues = comparison["issues"].as_array().expect("issues");
    let found = issues.iter().any(|issue| {
        let message = issue["message"].as_str().unwrap_or_default();
        issue["severity"] == severity
            && issue["path"] == path
            && line.is_none_or(|line| issue["line"] == line)
            && words.iter().all(|word| message.contains(word))
    });
    assert!(found, "no {severity} at {path}:{line:?} with {words:?} in {issues:#?}");
}

#[test]
fn unreadable_yaml_is_named_with_file_and_line_and_the_rest_is_applied() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let bad = [
        ("apps/shop/tabs.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: tabs\n"),
        ("apps/shop/binary.yaml", "\u{0}\u{1}\u{2}"),
        ("apps/shop/no-kind.yaml", "apiVersion: v1\nmetadata:\n  name: no-kind\n"),
    ];
    let case = Case::new(kubectl, "admin", &bad);
    let comparison = case.comparison();
    issue(&comparison, "error", "apps/shop/tabs.yaml", Some(4), &[]);
    issue(&comparison, "error", "apps/shop/binary.yaml", None, &[]);
    issue(&comparison, "error", "apps/shop/no-kind.yaml", None, &["kind"]);
    assert_eq!(object(&comparison, "ConfigMap", "api-env")["state"], "Missing");
    case.the_rest_is_applied();
}

#[test]
fn an_application_with_an_unreadable_file_never_prunes() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let other = shop::ENV.replace("api-env", "other");
    let case = Case::new(kubectl, "admin", &[("apps/shop/other.yaml", &other)]);
    case.the_rest_is_applied();
    // What could not be read may be what was there before.
    case.repository.commit("break it", &[("apps/shop/other.yaml", "kind: [unclosed\n")]);
    let arguments = ["--write", "sync", "shop", "--yes", "--confirm", "shop"];
    case.world.driftdeck().run(&arguments);
    assert!(case.kubectl.get(case.namespace.name(), "configmap/other").is_some(), "pruned because of a parse error");
}

#[test]
fn an_unknown_kind_is_that_objects_error_alone() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: one\nspec:\n  size: 3\n";
    let case = Case::new(kubectl, "admin", &[("apps/shop/widget.yaml", widget)]);
    let comparison = case.comparison();
    let found = object(&comparison, "Widget", "one");
    assert_eq!(found["state"], "Unknown");
    let error = found["error"].as_str().expect("an error");
    assert!(error.contains("unknown kind") && error.contains("example.com/v1"), "{error}");
    assert_eq!(comparison["state"], "Unknown");
    case.the_rest_is_applied();
}

#[test]
fn a_missing_namespace_is_named_and_other_applications_go_on() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    case.repository.commit("add another", &[("apps/lost/env.yaml", shop::ENV)]);
    let absent = format!("{}-absent", case.namespace.name());
    case.world.application(Application::new("lost", "apps/lost", &absent));
    let plan = case.world.driftdeck().run(&["plan", "lost"]);
    assert_ne!(plan.code, 0);
    plan.says(&[&absent, "not found"]);
    let sync = case.world.driftdeck().run(&["--write", "sync", "lost", "--yes", "--confirm", "lost"]);
    assert_ne!(sync.code, 0);
    assert!(
        case.kubectl.get("", &format!("namespace/{absent}")).is_none(),
        "a namespace was made that nobody approved"
    );
    case.the_rest_is_applied();
}

#[test]
fn a_viewer_sees_what_it_may_and_can_approve_nothing() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: api\nstringData:\n  password: hidden\n";
    let case = Case::new(kubectl, "viewer", &[("apps/shop/secret.yaml", secret)]);
    let namespace = case.namespace.name();
    let comparison = case.comparison();
    assert_eq!(object(&comparison, "ConfigMap", "api-env")["state"], "Missing");
    let denied = object(&comparison, "Secret", "api");
    assert_eq!(denied["state"], "Unknown");
    let error = denied["error"].as_str().expect("an error");
    for said in ["secrets", namespace, "viewer"] {
        assert!(error.contains(said), "no {said:?} in {error}");
    }
    let plan = case.world.driftdeck().run(&["plan", "shop", "-o", "json"]).json();
    assert_eq!(plan["approvable"], false, "{plan:#}");
    assert!(plan["reason"].as_str().is_some_and(|reason| reason.contains("patch")), "{plan:#}");
    let sync = case.world.driftdeck().run(&["--write", "sync", "shop", "--yes"]);
    assert!([1, 3].contains(&sync.code), "{sync:?}");
    assert!(case.kubectl.get(namespace, "configmap/api-env").is_none());
}

#[test]
fn an_editor_applies_what_it_may_and_the_denied_object_names_verb_and_resource() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: driftdeck-test-denied\nrules: []\n";
    let case = Case::new(kubectl, "editor", &[("apps/shop/role.yaml", role)]);
    let comparison = case.comparison();
    let denied = object(&comparison, "ClusterRole", "driftdeck-test-denied");
    assert_eq!(denied["state"], "Unknown");
    let error = denied["error"].as_str().expect("an error");
    for said in ["clusterroles", "editor"] {
        assert!(error.contains(said), "no {said:?} in {error}");
    }
    // Nothing is left out unasked: the refusal names the object and how to leave it out.
    let id = "rbac.authorization.k8s.io/ClusterRole/driftdeck-test-denied";
    let remedy = format!("--skip {id}");
    let plan = case.world.driftdeck().run(&["plan", "shop", "-o", "json"]).json();
    assert_eq!(plan["approvable"], false, "{plan:#}");
    let reason = plan["reason"].as_str().unwrap_or_default();
    assert!(["clusterroles", "editor", &remedy].iter().all(|said| reason.contains(said)), "{reason}");
    let arguments = ["--write", "sync", "shop", "--yes", "--confirm", "shop"];
    case.world.driftdeck().run(&arguments).expect(3).says(&[&remedy]);
    assert!(
        case.kubectl.get(case.namespace.name(), "configmap/api-env").is_none(),
        "half of a refused plan was applied"
    );
    case.applied_without(&[id]);
    assert!(case.kubectl.get("", "clusterrole/driftdeck-test-denied").is_none());
}

#[test]
fn an_object_in_conflict_with_another_manager_in_very_many_fields_can_be_planned_and_taken_over() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    const KEYS: usize = 12_000;
    let big = |value: &str| {
        let data: Value = (0..KEYS).map(|index| (format!("key-{index:05}"), json!(value))).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": data}).to_string()
    };
    let case = Case::new(kubectl, "admin", &[("apps/shop/big.yaml", &big("git"))]);
    let namespace = case.namespace.name();
    // `apply`, which would need another 200 KiB for its annotation, has no room for it.
    let create = ["create", "--namespace", namespace, "--field-manager=hand", "--filename=-"];
    case.kubectl.run_with(&create, &big("hand"));
    let plan = case.world.driftdeck().json(2, &["plan", "shop"]);
    assert_eq!((&plan["approvable"], &plan["reason"]), (&json!(true), &Value::Null));
    let comparison = case.comparison();
    let big = object(&comparison, "ConfigMap", "big");
    let changes = big["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), KEYS + 1, "every key, and the label of the inventory");
    let contested = changes.iter().filter(|change| change["conflicts"][0]["manager"] == "hand").count();
    assert_eq!(contested, KEYS);
    case.the_rest_is_applied();
    assert_eq!(case.kubectl.field(namespace, "configmap/big", "/data/key-11999"), "git");
}

#[test]
fn an_unreachable_cluster_is_told_with_its_address_and_others_go_on() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    let kubeconfig = case.world.folder().join("nowhere.kubeconfig");
    write_kubeconfig(&kubeconfig, "https://127.0.0.1:1", None, json!({"token": "t"}));
    let nowhere = Kubectl::new(kubeconfig, "test");
    case.world.cluster(Cluster::new("nowhere", &nowhere));
    let mut far = Application::new("far", "apps/shop", "far");
    far.cluster = "nowhere".to_owned();
    case.world.application(far);
    let asked = Instant::now();
    let status = case.world.driftdeck().run(&["status", "-o", "json"]).expect(1);
    assert!(asked.elapsed() < SHORT, "status waited {:?} for a cluster that is not there", asked.elapsed());
    let items = status.json()["items"].as_array().cloned().expect("items");
    let state = |name: &str| items.iter().find(|item| item["application"] == name).map(|item| item["state"].clone());
    assert_eq!((state("shop"), state("far")), (Some(json!("Missing")), Some(json!("Unknown"))), "{status:?}");
    case.world.driftdeck().run(&["diff", "far"]).expect(1).says(&["127.0.0.1:1", "cannot be reached"]);
    case.the_rest_is_applied();

    let mut console = case.world.driftdeck().console(&[], Size::DESIGN);
    console.wait_for_row(&["shop", "Synced"], USUAL);
    console.wait_for_row(&["far", "Failed"], USUAL);
    console.press("q");
    assert!(console.wait_for_end().success());
}

#[test]
fn a_server_that_never_answers_is_given_up_with_its_address() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    // The system accepts the connection; nobody reads it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let kubeconfig = case.world.folder().join("silent.kubeconfig");
    write_kubeconfig(&kubeconfig, &format!("https://{address}"), None, json!({"token": "t"}));
    case.world.cluster(Cluster::new("silent", &Kubectl::new(kubeconfig, "test")));
    let mut far = Application::new("far", "apps/shop", "far");
    far.cluster = "silent".to_owned();
    case.world.application(far);
    let asked = Instant::now();
    case.world.driftdeck().run(&["diff", "far"]).expect(1).says(&[&address, "cannot be reached", "no answer"]);
    assert!(asked.elapsed() < 2 * SHORT, "waited {:?} for a server that says nothing", asked.elapsed());
    case.the_rest_is_applied();
}

#[test]
fn refused_credentials_say_log_in_again() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    let view = ["config", "view", "--minify", "--flatten", "--raw", "--output", "json"];
    let config: Value = serde_json::from_str(&case.kubectl.run(&view)).expect("JSON");
    let server = &config["clusters"][0]["cluster"];
    let kubeconfig = case.world.folder().join("expired.kubeconfig");
    let ca = server["certificate-authority-data"].as_str().expect("a CA");
    write_kubeconfig(
        &kubeconfig,
        server["server"].as_str().expect("a URL"),
        Some(ca),
        json!({"token": "long-expired"}),
    );
    case.world.cluster(Cluster::new("expired", &Kubectl::new(kubeconfig, "test")));
    let mut locked = Application::new("locked", "apps/shop", case.namespace.name());
    locked.cluster = "expired".to_owned();
    case.world.application(locked);
    let diff = case.world.driftdeck().run(&["diff", "locked"]).expect(1);
    diff.says(&["credentials", "log in again"]);
    assert!(!diff.stderr.contains("long-expired"), "the token is in the message");
    case.the_rest_is_applied();
}

#[test]
fn an_exec_plugin_that_is_not_on_the_list_is_not_run() {
    let mut world = World::new();
    let repository = world.repository("platform");
    shop::commit_first(&repository);
    let (plugin, trace) = (world.folder().join("cloud-login"), world.folder().join("was-run"));
    fs::write(&plugin, format!("#!/bin/sh\ntouch '{}'\n", trace.display())).expect("plugin");
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).expect("plugin");
    let kubeconfig = world.folder().join("plugin.kubeconfig");
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}});
    write_kubeconfig(&kubeconfig, "https://127.0.0.1:1", None, exec);
    world.cluster(Cluster::new("test", &Kubectl::new(kubeconfig, "test")));
    world.application(Application::new("shop", "apps/shop", "shop"));
    let diff = world.driftdeck().run(&["diff", "shop"]).expect(3);
    diff.says(&["cloud-login", "exec_plugins"]);
    assert!(!trace.exists(), "the plugin was run");
}

#[test]
fn repositories_that_cannot_be_used_say_why_and_others_go_on() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    case.world.repository("empty");
    let absent = case.world.folder().join("absent.git");
    case.world.repository_at("absent", absent.to_str().expect("UTF-8"));
    case.world.repository_at("down", "http://127.0.0.1:1/platform.git");
    let namespace = case.namespace.name().to_owned();
    let wanted = [
        ("empty", "no commits yet", ""),
        ("absent", "no repository there", ""),
        ("down", "cannot be reached", ""),
        ("platform", "no branch, tag or commit", "revision = \"release-7\""),
    ];
    for (repository, _, more) in wanted {
        let mut application = Application::new(&format!("on-{repository}"), "apps/shop", &namespace).with(more);
        application.repository = repository.to_owned();
        case.world.application(application);
    }
    for (repository, words, _) in wanted {
        let name = format!("on-{repository}");
        case.world.driftdeck().run(&["diff", &name]).expect(1).says(&[words]);
    }
    let status = case.world.driftdeck().run(&["status", "-o", "json"]).expect(1).json();
    let items = status["items"].as_array().expect("items");
    assert_eq!(items.len(), 5);
    for item in items {
        let state = if item["application"] == "shop" { "Missing" } else { "Unknown" };
        assert_eq!(item["state"], state, "{item:#}");
    }
    case.the_rest_is_applied();
}

#[test]
fn a_path_that_is_not_in_the_repository_is_named() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    case.world.application(Application::new("typo", "apps/shpo", case.namespace.name()));
    case.world.driftdeck().run(&["diff", "typo"]).expect(1).says(&["apps/shpo"]);
    case.the_rest_is_applied();
}

#[test]
fn one_object_in_two_applications_is_an_error_on_both() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut case = Case::new(kubectl, "admin", &[]);
    let free = shop::ENV.replace("api-env", "free");
    case.repository.commit("add another", &[("apps/twin/env.yaml", shop::ENV), ("apps/twin/free.yaml", &free)]);
    case.world.application(Application::new("twin", "apps/twin", case.namespace.name()));
    for (name, other) in [("shop", "twin"), ("twin", "shop")] {
        let comparison = case.world.driftdeck().run(&["diff", name, "-o", "json"]).json();
        let error = object(&comparison, "ConfigMap", "api-env")["error"].as_str().map(str::to_owned);
        assert!(error.as_ref().is_some_and(|error| error.contains(other)), "{name}: {error:?} does not name {other}");
    }
    case.world.driftdeck().run(&["--write", "sync", "twin", "--yes", "--confirm", "twin"]);
    let namespace = case.namespace.name();
    assert!(case.kubectl.get(namespace, "configmap/api-env").is_none(), "an object with two owners was applied");
}

#[test]
fn one_object_twice_in_an_application_is_an_error_that_names_both_places() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl, "admin", &[("apps/shop/again.yaml", shop::ENV)]);
    let diff = case.world.driftdeck().run(&["diff", "shop"]);
    assert_eq!(diff.code, 1, "{diff:?}");
    diff.says(&["apps/shop/again.yaml", "apps/shop/env.yaml"]);
}

#[test]
fn every_error_of_the_configuration_is_told_at_once_with_its_place() {
    let world = World::new();
    let text = "[[repository]]\nname = \"platform\"\nurll = \"/srv/platform.git\"\n\n[[application]]\nname = \"shop\"\nrepository = \"platfrom\"\npath = 7\ncluster = \"test\"\n";
    fs::write(world.config_file(), text).expect("configuration");
    let check = world.driftdeck().run(&["check"]).expect(1);
    let file = world.config_file().display().to_string();
    check.says(&[&format!("{file}:3:1"), "urll", "url", &format!("{file}:7:"), "platfrom", &format!("{file}:8:")]);
}

#[test]
fn a_usage_error_is_always_64() {
    let world = World::new();
    for arguments in [&["nonsense"][..], &["plan"], &["sync", "shop"], &["diff", "shop", "-o", "xml"]] {
        assert_eq!(world.driftdeck().run(arguments).code, 64, "{arguments:?}");
    }
}

#[test]
fn text_from_outside_reaches_the_terminal_without_its_controls() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let hostile = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hostile\ndata:\n  title: \"\\e]0;owned\\a\\e[2J\\u202Ereversed\"\n";
    let case = Case::new(kubectl, "admin", &[("apps/shop/hostile.yaml", hostile)]);
    case.repository
        .commit("a title \u{1b}]0;owned\u{7} with controls \u{202e}", &[("apps/shop/more.yaml", "# nothing\n")]);
    for arguments in [&["diff", "shop"][..], &["history", "shop"], &["show", "shop", "main~1"]] {
        let output = case.world.driftdeck().run(arguments);
        let bad = |c: char| c == '\u{202e}' || (c.is_control() && !['\n', '\t'].contains(&c));
        assert!(!output.stdout.contains(bad) && !output.stderr.contains(bad), "{arguments:?}: {output:?}");
    }
    let mut console = case.world.driftdeck().console(&[], Size::DESIGN);
    console.wait_for_row(&["shop", "Missing"], USUAL);
    console.press("d");
    console.wait_until("the first object", SHORT, |screen| screen.contains("LOG_LEVEL"));
    console.press("]");
    let screen = console.wait_until("the hostile value", SHORT, |screen| screen.contains("owned"));
    assert!(!screen.contains("\u{202e}"), "{}", screen.text());
}

#[test]
fn without_a_configuration_the_remedy_is_told() {
    let world = World::new();
    world.driftdeck().run(&["status"]).expect(1).says(&["driftdeck init"]);
}

/// Writes a kubeconfig with one context `test`; JSON is YAML.
fn write_kubeconfig(path: &Path, server: &str, ca: Option<&str>, user: Value) {
    let mut cluster = json!({"server": server});
    match ca {
        Some(ca) => cluster["certificate-authority-data"] = json!(ca),
        None => cluster["insecure-skip-tls-verify"] = json!(true),
    }
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    fs::write(path, config.to_string()).expect("kubeconfig");
}
