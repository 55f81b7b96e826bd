//! Who an object is: group, kind, namespace and name. The version is not part of it: `apps/v1` and `apps/v1beta1` of one
//! Deployment are the same object.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

/// A kind with its API group; the core group is the empty string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKind {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { f.write_str(&self.kind) } else { write!(f, "{}/{}", self.group, self.kind) }
    }
}

/// An object's identity within one cluster, written `[GROUP/]KIND[/NAMESPACE]/NAME`, e.g. `apps/Deployment/shop/api`.
///
/// Reading that form is unambiguous because a kind starts with an upper-case letter and a group never does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace; none for cluster-scoped objects, and for manifests that have not been placed yet.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

/// Identities of objects, each shared by all that know the object by it.
pub type ObjectIds = BTreeSet<Arc<ObjectId>>;

/// Why a text is not an object's identity.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` does not name an object: write [GROUP/]KIND[/NAMESPACE]/NAME, e.g. apps/Deployment/shop/api")]
pub struct IdentityError(pub String);

impl ObjectId {
    /// Returns the object's kind with its group.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind { group: self.group.clone(), kind: self.kind.clone() }
    }
    /// Returns the short form that screens use where the group is clear: `KIND NAMESPACE/NAME`.
    pub fn short(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        f.write_str(&self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "/{namespace}")?;
        }
        write!(f, "/{}", self.name)
    }
}

impl FromStr for ObjectId {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bad = || IdentityError(text.to_owned());
        let mut parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(bad());
        }
        let is_kind = |part: &str| part.starts_with(|c: char| c.is_ascii_uppercase());
        let group = if is_kind(parts[0]) { String::new() } else { parts.remove(0).to_owned() };
        match parts.as_slice() {
            [kind, name] if is_kind(kind) => {
                Ok(Self { group, kind: (*kind).into(), namespace: None, name: (*name).into() })
            }
            [kind, namespace, name] if is_kind(kind) => {
                Ok(Self { group, kind: (*kind).into(), namespace: Some((*namespace).into()), name: (*name).into() })
            }
            _ => Err(bad()),
        }
    }
}

impl Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Splits an `apiVersion` into group and version: `apps/v1` -> (`apps`, `v1`), `v1` -> (``, `v1`).
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Joins group and version into an `apiVersion`.
pub fn join_api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_what_it_writes() {
        for text in [
            "apps/Deployment/shop/api",
            "ConfigMap/shop/env",
            "Namespace/shop",
            "rbac.authorization.k8s.io/ClusterRole/x",
        ] {
            assert_eq!(text.parse::<ObjectId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_names_no_object_is_refused() {
        for text in ["", "Deployment", "apps/Deployment", "a/b/c/d/e", "Deployment//x", "apps/deployment/x"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }
}
