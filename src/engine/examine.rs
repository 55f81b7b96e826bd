//! Looks at one application whole: Git's side, the cluster's side, and how they differ. Everything that plans, syncs and shows starts here.

use super::{
    application::{Application, At, Source},
    compare::{self, Live},
    comparison::{Action, AutoSyncView, Comparison, LeaseView, LiveAge, ObjectComparison, ObjectState},
    desired::{Desired, DesiredObject},
    error::EngineError,
    fleet::Work,
    ledger::Ledger,
    order::keeps_itself,
    results::Found,
    scopes::{Scopes, Snapshots, served},
    target::Lost,
};
use crate::{
    cluster::{
        CachedObject, FIELD_MANAGER, Interest, Known, LiveCache, LiveObject, PART_OF, Resource, Scope, Session,
        Snapshot,
    },
    config,
    merge::owned_by,
    object::{Issue, ObjectId, Pointer, Severity},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
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
    /// Ask the server about everything that a sync would change.
    pub verify: bool,
    /// Ask even about what it has answered before: what is known of the live side may be old.
    pub anew: bool,
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
    pub desired: Arc<Desired>,
    /// Which sources.
    pub source: Source,
    /// What was found of each desired object, in their order.
    pub found: Vec<Arc<Found>>,
    /// Members that Git no longer has.
    pub extras: Vec<ExtraMember>,
    /// The session that was asked.
    pub session: Session,
    /// The application's state in the cluster.
    pub ledger: Arc<Ledger>,
    /// The link was lost when this was looked at: nothing of it is verified.
    pub lost: Option<Lost>,
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
        let configured = *at == At::Configured;
        let git = async {
            show(Work::Waiting(format!("repository {}", self.section.repository)));
            let source = self.source(at, look.fresh).await?;
            show(Work::Rendering);
            let rendered = self.render(&source).await?;
            show(Work::Waiting(format!("cluster {}", self.section.cluster)));
            let session = self.session().await?;
            let desired = self.desired(&rendered, &session).await;
            Ok::<_, EngineError>((source, session, desired))
        };
        // Meanwhile the cluster is asked for what it remembers of the application.
        let ((source, session, desired), remembered) =
            tokio::try_join!(git, async { Ok(self.remembered(configured, look).await) })?;
        let (lost, ledger) = match remembered {
            Some(remembered) => remembered,
            // The cluster was reached only since.
            None => self.remembered(configured, look).await.unwrap_or_default(),
        };
        if configured {
            self.claims.claim(&self.section.name, Some((session.cluster_id(), desired.ids())));
        }
        let mut scopes = Scopes::of(&desired, ledger.inventory.as_ref(), &session.catalog());
        if !scopes.unserved.is_empty() && self.cluster.may_rediscover() && self.follow_up_discovery(&session).await {
            scopes = Scopes::of(&desired, ledger.inventory.as_ref(), &session.catalog());
        }
        let scopes = scopes.widened(&session).await;
        let interest = Interest { scopes: scopes.all.clone(), objects: Some(desired.ids()), part_of: self.part_of() };
        // What another state of the sources needs is watched for as long as this look takes.
        let _passing = match configured {
            true => {
                self.follow_live(session.live(), interest);
                None
            }
            false => {
                let passing = session.live().follow();
                passing.want(interest);
                Some(passing)
            }
        };
        tokio::select! {
            () = first_answers(session.live(), &scopes.all) => {}
            _ = self.cluster.when_lost() => {}
        }
        let snapshots = scopes.snapshots(session.live());
        let live = self.live_sides(&desired, &snapshots, &session).await;
        let extras = self.extras(&desired, &live, &scopes, &snapshots, look.prune);
        let look = Look {
            verify: look.verify && lost.is_none(),
            anew: look.verify && snapshots.all().any(|snapshot| stale(snapshot).is_some()),
            ..look
        };
        let found = self.found(&desired, live, &ledger, &session, look, configured).await;
        let objects = listed(&desired, &found, &extras);
        let comparison = self.comparison(objects, &desired, &source, &ledger, &session, &scopes, &snapshots);
        drop(snapshots);
        Ok(Examined { comparison, desired, source, found, extras, session, ledger, lost })
    }

    /// Reads the application's state in the cluster; none: there is no session yet. What its inventory names is watched from then on, if nothing is yet: most of it will be
    /// needed, and the server can list it while manifests are rendered.
    async fn remembered(&self, configured: bool, look: Look) -> Option<(Option<Lost>, Arc<Ledger>)> {
        let session = self.session().await.ok()?;
        // What is verified is verified now.
        let lost = match look.verify {
            true => self.cluster.look_for_loss(&session).await,
            false => self.cluster.lost(),
        };
        let ledger = match self.state_namespace() {
            Some(namespace) if look.verify && lost.is_none() => self.ledger.read(&session, namespace).await,
            Some(_) => self.known_ledger(&session).await,
            None => Arc::default(),
        };
        if configured && self.follower().is_none() {
            let scopes = Scopes::of(&Desired::default(), ledger.inventory.as_ref(), &session.catalog());
            let (scopes, objects) = (scopes.widened(&session).await.all, Some(Arc::default()));
            self.follow_live(session.live(), Interest { scopes, objects, part_of: None });
        }
        Some((lost, ledger))
    }

    #[allow(clippy::too_many_arguments)] // everything that was looked at
    fn comparison(
        &self,
        objects: Vec<Arc<ObjectComparison>>,
        desired: &Desired,
        source: &Source,
        ledger: &Ledger,
        session: &Session,
        scopes: &Scopes,
        snapshots: &Snapshots,
    ) -> Comparison {
        let mut issues = desired.issues.clone();
        issues.extend(ledger.problems.iter().map(Issue::warning));
        if self.state_namespace().is_none() {
            issues.push(Issue::warning("there is no place for inventory and records: set `namespace` or `state_namespace`; until then nothing can be synced"));
        }
        issues.extend(scopes.unserved.iter().map(|kind| {
            Issue::warning(format!(
                "the inventory names {kind}, which the cluster does not serve: members of that kind are not seen"
            ))
        }));
        if let Some(error) = self.repository.fact().borrow().error.clone() {
            issues.push(Issue::warning(format!("Git may have moved on: {error}")));
        }
        let stale_since = snapshots.all().filter_map(stale).max().map(|since| {
            let now = config::now();
            now.checked_sub(since).unwrap_or(now)
        });
        let lost_since = self.cluster.lost().map(|lost| lost.since);
        let stale_since = [stale_since, ledger.stale_since, lost_since].into_iter().flatten().min();
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
            live: LiveAge { age: session.live().age(&scopes.all).map(|age| age.as_secs_f64()) },
            lease: ledger.lease.as_ref().map_or_else(LeaseView::default, |lease| LeaseView {
                holder: lease.holder.clone(),
                renewed: lease.renewed.map(|time| time.to_string()),
            }),
            auto_sync: AutoSyncView::default(),
            issues,
        }
    }

    /// Finds the live side of each desired object, in their order.
    async fn live_sides(&self, desired: &Desired, snapshots: &Snapshots, session: &Session) -> Vec<Live> {
        if !self.follow {
            let mut settled = self.claims.settled();
            let known = settled.wait_for(|settled| self.neighbours.iter().all(|name| settled.contains(name)));
            if tokio::time::timeout(CLAIMS, known).await.is_err() {
                tracing::warn!(application = self.section.name, "other applications' objects are not known yet");
            }
        }
        let contested = self.claims.contested(&self.section.name, session.cluster_id());
        let part_of = self.part_of();
        let mut finder = snapshots.finder();
        let side = |object: &'_ Arc<DesiredObject>, known: Option<&Known<Snapshot>>| {
            let id = &object.manifest.id;
            if let Some(others) = contested.get(id) {
                let others = others.join(", ");
                return Live::Unreadable(format!("application {others} has {id} too: take it out of one of the two"));
            }
            let Some(resource) = served(&object.resource) else { return Live::Absent };
            match known {
                Some(Known::Known { value, .. }) => match value.get(id) {
                    // An object in another inventory is nobody's to write here.
                    Some(live) => match live.part_of().filter(|label| Some(*label) != part_of.as_deref()) {
                        None => Live::Present(Arc::clone(live)),
                        Some(label) => Live::Unreadable(format!(
                            "{id} belongs to another inventory ({PART_OF}: {label}): take it out of that one first"
                        )),
                    },
                    None => Live::Absent,
                },
                Some(Known::Failed(error)) => Live::Unreadable(error.to_string()),
                Some(Known::Pending) | None => {
                    Live::Unreadable(format!("the cluster has not answered for {} yet", resource.plural))
                }
            }
        };
        let mut sides = Vec::with_capacity(desired.objects.len());
        for object in &desired.objects {
            let known = served(&object.resource).and_then(|resource| finder.find(resource, &object.manifest.id));
            sides.push(side(object, known));
        }
        sides
    }

    /// Finds the members of the inventory that Git no longer has. `live`: the live sides of what it has.
    fn extras(
        &self,
        desired: &Desired,
        live: &[Live],
        scopes: &Scopes,
        snapshots: &Snapshots,
        prune: bool,
    ) -> Vec<ExtraMember> {
        let Some(part_of) = self.part_of() else { return Vec::new() };
        // What part of the sources says cannot be told apart from what is gone from them.
        let readable = !desired.issues.iter().any(|issue| issue.severity == Severity::Error);
        let wanted: HashSet<*const CachedObject> = live.iter().filter_map(Live::address).collect();
        let mut extras = BTreeMap::new();
        for scope in &scopes.members {
            let Some(Known::Known { value: snapshot, .. }) = snapshots.get(scope) else { continue };
            for (id, live) in snapshot.members(&part_of, |live| !wanted.contains(&Arc::as_ptr(live))) {
                if desired.position(&id).is_some() || desired.still_names(&id) {
                    continue;
                }
                // What cannot be read cannot be pruned either.
                let Ok(live) = live.read() else { continue };
                if has_controller(&live.body) {
                    continue;
                }
                let prune = prune && readable && self.may_prune(&id, &live.body);
                let live = Arc::new(live);
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
}

/// Puts what was found in the order of the document: what differs first, then in apply order.
fn listed(desired: &Desired, found: &[Arc<Found>], extras: &[ExtraMember]) -> Vec<Arc<ObjectComparison>> {
    let order = desired.order();
    let members = order.applied.iter().filter_map(|index| found.get(*index)).map(|found| Arc::clone(&found.comparison));
    let (synced, differing): (Vec<_>, Vec<_>) = members.partition(|object| object.state == ObjectState::Synced);
    // What is not applied has no place in the order: gone from Git it stands first, a hook last.
    let extras = extras
        .iter()
        .map(|extra| Arc::new(compare::extra(&extra.id, &extra.resource.version, &extra.live, extra.prune)));
    let mut hooks: Vec<_> =
        desired.hooks.iter().map(|(manifest, annotation)| Arc::new(compare::hook(manifest, annotation))).collect();
    hooks.sort_by_cached_key(|hook| hook.id());
    extras.chain(differing).chain(synced).chain(hooks).collect()
}

fn has_controller(body: &Value) -> bool {
    let owners = body.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|owners| owners.iter().any(|owner| owner.get("controller") == Some(&Value::Bool(true))))
}

fn stale(known: &Known<Snapshot>) -> Option<Duration> {
    match known {
        Known::Known { stale: Some((since, _)), .. } => Some(since.elapsed()),
        _ => None,
    }
}

/// Waits until every watch has answered once, or has failed, or time is up.
async fn first_answers(cache: &LiveCache, scopes: &BTreeSet<Scope>) {
    let pending = || -> BTreeSet<Scope> {
        scopes.iter().filter(|scope| matches!(cache.snapshot(scope), Known::Pending)).cloned().collect()
    };
    let mut left = pending();
    if left.is_empty() {
        return;
    }
    let follower = cache.follow();
    let deadline = Instant::now() + FIRST_ANSWER;
    // Single objects are of no interest here.
    follower.want(Interest { scopes: left.clone(), objects: Some(Arc::default()), part_of: None });
    left = pending();
    while !left.is_empty() {
        let time = deadline.saturating_duration_since(Instant::now());
        if tokio::time::timeout(time, follower.moved()).await.is_err() {
            return;
        }
        left = pending();
    }
}

impl Examined {
    /// Returns the objects that a sync would change.
    pub(in crate::engine) fn acting(&self) -> impl Iterator<Item = &ObjectComparison> {
        self.comparison
            .objects
            .iter()
            .map(Arc::as_ref)
            .filter(|object| object.action != Action::None && object.hook.is_none())
    }
    /// Returns what was found of a desired object.
    pub(in crate::engine) fn found(&self, id: &ObjectId) -> Option<&Found> {
        self.found.get(self.desired.position(id)?).map(Arc::as_ref)
    }
}
