//! What was found of each object, kept as long as neither side moves: an event costs the object that it is about, and no other.

use super::{
    application::Application,
    approval::LiveMark,
    bounded::bounded,
    compare::{self, Live},
    comparison::{Action, ObjectComparison},
    desired::{Desired, DesiredObject},
    examine::Look,
    fleet::Work,
    ignore::LeftAlone,
    judge::{Judge, Judged, Judging, attributed, failed},
    ledger::Ledger,
    predict::Predicted,
};
use crate::{
    cluster::Session,
    merge::Schemas,
    object::{ObjectId, join_api_version},
};
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many comparisons are between two words about them on the screen.
const TELL_EVERY: usize = 64;

/// What was found of one object.
#[derive(Clone)]
pub(in crate::engine) struct Found {
    /// For clients.
    pub comparison: Arc<ObjectComparison>,
    /// The live side that was looked at.
    pub live: Live,
    /// How well it is known what applying would give.
    pub predicted: Option<Predicted>,
    /// What of it is left alone, where a rule of the configuration says so.
    pub left_alone: Option<Arc<LeftAlone>>,
    /// Why it cannot be applied all the same.
    pub blocked: Option<String>,
}

/// What was found of one object, and the record that says what was applied of it.
#[derive(Clone)]
struct Kept {
    found: Arc<Found>,
    base: Option<Arc<str>>,
}

/// What was found of the objects of one application on one cluster.
#[derive(Default)]
pub(in crate::engine) struct Results {
    /// What else decides: as long as it is the same, results are good.
    epoch: String,
    /// The objects that were looked at.
    desired: Arc<Desired>,
    /// What the cluster remembered of the application.
    ledger: Arc<Ledger>,
    /// What was found of each, in their order; none: it may be found out the next time.
    kept: Vec<Option<Kept>>,
}

impl Found {
    /// Returns what is sent of the object.
    pub(in crate::engine) fn body(&self, object: &DesiredObject) -> Value {
        self.left_alone.as_ref().map_or_else(|| object.manifest.body(), |left| left.payload())
    }
    /// Takes the mark of the live object that a step relies on. None: there is none. What cannot be read has no step; why
    /// stands for its digest.
    pub(in crate::engine) fn mark(&self, object: &DesiredObject) -> Option<LiveMark> {
        let Live::Present(live) = &self.live else { return None };
        Some(match live.read() {
            Ok(live) => {
                let ignored = self.left_alone.as_ref().map(|left| left.paths().to_vec()).unwrap_or_default();
                LiveMark::of(&object.manifest.id, &live, &self.body(object), ignored)
            }
            Err(error) => LiveMark::unreadable(live.uid(), &error.to_string()),
        })
    }
}

impl Results {
    /// Returns what was found of an object of which nothing at all has moved. This is what most objects are asked most of the time.
    fn untouched(
        &self,
        epoch: &str,
        desired: &Desired,
        ledger: &Arc<Ledger>,
        index: usize,
        live: &Live,
    ) -> Option<&Kept> {
        let object = desired.objects.get(index)?;
        let is_same =
            |before: &usize| self.desired.objects.get(*before).is_some_and(|known| Arc::ptr_eq(known, object));
        let before =
            Some(index).filter(is_same).or_else(|| self.desired.position(&object.manifest.id).filter(is_same))?;
        let kept = self.kept.get(before)?.as_ref()?;
        (self.epoch == epoch && Arc::ptr_eq(&self.ledger, ledger) && kept.found.live.is_identical(live)).then_some(kept)
    }
    /// Returns what is still true of an object.
    fn of(&self, epoch: &str, desired: &Desired, index: usize, live: &Live, base: Option<&str>) -> Option<Found> {
        if self.epoch != epoch {
            return None;
        }
        let object = desired.objects.get(index)?;
        let before = self.desired.position(&object.manifest.id)?;
        let kept = self.kept.get(before)?.as_ref()?;
        if !self.desired.objects.get(before)?.manifest.same_body(&object.manifest) || kept.base.as_deref() != base {
            return None;
        }
        let comparison = compare::refreshed(&kept.found.comparison, object, &kept.found.live, live)?;
        Some(Found { comparison, live: live.clone(), ..Found::clone(&kept.found) })
    }
    /// Keeps what was found.
    fn keep(&mut self, epoch: &str, desired: &Arc<Desired>, ledger: &Arc<Ledger>, found: &[Kept]) {
        let kept = found.iter().map(|kept| {
            let is_known = !matches!(&kept.found.predicted, Some(Predicted::Estimated(..) | Predicted::Failed(_)));
            is_known.then(|| kept.clone())
        });
        let (desired, ledger) = (Arc::clone(desired), Arc::clone(ledger));
        *self = Self { epoch: epoch.to_owned(), desired, ledger, kept: kept.collect() };
    }
}

