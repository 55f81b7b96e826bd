//! Where each change of an object comes from: which side moved since the last apply, who wrote the live value, who is in conflict.

use super::{
    compare::Seen,
    comparison::{Change, ChangeOrigin},
    field::{ByField, contains, follow, pointer_of},
    predict::created,
};
use crate::{
    cluster::{Conflict, FIELD_MANAGER},
    merge::{FieldChange, Op, Ownership},
    object::{Mask, ObjectId, Pointer, holds_values, is_secret},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// Everything that is needed to say where the changes of one object come from.
pub(in crate::engine) struct Attribution<'a> {
    live: &'a Value,
    ownership: Ownership<'a>,
    predicted: &'a Value,
    manifest: &'a Value,
    base: Option<Base<'a>>,
    conflicts: &'a [Conflict],
    by_field: ByField<&'a Conflict>,
    id: Arc<ObjectId>,
}

/// What was applied last.
struct Base<'a> {
    /// As it was sent.
    applied: &'a Value,
    /// As the server stored it, defaults included.
    stored: Value,
}

impl<'a> Attribution<'a> {
    /// Takes what an object is compared from; `predicted` is what applying would give.
    pub(in crate::engine) fn new(seen: &Seen<'a>, predicted: &'a Value, conflicts: &'a [Conflict]) -> Self {
        let base = seen.base.map(|base| Base { applied: base, stored: created(seen.schemas, base) });
        Self {
            live: seen.body,
            ownership: Ownership::read(seen.body),
            predicted,
            manifest: seen.manifest,
            base,
            conflicts,
            by_field: conflicts.iter().map(|conflict| (pointer_of(&conflict.field, predicted), conflict)).collect(),
            id: Arc::clone(&seen.desired.manifest.id),
        }
    }

    /// Says where the changes come from.
    pub(in crate::engine) fn changes(&self, fields: Vec<FieldChange>) -> Vec<Change> {
        let mut changes: Vec<Change> = fields.into_iter().map(|field| self.change(field)).collect();
        follow_the_others(&mut changes);
        changes
    }

    fn change(&self, field: FieldChange) -> Change {
        let mut change = unattributed(&self.id, field.clone(), is_secret(self.live));
        // Additions have no live value, so nobody wrote it.
        let writers = if field.op == Op::Add { Vec::new() } else { self.ownership.owners(&field.live_path) };
        let ours = |manager: &str, operation: &str| manager == FIELD_MANAGER && operation == "Apply";
        let theirs = writers.iter().find(|owner| !ours(&owner.manager, &owner.operation));
        change.origin = self.origin(&field, theirs.is_some());
        let writer = theirs.or(writers.first());
        if let Some(writer) = writer {
            change.manager = Some(writer.manager.clone());
            change.operation = Some(writer.operation.clone());
            change.subresource.clone_from(&writer.subresource);
            change.time.clone_from(&writer.time);
        }
        change.conflicts = self.by_field.about(&field.path).copied().cloned().collect();
        change
    }

    /// Conflicts about values that would not change: only the spelling differs (`0.1` and `100m`), or the server's defaults do.
    pub(in crate::engine) fn spellings(&self, changes: &[Change]) -> Vec<Change> {
        let changed: ByField<()> = changes.iter().map(|change| (Pointer::from(change.path.as_str()), ())).collect();
        let pointers: BTreeSet<Pointer> = self
            .conflicts
            .iter()
            .map(|conflict| pointer_of(&conflict.field, self.live))
            .filter(|pointer| !pointer.0.is_empty())
            .collect();
        pointers
            .into_iter()
            .filter(|pointer| changed.about(pointer).next().is_none())
            .filter_map(|pointer| {
                let live = pointer.get(self.live)?.clone();
                let desired = follow(&pointer, self.live, self.manifest)?.clone();
                let field = FieldChange {
                    live_path: pointer.clone(),
                    path: pointer,
                    op: Op::Replace,
                    live: Some(live),
                    desired: Some(desired),
                };
                Some(Change { same_value: true, ..self.change(field) })
            })
            .collect()
    }

    fn origin(&self, field: &FieldChange, is_theirs: bool) -> ChangeOrigin {
        let Some(base) = &self.base else { return ChangeOrigin::Unknown };
        // The side that has the field says where it stands: a removal stands where live has it.
        let here = if field.op == Op::Remove { self.live } else { self.predicted };
        let git_moved = follow(&field.path, here, self.manifest) != follow(&field.path, here, base.applied);
        let live_moved = match (&field.live, follow(&field.path, here, &base.stored)) {
            (None, stored) => stored.is_some(),
            // Defaults that the server added since are no movement.
            (Some(live), Some(stored)) => !contains(live, stored),
            // What the server itself assigned is nobody's.
            (Some(_), None) => is_theirs,
        };
        match (git_moved, live_moved) {
            (true, false) => ChangeOrigin::Git,
            (false, true) => ChangeOrigin::Drift,
            (true, true) => ChangeOrigin::Both,
            // Neither moved, yet applying changes something.
            (false, false) => ChangeOrigin::Unknown,
        }
    }
}

/// A change that neither side made comes with those that one made: another type brings another default.
fn follow_the_others(changes: &mut [Change]) {
    let known = |origin: ChangeOrigin| changes.iter().any(|change| change.origin == origin);
    let origin = match (known(ChangeOrigin::Git), known(ChangeOrigin::Drift), known(ChangeOrigin::Both)) {
        (false, false, false) => return,
        (true, false, false) => ChangeOrigin::Git,
        (false, true, false) => ChangeOrigin::Drift,
        _ => ChangeOrigin::Both,
    };
    for change in changes.iter_mut().filter(|change| change.origin == ChangeOrigin::Unknown) {
        change.origin = origin;
    }
}

/// Says how a value has to be written so that nobody is in conflict about it.
pub(in crate::engine) fn respelling(change: &Change) -> String {
    let canonical = match &change.live {
        Value::String(text) if !change.masked => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => "the cluster has it".into(),
    };
    let owners: BTreeSet<&str> = change.conflicts.iter().map(|conflict| conflict.manager.as_str()).collect();
    format!(
        "{} is the same value, spelled differently: write it as {canonical}, and the conflict with {} is gone",
        Pointer::from(change.path.as_str()).dotted(),
        owners.into_iter().collect::<Vec<_>>().join(", ")
    )
}

/// A change of which only what it is is known.
pub(in crate::engine) fn unattributed(id: &ObjectId, field: FieldChange, secret: bool) -> Change {
    let value = field.desired.as_ref().or(field.live.as_ref());
    let is_value = |segment: &String| holds_values(segment, value);
    // A change of a whole subtree carries what is below it.
    let last_applied = Pointer::from("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration");
    let masked = secret && (field.path.0.first().is_none_or(is_value) || field.path.covers(&last_applied));
    let value = |value: Option<Value>| match value {
        Some(_) if masked => Mask::Changed.json(),
        Some(value) => value,
        None => Value::Null,
    };
    Change {
        hunk: format!("{id}#{}", field.path),
        path: field.path.to_string(),
        op: field.op,
        live: value(field.live),
        desired: value(field.desired),
        origin: ChangeOrigin::Unknown,
        manager: None,
        operation: None,
        subresource: None,
        time: None,
        commit: None,
        same_value: false,
        masked,
        conflicts: vec![],
    }
}
