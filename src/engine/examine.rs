//! Looks at one application whole: Git's side, the cluster's side, and how they differ. Everything that plans, syncs and shows starts here.

use super::{
    application::{Application, At, Source},
    bounded::bounded,
    compare::{self, Live},
    comparison::{Action, AutoSyncView, Comparison, LeaseView, LiveAge, ObjectComparison, ObjectState},
    desired::Desired,
    error::EngineError,
    fleet::Work,
    ledger::Ledger,
    order::{Place, keeps_itself, places},
    predict::Predicted,
};
use crate::{
    cluster::{Catalog, FIELD_MANAGER, Known, LiveCache, LiveObject, PART_OF, Resource, Scope, Session},
    config,
    merge::owned_by,
    object::{Issue, ObjectId, Pointer, Severity},
};
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long the first answer of a watch is waited for.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// How long neighbours' claims are waited for.
const CLAIMS: Duration = Duration::from_secs(20);

/// How thoroughly to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Look {
    /// Wait for the repository's server; else a mirror that is there is good enough.
    pub fresh: bool,
    /// Dry-run creates too.
    pub verify_creates: bool,
    /// Show what is being done.
    pub show: bool,
    /// Whether objects gone from Git count as prunes.
    pub prune: bool,
}

/// A member of the inventory that Git no longer has.
#[derive(Clone, Debug)]
pub(in crate::engine) struct ExtraMember {
    /// Identity.
    pub id: ObjectId,
    /// Its kind.
    pub resource: Resource,
    /// As the cluster has it.
    pub live: Arc<LiveObject>,
    /// Whether a sync would delete it.
    pub prune: bool,
}

/// Everything that was found, for plans: the comparison and what it was made from.
pub(in crate::engine) struct Examined {
    /// For clients.
    pub comparison: Comparison,
    /// Git's side.
    pub desired: Desired,
    /// Which sources.
    pub source: Source,
    /// The cluster's side, by desired object.
    pub live: BTreeMap<ObjectId, Live>,
    /// What applying would give.
    pub predicted: BTreeMap<ObjectId, Predicted>,
    /// Members that Git no longer has.
    pub extras: Vec<ExtraMember>,
    /// Apply order.
    pub places: BTreeMap<ObjectId, Place>,
    /// The session that was asked.
    pub session: Session,
    /// The application's state in the cluster.
    pub ledger: Arc<Ledger>,
}

impl Application {
    /// Looks at the application.
    ///
    /// # Errors
    /// [`EngineError`] where one side cannot be had at all; what concerns single objects is told in the comparison.
    pub(in crate::engine) async fn examine(&self, at: &At, look: Look) -> Result<Examined, EngineError> {
        let show = |work: Work| {
            if look.show {
                self.show(work);
            }
        };
        show(Work::Waiting(format!("repository {}", self.section.repository)));
        let source = self.source(at, look.fresh).await?;
        show(Work::Waiting(format!("cluster {}", self.section.cluster)));
        let session = self.session().await?;
        show(Work::Rendering);
        let desired = self.desired(&source, &session).await?;
        if *at == At::Configured {
            self.claims.claim(&self.section.name, Some((session.cluster_id(), desired.ids())));
        }
        let ledger = match self.state_namespace() {
            Some(namespace) => self.ledger.read(&session, namespace).await,
            None => Arc::default(),
        };
        let scopes = self.scopes(&desired, &ledger, &session.catalog());
        let _wanted = if *at == At::Configured {
            session.live().want(&self.section.name, scopes.all.clone());
            self.watches(scopes.all.clone());
            None
        } else {
            Some(Wanted::new(&session, &self.section.name, scopes.all.clone()))
        };
        first_answers(session.live(), &scopes.all).await;

        let mut live = self.live_sides(&desired, &session);
        self.refuse_shared(&desired, &mut live, &session).await;
        let predicted = self.predictions(&desired, &live, &session, look).await;
        let extras = self.extras(&desired, &scopes, &session, look.prune);
        let bases = self.bases(&desired, &live, &predicted, &ledger, &session).await;

        let manifests: Vec<_> = desired.objects.iter().map(|object| &object.manifest).collect();
        let places = places(manifests);
        let mut objects: Vec<ObjectComparison> = desired
            .objects
            .iter()
            .map(|object| {
                let id = &object.manifest.id;
                let live = live.get(id).unwrap_or(&Live::Absent);
                compare::object(object, live, predicted.get(id), bases.get(id))
            })
            .collect();
        objects.extend(
            extras.iter().map(|extra| compare::extra(&extra.id, &extra.resource.version, &extra.live, extra.prune)),
        );
        objects.extend(desired.hooks.iter().map(|(manifest, annotation)| compare::hook(manifest, annotation)));
        objects.sort_by_cached_key(|object| {
            let id = object.id();
            (object.state == ObjectState::Synced, object.hook.is_some(), places.get(&id).cloned(), id)
        });
        let comparison = self.comparison(objects, &desired, &source, &ledger, &session, &scopes.all);
        Ok(Examined { comparison, desired, source, live, predicted, extras, places, session, ledger })
    }

