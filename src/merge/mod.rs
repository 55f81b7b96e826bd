//! Server-side apply in this process: what the server would make of an apply, what changes by it, and who owns what.
//! Pure functions, no I/O.
//!
//! [`merge()`] answers as kube-apiserver answers a dry-run: the merged object and its `managedFields`, or the conflicts, or
//! what is wrong with the manifest; [`defaults::apply`] then makes of the object what the server would store. Both know
//! a kind by the cluster's own OpenAPI documents ([`schema`]). [`changes()`] and [`Ownership`] read the live object and the
//! predicted one the same way whoever predicted it.
//!
//! ```text
//! schema    what a kind is            path, field_set   names of fields, sets of them (FieldsV1)
//! typed     values seen through it    entry, conflict   who owns which
//! apply     the algorithm             defaults          what the server does afterwards
//! settled   whether there is anything to do at all
//! update    owners after other writes
//! changes, alignment, ownership       what differs, and who owns it
//! ```

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
mod settled;
mod typed;
mod update;
mod value;

pub use apply::{Applied, Outcome, Unknown, merge};
pub use changes::{FieldChange, Op, changes};
pub use conflict::Conflict;
pub use entry::{Entry, EntryError, Operation};
pub use field_set::{FieldSet, FieldsError};
pub use leave_out::{LeftOut, leave_out};
pub use live_content::live_content;
pub use locate::{path_of, set_of};
pub use ownership::{Owner, Ownership, owned_by, owners};
pub use path::{Path, PathElement};
pub use schema::{Schema, Schemas};
pub use settled::is_settled;
pub use typed::TypedError;
pub use update::{Writer, set_entries, update};

#[cfg(test)]
mod tests;
