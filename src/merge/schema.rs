//! What apply knows of a kind: which lists are sets or maps, which mappings are one value, defaults, unknown fields.
//!
//! Read from the cluster's OpenAPI v3 documents, one for each group and version ([`Schema::read`]), by the rules by which
//! kube-apiserver itself makes its merge schema from them (kube-openapi's `schemaconv`). All [`Schema`]s of a cluster
//! stand in one [`Schemas`]; [`Schemas::kind`] finds an object's kind, and from [`Kind::root`] one walks down:
//!
//! ```text
//! Kind::root ─► Type ─┬─ scalar()            which scalars are right here
//!                     ├─ list() ─► List ──── items() ─► Type,  list_type(), keys()
//!                     └─ map()  ─► Map ─┬─── field(name) ─► Type, default(), nullable(), required()
//!                                       └─── values() ─► Type    of members that are not declared
//! ```
//! A type may allow several of the three (an int-or-string, an untyped value). `Type` is two words and is copied;
//! a `Schema` is shared by `Arc`, immutable, and takes a few ten KB: equal types are stored once.

mod read;

use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

pub use read::SchemaError;

/// A field's name, shared between the schema and the field sets made with it.
pub type Name = Arc<str>;

/// The schemas of a cluster, by `apiVersion`. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Schemas(BTreeMap<String, Arc<Schema>>);

impl Schemas {
    /// Puts in the document of a group and version (`apps/v1`, `v1`), in place of an older one.
    pub fn insert(&mut self, api_version: impl Into<String>, schema: Arc<Schema>) {
        self.0.insert(api_version.into(), schema);
    }
    /// Returns the document of a group and version.
    pub fn get(&self, api_version: &str) -> Option<&Arc<Schema>> {
        self.0.get(api_version)
    }
    /// Takes a document out, for a group and version that the cluster no longer serves.
    pub fn remove(&mut self, api_version: &str) -> Option<Arc<Schema>> {
        self.0.remove(api_version)
    }
    /// Finds a kind that can be applied.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<Kind<'_>> {
        self.0.get(api_version)?.kind(api_version, kind)
    }
}

/// One OpenAPI v3 document, as far as apply needs it. Read it with [`Schema::read`].
#[derive(Debug)]
pub struct Schema {
    atoms: Box<[Atom]>,
    kinds: HashMap<(String, String), KindEntry>,
}

#[derive(Debug)]
struct KindEntry {
    root: Edge,
    has_status: bool,
}

/// What a value may be; of none of the three nothing is right. The same atom is stored once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Atom {
    /// The name under which the document has it, of types that have one.
    name: Option<Name>,
    scalar: Option<Scalar>,
    list: Option<ListAtom>,
    map: Option<MapAtom>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ListAtom {
    items: Edge,
    list_type: ListType,
    keys: Box<[Name]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct MapAtom {
    /// Sorted by name.
    fields: Box<[FieldAtom]>,
    values: Option<Edge>,
    atomic: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FieldAtom {
    name: Name,
    value: Edge,
    required: bool,
}

/// A place where an atom is used, with what is said of it only there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Edge {
    atom: u32,
    nullable: bool,
    default: Option<Box<Value>>,
}

/// The scalars that are right at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// An integer or a number.
    Numeric,
    /// A text.
    String,
    /// `true` or `false`.
    Boolean,
    /// Any of them: quantities, times, int-or-strings, untyped values.
    Any,
}

/// How the items of a list belong together (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListType {
    /// The list is one value.
    Atomic,
    /// Each item is a scalar and stands for itself.
    Set,
    /// Each item is a mapping, found by the values of the list's keys.
    Map,
}

/// A kind that can be applied.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'s> {
    /// The whole object.
    pub root: Type<'s>,
    /// Whether it has the `status` subresource, so that an apply of the object itself cannot write `status`.
    pub has_status: bool,
    /// Whether a CustomResourceDefinition (or an aggregated API) defines it, not Kubernetes itself.
    pub is_custom: bool,
}

/// What may stand at one place of an object.
#[derive(Clone, Copy, Debug)]
pub struct Type<'s> {
    schema: &'s Schema,
    edge: &'s Edge,
}

/// A list at a place.
#[derive(Clone, Copy, Debug)]
pub struct List<'s> {
    schema: &'s Schema,
    atom: &'s ListAtom,
}

/// A mapping at a place.
#[derive(Clone, Copy, Debug)]
pub struct Map<'s> {
    schema: &'s Schema,
    atom: &'s MapAtom,
}

