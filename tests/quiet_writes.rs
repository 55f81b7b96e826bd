//! Proves that writes which do not count leave a plan's digest valid: a hundred of them, and the approval of before still applies. One
//! that counts refuses it, with nothing written.

mod support;

use serde_json::{Value, json};
use support::{Case, Proxy, cluster};

const SUITE: &str = "writes that do not count";
const TIMES: u64 = 100;

/// A paused Deployment: its controller makes no Pods, and writes no status of its own while nothing else moves.
fn deployment(replicas: &str, level: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\n  annotations:\n    level: {level}\nspec:\n{replicas}  paused: true\n  selector:\n    matchLabels:\n      app: api\n  template:\n    metadata:\n      labels:\n        app: api\n    spec:\n      containers:\n      - name: app\n        image: registry.example.com/app:1\n"
    )
}

/// An application with something to approve.
struct Waiting {
    case: Case,
    proxy: Proxy,
}

impl Waiting {
    fn new(kubectl: support::Kubectl, purpose: &str, replicas: &str, more: &str) -> Self {
        let proxy = Proxy::start(&kubectl);
        let case = Case::new(kubectl, purpose, more);
        case.commit(&[("api.yaml", &deployment(replicas, "one"))]);
        case.sync();
        case.commit(&[("api.yaml", &deployment(replicas, "two"))]);
        Self { case, proxy }
    }

    fn path(&self, rest: &str) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments/api{rest}", self.case.namespace())
    }

    fn scale(&self, replicas: u64) {
        let path = self.path("/scale?fieldManager=kube-controller-manager");
        let scale = self.proxy.patch(&path, &json!({"spec": {"replicas": replicas}}));
        assert_eq!(scale["spec"]["replicas"], replicas);
    }

    fn write_status(&self, number: u64) {
        let condition = json!([{"type": "Seen", "status": "True", "reason": format!("Time{number}"), "message": ""}]);
        let path = self.path("/status?fieldManager=watcher");
        self.proxy.patch(&path, &json!({"status": {"conditions": condition}}));
    }

    fn level(&self) -> Value {
        self.case.field("deployment/api", "/metadata/annotations/level")
    }

    /// Everything that could have been written.
    fn versions(&self) -> Vec<(String, String)> {
        self.case.kubectl.versions(self.case.namespace(), "configmaps,secrets,deployments")
    }

    /// Approves a digest after it was refused for a change that counts: nothing may have been written.
    fn refuses(&self, digest: &str) {
        self.case.edit("deployment/api", r#"{"spec": {"minReadySeconds": 7}}"#);
        let before = self.versions();
        self.case.driftdeck().run(&["--write", "sync", "shop", "--approve", digest]).expect(3).says(&["changed"]);
        assert_eq!(self.versions(), before, "something was written");
        assert_eq!(self.level(), "one");
    }
}

#[test]
fn a_hundred_status_writes_leave_an_approval_valid() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let waiting = Waiting::new(kubectl, "status", "  replicas: 2\n", "");
    let digest = waiting.case.digest();
    let before = waiting.versions();
    (0..TIMES).for_each(|number| waiting.write_status(number));
    assert_ne!(waiting.versions(), before, "the status writes were none");
    assert_eq!(waiting.case.digest().split('@').next(), digest.split('@').next(), "the digest of the same plan");
    waiting.case.approve(0, &digest, &[]);
    assert_eq!(waiting.level(), "two");
}

#[test]
fn a_hundred_scalings_leave_an_approval_valid_where_git_sets_no_replicas_and_one_change_does_not() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let waiting = Waiting::new(kubectl, "unset", "", "");
    let digest = waiting.case.digest();
    (2..TIMES).for_each(|replicas| waiting.scale(replicas));
    waiting.refuses(&digest);
    let digest = waiting.case.digest();
    (2..=TIMES).for_each(|replicas| waiting.scale(replicas));
    waiting.case.approve(0, &digest, &[]);
    assert_eq!((waiting.level(), waiting.case.field("deployment/api", "/spec/replicas")), (json!("two"), json!(TIMES)));
}

#[test]
fn a_hundred_scalings_leave_an_approval_valid_where_replicas_are_ignored_and_one_change_does_not() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let rule = "[[application.ignore]]\ngroup = \"apps\"\nkind = \"Deployment\"\npaths = [\"/spec/replicas\"]\n";
    // They are ours when the plan is shown, and the autoscaler's when it is approved.
    let waiting = Waiting::new(kubectl, "ignored", "  replicas: 2\n", rule);
    let digest = waiting.case.digest();
    (3..TIMES).for_each(|replicas| waiting.scale(replicas));
    let again = waiting.case.digest();
    assert_eq!(again.split('@').next(), digest.split('@').next(), "the digest of the same plan");
    waiting.refuses(&digest);
    let digest = waiting.case.digest();
    (3..=TIMES).for_each(|replicas| waiting.scale(replicas));
    waiting.case.approve(0, &digest, &[]);
    assert_eq!((waiting.level(), waiting.case.field("deployment/api", "/spec/replicas")), (json!("two"), json!(TIMES)));
}

#[test]
fn a_scaling_moves_the_digest_where_git_sets_the_replicas() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let waiting = Waiting::new(kubectl, "set", "  replicas: 2\n", "");
    let digest = waiting.case.digest();
    waiting.scale(3);
    waiting.case.driftdeck().run(&["--write", "sync", "shop", "--approve", &digest]).expect(3).says(&["changed"]);
}
