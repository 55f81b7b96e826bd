//! WATCH requests: events of one answer, one JSON document a line.

use super::{
    super::{
        ClusterError,
        answer::{self, Mask, Refused},
        live_cache::{Objects, key},
        request::{Call, DEADLINE, collection, late},
    },
    End, Listed, Watched,
    backoff::random,
};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Life of one WATCH request; the server ends it, and the next continues where it ended.
const LIFE: Duration = Duration::from_secs(290);
/// A watch without a word (bookmarks come about once a minute) is taken for dead.
const SILENCE: Duration = Duration::from_secs(150);
/// The same while the list is still coming: a server that knows nothing of such lists sends the objects and then no word.
const SILENCE_IN_LIST: Duration = Duration::from_secs(15);
/// A broken watch that is not back by then is told.
const GRACE: Duration = Duration::from_millis(1500);
/// Annotation of the bookmark that ends the list (KEP-3157).
const LIST_ENDS: &str = "k8s.io/initial-events-end";

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: BookmarkMeta,
}

#[derive(Deserialize)]
struct BookmarkMeta {
    #[serde(default, rename = "resourceVersion")]
    resource_version: String,
    #[serde(default)]
    annotations: HashMap<String, String>,
}

impl Watched {
    /// Lists the scope by a WATCH that begins with all objects, and watches on. A server that cannot do so is remembered.
    pub(super) async fn stream(&mut self, from: Option<&str>) -> Result<Listed, ClusterError> {
        let call = self
            .call()?
            .with("sendInitialEvents", "true")
            .with("resourceVersionMatch", "NotOlderThan")
            .with_some("resourceVersion", from);
        let (mut resource_version, mut list) = (String::new(), Some(Objects::new()));
        self.reader.list_begins();
        let end = self.events_of(&call, &mut resource_version, &mut list).await;
        match end {
            end if list.is_none() => Ok(Listed { resource_version, end: Some(end) }),
            // 422 where the feature is off, 400 where the parameter is not known; silence where both are passed over.
            End::Broken(ClusterError::Invalid { .. } | ClusterError::Other { code: 400, .. }) | End::Closed => {
                tracing::info!(server = self.transport.server(), "no streaming lists: listing by LIST");
                self.transport.cannot_stream_lists();
                Err(late(&call))
            }
            End::Broken(error) => Err(error),
            End::Gone => Err(ClusterError::Other { code: 410, message: "the list is too old".into() }),
        }
    }

    /// One WATCH request that goes on from a state.
    pub(super) async fn watch(&mut self, resource_version: &mut String) -> End {
        match self.call() {
            Ok(call) => {
                let call = call.with("resourceVersion", resource_version.as_str());
                self.events_of(&call, resource_version, &mut None).await
            }
            Err(error) => End::Broken(error),
        }
    }

    fn call(&self) -> Result<Call, ClusterError> {
        let path = collection(&self.scope.resource, self.scope.namespace.as_deref())?;
        let life = LIFE - Duration::from_secs(random(40));
        let call = Call::get(path).with("watch", "1").with("allowWatchBookmarks", "true");
        Ok(call.with("timeoutSeconds", life.as_secs().to_string()).lane(self.lane))
    }

    async fn events_of(&mut self, call: &Call, resource_version: &mut String, list: &mut Option<Objects>) -> End {
        let transport = Arc::clone(&self.transport);
        let mut opening = std::pin::pin!(timeout(DEADLINE, transport.open(call)));
        let opened = match timeout(GRACE, &mut opening).await {
            Ok(opened) => opened,
            Err(_) => {
                self.stale("the server does not answer");
                transport.doubt();
                opening.await
            }
        };
        match opened {
            Err(_) => End::Broken(late(call)),
            Ok(Err(ClusterError::Other { code: 410, .. })) => End::Gone,
            Ok(Err(error)) => End::Broken(error),
            Ok(Ok(response)) => {
                // While the list comes, what was known before is as old as it was.
                if list.is_none() {
                    self.heard();
                }
                let life = LIFE + Duration::from_secs(30);
                let events = self.events(response.into_body(), resource_version, list);
                timeout(life, events).await.unwrap_or(End::Closed)
            }
        }
    }

    async fn events(&mut self, mut body: Body, resource_version: &mut String, list: &mut Option<Objects>) -> End {
        let mut pending = Vec::new();
        loop {
            let silence = if list.is_some() { SILENCE_IN_LIST } else { SILENCE };
            let frame = match timeout(silence, body.frame()).await {
                Err(_) | Ok(None) => return End::Closed,
                Ok(Some(Err(error))) => return End::Broken(self.transport.unreachable(&error)),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            let (mut from, mut line) = (pending.len(), 0);
            pending.extend_from_slice(&data);
            while let Some(end) = pending[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) {
                if let Some(end) = self.event(&pending[line..end], resource_version, list) {
                    return end;
                }
                (from, line) = (end + 1, end + 1);
            }
            pending.drain(..line);
            if list.is_none() && pending.is_empty() {
                // What a large list took need not be kept for the small events after it.
                pending.shrink_to(64 << 10);
            }
        }
    }

    fn event(&mut self, line: &[u8], resource_version: &mut String, list: &mut Option<Objects>) -> Option<End> {
        match self.take_event(line, resource_version, list) {
            Ok(end) => end,
            Err(error) => {
                let message = format!("an event is not as it should be: {error}");
                Some(End::Broken(ClusterError::Other { code: 200, message }))
            }
        }
    }

    fn take_event(
        &mut self,
        line: &[u8],
        resource_version: &mut String,
        list: &mut Option<Objects>,
    ) -> Result<Option<End>, serde_json::Error> {
        let event: Event<'_> = serde_json::from_slice(line)?;
        match event.kind.as_ref() {
            "ERROR" => {
                let status: Value = serde_json::from_str(event.object.get())?;
                let code = status.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
                let code = code.unwrap_or(500);
                return Ok(Some(if code == 410 { End::Gone } else { End::Broken(self.said(code, &status)) }));
            }
            "BOOKMARK" => {
                let Bookmark { metadata } = serde_json::from_str(event.object.get())?;
                if !metadata.resource_version.is_empty() {
                    *resource_version = metadata.resource_version;
                }
                let ends = metadata.annotations.get(LIST_ENDS).is_some_and(|value| value == "true");
                match list.take() {
                    Some(objects) if ends => {
                        self.reader.list_ended();
                        self.replace(objects);
                    }
                    unfinished => *list = unfinished,
                }
                if list.is_none() {
                    self.change(|state| state.heard = Some(Instant::now()));
                }
            }
            kind @ ("ADDED" | "MODIFIED" | "DELETED") => {
                let (id, object) = self.reader.read(event.object.get().as_bytes())?;
                if !object.resource_version().is_empty() {
                    object.resource_version().clone_into(resource_version);
                }
                match (list, kind) {
                    (None, "DELETED") => self.take(&id, None),
                    (None, _) => self.take(&id, Some(object)),
                    (Some(list), "DELETED") => {
                        list.remove(key(&self.scope, &id).as_ref());
                    }
                    (Some(list), _) => {
                        list.insert(key(&self.scope, &id).as_ref().into(), Arc::new(object));
                    }
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn said(&self, status: u16, body: &Value) -> ClusterError {
        answer::refused(&Refused {
            server: self.transport.server(),
            what: &self.what(),
            write: false,
            deadline: LIFE,
            status,
            retry_after: None,
            body: body.to_string().as_bytes(),
            mask: &Mask::default(),
        })
    }
}
