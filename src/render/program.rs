//! Runs a renderer program fenced in: clean environment, own home, no network where that can be had, bounded time and
//! output, and nothing of it left running.

use super::RenderError;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io::{self, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much it may print.
const MAX_OUTPUT: usize = 64 << 20;
/// How much of its complaints is kept.
const MAX_COMPLAINT: usize = 64 << 10;

/// How the network is cut for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// Linux namespaces by util-linux' `unshare`.
    Unshare(PathBuf),
    /// Linux namespaces by bubblewrap.
    Bubblewrap(PathBuf),
    /// Not at all: neither program works here.
    None,
}

impl Fence {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Unshare(_) => "network cut by unshare".into(),
            Self::Bubblewrap(_) => "network cut by bwrap".into(),
            Self::None => "network not cut (neither unshare nor bwrap works); remote references are refused".into(),
        }
    }

    fn arguments(&self) -> Vec<OsString> {
        let (program, arguments): (&Path, &[&str]) = match self {
            Self::Unshare(program) => (program, &["-r", "-n", "--"]),
            Self::Bubblewrap(program) => {
                (program, &["--dev-bind", "/", "/", "--unshare-net", "--die-with-parent", "--"])
            }
            Self::None => return Vec::new(),
        };
        std::iter::once(program.into()).chain(arguments.iter().map(OsString::from)).collect()
    }

    /// Finds out what works on this machine, once for each place of the programs.
    pub(super) fn probe() -> Self {
        static KNOWN: Mutex<Option<HashMap<[Option<PathBuf>; 2], Fence>>> = Mutex::new(None);
        let found = [find("unshare"), find("bwrap")];
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(fence) = known.get(&found) {
            return fence.clone();
        }
        let [unshare, bubblewrap] = found.clone();
        let candidates = [unshare.map(Self::Unshare), bubblewrap.map(Self::Bubblewrap)];
        let fence = candidates.into_iter().flatten().find(Self::works).unwrap_or(Self::None);
        known.insert(found, fence.clone());
        fence
    }

    fn works(&self) -> bool {
        let Some(program) = find("true") else { return false };
        let arguments = self.arguments();
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]).arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// Finds a program on the PATH as it is now.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(is_program)
}

/// One run of a program.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [OsString],
    /// Where it stands.
    pub(super) folder: &'a Path,
    /// What it takes for the user's home; it may write there.
    pub(super) home: &'a Path,
}

/// What a program said.
pub(super) struct Outcome {
    pub(super) succeeded: bool,
    pub(super) output: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub(super) complaint: String,
}

impl Run<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// [`RenderError::TooMuch`] past the bounds, [`RenderError::Failed`] where it cannot be started; `path` is the
    /// application's, for the message.
    pub(super) fn run(&self, path: &str) -> Result<Outcome, RenderError> {
        self.run_within(path, TIMEOUT)
    }

    fn run_within(&self, path: &str, timeout: Duration) -> Result<Outcome, RenderError> {
        let name = self.program.file_name().map_or_else(|| "?".into(), OsStr::to_string_lossy).into_owned();
        let failed = |error: io::Error| RenderError::failed(&name, path, error.to_string());
        let deadline = Instant::now() + timeout;
        let mut child = Running(self.command().spawn().map_err(failed)?);
        let (sender, receiver) = mpsc::channel();
        let (stdout, stderr) = (child.0.stdout.take(), child.0.stderr.take());
        let output_sender = sender.clone();
        let reader = std::thread::Builder::new().name("render output".into());
        reader.spawn(move || output_sender.send(Part::Output(read(stdout, MAX_OUTPUT + 1, false)))).map_err(failed)?;
        let reader = std::thread::Builder::new().name("render errors".into());
        reader.spawn(move || sender.send(Part::Complaint(read(stderr, MAX_COMPLAINT, true)))).map_err(failed)?;

        let (mut output, mut complaint) = (None, None);
        while output.is_none() || complaint.is_none() {
            match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Part::Output(bytes)) if bytes.len() > MAX_OUTPUT => {
                    let message = format!("{name} printed more than {} MiB and was stopped", MAX_OUTPUT >> 20);
                    return Err(RenderError::too_much(path, message));
                }
                Ok(Part::Output(bytes)) => output = Some(bytes),
                Ok(Part::Complaint(bytes)) => complaint = Some(bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(too_slow(&name, path, timeout));
                }
            }
        }
        // Both pipes are closed; all but a daemon ends with that.
        let status = loop {
            match child.0.try_wait().map_err(failed)? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err(too_slow(&name, path, timeout)),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        Ok(Outcome {
            succeeded: status.success(),
            output: output.unwrap_or_default(),
            complaint: String::from_utf8_lossy(&complaint.unwrap_or_default()).into_owned(),
        })
    }

    fn command(&self) -> Command {
        let mut arguments = Fence::probe().arguments();
        arguments.push(self.program.into());
        arguments.extend_from_slice(self.arguments);
        let mut command = Command::new(&arguments[0]);
        let home = |name: &str| self.home.join(name);
        command
            .args(&arguments[1..])
            .current_dir(self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.home)
            .env("TMPDIR", self.home)
            .env("XDG_CACHE_HOME", home("cache"))
            .env("XDG_CONFIG_HOME", home("config"))
            .env("XDG_DATA_HOME", home("data"))
            .env("XDG_STATE_HOME", home("state"))
            .env("HELM_CACHE_HOME", home("helm/cache"))
            .env("HELM_CONFIG_HOME", home("helm/config"))
            .env("HELM_DATA_HOME", home("helm/data"))
            .env("HELM_PLUGINS", home("helm/plugins"))
            .env("HELM_NO_PLUGINS", "1")
            .env("KUBECONFIG", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }
}

