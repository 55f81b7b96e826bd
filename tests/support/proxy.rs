//! `kubectl proxy`, for tests that write many times: a request costs no process.

use super::Kubectl;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// The API server behind a local port, as `kubectl`'s user. It ends with the test.
pub struct Proxy {
    child: Child,
    address: String,
}

impl Proxy {
    pub fn start(kubectl: &Kubectl) -> Self {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(kubectl.kubeconfig())
            .args(["--context", kubectl.context(), "proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl is on the PATH");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("kubectl says where it serves");
        let address = line.trim().rsplit(' ').next().expect("an address").to_owned();
        Self { child, address }
    }

    /// Sends a merge patch to a path of the API and returns the object as it is then.
    #[track_caller]
    pub fn patch(&self, path: &str, patch: &Value) -> Value {
        let body = patch.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("kubectl proxy serves");
        let head = format!(
            "PATCH {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/merge-patch+json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.lines().next().is_some_and(|line| line.contains(" 200 ")), "PATCH {path}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
