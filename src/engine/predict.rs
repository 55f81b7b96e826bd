//! What the cluster would make of a desired object. Comparisons foresee it in this process ([`foresee`]); the API server is asked by a
//! dry-run where that cannot be done, and about everything that a plan would change ([`Predictions::ask`]). Its word counts as long as
//! neither side moves.

use super::{approval::live_digest, bounded::IN_FLIGHT, desired::DesiredObject, retry::Backoff, step::shown_warnings};
use crate::{
    cluster::{
        Applied, ApplyRequest, ClusterError, Conflict, FIELD_MANAGER, LiveObject, Resource, Session, masked_words,
    },
    merge::{self, Outcome, Schemas, defaults, merge},
    object::{ObjectId, Packed, canonical_json, sha256_hex},
};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Deadline of one dry-run.
const DEADLINE: Duration = Duration::from_secs(30);
/// Tries of one dry-run that the server was too busy for.
const TRIES: usize = 4;
/// Answers kept; past it the memory is emptied and fills again.
const KEPT: usize = 20_000;

/// On which terms an apply would go through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct Terms {
    /// Fields that other managers own with other values; applying takes them.
    pub conflicts: Vec<Conflict>,
    /// The server's warnings.
    pub warnings: Vec<String>,
}

/// How well it is known what applying would give.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum Predicted {
    /// The server said so.
    Verified(Arc<Terms>),
    /// Foreseen by server-side apply's own rules and the cluster's schemas.
    Foreseen(Arc<Terms>),
    /// Foreseen, and the user may not ask the server (no `patch` right); the reason in words.
    Estimated(Arc<Terms>, String),
    /// It would be refused; the words.
    Refused(String),
    /// It could not be found out now; why.
    Failed(String),
}

impl Predicted {
    /// Returns the terms, where it would go through.
    pub(in crate::engine) fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Verified(terms) | Self::Foreseen(terms) | Self::Estimated(terms, _) => Some(terms),
            Self::Refused(_) | Self::Failed(_) => None,
        }
    }
}

/// A prediction with the object that applying would give.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Answer {
    /// How well it is known.
    pub predicted: Predicted,
    /// The object afterwards. None: as it is live, or not known.
    pub after: Option<Value>,
}

impl Answer {
    /// An answer that is no object.
    pub(in crate::engine) fn of(predicted: Predicted) -> Self {
        Self { predicted, after: None }
    }
}

/// Foresees what applying `body` to `live` (none: a create) would give.
///
/// # Errors
/// Why only the server knows.
pub(in crate::engine) fn foresee(schemas: &Schemas, body: &Value, live: Option<&Value>) -> Result<Answer, String> {
    let (outcome, conflicts) = match merge(schemas, live, body, FIELD_MANAGER, false) {
        Outcome::Conflicts(conflicts) => (merge(schemas, live, body, FIELD_MANAGER, true), conflicts),
        outcome => (outcome, Vec::new()),
    };
    let conflicts = conflicts.into_iter().map(conflict).collect();
    match outcome {
        Outcome::Applied(applied) => {
            let after = match applied.object {
                // Nothing but ownership would change.
                Cow::Borrowed(_) => None,
                Cow::Owned(_) => {
                    let mut after = applied.into_object();
                    defaults::apply(schemas, &mut after, live);
                    Some(after)
                }
            };
            Ok(Answer { predicted: Predicted::Foreseen(Arc::new(Terms { conflicts, warnings: vec![] })), after })
        }
        Outcome::Invalid(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Ok(Answer::of(Predicted::Refused(masked_words(body, &errors.join("; ")))))
        }
        // With force there are none.
        Outcome::Conflicts(_) => Err("its owners are in conflict".into()),
        Outcome::Unknown(unknown) => Err(masked_words(body, &unknown.to_string())),
    }
}

/// Returns what creating an object would give: the manifest with the server's defaults.
pub(in crate::engine) fn created(schemas: &Schemas, manifest: &Value) -> Value {
    match merge(schemas, None, manifest, FIELD_MANAGER, false) {
        Outcome::Applied(applied) => {
            let mut object = applied.object.into_owned();
            defaults::apply(schemas, &mut object, None);
            object
        }
        _ => manifest.clone(),
    }
}

fn conflict(found: merge::Conflict) -> Conflict {
    Conflict {
        manager: found.manager,
        operation: found.operation.as_str().into(),
        subresource: Some(found.subresource).filter(|name| !name.is_empty()),
        field: found.path.to_string(),
    }
}

/// Hash of the bytes sent, uid of the live object.
type Key = (String, String);

/// The server's answer, and the digest of the live content that it was given for.
struct Known {
    digest: String,
    terms: Arc<Terms>,
    after: Packed,
}

/// The server's answers about the objects of one cluster.
pub(in crate::engine) struct Predictions {
    known: Mutex<HashMap<Key, Known>>,
    in_flight: Semaphore,
}