/// A program that is killed with all it has started, however this render ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // Safe Rust has no call for a process group; every shell has.
        let kill = ["-c", "kill -s KILL -- \"-$1\"", "sh"];
        let group = self.0.id().to_string();
        let _ = Command::new("/bin/sh").args(kill).arg(group).stderr(Stdio::null()).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

enum Part {
    Output(Vec<u8>),
    Complaint(Vec<u8>),
}

/// Reads up to `limit` bytes; with `drain` the rest is read and thrown away, so that the program does not stall.
fn read(pipe: Option<impl Read>, limit: usize, drain: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What a broken pipe has given counts; the program's status says the rest.
        let _ = pipe.by_ref().take(limit as u64).read_to_end(&mut bytes);
        if drain {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
    }
    bytes
}

fn too_slow(name: &str, path: &str, timeout: Duration) -> RenderError {
    RenderError::too_much(path, format!("{name} took more than {} s and was stopped", timeout.as_secs_f32()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Result<Outcome, RenderError> {
        let folder = tempfile::tempdir().unwrap();
        let arguments = [OsString::from("-c"), script.into()];
        let run =
            Run { program: Path::new("/bin/sh"), arguments: &arguments, folder: folder.path(), home: folder.path() };
        run.run_within("app", timeout)
    }

    #[test]
    fn a_program_sees_a_clean_environment() {
        let outcome = shell("env; echo oops >&2; exit 3", TIMEOUT).unwrap();
        let output = String::from_utf8(outcome.output).unwrap();
        assert!(!outcome.succeeded);
        assert_eq!(outcome.complaint, "oops\n");
        assert!(output.contains("KUBECONFIG=/dev/null") && !output.contains("CARGO"), "{output}");
    }

    #[test]
    fn a_program_has_no_network_where_a_fence_works() {
        if Fence::probe() == Fence::None {
            println!("skipped: 1 test of the cut network (neither unshare nor bwrap works here)");
            return;
        }
        let outcome = shell("cat /proc/net/dev | tail -n +3 | grep -v ' *lo:' | wc -l", TIMEOUT).unwrap();
        assert_eq!(String::from_utf8(outcome.output).unwrap().trim(), "0");
    }

    #[test]
    fn a_slow_program_is_stopped_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 300 & echo $! > {}; wait", pid.display());
        let error = shell(&script, Duration::from_millis(500)).err().unwrap();
        assert!(matches!(&error, RenderError::TooMuch { .. }), "{error}");
        let pid = std::fs::read_to_string(pid).unwrap();
        let process = PathBuf::from("/proc").join(pid.trim());
        let deadline = Instant::now() + Duration::from_secs(5);
        // A killed process may wait as a zombie for somebody to collect it.
        let runs = || std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
        while runs() {
            assert!(Instant::now() < deadline, "the grandchild still runs");
            std::thread::yield_now();
        }
    }

    #[test]
    fn endless_output_is_stopped() {
        let error = shell("while :; do head -c 1000000 /dev/zero; done", TIMEOUT).err().unwrap();
        assert!(error.to_string().contains("64 MiB"), "{error}");
    }
}
