//! What happens to an object before the apply under test: several managers write it, in all the ways there are.

use super::{
    objects::{Kind, Place},
    random::Random,
    server::{APPLY, JSON_PATCH, MERGE, Server},
    ssa_answer::MANAGER,
};
use http::Method;
use serde_json::{Map, Value, json};

/// The managers beside driftdeck.
const OTHERS: &[&str] = &["other", "kubectl-edit", "kubectl-client-side-apply", "argocd-controller"];

/// An object with a past.
pub struct History {
    pub kind: Kind,
    pub name: String,
    /// What driftdeck applied last.
    pub applied: Option<Value>,
    /// Whether entries were given to another manager, or all taken away.
    pub moved: bool,
    /// What was done, with the server's codes.
    pub steps: Vec<String>,
}

/// Makes an object, or none, and lets several managers write it.
pub async fn make(server: &Server, place: &Place, kind: Kind, name: String, random: &mut Random) -> History {
    let mut history = History { kind, name, applied: None, moved: false, steps: Vec::new() };
    if random.percent(6) {
        return history;
    }
    match random.below(10) {
        0..=5 => history.apply(server, place, MANAGER, random).await,
        6..=7 => history.apply(server, place, "other", random).await,
        _ => history.post(server, place, random).await,
    }
    for _ in 0..random.below(5) {
        let other = *random.pick(OTHERS);
        match random.below(20) {
            0..=3 => history.apply(server, place, MANAGER, random).await,
            4..=7 => history.apply(server, place, other, random).await,
            8..=10 => history.put(server, place, other, random).await,
            11..=13 => history.merge_patch(server, place, other, random).await,
            14..=15 if kind.has_scale() => history.scale(server, place, random).await,
            14..=17 if kind.has_status() => history.status(server, place, random).await,
            17 if kind == Kind::Widget => history.apply_older(server, place, random).await,
            18 => history.reset(server, place).await,
            _ => history.adopt(server, place).await,
        }
    }
    history
}

impl History {
    pub fn path(&self, place: &Place) -> String {
        self.kind.path(place, &self.kind.api_version(place), &self.name)
    }

    fn done(&mut self, step: String, code: u16) {
        self.steps.push(format!("{step} -> {code}"));
    }

    async fn apply(&mut self, server: &Server, place: &Place, manager: &str, random: &mut Random) {
        let fresh = self.kind.body(place, &self.name, random);
        let body = match &self.applied {
            Some(applied) if random.percent(60) => mix(applied, &fresh, random),
            _ => fresh,
        };
        let force = random.percent(60);
        let path = format!("{}?fieldManager={manager}&force={force}", self.path(place));
        let reply = server.patch(&path, APPLY, &body).await;
        self.done(format!("apply {manager} {body} force={force}"), reply.code);
        if manager == MANAGER && reply.is_ok() {
            self.applied = Some(body);
        }
    }

    /// Applies in an older version of the kind.
    async fn apply_older(&mut self, server: &Server, place: &Place, random: &mut Random) {
        let mut body = self.kind.body(place, &self.name, random);
        let older = format!("{}/v1beta1", place.group);
        body["apiVersion"] = json!(older);
        let manager = *random.pick(&["other", MANAGER]);
        let path = format!("{}?fieldManager={manager}&force=true", self.kind.path(place, &older, &self.name));
        let reply = server.patch(&path, APPLY, &body).await;
        self.done(format!("apply {manager} {body}"), reply.code);
    }

    async fn post(&mut self, server: &Server, place: &Place, random: &mut Random) {
        let body = self.kind.body(place, &self.name, random);
        let manager = *random.pick(OTHERS);
        let all = self.kind.path(place, &self.kind.api_version(place), "");
        let reply =
            server.send(Method::POST, &format!("{all}?fieldManager={manager}"), "application/json", Some(&body)).await;
        self.done(format!("create {manager} {body}"), reply.code);
    }

