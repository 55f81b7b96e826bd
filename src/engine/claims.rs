//! Which application claims which object of which cluster: an object that two of them claim is an error on both.

use crate::object::ObjectId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;

/// Claims of every application that has been rendered.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Claims {
    /// By application: its cluster's identity and its objects.
    by_application: BTreeMap<String, (String, Arc<BTreeSet<ObjectId>>)>,
    /// Applications that have said what they claim, or that they cannot.
    pub settled: BTreeSet<String>,
}

impl Claims {
    /// Returns the other applications that claim an object of a cluster.
    pub(in crate::engine) fn others(&self, application: &str, cluster: &str, id: &ObjectId) -> Vec<&str> {
        self.by_application
            .iter()
            .filter(|(name, (their_cluster, ids))| *name != application && their_cluster == cluster && ids.contains(id))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// The board that claims are put on. Cheap to clone.
#[derive(Clone)]
pub(in crate::engine) struct ClaimBoard(Arc<watch::Sender<Claims>>);

impl Default for ClaimBoard {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

impl ClaimBoard {
    /// Says what an application claims; nothing: it could not be told.
    pub(in crate::engine) fn claim(&self, application: &str, claim: Option<(&str, BTreeSet<ObjectId>)>) {
        self.0.send_if_modified(|claims| {
            let mut changed = claims.settled.insert(application.to_owned());
            if let Some((cluster, ids)) = claim {
                let same = claims
                    .by_application
                    .get(application)
                    .is_some_and(|(known_cluster, known)| known_cluster == cluster && **known == ids);
                if !same {
                    claims.by_application.insert(application.to_owned(), (cluster.to_owned(), Arc::new(ids)));
                    changed = true;
                }
            }
            changed
        });
    }
    /// Takes back what an application claims that is not configured any more.
    pub(in crate::engine) fn withdraw(&self, application: &str) {
        self.0.send_if_modified(|claims| {
            claims.settled.remove(application) | claims.by_application.remove(application).is_some()
        });
    }
    /// Follows the claims.
    pub(in crate::engine) fn follow(&self) -> watch::Receiver<Claims> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_claimed_twice_on_one_cluster_names_the_other_application() {
        let board = ClaimBoard::default();
        let id: ObjectId = "ConfigMap/shop/env".parse().unwrap();
        board.claim("a", Some(("c1", BTreeSet::from([id.clone()]))));
        board.claim("b", Some(("c1", BTreeSet::from([id.clone()]))));
        board.claim("c", Some(("c2", BTreeSet::from([id.clone()]))));
        let claims = board.follow().borrow().clone();
        assert_eq!(claims.others("a", "c1", &id), ["b"]);
        assert!(claims.others("c", "c2", &id).is_empty());
        board.withdraw("b");
        assert!(board.follow().borrow().others("a", "c1", &id).is_empty());
    }
}
