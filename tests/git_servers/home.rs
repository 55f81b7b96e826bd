//! A home of its own for each test: the test runs again in a child of this test program, with nothing of the user's
//! environment, so that Git's configuration, credential helpers and ssh keys are the test's alone.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const HOME: &str = "DRIFTDECK_GIT_SERVERS_HOME";

/// A temporary home with servers' repositories under it.
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// Runs `body` with a home of its own. `test` is the test's name.
    pub fn of(test: &str, body: impl FnOnce(&Self)) {
        if let Some(path) = std::env::var_os(HOME) {
            return body(&Self { path: path.into() });
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.com\n").unwrap();
        let out = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(std::env::var_os("RUST_BACKTRACE").map(|value| ("RUST_BACKTRACE", value)))
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_SSH_COMMAND", format!("ssh -F {}", folder.path().join("ssh_config").display()))
            .env(HOME, folder.path())
            .output()
            .unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && stdout.contains("1 passed"), "{test}:\n{stdout}\n{stderr}");
        for line in stdout.lines().filter_map(|line| Some(&line[line.find("skipped: ")?..])) {
            println!("{line}");
        }
        // whatever gix, ssh or git have to say comes as an error: a terminal program owns the screen
        assert_eq!(stderr, "", "{test} wrote to standard error");
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that servers serve.
    pub fn served(&self) -> PathBuf {
        self.path.join("served")
    }

    pub fn configure(&self, key: &str, value: &str) {
        self.git(&self.path, &["config", "--global", key, value]);
    }

    /// Runs git as the test's user; asserts that it went well.
    pub fn git(&self, folder: &Path, args: &[&str]) -> String {
        let out = Command::new("git").current_dir(folder).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        assert!(out.status.success(), "git {args:?}: {}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    /// Makes a bare repository with one commit under the served folder, and a clone to work in. Returns both.
    pub fn repository(&self, name: &str) -> (PathBuf, PathBuf) {
        let (bare, work) = (self.served().join(name), self.path.join(format!("work-{name}")));
        fs::create_dir_all(&bare).unwrap();
        self.git(&bare, &["init", "-q", "--bare", "-b", "main"]);
        self.git(&bare, &["config", "http.receivepack", "true"]);
        self.git(&bare, &["config", "receive.denyDeletes", "false"]);
        self.git(&self.path, &["clone", "-q", bare.to_str().unwrap(), work.to_str().unwrap()]);
        self.commit(&work, "a.yaml", "a: 1\n");
        self.git(&work, &["push", "-q", "origin", "main"]);
        (bare, work)
    }

    pub fn commit(&self, work: &Path, file: &str, content: &str) -> String {
        fs::write(work.join(file), content).unwrap();
        self.git(work, &["add", "-A"]);
        self.git(work, &["commit", "-q", "-m", &format!("{file}: {content}")]);
        self.git(work, &["rev-parse", "HEAD"])
    }
}

/// A child that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits until its port takes connections; none if it ends before.
pub fn start(command: &mut Command, port: u16) -> Option<Running> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let mut running = Running(child);
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if running.0.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(Instant::now() < deadline, "{command:?} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(running)
}

/// Where git keeps its programs.
pub fn exec_path() -> PathBuf {
    let out = Command::new("git").arg("--exec-path").output().unwrap();
    PathBuf::from(String::from_utf8(out.stdout).unwrap().trim())
}
