//! What was found of each object, kept as long as neither side moves: an event costs the object that it is about, and no other.

use super::{
    application::Application,
    bounded::bounded,
    compare::{self, Live},
    comparison::ObjectComparison,
    desired::{Desired, DesiredObject},
    examine::Look,
    fleet::Work,
    ledger::Ledger,
    predict::{Predicted, Prediction, Predictions},
};
use crate::{
    cluster::Session,
    merge::changes,
    object::{ObjectId, Packed},
};
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
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
    /// What applying would give, without the object itself.
    pub predicted: Option<Predicted>,
}

/// What was found of one object, and what from.
struct Kept {
    found: Found,
    desired: String,
    base: Option<String>,
}

/// What was found of the objects of one application on one cluster.
#[derive(Default)]
pub(in crate::engine) struct Results {
    /// What else decides: as long as it is the same, results are good.
    epoch: String,
    kept: HashMap<ObjectId, Kept>,
}

impl Results {
    /// Returns what is still true of an object.
    fn of(&self, epoch: &str, object: &DesiredObject, live: &Live, base: Option<&str>) -> Option<Found> {
        let kept = self.kept.get(&object.manifest.id).filter(|_| self.epoch == epoch)?;
        if kept.desired != object.hash || kept.base.as_deref() != base {
            return None;
        }
        let comparison = compare::refreshed(&kept.found.comparison, object, &kept.found.live, live)?;
        Some(Found { comparison, live: live.clone(), predicted: kept.found.predicted.clone() })
    }
    /// Keeps what was found, and forgets the objects that are not among it.
    fn keep(&mut self, epoch: &str, desired: &Desired, bases: &[Option<String>], found: &[Found]) {
        if self.epoch != epoch {
            *self = Self { epoch: epoch.to_owned(), ..Self::default() };
        }
        for ((object, base), found) in desired.objects.iter().zip(bases).zip(found) {
            let id = &object.manifest.id;
            // What could not be found out may be found out the next time.
            if matches!(&found.predicted, Some(predicted) if !matches!(predicted, Predicted::Verified(_))) {
                self.kept.remove(id);
                continue;
            }
            match self.kept.get_mut(id) {
                Some(kept) => {
                    kept.found = found.clone();
                    if kept.desired != object.hash {
                        kept.desired.clone_from(&object.hash);
                    }
                    if kept.base != *base {
                        kept.base.clone_from(base);
                    }
                }
                None => {
                    let kept = Kept { found: found.clone(), desired: object.hash.clone(), base: base.clone() };
                    self.kept.insert(id.clone(), kept);
                }
            }
        }
        if self.kept.len() > desired.objects.len() {
            self.kept.retain(|id, _| desired.position(id).is_some());
        }
    }
}

/// A live object with what applying would make of it, where the two differ: it waits for its base.
struct Differing {
    index: usize,
    live: Packed,
    predicted: Predicted,
    object: Packed,
}

/// What became of one object's prediction.
enum Judged {
    Done(usize, Found),
    Differs(Differing),
}

impl Application {
    /// Finds out what there is to say of each desired object, in their order: what is known and still true is not asked for again.
    /// `keep`: these results are those of the application as it is configured.
    pub(in crate::engine) async fn found(
        &self,
        desired: &Arc<Desired>,
        live: Vec<Live>,
        ledger: &Ledger,
        session: &Session,
        look: Look,
        keep: bool,
    ) -> Vec<Found> {
        let epoch = format!("{} {}", session.cluster_id(), *session.schema_epoch().borrow());
        let bases: Vec<Option<String>> = desired
            .objects
            .iter()
            .map(|object| ledger.applied_by(&object.manifest.id).map(|head| head.name.clone()))
            .collect();
        let mut found: Vec<Option<Found>> = {
            let results = self.results();
            let objects = desired.objects.iter().zip(&live).zip(&bases);
            objects
                .map(|((object, live), base)| {
                    // A create is dry-run for a plan only.
                    let asks = look.verify_creates && matches!(live, Live::Absent);
                    if asks { None } else { results.of(&epoch, object, live, base.as_deref()) }
                })
                .collect()
        };
        let missing: Vec<usize> = (0..found.len()).filter(|index| found[*index].is_none()).collect();
        let mut differing = Vec::new();
        for judged in self.judge(desired, &live, &missing, session, look).await {
            match judged {
                Judged::Done(index, done) => found[index] = Some(done),
                Judged::Differs(waits) => differing.push(waits),
            }
        }
        let mut complete = true;
        if !differing.is_empty() {
            let ids: BTreeSet<ObjectId> =
                differing.iter().map(|waits| desired.objects[waits.index].manifest.id.clone()).collect();
            let known = self.bases(ledger, session, &ids).await;
            for waits in differing {
                let index = waits.index;
                let id = &desired.objects[index].manifest.id;
                complete &= known.contains_key(id) || bases[index].is_none();
                found[index] = Some(attributed(&desired.objects[index], &live[index], waits, known.get(id)));
            }
        }
        let found: Vec<Found> = found
            .into_iter()
            .enumerate()
            .map(|(index, found)| found.unwrap_or_else(|| failed(&desired.objects[index], &live[index])))
            .collect();
        if keep && complete && !look.verify_creates {
            self.results().keep(&epoch, desired, &bases, &found);
        }
        found
    }

