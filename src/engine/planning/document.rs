//! The document that a plan's digest is taken over (`docs/plan-digest.md`), and what moved between two of them, in words.

use super::super::{
    application::Application, approval::BoundStep, compare::Live, comparison::Action, desired::DesiredObject,
    examine::Examined, results::Found,
};
use crate::{
    cluster::Conflict,
    object::{ObjectId, canonical_json, sha256_hex, without_values},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Format of the document that the digest is taken over.
const DIGEST_FORMAT: &str = "driftdeck.dev/plan.v1";

impl Application {
    /// The document that the digest is taken over.
    pub(super) fn document(
        &self,
        examined: &Examined,
        steps: &[BoundStep],
        left_out: &[ObjectId],
        options: &Value,
        prune: bool,
    ) -> Value {
        let rendered = &examined.desired.rendered;
        let inputs: BTreeMap<&str, &str> =
            rendered.inputs.iter().map(|(path, id)| (path.as_str(), id.as_str())).collect();
        let acting: BTreeMap<&ObjectId, &BoundStep> = steps.iter().map(|step| (&step.id, step)).collect();
        let mut objects: Vec<(ObjectId, Value)> = examined
            .desired
            .objects
            .iter()
            .zip(&examined.found)
            .map(|(object, found)| {
                let id = ObjectId::clone(&object.manifest.id);
                let value = if left_out.contains(&id) {
                    json!({ "object": id, "leftOut": true })
                } else {
                    let live = match &found.live {
                        Live::Present(live) if id.group.is_empty() && id.kind == "Secret" => {
                            json!({ "uid": live.uid(), "resourceVersion": live.resource_version() })
                        }
                        _ => match found.mark(object) {
                            Some(mark) => json!({ "uid": mark.uid, "content": mark.digest }),
                            None => json!("absent"),
                        },
                    };
                    let step = acting.get(&id);
                    json!({
                        "object": id,
                        "version": object.manifest.version,
                        "send": sent(object, found, &inputs),
                        "live": live,
                        "action": step.map_or(Action::None, |step| step.action),
                        "conflicts": step.map(|step| conflict_set(&step.conflicts)).unwrap_or_default(),
                    })
                };
                (id, value)
            })
            .collect();
        objects.sort_by(|a, b| a.0.cmp(&b.0));
        let prunes: Vec<Value> = steps
            .iter()
            .filter(|step| step.action == Action::Prune)
            .map(|step| json!({ "object": step.id, "uid": step.live.as_ref().map(|mark| &mark.uid) }))
            .collect();
        json!({
            "format": DIGEST_FORMAT,
            "cluster": examined.session.cluster_id(),
            "user": examined.session.user(),
            "application": self.section.name,
            "stateNamespace": self.state_namespace(),
            "source": { "repository": examined.source.identity, "path": self.section.path },
            "inputs": inputs,
            "renderer": { "program": rendered.program, "options": options },
            "objects": objects.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            "order": steps.iter().map(|step| step.id.to_string()).collect::<Vec<_>>(),
            "prune": { "enabled": prune, "objects": prunes },
            "inventorySource": examined.ledger.inventory.as_ref().map(|inventory| &inventory.source),
            "pinned": examined.comparison.pinned,
            "paused": examined.comparison.paused,
        })
    }
}

/// What stands in the digest for the bytes sent. Of a Secret only key names and the blobs they come from, so that no digest can
/// be used to guess a value.
fn sent(object: &DesiredObject, found: &Found, inputs: &BTreeMap<&str, &str>) -> Value {
    let id = &object.manifest.id;
    let is_secret = id.group.is_empty() && id.kind == "Secret";
    // What is carried as it is live may move.
    let marked = found.left_alone.as_ref().map(|left| left.marked());
    if !is_secret {
        let hash = marked.map_or_else(|| object.hash().to_owned(), |marked| sha256_hex(canonical_json(&marked)));
        return json!({ "sha256": hash });
    }
    let mut shape = without_values(&marked.unwrap_or_else(|| object.manifest.body()));
    let keys: Vec<String> =
        shape.get("data").and_then(Value::as_object).map(|data| data.keys().cloned().collect()).unwrap_or_default();
    shape["data"] = json!(keys);
    json!({ "shape": sha256_hex(canonical_json(&shape)), "blob": inputs.get(object.manifest.origin.path.as_str()) })
}

/// Conflicts as a sorted set: manager, operation, subresource, field.
pub(in crate::engine) fn conflict_set(conflicts: &[Conflict]) -> Vec<Value> {
    let set: BTreeSet<_> = conflicts
        .iter()
        .map(|conflict| (&conflict.manager, &conflict.operation, &conflict.subresource, &conflict.field))
        .collect();
    set.into_iter()
        .map(|(manager, operation, subresource, field)| json!([manager, operation, subresource, field]))
        .collect()
}

/// Says in words what moved between two plans' documents.
pub(in crate::engine) fn moved(before: &Value, after: &Value) -> String {
    let mut moved = Vec::new();
    for (field, text) in [
        ("cluster", "the cluster is another one"),
        ("user", "the user is another one"),
        ("renderer", "the renderer or its options changed"),
        ("pinned", "the pin changed"),
        ("inventorySource", "the inventory belongs to another source now"),
    ] {
        if before.get(field) != after.get(field) {
            moved.push(text.to_owned());
        }
    }
    let inputs = |side: &Value| side.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (inputs(before), inputs(after));
    let paths: BTreeSet<&String> =
        old.keys().chain(new.keys()).filter(|path| old.get(*path) != new.get(*path)).collect();
    if !paths.is_empty() {
        let names: Vec<&str> = paths
            .iter()
            .take(3)
            .map(|path| if path.is_empty() { "the repository's root" } else { path.as_str() })
            .collect();
        moved.push(format!("Git moved: {}{}", names.join(", "), if paths.len() > 3 { " and more" } else { "" }));
    }
    let objects = |side: &Value| -> BTreeMap<String, Value> {
        let list = side.get("objects").and_then(Value::as_array).cloned().unwrap_or_default();
        list.into_iter().filter_map(|object| Some((object.get("object")?.as_str()?.to_owned(), object))).collect()
    };
    let (old, new) = (objects(before), objects(after));
    for (id, object) in &new {
        match old.get(id) {
            Some(known) if known == object => {}
            Some(known) if known.get("live") != object.get("live") => moved.push(format!("{id} moved in the cluster")),
            Some(known) if known.get("conflicts") != object.get("conflicts") => {
                moved.push(format!("{id} has other owners now"))
            }
            Some(_) => moved.push(format!("{id} would be sent differently")),
            None => moved.push(format!("{id} is new")),
        }
    }
    moved.extend(old.keys().filter(|id| !new.contains_key(*id)).map(|id| format!("{id} is gone")));
    if before.get("prune") != after.get("prune") {
        moved.push("what is to be pruned changed".into());
    }
    if moved.is_empty() { "something that the digest binds".into() } else { moved.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_is_said_in_words() {
        let before =
            json!({"inputs": {"apps/a": "1"}, "objects": [{"object": "ConfigMap/x/a", "live": "absent"}], "prune": {}});
        let mut after = before.clone();
        after["inputs"]["apps/a"] = json!("2");
        after["objects"][0]["live"] = json!({"uid": "u"});
        assert_eq!(moved(&before, &after), "Git moved: apps/a; ConfigMap/x/a moved in the cluster");
    }
}
