//! `git http-backend` behind a small HTTPS server with basic authentication, and a proxy to reach it through.

use crate::home::exec_path;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The certificate that clients have to trust.
pub const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/git_servers/certificate.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/git_servers/key.pem");

/// User name and password that the server takes.
pub const USER: &str = "ada";
pub const PASSWORD: &str = "hunter2-hunter2";

/// A running server; its threads end with the test.
pub struct HttpServer {
    pub port: u16,
    /// Requests that were answered.
    pub requests: Arc<AtomicUsize>,
}

impl HttpServer {
    /// Serves the repositories under `root`.
    pub fn start(root: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = CertificateDer::pem_file_iter(CERTIFICATE).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(KEY).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
        let (config, root) = (Arc::new(config), root.to_owned());
        let backend = exec_path().join("git-http-backend");
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let port = serve(move |stream| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            // a client that does not trust us or hangs up is part of the tests
            if answer(&mut stream, &root, &backend).is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let stream = stream.get_mut();
            stream.conn.send_close_notify();
            let _ = stream.flush();
        });
        Self { port, requests }
    }
}

/// Listens on a free port and runs `work` for each connection in a thread of its own.
pub fn serve(work: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let work = Arc::new(work);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let work = work.clone();
            std::thread::spawn(move || work(stream));
        }
    });
    port
}

type Tls = BufReader<StreamOwned<ServerConnection, TcpStream>>;

fn answer(stream: &mut Tls, root: &Path, backend: &Path) -> io::Result<()> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if header("expect").is_some() {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = body(stream, header("content-length"), header("transfer-encoding"))?;
    let answer = if target.starts_with("/forbidden") {
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
    } else if header("authorization") != Some(&authorization()) {
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_vec()
    } else {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut command = Command::new(backend);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", USER);
        command.env("REQUEST_METHOD", &method).env("PATH_INFO", path).env("QUERY_STRING", query);
        command.env("CONTENT_LENGTH", body.len().to_string());
        for (name, variable) in [
            ("content-type", "CONTENT_TYPE"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
            ("git-protocol", "GIT_PROTOCOL"),
        ] {
            if let Some(value) = header(name) {
                command.env(variable, value);
            }
        }
        run(command, body)?
    };
    stream.get_mut().write_all(&answer)
}

fn authorization() -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

fn body(stream: &mut Tls, length: Option<&str>, encoding: Option<&str>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk)?;
            body.extend(chunk);
            stream.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.take(length).read_to_end(&mut body)?;
    Ok(body)
}

/// Runs the CGI program and makes an HTTP answer of what it prints.
fn run(mut command: Command, body: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let mut printed = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut printed)?;
    child.wait()?;
    let _ = writer.join();
    let end = printed.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let head = String::from_utf8_lossy(&printed[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let mut answer = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for line in head.lines().filter(|line| !line.starts_with("Status: ")) {
        answer.extend(format!("{line}\r\n").bytes());
    }
    answer.extend(format!("Content-Length: {}\r\nConnection: close\r\n\r\n", printed.len() - end - 4).bytes());
    answer.extend(&printed[end + 4..]);
    Ok(answer)
}

/// A proxy for `CONNECT`; counts what goes through it.
pub fn proxy() -> (u16, Arc<AtomicUsize>) {
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = tunnels.clone();
    let port = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        let _ = reader.read_line(&mut first);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        let target = first.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let Ok(server) = TcpStream::connect(target) else { return };
        counted.fetch_add(1, Ordering::Relaxed);
        let mut client = stream;
        if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() {
            return;
        }
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = std::thread::spawn(move || {
            let _ = io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Write);
        });
        let mut to_server = server;
        let _ = io::copy(&mut reader, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
        let _ = back.join();
    });
    (port, tunnels)
}
