//! Proves the main job in the console: the real binary in a PTY, on a real Git repository and a real API server, driven by
//! keys from the first screen to a revert. Every outcome is read back with `kubectl` and `git`.

mod support;

use support::{
    Application, Cluster, Console, Kubectl, Namespace, Repository, SHORT, Screen, Size, USUAL, Wire, World, cluster,
    shop, until,
};

const SUITE: &str = "main job in the console";
const IMAGE: &str = "/spec/template/spec/containers/0/image";
/// What the plan screen says where it can be approved.
const APPROVABLE: &str = "approve and apply";

/// The console at work, and what it works on.
struct Job {
    console: Console,
    repository: Repository,
    kubectl: Kubectl,
    namespace: Namespace,
    // Dropped last: everything above lives in its folder.
    _world: World,
}

impl Job {
    fn start(kubectl: Kubectl, arguments: &[&str], prepare: impl FnOnce(&Repository)) -> Self {
        let namespace = kubectl.namespace("console");
        let (world, repository) = World::with_shop(&kubectl, namespace.name());
        prepare(&repository);
        let console = world.driftdeck().console(arguments, Size::DESIGN);
        Self { console, repository, kubectl, namespace, _world: world }
    }

    /// Waits until the row of the application says this state.
    fn sees(&self, state: &str) -> Screen {
        self.console.wait_for_row(&["shop", &in_list(state)], USUAL)
    }

    /// Opens the plan screen by a key and waits until it shows this and can be approved.
    fn opens_plan(&mut self, key: &str, shown: &str) {
        self.console.press(key);
        self.console.wait_until(&format!("a plan with {shown:?} that can be approved"), USUAL, |screen| {
            screen.contains(APPROVABLE) && screen.contains(shown)
        });
    }

    /// Approves what the plan screen shows, and comes back to the panes when the application is synced.
    fn approves(&mut self) {
        // The key counts only once the plan has been on the screen for a moment.
        self.console.press_until("a", "the approved plan at work", USUAL, |screen| !screen.contains(APPROVABLE));
        self.returns("Synced");
    }

    /// Waits until the cluster holds this many records of syncs that succeeded.
    fn has_records(&self, count: usize) {
        until("the record of the sync", USUAL, || {
            let records = self.records();
            if records == count { Ok(()) } else { Err(format!("{records} records, not {count}")) }
        });
    }

    /// Leaves whatever screen is open until the panes show the application in this state.
    fn returns(&mut self, state: &str) {
        self.console.press_until("<esc>", &format!("the panes, with shop {state}"), USUAL, |screen| {
            screen.row(&["shop", &in_list(state)]).is_some()
                && screen.contains("2 Applications")
                && screen.contains("3 History")
        });
    }

    fn live(&self, pointer: &str) -> serde_json::Value {
        self.kubectl.field(self.namespace.name(), "deployment/api", pointer)
    }

    /// How many records of syncs that succeeded the cluster holds.
    fn records(&self) -> usize {
        self.kubectl
            .list(self.namespace.name(), "configmaps", "driftdeck.dev/application=shop,driftdeck.dev/kind=record")
            .iter()
            .filter(|record| record["data"].to_string().contains("Succeeded"))
            .count()
    }
}

/// What the header says of the link.
fn connected(screen: &Screen) -> bool {
    screen.text().lines().next().is_some_and(|header| header.contains("connected"))
}

/// A state as the list of applications shows it: the activity pane says `Synced -> Drifted`, which is no state.
fn in_list(state: &str) -> String {
    match state {
        "Synced" => "✔ Synced".into(),
        "Drifted" => "! Drifted".into(),
        "OutOfSync" => "~ OutOfSync".into(),
        other => other.into(),
    }
}

