//! What a comparison costs, from the sources to the document that the console shows, against a real API server: the first one of a program
//! that was just started (cold), beside the server's own LIST, and one after a commit that changed one file (refresh).
//!
//!     DRIFTDECK_TEST_KUBECONFIG=... cargo bench --bench compare
//!
//! `DRIFTDECK_BENCH_OBJECTS` (`100,1000`) says of how many Deployments of about 4 KB; making them takes a while. Needs kubectl and git.
//! Figures for whole processes, memory and idle costs: `benches/whole_process.sh`.

use divan::Bencher;
use driftdeck::{
    config::{Config, Paths},
    engine::{Comparison, Engine, ObjectState, Options},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};
use tokio::runtime::Runtime;

fn main() {
    if kubeconfig().is_none() {
        eprintln!("skipped: DRIFTDECK_TEST_KUBECONFIG is not set; see tests/control-plane");
        return;
    }
    divan::main();
    *WORLD.lock().expect("no benchmark has failed") = None;
}

fn kubeconfig() -> Option<PathBuf> {
    env::var_os("DRIFTDECK_TEST_KUBECONFIG").map(PathBuf::from)
}

fn sizes() -> Vec<usize> {
    let given = env::var("DRIFTDECK_BENCH_OBJECTS").unwrap_or_else(|_| "100,1000".into());
    given.split(',').map(|size| size.trim().parse().expect("a number of objects")).collect()
}

/// Commits after the first, each of which changes another file.
const COMMITS: usize = 100;

/// The world that is measured now.
static WORLD: Mutex<Option<Arc<World>>> = Mutex::new(None);

/// The objects in a namespace of their own, in Git and on the cluster; deleted at the end.
struct World {
    objects: usize,
    folder: tempfile::TempDir,
    namespace: String,
    runtime: Runtime,
    /// The commits that each change one file of the first.
    commits: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        // The server may be gone already.
        let _ = kubectl().args(["delete", "namespace", &self.namespace, "--wait=false"]).output();
    }
}

fn kubectl() -> Command {
    let mut kubectl = Command::new("kubectl");
    kubectl.env("KUBECONFIG", kubeconfig().expect("it was looked for"));
    kubectl
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it is on the PATH");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"];
    run(Command::new("git").arg("-C").arg(folder).args(identity).args(arguments))
}

fn manifest(index: usize, revision: &str) -> String {
    let env: String = (0..4)
        .map(|n| format!("        - name: SETTING_{n}\n          value: value-{}\n", index * 31 + n * 17))
        .collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{index:05}\n  labels:\n    app.kubernetes.io/name: app-{index:05}\n  \
         annotations:\n    example.com/revision: {revision}\n    checksum/config: \"{:064}\"\nspec:\n  replicas: 0\n  selector:\n    matchLabels:\n      \
         app: app-{index:05}\n  template:\n    metadata:\n      labels:\n        app: app-{index:05}\n    spec:\n      containers:\n      - name: main\n        \
         image: registry.example.com/team/app-{index}:1.0.0\n        env:\n{env}        resources:\n          limits:\n            cpu: 500m\n            \
         memory: 512Mi\n          requests:\n            cpu: 100m\n            memory: 128Mi\n",
        index * 104_729
    )
}

impl World {
    fn new(objects: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let namespace = format!("dd-bench-{}-{objects}", std::process::id());
        let repository = folder.path().join("repository");
        fs::create_dir_all(repository.join("app")).expect("a folder");
        let write = |index: usize, revision: &str| {
            let file = repository.join(format!("app/app-{index:05}.yaml"));
            fs::write(file, manifest(index, revision)).expect("a file");
        };
        (0..objects).for_each(|index| write(index, "first"));
        git(&repository, &["init", "-q", "-b", "main"]);
        git(&repository, &["add", "."]);
        git(&repository, &["commit", "-q", "-m", "first"]);
        run(kubectl().args(["create", "namespace", &namespace]));
        let app = repository.join("app");
        let apply = ["apply", "--server-side", "--field-manager=driftdeck", "-n", &namespace, "-f"];
        run(kubectl().args(apply).arg(&app));
        git(&repository, &["checkout", "-q", "-b", "later"]);
        let commits = (0..COMMITS).map(|number| {
            git(&repository, &["checkout", "-q", "main", "--", "."]);
            write(number % objects, &format!("r{number}"));
            git(&repository, &["commit", "-qam", "one file"]);
            git(&repository, &["rev-parse", "HEAD"]).trim().to_owned()
        });
        let commits = commits.collect();
        git(&repository, &["checkout", "-q", "main"]);
        let config = format!(
            "[[repository]]\nname = \"bench\"\nurl = {repository:?}\nrevision = \"main\"\n[[cluster]]\nname = \"bench\"\nkubeconfig = {:?}\n\
             [[application]]\nname = \"bench\"\nrepository = \"bench\"\npath = \"app\"\ncluster = \"bench\"\nnamespace = \"{namespace}\"\n",
            kubeconfig().expect("it was looked for")
        );
        fs::write(folder.path().join("config.toml"), config).expect("a file");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        Self { objects, folder, namespace, runtime, commits }
    }

