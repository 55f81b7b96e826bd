//! What changes between two states of one object, and who owns what it has: pure functions, no I/O.
//!
//! This is the boundary behind which prediction lives. Today the predicted object is the API server's answer to a
//! dry-run (asked for by the engine); [`changes()`] and [`owners`] read it the same way whoever predicted it.

mod alignment;
mod apply;
mod changes;
mod conflict;
pub mod defaults;
mod entry;
mod field_set;
mod leave_out;
mod live_content;
mod locate;
mod ownership;
mod path;
pub mod schema;
mod typed;
mod value;

pub use apply::{Applied, Outcome, Unknown, merge};
pub use changes::{FieldChange, Op, changes};
pub use conflict::Conflict;
pub use entry::{Entry, EntryError, Operation};
pub use field_set::{FieldSet, FieldsError};
pub use leave_out::{LeftOut, leave_out};
pub use live_content::live_content;
pub use locate::{path_of, set_of};
pub use ownership::{Owner, owned_by, owners};
pub use path::{Path, PathElement};
pub use schema::{Schema, Schemas};
pub use typed::TypedError;

#[cfg(test)]
mod tests;
