//! One application `shop` of one test: its world, its repository, its namespace, and the words for what operators do with it.

use super::{Cluster, Driftdeck, Kubectl, Namespace, Repository, World, world::Application};
use serde_json::Value;

/// An application at `apps/shop` of repository `platform`, deployed into a namespace of its own.
pub struct Case {
    pub world: World,
    pub repository: Repository,
    pub kubectl: Kubectl,
    namespace: Namespace,
}

impl Case {
    /// Makes the application; `more` are further lines of its section.
    pub fn new(kubectl: Kubectl, purpose: &str, more: &str) -> Self {
        let namespace = kubectl.namespace(purpose);
        let mut world = World::new();
        let repository = world.repository("platform");
        world.cluster(Cluster::new("test", &kubectl));
        world.application(Application::new("shop", "apps/shop", namespace.name()).with(more));
        Self { world, repository, kubectl, namespace }
    }

    pub fn namespace(&self) -> &str {
        self.namespace.name()
    }

    pub fn driftdeck(&self) -> Driftdeck {
        self.world.driftdeck()
    }

    /// Commits files of the application's folder, by their names in it.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        let files: Vec<(String, &str)> =
            files.iter().map(|(name, text)| (format!("apps/shop/{name}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        self.repository.commit("change the shop", &files)
    }

    /// What `diff` says, with its exit code.
    #[track_caller]
    pub fn diff(&self, code: i32) -> Value {
        self.driftdeck().json(code, &["diff", "shop"])
    }

    /// A plan that has something to do and can be approved.
    #[track_caller]
    pub fn plan(&self, choices: &[&str]) -> Value {
        let plan = self.driftdeck().json(2, &[&["plan", "shop"], choices].concat());
        assert_eq!(plan["approvable"], true, "{plan:#}");
        plan
    }

    #[track_caller]
    pub fn digest(&self) -> String {
        self.plan(&[])["digest"].as_str().expect("a digest").to_owned()
    }

    /// Approves a digest and returns the report.
    #[track_caller]
    pub fn approve(&self, code: i32, digest: &str, choices: &[&str]) -> Value {
        self.driftdeck().json(code, &[&["--write", "sync", "shop", "--approve", digest], choices].concat())
    }

    /// Plans, and approves exactly that plan.
    #[track_caller]
    pub fn sync(&self) -> Value {
        self.approve(0, &self.digest(), &[])
    }

    /// Runs `kubectl` in the namespace.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        self.kubectl.run(&[&["--namespace", self.namespace()], arguments].concat())
    }

    /// Runs `kubectl` in the namespace with a manifest on its standard input.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str], manifest: &str) -> String {
        let arguments = [&["--namespace", self.namespace()], arguments, &["--filename=-"]].concat();
        self.kubectl.run_with(&arguments, manifest)
    }

    /// Changes an object as `kubectl edit` does: a merge patch under that manager's name.
    #[track_caller]
    pub fn edit(&self, object: &str, patch: &str) {
        self.edit_as("kubectl-edit", object, patch);
    }

    /// Changes an object by a merge patch under a manager's name.
    #[track_caller]
    pub fn edit_as(&self, manager: &str, object: &str, patch: &str) {
        let manager = format!("--field-manager={manager}");
        self.run(&["patch", object, "--type=merge", &manager, "--patch", patch]);
    }

    pub fn field(&self, object: &str, pointer: &str) -> Value {
        self.kubectl.field(self.namespace(), object, pointer)
    }
}

/// The object `Kind/name` of a Comparison.
#[track_caller]
pub fn object<'a>(comparison: &'a Value, name: &str) -> &'a Value {
    let (kind, short) = name.split_once('/').expect("Kind/name");
    let objects = comparison["objects"].as_array().expect("a Comparison has objects");
    let found = objects.iter().find(|object| object["kind"] == kind && object["name"] == short);
    found.unwrap_or_else(|| panic!("no {name} in {comparison:#}"))
}
