//! The diff of an application: its objects, and the changed lines of the one under the cursor.
//!
//! See [`DiffPane`] for the entry point.

mod document;
mod fields;
mod job;
mod path;
#[cfg(test)]
mod tests;

pub use document::{DiffDocument, DiffLine, DiffRow, ExtraLine, Note, Sign};
pub use job::Job;

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
    /// Whether live fields that Git does not set are listed.
    pub extras: bool,
    /// Whether lines that are too long are wrapped, else cut.
    pub wrap: bool,
    /// What is drawn elsewhere, and whether its answer is still wanted.
    flight: Option<Flight>,
    /// What is to be drawn elsewhere once nothing else is.
    next: Option<(Job, usize)>,
    context: usize,
    drawn: Option<ObjectId>,
    /// The operator has chosen a place in it: from then on the cursor stays on its object.
    chosen: bool,
}

/// A diff that is being drawn off the loop.
#[derive(Clone, Copy, Debug)]
struct Flight {
    ticket: u64,
    /// Hunk to go to when it is here.
    hunk: usize,
    /// Nothing newer has been asked for since.
    wanted: bool,
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
            extras: false,
            wrap: true,
            flight: None,
            next: None,
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
        let seen = |object: &ObjectComparison| {
            (object.sides.clone(), object.changes.clone(), object.extras.clone(), object.state)
        };
        let before = self.object().map(seen);
        self.comparison = comparison;
        self.objects.settle(ids, total, false);
        match self.first_difference() {
            Some(row) if !self.chosen => self.objects.go(row),
            Some(_) => {}
            // What the operator was reading is settled; what differs next is news.
            None => self.chosen = false,
        }
        let now = self.object().map(seen);
        if before != now || self.drawn.as_ref() != self.objects.current() {
            self.draw(yaml, 0);
        }
    }

    /// Returns the object under the cursor.
    pub fn object(&self) -> Option<&ObjectComparison> {
        // The rows are the comparison's objects, in its order.
        self.comparison.as_ref()?.objects.get(self.objects.row()?).map(Arc::as_ref)
    }

    /// Moves to another object.
    pub fn step_object(&mut self, by: isize, yaml: fn(&Value) -> String) {
        self.chosen = true;
        self.objects.step(by);
        self.draw(yaml, 0);
    }

    /// Moves to an object by its row.
    pub fn go_object(&mut self, row: usize, yaml: fn(&Value) -> String) {
        self.chosen = true;
        self.objects.go(row);
        self.draw(yaml, 0);
    }

    /// Finds the first object that differs, a hook left out: it is never compared.
    fn first_difference(&self) -> Option<usize> {
        let objects = &self.comparison.as_ref()?.objects;
        objects.iter().position(|object| object.state != ObjectState::Synced && object.hook.is_none())
    }

    /// Shows more or fewer unchanged lines.
    pub fn step_context(&mut self, more: bool, yaml: fn(&Value) -> String) {
        self.context = if more { (self.context + 1).min(CONTEXTS.len() - 1) } else { self.context.saturating_sub(1) };
        self.draw(yaml, self.hunk);
    }

    /// Shows or hides managed fields and status.
    pub fn toggle_server_fields(&mut self, yaml: fn(&Value) -> String) {
        self.server_fields = !self.server_fields;
        self.draw(yaml, 0);
    }

    /// Lists live fields that Git does not set, or not.
    pub fn toggle_extras(&mut self, yaml: fn(&Value) -> String) {
        self.extras = !self.extras;
        self.draw(yaml, self.hunk);
    }

    /// Moves to the next or previous hunk; from the last one to the next object's first.
    pub fn step_hunk(&mut self, forward: bool, yaml: fn(&Value) -> String) {
        let last = self.document.hunks.len().saturating_sub(1);
        if forward && self.hunk < last {
            self.go_hunk(self.hunk + 1);
        } else if !forward && self.hunk > 0 {
            self.go_hunk(self.hunk - 1);
        } else if let Some(row) = self.neighbour(forward) {
            self.chosen = true;
            self.objects.go(row);
            self.draw(yaml, if forward { 0 } else { usize::MAX });
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

    /// Draws the object under the cursor, a small one at once; then goes to a hunk.
    fn draw(&mut self, yaml: fn(&Value) -> String, hunk: usize) {
        let other = self.drawn.as_ref() != self.objects.current();
        self.drawn = self.objects.current().cloned();
        self.next = None;
        if let Some(flight) = &mut self.flight {
            flight.wanted = false;
        }
        let (Some(comparison), Some(row)) = (&self.comparison, self.objects.row()) else {
            return self.place(Arc::default(), 0);
        };
        let job = Job {
            ticket: 0,
            comparison: Arc::clone(comparison),
            row,
            context: CONTEXTS[self.context],
            server_fields: self.server_fields,
            extras: self.extras,
            yaml,
        };
        if job.is_small() {
            return self.place(Arc::new(job.run()), hunk);
        }
        if other {
            self.place(Arc::default(), 0);
        }
        self.next = Some((job, hunk));
    }

    fn place(&mut self, document: Arc<DiffDocument>, hunk: usize) {
        self.document = document;
        self.scroll = 0;
        self.hunk = hunk.min(self.document.hunks.len().saturating_sub(1));
        if self.hunk > 0 {
            self.scroll = self.document.hunks.get(self.hunk).map_or(0, |hunk| hunk.row);
        }
    }

    /// Says whether the object's diff is not here yet.
    pub fn is_drawing(&self) -> bool {
        self.next.is_some() || self.flight.is_some_and(|flight| flight.wanted)
    }

    /// Says whether something is to be drawn elsewhere now. One at a time: of what is asked for meanwhile, the last counts.
    pub fn has_work(&self) -> bool {
        self.flight.is_none() && self.next.is_some()
    }

    /// Hands that out, under a ticket.
    pub fn hand_out(&mut self, ticket: u64) -> Option<Job> {
        let (job, hunk) = self.next.take()?;
        self.flight = Some(Flight { ticket, hunk, wanted: true });
        Some(Job { ticket, ..job })
    }

    /// Takes what was drawn elsewhere; what is not waited for any more is dropped.
    pub fn arrive(&mut self, ticket: u64, document: &Arc<DiffDocument>) {
        if let Some(flight) = self.flight.take_if(|flight| flight.ticket == ticket)
            && flight.wanted
        {
            self.place(Arc::clone(document), flight.hunk);
        }
    }
}
