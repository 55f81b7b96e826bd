//! What kube-apiserver makes of an object after the server-side-apply merge and before it stores it: conversion to the Go
//! type, defaulting, and each kind's strategy. Pure; the server's own steps in its own order.
//!
//! [`apply`] is the whole of it. [`canonical`] and [`same_value`] do it for one value of an object, to say that two
//! spellings are one value. [`server_assigned`] names what cannot be known here: allocated addresses and ports, generated
//! labels. Admission and validation are not foreseen either.
//!
//! For built-in kinds most is data: the OpenAPI schema says which types are structs, quantities, times, and what has a
//! default; `types.txt` says what the schema leaves out, by type; only what depends on other fields is code, one file a
//! topic, found by a type's name in `rules` (the server's `SetDefaults_…` and conversions) or by kind in `strategy`
//! (its `PrepareForCreate` and `PrepareForUpdate`). Custom resources get their schema's defaults (`custom`).

mod assigned;
mod autoscaling;
mod custom;
mod fields;
mod go;
mod image;
mod metadata;
mod network;
mod pod;
mod rules;
mod same;
mod service;
mod storage;
mod strategy;
mod types;
mod walk;
mod workloads;

use crate::merge::schema::{Kind, Schemas};
use serde_json::Value;

pub use assigned::server_assigned;
pub use same::{canonical, same_value};

/// Makes of a merged object what the server stores. `old` is the live object, none if the object is created.
///
/// An object whose kind the schemas do not have stays as it is.
///
/// # Caveats
/// What only the server can tell is absent ([`server_assigned`]). The rules are those of 1.36; another version is followed
/// as far as its schema shows the difference. A field behind a feature gate is taken to be kept; a server whose gate is
/// closed drops it without a word (a Lease's `strategy`, the namespace of a claim's `dataSourceRef`).
pub fn apply(schemas: &Schemas, object: &mut Value, old: Option<&Value>) {
    let Some((api_version, kind)) = type_of(object) else { return };
    let Some(found) = schemas.kind(&api_version, &kind) else { return };
    keep_status(found, object, old);
    if found.is_custom {
        custom::complete(found.root, object);
        return;
    }
    go::decode(found.root, object);
    set_defaults(found, object);
    if let Some(fields) = object.as_object_mut() {
        let old = old.cloned().map(|mut old| {
            go::decode(found.root, &mut old);
            old
        });
        strategy::prepare(&api_version, &kind, fields, old.as_ref().and_then(Value::as_object));
    }
    // The stored object is read again before it is answered, and so defaulted again.
    set_defaults(found, object);
    go::encode(found.root, object);
}

/// Defaults every struct of a built-in object, an outer one before those in it.
fn set_defaults(kind: Kind<'_>, object: &mut Value) {
    walk::structs(kind.root, object, &mut |name, _, fields| rules::set(name, fields));
}

/// An object's apiVersion and kind.
fn type_of(object: &Value) -> Option<(String, String)> {
    let text = |name| object.get(name).and_then(Value::as_str).map(str::to_owned);
    Some((text("apiVersion")?, text("kind")?))
}

/// A kind with the status subresource has the status that it had, and none when it is created.
fn keep_status(kind: Kind<'_>, object: &mut Value, old: Option<&Value>) {
    if let Some(fields) = object.as_object_mut().filter(|_| kind.has_status) {
        fields::take_over(fields, "status", old.and_then(Value::as_object));
    }
}

#[cfg(test)]
mod tests;
