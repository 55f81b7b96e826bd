//! Carries one step of a plan out: checks again what it relies on, sends, and makes sense of the answer.

use super::{
    approval::{BoundStep, Since},
    comparison::Action,
    planning::conflict_set,
    report::StepResult,
    retry::Backoff,
};
use crate::{
    cluster::{ApplyRequest, ClusterError, Lease, LiveObject, Session},
    merge::changes,
    object::{clean, is_secret},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Deadline of one write, on client and server.
const DEADLINE: Duration = Duration::from_secs(8);
/// Tries of one write that the server was too busy for, or that only met a harmless move of resourceVersion.
const TRIES: usize = 5;
/// Longest pause between tries, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What became of a step.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Done {
    /// Result.
    pub result: StepResult,
    /// Why, where it needs a reason.
    pub message: String,
    /// The object afterwards.
    pub object: Option<LiveObject>,
}

impl Done {
    fn failed(message: impl AsRef<str>) -> Self {
        Self { result: StepResult::Failed, message: clean(message.as_ref()).into_owned(), object: None }
    }
    /// Says whether later steps may go on.
    pub(in crate::engine) fn is_ok(&self) -> bool {
        !matches!(self.result, StepResult::Failed | StepResult::Unknown | StepResult::Skipped)
    }
}

/// Reads the live object and says what moved since the plan, if anything did.
pub(in crate::engine) async fn moved(session: &Session, step: &BoundStep) -> Result<Option<LiveObject>, String> {
    let live = session.get(&step.resource, &step.id).await;
    let live = match live {
        Ok(live) => live,
        // Its kind or namespace is not there yet: the same plan makes it.
        Err(ClusterError::NotFound { .. }) if step.live.is_none() => None,
        Err(error) => return Err(format!("{} cannot be read again: {error}", step.id)),
    };
    let what = match (&step.live, &live) {
        (None, None) => return Ok(None),
        (None, Some(_)) => "exists now; it did not when the plan was shown",
        (Some(_), None) => "is gone; it existed when the plan was shown",
        (Some(mark), Some(now)) => match mark.since(now) {
            Since::Same => return Ok(live),
            Since::Replaced => "was replaced by another object since the plan was shown",
            Since::Changed => "was changed in the cluster since the plan was shown",
        },
    };
    Err(format!("{} {what}", step.id))
}

/// The way to the server for the steps of one sync.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Way<'a> {
    /// The session.
    pub session: &'a Session,
    /// The Lease, where the user may have one.
    pub lease: Option<&'a Lease>,
    /// Set when nothing more may be sent.
    pub stop: &'a CancellationToken,
}

