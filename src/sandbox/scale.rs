//! The `scale` subresource: the number of replicas of whatever has one, as autoscaling/v1 `Scale`.

use super::{
    answer::{self, Answer},
    api::{Api, Call},
    catalog::Resource,
    decode,
    failure::{Cause, Failure},
    meta::{self, text},
    patch::{json_patch, merge_patch},
    request::Verb,
    write::{self, By},
};
use serde_json::{Map, Value, json};

/// Where a kind keeps its replicas.
struct Places {
    spec: String,
    status: String,
    selector: String,
}

fn places(resource: &Resource) -> Places {
    let own = resource.custom.as_ref().and_then(|version| version.pointer("/subresources/scale"));
    let path = |name: &str, usual: &str| {
        let given = own.map_or("", |scale| text(scale, &format!("/{name}")));
        if own.is_some() { given.replace('.', "/") } else { usual.to_owned() }
    };
    Places {
        spec: path("specReplicasPath", "/spec/replicas"),
        status: path("statusReplicasPath", "/status/replicas"),
        selector: path("labelSelectorPath", "/spec/selector"),
    }
}

/// Answers GET, PUT and PATCH.
///
/// # Errors
/// What the API refuses.
pub(super) async fn answer(api: &Api, verb: Verb, call: &Call<'_>) -> Result<Answer, Failure> {
    let places = places(call.resource);
    if verb == Verb::Get {
        let live = api.store.get(&call.key()).ok_or_else(|| call.not_found())?.read();
        api.settled(api.store.revision()).await?;
        return Ok(answer::document(200, &of(&places, &live)));
    }
    let patch: Value = match (verb, call.media_type()) {
        (Verb::Update, media_type) => decode::parse(call.body, media_type, "Scale")?,
        _ => serde_json::from_slice(call.body)
            .map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))?,
    };
    let by = By { manager: &call.manager(), subresource: "scale", dry_run: call.dry_run()? };
    let updated = write::update_object(api, call.resource, &call.key(), by, |live| {
        let before = of(&places, live);
        let after = match (verb, call.media_type()) {
            (Verb::Update, _) => patch.clone(),
            (_, "application/json-patch+json") => {
                let steps = json_patch::read(&patch).map_err(Failure::bad_request)?;
                json_patch::apply(&steps, &before).map_err(Failure::unprocessable)?
            }
            _ => merge_patch::apply(&before, &patch),
        };
        let version = text(&after, "/metadata/resourceVersion");
        if !version.is_empty() && version != text(live, "/metadata/resourceVersion") {
            return Err(Failure::stale(&call.resource.group, &call.resource.plural, call.name()));
        }
        let replicas = after.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
        if replicas < 0 {
            let cause = Cause::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
            return Err(Failure::invalid("autoscaling", "Scale", call.name(), &[cause]));
        }
        let mut object = live.clone();
        set_at(&mut object, &places.spec, replicas.into());
        Ok(object)
    })?;
    api.settled(api.store.revision()).await?;
    Ok(answer::document(200, &of(&places, &updated)))
}

fn set_at(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for name in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name];
    }
    *at = value;
}

fn of(places: &Places, object: &Value) -> Value {
    let replicas = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let mut metadata = Map::new();
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        meta::set(&mut metadata, name, object["metadata"].get(name).cloned());
    }
    let mut status = json!({"replicas": replicas(&places.status)});
    let selector = object.pointer(&places.selector).filter(|_| !places.selector.is_empty());
    let selector = match selector {
        Some(Value::String(selector)) => selector.clone(),
        Some(selector) => spelled(selector),
        None => String::new(),
    };
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    let spec = match replicas(&places.spec) {
        0 => json!({}),
        replicas => json!({"replicas": replicas}),
    };
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
}

/// A selector as a text (`metav1.FormatLabelSelector`).
pub(super) fn spelled(selector: &Value) -> String {
    // A ReplicationController's selector has its labels right there.
    let is_plain = selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none();
    let labels = if is_plain { Some(selector) } else { selector.get("matchLabels") };
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let mut terms: Vec<(String, String)> =
        labels.map(|(name, value)| (name.clone(), format!("{name}={}", value.as_str().unwrap_or_default()))).collect();
    for expression in meta::items(selector, "/matchExpressions") {
        let (name, values) = (text(expression, "/key"), meta::items(expression, "/values"));
        let mut values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let term = match text(expression, "/operator") {
            "In" => format!("{name} in ({})", values.join(",")),
            "NotIn" => format!("{name} notin ({})", values.join(",")),
            "Exists" => name.to_owned(),
            _ => format!("!{name}"),
        };
        terms.push((name.to_owned(), term));
    }
    terms.sort();
    terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",")
}