    fn comparison(
        &self,
        objects: Vec<ObjectComparison>,
        desired: &Desired,
        source: &Source,
        ledger: &Ledger,
        session: &Session,
        scopes: &BTreeSet<Scope>,
    ) -> Comparison {
        let mut issues = desired.issues.clone();
        issues.extend(ledger.problems.iter().map(Issue::warning));
        if self.state_namespace().is_none() {
            issues.push(Issue::warning("there is no place for inventory and records: set `namespace` or `state_namespace`; until then nothing can be synced"));
        }
        if let Some(error) = self.repository.fact().borrow().error.clone() {
            issues.push(Issue::warning(format!("Git may have moved on: {error}")));
        }
        let stale_since = scopes.iter().filter_map(|scope| stale(session.live(), scope)).max().map(|since| {
            let now = config::now();
            now.checked_sub(since).unwrap_or(now)
        });
        let inventory = ledger.inventory.as_ref();
        let annotation = |key: &str| inventory.and_then(|inventory| inventory.annotations.get(key)).cloned();
        let last = ledger.last_applied();
        Comparison {
            application: self.section.name.clone(),
            cluster: self.section.cluster.clone(),
            revision: source.revision.as_ref().map(|revision| revision.commit),
            branch: source.revision.as_ref().and_then(|revision| revision.branch.clone()),
            base: last.and_then(|head| head.revision.parse().ok()),
            state: compare::application_state(&objects, issues.iter().any(|issue| issue.severity == Severity::Error)),
            partial: last.is_some_and(|head| !head.skipped_objects.is_empty() || !head.skipped_hunks.is_empty()),
            stale_since,
            pinned: annotation("driftdeck.dev/pinned"),
            paused: annotation("driftdeck.dev/paused").is_some(),
            health: compare::application_health(&objects),
            objects,
            live: LiveAge { age: session.live().age(scopes).map(|age| age.as_secs_f64()) },
            lease: ledger.lease.as_ref().map_or_else(LeaseView::default, |lease| LeaseView {
                holder: lease.holder.clone(),
                renewed: lease.renewed.map(|time| time.to_string()),
            }),
            auto_sync: AutoSyncView::default(),
            issues,
        }
    }

    /// What has to be watched: the desired objects' kinds, and the inventory's.
    fn scopes(&self, desired: &Desired, ledger: &Ledger, catalog: &Catalog) -> Scopes {
        let mut all: BTreeSet<Scope> = BTreeSet::new();
        for object in &desired.objects {
            if let Some(scope) = scope_of(&object.manifest.id, object.resource.as_ref().ok()) {
                all.insert(scope);
            }
        }
        let mut members = BTreeSet::new();
        if let Some(inventory) = &ledger.inventory {
            for kind in &inventory.kinds {
                let Some(resource) = catalog.preferred(kind) else { continue };
                // A kind that Git still has is watched in the version that Git uses.
                let resource = all
                    .iter()
                    .map(|scope| &scope.resource)
                    .find(|known| known.group == kind.group && known.kind == kind.kind)
                    .unwrap_or(resource)
                    .clone();
                if resource.namespaced {
                    let namespaces = inventory.namespaces.iter();
                    members.extend(
                        namespaces
                            .map(|namespace| Scope { resource: resource.clone(), namespace: Some(namespace.clone()) }),
                    );
                } else {
                    members.insert(Scope { resource, namespace: None });
                }
            }
        }
        all.extend(members.iter().cloned());
        Scopes { all, members }
    }

