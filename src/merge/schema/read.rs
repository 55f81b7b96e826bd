//! An OpenAPI v3 document read into a [`Schema`], by the rules of kube-openapi's `schemaconv` (`ToSchemaFromOpenAPI`).

use super::{Atom, Edge, FieldAtom, KindEntry, ListAtom, ListType, MapAtom, Name, Scalar, Schema};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

/// Why a document is no schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON, or not of OpenAPI's form. The objects of its kinds are compared by the server's dry-run.
    #[error("the OpenAPI document cannot be read: {0}")]
    Form(#[from] serde_json::Error),
}

/// Any value, taken as a whole.
pub(super) const UNTYPED: u32 = 0;
/// Any value; mappings are merged member by member, lists are one value.
pub(super) const DEDUCED: u32 = 1;

/// A quantity is written as a text or a number; the document says `oneOf` without a type.
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";

impl Schema {
    /// Reads the document that the server answers under `/openapi/v3/…`. Its kinds are those that can be patched; types
    /// that none of them uses are left out.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub fn read(document: &[u8]) -> Result<Self, SchemaError> {
        let document: Document = serde_json::from_slice(document)?;
        let mut reader = Reader::new(&document.components.schemas);
        let kinds = reader.kinds(&document.paths);
        Ok(Self { atoms: reader.finish(), kinds })
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    paths: HashMap<String, Path>,
    #[serde(default)]
    components: Components,
}

#[derive(Default, Deserialize)]
struct Components {
    #[serde(default)]
    schemas: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Path {
    patch: Option<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(rename = "x-kubernetes-group-version-kind", default)]
    kind: Value,
}

/// One schema of the document. What only says which values are valid is left out; what could have any form in a
/// document that nobody has checked is read as a plain value.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    #[serde(rename = "$ref")]
    reference: Value,
    #[serde(rename = "allOf")]
    all_of: Vec<Reference>,
    #[serde(rename = "type")]
    kind: Value,
    format: Value,
    properties: BTreeMap<String, Node>,
    required: Value,
    items: Option<Part>,
    #[serde(rename = "additionalProperties")]
    additional: Option<Part>,
    default: Value,
    nullable: Value,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: Value,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    list_map_keys: Value,
    #[serde(rename = "x-kubernetes-map-type")]
    map_type: Value,
    #[serde(rename = "x-kubernetes-patch-strategy")]
    patch_strategy: Value,
    #[serde(rename = "x-kubernetes-patch-merge-key")]
    patch_merge_key: Value,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    preserve_unknown: Value,
    #[serde(rename = "x-kubernetes-group-version-kind")]
    kinds: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    #[serde(rename = "$ref")]
    reference: Value,
}

/// `items` and `additionalProperties`: a schema, `true` or `false`, or something that says nothing.
enum Part {
    Node(Box<Node>),
    Flag(bool),
    Other,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;
        impl<'de> Visitor<'de> for PartVisitor {
            type Value = Part;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a schema, or true or false")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Part, E> {
                Ok(Part::Flag(flag))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part, A::Error> {
                Node::deserialize(MapAccessDeserializer::new(map)).map(|node| Part::Node(Box::new(node)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Part, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Part::Other)
            }
            fn visit_unit<E>(self) -> Result<Part, E> {
                Ok(Part::Other)
            }
        }
        deserializer.deserialize_any(PartVisitor)
    }
}

