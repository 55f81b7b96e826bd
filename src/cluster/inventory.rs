//! Which objects belong to an application: an ApplySet (KEP-3659) whose parent is the ConfigMap `driftdeck-<application>`.
//!
//! Members carry [`PART_OF`] with the set's id. The parent's annotations say in which kinds and namespaces to look for
//! members; they are widened before objects are applied and narrowed after a prune, so that they never miss one.

use super::{ApplyRequest, ClusterError, LiveObject, Resource, Scope, Session, request::DEADLINE};
use crate::object::{GroupKind, ObjectId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Label of every member: the id of the set it belongs to.
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Label of the parent: the id of its set.
pub const SET_ID: &str = "applyset.kubernetes.io/id";
/// Annotation of the parent: the tool that keeps the set, `driftdeck/v<version>`.
pub const TOOLING: &str = "applyset.kubernetes.io/tooling";
/// Annotation of the parent: `Kind.group` of every member, sorted, separated by commas.
pub const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// Annotation of the parent: namespaces of members other than the parent's own, sorted, separated by commas.
pub const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Annotation of the parent: source identity and path that the members come from.
pub const SOURCE: &str = "driftdeck.dev/source";

/// Annotation of the parent: whether its own namespace holds members.
const OWN_NAMESPACE: &str = "driftdeck.dev/own-namespace";

/// The parent of an application's set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Namespace of the parent, its members' first.
    pub namespace: String,
    /// The application.
    pub application: String,
    /// The set's id, which members carry as [`PART_OF`].
    pub id: String,
    /// Kinds of members.
    pub kinds: BTreeSet<GroupKind>,
    /// Namespaces of members, the parent's own included where it holds any.
    pub namespaces: BTreeSet<String>,
    /// Source identity and path; empty: not written yet.
    pub source: String,
    /// `metadata.resourceVersion` as last read or written; none: the parent does not exist yet.
    pub resource_version: Option<String>,
    /// `metadata.uid`; none: the parent does not exist yet.
    pub uid: Option<String>,
    /// `driftdeck.dev/*` annotations but [`SOURCE`]: pin, pause, auto-sync settings.
    pub annotations: BTreeMap<String, String>,
}

/// One live member of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its kind.
    pub resource: Resource,
    /// Its identity.
    pub id: ObjectId,
    /// As the server has it.
    pub live: LiveObject,
}

/// What the cluster holds of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    /// Live members.
    pub found: Vec<Member>,
    /// Kinds of the inventory that the server does not serve: nothing is known about their members.
    pub unserved: Vec<GroupKind>,
}

/// What [`TOOLING`] says of this program.
const OURS: &str = concat!("driftdeck/v", env!("CARGO_PKG_VERSION"));
/// Prefix of annotations that are settings of the application.
const SETTINGS: &str = "driftdeck.dev/";

/// Returns the id of the set whose parent is the ConfigMap of `application` in `namespace`: KEP-3659's, and kubectl's,
/// `applyset-<base64url(sha256("<name>.<namespace>.<kind>.<group>"))>-v1`.
pub fn set_id(namespace: &str, application: &str) -> String {
    let parent = format!("{}.{namespace}.ConfigMap.", name(application));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(parent)))
}

fn name(application: &str) -> String {
    format!("driftdeck-{application}")
}

