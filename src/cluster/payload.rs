//! What a sync applied, kept in Secrets so that only those who may read Secrets can read it: content-addressed chunks that records share.
//!
//! The text is one JSON line an object, `["<identity>", <object>]`, sorted; compressed with zstd and cut into chunks. A Secret's
//! values are never in it: each is null, only the key names stay.

use super::{
    ApplyRequest, ClusterError, LiveObject, RecordPayload, Resource, Scope, Session,
    record::{APPLICATION, RECORD_KIND},
    request::DEADLINE,
};
use crate::object::{Dictionary, ObjectId, Packed, canonical_json, sha256_hex, without_values};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json, value::RawValue};
use std::{collections::BTreeMap, sync::Arc};

/// The largest chunk, in bytes before base64.
const CHUNK_MOST: usize = 384 << 10;
/// The largest payload, in bytes of chunks; beyond it a record says `omitted`.
const PAYLOAD_MOST: usize = 4 << 20;
/// The largest text that is unpacked: what one can write is far below.
const TEXT_MOST: usize = 256 << 20;
/// Type of the Secrets.
const TYPE: &str = "driftdeck.dev/payload.v1";
/// Key of a Secret's `data` that holds its chunk.
const KEY: &str = "chunk";

/// Writes what is not there yet, and returns where it is.
pub(super) async fn write(
    session: &Session,
    namespace: &str,
    application: &str,
    objects: &BTreeMap<ObjectId, Value>,
) -> Result<RecordPayload, ClusterError> {
    let packed = pack(objects)?;
    if packed.len() > PAYLOAD_MOST {
        let reason = format!("{} bytes, more than {PAYLOAD_MOST}: a rollback needs Git", packed.len());
        return Ok(RecordPayload { chunks: vec![], omitted: true, reason });
    }
    let mut payload = RecordPayload::default();
    for chunk in packed.chunks(CHUNK_MOST) {
        let name = name(application, chunk);
        let id = ObjectId {
            group: String::new(),
            kind: "Secret".into(),
            namespace: Some(namespace.to_owned()),
            name: name.clone(),
        };
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": TYPE,
            "metadata": { "name": name, "namespace": namespace, "labels": { (APPLICATION): application, (RECORD_KIND): "payload" } },
            "data": { (KEY): STANDARD.encode(chunk) },
        });
        let request = ApplyRequest { resource: secrets(), id, body, force: true, dry_run: false, deadline: DEADLINE };
        session.apply(&request).await?;
        payload.chunks.push(name);
    }
    Ok(payload)
}

/// A chunk's name: its content, and the application, so that no application's cleaning takes another's.
fn name(application: &str, chunk: &[u8]) -> String {
    format!("driftdeck-payload-{}", &sha256_hex([application.as_bytes(), b"/", chunk].concat())[..40])
}

/// Reads chunks and unpacks them.
pub(super) async fn read(
    session: &Session,
    namespace: &str,
    application: &str,
    chunks: &[String],
) -> Result<BTreeMap<ObjectId, Packed>, ClusterError> {
    let mut packed = Vec::new();
    for name in chunks {
        let id = ObjectId {
            group: String::new(),
            kind: "Secret".into(),
            namespace: Some(namespace.to_owned()),
            name: name.clone(),
        };
        let damaged = |what: &str| ClusterError::Invalid { message: format!("Secret {namespace}/{name} {what}") };
        let live = session.get(&secrets(), &id).await?.ok_or_else(|| damaged("is missing"))?;
        let chunk = live
            .body
            .pointer(&format!("/data/{KEY}"))
            .and_then(Value::as_str)
            .ok_or_else(|| damaged("holds no chunk"))?;
        let chunk = STANDARD.decode(chunk).map_err(|_| damaged("is damaged"))?;
        if *name != self::name(application, &chunk) {
            return Err(damaged("was changed by somebody"));
        }
        packed.extend(chunk);
    }
    unpack(&packed)
}

/// Lists an application's chunks.
pub(super) async fn list(
    session: &Session,
    namespace: &str,
    application: &str,
) -> Result<Vec<(ObjectId, LiveObject)>, ClusterError> {
    let scope = Scope { resource: secrets(), namespace: Some(namespace.to_owned()) };
    let selector = format!("{APPLICATION}={application},{RECORD_KIND}=payload");
    let chunks = session.list(&scope, Some(&selector)).await?;
    Ok(chunks
        .into_iter()
        .filter_map(|live| {
            let name = live.body.pointer("/metadata/name")?.as_str()?.to_owned();
            Some((
                ObjectId { group: String::new(), kind: "Secret".into(), namespace: Some(namespace.to_owned()), name },
                live,
            ))
        })
        .collect())
}

fn pack(objects: &BTreeMap<ObjectId, Value>) -> Result<Vec<u8>, ClusterError> {
    let mut text = String::new();
    for (id, body) in objects {
        text.push_str(&canonical_json(&json!([id.to_string(), without_values(body)])));
        text.push('\n');
    }
    zstd::bulk::compress(text.as_bytes(), zstd::DEFAULT_COMPRESSION_LEVEL)
        .map_err(|error| ClusterError::Invalid { message: format!("the payload cannot be packed: {error}") })
}

/// Reads the objects, each packed by itself: thousands are kept, and few are looked at.
fn unpack(packed: &[u8]) -> Result<BTreeMap<ObjectId, Packed>, ClusterError> {
    let damaged = |error: String| ClusterError::Invalid { message: format!("the payload is damaged: {error}") };
    let mut text = Vec::new();
    let reader = zstd::stream::read::Decoder::new(packed).map_err(|error| damaged(error.to_string()))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(reader, TEXT_MOST as u64), &mut text)
        .map_err(|error| damaged(error.to_string()))?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let alike = (lines.len() >= Dictionary::WORTH_IT).then(|| Arc::new(Dictionary::of(lines[0])));
    let object = |line: &&[u8]| {
        let (id, body): (ObjectId, &RawValue) =
            serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
        Ok((id, Packed::text(body.get().as_bytes(), alike.as_ref())))
    };
    lines.iter().map(object).collect()
}

/// Where Secrets are.
pub(super) fn secrets() -> Resource {
    Resource {
        group: String::new(),
        version: "v1".into(),
        kind: "Secret".into(),
        plural: "secrets".into(),
        namespaced: true,
        verbs: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_reads_back_without_any_secrets_value() {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"token": "Y2FuYXJ5"}});
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
        let objects = BTreeMap::from([
            ("Secret/x/s".parse().unwrap(), secret),
            ("ConfigMap/x/c".parse().unwrap(), config.clone()),
        ]);
        let read = unpack(&pack(&objects).unwrap()).unwrap();
        let read = |id: &str| read[&id.parse().unwrap()].read().unwrap();
        assert_eq!(read("ConfigMap/x/c"), config);
        assert_eq!(read("Secret/x/s")["data"], json!({"token": null}));
    }

    #[test]
    fn a_damaged_payload_is_an_error() {
        assert!(matches!(unpack(b"nonsense"), Err(ClusterError::Invalid { .. })));
    }
}
