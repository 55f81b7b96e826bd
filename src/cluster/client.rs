//! The HTTP client: kube's layers for address, credentials and headers over our own HTTP/2 connections. kube's own client speaks
//! HTTP/1.1 only, and would open one connection for each of the watches.

use super::{ClusterError, kubeconfig::causes};
use http::{Request, Response, Uri};
use hyper_util::{
    client::legacy::{
        Client as Connections, ResponseFuture,
        connect::{
            Connect, Connection, HttpConnector,
            proxy::{SocksV5, Tunnel},
        },
    },
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{AuthError, Body, ConfigExt},
};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower::{BoxError, Service};
use tower_http::decompression::DecompressionLayer;

/// Connections of one client. Lane 0 is for requests; the watches are spread over the others, since a server limits the
/// streams of one connection and a write must never wait behind them.
const LANES: usize = 17;
/// Watches that share one connection before the next is opened.
const WATCHES_PER_LANE: usize = 60;
/// Life of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);
/// HTTP/2 pings find a connection whose other end is gone without a word.
const PING: Duration = Duration::from_secs(10);
/// Life of an exec plugin's run.
const PLUGIN: Duration = Duration::from_secs(60);

/// Says over which connection a request goes; set as an extension of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane(usize);

impl Lane {
    /// Returns the lane of the `index`th watch.
    pub fn of_watch(index: usize) -> Self {
        Self(1 + index / WATCHES_PER_LANE % (LANES - 1))
    }
}

/// Builds the client. An exec plugin runs here, on a thread that may block.
pub(super) async fn build(config: Config) -> Result<Client, ClusterError> {
    // Some other part of the program may have chosen one before; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = tokio::task::spawn_blocking(move || through_proxy(&config));
    match tokio::time::timeout(PLUGIN, built).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => Err(ClusterError::Kubeconfig(format!("the client could not be built: {error}"))),
        Err(_) => Err(ClusterError::Timeout { what: "the kubeconfig's exec plugin".into(), seconds: PLUGIN.as_secs() }),
    }
}

/// Says what is wrong with the credentials without repeating a plugin's output or environment, which may hold them.
pub(super) fn credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let words = String::from_utf8_lossy(&out.stderr);
            let words: String = words.trim().chars().take(300).collect();
            format!("the exec plugin failed ({}): {}", out.status, crate::object::clean(&words))
        }
        AuthError::AuthExecParse(_) => "the exec plugin printed no ExecCredential".into(),
        AuthError::AuthExecStart(error) => {
            format!("the exec plugin does not start: {error}; is it installed and on PATH?")
        }
        other => other.to_string(),
    }
}

fn through_proxy(config: &Config) -> Result<Client, ClusterError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    let Some(proxy) = config.proxy_url.clone() else { return stack(config, http) };
    match proxy.scheme_str() {
        Some("socks5") => stack(config, SocksV5::new(proxy, http)),
        Some("http") => stack(config, Tunnel::new(proxy, http)),
        _ => Err(ClusterError::Kubeconfig("proxy-url: only http:// and socks5:// proxies are supported".into())),
    }
}

fn stack<C>(config: &Config, connector: C) -> Result<Client, ClusterError>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError> + Send + Sync + std::error::Error + 'static,
{
    let tls = config.rustls_client_config().map_err(|error| unusable(&error))?;
    let mut https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name =
            name.clone().try_into().map_err(|error| ClusterError::Kubeconfig(format!("tls-server-name: {error}")))?;
        https = https.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name));
    }
    let https = https.enable_all_versions().wrap_connector(connector);
    let connections = Connections::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .http2_keep_alive_while_idle(true)
        .clone();
    let lanes = Lanes { connections: (0..LANES).map(|_| connections.build(https.clone())).collect() };
    let service = tower::ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(config.auth_layer().map_err(|error| unusable(&error))?)
        .layer(config.extra_headers_layer().map_err(|error| unusable(&error))?)
        .map_err(BoxError::from)
        .service(lanes);
    Ok(Client::new(service, config.default_namespace.clone()))
}

fn unusable(error: &kube::Error) -> ClusterError {
    ClusterError::Kubeconfig(match error {
        kube::Error::Auth(error) => credentials(error),
        other => causes(other),
    })
}

/// Sends each request over the connection of its [`Lane`].
#[derive(Clone)]
struct Lanes<C> {
    connections: Arc<[Connections<C, Body>]>,
}

impl<C: Connect + Clone + Send + Sync + 'static> Service<Request<Body>> for Lanes<C> {
    type Response = Response<hyper::body::Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Lane(lane) = request.extensions().get().copied().unwrap_or_default();
        self.connections[lane % self.connections.len()].request(request)
    }
}