impl Inventory {
    /// Returns an inventory that is not in the cluster yet, without members.
    pub fn new(namespace: &str, application: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            application: application.to_owned(),
            id: set_id(namespace, application),
            kinds: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            source: String::new(),
            resource_version: None,
            uid: None,
            annotations: BTreeMap::new(),
        }
    }
    /// Reads an application's inventory; none: there is none yet.
    ///
    /// # Errors
    /// [`ClusterError::ForeignInventory`]: another tool keeps this set, or its id is not that of its name.
    pub async fn read(session: &Session, namespace: &str, application: &str) -> Result<Option<Self>, ClusterError> {
        let (resource, id) = parent(namespace, application);
        match session.get(&resource, &id).await? {
            Some(live) => Self::parse(namespace, application, &live).map(Some),
            None => Ok(None),
        }
    }

    fn parse(namespace: &str, application: &str, live: &LiveObject) -> Result<Self, ClusterError> {
        let text = |map: &str, key: &str| {
            live.body.pointer(&format!("/metadata/{map}")).and_then(|map| map.get(key)?.as_str())
        };
        let place = format!("ConfigMap {namespace}/{}", name(application));
        let foreign = |what: String| ClusterError::ForeignInventory {
            message: format!("{place} {what}: choose another state_namespace or application name, or remove it"),
        };
        let mut inventory = Self::new(namespace, application);
        match text("labels", SET_ID) {
            Some(id) if id == inventory.id => {}
            Some(id) => return Err(foreign(format!("has the set id {id}, which is not that of its name"))),
            None => return Err(foreign("is no inventory (it has no set id)".into())),
        }
        match text("annotations", TOOLING) {
            Some(tooling) if tooling.split('/').next() == Some("driftdeck") => {}
            tooling => return Err(foreign(format!("is kept by {}", tooling.unwrap_or("an unknown tool")))),
        }
        let list = |key: &str| {
            text("annotations", key)
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        inventory.kinds = list(GROUP_KINDS).iter().map(|text| parse_kind(text)).collect();
        inventory.namespaces = list(NAMESPACES).into_iter().collect();
        if text("annotations", OWN_NAMESPACE) != Some("false") {
            inventory.namespaces.insert(namespace.to_owned());
        }
        inventory.source = text("annotations", SOURCE).unwrap_or_default().to_owned();
        let annotations = live.body.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
        inventory.annotations = annotations
            .filter(|(key, _)| key.starts_with(SETTINGS) && ![SOURCE, OWN_NAMESPACE].contains(&key.as_str()))
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        inventory.resource_version = Some(live.resource_version.clone());
        inventory.uid = Some(live.uid.clone());
        Ok(inventory)
    }

    /// Adds kinds and namespaces; says whether that changed anything. To be written before the objects are applied.
    pub fn widen<'a>(&mut self, members: impl IntoIterator<Item = &'a ObjectId>) -> bool {
        let mut changed = false;
        for member in members {
            changed |= self.kinds.insert(member.group_kind());
            changed |= member.namespace.as_ref().is_some_and(|namespace| self.namespaces.insert(namespace.clone()));
        }
        changed
    }
    /// Keeps only the kinds and namespaces of these members; says whether that changed anything. To be written after a prune.
    pub fn narrow<'a>(&mut self, members: impl IntoIterator<Item = &'a ObjectId>) -> bool {
        let mut narrow = Self { kinds: BTreeSet::new(), namespaces: BTreeSet::new(), ..self.clone() };
        narrow.widen(members);
        let changed = narrow != *self;
        *self = narrow;
        changed
    }

    /// Writes it: creates the parent where it was not there when read, else applies it to exactly the state that was read.
    /// Afterwards uid and resourceVersion are the written ones.
    ///
    /// # Errors
    /// [`ClusterError::Precondition`]: somebody else wrote it since; read it again.
    pub async fn write(&mut self, session: &Session) -> Result<(), ClusterError> {
        let (resource, id) = parent(&self.namespace, &self.application);
        let body = self.body();
        let written = match (&self.uid, &self.resource_version) {
            (Some(uid), Some(version)) => {
                let mut body = body;
                body["metadata"]["uid"] = json!(uid);
                body["metadata"]["resourceVersion"] = json!(version);
                // Forced: these annotations are nobody else's, and a write of another operator shows as a precondition.
                let request = ApplyRequest { resource, id, body, force: true, dry_run: false, deadline: DEADLINE };
                session.apply(&request).await?.object
            }
            _ => session.create(&resource, &body).await?,
        };
        self.uid = Some(written.uid);
        self.resource_version = Some(written.resource_version);
        Ok(())
    }

    fn body(&self) -> Value {
        let kinds: Vec<String> = self.kinds.iter().map(print_kind).collect::<BTreeSet<_>>().into_iter().collect();
        let others: Vec<&str> =
            self.namespaces.iter().map(String::as_str).filter(|namespace| *namespace != self.namespace).collect();
        let mut annotations: BTreeMap<&str, String> =
            self.annotations.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        annotations.insert(TOOLING, OURS.into());
        annotations.insert(GROUP_KINDS, kinds.join(","));
        annotations.insert(NAMESPACES, others.join(","));
        annotations.insert(SOURCE, self.source.clone());
        annotations.insert(OWN_NAMESPACE, self.namespaces.contains(&self.namespace).to_string());
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name(&self.application),
                "namespace": self.namespace,
                "labels": { (SET_ID): self.id, (super::record::APPLICATION): self.application },
                "annotations": annotations,
            },
        })
    }

    /// Lists the set's live members, over its kinds and namespaces.
    ///
    /// # Errors
    /// [`ClusterError`]: one that cannot be listed fails the whole, or a prune would miss members.
    pub async fn members(&self, session: &Session) -> Result<Members, ClusterError> {
        let catalog = session.catalog();
        let selector = format!("{PART_OF}={}", self.id);
        let mut members = Members::default();
        for kind in &self.kinds {
            let Some(resource) = catalog.preferred(kind) else {
                members.unserved.push(kind.clone());
                continue;
            };
            let namespaces: Vec<Option<String>> =
                if resource.namespaced { self.namespaces.iter().cloned().map(Some).collect() } else { vec![None] };
            for namespace in namespaces {
                let scope = Scope { resource: resource.clone(), namespace };
                for live in session.list(&scope, Some(&selector)).await? {
                    let text = |field: &str| {
                        live.body.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).map(str::to_owned)
                    };
                    let id = ObjectId {
                        group: kind.group.clone(),
                        kind: kind.kind.clone(),
                        namespace: text("namespace"),
                        name: text("name").unwrap_or_default(),
                    };
                    members.found.push(Member { resource: resource.clone(), id, live });
                }
            }
        }
        Ok(members)
    }
}

