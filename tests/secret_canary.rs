//! Proves that no value of a Secret leaves the program but to the API server: random values in Secrets of every source go through every
//! command and the console, and are then looked for in all that was printed, drawn, logged, written and stored.

mod support;

use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};
use support::{Application, Canaries, Case, Driftdeck, Kubectl, Output, SHORT, Screen, Size, USUAL, cluster};

const SUITE: &str = "Secrets' values";
const APPLICATIONS: [&str; 3] = ["shop", "kustomized", "charted"];

/// A stand-in for `helm`: a Secret with the token of the chart's values.
const HELM: &str = r#"#!/bin/sh
if [ "$1" = version ]; then echo v4.3.0+g1; exit; fi
token=$(sed -n 's/^token: //p' "$PWD/apps/charted/values.yaml")
printf -- '---\n# Source: charted/templates/secret.yaml\napiVersion: v1\nkind: Secret\nmetadata:\n  name: charted\nstringData:\n  token: %s\n' "$token"
"#;

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Applications whose Secrets come from manifests, from kustomize's generator and from a chart.
struct Vault {
    canaries: Canaries,
    case: Case,
}

impl Vault {
    fn new(kubectl: Kubectl) -> Self {
        let mut case = Case::new(kubectl, "canary", "");
        for name in &APPLICATIONS[1..] {
            let application = Application::new(name, &format!("apps/{name}"), case.namespace());
            case.world.application(application);
        }
        let helm = case.world.folder().join("bin/helm");
        fs::create_dir_all(helm.parent().expect("a folder")).expect("a folder");
        fs::write(&helm, HELM).expect("the stand-in");
        fs::set_permissions(&helm, fs::Permissions::from_mode(0o755)).expect("executable");
        fs::create_dir_all(case.world.folder().join("temporary")).expect("a folder");
        Self { canaries: Canaries::default(), case }
    }

    /// The program with everything that it may write to in folders that are searched.
    fn driftdeck(&self) -> Driftdeck {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.case.world.folder().join("bin").display());
        let temporary = self.case.world.folder().join("temporary");
        self.case.driftdeck().env("PATH", &path).env("TMPDIR", temporary.to_str().expect("UTF-8"))
    }

    /// Commits new values into every source.
    fn commit(&mut self) -> String {
        let plain = self.canaries.lines("string");
        let encoded = self.canaries.lines("data");
        let (literal, file, token) =
            (self.canaries.line("literal"), self.canaries.lines("file"), self.canaries.line("token"));
        let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, encoded);
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: plain\ndata:\n  encoded: {data}\nstringData:\n  text: |\n{}",
            indented(&plain)
        );
        let kustomization = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nsecretGenerator:\n- name: generated\n  literals:\n  - literal={literal}\n  files:\n  - file.txt\ngeneratorOptions:\n  disableNameSuffixHash: true\n"
        );
        self.case.repository.commit(
            "set the secrets",
            &[
                ("apps/shop/secret.yaml", &secret),
                ("apps/shop/env.yaml", support::shop::ENV),
                ("apps/kustomized/kustomization.yaml", &kustomization),
                ("apps/kustomized/file.txt", &file),
                ("apps/charted/Chart.yaml", "apiVersion: v2\nname: charted\nversion: 1.0.0\n"),
                ("apps/charted/values.yaml", &format!("token: {token}\n")),
                ("apps/charted/templates/secret.yaml", "kind: Secret\nstringData:\n  token: {{ .Values.token }}\n"),
            ],
        )
    }

    /// Runs a command, and looks for canaries in what it prints.
    #[track_caller]
    fn run(&self, codes: &[i32], arguments: &[&str]) -> Output {
        let output = self.driftdeck().run(&[&["--log", "trace"], arguments].concat());
        let what = format!("driftdeck {}", arguments.join(" "));
        assert!(codes.contains(&output.code), "{what}: {output:?}");
        self.canaries.must_not_be_in(&format!("{what}, standard output"), output.stdout.as_bytes());
        self.canaries.must_not_be_in(&format!("{what}, standard error"), output.stderr.as_bytes());
        output
    }

    /// Everything that looks, in words and as JSON.
    #[track_caller]
    fn look(&self, code: i32) {
        self.run(&[0], &["check"]);
        for format in ["text", "json"] {
            self.run(&[code], &[&["status"], &["-o", format][..]].concat());
            self.run(&[code], &[&["diff"], &APPLICATIONS[..], &["--extras", "-o", format]].concat());
        }
        for application in APPLICATIONS {
            self.run(&[code], &["plan", application, "-o", "json"]);
        }
        self.run(&[code], &["plan", "shop"]);
        self.run(&[code], &["plan", "shop", "--out", self.plan_file().to_str().expect("UTF-8")]);
        self.run(&[0], &["render", "shop"]);
    }

    fn plan_file(&self) -> PathBuf {
        self.case.world.home().join("plan.json")
    }

    #[track_caller]
    fn sync(&self) {
        self.run(&[0], &["--write", "sync", "shop", "--plan", self.plan_file().to_str().expect("UTF-8"), "-o", "json"]);
        for application in &APPLICATIONS[1..] {
            self.run(&[0], &["--write", "sync", application, "--yes"]);
        }
    }

    /// Looks through everything that was written, on disk and in the cluster.
    #[track_caller]
    fn search(&self) {
        let home = self.case.world.home();
        assert!(self.canaries.must_not_be_below(&home) > 3, "nothing was searched");
        self.canaries.must_not_be_below(&self.case.world.folder().join("temporary"));
        let ours = format!("driftdeck.dev/application in ({})", APPLICATIONS.join(","));
        let stored = self.case.kubectl.list(self.case.namespace(), "configmaps,secrets,leases", &ours);
        for object in &stored {
            self.canaries.must_not_be_in("an object of ours in the cluster", object.to_string().as_bytes());
        }
    }

    fn is_synced(&self, secret: &str, key: &str) -> bool {
        let values = self.case.field(&format!("secret/{secret}"), &format!("/data/{key}"));
        self.canaries.find(values.to_string().as_bytes(), 2).is_some()
    }
}

