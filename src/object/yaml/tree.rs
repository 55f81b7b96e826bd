//! One document as a tree of nodes with their lines. Two readers build it: that of the [common form](super::block), and
//! the [library](super::library) for all the rest.

use super::{MAX_DEPTH, YamlError, scalar::Tag, too_deep};
use std::borrow::Cow;

/// A node's place in [`Tree`].
pub(super) type NodeId = u32;

/// One node of a document.
#[derive(Debug, PartialEq)]
pub(super) enum Node<'a> {
    Scalar {
        text: Cow<'a, str>,
        tag: Tag,
        /// Whether the text decides what it is: plain, or with an explicit tag.
        resolved: bool,
    },
    /// Its items, and what they contain, are the nodes from the next one up to `end`.
    Sequence {
        end: NodeId,
    },
    /// As with a sequence: keys and values by turns.
    Mapping {
        end: NodeId,
    },
    Alias(NodeId),
}

/// A document's nodes in document order, the root first; an alias refers to the node of its anchor.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// Line of each node, from 1.
    pub(super) lines: Vec<usize>,
}

impl Tree<'_> {
    pub(super) const ROOT: NodeId = 0;

    /// The items of a sequence, or the keys and values of a mapping by turns.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let (first, end) = (node + 1, self.end(node));
        let next = move |child: NodeId| Some(child).filter(|child| *child < end);
        std::iter::successors(next(first), move |child| next(self.end(*child)))
    }

    /// The first node that is not in this one.
    fn end(&self, node: NodeId) -> NodeId {
        match self.nodes[node as usize] {
            Node::Sequence { end } | Node::Mapping { end } => end,
            Node::Scalar { .. } | Node::Alias(_) => node + 1,
        }
    }
}

/// A tree under construction: its nodes are added in document order.
#[derive(Default)]
pub(super) struct Builder<'a> {
    tree: Tree<'a>,
    /// The containers around the next node.
    open: Vec<NodeId>,
}

impl<'a> Builder<'a> {
    /// A builder with room for so many nodes.
    pub(super) fn with_room(nodes: usize) -> Self {
        Self { tree: Tree { nodes: Vec::with_capacity(nodes), lines: Vec::with_capacity(nodes) }, open: Vec::new() }
    }

    pub(super) fn scalar(&mut self, text: Cow<'a, str>, tag: Tag, resolved: bool, line: usize) -> NodeId {
        self.add(Node::Scalar { text, tag, resolved }, line)
    }

    pub(super) fn alias(&mut self, target: NodeId, line: usize) -> NodeId {
        self.add(Node::Alias(target), line)
    }

    pub(super) fn open_sequence(&mut self, line: usize) -> Result<NodeId, YamlError> {
        self.open(Node::Sequence { end: 0 }, line)
    }

    pub(super) fn open_mapping(&mut self, line: usize) -> Result<NodeId, YamlError> {
        self.open(Node::Mapping { end: 0 }, line)
    }

    /// Ends the innermost container.
    pub(super) fn close(&mut self) {
        let after = self.tree.nodes.len() as NodeId;
        let Some(closed) = self.open.pop() else { return };
        if let Node::Sequence { end } | Node::Mapping { end } = &mut self.tree.nodes[closed as usize] {
            *end = after;
        }
    }

    /// The tree, unless nothing was added.
    pub(super) fn finish(self) -> Option<Tree<'a>> {
        (!self.tree.nodes.is_empty()).then_some(self.tree)
    }

    fn open(&mut self, node: Node<'a>, line: usize) -> Result<NodeId, YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(line));
        }
        let id = self.add(node, line);
        self.open.push(id);
        Ok(id)
    }

    fn add(&mut self, node: Node<'a>, line: usize) -> NodeId {
        let id = self.tree.nodes.len() as NodeId;
        self.tree.nodes.push(node);
        self.tree.lines.push(line);
        id
    }
}
