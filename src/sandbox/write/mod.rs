//! POST, PUT, PATCH and DELETE: from a request to a change of the store.
//!
//! ```text
//! body ─► decode ─► new object ─► defaults (merge) ─► owners (merge) ─► admission ─► validation ─► store
//!                      ▲                                                                            │ moved on
//!                      └────────────── PUT, a patch, an apply of the live object ◄──────────────────┘ meanwhile
//! ```
//! An update is computed from the live object and written only if that is still the live one; else it is computed again.
//! The controllers write by the same functions ([`create_object`], [`update_object`], [`delete_object`]).

mod admission;
mod apply;
mod create;
mod delete;
mod generation;
mod patch;
mod update;

use super::{
    answer::{self, Answer},
    api::{Api, Call},
    failure::Failure,
};
use serde_json::Value;

pub(super) use create::create_object;
pub(super) use delete::{Options, delete_object};
pub(super) use update::update_object;

/// Who writes, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    /// Field manager.
    pub manager: &'a str,
    /// Subresource; empty for the object itself.
    pub subresource: &'a str,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

impl<'a> By<'a> {
    /// A write of the object itself.
    pub fn manager(manager: &'a str) -> Self {
        Self { manager, subresource: "", dry_run: false }
    }
    /// A write of its status.
    pub fn status(manager: &'a str) -> Self {
        Self { manager, subresource: "status", dry_run: false }
    }
}

/// POST.
///
/// # Errors
/// What the API refuses.
pub(super) async fn create(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    create::answer(api, call).await
}

/// PUT.
///
/// # Errors
/// What the API refuses.
pub(super) async fn update(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    update::answer(api, call).await
}

/// PATCH.
///
/// # Errors
/// What the API refuses.
pub(super) async fn patch(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    patch::answer(api, call).await
}

/// DELETE of an object.
///
/// # Errors
/// What the API refuses.
pub(super) async fn delete(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    delete::answer(api, call).await
}

/// DELETE of a collection.
///
/// # Errors
/// What the API refuses.
pub(super) async fn delete_collection(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    delete::answer_collection(api, call).await
}

/// The answer of a write: the object as it is now, once that is on disk.
async fn written(
    api: &Api,
    call: &Call<'_>,
    code: u16,
    object: &Value,
    warnings: &[String],
) -> Result<Answer, Failure> {
    api.settled(api.store.revision()).await?;
    let form = answer::Form::of(call.headers)?;
    let answer = match form {
        answer::Form::Json => answer::document(code, object),
        _ => {
            let stored = super::convert::to_storage(call.resource, object.clone());
            let record = super::store::Record { revision: 0, body: body_of(stored) };
            let body = answer::object(call.resource, &record, form, call.query.get("includeObject"));
            answer::bytes(code, "application/json", body)
        }
    };
    Ok(answer::warned(answer, warnings))
}

/// An object's bytes as the store keeps them.
fn body_of(mut object: Value) -> super::store::Body {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    object.to_string().into_bytes().into()
}
