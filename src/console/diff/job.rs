//! The work of drawing one object's diff: a value, so that a big one can be done off the loop.

use super::document::{self, DiffDocument, Sources};
use crate::engine::{Comparison, ObjectComparison, ObjectState};
use serde_json::Value;
use std::sync::Arc;

/// Sides up to this weight are drawn at once; that takes a few milliseconds.
const SMALL: usize = 12_000;
/// Fields that differ up to which an object is drawn at once.
const FEW: usize = 200;

/// Everything that a diff is drawn from.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which answer is waited for.
    pub ticket: u64,
    /// The comparison.
    pub comparison: Arc<Comparison>,
    /// Which of its objects.
    pub row: usize,
    /// Unchanged lines around a change.
    pub context: usize,
    /// Whether managed fields and status are shown.
    pub server_fields: bool,
    /// Whether live fields that Git does not set are listed.
    pub extras: bool,
    /// How an object becomes text.
    pub yaml: fn(&Value) -> String,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.ticket == other.ticket
    }
}

impl Job {
    fn object(&self) -> Option<&ObjectComparison> {
        self.comparison.objects.get(self.row).map(Arc::as_ref)
    }

    /// Says whether this can be done between two keys.
    pub fn is_small(&self) -> bool {
        let Some(object) = self.object() else { return true };
        let mut left = SMALL;
        let sides = [object.sides.live(), object.sides.desired()];
        object.changes.len() + object.extras.len() <= FEW
            && sides.into_iter().flatten().all(|side| weigh(side, self.server_fields, &mut left))
    }

    /// Draws the diff.
    pub fn run(&self) -> DiffDocument {
        let Some(object) = self.object() else { return DiffDocument::default() };
        let same = object.state == ObjectState::Synced && object.changes.is_empty();
        let text = |side: Option<&Value>| {
            let side = side.filter(|_| !same);
            side.map(|side| (self.yaml)(&visible(side, self.server_fields)))
        };
        document::build(&Sources {
            live: text(object.sides.live()).as_deref(),
            desired: text(object.sides.desired()).as_deref(),
            object,
            context: self.context,
            extras: self.extras,
        })
    }
}

/// Takes a value's weight, roughly its bytes as text, from what is left; false: there was not enough. Managed fields,
/// which outweigh most objects, count where they are drawn.
fn weigh(value: &Value, server_fields: bool, left: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len() + 4,
        Value::Object(map) => map.keys().map(|key| key.len() + 4).sum(),
        _ => 4,
    };
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| weigh(item, server_fields, left)),
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| server_fields || *key != "managedFields")
            .all(|(_, value)| weigh(value, server_fields, left)),
        _ => true,
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
