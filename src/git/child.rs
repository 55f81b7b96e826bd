//! The other end of a connection as a child process or a socket of our own: its words are kept instead of reaching the
//! terminal, it ends when nothing moves for too long or the caller asks, and it gets no repository from our environment.

use std::{
    ffi::OsStr,
    io::{self, Read},
    net::TcpStream,
    os::unix::process::CommandExt,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Nothing sent or received for this long ends a connection (servers send keep-alives every few seconds).
pub(super) const STALLED: Duration = Duration::from_secs(60);

/// How long a child may take to end after its pipes are closed.
const GRACE: Duration = Duration::from_secs(1);

/// Most that is kept of a child's standard error.
const LONGEST_WORDS: u64 = 64 * 1024;

/// Variables that would make git work on another repository, or take configuration from our caller's `git -c`.
const REPOSITORY_VARIABLES: [&str; 17] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A command for `program` that cannot ask anything on the terminal. The user's environment stays otherwise: ssh agents,
/// credential helpers and proxies are found through it.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in REPOSITORY_VARIABLES {
        command.env_remove(name);
    }
    for name in std::env::vars_os().map(|(name, _)| name) {
        // GIT_TRACE* would write to our terminal
        if name.to_string_lossy().starts_with("GIT_TRACE") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file")
        .env("LC_ALL", "C")
        .env("LANGUAGE", "C")
        // out of the terminal's foreground group: a read of the terminal stops the child instead of stealing our keys
        .process_group(0);
    command
}

/// Ends a connection from outside.
pub(super) enum Peer {
    Child(Child),
    Socket(TcpStream),
}

impl Peer {
    fn end(&mut self) {
        match self {
            Self::Child(child) => end(child),
            Self::Socket(stream) => {
                // an error means that it has ended
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Self::Child(child) = self {
            // its pipes are closed: it ends by itself, and may have last words
            let deadline = Instant::now() + GRACE;
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        self.end();
    }
}

/// Ends a child and all that it started (a shell's ssh, git's remote helper): they are one process group.
pub(super) fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    // the child is not waited for yet, so that its number cannot be another's; errors mean that it has ended
    let group = format!("-{}", child.id());
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s KILL -- \"$1\"", "sh", &group]);
    let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
}

/// Waits for a child; none when `patience` was at its end first and the child was ended.
pub(super) fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            end(child);
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// When a connection last moved a byte, and whether it was ended for standing still.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
    /// Notes every byte that goes through `stream`.
    pub(super) fn note<T>(&self, inner: T) -> Noted<T> {
        Noted { inner, pulse: self.clone() }
    }
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
    fn silent_for(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// A stream whose every byte is noted in a [`Pulse`].
pub(super) struct Noted<T> {
    inner: T,
    pulse: Pulse,
}

impl<T: Read> Read for Noted<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.pulse.beat();
        Ok(count)
    }
}

impl<T: io::Write> io::Write for Noted<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.pulse.beat();
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What a child writes to its standard error, collected by a thread of its own.
pub(super) struct Words(std::thread::JoinHandle<String>);

impl Words {
    pub(super) fn collect(stderr: ChildStderr) -> Self {
        Self(std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut stderr = stderr;
            // what comes after the bound is read and dropped, so that the child does not block on a full pipe
            let _ = (&mut stderr).take(LONGEST_WORDS).read_to_end(&mut kept);
            let _ = io::copy(&mut stderr, &mut io::sink());
            String::from_utf8_lossy(&kept).into_owned()
        }))
    }
    /// Returns the words; waits for the child's end, but not for a grandchild that keeps the pipe open.
    pub(super) fn take(self) -> String {
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.0.is_finished() {
            if Instant::now() > deadline {
                return String::new();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.0.join().unwrap_or_default()
    }
}

/// Ends `peer` when `stop` is set or the connection stands still, until `done` is set. Says whether it stood still.
pub(super) fn watch(peer: &Mutex<Peer>, pulse: &Pulse, stop: &AtomicBool, done: &AtomicBool) -> bool {
    loop {
        if done.load(Ordering::Acquire) {
            return false;
        }
        let stalled = pulse.silent_for() > STALLED;
        if stalled || stop.load(Ordering::Relaxed) {
            peer.lock().unwrap_or_else(PoisonError::into_inner).end();
            return stalled;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Starts a command whose standard streams are pipes.
pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}