    fn live_sides(&self, desired: &Desired, session: &Session) -> BTreeMap<ObjectId, Live> {
        let cache = session.live();
        desired
            .objects
            .iter()
            .map(|object| {
                let id = &object.manifest.id;
                let Some(scope) = scope_of(id, object.resource.as_ref().ok()) else {
                    return (id.clone(), Live::Absent);
                };
                let live = match cache.object(&scope, id) {
                    Known::Known { value: Some(live), .. } => Live::Present(live),
                    Known::Known { value: None, .. } => Live::Absent,
                    Known::Failed(error) => Live::Unreadable(error.to_string()),
                    Known::Pending => {
                        Live::Unreadable(format!("the cluster has not answered for {} yet", scope.resource.plural))
                    }
                };
                (id.clone(), live)
            })
            .collect()
    }

    /// An object that another application claims, or that is in another inventory, is nobody's to write.
    async fn refuse_shared(&self, desired: &Desired, live: &mut BTreeMap<ObjectId, Live>, session: &Session) {
        let mut board = self.claims.follow();
        if !self.follow {
            let known = board.wait_for(|claims| self.neighbours.iter().all(|name| claims.settled.contains(name)));
            if tokio::time::timeout(CLAIMS, known).await.is_err() {
                tracing::warn!(application = self.section.name, "other applications' objects are not known yet");
            }
        }
        let claims = board.borrow_and_update().clone();
        let part_of = self.part_of();
        for object in &desired.objects {
            let id = &object.manifest.id;
            let others = claims.others(&self.section.name, session.cluster_id(), id);
            let label = match live.get(id) {
                Some(Live::Present(live)) => live
                    .body
                    .pointer("/metadata/labels")
                    .and_then(|labels| labels.get(PART_OF)?.as_str())
                    .map(str::to_owned),
                _ => None,
            };
            if !others.is_empty() {
                live.insert(
                    id.clone(),
                    Live::Unreadable(format!(
                        "application {} has {id} too: take it out of one of the two",
                        others.join(", ")
                    )),
                );
            } else if let Some(label) = label.filter(|label| Some(label) != part_of.as_ref()) {
                let reason =
                    format!("{id} belongs to another inventory ({PART_OF}: {label}): take it out of that one first");
                live.insert(id.clone(), Live::Unreadable(reason));
            }
        }
    }

    async fn predictions(
        &self,
        desired: &Desired,
        live: &BTreeMap<ObjectId, Live>,
        session: &Session,
        look: Look,
    ) -> BTreeMap<ObjectId, Predicted> {
        let absent = |id: &ObjectId| matches!(live.get(id), None | Some(Live::Absent));
        let wanted: Vec<_> = desired
            .objects
            .iter()
            .filter(|object| object.resource.is_ok())
            .filter_map(|object| match live.get(&object.manifest.id) {
                Some(Live::Present(live)) => Some((Arc::clone(object), Some(Arc::clone(live)))),
                Some(Live::Absent) if look.verify_creates && !object.needs.iter().any(absent) => {
                    Some((Arc::clone(object), None))
                }
                _ => None,
            })
            .collect();
        let total = wanted.len();
        let mut done = 0;
        let mut predicted = BTreeMap::new();
        let mut answers = bounded(wanted.into_iter().map(|(object, live)| {
            async move {
                let answer = self.predictions.of(session, &object, live.as_deref()).await;
                (object.manifest.id.clone(), answer)
            }
            .boxed()
        }));
        while let Some((id, answer)) = answers.next().await {
            done += 1;
            if look.show && (done == total || done % 64 == 0) {
                self.show(Work::Comparing(done, total));
            }
            predicted.insert(id, answer);
        }
        predicted
    }

    fn extras(&self, desired: &Desired, scopes: &Scopes, session: &Session, prune: bool) -> Vec<ExtraMember> {
        let Some(part_of) = self.part_of() else { return Vec::new() };
        let ids = desired.ids();
        // What part of the sources says cannot be told apart from what is gone from them.
        let readable = !desired.issues.iter().any(|issue| issue.severity == Severity::Error);
        let mut extras = BTreeMap::new();
        for scope in &scopes.members {
            let Known::Known { value: members, .. } = session.live().labelled(scope, PART_OF, &part_of) else {
                continue;
            };
            for (id, live) in members {
                if ids.contains(&id) || has_controller(&live.body) || desired.still_names(&id) {
                    continue;
                }
                let prune = prune && readable && self.may_prune(&id, &live.body);
                extras.insert(id.clone(), ExtraMember { id, resource: scope.resource.clone(), live, prune });
            }
        }
        extras.into_values().collect()
    }

