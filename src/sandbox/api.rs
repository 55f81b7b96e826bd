//! One request: who asks, what for, may they, and which part of the sandbox answers.

use super::{
    access::{self, Wish},
    answer::{self, Answer},
    catalog::{self, Catalog, Resource},
    certificates::User,
    discovery,
    failure::Failure,
    openapi, read,
    request::{Query, Target, Verb},
    reviews, scale,
    schemas::Documents,
    selector::Selector,
    store::{Key, Store},
    watch as watching, write,
};
use http::{HeaderMap, header, request::Parts};
use hyper::body::Bytes;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The longest body that is read, as the server's limit is.
pub(super) const BODY_LIMIT: usize = 3 << 20;

/// Resources of which every answer says that others take their place.
const DEPRECATED: &[(&str, &str)] = &[
    ("endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
    ("componentstatuses", "v1 ComponentStatus is deprecated in v1.19+"),
];

const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The server's state.
pub(super) struct Api {
    /// The objects.
    pub store: Arc<Store>,
    /// What is known of their kinds.
    pub documents: Documents,
    catalog: RwLock<Arc<Catalog>>,
    /// The certificate that clients in the cluster trust.
    pub authority: String,
    /// `127.0.0.1:6443`.
    pub address: String,
    /// Becomes true when the server ends.
    pub stopped: watch::Receiver<bool>,
}

/// A request about a resource.
pub(super) struct Call<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What.
    pub resource: &'a Arc<Resource>,
    /// The path's parts.
    pub target: &'a Target,
    /// What stands behind the path.
    pub query: &'a Query,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a Bytes,
}

/// Which objects a watch is about.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Of which resource.
    pub resource: Arc<Resource>,
    /// None: of all.
    pub namespace: Option<String>,
    /// None: any.
    pub name: Option<String>,
}

impl Scope {
    /// Whether an object is one of them.
    pub fn has(&self, key: &Key) -> bool {
        key.collection == self.resource.collection
            && self.namespace.as_deref().is_none_or(|namespace| *key.namespace == *namespace)
            && self.name.as_deref().is_none_or(|name| *key.name == *name)
    }
}

impl Call<'_> {
    /// The namespace of the path.
    pub fn namespace(&self) -> Option<&str> {
        self.target.namespace.as_deref()
    }
    /// The name of the path; empty for a collection.
    pub fn name(&self) -> &str {
        self.target.name.as_deref().unwrap_or_default()
    }
    /// Where the object is kept.
    pub fn key(&self) -> Key {
        Key::new(&self.resource.collection, self.namespace().unwrap_or_default(), self.name())
    }
    /// Which objects it is about.
    pub fn scope(&self) -> Scope {
        Scope {
            resource: self.resource.clone(),
            namespace: self.target.namespace.clone(),
            name: self.target.name.clone(),
        }
    }
    /// The selection.
    ///
    /// # Errors
    /// 400.
    pub fn selector(&self) -> Result<Selector, Failure> {
        Selector::read(self.resource, self.query.get("labelSelector"), self.query.get("fieldSelector"))
    }
    /// 404.
    pub fn not_found(&self) -> Failure {
        Failure::not_found(&self.resource.group, &self.resource.plural, self.name())
    }
    /// The body's media type.
    pub fn media_type(&self) -> &str {
        let value = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }
    /// Whether nothing is to be written.
    ///
    /// # Errors
    /// 422 for another value than `All`.
    pub fn dry_run(&self) -> Result<bool, Failure> {
        match self.query.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let cause = super::failure::Cause::unsupported("dryRun", &[other].as_slice().into(), &["All"]);
                Err(Failure::invalid("meta.k8s.io", "CreateOptions", "", &[cause]))
            }
        }
    }
    /// Who writes: the parameter, or the first part of the client's name.
    pub fn manager(&self) -> String {
        let agent = self.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
        let given = self.query.get("fieldManager");
        given.unwrap_or_else(|| agent.split('/').next().unwrap_or_default()).chars().take(128).collect()
    }
}

