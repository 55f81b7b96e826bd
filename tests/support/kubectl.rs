//! The `kubectl` program against the test cluster, as one user; namespaces that go away with the test.

use serde_json::Value;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

/// The context that may do everything.
pub const ADMIN: &str = "admin";

/// `kubectl` bound to the test cluster and one of its contexts (`admin`, `editor`, `viewer`).
#[derive(Clone)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    context: String,
}

impl Kubectl {
    pub fn new(kubeconfig: PathBuf, context: &str) -> Self {
        Self { kubeconfig, context: context.to_owned() }
    }

    /// The kubeconfig, for driftdeck's configuration.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The context, for driftdeck's configuration.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The same cluster as another user.
    pub fn as_user(&self, context: &str) -> Self {
        Self::new(self.kubeconfig.clone(), context)
    }

    /// Runs `kubectl` and returns whatever came of it.
    pub fn output(&self, arguments: &[&str], input: Option<&str>) -> Output {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--context", &self.context])
            .args(arguments)
            .env_remove("KUBECONFIG")
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl is on the PATH");
        // Written from a thread: kubectl may answer before it has read everything.
        let writer = input.map(|text| {
            let (mut pipe, text) = (child.stdin.take().expect("piped"), text.to_owned());
            std::thread::spawn(move || {
                // A child that stopped reading says why itself.
                let _ = pipe.write_all(text.as_bytes());
            })
        });
        let output = child.wait_with_output().expect("kubectl ends");
        if let Some(writer) = writer {
            writer.join().expect("the writer does not panic");
        }
        output
    }

    /// Runs `kubectl`, fails the test where it fails, and returns its trimmed output.
    pub fn run(&self, arguments: &[&str]) -> String {
        succeed(arguments, &self.output(arguments, None))
    }

    /// As [`Kubectl::run`], with a text on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> String {
        succeed(arguments, &self.output(arguments, Some(input)))
    }

    /// Reads one object; none: it does not exist.
    pub fn get(&self, namespace: &str, object: &str) -> Option<Value> {
        let arguments = ["get", "--namespace", namespace, object, "--ignore-not-found", "--output", "json"];
        let text = self.run(&[&arguments[..], &["--show-managed-fields"]].concat());
        (!text.is_empty()).then(|| serde_json::from_str(&text).expect("kubectl prints JSON"))
    }

    /// Reads one field of an object that must be there; missing fields are null.
    pub fn field(&self, namespace: &str, object: &str, pointer: &str) -> Value {
        let found = self.get(namespace, object).unwrap_or_else(|| panic!("{object} is not in {namespace}"));
        found.pointer(pointer).cloned().unwrap_or_default()
    }

    /// Lists objects of some kinds (`deployments,configmaps`), with a label selector (empty: all).
    pub fn list(&self, namespace: &str, kinds: &str, selector: &str) -> Vec<Value> {
        let text = self.run(&["get", "--namespace", namespace, kinds, "--selector", selector, "--output", "json"]);
        let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Everything that could have been written in a namespace, by driftdeck or anyone: `kind/name` -> resourceVersion. Leases are
    /// left out: taking and freeing one is no write to what an operator sees.
    pub fn versions(&self, namespace: &str, kinds: &str) -> Vec<(String, String)> {
        let mut versions: Vec<_> = self
            .list(namespace, kinds, "")
            .iter()
            .map(|item| {
                let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
                (format!("{}/{}", text("/kind"), text("/metadata/name")), text("/metadata/resourceVersion"))
            })
            .collect();
        versions.sort();
        versions
    }

    /// Makes a namespace of the calling test's own.
    pub fn namespace(&self, purpose: &str) -> Namespace {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dd-{purpose}-{}-{number}", std::process::id());
        self.run(&["create", "namespace", &name]);
        Namespace { name, kubectl: self.clone() }
    }
}

fn succeed(arguments: &[&str], output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        output.status.success(),
        "kubectl {}: {text}\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// A namespace that is deleted when the test ends, well or not.
pub struct Namespace {
    name: String,
    kubectl: Kubectl,
}

impl Namespace {
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Not waited for: the name is never used again.
        self.kubectl.output(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"], None);
    }
}
