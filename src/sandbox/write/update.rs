//! Another state of an object that is there.

use super::{By, admission, generation};
use crate::{
    merge::{self, Entry, Writer},
    sandbox::{
        answer::Answer,
        api::{Api, Call},
        catalog::Resource,
        convert,
        decode::{self, FieldValidation},
        failure::{Cause, Failure},
        meta,
        store::{Expected, Key, Record},
        validate,
    },
};
use serde_json::Value;
use std::sync::Arc;

/// So often a write is computed again because the object moved; then somebody writes it without end.
const TRIES: usize = 64;

/// What a writer made of the live object.
pub(super) struct Change {
    /// The object.
    pub object: Value,
    /// Who owns what of it; none: the writer what it changed.
    pub entries: Option<Vec<Entry>>,
    /// What the client is told.
    pub warnings: Vec<String>,
}

impl Change {
    /// An object whose changes belong to the writer.
    pub fn of(object: Value) -> Self {
        Self { object, entries: None, warnings: Vec::new() }
    }
}

pub(super) async fn answer(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let mut object = decode::parse(call.body, call.media_type(), &call.resource.kind)?;
    let validation = FieldValidation::read(call.query.get("fieldValidation"));
    let kinds = api.documents.schemas(&call.resource.api_version());
    let mut warnings = decode::typed(&kinds, call.resource, &mut object, validation)?;
    check_place(call, &object)?;
    let subresource = call.target.subresource.as_deref().unwrap_or_default();
    let by = By { manager: &call.manager(), subresource, dry_run: call.dry_run()? };
    let must_say_version = call.resource.custom.is_some() || call.resource.kind == "CustomResourceDefinition";
    let (updated, _) = update_with(api, call.resource, &call.key(), by, |live| {
        if must_say_version && meta::text(&object, "/metadata/resourceVersion").is_empty() {
            let cause = Cause {
                reason: "FieldValueInvalid",
                field: "metadata.resourceVersion".into(),
                message: "Invalid value: 0: must be specified for an update".into(),
            };
            return Err(Failure::invalid(&call.resource.group, &call.resource.kind, call.name(), &[cause]));
        }
        let uid = meta::uid(&object);
        if !uid.is_empty() && uid != meta::uid(live) {
            let why =
                format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", meta::uid(live));
            return Err(Failure::conflict(&call.resource.group, &call.resource.plural, call.name(), &why));
        }
        Ok(Change::of(object.clone()))
    })?;
    warnings.extend(validate::warnings(call.resource, &updated));
    super::written(api, call, 200, &updated, &warnings).await
}

