//! Requests to one API server: paths, deadlines, retries of reads, and answers as bytes or as an error with its meaning.

use super::{
    ClusterError, Resource,
    answer::{self, Mask, Refused},
    client::{Lane, credentials},
    kubeconfig::causes,
};
use crate::object::{clean, join_api_version};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Bytes;
use kube::client::Body;
use serde_json::Value;
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::sync::Notify;

/// Deadline of a request that names none.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// Tries of a read that the server is too busy to answer.
const TRIES: u32 = 4;
/// Longest wait between them, whatever the server wishes: the caller shows what it has.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Longest refusal that is read: one conflict for each field of the largest object that a server stores fits in.
const LONGEST_REFUSAL: usize = 16 << 20;
/// Answers larger than this are parsed on a thread that may be busy for a while.
const LARGE: usize = 256 << 10;

/// One request.
pub(super) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    content: Option<(&'static str, Vec<u8>)>,
    accept: &'static str,
    deadline: Duration,
    mask: Mask,
    lane: Lane,
}

impl Call {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            content: None,
            accept: "application/json",
            deadline: DEADLINE,
            mask: Mask::default(),
            lane: Lane::default(),
        }
    }
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }
    /// Adds a query parameter.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
    /// Adds a query parameter where there is a value.
    pub fn with_some(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
    /// Sets the body, and hides a Secret's values from the error that the server may make of it.
    pub fn body(mut self, content_type: &'static str, body: &Value) -> Self {
        self.mask = Mask::of(body);
        self.content = Some((content_type, body.to_string().into_bytes()));
        self
    }
    /// Sets what is accepted as the answer.
    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }
    /// Sets the deadline of the whole exchange, here and (for a write) on the server.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        if self.method != Method::GET {
            // The server's parameter has whole seconds; at least one, or it would mean "no time at all".
            self = self.with("timeout", format!("{}s", deadline.as_secs().max(1)));
        }
        self
    }
    /// Sets the connection.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }
    fn request(&self) -> Result<Request<Body>, ClusterError> {
        let mut uri = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            let _ = write!(uri, "{}{name}={}", if index == 0 { '?' } else { '&' }, encode(value));
        }
        let mut request = Request::builder().method(&self.method).uri(uri).header(header::ACCEPT, self.accept);
        request =
            request.header(header::USER_AGENT, concat!("driftdeck/", env!("CARGO_PKG_VERSION"))).extension(self.lane);
        let body = match &self.content {
            Some((content_type, bytes)) => {
                request = request.header(header::CONTENT_TYPE, *content_type);
                Body::from(bytes.clone())
            }
            None => Body::empty(),
        };
        request.body(body).map_err(|error| ClusterError::Invalid { message: format!("{}: {error}", self.path) })
    }
    fn what(&self) -> String {
        clean(&format!("{} {}", self.method, self.path)).into_owned()
    }
}

/// A good answer.
pub(super) struct Reply {
    /// 200 or 201.
    pub status: StatusCode,
    /// Texts of its `Warning` headers.
    pub warnings: Vec<String>,
    body: Bytes,
}

impl Reply {
    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }
    /// Parses the body.
    pub async fn json(self) -> Result<Value, ClusterError> {
        let code = self.status.as_u16();
        let large = self.body.len() > LARGE;
        let parse = move || serde_json::from_slice(&self.body);
        let parsed = if large {
            tokio::task::spawn_blocking(parse).await.unwrap_or_else(|error| Err(serde::de::Error::custom(error)))
        } else {
            parse()
        };
        parsed.map_err(|error| ClusterError::Other { code, message: format!("the answer is not JSON: {error}") })
    }
}

/// The client and the name of its server.
pub(super) struct Transport {
    client: kube::Client,
    server: String,
    lists_by_list: AtomicBool,
    doubt: Notify,
}

