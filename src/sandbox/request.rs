//! What a request asks for: the parts of its path, its query, its verb.

use std::borrow::Cow;

/// The path of a request that is about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// Empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// None for objects of the cluster, and of all namespaces.
    pub namespace: Option<String>,
    /// `pods`.
    pub resource: String,
    /// None for a collection.
    pub name: Option<String>,
    /// `status`.
    pub subresource: Option<String>,
}

impl Target {
    /// Reads a path; none where it is about no resource.
    pub fn read(path: &str) -> Option<Self> {
        let parts: Vec<String> = path.trim_matches('/').split('/').map(|part| decoded(part).into_owned()).collect();
        let mut parts = parts.into_iter();
        let (group, version) = match parts.next()?.as_str() {
            "api" => (String::new(), parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let mut rest: Vec<String> = parts.collect();
        let mut namespace = None;
        // A namespace's own parts are not objects in it.
        if rest.len() >= 3
            && rest[0] == "namespaces"
            && !(group.is_empty() && matches!(rest[2].as_str(), "status" | "finalize"))
        {
            namespace = Some(rest.remove(1));
            rest.remove(0);
        }
        let mut rest = rest.into_iter();
        let target =
            Self { group, version, namespace, resource: rest.next()?, name: rest.next(), subresource: rest.next() };
        if target.resource.is_empty() { None } else { Some(target) }
    }
}

/// The parameters behind the path.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`.
    pub fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| decoded(&text.replace('+', " ")).into_owned();
            (plain(name), plain(value))
        });
        Self(pairs.collect())
    }
    /// The first value of a parameter; an empty one counts as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
    /// A yes or no.
    pub fn is(&self, name: &str) -> bool {
        self.0.iter().any(|(known, value)| known == name && matches!(value.as_str(), "true" | "1"))
    }
    /// A number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is done (the verbs of RBAC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// One object.
    Get,
    /// A collection.
    List,
    /// Its changes.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// One object.
    Delete,
    /// All that a selector finds.
    DeleteCollection,
}

impl Verb {
    /// The verb of a request.
    pub fn of(method: &http::Method, named: bool, watch: bool) -> Option<Self> {
        Some(match (method.as_str(), named) {
            ("GET" | "HEAD", _) if watch => Self::Watch,
            ("GET" | "HEAD", true) => Self::Get,
            ("GET" | "HEAD", false) => Self::List,
            ("POST", _) => Self::Create,
            ("PUT", _) => Self::Update,
            ("PATCH", _) => Self::Patch,
            ("DELETE", true) => Self::Delete,
            ("DELETE", false) => Self::DeleteCollection,
            _ => return None,
        })
    }
    /// As RBAC and discovery name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let target = |path: &str| {
            let target = Target::read(path)?;
            let part = |part: Option<String>| part.unwrap_or_else(|| "-".into());
            let (namespace, name, subresource) = (part(target.namespace), part(target.name), part(target.subresource));
            Some(format!("{}/{} {namespace} {} {name} {subresource}", target.group, target.version, target.resource))
        };
        for (path, expected) in [
            ("/api/v1/pods", Some("/v1 - pods - -")),
            ("/api/v1/namespaces", Some("/v1 - namespaces - -")),
            ("/api/v1/namespaces/shop", Some("/v1 - namespaces shop -")),
            ("/api/v1/namespaces/shop/status", Some("/v1 - namespaces shop status")),
            ("/api/v1/namespaces/shop/pods", Some("/v1 shop pods - -")),
            ("/apis/apps/v1/namespaces/shop/deployments/api/scale", Some("apps/v1 shop deployments api scale")),
            (
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
                Some("rbac.authorization.k8s.io/v1 - clusterroles system:node -"),
            ),
            ("/apis/apps/v1", None),
            ("/version", None),
        ] {
            assert_eq!(target(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::read("labelSelector=a%3Db%2Cc+in+%28d%29&watch=1&limit=5&empty=");
        assert_eq!(query.get("labelSelector"), Some("a=b,c in (d)"));
        assert_eq!((query.is("watch"), query.number("limit"), query.get("empty")), (true, Some(5), None));
    }
}
