//! Proves that an approval is bound to what was shown: after live or Git moved, with another digest, or when it was used
//! before, nothing is written. `kubectl` shows that no resourceVersion changed and no record was made; the counterparts
//! (a move that does not matter) show that the refusals are not for nothing.

mod support;

use serde_json::Value;
use support::{Kubectl, Namespace, Repository, Size, USUAL, World, cluster, shop};

const SUITE: &str = "stale approvals";
/// Everything that driftdeck could have written here. No Deployment: its controller writes by itself.
const KINDS: &str = "configmaps,secrets,services";

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: api-env\ndata:\n  LOG_LEVEL: info\n";

/// An application of a ConfigMap and a Service, synced, then changed in Git: there is something to approve.
struct Case {
    world: World,
    repository: Repository,
    kubectl: Kubectl,
    namespace: Namespace,
}

impl Case {
    fn new(kubectl: Kubectl) -> Self {
        let namespace = kubectl.namespace("stale");
        let (world, repository) = World::with_shop(&kubectl, namespace.name());
        repository.commit("add the shop", &[("apps/shop/env.yaml", CONFIG), ("apps/shop/service.yaml", shop::SERVICE)]);
        let case = Self { world, repository, kubectl, namespace };
        assert_eq!(case.sync(&case.digest()), 0);
        case.set_in_git("debug");
        case
    }

    fn set_in_git(&self, level: &str) {
        self.repository.commit("change the log level", &[("apps/shop/env.yaml", &CONFIG.replace("info", level))]);
    }

    fn set_live(&self, level: &str) {
        let patch = serde_json::json!({"data": {"LOG_LEVEL": level}}).to_string();
        self.patch("configmap/api-env", &patch);
    }

    fn patch(&self, object: &str, patch: &str) {
        let namespace = self.namespace.name();
        self.kubectl.run(&["patch", "--namespace", namespace, object, "--type=merge", "--patch", patch]);
    }

    fn digest(&self) -> String {
        let plan = self.world.driftdeck().json(2, &["plan", "shop"]);
        assert_eq!(plan["approvable"], true, "{plan:#}");
        plan["digest"].as_str().expect("a digest").to_owned()
    }

    fn sync(&self, digest: &str) -> i32 {
        self.world.driftdeck().run(&["--write", "sync", "shop", "--approve", digest]).code
    }

    fn versions(&self) -> Vec<(String, String)> {
        self.kubectl.versions(self.namespace.name(), KINDS)
    }

    fn level(&self) -> Value {
        self.kubectl.field(self.namespace.name(), "configmap/api-env", "/data/LOG_LEVEL")
    }

    /// Approves, and proves that it was refused with these words and that nothing was written.
    fn refused(&self, digest: &str, words: &[&str]) {
        let before = self.versions();
        assert!(before.iter().any(|(name, _)| name == "ConfigMap/api-env"), "{before:?}");
        let driftdeck = self.world.driftdeck();
        let sync = driftdeck.run(&["--write", "sync", "shop", "--approve", digest, "-o", "json"]).expect(3);
        sync.says(words);
        assert_eq!(self.versions(), before, "something was written");
    }
}

#[test]
fn an_approval_is_refused_when_live_moved_after_it_was_shown() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let digest = case.digest();
    case.set_live("trace");
    case.refused(&digest, &["changed"]);
    assert_eq!(case.level(), "trace");
    assert_eq!(case.sync(&case.digest()), 0, "a fresh plan is approved");
    assert_eq!(case.level(), "debug");
}

#[test]
fn an_approval_is_refused_when_git_moved_after_it_was_shown() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let digest = case.digest();
    case.set_in_git("warn");
    case.refused(&digest, &["changed"]);
    assert_eq!(case.level(), "info");
}

#[test]
fn an_approval_is_refused_when_an_object_was_replaced_by_an_equal_one() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let digest = case.digest();
    let namespace = case.namespace.name();
    let text = case.kubectl.run(&[
        "get",
        "--namespace",
        namespace,
        "configmap/api-env",
        "--show-managed-fields",
        "-o",
        "json",
    ]);
    let mut object: Value = serde_json::from_str(&text).expect("JSON");
    case.kubectl.run(&["delete", "--namespace", namespace, "configmap/api-env"]);
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        object["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    case.kubectl.run_with(&["create", "--filename=-"], &object.to_string());
    case.refused(&digest, &["changed"]);
}

#[test]
fn another_digest_is_refused() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let digest = case.digest();
    let (_, issued) = digest.split_once('@').expect("sha256:…@issued");
    case.refused(&format!("sha256:{}@{issued}", "0".repeat(64)), &["changed"]);
    assert_eq!(case.sync(&digest), 0, "the digest that was shown is approved");
}

#[test]
fn an_expired_approval_is_refused() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let digest = case.digest();
    let (hash, _) = digest.split_once('@').expect("sha256:…@issued");
    case.refused(&format!("{hash}@2024-01-01T00:00:00Z"), &["expired"]);
}

#[test]
fn an_approval_works_once_even_when_the_same_difference_comes_back() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    assert_eq!(case.sync(&case.digest()), 0);
    case.set_live("trace");
    let digest = case.digest();
    assert_eq!(case.sync(&digest), 0);
    assert_eq!(case.level(), "debug");
    case.set_live("trace");
    case.refused(&digest, &[]);
    assert_eq!(case.level(), "trace");
}

#[test]
fn a_commit_elsewhere_in_the_repository_leaves_an_approval_valid() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let digest = case.digest();
    case.repository.commit("another team's work", &[("apps/other/env.yaml", CONFIG)]);
    assert_eq!(case.sync(&digest), 0);
    assert_eq!(case.level(), "debug");
}

#[test]
fn a_status_write_leaves_an_approval_valid() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let service = case.kubectl.field(case.namespace.name(), "service/api", "/metadata/resourceVersion");
    let digest = case.digest();
    let status = r#"{"status":{"conditions":[{"type":"Seen","status":"True","reason":"Test","message":"","lastTransitionTime":"2024-01-01T00:00:00Z"}]}}"#;
    let namespace = case.namespace.name();
    let arguments = ["patch", "--namespace", namespace, "service/api", "--subresource=status", "--type=merge"];
    case.kubectl.run(&[&arguments[..], &["--patch", status]].concat());
    let moved = case.kubectl.field(namespace, "service/api", "/metadata/resourceVersion");
    assert_ne!(service, moved, "the status write was none");
    assert_eq!(case.sync(&digest), 0);
    assert_eq!(case.level(), "debug");
}

#[test]
fn the_console_disarms_a_plan_when_live_moves_and_writes_nothing() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let case = Case::new(kubectl);
    let driftdeck = case.world.driftdeck();
    let mut console = driftdeck.console(&["--write"], Size::DESIGN);
    console.wait_for_row(&["shop", "OutOfSync"], USUAL);
    console.press("s");
    console.wait_for_row(&["update 1"], USUAL);
    case.set_live("trace");
    let before = case.versions();
    // Not approved here: the plan that is shown next is a new one, and an `a` would be an approval of that.
    console.wait_until("word that the plan has moved", USUAL, |screen| screen.text().to_lowercase().contains("moved"));
    console.press("<esc>");
    console.wait_for_row(&["shop", "OutOfSync"], USUAL);
    assert_eq!(case.level(), "trace");
    assert_eq!(case.versions(), before, "something was written");
}
