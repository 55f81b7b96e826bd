//! A sandbox in a process of its own, as an operator starts it.

use super::{kubectl::Kubectl, wait::USUAL};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// `driftdeck sandbox --headless`, running until it is dropped.
pub struct Sandbox {
    child: Child,
    dir: PathBuf,
}

impl Sandbox {
    /// Starts one on a folder; it answers when this returns.
    pub fn start(dir: &Path, more: &[&str]) -> Self {
        let mut child = Self::spawn(dir, more);
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("the sandbox prints");
        assert!(line.starts_with("export KUBECONFIG="), "the sandbox did not start: {line:?}");
        Self { child, dir: dir.to_owned() }
    }

    /// Starts the program without waiting for it.
    pub fn spawn(dir: &Path, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_driftdeck"))
            .args(["sandbox", "--headless", "--dir"])
            .arg(dir)
            .args(more)
            .env("HOME", dir)
            .env("XDG_STATE_HOME", dir.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built")
    }

    /// Where its kubeconfig is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The port that it listens on.
    pub fn port(&self) -> String {
        let text = std::fs::read_to_string(self.kubeconfig()).expect("kubeconfig");
        let server = text.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server");
        server.rsplit(':').next().expect("a port").trim_matches('"').to_owned()
    }

    /// kubectl on it, as one of its users.
    pub fn kubectl(&self, context: &str) -> Kubectl {
        Kubectl::new(self.kubeconfig(), context)
    }

    /// Ends it without a warning, as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Asks it to end, and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the child is ours");
        let status = super::until("the sandbox to end", USUAL, || {
            self.child.try_wait().expect("the child is ours").ok_or("still running")
        });
        status.code()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
