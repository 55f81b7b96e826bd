//! One live object as the cache keeps it: what is asked for often, hashes that tell whether it moved, and the rest compressed.
//! An object is read from the server's bytes without being parsed: at its first two levels its members are told apart, and
//! what lies below is passed on as it came.

use super::{
    Health, LiveObject, PART_OF, Resource, health,
    members::{Members, Name},
};
use crate::object::{Dictionary, ObjectId, Packed, Unreadable, join_api_version};
use serde::de::Error as _;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

/// Bytes of a hash: enough that no two states of one object share it.
const HASH: usize = 16;

/// One live object, compact. Equal hashes mean equal states; printing it shows no content.
#[derive(Debug)]
pub struct CachedObject {
    uid: Box<str>,
    resource_version: Box<str>,
    content: [u8; HASH],
    status: [u8; HASH],
    part_of: Option<Box<str>>,
    packed: Packed,
    health: OnceLock<Health>,
}

impl CachedObject {
    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.uid
    }
    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> &str {
        &self.resource_version
    }
    /// Value of the `applyset.kubernetes.io/part-of` label.
    pub fn part_of(&self) -> Option<&str> {
        self.part_of.as_deref()
    }
    /// Says whether two states agree in what [`crate::merge::live_content`] keeps: all but status, versions and what managedFields
    /// say of when and of the status.
    pub fn same_content(&self, other: &Self) -> bool {
        self.content == other.content
    }
    /// Says whether two states agree in content, status and generation.
    pub fn same(&self, other: &Self) -> bool {
        self.content == other.content && self.status == other.status
    }
    /// Returns the object. It lacks what managedFields entries of subresource `status` say of the status, which nothing reads.
    ///
    /// # Errors
    /// [`Unreadable`] for one that is nested too deeply.
    pub fn read(&self) -> Result<LiveObject, Unreadable> {
        let body = self.packed.read()?;
        Ok(LiveObject { uid: self.uid.to_string(), resource_version: self.resource_version.to_string(), body })
    }
    /// Returns the object's compressed bytes.
    pub fn packed(&self) -> &Packed {
        &self.packed
    }
    /// Judges the object, once.
    pub fn health(&self) -> &Health {
        self.health.get_or_init(|| self.packed.read().map(|body| health(&body)).unwrap_or_default())
    }
    /// As [`Self::health`], for somebody who has read the object already.
    pub fn health_of(&self, body: &Value) -> &Health {
        self.health.get_or_init(|| health(body))
    }
    /// As [`Self::health`], for somebody who can read the object at less cost.
    pub fn health_by(&self, body: impl FnOnce() -> Value) -> &Health {
        self.health.get_or_init(|| health(&body()))
    }
    /// Says whether another state of the same object says anything new that is shown: content, or health.
    pub(super) fn is_news_after(&self, before: &Self) -> bool {
        !(self.same(before) || self.same_content(before) && self.health() == before.health())
    }
}

#[cfg(test)]
impl CachedObject {
    /// Takes a parsed object in, for tests.
    pub(crate) fn of(body: &Value) -> Self {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let (group, version) = crate::object::split_api_version(&api_version);
        let (group, version) = (group.to_owned(), version.to_owned());
        let resource = Resource { group, version, kind, plural: String::new(), namespaced: true, verbs: vec![] };
        Reader::new(&resource).read(body.to_string().as_bytes()).unwrap().1
    }
}

/// Reads objects of one kind from the server's bytes.
pub(super) struct Reader {
    group: String,
    kind: String,
    /// Built-in kinds leave kind and version out of the items of a list.
    header: String,
    /// Objects of the list that is being read.
    listed: Option<usize>,
    dictionary: Option<Arc<Dictionary>>,
    text: Vec<u8>,
}

impl Reader {
    /// Makes a reader.
    pub fn new(resource: &Resource) -> Self {
        let api_version = join_api_version(&resource.group, &resource.version);
        let header =
            format!("\"apiVersion\":{},\"kind\":{},", Value::from(api_version), Value::from(resource.kind.as_str()));
        let (group, kind) = (resource.group.clone(), resource.kind.clone());
        Self { group, kind, header, listed: None, dictionary: None, text: Vec::new() }
    }
    /// Says that a list begins: where it is long, its objects are packed as what they have in common.
    pub fn list_begins(&mut self) {
        self.listed = Some(0);
    }
    /// Says that it has ended: however many events follow, they are about the same objects.
    pub fn list_ended(&mut self) {
        self.listed = None;
    }
    /// Reads one object.
    ///
    /// # Errors
    /// Where it is no JSON mapping with a name in its metadata.
    pub fn read(&mut self, json: &[u8]) -> Result<(ObjectId, CachedObject), serde_json::Error> {
        let Members(members) = serde_json::from_slice(json)?;
        let mut seen = Seen::default();
        let (mut content, mut status) = (Sha256::new(), Sha256::new());
        self.text.clear();
        self.text.push(b'{');
        if !members.iter().any(|(name, _)| name.0 == "kind") {
            self.text.extend_from_slice(self.header.as_bytes());
        }
        for (name, value) in &members {
            match name.0.as_ref() {
                "metadata" => {
                    name.write(&mut self.text);
                    metadata(value, &mut self.text, &mut content, &mut status, &mut seen)?;
                }
                "status" => {
                    add(&mut status, name, value);
                    name.write(&mut self.text);
                    self.text.extend_from_slice(value.get().as_bytes());
                }
                // A list's items lack these two, a watch's events have them.
                "apiVersion" | "kind" => {
                    name.write(&mut self.text);
                    self.text.extend_from_slice(value.get().as_bytes());
                }
                _ => {
                    add(&mut content, name, value);
                    name.write(&mut self.text);
                    self.text.extend_from_slice(value.get().as_bytes());
                }
            }
            self.text.push(b',');
        }
        close(&mut self.text, b'}');
        let name = seen.name.ok_or_else(|| serde_json::Error::missing_field("metadata.name"))?;
        let packed = Packed::text(&self.text, self.dictionary.as_ref());
        if let Some(listed) = &mut self.listed {
            *listed += 1;
            if *listed == Dictionary::WORTH_IT && self.dictionary.is_none() {
                self.dictionary = Some(Arc::new(Dictionary::of(&self.text)));
            }
        }
        let id = ObjectId { group: self.group.clone(), kind: self.kind.clone(), namespace: seen.namespace, name };
        let cached = CachedObject {
            uid: seen.uid.into(),
            resource_version: seen.resource_version.into(),
            content: short(content),
            status: short(status),
            part_of: seen.part_of.map(Into::into),
            packed,
            health: OnceLock::new(),
        };
        Ok((id, cached))
    }
}

