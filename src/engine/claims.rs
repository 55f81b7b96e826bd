//! Which application claims which object of which cluster: an object that two of them claim is an error on both.

use crate::object::{ObjectId, ObjectIds};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, watch};

/// The board that claims are put on. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::engine) struct ClaimBoard(Arc<Board>);

#[derive(Default)]
struct Board {
    claims: Mutex<Claims>,
    settled: watch::Sender<BTreeSet<String>>,
}

#[derive(Default)]
struct Claims {
    /// By application: its cluster's identity and its objects.
    by_application: HashMap<String, (String, Arc<ObjectIds>)>,
    /// By cluster: who claims each object.
    by_object: HashMap<String, HashMap<Arc<ObjectId>, Vec<Arc<str>>>>,
    /// By cluster: the objects that more than one claims. There are few, and mostly none.
    contested: HashMap<String, BTreeSet<ObjectId>>,
    /// By application: what wakes it when somebody else comes to claim one of its objects, or claims it no longer.
    followers: HashMap<String, Arc<Notify>>,
}

impl ClaimBoard {
    /// Says what an application claims; nothing: it could not be told.
    pub(in crate::engine) fn claim(&self, application: &str, claim: Option<(&str, Arc<ObjectIds>)>) {
        if let Some((cluster, ids)) = claim {
            self.claims().replace(application, Some((cluster.to_owned(), ids)));
        }
        self.0.settled.send_if_modified(|settled| settled.insert(application.to_owned()));
    }
    /// Takes back what an application claims that is not configured any more.
    pub(in crate::engine) fn withdraw(&self, application: &str) {
        let mut claims = self.claims();
        claims.replace(application, None);
        claims.followers.remove(application);
        drop(claims);
        self.0.settled.send_if_modified(|settled| settled.remove(application));
    }
    /// Returns the objects of a cluster that this application claims and others too, with the others' names.
    pub(in crate::engine) fn contested(&self, application: &str, cluster: &str) -> BTreeMap<ObjectId, Vec<String>> {
        let claims = self.claims();
        let (Some(contested), Some(by_object)) = (claims.contested.get(cluster), claims.by_object.get(cluster)) else {
            return BTreeMap::new();
        };
        contested
            .iter()
            .filter_map(|id| {
                let owners = by_object.get(id).filter(|owners| owners.iter().any(|owner| **owner == *application))?;
                let others = owners.iter().filter(|owner| ***owner != *application);
                let mut others: Vec<String> = others.map(|owner| owner.to_string()).collect();
                others.sort();
                Some((id.clone(), others))
            })
            .collect()
    }
    /// Returns what is notified when another application comes to claim one of this one's objects, or claims it no longer.
    pub(in crate::engine) fn follow(&self, application: &str) -> Arc<Notify> {
        Arc::clone(self.claims().followers.entry(application.to_owned()).or_default())
    }
    /// Follows which applications have said what they claim, or that they cannot.
    pub(in crate::engine) fn settled(&self) -> watch::Receiver<BTreeSet<String>> {
        self.0.settled.subscribe()
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        // A panic under this lock would be one of the standard library's maps.
        self.0.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims {
    fn replace(&mut self, application: &str, claim: Option<(String, Arc<ObjectIds>)>) {
        let before = match &claim {
            Some(claim) => {
                if self.by_application.get(application).is_some_and(|known| same(known, claim)) {
                    return;
                }
                self.by_application.insert(application.to_owned(), claim.clone())
            }
            None => self.by_application.remove(application),
        };
        let mut wake = BTreeSet::new();
        let application: Arc<str> = application.into();
        let empty = BTreeSet::new();
        let moved = before.as_ref().zip(claim.as_ref()).is_none_or(|(before, after)| before.0 != after.0);
        if let Some((cluster, ids)) = &before {
            let kept = claim.as_ref().filter(|_| !moved).map_or(&empty, |(_, ids)| ids);
            for id in ids.difference(kept) {
                self.remove(&application, cluster, id, &mut wake);
            }
        }
        if let Some((cluster, ids)) = &claim {
            let had = before.as_ref().filter(|_| !moved).map_or(&empty, |(_, ids)| ids);
            for id in ids.difference(had) {
                self.add(&application, cluster, id, &mut wake);
            }
        }
        for follower in wake.iter().filter_map(|name| self.followers.get(&**name)) {
            follower.notify_one();
        }
    }

    fn add(&mut self, application: &Arc<str>, cluster: &str, id: &Arc<ObjectId>, wake: &mut BTreeSet<Arc<str>>) {
        let by_object = self.by_object.entry(cluster.to_owned()).or_default();
        let owners = by_object.entry(Arc::clone(id)).or_insert_with(|| Vec::with_capacity(1));
        if !owners.is_empty() {
            self.contested.entry(cluster.to_owned()).or_default().insert(ObjectId::clone(id));
            wake.extend(owners.iter().cloned());
        }
        owners.push(Arc::clone(application));
    }

    fn remove(&mut self, application: &Arc<str>, cluster: &str, id: &ObjectId, wake: &mut BTreeSet<Arc<str>>) {
        let Some(by_object) = self.by_object.get_mut(cluster) else { return };
        let Some(owners) = by_object.get_mut(id) else { return };
        owners.retain(|owner| owner != application);
        wake.extend(owners.iter().cloned());
        if owners.len() < 2
            && let Some(contested) = self.contested.get_mut(cluster)
        {
            contested.remove(id);
        }
        if owners.is_empty() {
            by_object.remove(id);
        }
    }
}

fn same(a: &(String, Arc<ObjectIds>), b: &(String, Arc<ObjectIds>)) -> bool {
    a.0 == b.0 && (Arc::ptr_eq(&a.1, &b.1) || a.1 == b.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn ids(ids: &[&str]) -> Arc<ObjectIds> {
        Arc::new(ids.iter().map(|id| Arc::new(id.parse().unwrap())).collect())
    }

    fn woken(notify: &Notify) -> bool {
        notify.notified().now_or_never().is_some()
    }

    #[test]
    fn an_object_claimed_twice_on_one_cluster_names_the_other_application() {
        let board = ClaimBoard::default();
        let id: ObjectId = "ConfigMap/shop/env".parse().unwrap();
        board.claim("a", Some(("c1", ids(&["ConfigMap/shop/env", "ConfigMap/shop/own"]))));
        board.claim("b", Some(("c1", ids(&["ConfigMap/shop/env"]))));
        board.claim("c", Some(("c2", ids(&["ConfigMap/shop/env"]))));
        assert_eq!(board.contested("a", "c1"), BTreeMap::from([(id.clone(), vec!["b".to_owned()])]));
        assert_eq!(board.contested("b", "c1"), BTreeMap::from([(id, vec!["a".to_owned()])]));
        assert!(board.contested("c", "c2").is_empty());
        board.withdraw("b");
        assert!(board.contested("a", "c1").is_empty());
        assert_eq!(*board.settled().borrow(), BTreeSet::from(["a".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn only_those_whose_objects_are_concerned_are_woken() {
        let board = ClaimBoard::default();
        let (a, b) = (board.follow("a"), board.follow("b"));
        board.claim("a", Some(("c1", ids(&["ConfigMap/shop/one"]))));
        board.claim("b", Some(("c1", ids(&["ConfigMap/shop/two"]))));
        board.claim("b", None);
        assert!(!woken(&a) && !woken(&b));
        board.claim("b", Some(("c1", ids(&["ConfigMap/shop/two", "ConfigMap/shop/one"]))));
        assert!(woken(&a) && !woken(&b));
        board.claim("b", Some(("c1", ids(&["ConfigMap/shop/two", "ConfigMap/shop/one"]))));
        assert!(!woken(&a), "the same again is no news");
        board.claim("b", Some(("c2", ids(&["ConfigMap/shop/two", "ConfigMap/shop/one"]))));
        assert!(woken(&a) && board.contested("a", "c1").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn the_board_agrees_with_a_look_at_all_claims(
            moves in proptest::collection::vec((0_usize..4, 0_usize..2, proptest::collection::btree_set(0_usize..5, 0..4), proptest::bool::weighted(0.2)), 0..20)
        ) {
            let board = ClaimBoard::default();
            let mut all: BTreeMap<usize, (usize, BTreeSet<usize>)> = BTreeMap::new();
            for (application, cluster, objects, gone) in moves {
                let name = application.to_string();
                if gone {
                    all.remove(&application);
                    board.withdraw(&name);
                } else {
                    let ids = objects.iter().map(|at| Arc::new(format!("ConfigMap/n/{at}").parse().unwrap())).collect();
                    board.claim(&name, Some((&cluster.to_string(), Arc::new(ids))));
                    all.insert(application, (cluster, objects));
                }
            }
            for (application, (cluster, objects)) in &all {
                let expected: BTreeMap<ObjectId, Vec<String>> = objects.iter().filter_map(|object| {
                    let others: Vec<String> = all.iter()
                        .filter(|(other, (theirs, claimed))| *other != application && theirs == cluster && claimed.contains(object))
                        .map(|(other, _)| other.to_string()).collect();
                    (!others.is_empty()).then(|| (format!("ConfigMap/n/{object}").parse().unwrap(), others))
                }).collect();
                proptest::prop_assert_eq!(board.contested(&application.to_string(), &cluster.to_string()), expected);
            }
        }
    }
}
