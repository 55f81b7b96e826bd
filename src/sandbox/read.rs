//! GET: one object, or a collection in pages, as it is or as it was.

use super::{
    answer::{self, Answer, Form},
    api::{Api, Call},
    failure::Failure,
    selector::Selector,
    store::{Page, Range, TooOld},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// One object.
///
/// # Errors
/// 404.
pub(super) async fn get(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let form = Form::of(call.headers)?;
    let record = api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    api.settled(api.store.revision()).await?;
    Ok(answer::bytes(
        200,
        "application/json",
        answer::object(call.resource, &record, form, call.query.get("includeObject")),
    ))
}

/// A collection.
///
/// # Errors
/// 400, 410 and 504.
pub(super) async fn list(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let form = Form::of(call.headers)?;
    let selector = call.selector()?;
    let asked = Asked::read(api, call)?;
    let limit = call.query.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or_default();
    let mut after = asked.after;
    let mut at = asked.at;
    let mut found: Vec<super::store::Body> = Vec::new();
    // With a selector a page of the store may hold less than a page of the answer.
    let (revision, remaining, last) = loop {
        let range = Range {
            collection: &call.resource.collection,
            namespace: call.namespace(),
            after: after.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str())),
            limit: if limit == 0 { 0 } else { limit - found.len() },
            at,
        };
        let page = api.store.list(range).map_err(|_| continue_expired())?;
        let (revision, remaining) = (page.revision, page.remaining);
        let last = page.records.last().map(|(key, _)| (key.namespace.to_string(), key.name.to_string()));
        keep(&selector, page, &mut found);
        if remaining == 0 || limit == 0 || found.len() >= limit {
            break (revision, remaining, last);
        }
        (after, at) = (last, Some(revision));
    };
    api.settled(revision).await?;
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some((namespace, name)) = last.filter(|_| remaining > 0) {
        metadata["continue"] = token(revision, &namespace, &name).into();
        if selector.is_empty() {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let bodies: Vec<&[u8]> = found.iter().map(AsRef::as_ref).collect();
    let body = answer::list(call.resource, &bodies, &metadata, form, call.query.get("includeObject"));
    Ok(answer::bytes(200, "application/json", body))
}

fn keep(selector: &Selector, page: Page, found: &mut Vec<super::store::Body>) {
    for (key, record) in page.records {
        let is_wanted = || selector.name().is_none_or(|name| *key.name == *name) && selector.matches(&record.read());
        if selector.is_empty() || is_wanted() {
            found.push(record.body);
        }
    }
}

/// What of the collection the client wants to see.
struct Asked {
    at: Option<u64>,
    after: Option<(String, String)>,
}

impl Asked {
    /// The rules of `resourceVersion` and `resourceVersionMatch` for lists.
    fn read(api: &Api, call: &Call<'_>) -> Result<Self, Failure> {
        let version = version_of(call)?;
        let matched = call.query.get("resourceVersionMatch");
        if let Some(text) = call.query.get("continue") {
            if version.is_some_and(|version| version != 0) {
                return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
            }
            let (revision, namespace, name) = read_token(text)?;
            return Ok(Self { at: Some(revision), after: Some((namespace, name)) });
        }
        let current = api.store.revision();
        match (version, matched) {
            (None, Some(_)) => {
                Err(Failure::bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided"))
            }
            (Some(version), _) if version > current => Err(Failure::too_large_version(version, current)),
            (Some(version), Some("Exact")) => Ok(Self { at: Some(version), after: None }),
            _ => Ok(Self { at: None, after: None }),
        }
    }
}

/// The parameter `resourceVersion`.
///
/// # Errors
/// 400 for what is no number.
pub(super) fn version_of(call: &Call<'_>) -> Result<Option<u64>, Failure> {
    let Some(text) = call.query.get("resourceVersion") else { return Ok(None) };
    let parsed = text.parse();
    parsed.map(Some).map_err(|_| Failure::bad_request(format!("invalid resource version {text:?}")))
}

/// 410 of a watch.
pub(super) fn version_expired(asked: u64, too_old: TooOld) -> Failure {
    Failure::expired(format!("too old resource version: {asked} ({})", too_old.oldest))
}

fn continue_expired() -> Failure {
    Failure::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
    )
}

/// The server's own form, but for the key: `{"v":"meta.k8s.io/v1","rv":5,"start":"namespace/name"}`.
fn token(revision: u64, namespace: &str, name: &str) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{namespace}/{name}")});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn read_token(text: &str) -> Result<(u64, String, String), Failure> {
    let parse = || {
        let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (namespace, name) = token.get("start")?.as_str()?.split_once('/')?;
        Some((token.get("rv")?.as_u64()?, namespace.to_owned(), name.to_owned()))
    };
    parse().ok_or_else(|| Failure::bad_request("invalid continue token: continue key is not valid"))
}