/// What is read of an object's metadata.
#[derive(Default)]
struct Seen {
    name: Option<String>,
    namespace: Option<String>,
    uid: String,
    resource_version: String,
    part_of: Option<String>,
}

fn metadata(
    json: &RawValue,
    text: &mut Vec<u8>,
    content: &mut Sha256,
    status: &mut Sha256,
    seen: &mut Seen,
) -> Result<(), serde_json::Error> {
    let Members(members) = serde_json::from_str(json.get())?;
    text.push(b'{');
    for (name, value) in &members {
        let string = || serde_json::from_str::<String>(value.get());
        match name.0.as_ref() {
            "selfLink" => continue,
            "managedFields" => {
                managed_fields(name, value, text, content)?;
                continue;
            }
            "resourceVersion" => seen.resource_version = string()?,
            "generation" => add(status, name, value),
            other => {
                match other {
                    "name" => seen.name = Some(string()?).filter(|name| !name.is_empty()),
                    "namespace" => seen.namespace = Some(string()?).filter(|namespace| !namespace.is_empty()),
                    "uid" => seen.uid = string()?,
                    "labels" => seen.part_of = part_of(value)?,
                    _ => {}
                }
                add(content, name, value);
            }
        }
        name.write(text);
        text.extend_from_slice(value.get().as_bytes());
        text.push(b',');
    }
    close(text, b'}');
    Ok(())
}

/// Passes the entries on. Those of subresource `status` lose what they say of the status, and are no content: a controller that writes
/// through it can own other fields too. Times are no content either.
fn managed_fields(
    name: &Name<'_>,
    json: &RawValue,
    text: &mut Vec<u8>,
    content: &mut Sha256,
) -> Result<(), serde_json::Error> {
    let entries: Option<Vec<&RawValue>> = serde_json::from_str(json.get())?;
    let mut hashes = Vec::new();
    name.write(text);
    text.push(b'[');
    for entry in entries.unwrap_or_default() {
        let Members(members) = serde_json::from_str(entry.get())?;
        if members.iter().any(|(name, value)| name.0 == "subresource" && value.get() == "\"status\"") {
            beside_status(&members, text);
            continue;
        }
        let mut hash = Sha256::new();
        for (name, value) in members.iter().filter(|(name, _)| name.0 != "time") {
            add(&mut hash, name, value);
        }
        hashes.push(short(hash));
        text.extend_from_slice(entry.get().as_bytes());
        text.push(b',');
    }
    close(text, b']');
    text.push(b',');
    // The server orders them by time.
    hashes.sort_unstable();
    hashes.iter().for_each(|hash| content.update(hash));
    Ok(())
}

/// Passes an entry of subresource `status` on without what it says of the status; not at all where that is everything.
fn beside_status(entry: &[(Name<'_>, &RawValue)], text: &mut Vec<u8>) {
    let fields = entry.iter().find(|(name, _)| name.0 == "fieldsV1");
    let Some((_, fields)) = fields else { return };
    let Ok(Members(mut left)) = serde_json::from_str(fields.get()) else { return };
    left.retain(|(name, _)| name.0 != "f:status");
    if left.is_empty() {
        return;
    }
    text.push(b'{');
    for (name, value) in entry {
        name.write(text);
        if name.0 == "fieldsV1" {
            text.push(b'{');
            for (name, value) in &left {
                name.write(text);
                text.extend_from_slice(value.get().as_bytes());
                text.push(b',');
            }
            close(text, b'}');
        } else {
            text.extend_from_slice(value.get().as_bytes());
        }
        text.push(b',');
    }
    close(text, b'}');
    text.push(b',');
}

fn part_of(labels: &RawValue) -> Result<Option<String>, serde_json::Error> {
    let labels: Option<Members<'_>> = serde_json::from_str(labels.get())?;
    let label = labels.and_then(|Members(labels)| labels.into_iter().find(|(name, _)| name.0 == PART_OF));
    label.map(|(_, value)| serde_json::from_str(value.get())).transpose()
}

fn add(hash: &mut Sha256, name: &Name<'_>, value: &RawValue) {
    for part in [name.0.as_bytes(), value.get().as_bytes()] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
}

fn short(hash: Sha256) -> [u8; HASH] {
    let mut short = [0; HASH];
    short.copy_from_slice(&hash.finalize()[..HASH]);
    short
}

/// Ends a mapping or a list whose members each ended with a comma.
fn close(text: &mut Vec<u8>, end: u8) {
    match text.last_mut() {
        Some(last) if *last == b',' => *last = end,
        _ => text.push(end),
    }
}

#[cfg(test)]
mod tests;
