//! Proves that kubectl sees a cluster in the sandbox: a table of commands (`sandbox_kubectl/table.txt`) is run against the
//! sandbox and against a real control plane, and what they print and how they end must be the same.
//!
//! What cannot be the same is blurred: ids, times, ages, generated names, addresses. The control plane is the one of
//! `DRIFTDECK_TEST_KUBECONFIG`; without it the table still runs on the sandbox, where every command must end as the
//! table says (`!` before those that fail).

mod support;

use regex_lite::Regex;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use support::Sandbox;

/// Commands in one namespace, in order.
struct Scenario {
    name: String,
    commands: Vec<Step>,
}

struct Step {
    line: usize,
    /// For the shell.
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Compared.
    Command,
    /// Compared, and must fail.
    Failure,
    /// Repeated until it succeeds, and not compared: the cluster's own work.
    Settled,
}

/// What came of a command, blurred.
#[derive(Clone, PartialEq, Eq)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

fn table() -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let text = include_str!("sandbox_kubectl/table.txt");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("== ") {
            scenarios.push(Scenario { name: name.to_owned(), commands: Vec::new() });
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (kind, first) = match line.as_bytes()[0] {
            b'!' => (Kind::Failure, line[1..].trim_start()),
            b'~' => (Kind::Settled, line[1..].trim_start()),
            _ => (Kind::Command, line),
        };
        let mut text = first.to_owned();
        if first.contains("<<EOF") {
            for (_, line) in lines.by_ref() {
                text.push('\n');
                text.push_str(line);
                if line == "EOF" {
                    break;
                }
            }
        }
        let scenario = scenarios.last_mut().expect("a scenario comes first");
        scenario.commands.push(Step { line: number + 1, text, kind });
    }
    scenarios
}