    async fn put(&mut self, server: &Server, place: &Place, manager: &str, random: &mut Random) {
        let live = server.get(&self.path(place)).await;
        if !live.is_ok() {
            return;
        }
        let fresh = self.kind.body(place, &self.name, random);
        let mut body = mix(&live.body, &fresh, random);
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            body["metadata"][field] = live.body["metadata"][field].clone();
        }
        body["metadata"]["managedFields"] = Value::Null;
        let path = format!("{}?fieldManager={manager}", self.path(place));
        let reply = server.send(Method::PUT, &path, "application/json", Some(&body)).await;
        self.done(format!("update {manager}"), reply.code);
    }

    async fn merge_patch(&mut self, server: &Server, place: &Place, manager: &str, random: &mut Random) {
        let mut body = self.kind.body(place, &self.name, random);
        if let Some(body) = body.as_object_mut() {
            body.remove("roleRef");
            if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("name");
                metadata.remove("namespace");
            }
        }
        let path = format!("{}?fieldManager={manager}", self.path(place));
        let reply = server.patch(&path, MERGE, &body).await;
        self.done(format!("merge-patch {manager} {body}"), reply.code);
    }

    async fn scale(&mut self, server: &Server, place: &Place, random: &mut Random) {
        let path = format!("{}/scale?fieldManager=hpa-controller", self.path(place));
        let body = json!({"spec": {"replicas": random.below(4)}});
        let reply = server.patch(&path, MERGE, &body).await;
        self.done(format!("scale {body}"), reply.code);
    }

    async fn status(&mut self, server: &Server, place: &Place, random: &mut Random) {
        let status = self.kind.status(random);
        let (manager, path) = (*random.pick(&["status-writer", MANAGER]), format!("{}/status", self.path(place)));
        let reply = if random.percent(50) {
            server.patch(&format!("{path}?fieldManager={manager}"), MERGE, &json!({"status": status})).await
        } else {
            let body = json!({"apiVersion": self.kind.api_version(place), "kind": self.kind.name(),
                "metadata": {"name": self.name}, "status": status});
            server.patch(&format!("{path}?fieldManager={manager}&force=true"), APPLY, &body).await
        };
        self.done(format!("status {manager} {status}"), reply.code);
    }

    /// Gives another manager's whole entry to driftdeck, as a takeover from another tool does.
    async fn adopt(&mut self, server: &Server, place: &Place) {
        let live = server.get(&self.path(place)).await;
        let mut entries = live.body["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let main = |entry: &Value| entry.get("subresource").is_none();
        let Some(at) = entries.iter().position(|entry| entry["manager"] != MANAGER && main(entry)) else { return };
        let own = |entry: &Value| entry["manager"] == MANAGER && entry["operation"] == "Apply" && main(entry);
        entries[at]["manager"] = json!(MANAGER);
        entries[at]["operation"] = json!("Apply");
        let adopted = entries[at].clone();
        entries.retain(|entry| !own(entry) || *entry == adopted);
        self.replace_entries(server, place, &live.body, json!(entries), "adopt").await;
    }

    /// Takes all entries away: nobody is known to have written anything.
    async fn reset(&mut self, server: &Server, place: &Place) {
        let live = server.get(&self.path(place)).await;
        if live.is_ok() {
            self.replace_entries(server, place, &live.body, json!([{}]), "reset").await;
        }
    }

    async fn replace_entries(&mut self, server: &Server, place: &Place, live: &Value, entries: Value, step: &str) {
        let patch = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
            {"op": if live["metadata"].get("managedFields").is_some() { "replace" } else { "add" },
                "path": "/metadata/managedFields", "value": entries},
        ]);
        let reply = server.patch(&format!("{}?fieldManager=mover", self.path(place)), JSON_PATCH, &patch).await;
        self.moved |= reply.is_ok();
        self.done(step.to_owned(), reply.code);
    }

    /// The body of the apply under test: mostly like what was applied last, sometimes with something odd in it.
    pub fn next_body(&self, place: &Place, live: Option<&Value>, random: &mut Random) -> Value {
        let fresh = self.kind.body(place, &self.name, random);
        let mut body = match (&self.applied, live) {
            (Some(applied), _) if random.percent(12) => applied.clone(),
            (Some(applied), _) if random.percent(80) => mix(applied, &fresh, random),
            (_, Some(live)) if random.percent(60) => {
                let mut exported = live.clone();
                for field in ["managedFields", "uid", "resourceVersion", "generation"] {
                    exported["metadata"].as_object_mut().expect("an object has metadata").remove(field);
                }
                mix(&exported, &fresh, random)
            }
            _ => fresh,
        };
        if random.percent(6) {
            odd(&mut body, random);
        }
        if random.percent(4) {
            wrong(&mut body, random);
        }
        body
    }
}