#[test]
fn the_search_finds_what_is_compressed_and_encoded() {
    let mut canaries = Canaries::default();
    let value = canaries.lines("x");
    let line = value.lines().next().expect("a line");
    let encode = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let packed =
        zstd::bulk::compress(json!({"key": encode(value.as_bytes())}).to_string().as_bytes(), 3).expect("packed");
    for bytes in [
        line.as_bytes().to_vec(),
        encode(value.as_bytes()).into_bytes(),
        encode(format!("?{line}").as_bytes()).into_bytes(),
        packed.clone(),
        [b"head".as_slice(), &packed].concat(),
        format!("{{\"chunk\":\"{}\"}}", encode(&packed)).into_bytes(),
    ] {
        assert!(canaries.find(&bytes, 4).is_some(), "not found in {}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(canaries.find(b"x-0123 and a long run of letters: abcdefghijklmnopqrstuvwxyz0123456789", 4), None);
}

#[test]
fn no_command_lets_a_value_out() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut vault = Vault::new(kubectl);
    vault.commit();
    vault.look(2);
    vault.sync();
    for (secret, key) in [
        ("plain", "text"),
        ("plain", "encoded"),
        ("generated", "literal"),
        ("generated", "file.txt"),
        ("charted", "token"),
    ] {
        assert!(vault.is_synced(secret, key), "{secret} {key} was not applied");
    }
    vault.search();

    // Git moves, somebody edits, somebody adds, and kubectl leaves a copy of a Secret in its annotation.
    let second = vault.commit();
    let (edited, added, annotated) =
        (vault.canaries.line("edited"), vault.canaries.line("added"), vault.canaries.line("annotated"));
    vault.case.edit("secret/generated", &json!({"stringData": {"literal": edited, "added": added}}).to_string());
    let manifest =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}, "stringData": {"text": annotated}});
    vault.case.run_with(&["apply"], &manifest.to_string());
    vault.look(2);
    for arguments in [
        vec!["history", "shop", "-o", "json"],
        vec!["show", "shop", &second],
        vec!["show", "kustomized", &second, "-o", "json"],
        vec!["revert", "shop", &second, "--dry-run"],
        vec!["revert", "shop", &second, "--dry-run", "-o", "json"],
    ] {
        vault.run(&[0, 2], &arguments);
    }
    vault.sync();
    vault.search();
    let logs = fs::read_dir(vault.case.world.home().join(".local/state/driftdeck")).expect("the state folder");
    let logged: u64 = logs.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum();
    assert!(logged > 0, "nothing was logged");
}