impl Way<'_> {
    /// Waits until a write may be sent; else says what became of the step.
    async fn is_free(&self) -> Result<(), Done> {
        if self.stop.is_cancelled() {
            return Err(Done {
                result: StepResult::Skipped,
                message: "stopped before it was sent".into(),
                object: None,
            });
        }
        match self.lease {
            Some(lease) => lease.ready(DEADLINE).await.map_err(|error| Done::failed(format!("not sent: {error}"))),
            None => Ok(()),
        }
    }

    /// Pauses between tries; a stop ends the pause.
    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause.min(LONGEST_PAUSE)) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Carries out a create or an update.
    pub(in crate::engine) async fn apply(&self, step: &BoundStep) -> Done {
        let mut tries = Tries::new(self);
        loop {
            let error = match self.try_apply(step).await {
                Ok(done) | Err(Missed::Over(done)) => return done,
                Err(Missed::Again(error)) => error,
            };
            if error.leaves_open()
                && let Some(done) = outcome_of(self.session, step).await
            {
                return done;
            }
            if let Some(done) = tries.missed(error).await {
                return done;
            }
        }
    }

    async fn try_apply(&self, step: &BoundStep) -> Result<Done, Missed> {
        let live = moved(self.session, step).await.map_err(|what| Missed::Over(Done::failed(what)))?;
        if let Some(terminating) = live.as_ref().and_then(|live| terminating(&live.body)) {
            return Err(Missed::Over(Done::failed(terminating)));
        }
        let body = step.body_for(live.as_ref()).map_err(|what| Missed::Over(Done::failed(what)))?;
        self.is_free().await.map_err(Missed::Over)?;
        let request = ApplyRequest {
            resource: step.resource.clone(),
            id: step.id.clone(),
            body: with_preconditions(&body, live.as_ref()),
            force: !step.conflicts.is_empty(),
            dry_run: false,
            deadline: DEADLINE,
        };
        let applied = match self.session.apply(&request).await {
            Err(ClusterError::Conflicts { message, conflicts })
                if conflict_set(&conflicts) != conflict_set(&step.conflicts) =>
            {
                let message = format!("other owners than the plan showed: {message}");
                return Err(Missed::Over(Done::failed(message)));
            }
            answer => answer.map_err(Missed::Again)?,
        };
        if applied.created != live.is_none() {
            let what = "somebody else created it at the same moment; what was applied is in the cluster: compare again";
            return Ok(Done { object: Some(applied.object), ..Done::failed(what) });
        }
        let result = match &live {
            None => StepResult::Created,
            Some(live) if live.resource_version == applied.object.resource_version => StepResult::Unchanged,
            Some(_) => StepResult::Configured,
        };
        let message = clean(&shown_warnings(&step.body, &applied.warnings).join("; ")).into_owned();
        Ok(Done { result, message, object: Some(applied.object) })
    }

    /// Deletes a member that is gone from Git, by uid and resourceVersion. `still_ours` says why it may not be deleted any more.
    pub(in crate::engine) async fn prune(
        &self,
        step: &BoundStep,
        still_ours: impl Fn(&Value) -> Result<(), String>,
    ) -> Done {
        let mut tries = Tries::new(self);
        loop {
            let error = match self.try_prune(step, &still_ours).await {
                Ok(done) | Err(Missed::Over(done)) => return done,
                Err(Missed::Again(error)) => error,
            };
            if let Some(done) = tries.missed(error).await {
                return done;
            }
        }
    }

    async fn try_prune(
        &self,
        step: &BoundStep,
        still_ours: &impl Fn(&Value) -> Result<(), String>,
    ) -> Result<Done, Missed> {
        let over = |message: String| Missed::Over(Done::failed(message));
        let live = match self.session.get(&step.resource, &step.id).await {
            Ok(None) => return Ok(Done { result: StepResult::Pruned, message: String::new(), object: None }),
            Ok(Some(live)) => live,
            Err(error) => return Err(over(format!("cannot be read again: {error}"))),
        };
        match step.live.as_ref().map(|mark| mark.since(&live)) {
            Some(Since::Same) => {}
            Some(Since::Changed) => return Err(over("it was changed since the plan was shown".into())),
            _ => return Err(over("it was replaced by another object since the plan was shown".into())),
        }
        still_ours(&live.body).map_err(over)?;
        self.is_free().await.map_err(Missed::Over)?;
        let version = Some(live.resource_version.as_str());
        let deleted = self.session.delete(&step.resource, &step.id, &live.uid, version, DEADLINE).await;
        deleted.map_err(Missed::Again)?;
        Ok(Done { result: StepResult::Pruned, message: String::new(), object: Some(live) })
    }
}

/// A try that was not carried out.
enum Missed {
    /// What the plan relies on does not hold any more.
    Over(Done),
    /// The server's answer; another try may do.
    Again(ClusterError),
}

/// The tries of one write: which answers are worth another one, after which pause, and how many there are.
struct Tries<'a> {
    way: &'a Way<'a>,
    backoff: Backoff,
    left: usize,
}