/// A declared field of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Field<'s> {
    /// Its name.
    pub name: &'s Name,
    /// What may stand in it.
    pub value: Type<'s>,
    /// Whether the schema lists it under `required`.
    pub required: bool,
}

impl Schema {
    /// Finds a kind that can be applied.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<Kind<'_>> {
        let entry = self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?;
        let root = Type { schema: self, edge: &entry.root };
        Some(Kind { root, has_status: entry.has_status, is_custom: !is_built_in(api_version) })
    }

    /// Returns the kinds that can be applied, as (`apiVersion`, kind).
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.keys().map(|(api_version, kind)| (api_version.as_str(), kind.as_str()))
    }

    fn atom(&self, edge: &Edge) -> &Atom {
        // Every edge was made with an atom of the same document.
        &self.atoms[edge.atom as usize]
    }
}

impl<'s> Type<'s> {
    /// The scalars that are right here, if any is.
    pub fn scalar(self) -> Option<Scalar> {
        self.schema.atom(self.edge).scalar
    }
    /// The list that is right here, if any is.
    pub fn list(self) -> Option<List<'s>> {
        let atom = self.schema.atom(self.edge).list.as_ref()?;
        Some(List { schema: self.schema, atom })
    }
    /// The mapping that is right here, if any is.
    pub fn map(self) -> Option<Map<'s>> {
        let atom = self.schema.atom(self.edge).map.as_ref()?;
        Some(Map { schema: self.schema, atom })
    }
    /// The name of the type in the OpenAPI document (`io.k8s.api.core.v1.PodSpec`), if it has one.
    pub fn name(self) -> Option<&'s str> {
        self.schema.atom(self.edge).name.as_deref()
    }
    /// The `default` of this place. In built-in kinds `{}`, `""` and `0` only mark what Go writes when nothing is set.
    pub fn default(self) -> Option<&'s Value> {
        self.edge.default.as_deref()
    }
    /// Whether `null` is a value here (`nullable: true`).
    pub fn nullable(self) -> bool {
        self.edge.nullable
    }
}

impl<'s> List<'s> {
    /// What its items are.
    pub fn items(self) -> Type<'s> {
        Type { schema: self.schema, edge: &self.atom.items }
    }
    /// How they belong together.
    pub fn list_type(self) -> ListType {
        self.atom.list_type
    }
    /// Names of the fields by which items of a [`ListType::Map`] are found; never empty for one.
    pub fn keys(self) -> &'s [Name] {
        &self.atom.keys
    }
}

impl<'s> Map<'s> {
    /// Finds a declared field.
    pub fn field(self, name: &str) -> Option<Field<'s>> {
        let at = self.atom.fields.binary_search_by(|field| field.name.as_ref().cmp(name)).ok()?;
        Some(self.made(&self.atom.fields[at]))
    }
    /// The declared fields, by name.
    pub fn fields(self) -> impl Iterator<Item = Field<'s>> {
        self.atom.fields.iter().map(move |field| self.made(field))
    }
    /// What members that are not declared may be (`additionalProperties`, preserved unknown fields); none where such
    /// members are an error.
    pub fn values(self) -> Option<Type<'s>> {
        self.atom.values.as_ref().map(|edge| Type { schema: self.schema, edge })
    }
    /// What the member of this name may be; none where there may be no such member.
    pub fn member(self, name: &str) -> Option<Type<'s>> {
        self.field(name).map(|field| field.value).or_else(|| self.values())
    }
    /// Whether the mapping is one value (`x-kubernetes-map-type: atomic`).
    pub fn is_atomic(self) -> bool {
        self.atom.atomic
    }
    /// Whether nothing is known of its members: no field is declared, and each member is as free as the mapping itself.
    pub fn is_untyped(self) -> bool {
        self.atom.fields.is_empty() && self.atom.values.as_ref().is_some_and(|edge| edge.atom == read::DEDUCED)
    }
    fn made(self, field: &'s FieldAtom) -> Field<'s> {
        let value = Type { schema: self.schema, edge: &field.value };
        Field { name: &field.name, value, required: field.required }
    }
}

/// The API groups of Kubernetes itself: their kinds are converted between versions by code, others by a changed
/// `apiVersion` or a webhook.
const BUILT_IN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "imagepolicy.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "settings.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Whether the kinds of an `apiVersion` are part of Kubernetes itself.
pub(super) fn is_built_in(api_version: &str) -> bool {
    let (group, _) = crate::object::split_api_version(api_version);
    BUILT_IN_GROUPS.binary_search(&group).is_ok()
}

#[cfg(test)]
mod tests;
