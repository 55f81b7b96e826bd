//! Proves what the sandbox promises about itself: no accepted write is lost when it is killed, clients go on after a
//! restart, nobody gets in without its certificate, its kubeconfig is private, two run side by side, and a port or folder
//! in use is an error that says so.

mod support;

use std::{
    collections::BTreeSet,
    io::Read,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use support::{Sandbox, USUAL, until};

/// Writes ConfigMaps until told to stop or refused; returns the names that were accepted.
fn write_until(kubectl: &support::Kubectl, writer: usize, stop: &AtomicBool) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in 0.. {
        let name = format!("w{writer}-{number}");
        if stop.load(Ordering::Relaxed) || !kubectl.output(&["create", "configmap", &name], None).status.success() {
            break;
        }
        accepted.push(name);
    }
    accepted
}

#[test]
fn no_accepted_write_is_lost_when_it_is_killed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut port = Vec::new();
    let mut accepted = BTreeSet::new();
    for round in 0..3 {
        let sandbox = Sandbox::start(folder.path(), &port.iter().map(String::as_str).collect::<Vec<_>>());
        // The same port again, so that clients' kubeconfig stays right.
        port = vec!["--port".to_owned(), sandbox.port()];
        let kubectl = sandbox.kubectl("admin");
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (kubectl, stop) = (kubectl.clone(), stop.clone());
                std::thread::spawn(move || write_until(&kubectl, round * 10 + writer, &stop))
            })
            .collect();
        until("some writes", USUAL, || {
            let found = kubectl.list("default", "configmaps", "").len();
            if found > accepted.len() + 12 { Ok(()) } else { Err(format!("{found} ConfigMaps")) }
        });
        sandbox.kill();
        stop.store(true, Ordering::Relaxed);
        accepted.extend(writers.into_iter().flat_map(|writer| writer.join().expect("a writer does not panic")));
        assert!(!accepted.is_empty());
    }
    let sandbox = Sandbox::start(folder.path(), &port.iter().map(String::as_str).collect::<Vec<_>>());
    let there: BTreeSet<String> = sandbox
        .kubectl("admin")
        .list("default", "configmaps", "")
        .iter()
        .filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned))
        .collect();
    let lost: Vec<&String> = accepted.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} accepted writes are lost: {lost:?}", lost.len(), accepted.len());
    println!("{} accepted writes, 3 kills, none lost", accepted.len());
    assert_eq!(sandbox.stop(), Some(0));
}

#[test]
fn fresh_starts_anew() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let sandbox = Sandbox::start(folder.path(), &[]);
    sandbox.kubectl("admin").run(&["create", "configmap", "mine"]);
    assert_eq!(sandbox.stop(), Some(0));
    let sandbox = Sandbox::start(folder.path(), &[]);
    assert!(sandbox.kubectl("admin").get("default", "configmap/mine").is_some());
    assert_eq!(sandbox.stop(), Some(0));
    let sandbox = Sandbox::start(folder.path(), &["--fresh"]);
    assert!(sandbox.kubectl("admin").get("default", "configmap/mine").is_none());
}

#[test]
fn a_port_or_a_folder_in_use_is_an_error_that_says_so() {
    let (one, two) = (tempfile::tempdir().expect("temporary folder"), tempfile::tempdir().expect("temporary folder"));
    let first = Sandbox::start(one.path(), &[]);
    let second = Sandbox::start(two.path(), &[]);
    second.kubectl("admin").run(&["create", "configmap", "only-here"]);
    assert!(first.kubectl("admin").get("default", "configmap/only-here").is_none());
    let three = tempfile::tempdir().expect("temporary folder");
    for (folder, arguments, words) in [
        (three.path(), vec!["--port".to_owned(), first.port()], format!("port {} is in use", first.port())),
        (one.path(), vec![], "another sandbox is running on".to_owned()),
    ] {
        let mut child = Sandbox::spawn(folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let status = child.wait().expect("the child is ours");
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(&words), "{said}");
    }
}

#[test]
fn nobody_gets_in_without_a_certificate_of_the_sandbox() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let sandbox = Sandbox::start(folder.path(), &[]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(sandbox.kubeconfig()).expect("kubeconfig").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let bare = tempfile::tempdir().expect("temporary folder");
    let output = Command::new("kubectl")
        .args(["--server", &format!("https://127.0.0.1:{}", sandbox.port()), "--insecure-skip-tls-verify"])
        .args(["--request-timeout=5s", "get", "--raw", "/version"])
        .env("KUBECONFIG", bare.path().join("none"))
        .env("HOME", bare.path())
        .stdin(Stdio::null())
        .output()
        .expect("kubectl is on the PATH");
    assert!(!output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("gitVersion"));
}