/// Names of records: thousands of objects were applied by a handful of them.
#[derive(Default)]
struct Names(Vec<Arc<str>>);

impl Names {
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| ***known == *name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.push(Arc::clone(&name));
        name
    }
}

impl Application {
    /// Finds out what there is to say of each desired object, in their order: what is known and still true is not asked for again.
    /// `keep`: these results are those of the application as it is configured.
    pub(in crate::engine) async fn found(
        &self,
        desired: &Arc<Desired>,
        live: Vec<Live>,
        ledger: &Arc<Ledger>,
        session: &Session,
        look: Look,
        keep: bool,
    ) -> Vec<Arc<Found>> {
        let epoch = format!("{} {}", session.cluster_id(), *session.schema_epoch().borrow());
        let mut bases: Vec<Option<Arc<str>>> = vec![None; live.len()];
        let mut found: Vec<Option<Arc<Found>>> = vec![None; live.len()];
        let mut names = Names::default();
        {
            let results = self.results();
            // What a plan would change, the server is asked about.
            let is_enough = |found: &Found| !look.verify || found.comparison.action == Action::None;
            for (index, live) in live.iter().enumerate() {
                if let Some(kept) = results.untouched(&epoch, desired, ledger, index, live) {
                    bases[index].clone_from(&kept.base);
                    found[index] = Some(Arc::clone(&kept.found)).filter(|found| is_enough(found));
                } else {
                    let applied_by = ledger.applied_by(&desired.objects[index].manifest.id);
                    bases[index] = applied_by.map(|head| names.shared(&head.name));
                    let known = results.of(&epoch, desired, index, live, bases[index].as_deref());
                    found[index] = known.filter(|found| is_enough(found)).map(Arc::new);
                }
            }
        }
        let missing: Vec<usize> = (0..found.len()).filter(|index| found[*index].is_none()).collect();
        let mut differing = Vec::new();
        let schemas = self.schemas(desired, &missing, session).await;
        let absent = |id: &ObjectId| {
            desired.position(id).is_none_or(|index| matches!(live.get(index), None | Some(Live::Absent)))
        };
        let work = missing.iter().map(|index| {
            let object = Arc::clone(&desired.objects[*index]);
            let askable = !object.needs.iter().any(absent);
            let (live, recorded) = (live[*index].clone(), bases[*index].is_some());
            Judging { index: *index, object, live, askable, recorded }
        });
        let judge = Judge {
            session: session.clone(),
            predictions: Arc::clone(&self.predictions),
            schemas: Arc::clone(&schemas),
            rules: Arc::clone(&self.ignore),
            extras: self.section.extras,
            verify: look.verify,
            anew: look.anew,
            lost: self.cluster.lost().map(|lost| lost.to_string()),
        };
        for judged in self.judge(work.collect(), judge, look.show).await {
            match judged {
                Judged::Done(index, done) => found[index] = Some(Arc::new(done)),
                Judged::Differs(waits) => differing.push(waits),
            }
        }
        let mut complete = true;
        if !differing.is_empty() {
            let ids: BTreeSet<ObjectId> =
                differing.iter().map(|waits| ObjectId::clone(&desired.objects[waits.index].manifest.id)).collect();
            let known = self.bases(ledger, session, &ids).await;
            for waits in differing {
                let index = waits.index;
                let id = &desired.objects[index].manifest.id;
                complete &= known.contains_key(id) || bases[index].is_none();
                let base = known.get(id);
                let attributed = attributed(&desired.objects[index], waits, base, &schemas, self.section.extras);
                found[index] = Some(Arc::new(attributed));
            }
        }
        let found = found.into_iter().zip(bases).enumerate().map(|(index, (found, base))| {
            let failed = || Arc::new(failed(&desired.objects[index], &live[index], &schemas));
            Kept { found: found.unwrap_or_else(failed), base }
        });
        let found: Vec<Kept> = found.collect();
        if keep && complete && !look.verify {
            self.results().keep(&epoch, desired, ledger, &found);
        }
        found.into_iter().map(|kept| kept.found).collect()
    }

