//! What the cluster would make of a desired object: the API server's answer to a dry-run, remembered as long as neither side moves.
//!
//! An in-process prediction can take this place; nothing outside asks who predicted.

use super::{approval::live_digest, bounded::IN_FLIGHT, desired::DesiredObject, retry::Backoff, step::shown_warnings};
use crate::cluster::{Applied, ApplyRequest, ClusterError, Conflict, LiveObject, Session};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Deadline of one dry-run.
const DEADLINE: Duration = Duration::from_secs(30);
/// Tries of one dry-run that the server was too busy for.
const TRIES: usize = 4;
/// Predictions kept; past it the memory is emptied and fills again. Each holds a parsed object, and what an application found of its
/// objects is kept by itself (`results`).
const KEPT: usize = 256;

/// What applying would give.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Prediction {
    /// The object afterwards.
    pub object: Value,
    /// Fields that other managers own with other values; applying takes them.
    pub conflicts: Vec<Conflict>,
    /// The server's warnings.
    pub warnings: Vec<String>,
}

/// How well it is known what applying would give.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Predicted {
    /// The server said so.
    Verified(Arc<Prediction>),
    /// Put together here, because the user may not ask the server (no `patch` right); the reason in words.
    Estimated(Value, String),
    /// The server refuses; its words.
    Refused(String),
    /// The server could not be asked now; its words.
    Failed(String),
}

/// Hash of the desired bytes, uid of the live object.
type Key = (String, String);
/// Digest of the live content that it was predicted for, and what was predicted.
type Known = (String, Arc<Prediction>);

/// Predictions of one cluster, by desired bytes and live content.
pub(in crate::engine) struct Predictions {
    known: Mutex<HashMap<Key, Known>>,
    in_flight: Semaphore,
}

impl Default for Predictions {
    fn default() -> Self {
        Self { known: Mutex::default(), in_flight: Semaphore::new(IN_FLIGHT) }
    }
}

impl Predictions {
    /// Asks what applying `desired` would give, `live` being what is there (none: a create).
    pub(in crate::engine) async fn of(
        &self,
        session: &Session,
        desired: &DesiredObject,
        live: Option<&LiveObject>,
    ) -> Predicted {
        let resource = match &desired.resource {
            Ok(resource) => resource,
            Err(reason) => return Predicted::Refused(reason.clone()),
        };
        let key = live.map(|live| ((desired.hash.clone(), live.uid.clone()), live_digest(live, &[])));
        if let Some((key, digest)) = &key
            && let Some((known_digest, known)) = self.lock().get(key)
            && known_digest == digest
        {
            return Predicted::Verified(Arc::clone(known));
        }
        let Ok(_permit) = self.in_flight.acquire().await else {
            return Predicted::Failed("driftdeck is shutting down".into());
        };
        let mut request = ApplyRequest {
            resource: resource.clone(),
            id: desired.manifest.id.clone(),
            body: desired.manifest.body(),
            force: false,
            dry_run: true,
            deadline: DEADLINE,
        };
        if let Some(live) = live {
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
                // The server may have answered about a newer state than the watch has told of: that answer is not kept.
                let same_state = live.is_some_and(|live| live.resource_version == applied.object.resource_version);
                let warnings = shown_warnings(&desired.manifest.body(), &applied.warnings);
                let prediction = Arc::new(Prediction { object: applied.object.body, conflicts, warnings });
                if let Some((key, digest)) = key.filter(|_| same_state) {
                    let mut known = self.lock();
                    if known.len() >= KEPT {
                        known.clear();
                    }
                    known.insert(key, (digest, Arc::clone(&prediction)));
                }
                Predicted::Verified(prediction)
            }
            Err(ClusterError::Forbidden { message }) => {
                let object = overlay(live.map(|live| &live.body), &desired.manifest.body());
                Predicted::Estimated(object, format!("no right to ask the server: {message}"))
            }
            Err(error @ (ClusterError::Invalid { .. } | ClusterError::NotFound { .. })) => {
                Predicted::Refused(error.to_string())
            }
            Err(ClusterError::Precondition { .. }) => Predicted::Failed("it moved while it was compared".into()),
            Err(error) => Predicted::Failed(error.to_string()),
        }
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

/// The estimate for users without `patch` rights: desired laid over live, list items matched by key. It knows no ownership, so
/// fields that Git dropped are not seen; the caller marks it.
fn overlay(live: Option<&Value>, desired: &Value) -> Value {
    match (live, desired) {
        (Some(Value::Object(live)), Value::Object(desired)) => {
            let mut merged = live.clone();
            for (key, value) in desired {
                merged.insert(key.clone(), overlay(live.get(key), value));
            }
            Value::Object(merged)
        }
        (Some(Value::Array(live)), Value::Array(desired)) => {
            Value::Array(desired.iter().map(|item| overlay(same_item(item, live), item)).collect())
        }
        (_, desired) => desired.clone(),
    }
}

fn same_item<'a>(item: &Value, items: &'a [Value]) -> Option<&'a Value> {
    let name = item.get("name").or_else(|| item.get("key"))?;
    items.iter().find(|each| each.get("name").or_else(|| each.get("key")) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_estimate_keeps_the_servers_defaults() {
        let live = json!({"spec": {"replicas": 2, "c": [{"name": "a", "image": "1", "policy": "Always"}]}});
        let desired = json!({"spec": {"c": [{"name": "a", "image": "2"}]}});
        assert_eq!(
            overlay(Some(&live), &desired),
            json!({"spec": {"replicas": 2, "c": [{"name": "a", "image": "2", "policy": "Always"}]}})
        );
    }
}