impl Node {
    /// The name of the type that the schema refers to, also from within an `allOf` of one (which is how a reference
    /// stands beside a default).
    fn reference(&self) -> Option<&str> {
        let wrapped = || match self.all_of.as_slice() {
            [only] => only.reference.as_str(),
            _ => None,
        };
        let path = self.reference.as_str().filter(|path| !path.is_empty()).or_else(wrapped)?;
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }
    fn preserves_unknown(&self) -> bool {
        self.preserve_unknown == Value::Bool(true)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// (`apiVersion`, kind) of a group-version-kind extension.
fn kind_of(value: &Value) -> Option<(String, String)> {
    let part = |name| value.get(name).and_then(Value::as_str);
    let kind = part("kind").filter(|kind| !kind.is_empty())?;
    Some((crate::object::join_api_version(part("group")?, part("version")?), kind.to_owned()))
}

struct Reader<'d> {
    nodes: &'d BTreeMap<String, Node>,
    atoms: Vec<Atom>,
    /// Where an inline atom stands already.
    known: HashMap<Atom, u32>,
    names: HashSet<Name>,
    /// Atoms of named types, and those whose reference says another map type; the second are made at the end.
    named: HashMap<&'d str, u32>,
    overridden: HashMap<(u32, bool), u32>,
    queue: Vec<(u32, &'d Node, &'d str)>,
}

impl<'d> Reader<'d> {
    fn new(nodes: &'d BTreeMap<String, Node>) -> Self {
        let free = |atom: u32| Edge { atom, nullable: false, default: None };
        let any = |members: u32, atomic: bool| Atom {
            name: None,
            scalar: Some(Scalar::Any),
            list: Some(ListAtom { items: free(UNTYPED), list_type: ListType::Atomic, keys: Box::default() }),
            map: Some(MapAtom { fields: Box::default(), values: Some(free(members)), atomic }),
        };
        Self {
            nodes,
            atoms: vec![any(UNTYPED, true), any(DEDUCED, false)],
            known: HashMap::new(),
            names: HashSet::new(),
            named: HashMap::new(),
            overridden: HashMap::new(),
            queue: Vec::new(),
        }
    }

    fn kinds(&mut self, paths: &HashMap<String, Path>) -> HashMap<(String, String), KindEntry> {
        // Whether a kind can be patched, and whether at its path `…/status` too.
        let mut patched: HashMap<(String, String), bool> = HashMap::new();
        for (path, operations) in paths {
            if let Some(kind) = operations.patch.as_ref().and_then(|patch| kind_of(&patch.kind)) {
                *patched.entry(kind).or_default() |= path.ends_with("/status");
            }
        }
        let mut kinds = HashMap::new();
        let nodes = self.nodes;
        for (name, node) in nodes {
            for kind in node.kinds.as_array().into_iter().flatten().filter_map(kind_of) {
                if let Some(&has_status) = patched.get(&kind) {
                    let root = Edge { atom: self.named(name), nullable: false, default: None };
                    kinds.insert(kind, KindEntry { root, has_status });
                }
            }
        }
        kinds
    }

    fn finish(mut self) -> Box<[Atom]> {
        while let Some((at, node, name)) = self.queue.pop() {
            let atom = match name {
                QUANTITY => Atom { scalar: Some(Scalar::Any), ..Atom::default() },
                RAW_EXTENSION => self.atoms[UNTYPED as usize].clone(),
                // The server has no type for such a name; nothing of the kind is lost when anything is right.
                _ if node.reference().is_some() => self.atoms[DEDUCED as usize].clone(),
                _ => self.atom(node, false),
            };
            self.atoms[at as usize] = Atom { name: Some(self.name(name)), ..atom };
        }
        for ((from, atomic), at) in std::mem::take(&mut self.overridden) {
            let mut atom = self.atoms[from as usize].clone();
            if let Some(map) = &mut atom.map {
                map.atomic = atomic;
            }
            self.atoms[at as usize] = atom;
        }
        self.atoms.into_boxed_slice()
    }

    /// The atom of a named type; its content comes later, since types refer to themselves.
    fn named(&mut self, name: &'d str) -> u32 {
        if let Some(&at) = self.named.get(name) {
            return at;
        }
        let Some((name, node)) = self.nodes.get_key_value(name) else { return DEDUCED };
        let at = self.reserve();
        self.named.insert(name, at);
        self.queue.push((at, node, name));
        at
    }

    fn reserve(&mut self) -> u32 {
        self.atoms.push(Atom::default());
        self.atoms.len() as u32 - 1
    }