    /// Returns the schemas of these objects' kinds. Where they cannot be had the server is asked about each object.
    async fn schemas(&self, desired: &Desired, missing: &[usize], session: &Session) -> Arc<Schemas> {
        let versions: BTreeSet<String> = missing
            .iter()
            .map(|index| &desired.objects[*index].manifest)
            .map(|manifest| join_api_version(&manifest.id.group, &manifest.version))
            .collect();
        match session.schemas(&versions).await {
            Ok(schemas) => schemas,
            Err(error) => {
                tracing::info!(application = self.section.name, %error, "the cluster's schemas cannot be read");
                Arc::default()
            }
        }
    }

    /// Judges objects. Reading and predicting costs the processor: the work is spread over the runtime's threads.
    async fn judge(&self, work: Vec<Judging>, judge: Judge, show: bool) -> Vec<Judged> {
        let total = work.len();
        let mut judged = Vec::with_capacity(total);
        let share = total.div_ceil(std::thread::available_parallelism().map_or(2, usize::from)).max(TELL_EVERY);
        let (judge, done) = (Arc::new(judge), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        let mut work = work.into_iter().peekable();
        while work.peek().is_some() {
            let work: Vec<Judging> = work.by_ref().take(share).collect();
            let (judge, done) = (Arc::clone(&judge), Arc::clone(&done));
            tasks.spawn(async move {
                let mut judged = Vec::with_capacity(work.len());
                let judge = &judge;
                let mut answers = bounded(work.into_iter().map(|one| async move { judge.one(one).await }.boxed()));
                while let Some(answer) = answers.next().await {
                    done.fetch_add(1, Ordering::Relaxed);
                    judged.push(answer);
                    tokio::task::consume_budget().await;
                }
                judged
            });
        }
        let mut tell = tokio::time::interval(std::time::Duration::from_millis(100));
        loop {
            tokio::select! {
                biased;
                part = tasks.join_next() => match part {
                    None => return judged,
                    Some(Ok(part)) => judged.extend(part),
                    // A panic in one share is an error of its objects, which the caller sees as missing.
                    Some(Err(error)) => tracing::error!(application = self.section.name, %error, "a comparison failed"),
                },
                _ = tell.tick(), if show && total > TELL_EVERY => {
                    self.show(Work::Comparing(done.load(Ordering::Relaxed), total));
                }
            }
        }
    }

    /// Bases are needed only where something differs.
    async fn bases(&self, ledger: &Ledger, session: &Session, ids: &BTreeSet<ObjectId>) -> BTreeMap<ObjectId, Value> {
        let Some(namespace) = self.state_namespace() else { return BTreeMap::new() };
        self.ledger
            .bases(session, namespace, ledger, ids, &|revision, ids| {
                async move { self.objects_at(revision.parse().ok()?, session, &ids).await }.boxed()
            })
            .await
    }
}

#[cfg(test)]
mod tests;
