//! Proves the surface of the command line with the real program: what is not understood or not there yet is refused with
//! 64 and never ignored, refusals and errors have their exit codes before a server is asked, and help, completions and
//! manual page are there.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const CONFIG: &str = r#"
[[repository]]
name = "platform"
url = "/nowhere/platform"

[[cluster]]
name = "dev"
kubeconfig = "/nowhere/kubeconfig"

[[cluster]]
name = "prod"
kubeconfig = "/nowhere/kubeconfig"
production = true
write = true

[[application]]
name = "shop"
repository = "platform"
path = "apps/shop"
cluster = "dev"
namespace = "shop"

[[application]]
name = "payments"
repository = "platform"
path = "apps/payments"
cluster = "prod"
namespace = "payments"
"#;

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A home of its own, so that nothing of the user's is read or written.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn with_config(text: &str) -> Self {
        let home = Self::new();
        fs::create_dir_all(home.config().parent().expect("a folder")).expect("the configuration folder");
        fs::write(home.config(), text).expect("the configuration");
        home
    }

    fn config(&self) -> PathBuf {
        self.path(".config/driftdeck/config.toml")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftdeck"));
        command.args(arguments).env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs, and checks the exit code; returns standard output and standard error.
    fn expect(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        (out, err)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    let home = Home::with_config(CONFIG);
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["status", "--nonsense"],
        &["diff"],
        &["sync", "shop"],
        &["sync", "shop", "--yes", "--approve", DIGEST],
        &["sync", "shop", "--approve", "sha256:12"],
        &["sync", "shop", "--yes", "--wait=perhaps"],
        &["plan", "shop", "--prune", "perhaps"],
        &["plan", "shop", "--only", "deployment/api"],
        &["status", "--wait-for", "Green"],
        &["status", "--timeout", "soon"],
        &["--write", "--read-only", "status"],
        &["-o", "xml", "status"],
        &["render"],
        &["revert", "shop", "abc"],
        &["revert", "shop", "abc", "--approve", "abc"],
        &["completions", "tcsh"],
        &["sync", "shop", "--yes", "--confirm", "other"],
        &["diff", "shop", "payments", "--path", "."],
    ] {
        let (out, err) = home.expect(64, arguments);
        assert!(out.is_empty() && !err.is_empty(), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn what_is_not_there_yet_is_refused_and_never_ignored() {
    let home = Home::with_config(CONFIG);
    for arguments in [
        &["sandbox"][..],
        &["sandbox", "--headless", "--apps", "3"],
        &["pin", "shop", "v1", "--dry-run"],
        &["unpin", "shop", "--yes"],
        &["undo", "shop", "--yes"],
        &["pause", "shop"],
        &["resume", "shop"],
        &["auto-sync", "shop", "--set", "enabled=true"],
        &["adopt", "shop", "apps/Deployment/shop/api", "/spec/replicas", "--dry-run"],
        &["uninstall", "shop", "--keep-objects", "--yes"],
        &["plan", "shop", "--skip-hunk", "apps/Deployment/shop/api#/spec/replicas"],
        &["plan", "shop", "--replace", "apps/Deployment/shop/api"],
        &["plan", "shop", "--take-over", "apps/Deployment/shop/api"],
        &["plan", "shop", "--hooks", "true"],
        &["--write", "sync", "shop", "--yes", "--hooks", "true"],
        &["--write", "sync", "shop", "--yes", "--replace", "apps/Deployment/shop/api"],
    ] {
        let (out, err) = home.expect(64, arguments);
        assert!(out.is_empty(), "{arguments:?}: {out}");
        assert!(err.contains("not part of this version yet; nothing was done"), "{arguments:?}: {err}");
    }
}

#[test]
fn every_command_has_help() {
    let home = Home::new();
    let (out, _) = home.expect(0, &["--help"]);
    assert!(out.contains("Exit codes") && out.contains("the console starts"), "{out}");
    for command in [
        "init",
        "check",
        "status",
        "render",
        "diff",
        "plan",
        "sync",
        "history",
        "show",
        "revert",
        "keys",
        "completions",
        "man",
    ] {
        assert!(out.contains(command), "{command} is not in the help");
        let (help, _) = home.expect(0, &[command, "--help"]);
        assert!(help.contains("Usage: driftdeck ") && help.contains("--read-only"), "{command}: {help}");
    }
    let (version, _) = home.expect(0, &["--version"]);
    assert_eq!(version.trim(), format!("driftdeck {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_manual_page_and_keys_are_printed_without_touching_the_disk() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (out, _) = home.expect(0, &["completions", shell]);
        assert!(out.contains("driftdeck") && out.contains("wait-for"), "{shell}");
    }
    let (page, _) = home.expect(0, &["man"]);
    assert!(page.contains(".TH driftdeck 1") && page.contains("DRIFTDECK SYNC"), "{page}");
    let (keys, _) = home.expect(0, &["keys", "-o", "json"]);
    let keys: Value = serde_json::from_str(&keys).expect("JSON");
    assert_eq!((&keys["apiVersion"], &keys["kind"]), (&Value::from("driftdeck.dev/v1"), &Value::from("Keys")));
    assert!(keys["items"].is_array());
    assert_eq!(fs::read_dir(home.path("")).expect("the home").count(), 0, "something was written");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let mut child =
        home.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn without_a_configuration_it_says_what_it_found_and_how_to_begin() {
    let home = Home::new();
    fs::create_dir_all(home.path(".kube")).expect("a folder");
    fs::write(home.path(".kube/config"), "apiVersion: v1\ncontexts:\n- name: kind-dev\n  context: {cluster: x}\n")
        .expect("a file");
    let (out, err) = home.expect(1, &[]);
    assert!(out.is_empty());
    assert!(err.contains("kind-dev") && err.contains("driftdeck init"), "{err}");
    for command in ["status", "check"] {
        let output = home.run(&[command]);
        assert_eq!(output.status.code(), Some(1));
        assert!((text(&output.stdout) + &text(&output.stderr)).contains("driftdeck init"), "{command}");
    }
}

#[test]
fn init_writes_a_configuration_from_what_is_there_and_never_over_another() {
    let home = Home::new();
    fs::create_dir_all(home.path("src/platform/.git")).expect("a folder");
    fs::write(home.path("src/platform/.git/HEAD"), "ref: refs/heads/main\n").expect("a file");
    fs::create_dir_all(home.path("src/platform/apps/shop")).expect("a folder");
    fs::write(home.path("src/platform/apps/shop/a.yaml"), "apiVersion: v1\nkind: ConfigMap\n").expect("a file");
    fs::write(
        home.path("kubeconfig"),
        "apiVersion: v1\ncurrent-context: dev\ncontexts:\n- name: dev\n  context: {cluster: x, namespace: team}\n",
    )
    .expect("a file");
    let here = home.path("src/platform");
    let mut init = home.command(&["init"]);
    init.current_dir(&here).env("KUBECONFIG", home.path("kubeconfig"));
    let first = init.output().expect("it runs");
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let written = fs::read_to_string(home.config()).expect("the configuration");
    let config = driftdeck::config::Config::load(&home.config()).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(config.repositories[0].url, fs::canonicalize(&here).expect("a folder").to_string_lossy());
    let application = &config.applications[0];
    assert_eq!((application.path.as_str(), application.namespace.as_deref()), ("apps/shop", Some("team")));
    assert_eq!(config.clusters[0].context.as_deref(), Some("dev"));

    let again = init.output().expect("it runs");
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(fs::read_to_string(home.config()).expect("the configuration"), written);
}

#[test]
fn a_wrong_configuration_is_told_whole_with_its_places() {
    let home = Home::with_config("[[repository]]\nname = \"a\"\nulr = \"/x\"\n[ui]\nmouse = 3\n");
    let (out, err) = home.expect(1, &["status"]);
    assert!(out.is_empty());
    let file = home.config();
    for place in ["1:1: [[repository]] has no `url`", "3:1: unknown key `ulr`", "5:9: `mouse` is true or false"] {
        assert!(err.contains(&format!("{}:{place}", file.display())), "{err}");
    }
    let (out, _) = home.expect(1, &["check", "-o", "json"]);
    let check: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(check["kind"], "Check");
    assert_eq!(check["items"].as_array().expect("a list").len(), 3, "{check:#}");
    assert_eq!(check["items"][1]["hint"], "did you mean `url`?");
}

#[test]
fn an_unknown_application_is_an_error_with_a_suggestion() {
    let home = Home::with_config(CONFIG);
    let (_, err) = home.expect(1, &["diff", "shpo"]);
    assert!(err.contains("no application `shpo`") && err.contains("did you mean `shop`?"), "{err}");
}

#[test]
fn a_sync_is_refused_before_any_server_is_asked() {
    let home = Home::with_config(CONFIG);
    let old = format!("{DIGEST}@2020-01-31T12:00:00Z");
    for (arguments, word) in [
        (&["sync", "shop", "--yes"][..], "read-only"),
        (&["sync", "shop", "--approve", DIGEST], "--write"),
        (&["--read-only", "sync", "payments", "--approve", DIGEST], "read-only"),
        (&["sync", "payments", "--yes"], "production"),
        (&["--write", "sync", "shop", "payments", "--yes"], "production"),
        (&["--write", "sync", "shop", "--approve", &old], "expired"),
        (&["revert", "shop", "abc", "--yes"], "read-only"),
    ] {
        let (out, err) = home.expect(3, arguments);
        assert!(out.is_empty() && err.contains(word) && err.contains("Hint: "), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn a_plan_file_stands_for_exactly_its_applications_and_choices() {
    let home = Home::with_config(CONFIG);
    let file = home.path("plan.json");
    let plan = format!(
        r#"{{"apiVersion": "driftdeck.dev/v1", "kind": "Plan", "application": "shop", "digest": "{DIGEST}@2020-01-31T12:00:00Z", "choices": {{"revision": null, "prune": null, "only": [], "skip": []}}}}"#
    );
    fs::write(&file, plan).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let (_, err) = home.expect(64, &["--write", "sync", "payments", "--plan", file]);
    assert!(err.contains("plans shop"), "{err}");
    let (_, err) = home.expect(64, &["--write", "sync", "shop", "--plan", file, "--prune", "false"]);
    assert!(err.contains("already holds its choices"), "{err}");
    let (_, err) = home.expect(3, &["--write", "sync", "shop", "--plan", file]);
    assert!(err.contains("expired"), "{err}");
    fs::write(home.path("plan.json"), "{}").expect("a file");
    let (_, err) = home.expect(1, &["--write", "sync", "shop", "--plan", file]);
    assert!(err.contains("not a plan"), "{err}");
}

#[cfg(unix)]
#[test]
fn the_log_is_in_the_state_folder_for_this_user_alone_and_never_on_the_screen() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_config(CONFIG);
    let (_, err) = home.expect(3, &["sync", "shop", "--yes", "--log", "trace"]);
    assert!(!err.contains("INFO"), "{err}");
    let folder = home.path(".local/state/driftdeck");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let logs: Vec<PathBuf> =
        fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(logs.len(), 1, "{logs:?}");
    let log = fs::read_to_string(&logs[0]).expect("the log");
    assert!(log.contains("command=\"sync\"") && log.contains("code=3") && !log.contains('\u{1b}'), "{log}");
    let quiet = Home::with_config(CONFIG);
    quiet.expect(3, &["sync", "shop", "--yes", "--log", "off"]);
    assert!(!quiet.path(".local/state/driftdeck").exists(), "--log off writes none");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_costs_the_log_and_nothing_else() {
    let home = Home::with_config(CONFIG);
    fs::create_dir_all(home.path(".local")).expect("a folder");
    fs::write(home.path(".local/state"), "in the way").expect("a file");
    let (_, err) = home.expect(3, &["sync", "shop", "--yes"]);
    assert!(err.contains("no log is written") && err.contains("read-only"), "{err}");
}
