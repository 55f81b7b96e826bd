//! The records of syncs: one head (a ConfigMap) for each approval that was used, and what was applied (Secrets, see
//! `payload`). `docs/cluster-state.md` is the format's description for other tools.

use super::{ApplyRequest, ClusterError, LiveObject, Resource, Scope, Session, payload as chunks, request::DEADLINE};
use crate::object::{ObjectId, Packed, sha256_hex};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Label of everything a record is made of: the application.
pub const APPLICATION: &str = "driftdeck.dev/application";
/// Label that tells heads (`record`), their further parts (`record-part`) and payload chunks (`payload`) apart.
pub const RECORD_KIND: &str = "driftdeck.dev/kind";
/// The version of the format that this program writes.
pub const RECORD_FORMAT: u32 = 1;
/// Heads that [`trim`] keeps.
pub const RECORDS_KEPT: usize = 20;

/// Who approved a plan, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordApproval {
    /// User as the API server knows it.
    pub user: String,
    /// Operating system's user.
    pub os_user: String,
    /// Host.
    pub host: String,
    /// When.
    pub time: Timestamp,
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordStep {
    /// The object.
    pub object: ObjectId,
    /// `create`, `update`, `prune`, …
    pub action: String,
    /// `created`, `configured`, `failed`, …; none: not started.
    pub result: Option<String>,
    /// Why, where it needs a reason. Holds no Secret's values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// How long it took.
    #[serde(default)]
    pub seconds: f64,
    /// uid of the object afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// resourceVersion of the object afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// Where a sync is that has not ended; `view` rights are enough to follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordRunning {
    /// The Lease's holder.
    pub holder: String,
    /// Step being done, from 1.
    pub step: usize,
    /// Steps in all.
    pub of: usize,
    /// Last renewal of the Lease.
    pub renewed: Timestamp,
}

/// Where the applied objects are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordPayload {
    /// Secrets that hold it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<String>,
    /// It was not kept.
    #[serde(default)]
    pub omitted: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The head of a record: everything but the applied objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordHead {
    /// Name of its ConfigMap: see [`RecordHead::name_for`].
    #[serde(skip)]
    pub name: String,
    /// uid of its ConfigMap; empty before [`create`].
    #[serde(skip)]
    pub uid: String,
    /// [`RECORD_FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The application.
    pub application: String,
    /// `sha256:<hex>` of the plan.
    pub digest: String,
    /// When the digest was issued: an approval of it works once.
    pub issued: Timestamp,
    /// Who approved.
    pub approval: RecordApproval,
    /// When the sync started.
    pub started: Timestamp,
    /// When it ended; none: running, or its program died.
    pub finished: Option<Timestamp>,
    /// `Succeeded`, `Failed`, `Interrupted`, `Refused`, `Unhealthy`; none while it runs.
    pub outcome: Option<String>,
    /// Commit that was applied.
    pub revision: String,
    /// Branch it was read from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// Identity of the source repository.
    pub source: String,
    /// Path in it.
    pub path: String,
    /// `yaml`, `kustomize`, `helm`.
    pub renderer: String,
    /// Its options.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub options: Value,
    /// Whether objects gone from Git were deleted.
    pub pruned: bool,
    /// Objects left out by choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_objects: Vec<ObjectId>,
    /// Hunks left out by choice, `OBJECT#POINTER`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_hunks: Vec<String>,
    /// Result of every step, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<RecordStep>,
    /// For every object of the application, the name of the record that last applied it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied: BTreeMap<ObjectId, String>,
    /// Where the applied objects are.
    #[serde(default)]
    pub payload: RecordPayload,
    /// Where it is, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RecordRunning>,
    /// Further ConfigMaps that hold `steps` and `applied` where these are too long for the head.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

/// The largest text kept in a head's ConfigMap, in bytes.
const HEAD_MOST: usize = 64 << 10;
/// The largest text kept in a further part's ConfigMap, in bytes.
const PART_MOST: usize = 512 << 10;
/// What a part's text holds around its lists' entries, in bytes; generous.
const ENVELOPE: usize = 64;
/// Key of a head's ConfigMap that holds it.
const HEAD_KEY: &str = "record.json";
/// Key of a further part's ConfigMap that holds its share of the lists.
const PART_KEY: &str = "part.json";

impl RecordHead {
    /// Returns the name of the record of one approval: it sorts by time, and one digest of one issue gives one name, so that an
    /// approval can be used once.
    pub fn name_for(application: &str, digest: &str, issued: Timestamp) -> String {
        let once = sha256_hex(format!("{digest}@{issued}"));
        format!("driftdeck-{application}-{:010}-{}", issued.as_second(), &once[..10])
    }
}

/// The lists that can grow long, as a further part holds a share of them.
#[derive(Default, Serialize, Deserialize)]
struct Part {
    steps: Vec<RecordStep>,
    applied: BTreeMap<ObjectId, String>,
}

/// What became of a record that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is there.
    Written,
    /// There was one already: this approval was used before.
    UsedBefore,
}

