//! Pushing a commit by the user's `git`, which knows every server's ways; gix cannot push.

use super::{
    CommitId, GitError, Mirror, Pushed, child, failure,
    pull_request::{made_address, printed_address},
    ssh::Ssh,
};
use std::{
    io::Read,
    process::{Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

/// A push that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most that is kept of git's output.
const LONGEST: u64 = 256 * 1024;

/// What a git that ran said.
struct Said {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Mirror {
    /// Pushes a commit of the mirror to a branch on the server, plain fast-forward, by the user's `git`. Nothing is lost when
    /// the server refuses: the commit stays in the mirror. The mirror's own branch follows with the next fetch.
    ///
    /// # Errors
    /// [`GitError::PushRefused`] with the server's words (non-fast-forward, protected branch, hook, checked-out branch of a
    /// work tree), and as [`Mirror::clone_from`].
    pub fn push(&self, commit: CommitId, branch: &str) -> Result<Pushed, GitError> {
        let full = format!("refs/heads/{branch}");
        if gix::refs::FullName::try_from(full.as_str()).is_err() {
            return Err(self.refused(branch, "this is no name for a branch".to_owned()));
        }
        let repo = self.repo();
        repo.find_commit(commit.object_id()).map_err(|error| self.damaged(&error))?;
        let mut command = self.push_command(&repo)?;
        command.arg(self.url().to_string()).arg(format!("{commit}:{full}"));
        let said = self.run(command)?;
        let verdict = said.stdout.lines().find_map(|line| verdict(line, &full));
        match verdict {
            Some(Verdict::Done) if said.success => {}
            Some(Verdict::Refused(summary)) => return Err(self.refused(branch, self.reason(&summary, &said.stderr))),
            _ => return Err(failure::said(self.url(), &said.stderr)),
        }
        let url = printed_address(&said.stderr).or_else(|| made_address(self.url(), branch, self.main_branch()));
        Ok(Pushed { branch: branch.to_owned(), url })
    }

    fn main_branch(&self) -> Option<String> {
        self.resolve(None).ok()?.branch
    }

    fn push_command(&self, repo: &gix::Repository) -> Result<Command, GitError> {
        let mut command = child::command("git");
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
        command.args(["-c", "push.followTags=false", "-c", "push.recurseSubmodules=no", "-C"]).arg(self.path());
        command.args(["push", "--porcelain"]);
        let shown = self.url().to_string();
        if shown != self.url().secret_text() {
            // by the environment, because everybody on the machine can read a command line
            let key = format!("url.{}.insteadOf", self.url().secret_text());
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", key).env("GIT_CONFIG_VALUE_0", shown);
        }
        let ssh = Ssh::of(repo).map_err(|error| self.damaged(&error))?;
        command.env("GIT_SSH_COMMAND", ssh.for_git()).env("GIT_SSH_VARIANT", ssh.variant());
        Ok(command)
    }

    /// Runs a git to its end, or to the end of our patience.
    fn run(&self, mut command: Command) -> Result<Said, GitError> {
        let url = || self.url().to_string();
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => GitError::MissingProgram { program: "git".to_owned() },
            _ => GitError::Unreachable { url: url(), reason: error.to_string() },
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let Some(status) = child::wait(&mut child, PATIENCE).map_err(failed)? else {
            let reason = format!("the push took longer than {} s; fetch to see whether it arrived", PATIENCE.as_secs());
            return Err(GitError::Unreachable { url: url(), reason });
        };
        let text = |thread: JoinHandle<String>| thread.join().unwrap_or_default();
        Ok(Said { success: status.success(), stdout: text(stdout), stderr: text(stderr) })
    }

    fn refused(&self, branch: &str, reason: String) -> GitError {
        let branch = crate::object::clean(branch).into_owned();
        GitError::PushRefused { url: self.url().to_string(), branch, reason }
    }

    /// Says in words why the server refused, with its own words after.
    fn reason(&self, summary: &str, stderr: &str) -> String {
        let has = |text: &str, word: &str| text.to_lowercase().contains(word);
        let server = remote_lines(stderr);
        let why = if has(summary, "non-fast-forward") || has(summary, "fetch first") || has(summary, "stale info") {
            "the branch has moved on the server since; fetch, and write the commit again on top of it".to_owned()
        } else if has(summary, "currently checked out") {
            "the branch is checked out in that work tree, whose files are never touched; push to a review branch, or name \
             the upstream remote as the repository's url"
                .to_owned()
        } else if has(summary, "protected") || has(&server, "protected branch") {
            "the branch is protected; push to a review branch".to_owned()
        } else {
            summary.trim().to_owned()
        };
        failure::tidy(self.url(), &if server.is_empty() { why } else { format!("{why}; the server says: {server}") })
    }
}

enum Verdict {
    Done,
    Refused(String),
}

/// Reads a line of `git push --porcelain`: flag, tab, `from:to`, tab, summary.
fn verdict(line: &str, branch: &str) -> Option<Verdict> {
    let mut fields = line.splitn(3, '\t');
    let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
    if refs.rsplit(':').next() != Some(branch) {
        return None;
    }
    match flag {
        "!" => Some(Verdict::Refused(summary.to_owned())),
        " " | "*" | "=" => Some(Verdict::Done),
        _ => None,
    }
}

/// What the server itself said, on one line.
fn remote_lines(stderr: &str) -> String {
    let lines = stderr.split(['\n', '\r']).filter_map(|line| line.strip_prefix("remote:"));
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            let _ = (&mut stream).take(LONGEST).read_to_end(&mut kept);
            // the rest is read and dropped, so that git does not block on a full pipe
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}