    fn edge(&mut self, node: &'d Node, preserve: bool) -> Edge {
        let atom = match node.reference() {
            Some(name) => {
                let named = self.named(name);
                match text(&node.map_type) {
                    map_type @ ("atomic" | "granular") => {
                        let key = (named, map_type == "atomic");
                        if let Some(&at) = self.overridden.get(&key) {
                            at
                        } else {
                            let at = self.reserve();
                            self.overridden.insert(key, at);
                            at
                        }
                    }
                    _ => named,
                }
            }
            None => {
                let atom = self.atom(node, preserve);
                match self.known.get(&atom) {
                    Some(&at) => at,
                    None => {
                        let at = self.reserve();
                        self.atoms[at as usize] = atom.clone();
                        self.known.insert(atom, at);
                        at
                    }
                }
            }
        };
        let default = (!node.default.is_null()).then(|| Box::new(node.default.clone()));
        Edge { atom, nullable: node.nullable == Value::Bool(true), default }
    }

    fn atom(&mut self, node: &'d Node, preserve: bool) -> Atom {
        let preserve = preserve || node.preserves_unknown();
        let kind = node.kind.get(0).unwrap_or(&node.kind);
        match text(kind) {
            "" => Atom {
                name: None,
                scalar: Some(Scalar::Any),
                list: Some(self.list(node, preserve)),
                map: Some(self.map(node, preserve)),
            },
            "object" => Atom { map: Some(self.map(node, preserve)), ..Atom::default() },
            "array" => Atom { list: Some(self.list(node, preserve)), ..Atom::default() },
            kind => {
                let scalar = match (kind, text(&node.format)) {
                    ("integer" | "number", _) => Scalar::Numeric,
                    ("boolean", _) => Scalar::Boolean,
                    ("string", "" | "byte") => Scalar::String,
                    _ => Scalar::Any,
                };
                Atom { scalar: Some(scalar), ..Atom::default() }
            }
        }
    }

    fn map(&mut self, node: &'d Node, preserve: bool) -> MapAtom {
        let required = |name: &str| node.required.as_array().is_some_and(|names| names.iter().any(|n| n == name));
        // The document's properties are sorted by name already.
        let fields = node.properties.iter().map(|(name, property)| FieldAtom {
            name: self.name(name),
            value: self.edge(property, preserve),
            required: required(name),
        });
        let fields = fields.collect();
        let free = |atom| Some(Edge { atom, nullable: false, default: None });
        let values = match &node.additional {
            Some(Part::Node(values)) => Some(self.edge(values, preserve)),
            Some(Part::Flag(true)) => free(DEDUCED),
            Some(Part::Flag(false)) => None,
            None | Some(Part::Other) if preserve || node.properties.is_empty() => free(DEDUCED),
            None | Some(Part::Other) => None,
        };
        MapAtom { fields, values, atomic: text(&node.map_type) == "atomic" }
    }

    fn list(&mut self, node: &'d Node, preserve: bool) -> ListAtom {
        let items = match &node.items {
            Some(Part::Node(items)) => self.edge(items, preserve),
            _ => Edge { atom: UNTYPED, nullable: false, default: None },
        };
        let listed = || node.list_map_keys.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let keys: Option<Vec<&str>> = match (text(&node.list_type), text(&node.patch_strategy)) {
            ("set", _) => Some(Vec::new()),
            ("map", _) => Some(listed()),
            ("", "merge" | "merge,retainKeys") => Some(node.patch_merge_key.as_str().into_iter().collect()),
            _ => None,
        };
        let list_type = match &keys {
            None => ListType::Atomic,
            Some(keys) if keys.is_empty() => ListType::Set,
            Some(_) => ListType::Map,
        };
        let keys = keys.unwrap_or_default().into_iter().map(|key| self.name(key)).collect();
        ListAtom { items, list_type, keys }
    }

    fn name(&mut self, name: &str) -> Name {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name = Name::from(name);
        self.names.insert(name.clone());
        name
    }
}