    /// The world of a size. One at a time: what is measured is alone on the cluster.
    fn of(objects: usize) -> Arc<Self> {
        let mut world = WORLD.lock().expect("no benchmark has failed");
        match world.as_ref().filter(|world| world.objects == objects) {
            Some(world) => Arc::clone(world),
            None => {
                // The old one is gone before the new one is made.
                *world = None;
                Arc::clone(world.insert(Arc::new(Self::new(objects))))
            }
        }
    }

    fn engine(&self, follow: bool) -> Engine {
        let place = |name: &str| self.folder.path().join(name);
        let config_file = place("config.toml");
        let paths = Paths { config_file, cache: place("cache"), state: place("state"), data: place("data") };
        paths.create().expect("folders");
        let config = Config::load(&paths.config_file).expect("a configuration");
        Engine::start(config, paths, Options { follow, ..Options::default() })
    }
}

fn all_are_there(comparison: &Comparison, objects: usize) {
    assert_eq!(comparison.objects.len(), objects);
    assert_eq!(comparison.count(ObjectState::Missing) + comparison.count(ObjectState::Unknown), 0);
}

/// The server's LIST of the objects as it comes, compressed as the server likes it.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
fn a_server_list(bencher: Bencher<'_, '_>, objects: usize) {
    let world = World::of(objects);
    let client = world.runtime.block_on(async {
        let kubeconfig =
            kube::config::Kubeconfig::read_from(kubeconfig().expect("it was looked for")).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.expect("a context");
        kube::Client::try_from(config).expect("a client")
    });
    let path = format!("/apis/apps/v1/namespaces/{}/deployments?resourceVersion=0", world.namespace);
    bencher.bench_local(|| {
        let request = http::Request::get(&path).body(Vec::new()).expect("a request");
        world.runtime.block_on(client.request_text(request)).expect("a list").len()
    });
}

/// The first comparison of a program that was just started, with a mirror and schemas on disk from an earlier time.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
fn b_cold(bencher: Bencher<'_, '_>, objects: usize) {
    let world = World::of(objects);
    let first = || {
        world.runtime.block_on(async {
            let engine = world.engine(false);
            all_are_there(&engine.compare("bench", None).await.expect("a comparison"), objects);
            engine
        })
    };
    drop(first());
    // Dropping the engine is not measured.
    bencher.bench_local(first);
}

/// A comparison with a commit that changes one file of what was compared before.
#[divan::bench(args = sizes(), sample_count = 50, sample_size = 1)]
fn c_refresh(bencher: Bencher<'_, '_>, objects: usize) {
    let world = World::of(objects);
    let engine = world.runtime.block_on(async {
        let engine = world.engine(true);
        let mut fleet = engine.fleet();
        let compared = fleet.wait_for(|fleet| fleet.application("bench").is_some_and(|view| view.comparison.is_some()));
        drop(compared.await.expect("a comparison"));
        engine
    });
    let mut commits = world.commits.iter().cycle();
    bencher.bench_local(|| {
        let commit = commits.next().expect("there are some");
        let comparison = world.runtime.block_on(engine.compare("bench", Some(commit))).expect("a comparison");
        assert_eq!(comparison.objects.len(), objects);
        comparison
    });
    world.runtime.block_on(engine.shutdown());
}
