//! Makes plans: what a sync would do, in which order, bound by a digest. `docs/plan-digest.md` defines the digest for other programs.

use super::{
    application::{Application, At},
    approval::{Bound, BoundStep, LiveMark},
    compare::Live,
    comparison::{Action, ObjectComparison, ObjectState},
    desired::DesiredObject,
    error::EngineError,
    examine::{Examined, Look},
    plan::{Choices, Confirmation, Counts, Plan, PlanWarning, Step},
    predict::Predicted,
    results::Found,
    warnings,
};
use crate::{
    cluster::{Conflict, Resource, Session},
    config,
    object::{GroupKind, ObjectId, Severity, canonical_json, sha256_hex, without_values},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How long an approval on the screen is good.
const VALID_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Format of the document that the digest is taken over.
const DIGEST_FORMAT: &str = "driftdeck.dev/plan.v1";

static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Application {
    /// Makes a plan.
    pub(in crate::engine) async fn make_plan(&self, choices: &Choices) -> Result<Plan, EngineError> {
        let at = match &choices.revision {
            Some(revision) => At::Revision(revision.clone()),
            None => At::Configured,
        };
        let prune = choices.prune.unwrap_or(self.section.prune);
        let look = Look { fresh: true, verify: true, prune, ..Look::default() };
        let examined = self.examine(&at, look).await?;
        self.check_choices(choices, &examined)?;
        Ok(self.bind(choices, examined, prune).await)
    }

    fn check_choices(&self, choices: &Choices, examined: &Examined) -> Result<(), EngineError> {
        let known: BTreeSet<ObjectId> = examined.comparison.objects.iter().map(|object| object.id()).collect();
        match choices.only.union(&choices.skip).find(|id| !known.contains(id)) {
            Some(id) => {
                Err(EngineError::NoSuchObject { application: self.section.name.clone(), object: id.to_string() })
            }
            None => Ok(()),
        }
    }

    async fn bind(&self, choices: &Choices, examined: Examined, prune: bool) -> Plan {
        let chosen =
            |id: &ObjectId| (choices.only.is_empty() || choices.only.contains(id)) && !choices.skip.contains(id);
        let mut steps: Vec<BoundStep> = Vec::new();
        let (mut left_out, mut unchanged) = (Vec::new(), Vec::new());
        let mut acting: Vec<&ObjectComparison> = Vec::new();
        // A hook may share its identity with a member of another phase; only members have steps.
        let members = examined.comparison.objects.iter().map(Arc::as_ref).filter(|object| object.hook.is_none());
        let compared: BTreeMap<ObjectId, &ObjectComparison> = members.map(|object| (object.id(), object)).collect();
        for object in &examined.desired.objects {
            let id = &object.manifest.id;
            let Some(compared) = compared.get(id) else { continue };
            match compared.action {
                _ if !chosen(id) => left_out.push(id.clone()),
                Action::None if compared.state == ObjectState::Unknown => left_out.push(id.clone()),
                Action::None => unchanged.push(id.clone()),
                action => {
                    if let Some(step) = bound_step(object, action, &examined) {
                        steps.push(step);
                        acting.push(compared);
                    }
                }
            }
        }
        steps.sort_by(|a, b| a.place.cmp(&b.place));
        let mut prunes: Vec<BoundStep> = examined
            .extras
            .iter()
            .filter(|extra| extra.prune && chosen(&extra.id))
            .map(|extra| prune_step(&extra.id, &extra.resource, &extra.live))
            .collect();
        prunes.sort_by(|a, b| b.place.cmp(&a.place));
        acting.extend(prunes.iter().filter_map(|step| compared.get(&step.id)));
        steps.extend(prunes);

        let verified = |step: &BoundStep| {
            let predicted = || examined.found(&step.id)?.predicted.as_ref();
            examined.lost.is_none()
                && (step.action == Action::Prune || matches!(predicted(), Some(Predicted::Verified(_))))
        };
        let visible: Vec<Step> = steps
            .iter()
            .enumerate()
            .map(|(index, step)| Step {
                index: index + 1,
                phase: "Sync".into(),
                wave: step.place.wave,
                action: step.action,
                object: step.id.to_string(),
                verified: verified(step),
            })
            .collect();
        let counts = counts(&steps, unchanged.len());
        let mut notes = warnings::of(&acting, &examined.comparison.objects, self.cluster.section.production);
        notes.extend(self.own_warnings(&examined, prune));
        let reason = self.obstacle(choices, &examined, &steps).await;
        let payload: BTreeMap<ObjectId, Value> = examined
            .desired
            .objects
            .iter()
            .zip(&examined.found)
            .filter(|(object, _)| object.resource.is_ok())
            .map(|(object, found)| (object.manifest.id.clone(), found.body(object)))
            .collect();
        let options = json!({
            "renderer": examined.desired.rendered.renderer,
            "recurse": self.section.recurse,
            "include": self.section.include,
            "exclude": self.section.exclude,
            "helm": self.section.helm,
            "namespace": self.section.namespace,
        });
        let document = self.document(&examined, &steps, &left_out, &options, prune);
        let issued = now_in_seconds();
        let confirmation =
            if notes.iter().any(|warning| warning.typed) { Confirmation::Typed } else { Confirmation::None };
        let bound = Bound {
            choices: choices.clone(),
            steps,
            payload,
            unchanged,
            left_out,
            source: examined.source.identity.clone(),
            renderer: serde_json::to_value(examined.desired.rendered.renderer)
                .ok()
                .and_then(|name| name.as_str().map(str::to_owned))
                .unwrap_or_default(),
            options,
            prune,
            document,
        };
        Plan {
            digest: format!("sha256:{}@{issued}", sha256_hex(canonical_json(&bound.document))),
            expires: issued.saturating_add(VALID_FOR).unwrap_or(issued),
            comparison: examined.comparison,
            steps: visible,
            counts,
            warnings: notes,
            approvable: reason.is_none(),
            reason,
            confirmation,
            number: NUMBER.fetch_add(1, Ordering::Relaxed) + 1,
            bound: Arc::new(bound),
        }
    }

    fn own_warnings(&self, examined: &Examined, prune: bool) -> Vec<PlanWarning> {
        let plain = |code: &str, object: String, message: String| PlanWarning {
            code: code.into(),
            object,
            message,
            typed: false,
        };
        let mut notes = Vec::new();
        if prune && examined.comparison.issues.iter().any(|issue| issue.severity == Severity::Error) {
            notes.push(plain(
                "no-prune",
                String::new(),
                "nothing is pruned: part of the sources cannot be read, so what is gone from Git is not known".into(),
            ));
        }
        for object in &examined.desired.objects {
            if let Err(reason) = &object.resource {
                notes.push(plain("left-out", object.manifest.id.to_string(), format!("left out: {reason}")));
            }
        }
        for (manifest, annotation) in &examined.desired.hooks {
            notes.push(plain(
                "hook-not-run",
                manifest.id.to_string(),
                format!("{annotation}: hooks are not run by this version"),
            ));
        }
        if let Some(inventory) = &examined.ledger.inventory
            && !inventory.source.is_empty()
            && inventory.source != self.source_mark(&examined.source.identity)
        {
            let message = format!(
                "moves the inventory from {} to {}",
                inventory.source,
                self.source_mark(&examined.source.identity)
            );
            notes.push(PlanWarning { typed: true, ..plain("source-moved", String::new(), message) });
        }
        for (object, found) in examined.desired.objects.iter().zip(&examined.found) {
            if let Some(terms) = found.predicted.as_ref().and_then(Predicted::terms) {
                let id = &object.manifest.id;
                notes.extend(terms.warnings.iter().map(|text| plain("api-server", id.to_string(), text.clone())));
            }
        }
        notes
    }

    /// What the inventory's source annotation says: repository and path.
    pub(in crate::engine) fn source_mark(&self, identity: &str) -> String {
        if self.section.path.is_empty() { identity.to_owned() } else { format!("{identity}//{}", self.section.path) }
    }

    /// Returns why the plan cannot be approved, if it cannot.
    async fn obstacle(&self, choices: &Choices, examined: &Examined, steps: &[BoundStep]) -> Option<String> {
        let Some(state_namespace) = self.state_namespace() else {
            return Some("there is no place for inventory and records: set `namespace` or `state_namespace` in the application's section".into());
        };
        if let Some(lost) = examined.lost.clone().or_else(|| self.cluster.lost()) {
            return Some(lost.to_string());
        }
        if examined.ledger.inventory_unreadable || examined.ledger.unanswered.is_some() {
            return Some(examined.ledger.problems.join("; "));
        }
        for (object, found) in examined.desired.objects.iter().zip(&examined.found) {
            let id = &object.manifest.id;
            let left_out = choices.skip.contains(id) || !choices.only.is_empty() && !choices.only.contains(id);
            if left_out || object.resource.is_err() {
                continue;
            }
            if let Some(reason) = &found.blocked {
                return Some(format!("{id}: {reason}"));
            }
            match (&found.live, &found.predicted) {
                (_, Some(Predicted::Refused(reason))) => {
                    return Some(format!("the cluster refuses {id}: {reason}; mend it or leave it out (--skip {id})"));
                }
                (_, Some(Predicted::Estimated(_, reason))) => {
                    return Some(format!("estimated, not verified: {reason}"));
                }
                (Live::Unreadable(reason), _) | (_, Some(Predicted::Failed(reason))) => {
                    return Some(format!("{id} cannot be compared: {reason}; leave it out with --skip {id}"));
                }
                _ => {}
            }
        }
        if steps.is_empty() {
            return Some("there is nothing to do".into());
        }
        if examined.ledger.inventory.is_none() {
            let creates_it = steps.iter().any(|step| step.id.kind == "Namespace" && step.id.name == state_namespace);
            if !creates_it && let Some(reason) = missing_namespace(&examined.session, state_namespace).await {
                return Some(reason);
            }
        }
        missing_right(&examined.session, state_namespace, steps).await
    }

    /// The document that the digest is taken over.
    fn document(
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
                let id = object.manifest.id.clone();
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

fn bound_step(object: &DesiredObject, action: Action, examined: &Examined) -> Option<BoundStep> {
    let id = object.manifest.id.clone();
    let resource = Resource::clone(object.resource.as_ref().ok()?);
    let found = examined.found(&id)?;
    let live = found.mark(object);
    let conflicts = found.predicted.as_ref().and_then(Predicted::terms).map(|terms| terms.conflicts.clone());
    let place = examined.desired.place(&id)?;
    let (body, conflicts) = (found.body(object), conflicts.unwrap_or_default());
    Some(BoundStep { id, resource, action, place, body, left_alone: found.left_alone.clone(), live, conflicts })
}

fn prune_step(id: &ObjectId, resource: &Resource, live: &crate::cluster::LiveObject) -> BoundStep {
    BoundStep {
        id: id.clone(),
        resource: resource.clone(),
        action: Action::Prune,
        place: super::order::Place {
            wave: super::order::wave_of(&live.body),
            rank: super::order::kind_rank(&id.group_kind()),
            id: id.clone(),
        },
        body: Value::Null,
        left_alone: None,
        live: Some(LiveMark::of(id, live, &Value::Null, vec![])),
        conflicts: vec![],
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
        let hash = marked.map_or_else(|| object.hash.clone(), |marked| sha256_hex(canonical_json(&marked)));
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

fn counts(steps: &[BoundStep], unchanged: usize) -> Counts {
    let count = |action: Action| steps.iter().filter(|step| step.action == action).count();
    Counts {
        create: count(Action::Create),
        update: count(Action::Update),
        adopt: count(Action::Adopt),
        replace: count(Action::Replace),
        remove_extra: count(Action::RemoveExtra),
        prune: count(Action::Prune),
        hook: 0,
        unchanged,
    }
}

async fn missing_namespace(session: &Session, namespace: &str) -> Option<String> {
    let kind = GroupKind { group: String::new(), kind: "Namespace".into() };
    let resource = session.catalog().preferred(&kind).cloned()?;
    let id = ObjectId { group: String::new(), kind: "Namespace".into(), namespace: None, name: namespace.to_owned() };
    match session.get(&resource, &id).await {
        Ok(None) => Some(format!(
            "namespace {namespace} does not exist, and the application does not create it: add it to Git, or run kubectl create namespace {namespace}"
        )),
        // Without the right to look, the first write will tell.
        _ => None,
    }
}

/// Returns the first right that the sync would need for its own state and for prunes, and that the user lacks.
async fn missing_right(session: &Session, state_namespace: &str, steps: &[BoundStep]) -> Option<String> {
    let catalog = session.catalog();
    let mut needed: Vec<(&str, Resource, Option<String>)> = Vec::new();
    for (verb, kind) in [("create", "ConfigMap"), ("patch", "ConfigMap"), ("create", "Secret"), ("patch", "Secret")] {
        let kind = GroupKind { group: String::new(), kind: kind.into() };
        if let Some(resource) = catalog.preferred(&kind) {
            needed.push((verb, resource.clone(), Some(state_namespace.to_owned())));
        }
    }
    let prunes = steps.iter().filter(|step| step.action == Action::Prune);
    let scopes: BTreeSet<_> = prunes.map(|step| (step.resource.clone(), step.id.namespace.clone())).collect();
    needed.extend(scopes.into_iter().map(|(resource, namespace)| ("delete", resource, namespace)));
    let answers = futures::future::join_all(
        needed.iter().map(|(verb, resource, namespace)| session.may(verb, resource, namespace.as_deref())),
    )
    .await;
    let (verb, resource, namespace) =
        needed.iter().zip(answers).find(|(_, answer)| matches!(answer, Ok(false))).map(|(need, _)| need)?;
    let place =
        namespace.as_ref().map_or_else(|| "the whole cluster".into(), |namespace| format!("namespace {namespace}"));
    Some(format!(
        "{} may not {verb} {} in {place}: ask for that right (docs/rbac.yaml lists the least set)",
        session.user(),
        resource.plural
    ))
}

fn now_in_seconds() -> Timestamp {
    let now = config::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
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
