//! What reaches the model: keys, snapshots, answers, time. Every message carries the time at which it came, so that
//! `update` is a function of its arguments alone.

use super::diff::DiffDocument;
use crate::engine::{Activity, CommitEffect, EngineError, Fleet, GitChange, Plan, SyncReport};
use crossterm::event::{KeyEvent, MouseEvent};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// A moment: for people, and for measuring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// Wall clock.
    pub now: Timestamp,
    /// Time since the console started; never goes back.
    pub uptime: Duration,
}

/// A message and when it came.
#[derive(Clone, Debug)]
pub struct Msg {
    /// When.
    pub at: Stamp,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was pressed or repeated.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal has another size.
    Resize(u16, u16),
    /// A second has passed.
    Tick,
    /// What the model says now stands on the screen.
    Drawn,
    /// A new snapshot.
    Fleet(Arc<Fleet>),
    /// An answer to an effect.
    Reply(Reply),
    /// Something of the console's own to note, such as a background task that panicked.
    Note(Activity),
}

/// What an answer belongs to. One whose epoch nobody waits for any more is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Grows with every question.
    pub epoch: u64,
    /// Application it was asked for.
    pub application: String,
}

/// An answer of the engine.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To a plan.
    Planned(Ticket, Result<Arc<Plan>, EngineError>),
    /// To a sync.
    Synced(Ticket, Result<Arc<SyncReport>, EngineError>),
    /// To a commit.
    Commit(Ticket, Result<Arc<CommitEffect>, EngineError>),
    /// To a revert, before it is pushed.
    Reverted(Ticket, Result<Arc<GitChange>, EngineError>),
    /// To a diff that was drawn off the loop.
    Drawn(u64, Arc<DiffDocument>),
    /// To a push.
    Pushed(Ticket, Result<Arc<GitChange>, EngineError>),
    /// To what has no other answer: what could not be done.
    Failed(String),
}
