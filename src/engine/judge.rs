//! Judges one object: what applying it would give, and so how both sides differ.

use super::{
    compare::{self, Live, Seen},
    desired::DesiredObject,
    extras,
    ignore::{IgnoreRules, LeftAlone},
    predict::{Answer, Predicted, Predictions, Question, foresee},
    results::Found,
};
use crate::{
    cluster::{FIELD_MANAGER, Session},
    config::Extras,
    merge::{Schemas, changes, is_settled},
    object::{Borrowed, Manifest, Origin, Packed},
};
use serde_json::Value;
use std::sync::Arc;

/// One object that is to be judged.
pub(in crate::engine) struct Judging {
    /// Where it stands among the application's objects.
    pub index: usize,
    /// What Git says.
    pub object: Arc<DesiredObject>,
    /// What the cluster has.
    pub live: Live,
    /// What it needs is there, so the server can answer about it.
    pub askable: bool,
    /// A record says what was applied of it.
    pub recorded: bool,
}

/// What objects are judged by.
pub(in crate::engine) struct Judge {
    /// Who asks the server.
    pub session: Session,
    /// What the server has said.
    pub predictions: Arc<Predictions>,
    /// The cluster's schemas.
    pub schemas: Arc<Schemas>,
    /// What is left alone.
    pub rules: Arc<IgnoreRules>,
    /// What extras mean.
    pub extras: Extras,
    /// The server is asked about everything that applying would change.
    pub verify: bool,
    /// It is asked even where it has answered before.
    pub anew: bool,
    /// Why it cannot be asked.
    pub lost: Option<String>,
}

