//! Plain requests to the API server: what goes over the wire is what the test says.

use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the test waits for anything.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Server(kube::Client);

/// What a request is answered with.
#[derive(Clone, Debug)]
pub struct Reply {
    pub code: u16,
    pub body: Value,
}

impl Reply {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.code)
    }
    /// In the form of the recorded answers.
    pub fn answer(&self) -> Value {
        json!({"code": self.code, if self.is_ok() { "object" } else { "status" }: self.body})
    }
}

pub const APPLY: &str = "application/apply-patch+yaml";
pub const MERGE: &str = "application/merge-patch+json";
pub const JSON_PATCH: &str = "application/json-patch+json";

impl Server {
    pub async fn connect(kubeconfig: &std::path::Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let options = kube::config::KubeConfigOptions { context: Some("admin".into()), ..Default::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a configuration");
        Self(kube::Client::try_from(config).expect("a client"))
    }

    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: Option<&Value>) -> Reply {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        // A busy server says so and is asked again; a request is never answered half.
        let started = Instant::now();
        loop {
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header("content-type", content_type)
                .header("accept", "application/json")
                .body(Body::from(bytes.clone().into_bytes()))
                .expect("a request");
            let reply = match self.0.send(request).await {
                Ok(response) => {
                    let code = response.status().as_u16();
                    let bytes = response.into_body().collect().await.expect("a whole answer").to_bytes();
                    let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
                    Some(Reply { code, body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) })
                }
                Err(_) if started.elapsed() < DEADLINE => None,
                Err(error) => panic!("{path}: {error}"),
            };
            match reply {
                Some(reply) if !matches!(reply.code, 429 | 502..=504) || started.elapsed() > DEADLINE => return reply,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, "application/json", None).await
    }

    pub async fn patch(&self, path: &str, content_type: &str, body: &Value) -> Reply {
        self.send(Method::PATCH, path, content_type, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        self.send(Method::DELETE, path, "application/json", Some(&options)).await
    }

    /// Asks until the answer is right.
    pub async fn until(&self, path: &str, right: impl Fn(&Reply) -> bool) -> Reply {
        let started = Instant::now();
        loop {
            let reply = self.get(path).await;
            if right(&reply) {
                return reply;
            }
            assert!(started.elapsed() < DEADLINE, "{path} is still {} {}", reply.code, reply.body);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
