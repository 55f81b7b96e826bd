//! What changes between two states of one object, and who owns what it has: pure functions, no I/O.
//!
//! This is the boundary behind which prediction lives. Today the predicted object is the API server's answer to a
//! dry-run (asked for by the engine); [`changes()`] and [`owners`] read it the same way whoever predicted it.

mod alignment;
mod changes;
pub mod defaults;
mod ownership;
pub mod schema;

pub use changes::{FieldChange, Op, changes, live_content};
pub use ownership::{Owner, owned_by, owners};

#[cfg(test)]
mod tests;