impl Judge {
    /// Judges one object.
    pub(in crate::engine) async fn one(&self, judging: Judging) -> Judged {
        if let Some(found) = self.settled(&judging) {
            return Judged::Done(judging.index, found);
        }
        let manifest = &judging.object.manifest;
        let known = match &judging.live {
            Live::Present(known) if judging.object.resource.is_ok() => known,
            Live::Absent if judging.object.resource.is_ok() && self.verify && judging.askable => {
                let body = manifest.body();
                let question = Question { desired: &judging.object, body: &body, whole: true, live: None };
                let foreseen = foresee(&self.schemas, &body, None).ok();
                let answer = self.predictions.ask(&self.session, question, foreseen).await;
                return self.done(&judging, Bodies::default(), Verdict::of(answer.predicted));
            }
            _ => return self.done(&judging, Bodies::default(), Verdict::default()),
        };
        let live = match known.read() {
            Ok(live) => live,
            Err(error) => {
                let refused = Predicted::Refused(error.to_string());
                return self.done(&judging, Bodies::default(), Verdict::of(refused));
            }
        };
        let git = manifest.body();
        let mut bodies = Bodies { manifest: &git, live: &live.body, after: None, base: None };
        let mut left_alone = None;
        if self.rules.concern(&manifest.id) {
            match self.rules.leave_alone(&manifest.id, &self.schemas, &live.body, &git) {
                Ok(left) => left_alone = Some(Arc::new(left)),
                Err(reason) => return self.done(&judging, bodies, Verdict::of(Predicted::Failed(reason))),
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
        let verdict = Verdict { predicted: Some(answer.predicted), left_alone, blocked };
        match answer.after.filter(|after| !changes(&live.body, after).is_empty()) {
            Some(after) if judging.recorded => Judged::Differs(Differing {
                index: judging.index,
                live: judging.live,
                after: Packed::value(&after),
                verdict,
            }),
            after => {
                bodies.after = after.as_ref();
                self.done(&judging, bodies, verdict)
            }
        }
    }

    /// Finds out without merging whether an object is just as Git says, which most are; none: it has to be looked at closer.
    fn settled(&self, judging: &Judging) -> Option<Found> {
        let manifest = &judging.object.manifest;
        let is_secret = manifest.id.group.is_empty() && manifest.id.kind == "Secret";
        let Live::Present(known) = &judging.live else { return None };
        if is_secret || judging.object.resource.is_err() || self.rules.concern(&manifest.id) {
            return None;
        }
        let (json, text) = (known.packed().json().ok()?, manifest.json());
        let (mut live, git) = (Borrowed::read(&json)?, manifest.borrowed(&text)?);
        let extras_count = self.extras != Extras::Hide && extras::may_have_any(&live);
        if extras_count || !is_settled(&self.schemas, &live, &git, FIELD_MANAGER) {
            return None;
        }
        let comparison = compare::settled(&judging.object, known, || {
            // Half of the object says who wrote it, which is nothing to its health.
            live.mapping("metadata").into_iter().for_each(|metadata| metadata.remove("managedFields"));
            live.to_value()
        });
        let comparison = Arc::new(comparison);
        let predicted = Some(Predicted::Foreseen(Arc::default()));
        Some(Found { comparison, live: judging.live.clone(), predicted, left_alone: None, blocked: None })
    }

    fn done(&self, judging: &Judging, bodies: Bodies<'_>, verdict: Verdict) -> Judged {
        let found = conclude(&judging.object, judging.live.clone(), bodies, verdict, &self.schemas, self.extras);
        Judged::Done(judging.index, found)
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
}

/// Says whether an answer is worth the server's word: something would change, or be refused.
fn is_news(answer: &Answer, live: &Value) -> bool {
    answer.predicted.terms().is_none() || answer.after.as_ref().is_some_and(|after| !changes(live, after).is_empty())
}

/// What is said of an object whose comparison came to a bad end.
pub(in crate::engine) fn failed(object: &DesiredObject, live: &Live, schemas: &Schemas) -> Found {
    let predicted = Predicted::Failed("internal error in its comparison; the log has more".into());
    conclude(object, live.clone(), Bodies::default(), Verdict::of(predicted), schemas, Extras::Hide)
}

/// Says where the changes of an object come from whose base had to be looked for.
pub(in crate::engine) fn attributed(
    object: &DesiredObject,
    waits: Differing,
    base: Option<&Value>,
    schemas: &Schemas,
    extras: Extras,
) -> Found {
    let Differing { live, after, verdict, .. } = waits;
    // Both were read or written a moment ago.
    let body = match &live {
        Live::Present(live) => live.read().map(|live| live.body).unwrap_or_default(),
        Live::Absent | Live::Unreadable(_) => Value::Null,
    };
    let (manifest, after) = (object.manifest.body(), after.read().unwrap_or_default());
    let bodies = Bodies { manifest: &manifest, live: &body, after: Some(&after), base };
    conclude(object, live, bodies, verdict, schemas, extras)
}

/// Compares an object about which everything is known.
fn conclude(
    object: &DesiredObject,
    live: Live,
    bodies: Bodies<'_>,
    verdict: Verdict,
    schemas: &Schemas,
    extras: Extras,
) -> Found {
    let Bodies { manifest, live: body, after, base } = bodies;
    let Verdict { predicted, left_alone, blocked } = verdict;
    let last_applied = (base.is_none() && after.is_some()).then(|| last_applied(body)).flatten();
    let comparison = Arc::new(compare::object(Seen {
        desired: object,
        manifest,
        live: &live,
        body,
        predicted: predicted.as_ref(),
        after,
        base: base.or(last_applied.as_ref()),
        schemas,
        extras,
    }));
    Found { comparison, live, predicted, left_alone, blocked }
}

/// What `kubectl apply` says it applied last, read as a manifest of Git is.
fn last_applied(live: &Value) -> Option<Value> {
    let text =
        live.pointer("/metadata/annotations")?.get("kubectl.kubernetes.io/last-applied-configuration")?.as_str()?;
    let manifest = Manifest::new(serde_json::from_str(text).ok()?, Origin::default()).ok()?;
    Some(manifest.body)
}

/// What is known of applying one object.
#[derive(Default)]
struct Verdict {
    predicted: Option<Predicted>,
    left_alone: Option<Arc<LeftAlone>>,
    blocked: Option<String>,
}

impl Verdict {
    fn of(predicted: Predicted) -> Self {
        Self { predicted: Some(predicted), ..Self::default() }
    }
}

/// The sides of one object, read; null where there is none.
#[derive(Clone, Copy)]
struct Bodies<'a> {
    manifest: &'a Value,
    live: &'a Value,
    /// What applying would give; none: what is there.
    after: Option<&'a Value>,
    /// What was applied last, where a record says it.
    base: Option<&'a Value>,
}

impl Default for Bodies<'_> {
    fn default() -> Self {
        Self { manifest: &Value::Null, live: &Value::Null, after: None, base: None }
    }
}

/// A live object that applying would change, and of which a record says what was applied: it waits for that.
pub(in crate::engine) struct Differing {
    /// Where it stands among the application's objects.
    pub index: usize,
    live: Live,
    after: Packed,
    verdict: Verdict,
}

/// What became of one object.
pub(in crate::engine) enum Judged {
    /// It is known what there is to say of it; where it stands among the application's objects.
    Done(usize, Found),
    /// It waits for its base.
    Differs(Differing),
}