#[test]
fn no_refusal_lets_a_value_out() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut vault = Vault::new(kubectl);
    let value = vault.canaries.line("refused");
    let long = format!("{value} ").repeat(14_000);
    let secret = |name: &str, rest: &str| format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n{rest}");
    let ok = secret("fine", &format!("stringData:\n  k: {value}\n"));
    for (what, text) in [
        ("key", secret("bad", &format!("stringData:\n  \"a key\": {value}\n"))),
        ("large", secret("bad", &format!("stringData:\n  a: &long \"{long}\"\n  b: *long\n  c: *long\n"))),
        ("type", secret("bad", &format!("immutable: {value}\n"))),
        ("types", secret("bad", &format!("stringData:\n  k: [\"{value}\"]\n"))),
        ("field", secret("bad", &format!("stringdata:\n  k: {value}\n"))),
        ("base64", secret("bad", &format!("data:\n  k: \"{value}?\"\n"))),
        (
            "class",
            secret(
                "bad",
                &format!("type: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: \"{{{value}\"\n"),
            ),
        ),
        ("yaml", secret("bad", &format!("stringData:\n  k: \"{value}\n  j: {value}: {value}\n"))),
        ("tabs", secret("bad", &format!("stringData:\n\tk: {value}\n"))),
        (
            "panic",
            format!(
                "{}\n? {value} : {{- [{value}\n---\n\u{feff}%{value}\n",
                secret("bad", &format!("stringData: {{k: {value}"))
            ),
        ),
    ] {
        vault.case.commit(&[("secret.yaml", &ok), ("bad.yaml", &text)]);
        let mut told = Vec::new();
        for arguments in [
            &["diff", "shop"][..],
            &["plan", "shop"],
            &["plan", "shop", "-o", "json"],
            &["--write", "sync", "shop", "--yes"],
        ] {
            let output = vault.run(&[0, 1, 2, 3], arguments);
            told.push(output.stdout + &output.stderr);
        }
        assert!(told.iter().any(|text| text.contains("bad")), "{what}: no word about it in {told:?}");
    }
    // Refused where it is there already: what is foreseen in this process quotes no more than the server does.
    vault.case.commit(&[("secret.yaml", &ok), ("bad.yaml", &secret("bad", &format!("stringData:\n  k: {value}\n")))]);
    vault.run(&[0], &["--write", "sync", "shop", "--yes"]);
    for rest in [
        format!("immutable: {value}\n"),
        format!("data: {value}\n"),
        format!("data:\n  k: \"{value}?\"\n"),
        format!("own: {value}\n"),
    ] {
        vault.case.commit(&[("bad.yaml", &secret("bad", &rest))]);
        for arguments in [&["diff", "shop", "-o", "json"][..], &["plan", "shop"], &["--write", "sync", "shop", "--yes"]]
        {
            vault.run(&[0, 1, 2, 3], arguments);
        }
    }
    vault.search();
}

#[test]
fn no_screen_lets_a_value_out_and_no_core_is_dumped() {
    let Some(kubectl) = cluster(1, SUITE) else { return };
    let mut vault = Vault::new(kubectl);
    vault.commit();
    for application in APPLICATIONS {
        vault.run(&[0], &["--write", "sync", application, "--yes"]);
    }
    vault.commit();
    let edited = vault.canaries.line("edited");
    vault.case.edit("secret/generated", &json!({"stringData": {"literal": edited}}).to_string());

    let mut console = vault.driftdeck().console(&["--write", "--log", "trace"], Size { rows: 60, columns: 200 });
    let is_clean = |screen: &Screen| {
        vault.canaries.must_not_be_in("the screen", screen.text().as_bytes());
        vault.canaries.must_not_be_in("the screen", screen.text().replace('\n', "").as_bytes());
    };
    for application in APPLICATIONS {
        is_clean(&console.wait_for_row(&[application, "OutOfSync"], USUAL));
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", console.process_id())).expect("the process runs");
    let core: Vec<&str> = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .expect("a limit")
        .split_whitespace()
        .collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    for application in APPLICATIONS {
        console.press("2");
        console.press_until("j", &format!("{application} selected"), SHORT, |screen| {
            is_clean(screen);
            screen.row(&[application, "OutOfSync"]).is_some() && screen.row(&["0 Diff", application]).is_some()
        });
        console.press("d+");
        console.wait_until("the diff of a Secret", USUAL, |screen| {
            is_clean(screen);
            screen.contains("masked") && !screen.contains("2 Applications")
        });
        console.press("xwm");
        console.press("<esc>");
        console.press_until("<esc>", "the panes", USUAL, |screen| {
            is_clean(screen);
            screen.contains("2 Applications")
        });
        console.press("s");
        console.wait_until("the plan", USUAL, |screen| {
            is_clean(screen);
            screen.contains("approve and apply") && screen.contains("update 1")
        });
        console.press_until("<esc>", "the panes", USUAL, |screen| {
            is_clean(screen);
            !screen.contains("approve and apply") && screen.contains("2 Applications")
        });
    }
    console.press("q");
    assert!(console.wait_for_end().success());
    is_clean(&console.screen());
    vault.search();
}
