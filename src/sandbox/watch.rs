//! The changes of a collection as they come: one JSON document a line, until the client or the time limit ends it.
//!
//! A watch without a `resourceVersion` begins with what is there. With `sendInitialEvents` (KEP-3157) it ends that part
//! with a bookmark. What the history has forgotten is an `ERROR` of 410: the client lists again.

use super::{
    answer::{Answer, Body, Form},
    api::{Api, Call, Scope},
    catalog::Resource,
    convert,
    failure::Failure,
    read::{version_expired, version_of},
    selector::Selector,
    store::{Change, Event, Range, Record},
    table,
};
use futures::stream;
use http::{Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Bytes;
use hyper::body::Frame;
use serde_json::{Value, json};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Between bookmarks of a quiet watch, as the server sends them.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// Without `timeoutSeconds`, as the server picks at random from half an hour on.
const TIME_LIMIT: Duration = Duration::from_secs(45 * 60);

/// Answers a watch.
///
/// # Errors
/// 400 and 504.
pub(super) async fn watch(api: &Arc<Api>, call: &Call<'_>) -> Result<Answer, Failure> {
    let form = Form::of(call.headers)?;
    let initial = call.query.is("sendInitialEvents");
    let asked = version_of(call)?;
    if initial && call.query.get("resourceVersionMatch") != Some("NotOlderThan") {
        return Err(forbidden_match());
    }
    let current = api.store.revision();
    if asked.is_some_and(|asked| asked > current) {
        return Err(Failure::too_large_version(asked.unwrap_or_default(), current));
    }
    let limit = call.query.number("timeoutSeconds").map_or(TIME_LIMIT, Duration::from_secs);
    let mut watcher = Watcher {
        scope: call.scope(),
        selector: call.selector()?,
        form,
        include: call.query.get("includeObject").map(str::to_owned),
        bookmarks: call.query.is("allowWatchBookmarks"),
        seen: asked.unwrap_or_default(),
        told: asked.unwrap_or_default(),
        columns_told: false,
        ready: VecDeque::new(),
        durable: api.store.durable(),
        stopped: api.stopped.clone(),
        until: Instant::now() + limit,
        bookmark: Instant::now() + BOOKMARKS,
        done: false,
        api: api.clone(),
    };
    if initial || asked.unwrap_or_default() == 0 {
        watcher.begin(initial).await?;
    }
    let lines = stream::unfold(watcher, |mut watcher| async move {
        let line = watcher.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(line)), watcher))
    });
    let body: Body = StreamBody::new(lines).boxed_unsync();
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    Ok(answer)
}

fn forbidden_match() -> Failure {
    let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    let cause = super::failure::Cause::forbidden("resourceVersionMatch", why);
    Failure::invalid("meta.k8s.io", "ListOptions", "", &[cause])
}

struct Watcher {
    api: Arc<Api>,
    scope: Scope,
    selector: Selector,
    form: Form,
    include: Option<String>,
    bookmarks: bool,
    /// The revision up to which changes were looked at.
    seen: u64,
    /// The revision that the client knows of.
    told: u64,
    columns_told: bool,
    ready: VecDeque<Bytes>,
    durable: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    until: Instant,
    bookmark: Instant,
    done: bool,
}

impl Watcher {
    /// Begins with what is there.
    async fn begin(&mut self, mark: bool) -> Result<(), Failure> {
        let range = Range {
            collection: &self.scope.resource.collection,
            namespace: self.scope.namespace.as_deref(),
            after: None,
            limit: 0,
            at: None,
        };
        let page = self.api.store.list(range).unwrap_or_default();
        self.api.settled(page.revision).await?;
        for (key, record) in page.records {
            if self.scope.has(&key) && (self.selector.is_empty() || self.selector.matches(&record.read())) {
                self.tell("ADDED", &record);
            }
        }
        self.seen = page.revision;
        self.told = page.revision;
        if mark && self.bookmarks {
            self.tell_bookmark(true);
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.done {
                return None;
            }
            self.look();
            if !self.ready.is_empty() || self.done {
                continue;
            }
            tokio::select! {
                biased;
                changed = self.stopped.changed() => self.done = changed.is_err() || *self.stopped.borrow(),
                () = tokio::time::sleep_until(self.until) => {
                    self.done = true;
                    if self.bookmarks && self.seen > self.told {
                        self.tell_bookmark(false);
                    }
                }
                changed = self.durable.changed() => self.done = changed.is_err(),
                () = tokio::time::sleep_until(self.bookmark), if self.bookmarks => self.tell_bookmark(false),
            }
        }
    }

    /// Takes up the changes since the last look.
    fn look(&mut self) {
        self.durable.borrow_and_update();
        match self.api.store.events(self.seen, |key| self.scope.has(key)) {
            Ok((events, until)) => {
                for event in events {
                    self.take(&event);
                }
                self.seen = until;
            }
            Err(too_old) => {
                let status = version_expired(self.seen, too_old).status();
                self.ready.push_back(line("ERROR", status.to_string().as_bytes()));
                self.done = true;
            }
        }
    }

    /// To who selects, an object comes when it begins to match and goes when it no longer does.
    fn take(&mut self, event: &Event) {
        let record = Record { revision: event.revision, body: event.body.clone() };
        let kind = if self.selector.is_empty() {
            match event.change {
                Change::Added => "ADDED",
                Change::Modified => "MODIFIED",
                Change::Deleted => "DELETED",
            }
        } else {
            let matches = |record: &Record| self.selector.matches(&record.read());
            let was = event.before.as_ref().is_some_and(matches);
            let is = event.change != Change::Deleted && matches(&record);
            match (was, is) {
                (false, false) => return,
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
            }
        };
        self.tell(kind, &record);
        self.told = event.revision;
    }

    fn tell(&mut self, kind: &str, record: &Record) {
        let resource: &Resource = &self.scope.resource;
        let object = match self.form {
            Form::Table => {
                let object = convert::from_storage(resource, record.read());
                let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
                let mut table = table::of(resource, &[object], self.include.as_deref(), !self.columns_told);
                table["metadata"] = json!({"resourceVersion": version});
                self.columns_told = true;
                table.to_string().into_bytes()
            }
            form => super::answer::object(resource, record, form, None),
        };
        self.ready.push_back(line(kind, &object));
    }

    fn tell_bookmark(&mut self, end_of_initial: bool) {
        let mut metadata = json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        if end_of_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let resource = &self.scope.resource;
        let object = match self.form {
            Form::Json => json!({"kind": resource.kind, "apiVersion": resource.api_version(), "metadata": metadata}),
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table => {
                let row = json!({"cells": [], "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}});
                json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": Value::Array(Vec::new()),
                    "metadata": {"resourceVersion": self.seen.to_string()}, "rows": [row]})
            }
        };
        self.ready.push_back(line("BOOKMARK", object.to_string().as_bytes()));
        self.told = self.seen;
        self.bookmark = Instant::now() + BOOKMARKS;
    }
}

fn line(kind: &str, object: &[u8]) -> Bytes {
    let head = format!("{{\"type\":{kind:?},\"object\":");
    [head.as_bytes(), object, b"}\n"].concat().into()
}
