//! A set of fields of one object: a tree of path elements, in which some nodes are members of the set.
//!
//! That a field is a member says nothing of what is above or below it. The operations are those of
//! structured-merge-diff's `fieldpath.Set`; [`FieldSet::read`] and [`FieldSet::to_json`] are its FieldsV1.

mod fields_v1;

use super::{
    path::{Path, PathElement},
    schema::Type,
};

pub use fields_v1::FieldsError;

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted by element, each once; each is a member or has members below it.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    element: PathElement,
    member: bool,
    below: FieldSet,
}

impl Node {
    fn is_used(&self) -> bool {
        self.member || !self.below.is_empty()
    }
}

/// The nodes of two sets side by side.
enum Pair<'a> {
    Left(&'a Node),
    Right(&'a Node),
    Both(&'a Node, &'a Node),
}

impl FieldSet {
    /// An empty set with room for so many parts.
    pub(super) fn with_capacity(parts: usize) -> Self {
        Self { nodes: Vec::with_capacity(parts) }
    }

    /// Says whether no field is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Says whether the field is a member.
    pub fn contains(&self, path: &[PathElement]) -> bool {
        match path.split_first() {
            None => false,
            Some((element, rest)) => self.node(element).is_some_and(|node| match rest {
                [] => node.member,
                rest => node.below.contains(rest),
            }),
        }
    }

    /// Says whether the field, or a part of it, is a member.
    pub fn reaches(&self, path: &[PathElement]) -> bool {
        match path.split_first() {
            None => !self.is_empty(),
            Some((element, rest)) => self.node(element).is_some_and(|node| match rest {
                [] => node.is_used(),
                rest => node.below.reaches(rest),
            }),
        }
    }

    /// Says whether the part is a member.
    pub(super) fn has(&self, element: &PathElement) -> bool {
        self.node(element).is_some_and(|node| node.member)
    }

    /// Returns what is in the set below a part.
    pub(super) fn below(&self, element: &PathElement) -> Option<&Self> {
        self.node(element).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// Returns the parts in which something is in the set: the element, whether it is a member itself, what is below it.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&PathElement, bool, &Self)> {
        self.nodes.iter().map(|node| (&node.element, node.member, &node.below))
    }

    /// Puts a field in.
    pub fn insert(&mut self, path: &[PathElement]) {
        let Some((element, rest)) = path.split_first() else { return };
        let at = match self.nodes.binary_search_by(|node| node.element.cmp(element)) {
            Ok(at) => at,
            Err(at) => {
                self.nodes.insert(at, Node { element: element.clone(), member: false, below: Self::default() });
                at
            }
        };
        match rest {
            [] => self.nodes[at].member = true,
            rest => self.nodes[at].below.insert(rest),
        }
    }

    /// Puts in a part that is greater than all so far or that the caller sorts later with [`FieldSet::sort`].
    pub(super) fn push(&mut self, element: PathElement, member: bool, below: Self) {
        if member || !below.is_empty() {
            self.nodes.push(Node { element, member, below });
        }
    }

    /// Brings the parts that were pushed into order; equal ones become one.
    pub(super) fn sort(&mut self) {
        if self.nodes.is_sorted_by(|a, b| a.element < b.element) {
            return;
        }
        self.nodes.sort_by(|a, b| a.element.cmp(&b.element));
        self.nodes.dedup_by(|again, first| {
            let same = again.element == first.element;
            if same {
                first.member |= again.member;
                first.below = first.below.union(&again.below);
            }
            same
        });
    }

    /// Returns all members, each part before what is below it.
    pub fn paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, above: &mut Vec<PathElement>, found: &mut Vec<Path>) {
        for node in &self.nodes {
            above.push(node.element.clone());
            if node.member {
                found.push(Path(above.clone()));
            }
            node.below.collect(above, found);
            above.pop();
        }
    }

    /// Returns the fields of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() {
            return self.clone();
        }
        self.zip(other, |pair| match pair {
            Pair::Left(node) | Pair::Right(node) => Some(node.clone()),
            Pair::Both(a, b) => {
                Some(Node { element: a.element.clone(), member: a.member || b.member, below: a.below.union(&b.below) })
            }
        })
    }

    /// Returns the fields that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |pair| match pair {
            Pair::Left(_) | Pair::Right(_) => None,
            Pair::Both(a, b) => Some(Node {
                element: a.element.clone(),
                member: a.member && b.member,
                below: a.below.intersection(&b.below),
            }),
        })
    }

    /// Returns the fields that are not in the other set. A field below a member of the other stays.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        self.zip(other, |pair| match pair {
            Pair::Left(node) => Some(node.clone()),
            Pair::Right(_) => None,
            Pair::Both(a, b) => Some(Node {
                element: a.element.clone(),
                member: a.member && !b.member,
                below: a.below.difference(&b.below),
            }),
        })
    }

    /// Returns the fields that are neither in the other set nor below one of its members.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.zip(other, |pair| match pair {
            Pair::Left(node) => Some(node.clone()),
            Pair::Right(_) => None,
            Pair::Both(_, b) if b.member => None,
            Pair::Both(a, b) => Some(Node {
                element: a.element.clone(),
                member: a.member,
                below: a.below.recursive_difference(&b.below),
            }),
        })
    }

    /// Says whether every field is in the other set too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.nodes.iter().all(|node| {
            other
                .node(&node.element)
                .is_some_and(|same| (!node.member || same.member) && node.below.is_subset(&same.below))
        })
    }

    /// Returns the members that have no member below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let nodes = self.nodes.iter().map(|node| Node {
            element: node.element.clone(),
            member: node.member && node.below.is_empty(),
            below: node.below.leaves(),
        });
        Self { nodes: nodes.collect() }
    }

    /// Makes every declared field that has members below it a member too: apply does not list these, since they are there
    /// as soon as something below them is.
    #[must_use]
    pub(super) fn with_named_fields(mut self, schema: Type<'_>) -> Self {
        self.name_fields(schema);
        self
    }

    fn name_fields(&mut self, schema: Type<'_>) {
        let (map, list) = (schema.map(), schema.list());
        for node in self.nodes.iter_mut().filter(|node| !node.below.is_empty()) {
            let inner = match &node.element {
                PathElement::Field(name) => {
                    let field = map.and_then(|map| map.field(name));
                    node.member |= field.is_some();
                    field.map(|field| field.value).or_else(|| map?.values())
                }
                PathElement::Key(_) => list.map(|list| list.items()),
                PathElement::Value(_) | PathElement::Index(_) => None,
            };
            if let Some(inner) = inner {
                node.below.name_fields(inner);
            }
        }
    }

    fn node(&self, element: &PathElement) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|node| node.element.cmp(element)).ok()?;
        Some(&self.nodes[at])
    }

    /// Walks both sets in order and keeps what the function makes of each pair, where that holds any field.
    fn zip(&self, other: &Self, keep: impl Fn(Pair<'_>) -> Option<Node>) -> Self {
        let (mut left, mut right) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        let mut nodes = Vec::new();
        loop {
            let pair = match (left.peek(), right.peek()) {
                (None, None) => return Self { nodes },
                (Some(a), None) => Pair::Left(a),
                (None, Some(b)) => Pair::Right(b),
                (Some(a), Some(b)) => match a.element.cmp(&b.element) {
                    std::cmp::Ordering::Less => Pair::Left(a),
                    std::cmp::Ordering::Greater => Pair::Right(b),
                    std::cmp::Ordering::Equal => Pair::Both(a, b),
                },
            };
            if !matches!(pair, Pair::Right(_)) {
                left.next();
            }
            if !matches!(pair, Pair::Left(_)) {
                right.next();
            }
            nodes.extend(keep(pair).filter(Node::is_used));
        }
    }
}

#[cfg(test)]
mod tests;
