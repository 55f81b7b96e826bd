//! A Kubernetes API inside this process: kubectl, driftdeck and other clients work on it as on a cluster.
//!
//! See [`Sandbox`] for the entry point. A real kube-apiserver is the measure: what it answers is answered here, in its words
//! (`tests/sandbox_kubectl.rs` compares), and what is not there says so as the server would.
//!
//! ```text
//! server       TLS, HTTP            request      path, query, verb     access    RBAC
//! api          one request's way    read, watch  GET                   write     POST, PUT, PATCH, DELETE
//! store        objects, revisions, history, log on disk
//! catalog      what is served       schemas, openapi, discovery        the documents about it
//! decode       bodies to objects    protobuf     the other encoding    convert   versions of a kind
//! validate     what is refused      patch        three kinds           failure   refusals
//! answer       objects to bytes     table        rows for people       selector  which objects
//! controllers  what a cluster does by itself      bootstrap            what is there at first
//! ```
//! Owners of fields, server-side apply and defaults are [`crate::merge`]'s.

mod access;
mod answer;
mod api;
mod bootstrap;
mod catalog;
mod certificates;
mod controllers;
mod convert;
mod decode;
mod discovery;
mod failure;
mod lookup;
mod meta;
mod openapi;
mod patch;
mod pods;
mod protobuf;
mod read;
mod request;
mod reviews;
mod scale;
mod schemas;
mod selector;
mod server;
mod store;
mod table;
mod validate;
mod watch;
mod write;

use api::Api;
use certificates::Certificates;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};
use store::Store;
use tokio::{net::TcpListener, sync::watch as channel, task::JoinHandle};

/// How a sandbox is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its objects and certificates are kept; made where it is not there.
    pub dir: PathBuf,
    /// On loopback; 0: any that is free.
    pub port: u16,
    /// Whether what is in the folder is thrown away.
    pub fresh: bool,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Somebody else listens there.
    #[error("port {0} is in use; give another with --port, or none for any that is free")]
    PortInUse(u16),
    /// Nobody can listen.
    #[error("port {port} of 127.0.0.1: {source}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The folder, or what is in it.
    #[error("{0}")]
    Folder(String),
    /// What is there at first cannot be made.
    #[error("the sandbox's first objects cannot be made: {0}; start anew with --fresh")]
    Bootstrap(String),
}

/// A running sandbox.
pub struct Sandbox {
    address: SocketAddr,
    kubeconfig: PathBuf,
    store: Arc<Store>,
    stop: channel::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts one: it answers when this returns.
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let listener = listen(options.port).await?;
        let address = listener.local_addr().map_err(|source| SandboxError::Listen { port: options.port, source })?;
        let folder = |error: &dyn std::fmt::Display| SandboxError::Folder(error.to_string());
        let dir = options.dir.clone();
        // The store comes first: it finds out whether another sandbox uses the folder.
        let store = Store::open(&dir, options.fresh).map_err(|error| folder(&error))?;
        let certificates = Certificates::open(&dir, options.fresh).map_err(|error| folder(&error))?;
        let (stop, stopped) = channel::channel(false);
        let api = Arc::new(Api::new(store.clone(), certificates.authority.clone(), address.to_string(), stopped));
        api.define();
        bootstrap::run(&api).map_err(|failure| SandboxError::Bootstrap(failure.message))?;
        let kubeconfig =
            certificates.write_kubeconfig(&dir, &format!("https://{address}")).map_err(|error| folder(&error))?;
        let tasks = vec![
            tokio::spawn(controllers::run(api.clone())),
            tokio::spawn(server::serve(listener, Arc::new(certificates), api)),
        ];
        Ok(Self { address, kubeconfig, store, stop, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kubeconfig with the users `admin`, `editor` and `viewer`.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Ends it; all that was accepted is on disk.
    pub async fn stop(self) {
        // Nobody listens any more where the tasks have ended by themselves.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!("a task of the sandbox ended: {error}");
            }
        }
        self.store.close();
    }
}

/// Loopback only: what is tried out is nobody else's.
async fn listen(port: u16) -> Result<TcpListener, SandboxError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => SandboxError::PortInUse(port),
        _ => SandboxError::Listen { port, source },
    })
}