/// The body's name and namespace must be the path's.
pub(super) fn check_place(call: &Call<'_>, object: &Value) -> Result<(), Failure> {
    let name = meta::name(object);
    if name != call.name() {
        return Err(Failure::bad_request(match name {
            "" => "name must be provided".to_owned(),
            name => {
                format!("the name of the object ({name}) does not match the name on the URL ({})", call.name())
            }
        }));
    }
    let namespace = meta::namespace(object);
    if !namespace.is_empty() && Some(namespace) != call.namespace() {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Writes what `change` makes of an object, in the resource's version.
///
/// # Errors
/// What the API refuses.
pub(in crate::sandbox) fn update_object(
    api: &Api,
    resource: &Arc<Resource>,
    key: &Key,
    by: By<'_>,
    change: impl Fn(&Value) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    update_with(api, resource, key, by, |live| change(live).map(Change::of)).map(|(object, _)| object)
}

/// The same with all that a change can say; returns the object and the warnings.
pub(super) fn update_with(
    api: &Api,
    resource: &Arc<Resource>,
    key: &Key,
    by: By<'_>,
    change: impl Fn(&Value) -> Result<Change, Failure>,
) -> Result<(Value, Vec<String>), Failure> {
    for _ in 0..TRIES {
        let record =
            api.store.get(key).ok_or_else(|| Failure::not_found(&resource.group, &resource.plural, &key.name))?;
        let live = convert::from_storage(resource, record.read());
        let Change { object, entries, warnings } = change(&live)?;
        let object = finished(api, resource, &live, object, entries, by);
        let object = object.map_err(|failure| failure.warned(&warnings))?;
        if is_same(&live, &object) {
            return Ok((live, warnings));
        }
        if by.dry_run {
            return Ok((object, warnings));
        }
        if let Some(object) = store(api, resource, key, &record, object) {
            return Ok((object, warnings));
        }
    }
    Err(Failure::stale(&resource.group, &resource.plural, &key.name))
}

/// Stores an object; none where another write was faster. One whose deletion waited for nothing but this write goes.
fn store(api: &Api, resource: &Resource, key: &Key, record: &Record, mut object: Value) -> Option<Value> {
    let stored = convert::to_storage(resource, object.clone());
    let may_go = super::delete::may_go(resource, &object);
    let written = api.commit(resource, || match may_go {
        true => api.store.remove(key, stored, record.revision),
        false => api.store.put(key, stored, Expected::Revision(record.revision)),
    });
    let revision = written.ok()?.revision;
    meta::metadata(&mut object).insert("resourceVersion".into(), revision.to_string().into());
    Some(object)
}

/// Brings a new state to what would be stored.
fn finished(
    api: &Api,
    resource: &Arc<Resource>,
    live: &Value,
    mut object: Value,
    entries: Option<Vec<Entry>>,
    by: By<'_>,
) -> Result<Value, Failure> {
    let version = meta::text(&object, "/metadata/resourceVersion");
    if !matches!(version, "" | "0") && version != meta::text(live, "/metadata/resourceVersion") {
        return Err(Failure::stale(&resource.group, &resource.plural, meta::name(live)));
    }
    let schemas = api.documents.schemas(&resource.api_version());
    let is_whole = matches!(by.subresource, "" | "scale");
    if is_whole {
        keep_metadata(live, &mut object);
        merge::defaults::apply(&schemas, &mut object, Some(live));
    } else {
        object = part_of(resource, live, &object, by.subresource);
    }
    // Nobody owns the node that a Pod was bound to.
    if by.subresource != "binding" {
        let entries = entries.unwrap_or_else(|| {
            let writer = Writer { manager: by.manager, subresource: by.subresource, time: &meta::now() };
            merge::update(&schemas, Some(live), &object, writer).unwrap_or_default()
        });
        merge::set_entries(&mut object, &entries);
    }
    let metadata = meta::metadata(&mut object);
    metadata.insert("resourceVersion".into(), live["metadata"]["resourceVersion"].clone());
    if is_whole {
        admission::on_update(api, resource, live, &mut object)?;
        generation::next(resource, live, &mut object);
    }
    validate::updated(resource, live, &object)?;
    Ok(object)
}

/// What of the metadata only the server writes.
fn keep_metadata(live: &Value, object: &mut Value) {
    let metadata = meta::metadata(object);
    for field in [
        "name",
        "namespace",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "selfLink",
        "generateName",
    ] {
        meta::set(metadata, field, live["metadata"].get(field).cloned());
    }
    if metadata.get("uid").and_then(Value::as_str).is_none_or(str::is_empty) {
        meta::set(metadata, "uid", live["metadata"].get("uid").cloned());
    }
}

/// A write through a subresource changes that part alone.
fn part_of(resource: &Resource, live: &Value, object: &Value, subresource: &str) -> Value {
    let mut kept = live.clone();
    match subresource {
        "status" | "approval" => {
            if let Some(fields) = kept.as_object_mut() {
                meta::set(fields, "status", object.get("status").cloned());
            }
            // Of Kubernetes' own kinds only spec and labels are kept from a writer of the status.
            if resource.custom.is_none() {
                for field in ["annotations", "finalizers", "ownerReferences"] {
                    meta::set(meta::metadata(&mut kept), field, object["metadata"].get(field).cloned());
                }
            }
        }
        "finalize" => {
            let finalizers = object.pointer("/spec/finalizers").cloned();
            meta::set(meta::made(&mut kept, "spec"), "finalizers", finalizers);
        }
        _ => return object.clone(),
    }
    kept
}

/// Whether nothing has changed; times of entries do not count.
fn is_same(live: &Value, object: &Value) -> bool {
    let plain = |object: &Value| {
        let mut object = object.clone();
        for entry in object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut).into_iter().flatten() {
            entry.as_object_mut().map(|entry| entry.remove("time"));
        }
        object
    };
    live == object || plain(live) == plain(object)
}
