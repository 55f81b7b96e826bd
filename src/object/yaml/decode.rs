//! A document's tree becomes a JSON value the way goyaml.v2 decodes and sigs.k8s.io/yaml converts it.

use super::{
    MAX_ALIASED, MAX_DEPTH, MAX_WARNINGS, YamlError,
    scalar::{Scalar, Tag, resolve},
    too_deep,
    tree::{Node, NodeId, Tree},
};
use serde_json::{Map, Number, Value, map::Entry};
use std::{borrow::Cow, collections::HashSet};

/// Decodes a document. Duplicate keys are added to `warnings`.
pub(super) fn decode(tree: &Tree<'_>, warnings: &mut Vec<(usize, String)>) -> Result<Value, YamlError> {
    let mut decoder = Decoder { tree, warnings, decoded: 0, aliased: 0, aliased_bytes: 0, aliases: Vec::new() };
    decoder.value(Tree::ROOT, 0)
}

/// Turns a float into the number that Go's JSON round trip makes of it: an integral one below 1e21 is printed as plain
/// digits and read back as an integer where it fits an `i64`. None for what is not finite.
pub(super) fn number(value: f64) -> Option<Value> {
    if value == value.trunc() && value.abs() < 1e21 {
        if value.abs() < 9_007_199_254_740_992.0 {
            return Some(Value::Number((value as i64).into()));
        }
        if let Ok(integer) = format!("{value}").parse::<i64>() {
            return Some(Value::Number(integer.into()));
        }
    }
    Number::from_f64(value).map(Value::Number)
}

struct Decoder<'a, 'w> {
    tree: &'a Tree<'a>,
    warnings: &'w mut Vec<(usize, String)>,
    /// Nodes decoded so far, and those of them reached through an alias: goyaml.v2 bounds their ratio.
    decoded: u64,
    aliased: u64,
    aliased_bytes: usize,
    /// The anchors whose content is being decoded through an alias.
    aliases: Vec<NodeId>,
}

impl Decoder<'_, '_> {
    fn error(&self, node: NodeId, message: impl Into<String>) -> YamlError {
        YamlError::new(self.tree.lines[node as usize], message)
    }

    /// Counts a decoded node. goyaml.v2's rule: aliases may make up 99 % of a small document, down to 10 % of one with
    /// four million nodes.
    fn count(&mut self, node: NodeId) -> Result<(), YamlError> {
        self.decoded += 1;
        if self.aliases.is_empty() {
            return Ok(());
        }
        self.aliased += 1;
        self.repeat(node)?;
        let allowed = match self.decoded {
            0..=400_000 => 0.99,
            4_000_000.. => 0.10,
            decoded => 0.99 - 0.89 * ((decoded - 400_000) as f64 / 3_600_000.0),
        };
        let excessive =
            self.aliased > 100 && self.decoded > 1000 && self.aliased as f64 / self.decoded as f64 > allowed;
        if excessive { Err(self.too_many_aliases(node)) } else { Ok(()) }
    }

    /// Counts the bytes of a node that an alias repeats: goyaml.v2 counts nodes only, so that a few aliases of one long
    /// text would fill the memory.
    fn repeat(&mut self, node: NodeId) -> Result<(), YamlError> {
        self.aliased_bytes += 16;
        if let Node::Scalar { text, .. } = &self.tree.nodes[node as usize] {
            self.aliased_bytes += text.len();
        }
        if self.aliased_bytes > MAX_ALIASED { Err(self.too_many_aliases(node)) } else { Ok(()) }
    }

    fn too_many_aliases(&self, node: NodeId) -> YamlError {
        self.error(node, "aliases repeat too much of the document; write it out")
    }