    /// Says whether a member that is gone from Git may be deleted at all.
    pub(in crate::engine) fn may_prune(&self, id: &ObjectId, live: &Value) -> bool {
        let holds_our_state =
            id.group.is_empty() && id.kind == "Namespace" && Some(id.name.as_str()) == self.state_namespace();
        // A controller may copy labels from one of our objects to one of its own: only what we labelled is ours.
        let label = Pointer(vec!["metadata".into(), "labels".into(), PART_OF.into()]);
        !holds_our_state
            && !has_controller(live)
            && keeps_itself(live).is_none()
            && owned_by(live, &label, FIELD_MANAGER)
    }

    /// Bases are needed only where something differs.
    async fn bases(
        &self,
        desired: &Desired,
        live: &BTreeMap<ObjectId, Live>,
        predicted: &BTreeMap<ObjectId, Predicted>,
        ledger: &Ledger,
        session: &Session,
    ) -> BTreeMap<ObjectId, Value> {
        let Some(namespace) = self.state_namespace() else { return BTreeMap::new() };
        let differing: BTreeSet<ObjectId> = desired
            .objects
            .iter()
            .map(|object| &object.manifest.id)
            .filter(|id| {
                let (Some(Live::Present(live)), Some(Predicted::Verified(prediction))) =
                    (live.get(id), predicted.get(id))
                else {
                    return matches!(live.get(id), Some(Live::Present(_)));
                };
                !crate::merge::changes(&live.body, &prediction.object).is_empty()
            })
            .cloned()
            .collect();
        let mut bases = self
            .ledger
            .bases(session, namespace, ledger, &differing, &|revision| {
                async move { self.objects_at(revision.parse().ok()?, session).await }.boxed()
            })
            .await;
        for id in differing {
            if let (false, Some(Live::Present(live))) = (bases.contains_key(&id), live.get(&id))
                && let Some(applied) = last_applied(&live.body)
            {
                bases.insert(id, applied);
            }
        }
        bases
    }
}

/// What one look at another state of the sources watches, for as long as it takes.
struct Wanted {
    live: LiveCache,
    user: String,
}

impl Wanted {
    fn new(session: &Session, application: &str, scopes: BTreeSet<Scope>) -> Self {
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        let user = format!("{application}, look {}", LOOKS.fetch_add(1, Ordering::Relaxed));
        session.live().want(&user, scopes);
        Self { live: session.live().clone(), user }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.live.want(&self.user, BTreeSet::new());
    }
}

struct Scopes {
    all: BTreeSet<Scope>,
    members: BTreeSet<Scope>,
}

fn scope_of(id: &ObjectId, resource: Option<&Resource>) -> Option<Scope> {
    // A kind that only this application's own CRD defines has no verbs: it is not served yet.
    let resource = resource.filter(|resource| !resource.verbs.is_empty())?;
    Some(Scope { resource: resource.clone(), namespace: id.namespace.clone() })
}

fn has_controller(body: &Value) -> bool {
    let owners = body.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|owners| owners.iter().any(|owner| owner.get("controller") == Some(&Value::Bool(true))))
}

/// What `kubectl apply` says it applied last.
fn last_applied(live: &Value) -> Option<Value> {
    let text =
        live.pointer("/metadata/annotations")?.get("kubectl.kubernetes.io/last-applied-configuration")?.as_str()?;
    serde_json::from_str(text).ok()
}

fn stale(cache: &LiveCache, scope: &Scope) -> Option<Duration> {
    match cache.labelled(scope, PART_OF, "") {
        Known::Known { stale: Some((since, _)), .. } => Some(since.elapsed()),
        _ => None,
    }
}

/// Waits until every watch has answered once, or has failed, or time is up.
async fn first_answers(cache: &LiveCache, scopes: &BTreeSet<Scope>) {
    let mut changes = cache.changes();
    let deadline = Instant::now() + FIRST_ANSWER;
    let pending = || scopes.iter().any(|scope| matches!(cache.labelled(scope, PART_OF, ""), Known::Pending));
    while pending() {
        let left = deadline.saturating_duration_since(Instant::now());
        // A lagging receiver only means that there is much to look at again.
        if tokio::time::timeout(left, changes.recv()).await.is_err() {
            return;
        }
    }
}

impl Examined {
    /// Returns the objects that a sync would change.
    pub(in crate::engine) fn acting(&self) -> impl Iterator<Item = &ObjectComparison> {
        self.comparison.objects.iter().filter(|object| object.action != Action::None && object.hook.is_none())
    }
}
