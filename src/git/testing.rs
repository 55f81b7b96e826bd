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

/// Small deterministic numbers: the same histories on every machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Returns a number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Paths that generated histories write to: nested, alike in their beginnings, and one that is a file or a folder.
pub(super) const FILES: [&str; 9] = [
    "a.yaml",
    "apps/web/deploy.yaml",
    "apps/web/service.yaml",
    "apps/web-2/deploy.yaml",
    "apps/db/deploy.yaml",
    "base/x",
    "base/deep/er/y",
    "shape",
    "shape/inside",
];

impl Sandbox {
    /// Makes a history of `commits` commits on three branches by `git fast-import`: changes, deletions, renames, mode
    /// changes, merges (criss-cross ones too) with and without changes of their own, equal and backward dates.
    pub(super) fn grow(&self, seed: u64, commits: usize) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let mut stream = String::new();
        let mut grown = [None::<usize>; 3];
        let mut date = 1_700_000_000;
        for mark in 1..=commits {
            let branch = dice.roll(3) as usize;
            let from = grown[branch].or(grown[0]).or(grown.iter().flatten().next().copied());
            let other = grown[dice.roll(3) as usize].filter(|other| Some(*other) != from && dice.roll(3) == 0);
            date += [0, 0, 60, 60, 3600, -30][dice.roll(6) as usize];
            stream.push_str(&format!("commit refs/heads/b{branch}\nmark :{mark}\n"));
            stream.push_str(&format!("committer Ada <ada@example.com> {date} +0000\n"));
            let message = format!("commit {mark}\n\nbody\n");
            stream.push_str(&format!("data {}\n{message}\n", message.len()));
            if let Some(from) = from {
                stream.push_str(&format!("from :{from}\n"));
            }
            if let Some(other) = other {
                stream.push_str(&format!("merge :{other}\n"));
            }
            let changes = if other.is_some() { dice.roll(3) } else { dice.roll(3) + 1 };
            for _ in 0..changes {
                let file = FILES[dice.roll(FILES.len() as u64) as usize];
                match dice.roll(9) {
                    0 if mark > 1 => stream.push_str(&format!("D {file}\n")),
                    1 => stream.push_str(&format!("M 100755 inline {file}\ndata 2\nx\n\n")),
                    _ => {
                        let content = lines(&mut dice);
                        stream.push_str(&format!("M 100644 inline {file}\ndata {}\n{content}\n", content.len()));
                    }
                }
            }
            grown[branch] = Some(mark);
        }
        let path = self.path().join("stream");
        std::fs::write(&path, stream).unwrap();
        let done = Command::new("git")
            .current_dir(self.work())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["fast-import", "--quiet", "--force"])
            .stdin(std::fs::File::open(&path).unwrap())
            .status()
            .unwrap();
        assert!(done.success(), "seed {seed}");
    }
}

/// Twelve lines, few of which differ from one version to another.
fn lines(dice: &mut Dice) -> String {
    let mut lines: Vec<String> = (0..12).map(|n| format!("line {n}")).collect();
    for _ in 0..dice.roll(3) {
        let at = dice.roll(12) as usize;
        lines[at] = format!("line {at} is {}", dice.roll(3));
    }
    lines.join("\n") + "\n"
}