    async fn judge(
        &self,
        desired: &Arc<Desired>,
        live: &[Live],
        missing: &[usize],
        session: &Session,
        look: Look,
    ) -> Vec<Judged> {
        let absent = |id: &ObjectId| {
            desired.position(id).is_none_or(|index| matches!(live.get(index), None | Some(Live::Absent)))
        };
        let work: Vec<(usize, bool)> = missing
            .iter()
            .map(|index| {
                let creates = look.verify_creates && !desired.objects[*index].needs.iter().any(absent);
                (*index, creates)
            })
            .collect();
        let total = work.len();
        let mut judged = Vec::with_capacity(total);
        // Reading and predicting costs the processor: the work is spread over the runtime's threads.
        let share = total.div_ceil(std::thread::available_parallelism().map_or(2, usize::from)).max(TELL_EVERY);
        let done = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for share in work.chunks(share) {
            let work: Vec<_> = share
                .iter()
                .map(|(index, creates)| (*index, *creates, Arc::clone(&desired.objects[*index]), live[*index].clone()))
                .collect();
            let (session, predictions, done) = (session.clone(), Arc::clone(&self.predictions), Arc::clone(&done));
            tasks.spawn(async move {
                let mut judged = Vec::with_capacity(work.len());
                let mut answers = bounded(work.into_iter().map(|(index, creates, object, live)| {
                    let (session, predictions) = (&session, &predictions);
                    async move { judge_one(index, &object, &live, creates, session, predictions).await }.boxed()
                }));
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
                _ = tell.tick(), if look.show && total > TELL_EVERY => {
                    self.show(Work::Comparing(done.load(Ordering::Relaxed), total));
                }
            }
        }
    }

    /// Bases are needed only where something differs.
    async fn bases(&self, ledger: &Ledger, session: &Session, ids: &BTreeSet<ObjectId>) -> BTreeMap<ObjectId, Value> {
        let Some(namespace) = self.state_namespace() else { return BTreeMap::new() };
        self.ledger
            .bases(session, namespace, ledger, ids, &|revision| {
                async move { self.objects_at(revision.parse().ok()?, session).await }.boxed()
            })
            .await
    }
}

async fn judge_one(
    index: usize,
    object: &DesiredObject,
    live: &Live,
    creates: bool,
    session: &Session,
    predictions: &Predictions,
) -> Judged {
    let found = |body: &Value, predicted: Option<Predicted>| {
        let comparison = Arc::new(compare::object(object, live, body, predicted.as_ref(), None));
        Judged::Done(index, Found { comparison, live: live.clone(), predicted: predicted.map(|it| slim(it).0) })
    };
    let known = match live {
        Live::Present(known) if object.resource.is_ok() => known,
        Live::Absent if object.resource.is_ok() && creates => {
            return found(&Value::Null, Some(predictions.of(session, object, None).await));
        }
        _ => return found(&Value::Null, None),
    };
    let live_object = match known.read() {
        Ok(live_object) => live_object,
        Err(error) => return found(&Value::Null, Some(Predicted::Refused(error.to_string()))),
    };
    let predicted = predictions.of(session, object, Some(&live_object)).await;
    let differs = match &predicted {
        Predicted::Verified(prediction) => !changes(&live_object.body, &prediction.object).is_empty(),
        Predicted::Estimated(..) => true,
        Predicted::Refused(_) | Predicted::Failed(_) => false,
    };
    if !differs {
        return found(&live_object.body, Some(predicted));
    }
    let (predicted, predicted_object) = slim(predicted);
    Judged::Differs(Differing {
        index,
        live: known.packed().clone(),
        predicted,
        object: Packed::value(&predicted_object),
    })
}

/// What is said of an object whose comparison came to a bad end.
fn failed(object: &DesiredObject, live: &Live) -> Found {
    let predicted = Predicted::Failed("internal error in its comparison; the log has more".into());
    let comparison = compare::object(object, live, &Value::Null, Some(&predicted), None);
    Found { comparison: Arc::new(comparison), live: live.clone(), predicted: Some(predicted) }
}

/// Says where the changes of an object come from.
fn attributed(object: &DesiredObject, live: &Live, waits: Differing, base: Option<&Value>) -> Found {
    // Both were read or written a moment ago.
    let (body, predicted) = (waits.live.read().unwrap_or_default(), waits.object.read().unwrap_or_default());
    let last_applied = base.is_none().then(|| last_applied(&body)).flatten();
    let whole = whole(&waits.predicted, predicted);
    let comparison = compare::object(object, live, &body, Some(&whole), base.or(last_applied.as_ref()));
    Found { comparison: Arc::new(comparison), live: live.clone(), predicted: Some(waits.predicted) }
}

/// Takes the object out of a prediction: it is large, and needed only for the comparison.
fn slim(predicted: Predicted) -> (Predicted, Value) {
    match predicted {
        Predicted::Verified(prediction) => {
            let (conflicts, warnings) = (prediction.conflicts.clone(), prediction.warnings.clone());
            let object = match Arc::try_unwrap(prediction) {
                Ok(prediction) => prediction.object,
                Err(shared) => shared.object.clone(),
            };
            let slim = Prediction { object: Value::Null, conflicts, warnings };
            (Predicted::Verified(Arc::new(slim)), object)
        }
        Predicted::Estimated(object, reason) => (Predicted::Estimated(Value::Null, reason), object),
        other => (other, Value::Null),
    }
}

/// Puts the object back.
fn whole(slim: &Predicted, object: Value) -> Predicted {
    match slim {
        Predicted::Verified(prediction) => {
            let (conflicts, warnings) = (prediction.conflicts.clone(), prediction.warnings.clone());
            Predicted::Verified(Arc::new(Prediction { object, conflicts, warnings }))
        }
        Predicted::Estimated(_, reason) => Predicted::Estimated(object, reason.clone()),
        other => other.clone(),
    }
}

/// What `kubectl apply` says it applied last.
fn last_applied(live: &Value) -> Option<Value> {
    let text =
        live.pointer("/metadata/annotations")?.get("kubectl.kubernetes.io/last-applied-configuration")?.as_str()?;
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