/// Writes a new record, complete with its payload, before anything else is written. Fills in the head's name, uid and payload. Values of Secrets are taken
/// out of the payload here.
///
/// # Errors
/// [`ClusterError`].
pub async fn create(
    session: &Session,
    namespace: &str,
    head: &mut RecordHead,
    objects: &BTreeMap<ObjectId, Value>,
) -> Result<Creation, ClusterError> {
    head.name = RecordHead::name_for(&head.application, &head.digest, head.issued);
    let id = config_map_id(namespace, &head.name);
    // The head's name is what makes an approval work once, so it is looked for before anything is written for nothing.
    if session.get(&config_maps(), &id).await?.is_some() {
        return Ok(Creation::UsedBefore);
    }
    head.payload = chunks::write(session, namespace, &head.application, objects).await?;
    let text = write_parts(session, namespace, head).await?;
    match session.create(&config_maps(), &head_body(namespace, head, &text)).await {
        Ok(created) => {
            head.uid = created.uid;
            Ok(Creation::Written)
        }
        // Somebody used it at this very moment; a webhook's 409 is none of that.
        Err(error @ ClusterError::Precondition { .. }) => match session.get(&config_maps(), &id).await? {
            Some(_) => Ok(Creation::UsedBefore),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Writes a head anew.
///
/// # Errors
/// [`ClusterError::Precondition`]: it was deleted or replaced.
pub async fn update(session: &Session, namespace: &str, head: &mut RecordHead) -> Result<(), ClusterError> {
    let text = write_parts(session, namespace, head).await?;
    let mut body = head_body(namespace, head, &text);
    body["metadata"]["uid"] = json!(head.uid);
    apply(session, namespace, &head.name, body).await
}

/// Returns an application's records, newest first. What cannot be read as one is left out and logged.
///
/// # Errors
/// [`ClusterError`].
pub async fn list(session: &Session, namespace: &str, application: &str) -> Result<Vec<RecordHead>, ClusterError> {
    Ok(read(session, namespace, application).await?.heads)
}

/// As [`list`], but only the newest record says which record last applied each object (`applied`), and none has its steps: those lists of
/// large applications are megabytes. `known` is the newest as it was read before: once it has ended it never changes.
///
/// # Errors
/// [`ClusterError`].
pub async fn heads(
    session: &Session,
    namespace: &str,
    application: &str,
    known: Option<&RecordHead>,
) -> Result<Vec<RecordHead>, ClusterError> {
    let mut stored = Stored::default();
    for live in listed(session, namespace, &format!("{APPLICATION}={application},{RECORD_KIND}=record")).await? {
        stored.take(namespace, &live);
    }
    stored.sort();
    let mut heads = stored.heads.into_iter();
    let Some(mut newest) = heads.next() else { return Ok(Vec::new()) };
    let is_known = |known: &&RecordHead| {
        let identity = |head: &RecordHead| (head.name.clone(), head.uid.clone(), head.finished, head.parts.clone());
        known.finished.is_some() && identity(known) == identity(&newest)
    };
    match known.filter(is_known) {
        Some(known) => newest.applied.clone_from(&known.applied),
        None => {
            let parts = newest
                .parts
                .iter()
                .map(|name| async move { session.get(&config_maps(), &config_map_id(namespace, name)).await });
            let mut found = Stored::default();
            for part in futures::future::try_join_all(parts).await?.into_iter().flatten() {
                found.take(namespace, &part);
            }
            found.complete(&mut newest);
        }
    }
    newest.steps = Vec::new();
    let older = heads.map(|head| RecordHead { steps: Vec::new(), applied: BTreeMap::new(), ..head });
    Ok(std::iter::once(newest).chain(older).collect())
}

/// What is stored of an application's records.
#[derive(Default)]
struct Stored {
    /// Without their parts, until these are put in.
    heads: Vec<RecordHead>,
    /// Name and uid of every further part.
    parts: Vec<(String, String)>,
    /// What the parts hold, by their names.
    shares: BTreeMap<String, Part>,
    /// Something there is no record as we know it.
    unreadable: bool,
}

impl Stored {
    /// Takes a head or a further part in.
    fn take(&mut self, namespace: &str, live: &LiveObject) {
        let name = text(live, "/metadata/name");
        let problem = match text(live, &format!("/data/{PART_KEY}")) {
            part if !part.is_empty() => {
                self.parts.push((name.clone(), live.uid.clone()));
                serde_json::from_str::<Part>(&part).map(|part| self.shares.insert(name.clone(), part)).err()
            }
            _ => match serde_json::from_str::<RecordHead>(&text(live, &format!("/data/{HEAD_KEY}"))) {
                Ok(head) if head.format <= RECORD_FORMAT => {
                    self.heads.push(RecordHead { name: name.clone(), uid: live.uid.clone(), ..head });
                    None
                }
                Ok(head) => Some(serde::de::Error::custom(format!("it has the newer format {}", head.format))),
                Err(error) => Some(error),
            },
        };
        if let Some(error) = problem {
            tracing::warn!(namespace, name, %error, "a record cannot be read");
            self.unreadable = true;
        }
    }
    /// Puts the newest first.
    fn sort(&mut self) {
        self.heads.sort_by(|a, b| (b.started, &b.name).cmp(&(a.started, &a.name)));
    }
    /// Puts its parts into a head.
    fn complete(&mut self, head: &mut RecordHead) {
        for name in &head.parts {
            let Some(part) = self.shares.remove(name) else {
                tracing::warn!(record = head.name, part = name, "a part of a record is missing");
                continue;
            };
            head.steps.extend(part.steps);
            head.applied.extend(part.applied);
        }
    }
}

async fn listed(session: &Session, namespace: &str, selector: &str) -> Result<Vec<LiveObject>, ClusterError> {
    let scope = Scope { resource: config_maps(), namespace: Some(namespace.to_owned()) };
    session.list(&scope, Some(selector)).await
}

async fn read(session: &Session, namespace: &str, application: &str) -> Result<Stored, ClusterError> {
    let mut stored = Stored::default();
    let selector = format!("{APPLICATION}={application},{RECORD_KIND} in (record,record-part)");
    for live in listed(session, namespace, &selector).await? {
        stored.take(namespace, &live);
    }
    stored.sort();
    for mut head in std::mem::take(&mut stored.heads) {
        stored.complete(&mut head);
        stored.heads.push(head);
    }
    Ok(stored)
}

/// Reads the objects that a record applied; none: they were not kept. Values of a Secret's `data` are null.
///
/// # Errors
/// [`ClusterError::Invalid`]: a chunk is missing or damaged.
pub async fn payload(
    session: &Session,
    namespace: &str,
    head: &RecordHead,
) -> Result<Option<BTreeMap<ObjectId, Packed>>, ClusterError> {
    if head.payload.omitted {
        return Ok(None);
    }
    chunks::read(session, namespace, &head.application, &head.payload.chunks).await.map(Some)
}

/// Deletes records beyond the newest [`RECORDS_KEPT`] that no kept one refers to, and payload chunks that nothing refers to. Only
/// the Lease's holder may do it.
///
/// # Errors
/// [`ClusterError`].
pub async fn trim(session: &Session, namespace: &str, application: &str) -> Result<(), ClusterError> {
    let Stored { heads, parts, unreadable, .. } = read(session, namespace, application).await?;
    let (kept, old) = heads.split_at(heads.len().min(RECORDS_KEPT));
    // What a kept record names as an object's last apply is the base of that object's comparison.
    let referenced: BTreeSet<&String> = kept.iter().flat_map(|head| head.applied.values()).collect();
    let (kept_too, gone): (Vec<_>, Vec<_>) = old.iter().partition(|head| referenced.contains(&head.name));
    for head in &gone {
        remove(session, namespace, &head.name, &head.uid).await?;
    }
    // A record that cannot be read, of a newer driftdeck say, may refer to any of the rest.
    if unreadable {
        return Ok(());
    }
    let kept: Vec<&RecordHead> = kept.iter().chain(kept_too).collect();
    let used: BTreeSet<&String> = kept.iter().flat_map(|head| head.parts.iter().chain(&head.payload.chunks)).collect();
    for (name, uid) in parts.iter().filter(|(name, _)| !used.contains(name)) {
        remove(session, namespace, name, uid).await?;
    }
    for (id, live) in chunks::list(session, namespace, application).await? {
        if !used.contains(&id.name) {
            session.delete(&chunks::secrets(), &id, &live.uid, None, DEADLINE).await?;
        }
    }
    Ok(())
}

async fn remove(session: &Session, namespace: &str, name: &str, uid: &str) -> Result<(), ClusterError> {
    session.delete(&config_maps(), &config_map_id(namespace, name), uid, None, DEADLINE).await
}

/// Moves lists that are too long for the head into parts, and returns the head's text.
async fn write_parts(session: &Session, namespace: &str, head: &mut RecordHead) -> Result<String, ClusterError> {
    head.parts.clear();
    let whole = print(head)?;
    if whole.len() <= HEAD_MOST {
        return Ok(whole);
    }
    let short = RecordHead { steps: vec![], applied: BTreeMap::new(), ..head.clone() };
    for (index, part) in split(&head.steps, &head.applied)?.into_iter().enumerate() {
        let name = format!("{}-{index}", head.name);
        let body = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": namespace, "labels": { (APPLICATION): head.application, (RECORD_KIND): "record-part" } },
            "data": { (PART_KEY): part },
        });
        apply(session, namespace, &name, body).await?;
        head.parts.push(name);
    }
    print(&RecordHead { parts: head.parts.clone(), ..short })
}

/// Splits the lists into texts that each fit a part.
fn split(steps: &[RecordStep], applied: &BTreeMap<ObjectId, String>) -> Result<Vec<String>, ClusterError> {
    let mut texts = Vec::new();
    let (mut part, mut size) = (Part::default(), 0);
    let full = |part: &mut Part, size: &mut usize, texts: &mut Vec<String>, more: usize| -> Result<(), ClusterError> {
        if *size + more > PART_MOST - ENVELOPE {
            texts.push(print(&std::mem::take(part))?);
            *size = 0;
        }
        *size += more;
        Ok(())
    };
    for step in steps {
        let more = print(step)?.len() + 1;
        full(&mut part, &mut size, &mut texts, more)?;
        part.steps.push(step.clone());
    }
    for (id, record) in applied {
        let more = id.to_string().len() + record.len() + 8;
        full(&mut part, &mut size, &mut texts, more)?;
        part.applied.insert(id.clone(), record.clone());
    }
    texts.push(print(&part)?);
    Ok(texts)
}

fn head_body(namespace: &str, head: &RecordHead, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": head.name,
            "namespace": namespace,
            "labels": { (APPLICATION): head.application, (RECORD_KIND): "record" },
        },
        "data": { (HEAD_KEY): text },
    })
}

