//! A namespace on the real API server for one test of the cluster module, and what every such test needs.

use driftdeck::{
    cluster::{ApplyRequest, Resource, Session, Target},
    object::{GroupKind, ObjectId},
};
use serde_json::{Value, json};
use std::{
    future::Future,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A namespace on the real server, deleted at the end.
pub struct World {
    pub kubeconfig: PathBuf,
    pub namespace: String,
}

impl World {
    /// Makes the namespace; none, with a line that says so, where there is no server to test against.
    pub fn new(name: &str) -> Option<Self> {
        let Some(kubeconfig) = std::env::var_os("DRIFTDECK_TEST_KUBECONFIG") else {
            eprintln!("skipped: 1 test against a real API server: {name} (DRIFTDECK_TEST_KUBECONFIG is not set)");
            return None;
        };
        let world = Self { kubeconfig: kubeconfig.into(), namespace: format!("dd-{name}-{}", std::process::id()) };
        world.kubectl(&["create", "namespace", &world.namespace]);
        Some(world)
    }
    pub async fn session(&self, context: &str) -> Session {
        Session::connect(&self.target(context)).await.unwrap()
    }
    pub fn target(&self, context: &str) -> Target {
        Target { kubeconfig: Some(self.kubeconfig.clone()), context: Some(context.into()), ..Target::default() }
    }
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--context", "admin"]).args(arguments);
        command
    }
    /// Runs kubectl as admin and returns what it prints.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("kubectl runs");
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
    pub fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&[
            "-n",
            &self.namespace,
            "get",
            kind,
            name,
            "-o",
            "json",
            "--show-managed-fields",
        ]))
        .unwrap()
    }
    pub fn id(&self, group: &str, kind: &str, name: &str) -> ObjectId {
        ObjectId { group: group.into(), kind: kind.into(), namespace: Some(self.namespace.clone()), name: name.into() }
    }
    pub fn config_map(&self, name: &str, data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.namespace}, "data": data})
    }
    pub fn apply(&self, session: &Session, body: Value) -> ApplyRequest {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (group, _) = driftdeck::object::split_api_version(body["apiVersion"].as_str().unwrap());
        let id = self.id(group, &text("/kind"), &text("/metadata/name"));
        ApplyRequest {
            resource: resource(session, group, &id.kind),
            id,
            body,
            force: false,
            dry_run: false,
            deadline: DEADLINE,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self
            .command(&["delete", "namespace", &self.namespace, "--wait=false"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

pub fn resource(session: &Session, group: &str, kind: &str) -> Resource {
    session.catalog().preferred(&GroupKind { group: group.into(), kind: kind.into() }).unwrap().clone()
}

/// Waits until `look` gives something, and fails after ten seconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
