//! The diff of an application: its objects, and the changed lines of the one under the cursor.
//!
//! See [`DiffPane`] for the entry point.

mod document;
mod path;

pub use document::{DiffDocument, DiffLine, DiffRow, Note, Sign, Sources};

use super::selection::Selection;
use crate::{
    engine::{Comparison, ObjectComparison, ObjectState},
    object::ObjectId,
};
use serde_json::Value;
use std::sync::Arc;

/// Numbers of unchanged lines around a change that `{` and `}` step through; the last one is everything.
const CONTEXTS: [usize; 6] = [0, 1, 3, 10, 30, 1_000_000];

/// A comparison's objects and the diff of the one under the cursor.
#[derive(Clone, Debug)]
pub struct DiffPane {
    /// What it is about, for the title: the sides.
    pub sides: String,
    /// What is shown.
    pub comparison: Option<Arc<Comparison>>,
    /// Its objects.
    pub objects: Selection<ObjectId>,
    /// Changed lines of the object under the cursor.
    pub document: Arc<DiffDocument>,
    /// First row of the document on the screen.
    pub scroll: usize,
    /// Current hunk, from 0.
    pub hunk: usize,
    /// Whether managed fields and status are shown.
    pub server_fields: bool,
    context: usize,
    drawn: Option<ObjectId>,
    /// The operator has chosen a place in it: from then on the cursor stays on its object.
    chosen: bool,
}

impl Default for DiffPane {
    fn default() -> Self {
        Self {
            sides: String::new(),
            comparison: None,
            objects: Selection::default(),
            document: Arc::default(),
            scroll: 0,
            hunk: 0,
            server_fields: false,
            context: 2,
            drawn: None,
            chosen: false,
        }
    }
}

impl DiffPane {
    /// Shows a comparison, opened on the first object that differs. Once the operator has moved in it, the cursor stays
    /// on its object, and the place in an unchanged diff stays too.
    pub fn show(&mut self, comparison: Option<Arc<Comparison>>, sides: String, yaml: fn(&Value) -> String) {
        self.sides = sides;
        let same = match (&self.comparison, &comparison) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        let ids: Vec<ObjectId> =
            comparison.iter().flat_map(|comparison| &comparison.objects).map(|object| object.id()).collect();
        if self.comparison.as_ref().map(|old| &old.application) != comparison.as_ref().map(|new| &new.application) {
            self.objects.reset();
            self.drawn = None;
            self.chosen = false;
        }
        let total = ids.len();
        let before = self.object().map(|object| (object.sides.clone(), object.changes.clone(), object.state));
        self.comparison = comparison;
        self.objects.settle(ids, total, false);
        match self.first_difference() {
            Some(row) if !self.chosen => self.objects.go(row),
            Some(_) => {}
            // What the operator was reading is settled; what differs next is news.
            None => self.chosen = false,
        }
        let now = self.object().map(|object| (object.sides.clone(), object.changes.clone(), object.state));
        if before != now || self.drawn.as_ref() != self.objects.current() {
            self.draw(yaml);
        }
    }

    /// Returns the object under the cursor.
    pub fn object(&self) -> Option<&ObjectComparison> {
        let id = self.objects.current()?;
        self.comparison.as_ref()?.objects.iter().map(Arc::as_ref).find(|object| object.id() == *id)
    }

    /// Moves to another object.
    pub fn step_object(&mut self, by: isize, yaml: fn(&Value) -> String) {
        self.chosen = true;
        self.objects.step(by);
        self.draw(yaml);
    }

    /// Moves to an object by its row.
    pub fn go_object(&mut self, row: usize, yaml: fn(&Value) -> String) {
        self.chosen = true;
        self.objects.go(row);
        self.draw(yaml);
    }

    /// Finds the first object that differs, a hook left out: it is never compared.
    fn first_difference(&self) -> Option<usize> {
        let objects = &self.comparison.as_ref()?.objects;
        objects.iter().position(|object| object.state != ObjectState::Synced && object.hook.is_none())
    }

    /// Shows more or fewer unchanged lines.
    pub fn step_context(&mut self, more: bool, yaml: fn(&Value) -> String) {
        self.context = if more { (self.context + 1).min(CONTEXTS.len() - 1) } else { self.context.saturating_sub(1) };
        let hunk = self.hunk;
        self.draw(yaml);
        self.go_hunk(hunk);
    }

    /// Shows or hides managed fields and status.
    pub fn toggle_server_fields(&mut self, yaml: fn(&Value) -> String) {
        self.server_fields = !self.server_fields;
        self.draw(yaml);
    }

    /// Moves to the next or previous hunk; from the last one to the next object's first.
    pub fn step_hunk(&mut self, forward: bool, yaml: fn(&Value) -> String) {
        let last = self.document.hunks.len().saturating_sub(1);
        if forward && self.hunk < last {
            self.go_hunk(self.hunk + 1);
        } else if !forward && self.hunk > 0 {
            self.go_hunk(self.hunk - 1);
        } else if let Some(row) = self.neighbour(forward) {
            self.go_object(row, yaml);
            if !forward {
                self.go_hunk(self.document.hunks.len().saturating_sub(1));
            }
        }
    }

    /// Finds the next object that differs.
    fn neighbour(&self, forward: bool) -> Option<usize> {
        let here = self.objects.row()?;
        let objects = &self.comparison.as_ref()?.objects;
        let differs = |row: &usize| objects.get(*row).is_some_and(|object| object.state != ObjectState::Synced);
        if forward { (here + 1..objects.len()).find(differs) } else { (0..here).rev().find(differs) }
    }

    fn go_hunk(&mut self, hunk: usize) {
        self.chosen = true;
        self.hunk = hunk.min(self.document.hunks.len().saturating_sub(1));
        self.scroll = self.document.hunks.get(self.hunk).map_or(0, |hunk| hunk.row);
    }

    /// Scrolls the document; the current hunk follows.
    pub fn scroll_by(&mut self, by: isize) {
        self.chosen = true;
        self.scroll = self.scroll.saturating_add_signed(by).min(self.document.rows.len().saturating_sub(1));
        let above = self.document.hunks.iter().take_while(|hunk| hunk.row <= self.scroll).count();
        self.hunk = above.saturating_sub(1);
    }

    fn draw(&mut self, yaml: fn(&Value) -> String) {
        self.scroll = 0;
        self.hunk = 0;
        self.drawn = self.objects.current().cloned();
        self.document = match self.object() {
            Some(object) => Arc::new(self.document_of(object, yaml)),
            None => Arc::default(),
        };
    }

    fn document_of(&self, object: &ObjectComparison, yaml: fn(&Value) -> String) -> DiffDocument {
        if object.state == ObjectState::Synced && object.changes.is_empty() {
            return DiffDocument::default();
        }
        let text = |side: Option<&Value>| side.map(|side| yaml(&visible(side, self.server_fields)));
        let live = text(object.sides.live());
        let desired = text(object.sides.desired());
        document::build(&Sources {
            live: live.as_deref(),
            desired: desired.as_deref(),
            object,
            context: CONTEXTS[self.context],
        })
    }
}

/// Returns an object without what the server writes for itself, unless that is asked for.
fn visible(side: &Value, server_fields: bool) -> Value {
    let mut side = side.clone();
    if server_fields {
        return side;
    }
    if let Some(map) = side.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["managedFields", "resourceVersion", "uid", "generation", "selfLink", "creationTimestamp"] {
                metadata.remove(field);
            }
        }
    }
    side
}