impl<'a> Tries<'a> {
    fn new(way: &'a Way<'a>) -> Self {
        Self { way, backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(5)), left: TRIES }
    }

    /// Waits until the next try; some: there is none.
    async fn missed(&mut self, error: ClusterError) -> Option<Done> {
        let pause = match &error {
            // It moved: the next try reads again, and goes on only if the content that counts is the same.
            ClusterError::Precondition { .. } | ClusterError::Conflicts { .. } => Duration::ZERO,
            ClusterError::Busy { retry_after: Some(seconds), .. } => Duration::from_secs(*seconds),
            ClusterError::Busy { .. } => self.backoff.next(),
            _ if error.leaves_open() => self.backoff.next(),
            _ => return Some(Done::failed(error.to_string())),
        };
        self.left -= 1;
        if self.left == 0 {
            let done = Done::failed(format!("gave up after {TRIES} tries: {error}"));
            let nothing_written = matches!(error, ClusterError::Precondition { .. } | ClusterError::Conflicts { .. });
            return Some(if nothing_written { done } else { Done { result: StepResult::Unknown, ..done } });
        }
        self.way.pause(pause).await;
        None
    }
}

/// The server's warnings about an object; a webhook may quote a value in one, so a Secret's are only counted.
pub(in crate::engine) fn shown_warnings(body: &Value, warnings: &[String]) -> Vec<String> {
    match warnings.len() {
        count if count > 0 && is_secret(body) => {
            let warnings = if count == 1 { "warning" } else { "warnings" };
            vec![format!("{count} {warnings} of the API server, not shown for a Secret")]
        }
        _ => warnings.to_vec(),
    }
}

/// Returns words for an object that is being deleted: an apply to it would be answered with 200 and vanish.
pub(in crate::engine) fn terminating(live: &Value) -> Option<String> {
    let metadata = live.get("metadata")?;
    metadata.get("deletionTimestamp")?.as_str()?;
    let finalizers: Vec<&str> =
        metadata.get("finalizers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    Some(if finalizers.is_empty() {
        "it is terminating: wait until it is gone".into()
    } else {
        format!("it is terminating, held by finalizers {}: wait until they are gone", finalizers.join(", "))
    })
}

/// After a request without an answer: reads what became of it. None: nothing was written, so it can be sent again.
async fn outcome_of(session: &Session, step: &BoundStep) -> Option<Done> {
    let live = match session.get(&step.resource, &step.id).await {
        Ok(live) => live,
        Err(error) => {
            let message = format!("no answer came, and what became of it cannot be read: {error}");
            return Some(Done { result: StepResult::Unknown, ..Done::failed(message) });
        }
    };
    let unchanged = match (&step.live, &live) {
        (None, None) => true,
        (Some(mark), Some(live)) => mark.since(live) == Since::Same,
        _ => false,
    };
    if unchanged {
        return None;
    }
    let object = live?;
    let applied = step.body_for(Some(&object)).is_ok_and(|body| {
        super::field::contains(&object.body, &body) || !is_secret(&body) && changes(&body, &object.body).is_empty()
    });
    let result = match (applied, &step.live) {
        (false, _) => StepResult::Unknown,
        (true, None) => StepResult::Created,
        (true, Some(_)) => StepResult::Configured,
    };
    let message =
        if applied { "no answer came; read back" } else { "no answer came, and the object is not what was sent" };
    Some(Done { result, message: message.into(), object: Some(object) })
}

/// Adds uid and fresh resourceVersion: with them the server refuses when the object moved, was replaced or is gone.
fn with_preconditions(body: &Value, live: Option<&LiveObject>) -> Value {
    let mut body = body.clone();
    if let Some(live) = live {
        body["metadata"]["uid"] = json!(live.uid);
        body["metadata"]["resourceVersion"] = json!(live.resource_version);
    }
    body
}

/// Says which action a record names.
pub(in crate::engine) fn action_name(action: Action) -> String {
    serde_json::to_value(action).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminating_object_names_its_finalizers() {
        let live = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}});
        assert!(terminating(&live).unwrap().contains("finalizers a/b"));
        assert_eq!(terminating(&json!({"metadata": {}})), None);
    }

    #[test]
    fn an_update_carries_uid_and_resource_version_and_a_create_neither() {
        let live = LiveObject { uid: "u".into(), resource_version: "7".into(), body: Value::Null };
        let body = json!({"metadata": {"name": "a"}});
        assert_eq!(
            with_preconditions(&body, Some(&live))["metadata"],
            json!({"name": "a", "uid": "u", "resourceVersion": "7"})
        );
        assert_eq!(with_preconditions(&body, None), body);
    }
}
