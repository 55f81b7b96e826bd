//! The end of an object: at once, or when its finalizers and its grace period are through.

use super::generation;
use crate::sandbox::{
    answer::{self, Answer},
    api::{Api, Call},
    catalog::Resource,
    convert, decode,
    failure::Failure,
    meta,
    store::{Expected, Key, Range},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a client asks of a deletion (`DeleteOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Options {
    /// Seconds; none: the object's own.
    pub grace: Option<i64>,
    /// `Foreground`, `Background` or `Orphan`; empty: the kind's default, which is `Background`.
    pub propagation: String,
    /// The object must be this one.
    pub uid: Option<String>,
    /// The object must be in this state.
    pub version: Option<String>,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

pub(super) async fn answer(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let options = Options::read(call)?;
    let (object, gone) = delete_object(api, call.resource, &call.key(), &options)?;
    api.settled(api.store.revision()).await?;
    if !gone || RETURNED.contains(&&*call.resource.collection) {
        return Ok(answer::document(200, &object));
    }
    let mut details = json!({"name": call.name(), "kind": call.resource.plural, "uid": meta::uid(&object)});
    if !call.resource.group.is_empty() {
        details["group"] = call.resource.group.clone().into();
    }
    Ok(answer::document(
        200,
        &json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        }),
    ))
}

/// Resources of which a deletion answers the object itself.
const RETURNED: &[&str] = &[
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
    "storageclasses.storage.k8s.io",
];

pub(super) async fn answer_collection(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let options = Options::read(call)?;
    let selector = call.selector()?;
    let range =
        Range { collection: &call.resource.collection, namespace: call.namespace(), after: None, limit: 0, at: None };
    let mut deleted = Vec::new();
    for (key, record) in api.store.list(range).unwrap_or_default().records {
        if !selector.matches(&record.read()) {
            continue;
        }
        match delete_object(api, call.resource, &key, &options) {
            Ok(_) => deleted.push(record.body),
            // It went by itself.
            Err(failure) if failure.code == 404 => {}
            Err(failure) => return Err(failure),
        }
    }
    let revision = api.store.revision();
    api.settled(revision).await?;
    let bodies: Vec<&[u8]> = deleted.iter().map(AsRef::as_ref).collect();
    let metadata = json!({"resourceVersion": revision.to_string()});
    let list = answer::list(call.resource, &bodies, &metadata, answer::Form::Json, None);
    Ok(answer::bytes(200, "application/json", list))
}

impl Options {
    fn read(call: &Call<'_>) -> Result<Self, Failure> {
        let body = match call.body.is_empty() {
            true => Value::Null,
            false => decode::parse(call.body, call.media_type(), "DeleteOptions")?,
        };
        let text = |pointer: &str| Some(meta::text(&body, pointer).to_owned()).filter(|text| !text.is_empty());
        let query = |name: &str| call.query.get(name).map(str::to_owned);
        let orphans =
            body.get("orphanDependents").and_then(Value::as_bool).or(call.query.is("orphanDependents").then_some(true));
        let propagation = text("/propagationPolicy").or_else(|| query("propagationPolicy"));
        let grace = body.get("gracePeriodSeconds").and_then(Value::as_i64);
        let dry_run = call.dry_run()? || meta::items(&body, "/dryRun").iter().any(|dry| dry == "All");
        Ok(Self {
            grace: grace.or_else(|| query("gracePeriodSeconds")?.parse().ok()),
            propagation: propagation
                .unwrap_or_else(|| if orphans == Some(true) { "Orphan".into() } else { String::new() }),
            uid: text("/preconditions/uid"),
            version: text("/preconditions/resourceVersion"),
            dry_run,
        })
    }

    fn check(&self, resource: &Resource, live: &Value) -> Result<(), Failure> {
        let name = meta::name(live);
        let kind = &resource.kind;
        let fails = |why: String| Err(Failure::conflict(&resource.group, kind, name, &why));
        match (&self.uid, &self.version) {
            (Some(uid), _) if uid != meta::uid(live) => fails(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                meta::uid(live)
            )),
            (_, Some(version)) if version != meta::text(live, "/metadata/resourceVersion") => fails(format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
                meta::text(live, "/metadata/resourceVersion")
            )),
            _ => Ok(()),
        }
    }
}

/// Deletes an object, or begins to; returns it as it is then, and whether it is gone.
///
/// # Errors
/// What the API refuses.
pub(in crate::sandbox) fn delete_object(
    api: &Api,
    resource: &Arc<Resource>,
    key: &Key,
    options: &Options,
) -> Result<(Value, bool), Failure> {
    loop {
        let record =
            api.store.get(key).ok_or_else(|| Failure::not_found(&resource.group, &resource.plural, &key.name))?;
        let live = convert::from_storage(resource, record.read());
        options.check(resource, &live)?;
        check_protected(resource, key)?;
        let mut object = live.clone();
        mark(resource, &mut object, options);
        let gone = may_go(resource, &object);
        if options.dry_run || (!gone && object == live) {
            return Ok((object, gone));
        }
        let stored = convert::to_storage(resource, object.clone());
        let written = api.commit(resource, || match gone {
            true => api.store.remove(key, stored, record.revision),
            false => api.store.put(key, stored, Expected::Revision(record.revision)),
        });
        if let Ok(record) = written {
            meta::metadata(&mut object).insert("resourceVersion".into(), record.revision.to_string().into());
            return Ok((object, gone));
        }
    }
}

/// Namespaces that no server gives up.
fn check_protected(resource: &Resource, key: &Key) -> Result<(), Failure> {
    let is_protected = matches!(&*key.name, "default" | "kube-system" | "kube-public");
    if &*resource.collection == "namespaces" && is_protected {
        return Err(Failure::forbidden("", "namespaces", &key.name, "this namespace may not be deleted"));
    }
    Ok(())
}

/// Writes down that the object is to go, and what has to happen first.
fn mark(resource: &Resource, object: &mut Value, options: &Options) {
    let mut finalizers = meta::finalizers(object);
    let was = finalizers.clone();
    let wanted = match options.propagation.as_str() {
        "Foreground" => Some(FOREGROUND),
        "Orphan" => Some(ORPHAN),
        _ => None,
    };
    if wanted.is_some() || !options.propagation.is_empty() {
        finalizers.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
        finalizers.extend(wanted.map(str::to_owned));
    }
    if finalizers != was {
        meta::set_finalizers(object, &finalizers);
    }
    let grace = grace(resource, object, options);
    let was_terminating = meta::is_terminating(object);
    let before = meta::number(object, "/metadata/deletionGracePeriodSeconds");
    if was_terminating && grace >= before {
        return;
    }
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(grace);
    let metadata = meta::metadata(object);
    if !was_terminating {
        metadata.insert("deletionTimestamp".into(), meta::time(at).into());
    }
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    if meta::number(object, "/metadata/generation") > 0 && !was_terminating {
        generation::count(object);
    }
    if &*resource.collection == "namespaces" {
        meta::made(object, "status").insert("phase".into(), "Terminating".into());
    }
}

/// Only pods that run somewhere are given time.
fn grace(resource: &Resource, object: &Value, options: &Options) -> i64 {
    if &*resource.collection != "pods" {
        return 0;
    }
    let is_over = matches!(meta::text(object, "/status/phase"), "Succeeded" | "Failed");
    if meta::text(object, "/spec/nodeName").is_empty() || is_over {
        return 0;
    }
    options.grace.unwrap_or_else(|| meta::number(object, "/spec/terminationGracePeriodSeconds"))
}

/// Whether nothing holds a deleted object any more.
pub(super) fn may_go(resource: &Resource, object: &Value) -> bool {
    let is_held = &*resource.collection == "namespaces" && !meta::items(object, "/spec/finalizers").is_empty();
    meta::is_terminating(object)
        && meta::number(object, "/metadata/deletionGracePeriodSeconds") == 0
        && meta::items(object, "/metadata/finalizers").is_empty()
        && !is_held
}
