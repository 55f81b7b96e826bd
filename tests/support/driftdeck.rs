//! The built binary on the command line, in a world of its own: home, XDG folders and nothing of the caller's environment.

use super::{
    console::{Console, Size},
    wait::USUAL,
};
use serde_json::Value;
use std::{
    ffi::OsString,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// The program with the folders and the configuration of one world.
pub struct Driftdeck {
    home: PathBuf,
    config: PathBuf,
    more: Vec<(String, String)>,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Fails the test, showing everything, unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Reads standard output as one JSON document of the published interface.
    #[track_caller]
    pub fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("no JSON: {e}\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr));
        assert_eq!(document["apiVersion"], "driftdeck.dev/v1", "{document}");
        document
    }

    /// Fails the test unless standard output or error holds each of these texts.
    #[track_caller]
    pub fn says(&self, texts: &[&str]) -> &Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        for text in texts {
            assert!(all.contains(text), "no {text:?} in\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        }
        self
    }
}

impl Driftdeck {
    pub(super) fn new(home: &Path, config: &Path) -> Self {
        Self { home: home.to_owned(), config: config.to_owned(), more: Vec::new() }
    }

    /// Sets one more environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs the program to its end; one that takes too long is killed and fails the test.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        // Into files: a child that fills a pipe would wait for a reader.
        let outputs = tempfile::tempdir().expect("temporary folder");
        let file = |name: &str| File::create(outputs.path().join(name)).expect("output file");
        let mut child = Command::new(program())
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the binary is built");
        let read = |name: &str| {
            let mut text = String::new();
            File::open(outputs.path().join(name)).and_then(|mut f| f.read_to_string(&mut text)).expect("UTF-8 output");
            text
        };
        let what = format!("driftdeck {}", arguments.join(" "));
        let deadline = std::time::Instant::now() + 2 * USUAL;
        let status = super::until(&what, 3 * USUAL, || {
            if std::time::Instant::now() > deadline {
                child.kill().expect("the child can be killed");
            }
            child.try_wait().expect("the child is ours").ok_or("still running")
        });
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        let code = status.code().unwrap_or_else(|| {
            panic!("{what} did not end by itself: {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
        });
        Output { code, stdout, stderr }
    }

    /// Runs the program with `-o json`, wants an exit code, and returns the document.
    #[track_caller]
    pub fn json(&self, code: i32, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["-o", "json"]].concat()).expect(code).json()
    }

    /// Starts the console in a PTY.
    pub fn console(&self, arguments: &[&str], size: Size) -> Console {
        Console::start(&program(), arguments, &self.environment(), &self.home, size)
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let home = |folder: &str| self.home.join(folder).into_os_string();
        let mut variables: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".into(), home("")),
            ("XDG_CONFIG_HOME".into(), home(".config")),
            ("XDG_CACHE_HOME".into(), home(".cache")),
            ("XDG_STATE_HOME".into(), home(".local/state")),
            ("XDG_DATA_HOME".into(), home(".local/share")),
            ("DRIFTDECK_CONFIG".into(), self.config.clone().into_os_string()),
            ("USER".into(), "olga".into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("TERM".into(), "xterm-256color".into()),
            ("TZ".into(), "UTC".into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
        ];
        variables.extend(self.more.iter().map(|(name, value)| (name.into(), value.into())));
        variables
    }
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_driftdeck").into()
}