impl Api {
    /// An API over a store.
    pub fn new(store: Arc<Store>, authority: String, address: String, stopped: watch::Receiver<bool>) -> Self {
        let catalog = RwLock::new(Arc::new(Catalog::built_in()));
        Self { store, documents: Documents::default(), catalog, authority, address, stopped }
    }

    /// What is served now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up the definitions as they are now.
    pub fn define(&self) {
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        *catalog = self.defined();
    }

    /// Writes to the store. A definition is taken up in the same moment: nobody sees the one without the other.
    pub fn commit<T>(&self, resource: &Resource, write: impl FnOnce() -> T) -> T {
        if &*resource.collection != DEFINITIONS {
            return write();
        }
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        let written = write();
        *catalog = self.defined();
        written
    }

    fn defined(&self) -> Arc<Catalog> {
        let made = Catalog::with_definitions(&self.all(DEFINITIONS, None));
        self.documents.define(&made);
        Arc::new(made)
    }

    /// Waits until a revision is on disk.
    ///
    /// # Errors
    /// 500, where it will never be.
    pub async fn settled(&self, revision: u64) -> Result<(), Failure> {
        self.store.settled(revision).await.map_err(Failure::broken)
    }

    /// Answers a request.
    pub async fn answer(self: &Arc<Self>, user: &User, head: &Parts, body: &Bytes) -> Answer {
        self.routed(user, head, body).await.unwrap_or_else(|failure| answer::refused(&failure))
    }

    /// Who is meant: whoever may impersonate says it in headers.
    fn acting(&self, user: &User, headers: &HeaderMap, meant: &Wish<'_>) -> Result<User, Failure> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(name) = text("impersonate-user") else { return Ok(user.clone()) };
        let groups: Vec<&str> =
            headers.get_all("impersonate-group").iter().filter_map(|value| value.to_str().ok()).collect();
        for (resource, name) in std::iter::once(("users", name)).chain(groups.iter().map(|group| ("groups", *group))) {
            let wish = Wish { verb: "impersonate", resource, name, ..Wish::default() };
            if access::granted(&self.store, user, &wish).is_none() {
                // The right that is missing is named after what was to be done (KEP-5284).
                let verb = format!("impersonate-on:user-info:{}", meant.verb);
                return Err(access::refusal(user, &Wish { verb: &verb, ..meant.clone() }));
            }
        }
        Ok(User::authenticated(name, &groups))
    }

    async fn routed(self: &Arc<Self>, user: &User, head: &Parts, body: &Bytes) -> Result<Answer, Failure> {
        let path = head.uri.path();
        let Some(target) = Target::read(path) else { return self.path(user, head) };
        let query = Query::read(head.uri.query().unwrap_or_default());
        let watches = query.is("watch");
        let verb = Verb::of(&head.method, target.name.is_some(), watches).ok_or_else(Failure::method_not_allowed)?;
        let resource = match &target.subresource {
            Some(part) => format!("{}/{part}", target.resource),
            None => target.resource.clone(),
        };
        let wish = Wish {
            verb: verb.name(),
            group: &target.group,
            resource: &resource,
            namespace: match target.resource.as_str() {
                "namespaces" => target.name.as_deref().unwrap_or_default(),
                _ => target.namespace.as_deref().unwrap_or_default(),
            },
            name: target.name.as_deref().unwrap_or_default(),
            path,
        };
        let user = &self.acting(user, &head.headers, &wish)?;
        if access::granted(&self.store, user, &wish).is_none() {
            return Err(access::refusal(user, &wish));
        }
        let catalog = self.catalog();
        let Some(found) = catalog.find(&target.group, &target.version, &target.resource) else {
            return Ok(answer::bytes(404, "text/plain; charset=utf-8", b"404 page not found\n".to_vec()));
        };
        if found.namespaced && target.namespace.is_none() && (target.name.is_some() || verb == Verb::Create)
            || !found.namespaced && target.namespace.is_some()
        {
            return Err(Failure::no_resource());
        }
        let call = Call { user, resource: found, target: &target, query: &query, headers: &head.headers, body };
        let answer = self.called(verb, &call).await?;
        let deprecated = DEPRECATED.iter().filter(|(collection, _)| *collection == &*found.collection);
        Ok(answer::warned(answer, &deprecated.map(|(_, word)| (*word).to_owned()).collect::<Vec<_>>()))
    }