impl Default for Predictions {
    fn default() -> Self {
        Self { known: Mutex::default(), in_flight: Semaphore::new(IN_FLIGHT) }
    }
}

/// One object as it would be sent now.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Question<'a> {
    /// What Git says.
    pub desired: &'a DesiredObject,
    /// What is sent of it.
    pub body: &'a Value,
    /// Whether that is all that Git says; else something is left alone.
    pub whole: bool,
    /// What is there.
    pub live: Option<&'a LiveObject>,
}

impl Question<'_> {
    fn key(&self) -> Option<Key> {
        let live = self.live?;
        let hash = if self.whole { self.desired.hash().to_owned() } else { sha256_hex(canonical_json(self.body)) };
        Some((hash, live.uid.clone()))
    }
}

impl Predictions {
    /// Returns what the server said, as long as neither side has moved since.
    pub(in crate::engine) fn remembered(&self, question: Question<'_>) -> Option<Answer> {
        // Hashing costs more than predicting, and mostly nothing was asked yet.
        if self.lock().is_empty() {
            return None;
        }
        let (key, digest) = (question.key()?, live_digest(question.live?, &[]));
        let known = self.lock();
        let known = known.get(&key).filter(|known| known.digest == digest)?;
        let after = known.after.read().ok()?;
        Some(Answer { predicted: Predicted::Verified(Arc::clone(&known.terms)), after: Some(after) })
    }

    /// Asks the server. `foreseen` is what counts where the user may not ask.
    pub(in crate::engine) async fn ask(
        &self,
        session: &Session,
        question: Question<'_>,
        foreseen: Option<Answer>,
    ) -> Answer {
        let resource = match &question.desired.resource {
            Ok(resource) => resource,
            Err(reason) => return Answer::of(Predicted::Refused(reason.clone())),
        };
        let Ok(_permit) = self.in_flight.acquire().await else {
            return Answer::of(Predicted::Failed("driftdeck is shutting down".into()));
        };
        let mut request = ApplyRequest {
            resource: Resource::clone(resource),
            id: ObjectId::clone(&question.desired.manifest.id),
            body: question.body.clone(),
            force: false,
            dry_run: true,
            deadline: DEADLINE,
        };
        if let Some(live) = question.live {
            request.body["metadata"]["uid"] = live.uid.clone().into();
        }
        let (answer, conflicts) = match ask(session, &request).await {
            Err(ClusterError::Conflicts { conflicts, .. }) => {
                request.force = true;
                (ask(session, &request).await, conflicts)
            }
            answer => (answer, Vec::new()),
        };
        match answer {
            Ok(applied) => {
                let warnings = shown_warnings(question.body, &applied.warnings);
                let terms = Arc::new(Terms { conflicts, warnings });
                self.keep(question, &terms, &applied.object);
                Answer { predicted: Predicted::Verified(terms), after: Some(applied.object.body) }
            }
            Err(ClusterError::Forbidden { message }) => {
                let reason = format!("no right to ask the server: {message}");
                match foreseen {
                    Some(Answer { predicted: Predicted::Foreseen(terms), after }) => {
                        Answer { predicted: Predicted::Estimated(terms, reason), after }
                    }
                    Some(foreseen) => foreseen,
                    None => Answer::of(Predicted::Failed(reason)),
                }
            }
            Err(error @ (ClusterError::Invalid { .. } | ClusterError::NotFound { .. })) => {
                Answer::of(Predicted::Refused(error.to_string()))
            }
            Err(ClusterError::Precondition { .. }) => {
                Answer::of(Predicted::Failed("it moved while it was compared".into()))
            }
            Err(error) => Answer::of(Predicted::Failed(error.to_string())),
        }
    }

    fn keep(&self, question: Question<'_>, terms: &Arc<Terms>, after: &LiveObject) {
        let (Some(key), Some(live)) = (question.key(), question.live) else { return };
        // The server may have answered about a newer state than the watch has told of: that answer is not kept.
        if live.resource_version != after.resource_version {
            return;
        }
        let known =
            Known { digest: live_digest(live, &[]), terms: Arc::clone(terms), after: Packed::value(&after.body) };
        let mut all = self.lock();
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(key, known);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Known>> {
        // A panic while the map is locked cannot leave it half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a dry-run; it changes nothing, so it is sent again when the server is busy.
async fn ask(session: &Session, request: &ApplyRequest) -> Result<Applied, ClusterError> {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    for _ in 1..TRIES {
        match session.apply(request).await {
            Err(ClusterError::Busy { retry_after, .. }) => {
                let pause = retry_after.map_or_else(|| backoff.next(), Duration::from_secs);
                tokio::time::sleep(pause.min(DEADLINE)).await;
            }
            answer => return answer,
        }
    }
    session.apply(request).await
}
