//! One test's world: a home folder, repositories and a configuration, all below one temporary folder.

use super::{Driftdeck, Kubectl, Repository};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A `[[cluster]]` of the configuration.
pub struct Cluster {
    pub name: String,
    pub kubeconfig: PathBuf,
    pub context: String,
    /// Further lines of its section, e.g. `production = true`.
    pub more: String,
}

impl Cluster {
    pub fn new(name: &str, kubectl: &Kubectl) -> Self {
        let (kubeconfig, context) = (kubectl.kubeconfig().to_owned(), kubectl.context().to_owned());
        Self { name: name.to_owned(), kubeconfig, context, more: String::new() }
    }
}

/// An `[[application]]` of the configuration.
pub struct Application {
    pub name: String,
    pub repository: String,
    pub path: String,
    pub cluster: String,
    pub namespace: String,
    /// Further lines of its section, e.g. `renderer = "yaml"`.
    pub more: String,
}

impl Application {
    /// An application of repository `platform` on cluster `test`, the names that most tests use.
    pub fn new(name: &str, path: &str, namespace: &str) -> Self {
        Self {
            name: name.to_owned(),
            repository: "platform".to_owned(),
            path: path.to_owned(),
            cluster: "test".to_owned(),
            namespace: namespace.to_owned(),
            more: String::new(),
        }
    }

    /// Adds lines to its section.
    pub fn with(mut self, more: &str) -> Self {
        self.more = more.to_owned();
        self
    }
}

/// Home, repositories and configuration of one test.
pub struct World {
    folder: TempDir,
    repositories: Vec<(String, String)>,
    clusters: Vec<Cluster>,
    applications: Vec<Application>,
}

impl World {
    /// Makes an empty world, with a Git identity in its home.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("driftdeck-test-").tempdir().expect("temporary folder");
        let world = Self { folder, repositories: Vec::new(), clusters: Vec::new(), applications: Vec::new() };
        fs::create_dir_all(world.home()).expect("home");
        let identity = "[user]\n\tname = Olga Operator\n\temail = olga@example.com\n[init]\n\tdefaultBranch = main\n";
        fs::write(world.home().join(".gitconfig"), identity).expect("Git configuration");
        world
    }

    /// The usual world: repository `platform`, cluster `test` as `kubectl`'s user, one application `shop` at `apps/shop`.
    pub fn with_shop(kubectl: &Kubectl, namespace: &str) -> (Self, Repository) {
        let mut world = Self::new();
        let repository = world.repository("platform");
        world.cluster(Cluster::new("test", kubectl));
        world.application(Application::new("shop", "apps/shop", namespace));
        (world, repository)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder().join("config.toml")
    }

    /// Makes a repository and puts it into the configuration.
    pub fn repository(&mut self, name: &str) -> Repository {
        let repository = Repository::new(self.folder(), &self.home(), name);
        self.repository_at(name, &repository.url());
        repository
    }

    /// Puts a repository into the configuration that is made elsewhere, or nowhere.
    pub fn repository_at(&mut self, name: &str, url: &str) {
        self.repositories.push((name.to_owned(), url.to_owned()));
        self.write_config();
    }

    pub fn cluster(&mut self, cluster: Cluster) {
        self.clusters.push(cluster);
        self.write_config();
    }

    pub fn application(&mut self, application: Application) {
        self.applications.push(application);
        self.write_config();
    }

    /// The program, in this world.
    pub fn driftdeck(&self) -> Driftdeck {
        Driftdeck::new(&self.home(), &self.config_file())
    }

    fn write_config(&self) {
        let mut text = String::new();
        // Basic strings of TOML and JSON strings agree on everything that paths and names hold.
        let quoted = |text: &str| serde_json::to_string(text).expect("strings are JSON");
        for (name, url) in &self.repositories {
            let _ =
                writeln!(text, "[[repository]]\nname = {}\nurl = {}\npoll = \"never\"\n", quoted(name), quoted(url));
        }
        for cluster in &self.clusters {
            let kubeconfig = cluster.kubeconfig.to_str().expect("paths are UTF-8");
            let _ = writeln!(
                text,
                "[[cluster]]\nname = {}\nkubeconfig = {}\ncontext = {}\n{}\n",
                quoted(&cluster.name),
                quoted(kubeconfig),
                quoted(&cluster.context),
                cluster.more
            );
        }
        for application in &self.applications {
            let _ = writeln!(
                text,
                "[[application]]\nname = {}\nrepository = {}\npath = {}\ncluster = {}\nnamespace = {}\n{}\n",
                quoted(&application.name),
                quoted(&application.repository),
                quoted(if application.path.is_empty() { "." } else { &application.path }),
                quoted(&application.cluster),
                quoted(&application.namespace),
                application.more
            );
        }
        fs::write(self.config_file(), text).expect("configuration");
    }
}
