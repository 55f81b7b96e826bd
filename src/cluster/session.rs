//! The connection to one API server as one user.

use super::{
    Catalog, ClusterError, LiveCache, LiveObject, Resource, Scope, Target, client, discovery, kubeconfig,
    openapi::OpenApi,
    request::{Call, Reply, Transport, collection, item},
    rights,
};
use crate::merge::Schemas;
use crate::object::{ObjectId, join_api_version, sha256_hex};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Objects of one page of a LIST.
const PAGE: &str = "500";
/// Deadline of the first answer: a server that accepts connections and says nothing is as good as unreachable.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Deadline of a ping.
const PING: Duration = Duration::from_secs(5);
/// Deadline of one page: a server may take long over many large objects.
const PAGE_DEADLINE: Duration = Duration::from_secs(60);

/// A connection to one API server as one user. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    inner: Arc<SessionInner>,
}

struct SessionInner {
    transport: Arc<Transport>,
    context: String,
    user: String,
    cluster_id: String,
    version: String,
    catalog: RwLock<Arc<Catalog>>,
    live: LiveCache,
    openapi: Arc<OpenApi>,
    watch_rights: Mutex<HashMap<Scope, bool>>,
}

impl Session {
    /// Connects: reads the kubeconfig, builds the client, asks version, user (SelfSubjectReview), the uid of `kube-system` (else the CA's hash) and discovery.
    ///
    /// # Errors
    /// [`ClusterError`]: kubeconfig, context, exec plugin not allowed, unreachable, credentials.
    pub async fn connect(target: &Target) -> Result<Self, ClusterError> {
        let chosen = kubeconfig::load(target).await?;
        let server = chosen.config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let certificates = chosen.config.root_cert.clone();
        let client = client::build(chosen.config).await?;
        let transport = Arc::new(Transport::new(client, server));
        // The first request opens the connection that the others then share.
        let version = match transport.read(&Call::get("/version").deadline(FIRST_ANSWER)).await {
            Err(ClusterError::Timeout { seconds, .. }) => {
                let reason = format!("no answer within {seconds} s");
                return Err(ClusterError::Unreachable { server: transport.server().to_owned(), reason });
            }
            answer => answer?.json().await?,
        };
        let version = version["gitVersion"].as_str().unwrap_or_default().trim_start_matches('v').to_owned();
        let (user, uid, catalog) =
            futures::try_join!(rights::user(&transport), system_uid(&transport), discovery::discover(&transport))?;
        let cluster_id = uid.unwrap_or_else(|| match certificates {
            Some(certificates) => format!("ca:{}", sha256_hex(certificates.concat())),
            None => format!("server:{}", transport.server()),
        });
        let openapi = Arc::new(OpenApi::new(target.cache.clone(), &cluster_id));
        Ok(Self {
            inner: Arc::new(SessionInner {
                live: LiveCache::new(Arc::clone(&transport)),
                transport,
                context: chosen.context,
                user,
                cluster_id,
                version,
                catalog: RwLock::new(Arc::new(catalog)),
                openapi,
                watch_rights: Mutex::default(),
            }),
        })
    }
    /// Name of the context.
    pub fn context(&self) -> &str {
        &self.inner.context
    }
    /// The server's address.
    pub fn server(&self) -> &str {
        self.inner.transport.server()
    }
    /// The user as the API server knows it.
    pub fn user(&self) -> &str {
        &self.inner.user
    }
    /// Identity of the cluster: uid of namespace `kube-system`, else `ca:` and the CA's SHA-256.
    pub fn cluster_id(&self) -> &str {
        &self.inner.cluster_id
    }
    /// `gitVersion` without the `v`.
    pub fn version(&self) -> &str {
        &self.inner.version
    }
    /// Asks `/version` and returns the round trip.
    ///
    /// # Errors
    /// [`ClusterError::Unreachable`] and the like.
    pub async fn ping(&self) -> Result<Duration, ClusterError> {
        let sent = Instant::now();
        self.transport().once(&Call::get("/version").deadline(PING)).await?;
        Ok(sent.elapsed())
    }
    /// Ends when a request or a watch found nobody at the other end: the link may be gone, [`Session::ping`] tells.
    pub async fn doubted(&self) {
        self.transport().doubted().await;
    }
    /// What the server serves, as last discovered.
    pub fn catalog(&self) -> Arc<Catalog> {
        // The lock guards one pointer: a writer that died left a whole one behind.
        Arc::clone(&self.inner.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }
    /// Discovers again (a CRD was applied, a kind is unknown).
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn rediscover(&self) -> Result<Arc<Catalog>, ClusterError> {
        let catalog = Arc::new(discovery::discover(self.transport()).await?);
        *self.inner.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&catalog);
        self.inner.openapi.look_again(&self.inner.transport);
        Ok(catalog)
    }
    /// Returns the schemas of these groups and versions (`apps/v1`, `v1`), as far as the server has them; others that were asked for
    /// before are there too. What is known is returned without a request.
    ///
    /// # Errors
    /// Where the server has no OpenAPI v3, or the user may not read it.
    pub async fn schemas(&self, api_versions: &BTreeSet<String>) -> Result<Arc<Schemas>, ClusterError> {
        self.inner.openapi.schemas(self.transport(), api_versions).await
    }
    /// Asks whether schemas in use have changed.
    ///
    /// # Errors
    /// As [`Session::schemas`].
    pub async fn refresh_schemas(&self) -> Result<(), ClusterError> {
        self.inner.openapi.refresh(self.transport()).await
    }
    /// Follows a number that grows whenever a schema that was handed out is another one now: what was predicted under another
    /// number may be wrong.
    pub fn schema_epoch(&self) -> watch::Receiver<u64> {
        self.inner.openapi.epoch()
    }
    /// The watches of this session.
    pub fn live(&self) -> &LiveCache {
        &self.inner.live
    }
    /// Reads one object; none: 404.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn get(&self, resource: &Resource, id: &ObjectId) -> Result<Option<LiveObject>, ClusterError> {
        let call = Call::get(item(resource, id.namespace.as_deref(), &id.name)?);
        match self.transport().read(&call).await {
            Ok(reply) => Ok(Some(LiveObject::new(reply.json().await?))),
            Err(ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
    /// Lists a scope as it is now, by a label selector where given. 404 of the kind is an empty list.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn list(&self, scope: &Scope, selector: Option<&str>) -> Result<Vec<LiveObject>, ClusterError> {
        match list(self.transport(), scope, selector, None).await {
            Ok((items, _)) => Ok(items),
            Err(ClusterError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
    /// What was asked about rights to watch.
    pub(super) fn watch_rights(&self) -> MutexGuard<'_, HashMap<Scope, bool>> {
        // Nothing under this lock panics half-way through a change.
        self.inner.watch_rights.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The requests' way to the server, for what else is kept in it.
    pub(super) fn transport(&self) -> &Transport {
        &self.inner.transport
    }
    /// Creates an object by POST: unlike an apply it fails where the object exists.
    pub(super) async fn create(&self, resource: &Resource, body: &Value) -> Result<LiveObject, ClusterError> {
        let namespace = body.pointer("/metadata/namespace").and_then(Value::as_str);
        let call = Call::new(http::Method::POST, collection(resource, namespace)?)
            .with("fieldManager", super::FIELD_MANAGER)
            .body("application/json", body)
            .deadline(super::request::DEADLINE);
        Ok(LiveObject::new(self.transport().once(&call).await?.json().await?))
    }
}

async fn system_uid(transport: &Transport) -> Result<Option<String>, ClusterError> {
    match transport.read(&Call::get("/api/v1/namespaces/kube-system")).await {
        Ok(reply) => Ok(reply.json().await?.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned)),
        Err(ClusterError::Forbidden { .. } | ClusterError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists a scope page by page, and returns the objects with the list's resourceVersion. `resource_version` "0" takes any state
/// that the server has at hand; none is the newest.
pub(super) async fn list(
    transport: &Transport,
    scope: &Scope,
    selector: Option<&str>,
    resource_version: Option<&str>,
) -> Result<(Vec<LiveObject>, String), ClusterError> {
    let path = collection(&scope.resource, scope.namespace.as_deref())?;
    let (mut items, mut next): (Vec<LiveObject>, Option<String>) = (Vec::new(), None);
    loop {
        let mut call =
            Call::get(&path).with("limit", PAGE).with_some("labelSelector", selector).deadline(PAGE_DEADLINE);
        call = match &next {
            Some(next) => call.with("continue", next),
            None => call.with_some("resourceVersion", resource_version),
        };
        let page = match transport.read(&call).await {
            // The pages took so long that the rest of this state is forgotten: all at once instead.
            Err(ClusterError::Other { code: 410, .. }) if next.is_some() => {
                items.clear();
                transport.read(&Call::get(&path).with_some("labelSelector", selector).deadline(PAGE_DEADLINE)).await
            }
            page => page,
        };
        let mut page = Reply::json(page?).await?;
        if let Some(page) = page.get_mut("items").and_then(Value::as_array_mut) {
            items.extend(page.drain(..).map(|item| LiveObject::new(typed(item, &scope.resource))));
        }
        let meta =
            |field: &str| page.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default();
        next = Some(meta("continue").to_owned()).filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok((items, meta("resourceVersion").to_owned()));
        }
    }
}

/// Built-in kinds leave kind and version out of the items of a list.
fn typed(mut item: Value, resource: &Resource) -> Value {
    if let Some(object) = item.as_object_mut() {
        object.entry("apiVersion").or_insert_with(|| join_api_version(&resource.group, &resource.version).into());
        object.entry("kind").or_insert_with(|| resource.kind.clone().into());
    }
    item
}
