//! The terminal program: a model, a pure update, a pure view, and effects as values run at the edge.
//!
//! See [`run`] for the entry point. `message` -> `update` -> `model` -> `view`; what `update` wants done outside is an
//! `effect`, started by `runtime` and answered by another message. What can be done at all stands in [`action::TABLE`].

pub mod action;
mod availability;
mod diff;
mod effect;
mod filter;
#[cfg(test)]
mod fixture;
mod gate;
mod glyph;
mod key;
mod keymap;
mod layout;
mod message;
mod model;
#[cfg(test)]
mod property;
mod runtime;
mod screen;
mod selection;
#[cfg(test)]
mod snapshots;
mod status;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod update;
mod view;

pub use runtime::{RunOptions, run};

/// Returns the table of actions, for `driftdeck keys`.
pub fn actions() -> &'static [action::ActionSpec] {
    action::TABLE
}
