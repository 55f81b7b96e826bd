//! A Git server's repository (bare) with the clone in which the tests commit, both made by the `git` program.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// First commit's time; each commit is an hour later. Fixed, and in the past of any machine that runs this.
const FIRST_COMMIT: u64 = 1_704_103_200; // 2024-01-01T10:00:00Z
const HOUR: u64 = 3600;

/// A bare repository, as a server has it, and a clone that commits are made in.
pub struct Repository {
    bare: PathBuf,
    clone: PathBuf,
    home: PathBuf,
    commits: Cell<u64>,
}

impl Repository {
    /// Makes an empty repository `name` below `folder`; its branch will be `main`.
    pub fn new(folder: &Path, home: &Path, name: &str) -> Self {
        let repository = Self {
            bare: folder.join(format!("{name}.git")),
            clone: folder.join(format!("{name}-clone")),
            home: home.to_owned(),
            commits: Cell::new(0),
        };
        fs::create_dir_all(&repository.clone).expect("folder of the clone");
        repository.run(folder, &["init", "--quiet", "--bare", "--initial-branch=main", path(&repository.bare)]);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["remote", "add", "origin", path(&repository.bare)]);
        repository
    }

    /// Where driftdeck finds it.
    pub fn url(&self) -> String {
        path(&self.bare).to_owned()
    }

    /// The clone's folder.
    pub fn folder(&self) -> &Path {
        &self.clone
    }

    /// Writes a file of the clone without committing it.
    pub fn write(&self, file: &str, text: &str) {
        let target = self.clone.join(file);
        fs::create_dir_all(target.parent().expect("files have a folder")).expect("folder of the file");
        fs::write(&target, text).expect("file of the clone");
    }

    /// Writes files, commits them and pushes; returns the commit's id.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (file, text) in files {
            self.write(file, text);
        }
        self.commit_all(message)
    }

    /// Removes a file, commits and pushes; returns the commit's id.
    pub fn remove(&self, message: &str, file: &str) -> String {
        fs::remove_file(self.clone.join(file)).expect("file to remove");
        self.commit_all(message)
    }

    /// Commits whatever is in the clone's folder, and pushes; returns the commit's id.
    pub fn commit_all(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["push", "--quiet", "origin", "HEAD"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Takes over what others pushed to the server.
    pub fn pull(&self) {
        self.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    }

    /// The tip of a branch on the server.
    pub fn server_tip(&self, branch: &str) -> String {
        self.on_server(&["rev-parse", branch])
    }

    /// Runs `git` in the server's bare repository.
    pub fn on_server(&self, arguments: &[&str]) -> String {
        self.run(&self.bare, arguments)
    }

    /// Runs `git` in the clone.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.run(&self.clone, arguments)
    }

    /// Runs `git`, fails the test where it fails, and returns its trimmed output. Only commits move the clock on.
    fn run(&self, folder: &Path, arguments: &[&str]) -> String {
        if arguments.first() == Some(&"commit") {
            self.commits.set(self.commits.get() + 1);
        }
        let date = format!("@{} +0000", FIRST_COMMIT + HOUR * self.commits.get());
        let output = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "Jane Doe"), ("GIT_AUTHOR_EMAIL", "jane@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Jane Doe"), ("GIT_COMMITTER_EMAIL", "jane@example.com")])
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .output()
            .expect("git is on the PATH");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(
            output.status.success(),
            "git {}: {text}\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