fn parent(namespace: &str, application: &str) -> (Resource, ObjectId) {
    let id = ObjectId {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some(namespace.to_owned()),
        name: name(application),
    };
    (super::record::config_maps(), id)
}

/// `Kind.group`, of the core group just the kind.
fn print_kind(kind: &GroupKind) -> String {
    if kind.group.is_empty() { kind.kind.clone() } else { format!("{}.{}", kind.kind, kind.group) }
}

fn parse_kind(text: &str) -> GroupKind {
    let (kind, group) = text.split_once('.').unwrap_or((text, ""));
    GroupKind { group: group.to_owned(), kind: kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<ObjectId> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_id_is_the_one_of_the_kep() {
        // printf 'driftdeck-shop.team.ConfigMap.' | sha256sum, as base64url
        let expected = URL_SAFE_NO_PAD.encode(Sha256::digest("driftdeck-shop.team.ConfigMap."));
        assert_eq!(set_id("team", "shop"), format!("applyset-{expected}-v1"));
        assert_ne!(set_id("team", "shop"), set_id("team2", "shop"));
    }

    #[test]
    fn an_inventory_reads_back_what_it_writes() {
        let mut inventory = Inventory::new("team", "shop");
        assert!(inventory.widen(&ids(&["apps/Deployment/team/api", "ConfigMap/other/env", "Namespace/other"])));
        inventory.source = "git.example.com/x//apps".into();
        inventory.annotations.insert("driftdeck.dev/pinned".into(), "abc".into());
        let mut body = inventory.body();
        body["metadata"]["uid"] = json!("u");
        body["metadata"]["resourceVersion"] = json!("1");
        let read = Inventory::parse("team", "shop", &LiveObject::new(body)).unwrap();
        assert_eq!(Inventory { uid: None, resource_version: None, ..read }, inventory);
    }

    #[test]
    fn narrowing_keeps_only_what_members_need() {
        let mut inventory = Inventory::new("team", "shop");
        inventory.widen(&ids(&["apps/Deployment/team/api", "ConfigMap/other/env"]));
        assert!(inventory.narrow(&ids(&["ConfigMap/other/env"])));
        assert_eq!(inventory.kinds.iter().map(print_kind).collect::<Vec<_>>(), ["ConfigMap"]);
        assert_eq!(inventory.namespaces.iter().collect::<Vec<_>>(), ["other"]);
        assert!(!inventory.narrow(&ids(&["ConfigMap/other/env"])));
    }

    #[test]
    fn another_tools_set_is_refused() {
        let mut body = Inventory::new("team", "shop").body();
        body["metadata"]["annotations"][TOOLING] = json!("kubectl/v1.36");
        assert!(matches!(
            Inventory::parse("team", "shop", &LiveObject::new(body)),
            Err(ClusterError::ForeignInventory { .. })
        ));
    }
}
