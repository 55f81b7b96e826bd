//! What goes back to the client: in which form it wants it, and the bytes of objects, lists and refusals.

use super::{
    catalog::Resource,
    convert,
    failure::Failure,
    store::{Record, read},
    table,
};
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Bytes;
use serde_json::{Value, json, value::RawValue};
use std::convert::Infallible;

/// A body, whole or as it comes.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;
/// An answer.
pub(super) type Answer = Response<Body>;

/// The form in which objects are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Json,
    /// Their metadata alone.
    Metadata,
    /// Rows for people.
    Table,
}

impl Form {
    /// Reads the `Accept` header: the first form in it that there is.
    ///
    /// # Errors
    /// 406.
    pub fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
        for wanted in accept.split(',') {
            let mut parts = wanted.split(';').map(str::trim);
            let is_json = matches!(parts.next(), Some("application/json" | "application/*" | "*/*"));
            let parameters: Vec<&str> = parts.collect();
            let form = match parameters.iter().find_map(|parameter| parameter.strip_prefix("as=")) {
                None => Self::Json,
                Some("Table") => Self::Table,
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Self::Metadata,
                Some(_) => continue,
            };
            if is_json {
                return Ok(form);
            }
        }
        Err(Failure::not_acceptable())
    }
}

/// Whether aggregated discovery is wanted.
pub(super) fn wants_aggregated(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|wanted| {
        wanted.contains("as=APIGroupDiscoveryList") && wanted.contains("v=v2") && !wanted.contains("v=v2beta1")
    })
}

/// An answer of some bytes.
pub(super) fn bytes(code: u16, media_type: &'static str, body: Vec<u8>) -> Answer {
    let body = Full::new(Bytes::from(body)).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    answer
}

/// An answer of a document.
pub(super) fn document(code: u16, document: &Value) -> Answer {
    bytes(code, "application/json", document.to_string().into_bytes())
}

/// A refusal.
pub(super) fn refused(failure: &Failure) -> Answer {
    warned(document(failure.code, &failure.status()), &failure.warnings)
}

/// Adds the warnings that people are shown.
pub(super) fn warned(mut answer: Answer, warnings: &[String]) -> Answer {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = header::HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            answer.headers_mut().append(header::WARNING, value);
        }
    }
    answer
}

/// One object in a form.
pub(super) fn object(resource: &Resource, record: &Record, form: Form, query_object: Option<&str>) -> Vec<u8> {
    match form {
        Form::Json => plain(resource, record),
        Form::Metadata => partial(&record.body, Some("PartialObjectMetadata")),
        Form::Table => {
            let object = convert::from_storage(resource, record.read());
            let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
            let table = table::of(resource, &[object], query_object, true);
            finished_table(table, json!({"resourceVersion": version}))
        }
    }
}

/// One object as it is, in the version that was asked for.
pub(super) fn plain(resource: &Resource, record: &Record) -> Vec<u8> {
    if convert::differs(resource) {
        return convert::from_storage(resource, record.read()).to_string().into_bytes();
    }
    with_type(&resource.api_version(), &resource.kind, &record.body)
}

/// Puts `apiVersion` and `kind` before a body's own fields.
fn with_type(api_version: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{{\"kind\":{kind:?},\"apiVersion\":{api_version:?}");
    let rest = body.strip_prefix(b"{").unwrap_or_default();
    let comma: &[u8] = if rest.starts_with(b"}") { b"" } else { b"," };
    [head.as_bytes(), comma, rest].concat()
}

/// The metadata of a body.
fn partial(body: &[u8], kind: Option<&str>) -> Vec<u8> {
    #[derive(serde::Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let head: Result<Head<'_>, _> = serde_json::from_slice(body);
    let metadata = head.map_or("{}", |head| head.metadata.get());
    let kind = kind.unwrap_or("PartialObjectMetadata");
    format!("{{\"kind\":{kind:?},\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata}}}").into_bytes()
}

/// A list in a form. `metadata` is the list's own.
pub(super) fn list(
    resource: &Resource,
    bodies: &[&[u8]],
    metadata: &Value,
    form: Form,
    query_object: Option<&str>,
) -> Vec<u8> {
    if form == Form::Table {
        let objects: Vec<Value> = bodies.iter().map(|body| convert::from_storage(resource, read(body))).collect();
        return finished_table(table::of(resource, &objects, query_object, true), metadata.clone());
    }
    let (api_version, kind) = match form {
        Form::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList"),
        _ => (resource.api_version(), resource.list_kind.as_str()),
    };
    let size: usize = bodies.iter().map(|body| body.len() + 64).sum();
    let mut out = Vec::with_capacity(size + 256);
    out.extend_from_slice(
        format!("{{\"kind\":{kind:?},\"apiVersion\":{api_version:?},\"metadata\":{metadata},\"items\":[").as_bytes(),
    );
    let (own_version, differs) = (resource.api_version(), convert::differs(resource));
    for (index, body) in bodies.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match form {
            Form::Metadata => out.extend(partial(body, None)),
            _ if resource.custom.is_some() => out.extend(with_type(&own_version, &resource.kind, body)),
            _ if differs => {
                let mut object = convert::from_storage(resource, read(body));
                if let Some(fields) = object.as_object_mut() {
                    fields.remove("apiVersion");
                    fields.remove("kind");
                }
                out.extend(object.to_string().into_bytes());
            }
            // In a list of Kubernetes' own kinds the items do not say what they are.
            _ => out.extend_from_slice(body),
        }
    }
    out.extend_from_slice(b"]}");
    out
}

fn finished_table(mut table: Value, metadata: Value) -> Vec<u8> {
    table["metadata"] = metadata;
    table.to_string().into_bytes()
}
