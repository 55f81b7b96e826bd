//! Comparison as a pure function: desired, live, prediction and base in; states and attributed changes out.

use super::{
    attribution::{Attribution, respelling, unattributed},
    comparison::{Action, ApplicationState, ChangeOrigin, ObjectComparison, ObjectState, Side, Sides},
    desired::DesiredObject,
    extras,
    order::{hook_annotation, keeps_itself},
    predict::Predicted,
};
use crate::{
    cluster::{CachedObject, Health, HealthStatus, LiveObject, health},
    config::Extras,
    merge::{Schemas, changes},
    object::{Manifest, ObjectId, Origin, PackedManifest, is_secret, mask_pair, mask_secret},
};
use serde_json::Value;
use std::sync::Arc;

/// What is known of the live side of one object.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Live {
    /// It does not exist.
    Absent,
    /// It exists.
    Present(Arc<CachedObject>),
    /// It cannot be read; why.
    Unreadable(String),
}

impl Live {
    /// Says whether the other is the very same state, held by both.
    pub(in crate::engine) fn is_identical(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Present(a), Self::Present(b)) => Arc::ptr_eq(a, b),
            (Self::Absent, Self::Absent) => true,
            _ => false,
        }
    }
    /// Returns what tells one state of a live object from another, as long as both are held.
    pub(in crate::engine) fn address(&self) -> Option<*const CachedObject> {
        match self {
            Self::Present(live) => Some(Arc::as_ptr(live)),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// Everything that one object is compared from.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Seen<'a> {
    /// What Git says.
    pub desired: &'a DesiredObject,
    /// Its manifest, read.
    pub manifest: &'a Value,
    /// What the cluster has.
    pub live: &'a Live,
    /// The live object, read; null where there is none.
    pub body: &'a Value,
    /// How well it is known what applying would give.
    pub predicted: Option<&'a Predicted>,
    /// What applying would give; none: what is there.
    pub after: Option<&'a Value>,
    /// What was applied last, where that is known.
    pub base: Option<&'a Value>,
    /// The cluster's schemas.
    pub schemas: &'a Schemas,
    /// What extras mean.
    pub extras: Extras,
}

/// Compares one desired object.
pub(in crate::engine) fn object(seen: Seen<'_>) -> ObjectComparison {
    let manifest = &seen.desired.manifest;
    // A desired object is no hook: those are set apart.
    let mut out = blank(&manifest.id, &manifest.version, &manifest.origin);
    if let Err(reason) = &seen.desired.resource {
        return unknown(out, manifest, reason.clone());
    }
    let live = match seen.live {
        Live::Unreadable(reason) => return unknown(out, manifest, reason.clone()),
        Live::Absent => {
            out.state = ObjectState::Missing;
            out.action = Action::Create;
            out.health = HealthStatus::Missing;
            out.sides.desired = Some(Side::new(&mask_secret(&manifest.read())));
            if let Some(Predicted::Refused(reason)) = seen.predicted {
                out.error = Some(reason.clone());
            }
            return out;
        }
        Live::Present(live) => live,
    };
    let body = seen.body;
    let judged = live.health_of(body).clone();
    describe_live(&mut out, live.uid(), live.resource_version(), judged);
    let terms = match seen.predicted {
        Some(Predicted::Verified(terms) | Predicted::Foreseen(terms)) => terms,
        Some(Predicted::Estimated(terms, reason)) => {
            out.message = format!("estimated, {reason}");
            terms
        }
        Some(Predicted::Refused(reason) | Predicted::Failed(reason)) => {
            out.sides.live = Some(live_side(live, body));
            return unknown(out, manifest, reason.clone());
        }
        None => return unknown(out, manifest, "not compared yet".into()),
    };
    let after = seen.after.unwrap_or(body);
    let fields = seen.after.map(|after| changes(body, after)).unwrap_or_default();
    out.sides = if is_secret(body) {
        let (live, desired) = mask_pair(Some(body), Some(after));
        Sides { live: live.as_ref().map(Side::new), desired: desired.as_ref().map(Side::new) }
    } else {
        let live = live_side(live, body);
        // Nothing would change, so the two sides are one.
        let desired = if fields.is_empty() { Arc::clone(&live) } else { Side::new(after) };
        Sides { live: Some(live), desired: Some(desired) }
    };
    if !fields.is_empty() || !terms.conflicts.is_empty() {
        let attribution = Attribution::new(&seen, after, &terms.conflicts);
        out.changes = attribution.changes(fields);
        if !out.changes.is_empty() {
            out.state = ObjectState::Changed;
            out.action = Action::Update;
        }
        let spelled = attribution.spellings(&out.changes);
        if let Some(first) = spelled.first().filter(|_| out.changes.is_empty()) {
            out.message = respelling(first);
        }
        out.changes.extend(spelled);
    }
    if seen.extras != Extras::Hide {
        out.extras = extras::of(seen.schemas, &manifest.id, body, seen.manifest);
    }
    // Where extras count, they are the cluster's movement.
    if seen.extras == Extras::Drift && !out.extras.is_empty() {
        out.state = ObjectState::Changed;
    }
    out
}

/// Compares a desired object with a live one that applying would leave as it is and that holds no secret; `body` reads it.
pub(in crate::engine) fn settled(
    desired: &DesiredObject,
    live: &CachedObject,
    body: impl FnOnce() -> Value,
) -> ObjectComparison {
    let manifest = &desired.manifest;
    let mut out = blank(&manifest.id, &manifest.version, &manifest.origin);
    let health = live.health_by(body).clone();
    describe_live(&mut out, live.uid(), live.resource_version(), health);
    let side = Side::packed(live.packed().clone());
    out.sides = Sides { live: Some(Arc::clone(&side)), desired: Some(side) };
    out
}

/// Describes a live object that Git no longer has, though the inventory does.
pub(in crate::engine) fn extra(id: &ObjectId, version: &str, live: &LiveObject, prune: bool) -> ObjectComparison {
    let mut out = ObjectComparison {
        group: id.group.clone(),
        version: version.to_owned(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        uid: None,
        state: ObjectState::Extra,
        action: Action::None,
        health: HealthStatus::Healthy,
        message: String::new(),
        source: None,
        changes: vec![],
        extras: vec![],
        error: None,
        hook: None,
        sides: Sides { live: mask_pair(Some(&live.body), None).0.as_ref().map(Side::new), desired: None },
        resource_version: None,
    };
    describe_live(&mut out, &live.uid, &live.resource_version, health(&live.body));
    match keeps_itself(&live.body) {
        Some(annotation) => out.message = format!("not in Git any more; kept by {annotation}"),
        None if prune => {
            out.action = Action::Prune;
            out.message = "not in Git any more".into();
        }
        None => out.message = "not in Git any more; pruning is off".into(),
    }
    out
}

/// Lists a hook: it is shown, not compared and not applied.
pub(in crate::engine) fn hook(manifest: &Manifest, annotation: &str) -> ObjectComparison {
    let mut out = blank(&manifest.id, &manifest.version, &Arc::new(manifest.origin.clone()));
    out.hook = Some(annotation.to_owned());
    out.message = format!("hook ({annotation}): listed, not run by this version");
    out.sides.desired = Some(Side::new(&mask_secret(manifest)));
    out
}

/// Compares two renders of one object, parent and commit: what a commit changed, without any cluster.
pub(in crate::engine) fn rendered(before: Option<&Manifest>, after: Option<&Manifest>) -> Option<ObjectComparison> {
    let manifest = after.or(before)?;
    let mut out = blank(&manifest.id, &manifest.version, &Arc::new(manifest.origin.clone()));
    out.hook = hook_annotation(|key| manifest.annotation(key));
    let (live, desired) = mask_pair(before.map(|m| &m.body), after.map(|m| &m.body));
    out.sides = Sides { live: live.as_ref().map(Side::new), desired: desired.as_ref().map(Side::new) };
    match (before, after) {
        (None, _) => (out.state, out.action) = (ObjectState::Missing, Action::Create),
        (_, None) => (out.state, out.action) = (ObjectState::Extra, Action::Prune),
        (Some(before), Some(after)) => {
            let fields = changes(&before.body, &after.body);
            if fields.is_empty() {
                return None;
            }
            let masked = is_secret(&after.body);
            (out.state, out.action) = (ObjectState::Changed, Action::Update);
            out.changes = fields.into_iter().map(|field| unattributed(&manifest.id, field, masked)).collect();
            for change in &mut out.changes {
                change.origin = ChangeOrigin::Git;
            }
        }
    }
    Some(out)
}

/// Returns the state of an application; the first that holds.
pub(in crate::engine) fn application_state(objects: &[Arc<ObjectComparison>], errors: bool) -> ApplicationState {
    let mut members = objects.iter().map(Arc::as_ref).filter(|object| object.hook.is_none()).peekable();
    if errors || members.clone().any(|object| object.state == ObjectState::Unknown) {
        return ApplicationState::Unknown;
    }
    if members.peek().is_some() && members.clone().all(|object| object.state == ObjectState::Missing) {
        return ApplicationState::Missing;
    }
    let git_moved = |object: &ObjectComparison| match object.state {
        ObjectState::Missing | ObjectState::Extra => true,
        _ => object.changes.iter().any(|change| change.origin != ChangeOrigin::Drift && !change.same_value),
    };
    if members.clone().any(git_moved) {
        ApplicationState::OutOfSync
    } else if members.any(|object| object.state == ObjectState::Changed) {
        ApplicationState::Drifted
    } else {
        ApplicationState::Synced
    }
}

/// Returns the worst health of an application's objects; objects that are not there count only when nothing is.
pub(in crate::engine) fn application_health(objects: &[Arc<ObjectComparison>]) -> HealthStatus {
    let members = || objects.iter().filter(|object| object.hook.is_none());
    let all_missing = members().next().is_some() && members().all(|object| object.health == HealthStatus::Missing);
    if all_missing {
        return HealthStatus::Missing;
    }
    members().map(|object| object.health).filter(|health| *health != HealthStatus::Missing).max().unwrap_or_default()
}

fn blank(id: &ObjectId, version: &str, origin: &Arc<Origin>) -> ObjectComparison {
    ObjectComparison {
        group: id.group.clone(),
        version: version.to_owned(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        uid: None,
        state: ObjectState::Synced,
        action: Action::None,
        health: HealthStatus::Healthy,
        message: String::new(),
        source: Some(Arc::clone(origin)),
        changes: vec![],
        extras: vec![],
        error: None,
        hook: None,
        sides: Sides::default(),
        resource_version: None,
    }
}

fn unknown(mut out: ObjectComparison, manifest: &PackedManifest, reason: String) -> ObjectComparison {
    out.state = ObjectState::Unknown;
    out.action = Action::None;
    if out.sides.live.is_none() {
        out.health = HealthStatus::Unknown;
    }
    out.message = reason.clone();
    out.error = Some(reason);
    out.sides.desired = Some(Side::new(&mask_secret(&manifest.read())));
    out
}

/// The live side as it may be shown.
fn live_side(live: &CachedObject, body: &Value) -> Arc<Side> {
    match is_secret(body).then(|| mask_pair(Some(body), None).0).flatten() {
        Some(masked) => Side::new(&masked),
        None => Side::packed(live.packed().clone()),
    }
}

/// Brings an earlier comparison up to date with states that say the same on both sides, but for what does not count: the live object's
/// version and health, and where the manifest stands in its file. None where it has to be compared again.
pub(in crate::engine) fn refreshed(
    known: &Arc<ObjectComparison>,
    desired: &DesiredObject,
    before: &Live,
    now: &Live,
) -> Option<Arc<ObjectComparison>> {
    let same_source = known.source.as_ref() == Some(&desired.manifest.origin);
    let moved = match (before, now) {
        (Live::Present(before), Live::Present(now)) if !Arc::ptr_eq(before, now) => {
            if !before.same_content(now) {
                return None;
            }
            // The two sides would differ in a status that does not count.
            if !known.changes.is_empty() && !before.same(now) {
                return None;
            }
            Some(now)
        }
        (Live::Present(_), Live::Present(_)) | (Live::Absent, Live::Absent) => None,
        (Live::Unreadable(before), Live::Unreadable(now)) if before == now => None,
        _ => return None,
    };
    if moved.is_none() && same_source {
        return Some(Arc::clone(known));
    }
    let mut out = ObjectComparison::clone(known);
    out.source = Some(Arc::clone(&desired.manifest.origin));
    if let Some(now) = moved {
        if !known.changes.is_empty() {
            out.resource_version = Some(now.resource_version().to_owned());
        } else {
            let secret = out.group.is_empty() && out.kind == "Secret";
            describe_live(&mut out, now.uid(), now.resource_version(), now.health().clone());
            if !secret {
                let side = Side::packed(now.packed().clone());
                out.sides = Sides { live: Some(Arc::clone(&side)), desired: Some(side) };
            }
        }
    }
    Some(Arc::new(out))
}

fn describe_live(out: &mut ObjectComparison, uid: &str, resource_version: &str, health: Health) {
    out.uid = Some(uid.to_owned());
    out.resource_version = Some(resource_version.to_owned());
    out.health = health.status;
    out.message = health.message;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::Resource, merge::Op};
    use serde_json::json;
    use std::sync::LazyLock;

    fn config_map(data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "env", "namespace": "shop"}, "data": data})
    }

    fn desired(body: Value) -> DesiredObject {
        let manifest = Manifest::new(body, Origin::default()).unwrap();
        let resource = Resource {
            group: String::new(),
            version: "v1".into(),
            kind: manifest.id.kind.clone(),
            plural: "things".into(),
            namespaced: true,
            verbs: vec!["list".into()],
        };
        let manifest = Arc::new(PackedManifest::new(manifest).unwrap());
        DesiredObject::new(&manifest, PackedManifest::clone(&manifest), Ok(Arc::new(resource)))
    }

    fn live(mut body: Value) -> (Live, Value) {
        body["metadata"]["uid"] = json!("u-1");
        body["metadata"]["managedFields"] = json!([
            {"manager": "driftdeck", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}, "time": "2026-01-01T00:00:00Z"},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:b": {}}}, "time": "2026-01-02T00:00:00Z"}
        ]);
        (Live::Present(Arc::new(CachedObject::of(&body))), body)
    }

    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::default);
    static VERIFIED: LazyLock<Predicted> = LazyLock::new(|| Predicted::Verified(Arc::default()));

    fn seen<'a>(desired: &'a DesiredObject, live: &'a Live, body: &'a Value) -> Seen<'a> {
        let (after, base) = (None, None);
        let (schemas, manifest, extras) = (&*SCHEMAS, body, Extras::Show);
        Seen { desired, manifest, live, body, predicted: Some(&VERIFIED), after, base, schemas, extras }
    }

    /// Compares data as the server would predict it: what Git says laid over live.
    fn compared(git: Value, cluster: Value, base: Option<Value>) -> ObjectComparison {
        let desired = desired(config_map(git.clone()));
        let (live, body) = live(config_map(cluster));
        let mut object = body.clone();
        object["data"] = git;
        let base = base.map(config_map);
        let manifest = desired.manifest.body();
        let seen = seen(&desired, &live, &body);
        super::object(Seen { manifest: &manifest, after: Some(&object), base: base.as_ref(), ..seen })
    }

    #[test]
    fn each_change_says_which_side_moved_since_the_last_apply() {
        for (git, cluster, base, origin) in [
            ("2", "1", Some("1"), ChangeOrigin::Git),
            ("1", "2", Some("1"), ChangeOrigin::Drift),
            ("2", "3", Some("1"), ChangeOrigin::Both),
            ("2", "1", None, ChangeOrigin::Unknown),
        ] {
            let compared = compared(json!({"b": git}), json!({"b": cluster}), base.map(|base| json!({"b": base})));
            assert_eq!(compared.state, ObjectState::Changed);
            assert_eq!(compared.changes[0].origin, origin, "git {git}, cluster {cluster}, base {base:?}");
            assert_eq!(compared.changes[0].manager.as_deref(), Some("kubectl-edit"));
            assert_eq!(compared.changes[0].hunk, "ConfigMap/shop/env#/data/b");
        }
    }

    #[test]
    fn a_key_added_to_git_is_gits_and_one_deleted_in_the_cluster_is_drift() {
        let added = compared(json!({"a": "1", "n": "x"}), json!({"a": "1"}), Some(json!({"a": "1"})));
        assert_eq!((added.changes[0].op, added.changes[0].origin), (Op::Add, ChangeOrigin::Git));
        let deleted = compared(json!({"a": "1"}), json!({"z": "1"}), Some(json!({"a": "1", "z": "1"})));
        let origins: Vec<_> = deleted.changes.iter().map(|change| (change.path.as_str(), change.origin)).collect();
        assert_eq!(origins, [("/data/a", ChangeOrigin::Drift), ("/data/z", ChangeOrigin::Git)]);
    }

    #[test]
    fn no_value_of_a_secret_leaves_a_comparison() {
        let body = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": {"k": value}});
        let (git, cluster, base) = (body("Z2l0"), body("bGl2ZQ=="), body("YmFzZQ=="));
        let desired = desired(git.clone());
        let (live, body) = live(cluster);
        let compared = object(Seen { after: Some(&git), base: Some(&base), ..seen(&desired, &live, &body) });
        let change = compared.changes.iter().find(|change| change.path == "/data/k").unwrap();
        assert!(change.masked);
        assert_eq!((&change.live, &change.desired), (&json!({"masked": "changed"}), &json!({"masked": "changed"})));
        let everything = format!("{} {:?}", serde_json::to_string(&compared).unwrap(), compared.sides);
        for value in ["Z2l0", "bGl2ZQ==", "YmFzZQ=="] {
            assert!(!everything.contains(value), "{value} in {everything}");
        }
    }

    #[test]
    fn an_application_is_in_the_first_state_that_holds() {
        let synced = compared(json!({"a": "1"}), json!({"a": "1"}), None);
        let drifted = compared(json!({"b": "1"}), json!({"b": "2"}), Some(json!({"b": "1"})));
        let moved = compared(json!({"b": "2"}), json!({"b": "1"}), Some(json!({"b": "1"})));
        let missing = object(seen(&desired(config_map(json!({}))), &Live::Absent, &Value::Null));
        let unreadable = object(seen(&desired(config_map(json!({}))), &Live::Unreadable("403".into()), &Value::Null));
        let state = |objects: &[&ObjectComparison]| {
            let objects: Vec<_> = objects.iter().map(|object| Arc::new((*object).clone())).collect();
            application_state(&objects, false)
        };
        assert_eq!(state(&[]), ApplicationState::Synced);
        assert_eq!(state(&[&synced]), ApplicationState::Synced);
        assert_eq!(state(&[&synced, &drifted]), ApplicationState::Drifted);
        assert_eq!(state(&[&drifted, &moved]), ApplicationState::OutOfSync);
        assert_eq!(state(&[&synced, &missing]), ApplicationState::OutOfSync);
        assert_eq!(state(&[&missing, &missing]), ApplicationState::Missing);
        assert_eq!(state(&[&missing, &unreadable]), ApplicationState::Unknown);
        assert_eq!(application_state(&[Arc::new(synced)], true), ApplicationState::Unknown);
    }
}
