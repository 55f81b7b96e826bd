//! A connection to the server, for every transport: opened with bounds, watched while it is used, and its failure
//! told in the server's own words.

use super::{
    GitError, Mirror,
    child::{self, Peer, Pulse, Words},
    failure, http,
    ssh::Ssh,
};
use gix::{
    bstr::BString,
    protocol::transport::{
        Protocol,
        client::{
            blocking_io::Transport,
            git::{ConnectMode, blocking_io::Connection as Pipe},
        },
    },
    remote::{Connection, Direction},
    url::Scheme,
};
use std::{
    net::{TcpStream, ToSocketAddrs},
    process::Child,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// What a mirror takes from the server. `HEAD` alone fetches what a detached one points to. `+refs/*` would be wrong:
/// gix fetches only tags for it over protocol 2, and servers keep every pull request there.
const REFSPECS: [&str; 3] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "HEAD"];

const CONNECT: Duration = Duration::from_secs(15);

/// The connection as gix uses it, whatever carries it.
pub(super) type Link<'remote, 'repo> = Connection<'remote, 'static, 'repo, Box<dyn Transport + Send>>;

/// Why something that was done over a connection failed.
pub(super) enum Failed {
    /// The transport, or the server over it.
    Network(gix::Error),
    /// Anything else, said already.
    Other(GitError),
}

impl From<gix::Error> for Failed {
    fn from(error: gix::Error) -> Self {
        Self::Network(error)
    }
}

/// A transport over a child or socket that we hold ourselves.
struct Opened {
    transport: Box<dyn Transport + Send>,
    peer: Peer,
    pulse: Pulse,
    words: Option<Words>,
}

impl Opened {
    fn child(mut child: Child, path: BString, version: Protocol) -> Self {
        let pulse = Pulse::new();
        let words = child.stderr.take().map(Words::collect);
        // `spawn` has made all three pipes; without them nothing can be said to the child
        let (read, write) = (child.stdout.take(), child.stdin.take());
        let transport: Box<dyn Transport + Send> = match (read, write) {
            (Some(read), Some(write)) => {
                let (read, write) = (pulse.note(read), pulse.note(write));
                Box::new(Pipe::new(read, write, version, path, None::<(String, _)>, ConnectMode::Process, false))
            }
            _ => unreachable!("`spawn` asks for pipes"),
        };
        Self { transport, peer: Peer::Child(child), pulse, words }
    }

    fn socket(stream: TcpStream, target: &gix::Url, version: Protocol) -> std::io::Result<Self> {
        let pulse = Pulse::new();
        let (read, write) = (pulse.note(stream.try_clone()?), pulse.note(stream.try_clone()?));
        let host = Some((target.host().unwrap_or_default().to_owned(), target.port));
        let transport = Pipe::new(read, write, version, target.path.clone(), host, ConnectMode::Daemon, false);
        Ok(Self { transport: Box::new(transport), peer: Peer::Socket(stream), pulse, words: None })
    }
}

impl Mirror {
    /// Connects to the server and runs `work` over the connection, which ends when `stop` is set or nothing moves.
    pub(super) fn connected<R>(
        &self,
        repo: &gix::Repository,
        stop: &AtomicBool,
        work: impl FnOnce(Link<'_, '_>) -> Result<R, Failed>,
    ) -> Result<R, GitError> {
        let url = self.url();
        let fail = |error: gix::Error| failure::network(url, &error, "", stop);
        if stop.load(Ordering::Relaxed) {
            return Err(GitError::Interrupted);
        }
        let remote = repo
            .remote_at(url.secret_text())
            .and_then(|remote| remote.with_refspecs(REFSPECS, Direction::Fetch))
            .map_err(fail)?
            .with_fetch_tags(gix::remote::fetch::Tags::None);
        let (target, version) = remote.sanitized_url_and_version(Direction::Fetch).map_err(fail)?;
        if matches!(target.scheme, Scheme::Http | Scheme::Https) {
            let options = http::options(repo, url, &target)?;
            let link = remote.connect(Direction::Fetch).map_err(fail)?.with_transport_options(options);
            return work(link).map_err(|failed| match failed {
                Failed::Network(error) => fail(error),
                Failed::Other(error) => error,
            });
        }
        let Opened { transport, peer, pulse, words } = self.open_target(repo, &target, version, stop)?;
        let (peer, done) = (Mutex::new(peer), AtomicBool::new(false));
        let (result, stalled) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| child::watch(&peer, &pulse, stop, &done));
            let result = work(remote.to_connection_with_transport(transport));
            done.store(true, Ordering::Release);
            watcher.thread().unpark();
            (result, watcher.join().unwrap_or(false))
        });
        // ends the child, so that its words end too
        drop(peer);
        result.map_err(|failed| match failed {
            Failed::Other(error) => error,
            Failed::Network(_) if stalled => {
                let reason = format!("nothing came for {} s", child::STALLED.as_secs());
                GitError::Unreachable { url: url.to_string(), reason }
            }
            Failed::Network(error) => {
                let said = words.map(Words::take).unwrap_or_default();
                failure::network(url, &error, &said, stop)
            }
        })
    }

    fn open_target(
        &self,
        repo: &gix::Repository,
        target: &gix::Url,
        version: Protocol,
        stop: &AtomicBool,
    ) -> Result<Opened, GitError> {
        let url = self.url();
        let unreachable =
            |error: std::io::Error| GitError::Unreachable { url: url.to_string(), reason: error.to_string() };
        let protocol = format!("version={}", version as usize);
        let (mut command, program) = match target.scheme {
            Scheme::Git => {
                return dial(target).and_then(|stream| Opened::socket(stream, target, version)).map_err(unreachable);
            }
            Scheme::Ssh => {
                let ssh = Ssh::of(repo).map_err(|error| failure::network(url, &error, "", stop))?;
                (ssh.upload_pack(url, target)?, "sh")
            }
            Scheme::File => {
                let mut command = child::command("git");
                command.arg("upload-pack").arg(target.path.to_string());
                (command, "git")
            }
            ref other => {
                let reason = format!("it leads to the transport `{other}`, which is not used");
                return Err(GitError::BadUrl { url: url.to_string(), reason });
            }
        };
        command.env("GIT_PROTOCOL", protocol);
        let child = child::spawn(command).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => GitError::MissingProgram { program: program.to_owned() },
            _ => unreachable(error),
        })?;
        Ok(Opened::child(child, target.path.clone(), version))
    }
}

/// Opens a connection to a git daemon: every address that the name has, in turn.
fn dial(target: &gix::Url) -> std::io::Result<TcpStream> {
    let address = (target.host().unwrap_or_default(), target.port.unwrap_or(9418));
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