    fn value(&mut self, node: NodeId, depth: usize) -> Result<Value, YamlError> {
        self.count(node)?;
        let tree = self.tree;
        let container = |depth| if depth >= MAX_DEPTH { Err(too_deep(tree.lines[node as usize])) } else { Ok(()) };
        match &tree.nodes[node as usize] {
            Node::Alias(target) => self.through_alias(node, *target, |decoder| decoder.value(*target, depth)),
            Node::Scalar { text, tag, resolved } => match self.scalar(node, text, *tag, *resolved)? {
                Scalar::Null => Ok(Value::Null),
                Scalar::Bool(value) => Ok(Value::Bool(value)),
                Scalar::Int(value) => Ok(Value::Number(value.into())),
                Scalar::Uint(value) => self.finite(node, value as f64),
                Scalar::Float(value) => self.finite(node, value),
                Scalar::Text(text) => Ok(Value::String(text.into_owned())),
            },
            Node::Sequence { .. } => {
                container(depth)?;
                tree.children(node).map(|item| self.value(item, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            Node::Mapping { .. } => {
                container(depth)?;
                let mut map = Map::new();
                self.members(node, &mut map, depth)?;
                Ok(Value::Object(map))
            }
        }
    }

    fn finite(&self, node: NodeId, value: f64) -> Result<Value, YamlError> {
        number(value).ok_or_else(|| self.error(node, "JSON knows no infinity and no NaN; quote it if a text is meant"))
    }

    fn scalar<'t>(&self, node: NodeId, text: &'t str, tag: Tag, resolved: bool) -> Result<Scalar<'t>, YamlError> {
        if !resolved {
            return Ok(Scalar::Text(text.into()));
        }
        let value = resolve(tag, text).map_err(|message| self.error(node, message))?;
        match (tag, value) {
            (Tag::Binary, Scalar::Text(text)) => self.binary(node, &text).map(Scalar::Text),
            (_, value) => Ok(value),
        }
    }

    fn binary(&self, node: NodeId, text: &str) -> Result<Cow<'static, str>, YamlError> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        let bytes = STANDARD.decode(text).map_err(|_| self.error(node, "!!binary is not valid base64"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    }

    fn through_alias<R>(
        &mut self,
        alias: NodeId,
        target: NodeId,
        read: impl FnOnce(&mut Self) -> Result<R, YamlError>,
    ) -> Result<R, YamlError> {
        if self.aliases.contains(&target) {
            return Err(self.error(alias, "an anchor's value contains itself"));
        }
        self.aliases.push(target);
        let result = read(self);
        self.aliases.pop();
        result
    }

    /// Adds a mapping's members to `map` in document order: a later key wins, be it written or merged.
    fn members(&mut self, mapping: NodeId, map: &mut Map<String, Value>, depth: usize) -> Result<(), YamlError> {
        // A key that replaces a merged one is what merging is for; one written twice is not. Without any merge, what is
        // in the map was written.
        let mut written = (!map.is_empty()).then(HashSet::new);
        let mut nodes = self.tree.children(mapping);
        while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
            if self.is_merge_key(key) {
                written.get_or_insert_with(|| map.keys().cloned().collect());
                self.merge(value, map, depth + 1)?;
                continue;
            }
            let name = self.key(key)?;
            let item = self.value(value, depth + 1)?;
            let first = written.as_mut().map(|written| written.insert(name.clone()));
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(item);
                }
                Entry::Occupied(mut place) => {
                    if first != Some(true) {
                        self.warn_of_duplicate(key, place.key());
                    }
                    place.insert(item);
                }
            }
        }
        Ok(())
    }

    fn warn_of_duplicate(&mut self, key: NodeId, name: &str) {
        if self.aliases.is_empty() && self.warnings.len() < MAX_WARNINGS {
            let line = self.tree.lines[key as usize];
            self.warnings.push((line, format!("the key `{name}` is here twice; the last one counts")));
        }
    }

    fn is_merge_key(&self, key: NodeId) -> bool {
        match &self.tree.nodes[key as usize] {
            Node::Scalar { text, tag, resolved } => {
                text == "<<" && (*resolved && *tag == Tag::None || *tag == Tag::Merge)
            }
            _ => false,
        }
    }

    fn key(&mut self, key: NodeId) -> Result<String, YamlError> {
        self.count(key)?;
        let tree = self.tree;
        let mut node = key;
        while let Node::Alias(target) = &tree.nodes[node as usize] {
            node = *target;
            self.count(node)?;
            self.repeat(node)?;
        }
        let Node::Scalar { text, tag, resolved } = &tree.nodes[node as usize] else {
            return Err(self.error(
                key,
                "a key must be a text, not a list or a mapping; a template's `{{` must be rendered first",
            ));
        };
        match self.scalar(node, text, *tag, *resolved)? {
            Scalar::Text(text) => Ok(text.into_owned()),
            Scalar::Bool(value) => Ok(value.to_string()),
            Scalar::Int(value) => Ok(value.to_string()),
            Scalar::Float(value) => Ok(float_key(value)),
            Scalar::Uint(_) => Err(self.error(key, "a number this large cannot be a key; quote it")),
            Scalar::Null => Err(self.error(key, "a key is empty or null; quote it if a text is meant")),
        }
    }

    fn merge(&mut self, value: NodeId, map: &mut Map<String, Value>, depth: usize) -> Result<(), YamlError> {
        let tree = self.tree;
        let wrong = |decoder: &Self| decoder.error(value, "`<<` wants a mapping, or a list of mappings");
        if depth > MAX_DEPTH {
            return Err(too_deep(tree.lines[value as usize]));
        }
        match &tree.nodes[value as usize] {
            Node::Mapping { .. } => {
                self.count(value)?;
                self.members(value, map, depth)
            }
            Node::Alias(target) => {
                let Node::Mapping { .. } = &tree.nodes[*target as usize] else { return Err(wrong(self)) };
                self.count(value)?;
                self.through_alias(value, *target, |decoder| {
                    decoder.count(*target)?;
                    decoder.members(*target, map, depth)
                })
            }
            Node::Sequence { .. } => {
                // The first of the list wins, so it is merged last.
                let items: Vec<NodeId> = tree.children(value).collect();
                for item in items.into_iter().rev() {
                    match &tree.nodes[item as usize] {
                        Node::Mapping { .. } | Node::Alias(_) => self.merge(item, map, depth + 1)?,
                        Node::Scalar { .. } | Node::Sequence { .. } => return Err(wrong(self)),
                    }
                }
                Ok(())
            }
            Node::Scalar { .. } => Err(wrong(self)),
        }
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, by which sigs.k8s.io/yaml makes texts of float keys.
fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        format!("{value}")
    } else {
        format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    }
}