    async fn called(self: &Arc<Self>, verb: Verb, call: &Call<'_>) -> Result<Answer, Failure> {
        if let Some(answer) = reviews::answer(self, verb, call)? {
            return Ok(answer);
        }
        let part = match &call.target.subresource {
            Some(name) => {
                let part = call.resource.subresource(name).ok_or_else(Failure::no_resource)?;
                if !part.verbs.iter().any(|known| known == verb.name()) {
                    return Err(Failure::method_not_allowed());
                }
                name.as_str()
            }
            None if !call.resource.verbs.iter().any(|known| known == verb.name()) => {
                return Err(Failure::method_not_allowed());
            }
            None => "",
        };
        match (part, verb) {
            ("scale", _) => scale::answer(self, verb, call).await,
            ("" | "status" | "finalize" | "approval" | "resize" | "ephemeralcontainers", Verb::Get) => {
                read::get(self, call).await
            }
            ("", Verb::List) => read::list(self, call).await,
            ("", Verb::Watch) => watching::watch(self, call).await,
            ("", Verb::Create) => write::create(self, call).await,
            ("" | "status" | "finalize" | "approval", Verb::Update) => write::update(self, call).await,
            ("" | "status" | "approval", Verb::Patch) => write::patch(self, call).await,
            ("", Verb::Delete) => write::delete(self, call).await,
            ("", Verb::DeleteCollection) => write::delete_collection(self, call).await,
            ("log", Verb::Get) => super::pods::log(self, call),
            ("eviction", Verb::Create) => super::pods::evict(self, call).await,
            _ => Err(Failure::no_resource()),
        }
    }

    /// Paths that are no resource.
    fn path(&self, user: &User, head: &Parts) -> Result<Answer, Failure> {
        let path = head.uri.path();
        let wish = Wish { verb: "get", path, ..Wish::default() };
        let user = &self.acting(user, &head.headers, &wish)?;
        if access::granted(&self.store, user, &wish).is_none() {
            return Err(access::refusal(user, &wish));
        }
        let catalog = self.catalog();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let aggregated = answer::wants_aggregated(&head.headers);
        let found = match parts.as_slice() {
            [""] => Some(discovery::paths(&catalog)),
            ["version"] => Some(catalog::version().clone()),
            ["healthz" | "livez" | "readyz", ..] => {
                return Ok(answer::bytes(200, "text/plain; charset=utf-8", b"ok".to_vec()));
            }
            ["api" | "apis"] if aggregated => {
                let document = discovery::aggregated(&catalog, parts[0] == "api");
                return Ok(answer::bytes(200, discovery::AGGREGATED, document.to_string().into_bytes()));
            }
            ["api"] => Some(discovery::core_versions(&self.address)),
            ["apis"] => Some(discovery::groups(&catalog)),
            ["api", version] => discovery::resources(&catalog, "", version),
            ["apis", group] => discovery::group(&catalog, group),
            ["apis", group, version] => discovery::resources(&catalog, group, version),
            ["openapi", "v2"] => return openapi::version_2(&head.headers),
            ["openapi", "v3"] => Some(self.documents.index()),
            ["openapi", "v3", rest @ ..] => {
                let document = self.documents.document(&rest.join("/"));
                return document
                    .map(|document| answer::bytes(200, "application/json", document))
                    .ok_or_else(Failure::no_resource);
            }
            _ => None,
        };
        match found {
            Some(document) => Ok(answer::document(200, &document)),
            None => Ok(answer::bytes(404, "text/plain; charset=utf-8", b"404 page not found\n".to_vec())),
        }
    }
}
