//! Which objects belong to an application: an ApplySet (KEP-3659) whose parent is the ConfigMap `driftdeck-<application>`.
//!
//! Members carry [`PART_OF`] with the set's id. The parent's annotations say in which kinds and namespaces to look for
//! members; they are widened before objects are applied and narrowed after a prune, so that they never miss one.

use super::{ClusterError, LiveObject, Resource, Session};
use crate::object::{GroupKind, ObjectId};
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

/// Returns the id of the set whose parent is the ConfigMap of `application` in `namespace`.
pub fn set_id(_namespace: &str, _application: &str) -> String {
    todo!()
}

impl Inventory {
    /// Returns an inventory that is not in the cluster yet, without members.
    pub fn new(_namespace: &str, _application: &str) -> Self {
        todo!()
    }
    /// Reads an application's inventory; none: there is none yet.
    ///
    /// # Errors
    /// [`ClusterError::ForeignInventory`]: another tool keeps this set, or its id is not that of its name.
    pub async fn read(_session: &Session, _namespace: &str, _application: &str) -> Result<Option<Self>, ClusterError> {
        todo!()
    }
    /// Adds kinds and namespaces; says whether that changed anything. To be written before the objects are applied.
    pub fn widen<'a>(&mut self, _members: impl IntoIterator<Item = &'a ObjectId>) -> bool {
        todo!()
    }
    /// Keeps only the kinds and namespaces of these members; says whether that changed anything. To be written after a prune.
    pub fn narrow<'a>(&mut self, _members: impl IntoIterator<Item = &'a ObjectId>) -> bool {
        todo!()
    }
    /// Writes it: creates the parent where it was not there when read, else applies it to exactly the state that was read.
    /// Afterwards uid and resourceVersion are the written ones.
    ///
    /// # Errors
    /// [`ClusterError::Precondition`]: somebody else wrote it since; read it again.
    pub async fn write(&mut self, _session: &Session) -> Result<(), ClusterError> {
        todo!()
    }
    /// Lists the set's live members, over its kinds and namespaces.
    ///
    /// # Errors
    /// [`ClusterError`]: one that cannot be listed fails the whole, or a prune would miss members.
    pub async fn members(&self, _session: &Session) -> Result<Members, ClusterError> {
        todo!()
    }
}
