//! A new object.

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
        store::{Expected, Key},
        validate,
    },
};
use serde_json::Value;
use std::sync::Arc;

/// Names that are tried where `generateName` hits one that is taken.
const TRIES: usize = 8;

pub(super) async fn answer(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let mut object = decode::parse(call.body, call.media_type(), &call.resource.kind)?;
    let validation = FieldValidation::read(call.query.get("fieldValidation"));
    let kinds = api.documents.schemas(&call.resource.api_version());
    let mut warnings = decode::typed(&kinds, call.resource, &mut object, validation)?;
    let namespace = call.namespace().unwrap_or_default();
    let given = meta::namespace(&object);
    if !given.is_empty() && given != namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let by = By { manager: &call.manager(), subresource: "", dry_run: call.dry_run()? };
    let created = create_object(api, call.resource, namespace, object, by);
    let created = created.map_err(|failure| failure.warned(&warnings))?;
    warnings.extend(validate::warnings(call.resource, &created));
    super::written(api, call, 201, &created, &warnings).await
}

/// Creates an object of the resource's version.
///
/// # Errors
/// What the API refuses.
pub(in crate::sandbox) fn create_object(
    api: &Api,
    resource: &Arc<Resource>,
    namespace: &str,
    mut object: Value,
    by: By<'_>,
) -> Result<Value, Failure> {
    check_namespace(api, resource, namespace, meta::name(&object))?;
    let metadata = meta::metadata(&mut object);
    if metadata.get("resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty()) {
        return Err(Failure::internal("resourceVersion should not be set on objects to be created"));
    }
    let schemas = api.documents.schemas(&resource.api_version());
    clear(&mut object, resource, namespace);
    // An apply may give this one, for whatever it is worth.
    meta::metadata(&mut object).remove("deletionGracePeriodSeconds");
    merge::defaults::apply(&schemas, &mut object, None);
    let writer = Writer { manager: by.manager, subresource: by.subresource, time: &meta::now() };
    let entries = merge::update(&schemas, None, &object, writer).unwrap_or_default();
    finish(api, resource, namespace, object, &entries, by)
}

/// What only the server writes is not the client's to give.
fn clear(object: &mut Value, resource: &Resource, namespace: &str) {
    let metadata = meta::metadata(object);
    for field in ["uid", "creationTimestamp", "deletionTimestamp", "generation", "selfLink", "resourceVersion"] {
        metadata.remove(field);
    }
    meta::set(metadata, "namespace", resource.namespaced.then(|| namespace.into()));
}

/// Gives the object what the server gives it, checks it and stores it. `entries` say who owns what of it.
pub(super) fn finish(
    api: &Api,
    resource: &Arc<Resource>,
    namespace: &str,
    mut object: Value,
    entries: &[Entry],
    by: By<'_>,
) -> Result<Value, Failure> {
    clear(&mut object, resource, namespace);
    let metadata = meta::metadata(&mut object);
    metadata.insert("uid".into(), meta::new_uid().into());
    metadata.insert("creationTimestamp".into(), meta::now().into());
    generation::first(resource, metadata);
    let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let generates = !prefix.is_empty() && metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty);
    let kept = crate::merge::Entry::read_all(&object).unwrap_or_default();
    let entries = if entries.is_empty() { &kept } else { entries };
    merge::set_entries(&mut object, entries);
    for _ in 0..TRIES {
        if generates {
            let name = format!("{}{}", prefix.chars().take(58).collect::<String>(), meta::suffix());
            meta::metadata(&mut object).insert("name".into(), name.into());
        }
        let mut complete = object.clone();
        admission::on_create(api, resource, &mut complete)?;
        if meta::name(&complete).is_empty() {
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(Failure::invalid(&resource.group, &resource.kind, "", &[cause]));
        }
        validate::created(resource, &complete)?;
        let key = Key::new(&resource.collection, namespace, meta::name(&complete));
        if by.dry_run {
            if api.store.get(&key).is_some() {
                return Err(Failure::already_exists(&resource.group, &resource.plural, &key.name));
            }
            return Ok(complete);
        }
        let stored = convert::to_storage(resource, complete.clone());
        match api.commit(resource, || api.store.put(&key, stored, Expected::Absent)) {
            Ok(record) => {
                meta::metadata(&mut complete).insert("resourceVersion".into(), record.revision.to_string().into());
                return Ok(complete);
            }
            Err(_) if generates => {}
            Err(_) => return Err(Failure::already_exists(&resource.group, &resource.plural, &key.name)),
        }
    }
    Err(Failure::already_exists(&resource.group, &resource.plural, &prefix))
}

/// The namespace must be there, and stay (the admission plugin `NamespaceLifecycle`).
pub(super) fn check_namespace(api: &Api, resource: &Resource, namespace: &str, name: &str) -> Result<(), Failure> {
    if !resource.namespaced {
        return Ok(());
    }
    let found =
        api.object("namespaces", "", namespace).ok_or_else(|| Failure::not_found("", "namespaces", namespace))?;
    if meta::text(&found, "/status/phase") == "Terminating" {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        return Err(Failure::forbidden(&resource.group, &resource.plural, name, &why));
    }
    Ok(())
}
