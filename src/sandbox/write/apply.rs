//! Server-side apply: the merge, its conflicts and its owners are [`crate::merge`]'s; here is what surrounds it, in the
//! server's order of checks.

use super::{
    By, create,
    update::{Change, update_with},
};
use crate::{
    merge::{self, Entry, Operation, Outcome},
    object::documents,
    sandbox::{
        answer::Answer,
        api::{Api, Call},
        decode,
        failure::{Cause, Failure},
        meta, validate,
    },
};
use serde_json::{Value, json};
use std::borrow::Cow;

pub(super) async fn answer(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let resource = call.resource;
    let manager = call.query.get("fieldManager").unwrap_or_default();
    if manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(Failure::invalid("meta.k8s.io", "PatchOptions", "", &[cause]));
    }
    if call.target.subresource.is_some() {
        let others =
            ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];
        return Err(Failure::unsupported_media_type(&others));
    }
    let desired = read(call)?;
    let force = call.query.is("force");
    let by = By { manager, subresource: "", dry_run: call.dry_run()? };
    let schemas = api.documents.schemas(&resource.api_version());
    loop {
        if api.store.get(&call.key()).is_none() {
            create::check_namespace(api, resource, call.namespace().unwrap_or_default(), call.name())?;
            let uid = meta::uid(&desired);
            if !uid.is_empty() {
                let why =
                    format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
                return Err(Failure::conflict(&resource.group, &resource.plural, call.name(), &why));
            }
            let (mut object, entries) = match merge::merge(&schemas, None, &desired, manager, force) {
                Outcome::Applied(applied) => (applied.object.into_owned(), timed(applied.entries, manager)),
                other => return Err(refused(call, other)),
            };
            check(call, &desired, &object)?;
            merge::defaults::apply(&schemas, &mut object, None);
            let namespace = call.namespace().unwrap_or_default();
            match create::finish(api, resource, namespace, object, &entries, by) {
                // Somebody else was faster: then it is an update.
                Err(failure) if failure.reason == "AlreadyExists" => continue,
                created => {
                    let created = created?;
                    let warnings = validate::warnings(resource, &created);
                    return super::written(api, call, 201, &created, &warnings).await;
                }
            }
        }
        let applied = update_with(api, resource, &call.key(), by, |live| {
            match merge::merge(&schemas, Some(live), &desired, manager, force) {
                Outcome::Applied(applied) => {
                    let is_changed = matches!(applied.object, Cow::Owned(_));
                    let mut object = applied.object.into_owned();
                    check(call, &desired, &object)?;
                    let metadata = meta::metadata(&mut object);
                    for field in ["resourceVersion", "uid"] {
                        let given = meta::text(&desired, &format!("/metadata/{field}"));
                        if !given.is_empty() {
                            metadata.insert(field.into(), given.into());
                        }
                    }
                    let entries = if is_changed { timed(applied.entries, manager) } else { applied.entries };
                    Ok(Change { object, entries: Some(entries), warnings: Vec::new() })
                }
                other => Err(refused(call, other)),
            }
        });
        match applied {
            Err(failure) if failure.code == 404 && api.store.get(&call.key()).is_none() => {}
            applied => {
                let (object, _) = applied?;
                let warnings = validate::warnings(resource, &object);
                return super::written(api, call, 200, &object, &warnings).await;
            }
        }
    }
}

/// The body is YAML whatever it looks like, and must be of the kind and place of the path.
fn read(call: &Call<'_>) -> Result<Value, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::bad_request(format!("error decoding YAML: {error}"));
    let text = std::str::from_utf8(call.body).map_err(|error| unreadable(&error))?;
    let document = documents(text).into_iter().next();
    let mut desired = match document {
        Some(document) => document.value.map_err(|error| unreadable(&error))?,
        None => return Err(unreadable(&"EOF")),
    };
    if !desired.is_object() {
        return Err(unreadable(&"the body is no object"));
    }
    let given = (meta::text(&desired, "/apiVersion").to_owned(), meta::text(&desired, "/kind").to_owned());
    if given != (call.resource.api_version(), call.resource.kind.clone()) {
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {}, Kind={}",
            call.resource.kind, given.0, given.1
        )));
    }
    let metadata = meta::metadata(&mut desired);
    if metadata.get("managedFields").is_some_and(|entries| !entries.is_null()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    if !meta::name(&desired).is_empty() {
        super::update::check_place(call, &desired)?;
    }
    Ok(desired)
}

/// What the server finds out only after the merge: a body without a name, bytes that are none.
fn check(call: &Call<'_>, desired: &Value, merged: &Value) -> Result<(), Failure> {
    if meta::name(desired).is_empty() {
        super::update::check_place(call, desired)?;
    }
    let Some(error) = decode::undecodable(merged) else { return Ok(()) };
    let resource = call.resource;
    let kind = format!("/{}, Kind={}", resource.version, resource.kind);
    Err(Failure::internal(format!(
        "failed to convert new object ({}/{}; {kind}) to proper version: unable to convert unstructured object to {kind}: error decoding from json: {error}",
        call.namespace().unwrap_or_default(),
        call.name(),
    )))
}

/// The applying manager's entry is of now.
fn timed(mut entries: Vec<Entry>, manager: &str) -> Vec<Entry> {
    for entry in &mut entries {
        let is_own = entry.manager == manager && entry.operation == Operation::Apply && entry.subresource.is_empty();
        if is_own && entry.time.is_none() {
            entry.time = Some(meta::now());
        }
    }
    entries
}

fn refused(call: &Call<'_>, outcome: Outcome<'_>) -> Failure {
    match outcome {
        Outcome::Conflicts(conflicts) => {
            let causes = conflicts.iter().map(|conflict| {
                json!({"reason": "FieldManagerConflict", "message": conflict.to_string(), "field": conflict.path.to_string()})
            });
            Failure::manager_conflict(told(&conflicts), causes.collect())
        }
        Outcome::Invalid(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let errors = match errors.as_slice() {
                [one] => one.clone(),
                all => format!("errors:{}", all.iter().map(|error| format!("\n  {error}")).collect::<String>()),
            };
            let resource = call.resource;
            Failure::internal(format!(
                "failed to create typed patch object ({}/{}; {}/{}, Kind={}): {errors}",
                call.namespace().unwrap_or_default(),
                call.name(),
                resource.group,
                resource.version,
                resource.kind
            ))
        }
        Outcome::Unknown(unknown) => Failure::internal(unknown.to_string()),
        // Only refusals come here.
        Outcome::Applied(_) => Failure::internal("apply was not refused"),
    }
}

/// The message: one conflict on a line, several by manager.
fn told(conflicts: &[merge::Conflict]) -> String {
    if let [one] = conflicts {
        return format!("Apply failed with 1 conflict: {one}: {}", one.path);
    }
    let mut text = format!("Apply failed with {} conflicts:", conflicts.len());
    let mut last = String::new();
    for conflict in conflicts {
        let manager = conflict.to_string().replacen("conflict ", "conflicts ", 1);
        if manager != last {
            text.push_str(&format!("{}{manager}:", if last.is_empty() { " " } else { "\n" }));
            last = manager;
        }
        text.push_str(&format!("\n- {}", conflict.path));
    }
    text
}
