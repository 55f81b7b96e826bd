//! What a Kubernetes object is to driftdeck, without any I/O: its identity, its manifest and where that came from,
//! YAML as kubectl reads it, canonical bytes, masked secrets, and text that is safe to show.
//!
//! See [`Manifest`] for the entry point.

mod borrowed;
mod canonical;
mod clean;
mod identity;
mod issue;
mod manifest;
mod packed;
mod pointer;
mod quantity;
mod secret;
mod source;
mod yaml;

pub use borrowed::Borrowed;
pub use canonical::{canonical_json, sha256_hex};
pub use clean::clean;
pub use identity::{GroupKind, IdentityError, ObjectId, ObjectIds, join_api_version, split_api_version};
pub use issue::{Issue, Severity};
pub use manifest::{Label, Manifest, ManifestError, Origin, PackedManifest};
pub use packed::{Dictionary, Packed, Unreadable};
pub use pointer::{Pointer, Segment};
pub use quantity::{Quantity, QuantityError};
pub use secret::{Mask, holds_values, is_secret, mask_pair, mask_secret, without_values};
pub use source::{Entry, EntryKind, SourceError, SourceTree};
pub use yaml::{Document, YamlError, documents, panic_is_caught, to_yaml};