async fn apply(session: &Session, namespace: &str, name: &str, body: Value) -> Result<(), ClusterError> {
    let request = ApplyRequest {
        resource: config_maps(),
        id: config_map_id(namespace, name),
        body,
        force: true,
        dry_run: false,
        deadline: DEADLINE,
    };
    session.apply(&request).await.map(|_| ())
}

fn print(value: &impl Serialize) -> Result<String, ClusterError> {
    serde_json::to_string(value)
        .map_err(|error| ClusterError::Invalid { message: format!("a record cannot be written: {error}") })
}

fn text(live: &LiveObject, pointer: &str) -> String {
    live.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn config_map_id(namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// Where ConfigMaps are.
pub(super) fn config_maps() -> Resource {
    Resource {
        group: String::new(),
        version: "v1".into(),
        kind: "ConfigMap".into(),
        plural: "configmaps".into(),
        namespaced: true,
        verbs: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_approval_gives_one_name_and_names_sort_by_time() {
        let (early, late) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2026-01-02T00:00:00Z".parse().unwrap());
        let name = RecordHead::name_for("shop", "sha256:ab", early);
        assert_eq!(name, RecordHead::name_for("shop", "sha256:ab", early));
        assert!(name < RecordHead::name_for("shop", "sha256:aa", late));
        assert_ne!(name, RecordHead::name_for("shop", "sha256:ac", early));
    }

    #[test]
    fn long_lists_are_split_into_parts_that_fit_and_lose_nothing() {
        let step = |n: usize| RecordStep {
            object: format!("ConfigMap/shop/object-{n}").parse().unwrap(),
            action: "create".into(),
            result: Some("created".into()),
            message: "x".repeat(200),
            seconds: 0.1,
            uid: None,
            resource_version: None,
        };
        let steps: Vec<RecordStep> = (0..5000).map(step).collect();
        let applied: BTreeMap<ObjectId, String> =
            steps.iter().map(|step| (step.object.clone(), "record".into())).collect();
        let texts = split(&steps, &applied).unwrap();
        assert!(texts.len() > 1 && texts.iter().all(|text| text.len() <= PART_MOST), "{}", texts.len());
        let parts: Vec<Part> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(parts.iter().flat_map(|part| &part.steps).cloned().collect::<Vec<_>>(), steps);
        assert_eq!(parts.iter().map(|part| part.applied.len()).sum::<usize>(), 5000);
    }
}
