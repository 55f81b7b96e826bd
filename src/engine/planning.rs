//! Makes plans: what a sync would do, in which order, bound by a digest. `docs/plan-digest.md` defines the digest for other programs.

mod document;
mod obstacle;

use super::{
    application::{Application, At},
    approval::{Bound, BoundStep, LiveMark},
    comparison::{Action, ObjectComparison, ObjectState},
    desired::DesiredObject,
    error::EngineError,
    examine::{Examined, Look},
    plan::{Choices, Confirmation, Counts, Plan, PlanWarning, Step},
    predict::Predicted,
    warnings,
};
use crate::{
    cluster::Resource,
    config,
    object::{ObjectId, Severity, canonical_json, sha256_hex},
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

pub(in crate::engine) use document::{conflict_set, moved};

/// How long an approval on the screen is good.
const VALID_FOR: SignedDuration = SignedDuration::from_mins(5);
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
                _ if !chosen(id) => left_out.push(ObjectId::clone(id)),
                Action::None if compared.state == ObjectState::Unknown => left_out.push(ObjectId::clone(id)),
                Action::None => unchanged.push(ObjectId::clone(id)),
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
            .map(|(object, found)| (ObjectId::clone(&object.manifest.id), found.body(object)))
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
}

fn bound_step(object: &DesiredObject, action: Action, examined: &Examined) -> Option<BoundStep> {
    let id = ObjectId::clone(&object.manifest.id);
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
            rank: super::order::kind_rank(id),
            id: id.clone(),
        },
        body: Value::Null,
        left_alone: None,
        live: Some(LiveMark::of(id, live, &Value::Null, vec![])),
        conflicts: vec![],
    }
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

fn now_in_seconds() -> Timestamp {
    let now = config::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