#[test]
fn the_main_job_from_missing_to_a_revert_is_done_by_keys() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut first = String::new();
    let mut job = Job::start(kubectl, &[], |repository| first = shop::commit_first(repository));

    // Start: read-only, nothing applied yet.
    let screen = job.sees("Missing");
    assert!(screen.contains("READ ONLY"), "{}", screen.text());
    for pane in ["1 Repos", "2 Applications", "3 History", "0 Diff", "4 Activity"] {
        assert!(screen.contains(pane), "no pane {pane:?} in\n{}", screen.text());
    }
    job.console.wait_for_row(&["platform", "main", &first[..7]], USUAL);
    job.console.wait_for_row(&[&first[..7], "add the shop"], USUAL);

    // The diff: all three objects are new, the first one is shown; `]` goes on to the next, and stays on the last.
    job.console.press("d+");
    job.console.wait_until("the diff, enlarged", SHORT, |screen| {
        screen.contains("Deployment") && !screen.contains("2 Applications")
    });
    job.console.press_until("]", "the Deployment's image", SHORT, |screen| screen.contains(shop::OLD_IMAGE));
    job.returns("Missing");

    // A plan can be seen, and not approved, before the console is armed.
    job.console.press("s");
    job.console.wait_for_row(&["create 3"], USUAL);
    job.console.wait_for_row(&["approve and apply", ":write arms"], SHORT);
    job.console.press("a");
    job.console.wait_for_row(&["! read-only"], SHORT);
    job.returns("Missing");
    assert!(job.kubectl.get(job.namespace.name(), "deployment/api").is_none(), "a read-only console has written");

    // Arm, plan, approve.
    job.console.press(":");
    job.console.press("write<enter>");
    job.console
        .wait_until("an armed console", SHORT, |screen| screen.contains("WRITE") && !screen.contains("READ ONLY"));
    job.opens_plan("s", "create 3");
    job.approves();
    assert_eq!(job.live(IMAGE), shop::OLD_IMAGE);
    assert_eq!(job.live("/spec/replicas"), 2);
    assert_eq!(job.kubectl.field(job.namespace.name(), "configmap/api-env", "/data/LOG_LEVEL"), "info");
    job.has_records(1);
    job.console.wait_for_row(&["▸", &first[..7]], USUAL);

    // Somebody changes the live object.
    let namespace = job.namespace.name().to_owned();
    let patch = ["--type=merge", "--field-manager=kubectl-edit", "--patch", r#"{"spec":{"replicas":5}}"#];
    job.kubectl.run(&[&["patch", "--namespace", &namespace, "deployment/api"][..], &patch].concat());
    job.sees("Drifted");
    job.console.press("d");
    job.console.wait_for("replicas: 5");
    job.console.wait_for("kubectl-edit");
    job.returns("Drifted");
    job.opens_plan("s", "update 1");
    job.approves();
    assert_eq!(job.live("/spec/replicas"), 2);
    job.has_records(2);

    // Git moves on: fetch, and step to the next commit.
    let bump = shop::commit_bump(&job.repository);
    job.console.press("f");
    job.sees("OutOfSync");
    // The pane cuts long subjects.
    job.console.wait_for_row(&[&bump[..7], "bump api"], USUAL);
    job.opens_plan(".", &bump[..7]);
    job.approves();
    assert_eq!(job.live(IMAGE), shop::NEW_IMAGE);
    job.has_records(3);
    job.console.wait_for_row(&["▸", &bump[..7]], USUAL);

    // Revert it from the history: first the commit and its push, then the plan that follows.
    job.console.press("3");
    job.console.press("t");
    job.console.wait_for("Revert \"bump api to 1.9.0\"");
    let screen = job.console.wait_for_row(&["commit", "to main"], USUAL);
    let row = screen.row(&["commit", "to main"]).unwrap_or_default();
    let shown = row.split_whitespace().skip_while(|word| *word != "commit").nth(1).unwrap_or_default().to_owned();
    assert_eq!(job.repository.server_tip("main"), bump, "a preview has pushed");
    let pushed = format!("pushed {shown} to main");
    job.console.press_until("a", "the revert pushed", USUAL, |screen| screen.contains(&pushed));
    let revert = job.repository.server_tip("main");
    assert!(revert.starts_with(&shown), "the screen showed {shown}, the server has {revert}");
    let tip = job.repository.on_server(&["log", "-1", "--format=%s|%P", "main"]);
    assert_eq!(tip, format!("Revert \"bump api to 1.9.0\"|{bump}"));
    let tree = |commit: &str| job.repository.on_server(&["rev-parse", &format!("{commit}^{{tree}}")]);
    assert_eq!(tree("main"), tree(&first), "the revert does not bring the first tree back");
    assert_eq!(job.live(IMAGE), shop::NEW_IMAGE, "a revert has written to the cluster");
    job.opens_plan("s", &revert[..7]);
    job.console.wait_for_row(&["update 1"], SHORT);
    job.approves();
    assert_eq!(job.live(IMAGE), shop::OLD_IMAGE);
    job.has_records(4);
    job.console.wait_for_row(&["▸", &revert[..7]], USUAL);
    assert_eq!(job.repository.server_tip("main"), revert, "applying has pushed");

    job.console.press("q");
    assert!(job.console.wait_for_end().success());
    let screen = job.console.screen();
    assert!(!screen.is_alternate() && !screen.cursor_is_hidden(), "the terminal was not given back");
}