/// Makes one value of two: here and there the one's, the other's, or neither's.
fn mix(a: &Value, b: &Value, random: &mut Random) -> Value {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let mut mixed = Map::new();
            for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
                let value = match (left.get(key), right.get(key)) {
                    (Some(a), _)
                        if matches!(key.as_str(), "apiVersion" | "kind" | "name" | "namespace" | "roleRef") =>
                    {
                        a.clone()
                    }
                    (Some(a), Some(b)) => match random.below(100) {
                        0..50 => mix(a, b, random),
                        50..75 => a.clone(),
                        75..93 => b.clone(),
                        _ => continue,
                    },
                    (Some(a), None) if random.percent(80) => a.clone(),
                    (None, Some(b)) if random.percent(50) => b.clone(),
                    _ => continue,
                };
                mixed.insert(key.clone(), value);
            }
            Value::Object(mixed)
        }
        (Value::Array(left), Value::Array(right)) => {
            let mut mixed: Vec<Value> = Vec::new();
            for item in left {
                let other = right.iter().find(|other| key(other) == key(item));
                match (other, random.below(100)) {
                    (_, 0..12) => {}
                    (Some(other), 12..60) => mixed.push(mix(item, other, random)),
                    _ => mixed.push(item.clone()),
                }
            }
            for item in right.iter().filter(|item| left.iter().all(|other| key(other) != key(item))) {
                if random.percent(40) {
                    mixed.insert(random.below(mixed.len() + 1), item.clone());
                }
            }
            if random.percent(20) {
                mixed.reverse();
            }
            Value::Array(mixed)
        }
        _ => {
            if random.percent(50) {
                a.clone()
            } else {
                b.clone()
            }
        }
    }
}

/// What tells items of one list apart.
fn key(item: &Value) -> String {
    const KEYS: &[&str] =
        &["name", "id", "host", "path", "kind", "ready", "containerPort", "protocol", "port", "topologyKey"];
    match item.as_object() {
        None => item.to_string(),
        Some(map) => KEYS.iter().filter_map(|key| map.get(*key)).map(Value::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// Puts null or something empty in place of a part.
fn odd(body: &mut Value, random: &mut Random) {
    let Some(place) = somewhere(body, random) else { return };
    *place = random.pick(&[json!(null), json!({}), json!([])]).clone();
}

/// Puts something in that the schema does not have.
fn wrong(body: &mut Value, random: &mut Random) {
    let Some(place) = somewhere(body, random) else { return };
    match place {
        Value::Object(map) => drop(map.insert("unheardOf".into(), json!(1))),
        Value::Array(items) => {
            if let Some(first) = items.first().cloned() {
                items.push(first);
            }
        }
        scalar => *scalar = random.pick(&[json!({"a": 1}), json!([1]), json!(1.5), json!("text"), json!(true)]).clone(),
    }
}

/// A random part of the body, its identity left out.
fn somewhere<'a>(body: &'a mut Value, random: &mut Random) -> Option<&'a mut Value> {
    let mut place = body;
    for depth in 0.. {
        let children: Vec<&mut Value> = match place {
            Value::Object(map) => {
                let fixed = |key: &str| depth <= 1 && matches!(key, "apiVersion" | "kind" | "name" | "namespace");
                map.iter_mut().filter(|(key, _)| !fixed(key)).map(|(_, value)| value).collect()
            }
            Value::Array(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        };
        if children.is_empty() {
            return None;
        }
        let at = random.below(children.len());
        place = children.into_iter().nth(at)?;
        let is_leaf = !place.is_object() && !place.is_array();
        if is_leaf || depth > 0 && random.percent(35) {
            break;
        }
    }
    Some(place)
}
