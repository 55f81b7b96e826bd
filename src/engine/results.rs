//! What was found of each object, kept as long as neither side moves: an event costs the object that it is about, and no other.

use super::{
    application::Application,
    approval::LiveMark,
    bounded::bounded,
    compare::{self, Live, Seen},
    comparison::{Action, ObjectComparison},
    desired::{Desired, DesiredObject},
    examine::Look,
    fleet::Work,
    ignore::{IgnoreRules, LeftAlone},
    ledger::Ledger,
    predict::{Answer, Predicted, Predictions, Question, foresee},
};
use crate::{
    cluster::Session,
    config::Extras,
    merge::{Schemas, changes},
    object::{Manifest, ObjectId, Origin, Packed, join_api_version},
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
struct Kept {
    found: Found,
    base: Option<String>,
}

/// What was found of the objects of one application on one cluster.
#[derive(Default)]
pub(in crate::engine) struct Results {
    /// What else decides: as long as it is the same, results are good.
    epoch: String,
    /// The objects that were looked at.
    desired: Arc<Desired>,
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
    /// Returns what is still true of an object.
    fn of(&self, epoch: &str, desired: &Arc<Desired>, index: usize, live: &Live, base: Option<&str>) -> Option<Found> {
        if self.epoch != epoch {
            return None;
        }
        let object = desired.objects.get(index)?;
        let before = match Arc::ptr_eq(&self.desired, desired) {
            true => index,
            false => self.desired.position(&object.manifest.id)?,
        };
        let kept = self.kept.get(before)?.as_ref()?;
        if !self.desired.objects.get(before)?.manifest.same_body(&object.manifest) || kept.base.as_deref() != base {
            return None;
        }
        let comparison = compare::refreshed(&kept.found.comparison, object, &kept.found.live, live)?;
        Some(Found { comparison, live: live.clone(), ..kept.found.clone() })
    }
    /// Keeps what was found.
    fn keep(&mut self, epoch: &str, desired: &Arc<Desired>, bases: Vec<Option<String>>, found: &[Found]) {
        let kept = found.iter().zip(bases).map(|(found, base)| {
            let is_known = !matches!(&found.predicted, Some(Predicted::Estimated(..) | Predicted::Failed(_)));
            is_known.then(|| Kept { found: found.clone(), base })
        });
        *self = Self { epoch: epoch.to_owned(), desired: Arc::clone(desired), kept: kept.collect() };
    }
}

/// A live object with what applying would make of it, where the two differ: it waits for its base.
struct Differing {
    index: usize,
    live: Live,
    body: Packed,
    after: Packed,
    predicted: Predicted,
    left_alone: Option<Arc<LeftAlone>>,
    blocked: Option<String>,
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
            let objects = live.iter().zip(&bases).enumerate();
            objects
                .map(|(index, (live, base))| {
                    // What a plan would change, the server is asked about.
                    let known = results.of(&epoch, desired, index, live, base.as_deref())?;
                    (!look.verify || known.comparison.action == Action::None).then_some(known)
                })
                .collect()
        };
        let missing: Vec<usize> = (0..found.len()).filter(|index| found[*index].is_none()).collect();
        let mut differing = Vec::new();
        let schemas = self.schemas(desired, &missing, session).await;
        for judged in self.judge(desired, &live, &missing, session, &schemas, look).await {
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
                let base = known.get(id);
                found[index] = Some(attributed(&desired.objects[index], waits, base, &schemas, self.section.extras));
            }
        }
        let found: Vec<Found> = found
            .into_iter()
            .enumerate()
            .map(|(index, found)| found.unwrap_or_else(|| failed(&desired.objects[index], &live[index], &schemas)))
            .collect();
        if keep && complete && !look.verify {
            self.results().keep(&epoch, desired, bases, &found);
        }
        found
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

    async fn judge(
        &self,
        desired: &Arc<Desired>,
        live: &[Live],
        missing: &[usize],
        session: &Session,
        schemas: &Arc<Schemas>,
        look: Look,
    ) -> Vec<Judged> {
        let absent = |id: &ObjectId| {
            desired.position(id).is_none_or(|index| matches!(live.get(index), None | Some(Live::Absent)))
        };
        let total = missing.len();
        let lost = self.cluster.lost().map(|lost| lost.to_string());
        let mut judged = Vec::with_capacity(total);
        // Reading and predicting costs the processor: the work is spread over the runtime's threads.
        let share = total.div_ceil(std::thread::available_parallelism().map_or(2, usize::from)).max(TELL_EVERY);
        let done = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for share in missing.chunks(share) {
            let work: Vec<Judging> = share
                .iter()
                .map(|index| {
                    let object = Arc::clone(&desired.objects[*index]);
                    let askable = !object.needs.iter().any(absent);
                    Judging { index: *index, object, live: live[*index].clone(), askable }
                })
                .collect();
            let judge = Arc::new(Judge {
                session: session.clone(),
                predictions: Arc::clone(&self.predictions),
                schemas: Arc::clone(schemas),
                rules: Arc::clone(&self.ignore),
                extras: self.section.extras,
                verify: look.verify,
                anew: look.anew,
                lost: lost.clone(),
            });
            let done = Arc::clone(&done);
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

/// One object that is to be judged.
struct Judging {
    index: usize,
    object: Arc<DesiredObject>,
    live: Live,
    /// What it needs is there, so the server can answer about it.
    askable: bool,
}

/// What objects are judged by.
struct Judge {
    session: Session,
    predictions: Arc<Predictions>,
    schemas: Arc<Schemas>,
    rules: Arc<IgnoreRules>,
    extras: Extras,
    /// The server is asked about everything that applying would change.
    verify: bool,
    /// It is asked even where it has answered before.
    anew: bool,
    /// Why it cannot be asked.
    lost: Option<String>,
}

impl Judge {
    async fn one(&self, judging: Judging) -> Judged {
        let manifest = &judging.object.manifest;
        let known = match &judging.live {
            Live::Present(known) if judging.object.resource.is_ok() => known,
            Live::Absent if judging.object.resource.is_ok() && self.verify && judging.askable => {
                let body = manifest.body();
                let question = Question { desired: &judging.object, body: &body, whole: true, live: None };
                let foreseen = foresee(&self.schemas, &body, None).ok();
                let answer = self.predictions.ask(&self.session, question, foreseen).await;
                return self.done(&judging, &Value::Null, Some(answer.predicted), None, None);
            }
            _ => return self.done(&judging, &Value::Null, None, None, None),
        };
        let live = match known.read() {
            Ok(live) => live,
            Err(error) => {
                return self.done(&judging, &Value::Null, Some(Predicted::Refused(error.to_string())), None, None);
            }
        };
        let git = manifest.body();
        let mut left_alone = None;
        if self.rules.concern(&manifest.id) {
            match self.rules.leave_alone(&manifest.id, &self.schemas, &live.body, &git) {
                Ok(left) => left_alone = Some(Arc::new(left)),
                Err(reason) => return self.done(&judging, &live.body, Some(Predicted::Failed(reason)), None, None),
            }
        }
        let payload = left_alone.as_ref().map(|left| left.payload());
        let question = Question {
            desired: &judging.object,
            body: payload.as_ref().unwrap_or(&git),
            whole: payload.is_none(),
            live: Some(&live),
        };
        let answer = self.answer(question, &live.body).await;
        let blocked = match (&left_alone, &answer.after) {
            (Some(left), Some(after)) => left.moved(&live.body, after),
            _ => None,
        };
        match answer.after.filter(|after| !changes(&live.body, after).is_empty()) {
            None => self.done(&judging, &live.body, Some(answer.predicted), left_alone, blocked),
            Some(after) => Judged::Differs(Differing {
                index: judging.index,
                body: known.packed().clone(),
                after: Packed::value(&after),
                predicted: answer.predicted,
                live: judging.live,
                left_alone,
                blocked,
            }),
        }
    }

    /// Finds out what applying would give: what the server said if it still holds, what is foreseen, and where that cannot be, or where
    /// a plan would change something, the server's word.
    async fn answer(&self, question: Question<'_>, live: &Value) -> Answer {
        if !self.anew
            && let Some(answer) = self.predictions.remembered(question)
        {
            return answer;
        }
        let foreseen = foresee(&self.schemas, question.body, Some(live));
        match foreseen {
            Ok(answer) if self.lost.is_some() => answer,
            Err(_) if let Some(lost) = &self.lost => Answer::of(Predicted::Failed(lost.clone())),
            Ok(answer) if !self.verify || !is_news(&answer, live) => answer,
            Ok(answer) => self.predictions.ask(&self.session, question, Some(answer)).await,
            Err(_) => self.predictions.ask(&self.session, question, None).await,
        }
    }

    fn done(
        &self,
        judging: &Judging,
        body: &Value,
        predicted: Option<Predicted>,
        left_alone: Option<Arc<LeftAlone>>,
        blocked: Option<String>,
    ) -> Judged {
        let comparison = Arc::new(compare::object(Seen {
            desired: &judging.object,
            manifest: &judging.object.manifest.body(),
            live: &judging.live,
            body,
            predicted: predicted.as_ref(),
            after: None,
            base: None,
            schemas: &self.schemas,
            extras: self.extras,
        }));
        Judged::Done(judging.index, Found { comparison, live: judging.live.clone(), predicted, left_alone, blocked })
    }
}

/// Says whether an answer is worth the server's word: something would change, or be refused.
fn is_news(answer: &Answer, live: &Value) -> bool {
    answer.predicted.terms().is_none() || answer.after.as_ref().is_some_and(|after| !changes(live, after).is_empty())
}

/// What is said of an object whose comparison came to a bad end.
fn failed(object: &DesiredObject, live: &Live, schemas: &Schemas) -> Found {
    let predicted = Predicted::Failed("internal error in its comparison; the log has more".into());
    let comparison = compare::object(Seen {
        desired: object,
        manifest: &Value::Null,
        live,
        body: &Value::Null,
        predicted: Some(&predicted),
        after: None,
        base: None,
        schemas,
        extras: Extras::Hide,
    });
    Found {
        comparison: Arc::new(comparison),
        live: live.clone(),
        predicted: Some(predicted),
        left_alone: None,
        blocked: None,
    }
}

/// Says where the changes of an object come from.
fn attributed(
    object: &DesiredObject,
    waits: Differing,
    base: Option<&Value>,
    schemas: &Schemas,
    extras: Extras,
) -> Found {
    // Both were read or written a moment ago.
    let (body, after) = (waits.body.read().unwrap_or_default(), waits.after.read().unwrap_or_default());
    let last_applied = base.is_none().then(|| last_applied(&body)).flatten();
    let comparison = compare::object(Seen {
        desired: object,
        manifest: &object.manifest.body(),
        live: &waits.live,
        body: &body,
        predicted: Some(&waits.predicted),
        after: Some(&after),
        base: base.or(last_applied.as_ref()),
        schemas,
        extras,
    });
    let Differing { live, predicted, left_alone, blocked, .. } = waits;
    Found { comparison: Arc::new(comparison), live, predicted: Some(predicted), left_alone, blocked }
}

/// What `kubectl apply` says it applied last, read as a manifest of Git is.
fn last_applied(live: &Value) -> Option<Value> {
    let text =
        live.pointer("/metadata/annotations")?.get("kubectl.kubernetes.io/last-applied-configuration")?.as_str()?;
    let manifest = Manifest::new(serde_json::from_str(text).ok()?, Origin::default()).ok()?;
    Some(manifest.body)
}

#[cfg(test)]
mod tests;
