//! The latest changes, for watches and for lists as they were. What is older is forgotten, and whoever asks for it starts anew.

use super::{Body, Key, Record};
use std::collections::VecDeque;

/// So many changes are remembered.
const LENGTH: usize = 8192;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Change {
    /// It was created.
    Added,
    /// It was written again.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Event {
    /// Its revision.
    pub revision: u64,
    /// What happened.
    pub change: Change,
    /// To which object.
    pub key: Key,
    /// The object after it; of one that is gone its last state.
    pub body: Body,
    /// The object before it.
    pub before: Option<Record>,
}

/// The changes after a revision are not all remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct TooOld {
    /// The earliest revision after which they are.
    pub oldest: u64,
}

/// The latest changes, in order.
#[derive(Default)]
pub(super) struct History {
    events: VecDeque<Event>,
    /// The revision of the last change that is forgotten.
    forgotten: u64,
}

impl History {
    /// One that begins after a revision.
    pub fn from(revision: u64) -> Self {
        Self { events: VecDeque::new(), forgotten: revision }
    }

    pub fn push(&mut self, event: Event) {
        if self.events.len() == LENGTH
            && let Some(oldest) = self.events.pop_front()
        {
            self.forgotten = oldest.revision;
        }
        self.events.push_back(event);
    }

    pub fn after(&self, revision: u64) -> Result<impl DoubleEndedIterator<Item = &Event>, TooOld> {
        if revision < self.forgotten {
            return Err(TooOld { oldest: self.forgotten });
        }
        let from = self.events.partition_point(|event| event.revision <= revision);
        Ok(self.events.range(from..))
    }
}