#[test]
fn a_lost_cluster_keeps_the_last_comparison_and_nothing_can_be_approved_until_it_is_back() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let namespace = kubectl.namespace("console-lost");
    let mut world = World::new();
    let repository = world.repository("platform");
    let (wire, kubeconfig) = Wire::to_cluster(&kubectl, world.folder());
    world.cluster(Cluster::new("test", &Kubectl::new(kubeconfig, kubectl.context())));
    world.application(Application::new("shop", "apps/shop", namespace.name()));
    // No Deployment: nobody has to make it healthy.
    repository.commit("add the settings", &[("apps/shop/env.yaml", shop::ENV)]);
    let console = world.driftdeck().console(&["--write"], Size::DESIGN);
    let mut job = Job { console, repository, kubectl, namespace, _world: world };
    job.sees("Missing");
    job.opens_plan("s", "create 1");
    job.approves();
    let namespace = job.namespace.name().to_owned();
    let patch = ["--type=merge", "--field-manager=kubectl-edit", "--patch", r#"{"data":{"LOG_LEVEL":"trace"}}"#];
    job.kubectl.run(&[&["patch", "--namespace", &namespace, "configmap/api-env"][..], &patch].concat());
    job.sees("Drifted");
    // The answers to this plan's dry-runs are remembered.
    job.opens_plan("s", "server dry-run 1/1");
    job.console.press_until("<esc>", "the panes", SHORT, |screen| !screen.contains("─ Plan #"));

    wire.cut();
    let cut = std::time::Instant::now();
    job.console.wait_until("the loss in the header", USUAL, |screen| !connected(screen));
    assert!(cut.elapsed() < std::time::Duration::from_secs(2), "noticed after {:?}", cut.elapsed());
    job.console.wait_for_row(&["ctx", "lost"], SHORT);
    // What was known stays, through several new looks at it.
    job.console.press("r");
    job.console.press("s");
    job.console.wait_for_row(&["cluster test: no connection since"], USUAL);
    let screen = job.console.screen();
    assert!(screen.contains("server dry-run 0/1") && screen.contains("live not heard of"), "{}", screen.text());
    job.console.press_until("<esc>", "the panes", SHORT, |screen| !screen.contains("─ Plan #"));
    let screen = job.console.screen();
    assert!(screen.row(&["shop", "? Drifted"]).is_some() && screen.contains("drift"), "{}", screen.text());
    assert!(!screen.contains("cannot be read"), "{}", screen.text());

    wire.mend();
    let mended = std::time::Instant::now();
    job.console.wait_until("the link in the header", USUAL, connected);
    job.sees("Drifted");
    assert!(mended.elapsed() < std::time::Duration::from_secs(10), "back after {:?}", mended.elapsed());
    let screen = job.console.screen();
    assert!(!screen.contains("cannot be read"), "{}", screen.text());
    job.opens_plan("s", "update 1");
    job.approves();
    assert_eq!(job.kubectl.field(&namespace, "configmap/api-env", "/data/LOG_LEVEL"), "info");
}

#[test]
fn enter_and_motion_keys_never_approve_a_plan() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut job = Job::start(kubectl, &["--write"], |repository| drop(shop::commit_first(repository)));
    job.sees("Missing");
    job.opens_plan("s", "create 3");
    for key in ["<enter>", "j", "k", "<tab>", " ", "s", "G", "g", "<ctrl-d>"] {
        job.console.press(key);
    }
    job.returns("Missing");
    assert!(job.kubectl.get(job.namespace.name(), "deployment/api").is_none(), "something was written");
    assert_eq!(job.records(), 0);
}

#[test]
fn the_console_follows_the_terminals_size_and_keeps_its_place() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut job = Job::start(kubectl, &[], |repository| drop(shop::commit_first(repository)));
    job.sees("Missing");
    job.console.resize(Size::SMALL);
    job.console.wait_until("the smaller screen", SHORT, |screen| screen.row(&["shop", "Missing"]).is_some());
    job.console.resize(Size { rows: 1, columns: 1 });
    job.console.resize(Size { rows: 14, columns: 50 });
    job.console.wait_until("a plain message", SHORT, |screen| !screen.text().trim().is_empty());
    job.console.resize(Size::DESIGN);
    let screen = job.sees("Missing");
    assert!(screen.contains("0 Diff"), "{}", screen.text());
}

#[test]
fn the_filter_and_the_help_take_keys_and_give_them_back() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut job = Job::start(kubectl, &[], |repository| drop(shop::commit_first(repository)));
    job.sees("Missing");
    job.console.press("2");
    job.console.press("/");
    job.console.press("nothing-like-it<enter>");
    job.console.wait_until("no row of shop", SHORT, |screen| screen.row(&["shop", "Missing"]).is_none());
    job.console.press("<esc>");
    job.sees("Missing");
    job.console.press("?");
    job.console.wait_for("Keys and actions");
    // Letters search; `q` among them does not quit.
    job.console.press("quit");
    job.console.wait_for_row(&["q ctrl-c", "quit", "Leave driftdeck"], SHORT);
    job.returns("Missing");
    job.console.press(":");
    job.console.press("q<enter>");
    assert!(job.console.wait_for_end().success());
}