/// One server, with a kubeconfig of its own for each scenario.
struct Server {
    kubeconfig: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    fn new(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig, folder: tempfile::tempdir().expect("temporary folder") }
    }

    fn run(&self, namespace: &str, text: &str) -> std::process::Output {
        Command::new("sh")
            .args(["-c", text])
            .current_dir(self.folder.path())
            .env("KUBECONFIG", self.folder.path().join(namespace))
            .env("NS", namespace)
            .env("HOME", self.folder.path())
            .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
            .stdin(Stdio::null())
            .output()
            .expect("sh runs")
    }

    fn scenario(&self, scenario: &Scenario, namespace: &str, blur: &Blur) -> BTreeMap<usize, Outcome> {
        std::fs::copy(&self.kubeconfig, self.folder.path().join(namespace)).expect("kubeconfig");
        let own = "kubectl config set-context --current --namespace=$NS >/dev/null && kubectl create namespace $NS >/dev/null";
        let made = self.run(namespace, own);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut outcomes = BTreeMap::new();
        self.settle(namespace, "kubectl get serviceaccount default && kubectl get configmap kube-root-ca.crt", 0);
        for step in &scenario.commands {
            if step.kind == Kind::Settled {
                self.settle(namespace, &step.text, step.line);
                continue;
            }
            let output = self.run(namespace, &step.text);
            let text = |bytes: &[u8]| blur.text(&String::from_utf8_lossy(bytes));
            let outcome =
                Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
            outcomes.insert(step.line, outcome);
        }
        // Not waited for: the name is never used again.
        self.run(namespace, "kubectl delete namespace $NS --wait=false");
        outcomes
    }

    fn settle(&self, namespace: &str, text: &str, line: usize) {
        let deadline = Instant::now() + support::USUAL;
        loop {
            let output = self.run(namespace, text);
            if output.status.success() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{}: line {line}: `{text}` never came true: {}",
                self.kubeconfig.display(),
                String::from_utf8_lossy(&output.stderr)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What two servers cannot have in common.
struct Blur(Vec<(Regex, &'static str)>);

impl Blur {
    fn new() -> Self {
        let rules = [
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME"),
            (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}", "TIME"),
            (r"/tmp/(LIVE|MERGED|kubectl-edit)-\d+", "/tmp/${1}"),
            (r"X509SHA256=[0-9a-f]{64}", "X509SHA256=HASH"),
            // An object that cannot be read is shown whole, its fields in another order.
            (r#"patch: Invalid value: "\{.*\}": "#, "patch: Invalid value: OBJECT: "),
            (r"127\.0\.0\.1:\d+", "SERVER"),
            (r"\b10\.\d+\.\d+\.\d+", "ADDRESS"),
            (r#"(resourceVersion"?: )"\d+""#, "${1}VERSION"),
            (r"(ResourceVersion in record \()\d+", "${1}VERSION"),
            (
                r"(?m)(-|=|[Hh]ash: )[bcdfghjklmnpqrstvwxz2456789]{8,10}(-[bcdfghjklmnpqrstvwxz2456789]{5})?(\b|$)",
                "${1}HASH",
            ),
            (r"(pod/\w+|job-\w+|[a-z]+)-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "${1}-HASH"),
            (r"\.[0-9a-f]{14,16}\b", ".STAMP"),
            (r"\b3[0-2]\d{3}\b", "NODEPORT"),
            (r"(/|Node: +)node-[01]\b", "${1}NODE"),
            (r"\bnode-[01]\b", "NODE"),
            (r"(?m)(^| )(<invalid>|(\d+[smhd])+)( |$)", "${1}AGE${4}"),
            (r"(?m) +$", ""),
            (r" {2,}", "  "),
            (r"-{4,}", "----"),
        ];
        Self(rules.map(|(rule, with)| (Regex::new(rule).expect("a rule"), with)).into())
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (rule, with)| rule.replace_all(&text, *with).into_owned())
    }
}

fn differs(scenario: &Scenario, sandbox: &BTreeMap<usize, Outcome>, real: &BTreeMap<usize, Outcome>) -> Vec<String> {
    let commands = scenario.commands.iter().filter(|step| step.kind != Kind::Settled);
    let found = commands.filter(|step| sandbox[&step.line] != real[&step.line]).map(|step| {
        let (ours, theirs) = (&sandbox[&step.line], &real[&step.line]);
        format!(
            "[{}] line {}: {}\n=== sandbox: {ours}\n=== control plane: {theirs}\n",
            scenario.name, step.line, step.text
        )
    });
    found.collect()
}

fn control_plane(count: usize) -> Option<PathBuf> {
    let found = std::env::var_os("DRIFTDECK_TEST_KUBECONFIG").map(PathBuf::from);
    if found.is_none() {
        let why = "DRIFTDECK_TEST_KUBECONFIG is not set; see tests/control-plane";
        support::skipped(count, "comparisons of kubectl on the sandbox with a control plane", why);
    }
    found
}

#[test]
fn kubectl_prints_the_same_on_the_sandbox_and_on_a_control_plane() {
    let scenarios = table();
    let commands =
        || scenarios.iter().flat_map(|scenario| &scenario.commands).filter(|step| step.kind != Kind::Settled);
    let folder = tempfile::tempdir().expect("temporary folder");
    let sandbox = Sandbox::start(folder.path(), &[]);
    let blur = Blur::new();
    let ours = Server::new(sandbox.kubeconfig());
    let real = control_plane(commands().count()).map(Server::new);
    let only = std::env::var("DRIFTDECK_TEST_SCENARIO").ok();
    let mut wrong = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        if only.as_ref().is_some_and(|only| !scenario.name.contains(only.as_str())) {
            continue;
        }
        let namespace = format!("ddk{}-{number}", std::process::id());
        let (ours, theirs) = std::thread::scope(|scope| {
            let theirs = scope.spawn(|| real.as_ref().map(|real| real.scenario(scenario, &namespace, &blur)));
            (ours.scenario(scenario, &namespace, &blur), theirs.join().expect("the other thread does not panic"))
        });
        for step in scenario.commands.iter().filter(|step| step.kind != Kind::Settled) {
            let failed = ours[&step.line].code != Some(0);
            if failed != (step.kind == Kind::Failure) {
                wrong.push(format!("line {}: `{}` ended otherwise:\n{}", step.line, step.text, ours[&step.line]));
            }
        }
        if let Some(theirs) = theirs {
            wrong.extend(differs(scenario, &ours, &theirs));
        }
    }
    let failures = commands().filter(|step| step.kind == Kind::Failure).count();
    println!("{} commands, {failures} of which fail; {} differences", commands().count(), wrong.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The issue's own counts.
#[test]
fn the_table_is_large_enough() {
    let scenarios = table();
    let all: Vec<&Step> =
        scenarios.iter().flat_map(|s| &s.commands).filter(|step| step.kind != Kind::Settled).collect();
    let verbs = [
        "version",
        "api-resources",
        "get",
        "describe",
        "create",
        "apply",
        "diff",
        "edit",
        "patch",
        "scale",
        "label",
        "delete",
        "wait",
        "rollout status",
        "auth can-i",
        "explain",
        "logs",
    ];
    let of = |verb: &str| all.iter().filter(|step| step.text.contains(&format!("kubectl {verb}"))).count();
    let few: Vec<String> =
        verbs.iter().filter(|verb| of(verb) < 5).map(|verb| format!("{verb}: {}", of(verb))).collect();
    assert!(few.is_empty(), "fewer than 5 commands of: {}", few.join(", "));
    let writing = [
        "create",
        "apply",
        "edit",
        "patch",
        "scale",
        "label",
        "delete",
        "annotate",
        "set ",
        "run ",
        "expose",
        "replace",
        "autoscale",
        "rollout restart",
        "rollout undo",
    ];
    let writes = all.iter().filter(|step| writing.iter().any(|verb| step.text.contains(&format!("kubectl {verb}"))));
    let (total, writes) = (all.len(), writes.count());
    let failures = all.iter().filter(|step| step.kind == Kind::Failure).count();
    assert!(total >= 120 && writes >= 40 && failures >= 15, "{total} commands, {writes} write, {failures} fail");
}
