//! What a manager applied last time, does not apply this time, and nobody else owns goes.

use super::{Apply, Entry, Unknown, first_error};
use crate::merge::{
    field_set::FieldSet,
    schema::Type,
    typed::{fields_of, fields_without, validate, without},
};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

impl Apply<'_> {
    /// Takes the fields out of the merged object that `last` had and neither `now` nor one of the others has
    /// (structured-merge-diff's `Updater.prune`). All of `last` is taken out first, then what somebody owns comes back, and
    /// then all else that went along with it though it was not in `last`.
    pub(super) fn prune<'o>(
        &self,
        merged: Cow<'o, Value>,
        last: &Entry,
        now: &Entry,
        others: &[Entry],
    ) -> Result<Cow<'o, Value>, Unknown> {
        let root = self.root_in(last)?;
        if last.api_version != self.api_version {
            validate(root, &merged).map_err(first_error)?;
        }
        let dropped = last.fields.clone().with_named_fields(root);
        let mut gone = dropped.clone();

        let mut owned: BTreeMap<&str, FieldSet> = BTreeMap::new();
        for entry in others.iter().chain([now]) {
            let fields = owned.entry(&entry.api_version).or_default();
            *fields = fields.union(&entry.fields);
        }
        // What is gone is named in one version, what is left of the object by it may be asked for in another.
        let mut seen = (last.api_version.as_str(), root);
        let left = |seen: (&str, Type<'_>), gone: &FieldSet, here: (&str, Type<'_>)| {
            let fields = if seen.0 == here.0 {
                fields_without(here.1, &merged, gone)
            } else {
                fields_of(here.1, &without(seen.1, &merged, gone))
            };
            fields.with_named_fields(here.1)
        };
        // The version of `last` first, then the others.
        let first = owned.remove_entry(seen.0);
        for (api_version, owned) in first.into_iter().chain(owned) {
            let entry = others.iter().find(|entry| entry.api_version == api_version).unwrap_or(now);
            let here = (api_version, self.root_in(entry)?);
            if api_version != self.api_version {
                validate(here.1, &merged).map_err(first_error)?;
            }
            let kept = left(seen, &gone, here).union(&owned.with_named_fields(here.1));
            (gone, seen) = (all(here.1, &merged).difference(&kept), here);
        }
        let left = left(seen, &gone, (&last.api_version, root));
        let gone = all(root, &merged).difference(&left).intersection(&dropped);
        match without(root, &merged, &gone) {
            Cow::Borrowed(_) => Ok(merged),
            Cow::Owned(left) => Ok(Cow::Owned(left)),
        }
    }
}

/// All fields of a value, with those that only hold others.
fn all(root: Type<'_>, value: &Value) -> FieldSet {
    fields_of(root, value).with_named_fields(root)
}