impl Transport {
    /// Names a client's server.
    pub fn new(client: kube::Client, server: String) -> Self {
        Self { client, server, lists_by_list: AtomicBool::new(false), doubt: Notify::new() }
    }
    /// Says whether a WATCH may be asked to begin with all objects, as far as is known.
    pub fn streams_lists(&self) -> bool {
        !self.lists_by_list.load(Ordering::Relaxed)
    }
    /// Remembers that this server cannot do that.
    pub fn cannot_stream_lists(&self) {
        self.lists_by_list.store(true, Ordering::Relaxed);
    }
    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }
    /// Sends once.
    pub async fn once(&self, call: &Call) -> Result<Reply, ClusterError> {
        let exchange = async {
            let response = self.open(call).await?;
            let (status, warnings) = (response.status(), warnings(response.headers()));
            let body = response.into_body().collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
            Ok(Reply { status, warnings, body })
        };
        tokio::time::timeout(call.deadline, exchange).await.unwrap_or_else(|_| Err(late(call)))
    }
    /// Sends a read; again where the server is too busy, a bounded number of times.
    pub async fn read(&self, call: &Call) -> Result<Reply, ClusterError> {
        patiently(|| self.once(call)).await
    }
    /// Opens a read, within its deadline; again where the server is too busy. The deadline of the body is the caller's to keep.
    pub async fn open_patiently(&self, call: &Call) -> Result<Response<Body>, ClusterError> {
        let open =
            async || tokio::time::timeout(call.deadline, self.open(call)).await.unwrap_or_else(|_| Err(late(call)));
        patiently(open).await
    }
    /// Sends, and returns the answer's head with a body to stream. The deadline is the caller's to keep.
    pub async fn open(&self, call: &Call) -> Result<Response<Body>, ClusterError> {
        let response = self.client.send(call.request()?).await.map_err(|error| self.failed(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let body = match self.refusal(body).await? {
            Some(body) => body,
            // A proxy's endless page: its words do not matter.
            None if answer::is_told_by(status) => Bytes::new(),
            None => {
                return Err(ClusterError::Endless {
                    what: call.what(),
                    code: status,
                    mebibytes: LONGEST_REFUSAL >> 20,
                });
            }
        };
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(answer::refused(&Refused {
            server: &self.server,
            what: &call.what(),
            write: call.method != Method::GET,
            deadline: call.deadline,
            status,
            retry_after,
            body: &body,
            mask: &call.mask,
        }))
    }
    /// Reads what the server says about an error. None: there is more of it than is read.
    async fn refusal(&self, body: Body) -> Result<Option<Bytes>, ClusterError> {
        match Limited::new(body, LONGEST_REFUSAL).collect().await {
            Ok(body) => Ok(Some(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Ok(None),
            Err(error) => Err(self.unreachable(error.as_ref())),
        }
    }
    /// Lets whoever keeps an eye on the link know that it may be gone.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }
    /// Ends when the link may be gone.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }
    /// The error of a connection that broke.
    pub fn unreachable(&self, error: &dyn std::error::Error) -> ClusterError {
        self.doubt();
        ClusterError::Unreachable { server: self.server.clone(), reason: clean(&causes(error)).into_owned() }
    }
    fn failed(&self, error: &kube::Error) -> ClusterError {
        let refused = |message| ClusterError::Unauthorized { server: self.server.clone(), message };
        match error {
            kube::Error::Auth(error) => refused(credentials(error)),
            kube::Error::Service(error) => match error.downcast_ref::<kube::client::AuthError>() {
                Some(error) => refused(credentials(error)),
                None => self.unreachable(error.as_ref()),
            },
            other => self.unreachable(other),
        }
    }
}

/// Asks again where the server is too busy, a bounded number of times.
async fn patiently<T, F: Future<Output = Result<T, ClusterError>>>(ask: impl Fn() -> F) -> Result<T, ClusterError> {
    let mut wait = Duration::from_millis(200);
    for _ in 1..TRIES {
        match ask().await {
            Err(ClusterError::Busy { retry_after, .. }) => {
                let pause = retry_after.map_or(wait, Duration::from_secs).clamp(wait, LONGEST_WAIT);
                tokio::time::sleep(pause).await;
                wait *= 2;
            }
            answer => return answer,
        }
    }
    ask().await
}

/// The error of a request that had no answer in time.
pub(super) fn late(call: &Call) -> ClusterError {
    ClusterError::Timeout { what: call.what(), seconds: call.deadline.as_secs() }
}

/// Path of a kind's objects: of one namespace, or of all. Names are from manifests: what could leave the path is refused.
pub(super) fn collection(resource: &Resource, namespace: Option<&str>) -> Result<String, ClusterError> {
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let group_version = join_api_version(&resource.group, &resource.version);
    let mut path = format!("{root}/{group_version}");
    if let Some(namespace) = namespace.filter(|_| resource.namespaced) {
        let _ = write!(path, "/namespaces/{}", segment(namespace)?);
    }
    let _ = write!(path, "/{}", segment(&resource.plural)?);
    Ok(path)
}

/// Path of one object.
pub(super) fn item(resource: &Resource, namespace: Option<&str>, name: &str) -> Result<String, ClusterError> {
    if resource.namespaced && namespace.is_none() {
        return Err(ClusterError::Invalid {
            message: format!("{} {}: it needs a namespace", resource.kind, clean(name)),
        });
    }
    Ok(format!("{}/{}", collection(resource, namespace)?, segment(name)?))
}

fn segment(name: &str) -> Result<String, ClusterError> {
    // The API server forbids just these in names (apimachinery's path validation).
    if matches!(name, "" | "." | "..") || name.contains(['/', '%']) {
        return Err(ClusterError::Invalid { message: format!("`{}` cannot be the name of an object", clean(name)) });
    }
    Ok(encode(name))
}

/// Percent-encodes all but what RFC 3986 leaves unreserved, and the `:` of RBAC names.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Reads `299 - "text"` (RFC 7234, 5.5).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::WARNING)
        .iter()
        .filter_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let quoted = text.split_once('"')?.1.rsplit_once('"')?.0;
            Some(clean(&quoted.replace("\\\"", "\"").replace("\\\\", "\\")).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(group: &str, namespaced: bool) -> Resource {
        Resource {
            group: group.into(),
            version: "v1".into(),
            kind: "Thing".into(),
            plural: "things".into(),
            namespaced,
            verbs: vec![],
        }
    }

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(item(&resource("", true), Some("a"), "b").unwrap(), "/api/v1/namespaces/a/things/b");
        assert_eq!(item(&resource("x.io", false), Some("a"), "system:b").unwrap(), "/apis/x.io/v1/things/system:b");
        assert_eq!(collection(&resource("x.io", true), None).unwrap(), "/apis/x.io/v1/things");
    }

    #[test]
    fn a_name_from_a_manifest_cannot_leave_its_path() {
        for name in ["", ".", "..", "../secrets/x", "a%2fb"] {
            assert!(item(&resource("", true), Some("a"), name).is_err(), "{name}");
            assert!(item(&resource("", true), Some(name), "b").is_err(), "{name}");
        }
        assert_eq!(
            item(&resource("", true), Some("a"), "b?c#d e").unwrap(),
            "/api/v1/namespaces/a/things/b%3Fc%23d%20e"
        );
        assert!(item(&resource("", true), None, "b").is_err());
    }

    #[test]
    fn warnings_are_read_out_of_their_headers() {
        let mut headers = HeaderMap::new();
        headers.append(header::WARNING, "299 - \"v1 Endpoints is \\\"deprecated\\\"\"".parse().unwrap());
        headers.append(header::WARNING, "299 - \"two\"".parse().unwrap());
        assert_eq!(warnings(&headers), ["v1 Endpoints is \"deprecated\"", "two"]);
    }

    /// A server that gives every request this answer.
    fn server(status: u16, body: String) -> Transport {
        let service = tower::service_fn(move |_: Request<Body>| {
            let answer = Response::builder().status(status).body(Body::from(body.clone().into_bytes())).unwrap();
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        Transport::new(kube::Client::new(service, "default"), "https://api".into())
    }

    #[tokio::test]
    async fn a_conflict_over_very_many_fields_is_told_whole() {
        let cause = |index: usize| {
            serde_json::json!({"reason": "FieldManagerConflict", "message": "conflict with \"hand\" using v1",
                "field": format!(".data.{index:0>100}")})
        };
        let causes: Vec<Value> = (0..12_000).map(cause).collect();
        let message = "conflicts with \"hand\" using v1:\n".repeat(12_000);
        let body = serde_json::json!({"message": message, "details": {"causes": causes}}).to_string();
        assert!(body.len() > 2 << 20, "{}", body.len());
        match server(409, body).once(&Call::new(Method::PATCH, "/x")).await.err() {
            Some(ClusterError::Conflicts { message, conflicts }) => {
                assert_eq!(conflicts.len(), 12_000);
                assert!(message.starts_with("conflicts with") && message.len() < 4096, "{}", message.len());
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_refusal_that_is_too_long_to_be_read_is_not_taken_for_another_one() {
        let endless = "x".repeat(LONGEST_REFUSAL + 1);
        for (status, endlessly) in [(409, true), (422, true), (500, true), (403, false), (503, false)] {
            let error = server(status, endless.clone()).once(&Call::new(Method::PATCH, "/x")).await.err().unwrap();
            assert_eq!(matches!(error, ClusterError::Endless { .. }), endlessly, "{status}: {error}");
        }
        let busy = server(503, endless).once(&Call::get("/x")).await.err().unwrap();
        assert!(matches!(busy, ClusterError::Busy { .. }), "{busy}");
    }
}
