//! Repositories for this module's tests, made by the real `git` with nothing of the user's configuration.

use super::{CommitId, GitError, Mirror, RepositoryUrl};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
};

pub(super) static GO: AtomicBool = AtomicBool::new(false);

/// A repository with a work tree in a temporary folder, and room for a mirror beside it.
pub(super) struct Sandbox {
    folder: tempfile::TempDir,
    clock: std::cell::Cell<i64>,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap(), clock: std::cell::Cell::new(1_700_000_000) };
        std::fs::create_dir(sandbox.work()).unwrap();
        sandbox.git(&["init", "-q", "-b", "main"]);
        // what revert and merge_trees read from the repository itself
        sandbox.git(&["config", "user.name", "Ada"]);
        sandbox.git(&["config", "user.email", "ada@example.com"]);
        sandbox.git(&["config", "commit.gpgSign", "false"]);
        sandbox
    }
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }
    /// Every commit is a minute after the one before.
    pub(super) fn tick(&self) {
        self.clock.set(self.clock.get() + 60);
    }
    pub(super) fn try_git(&self, args: &[&str]) -> (bool, String) {
        let date = format!("{} +0000", self.clock.get());
        let out = Command::new("git")
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs([("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"])
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        (out.status.success(), if out.status.success() { stdout } else { format!("{stdout}{stderr}") })
    }
    pub(super) fn git(&self, args: &[&str]) -> String {
        let (done, text) = self.try_git(args);
        assert!(done, "git {args:?}: {text}");
        text
    }
    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    /// Commits everything in the work tree.
    pub(super) fn commit(&self, message: &str) -> CommitId {
        self.tick();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }
    pub(super) fn id(&self, revision: &str) -> CommitId {
        self.git(&["rev-parse", &format!("{revision}^{{commit}}")]).parse().unwrap()
    }
    pub(super) fn url(&self) -> RepositoryUrl {
        RepositoryUrl::parse(self.work().to_str().unwrap()).unwrap()
    }
    pub(super) fn try_clone(&self) -> Result<Mirror, GitError> {
        Mirror::clone_from(&self.url(), &self.path().join("mirror"), &|_| {}, &GO)
    }
    pub(super) fn mirror(&self) -> Mirror {
        self.try_clone().unwrap()
    }
}
