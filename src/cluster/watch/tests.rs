//! A watch against a server that forgets, hangs up and refuses; one that lists by its watches, and one that does not.

use super::*;
use crate::cluster::{Follower, Interest, Known, LiveCache, LiveChanges, Resource};
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Mutex};

/// Answers in turn; the last one again and again.
type Script = Vec<(u16, String)>;
type Asked = Arc<Mutex<Vec<String>>>;

/// A server that lists by LIST only; what it was asked, without the question whether it can do otherwise.
fn cache(lists: Script, watches: Script) -> (LiveCache, Asked) {
    let refusal = json!({"reason": "Invalid", "message": "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"});
    server(lists, watches, vec![(422, refusal.to_string())])
}

fn server(lists: Script, watches: Script, streams: Script) -> (LiveCache, Asked) {
    let asked: Asked = Arc::default();
    let scripts = Arc::new(Mutex::new((lists, watches, streams)));
    let seen = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let mut scripts = scripts.lock().unwrap();
        let streams = uri.contains("sendInitialEvents");
        let script = match uri.contains("watch=1") {
            true if streams => &mut scripts.2,
            true => &mut scripts.1,
            false => &mut scripts.0,
        };
        let (status, body) = if script.len() > 1 { script.remove(0) } else { script[0].clone() };
        if !(streams && status == 422) {
            seen.lock().unwrap().push(uri);
        }
        async move {
            Ok::<_, std::convert::Infallible>(
                Response::builder().status(status).body(Body::from(body.into_bytes())).unwrap(),
            )
        }
    });
    let transport = Transport::new(kube::Client::new(service, "default"), "https://api".into());
    (LiveCache::new(Arc::new(transport)), asked)
}

fn scope() -> Scope {
    let resource = Resource {
        group: String::new(),
        version: "v1".into(),
        kind: "ConfigMap".into(),
        plural: "configmaps".into(),
        namespaced: true,
        verbs: vec![],
    };
    Scope { resource, namespace: Some("n".into()) }
}

fn id(name: &str) -> ObjectId {
    ObjectId { group: String::new(), kind: "ConfigMap".into(), namespace: Some("n".into()), name: name.into() }
}

fn object(name: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": version.to_string()}})
}

fn with_data(name: &str, version: u32, data: &str) -> Value {
    let mut object = object(name, version);
    object["data"] = json!({ "k": data });
    object
}

fn list_of(version: u32, names: &[&str]) -> (u16, String) {
    let items: Vec<_> = names.iter().map(|name| object(name, version)).collect();
    (200, json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}).to_string())
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

fn list_ends(version: u32) -> Value {
    event(
        "BOOKMARK",
        json!({"metadata": {"resourceVersion": version.to_string(), "annotations": {"k8s.io/initial-events-end": "true"}}}),
    )
}

fn events(lines: &[Value]) -> (u16, String) {
    (200, lines.iter().map(|line| format!("{line}\n")).collect())
}

fn everything() -> Interest {
    Interest { scopes: BTreeSet::from([scope()]), ..Interest::default() }
}

/// Somebody who wants to know everything of the scope.
fn follow(cache: &LiveCache) -> Follower {
    let follower = cache.follow();
    follower.want(everything());
    follower
}

async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < Duration::from_secs(10), "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn names(cache: &LiveCache) -> Vec<String> {
    let Known::Known { value: snapshot, .. } = cache.snapshot(&scope()) else { return vec![] };
    ["a", "b", "c", "d"]
        .iter()
        .filter(|name| snapshot.get(&id(name)).is_some())
        .map(|name| (*name).to_owned())
        .collect()
}

fn object_moved(name: &str) -> LiveChanges {
    LiveChanges { scopes: false, objects: BTreeSet::from([id(name)]) }
}

#[tokio::test]
async fn after_410_the_new_list_shows_what_was_deleted_meanwhile() {
    let gone = event("ERROR", json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    let (cache, asked) = cache(
        vec![list_of(5, &["a", "b"]), list_of(9, &["b", "c"])],
        vec![events(&[event("ADDED", object("d", 6)), gone]), (410, "{}".into())],
    );
    let follower = follow(&cache);
    until("the second list", || names(&cache) == ["b", "c"]).await;
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].contains("resourceVersion=0"), "{asked:?}");
    assert!(asked[1].contains("resourceVersion=5") && asked[1].contains("allowWatchBookmarks=true"), "{asked:?}");
    assert!(!asked[2].contains("resourceVersion="), "a list after 410 must be the newest: {asked:?}");
    assert_eq!(follower.moved().await, LiveChanges { scopes: true, objects: BTreeSet::from([id("d")]) });
}

#[tokio::test]
async fn a_watch_goes_on_from_the_last_bookmark() {
    let bookmark = event("BOOKMARK", json!({"metadata": {"resourceVersion": "77"}}));
    let (cache, asked) =
        cache(vec![list_of(5, &["a"])], vec![events(&[event("DELETED", object("a", 6)), bookmark]), events(&[])]);
    let _follower = follow(&cache);
    until("the next watch", || asked.lock().unwrap().len() > 2).await;
    assert!(asked.lock().unwrap()[2].contains("resourceVersion=77"));
    assert!(names(&cache).is_empty());
}

#[tokio::test]
async fn an_event_split_over_frames_and_one_that_is_no_json_do_no_harm() {
    let mut broken = events(&[event("ADDED", object("b", 6))]);
    broken.1.push_str("{\"type\": \n");
    let (cache, _) = cache(vec![list_of(5, &["a"])], vec![broken, (500, "{\"message\": \"etcd\"}".into())]);
    let _follower = follow(&cache);
    until("the event before", || names(&cache) == ["a", "b"]).await;
    until("stale", || matches!(cache.snapshot(&scope()), Known::Known { stale: Some(_), .. })).await;
}

#[tokio::test]
async fn a_refused_scope_fails_until_it_is_permitted() {
    let forbidden =
        "{\"message\": \"configmaps is forbidden: User \\\"v\\\" cannot list resource \\\"configmaps\\\"\"}";
    let (cache, _) = cache(vec![(403, forbidden.into()), list_of(5, &["a"])], vec![events(&[])]);
    let one = follow(&cache);
    until("the refusal", || matches!(cache.snapshot(&scope()), Known::Failed(_))).await;
    assert!(cache.age(&BTreeSet::from([scope()])).is_none());
    // Somebody new needs it: it is tried again within seconds.
    let other = follow(&cache);
    until("the list", || names(&cache) == ["a"]).await;
    assert!(cache.age(&BTreeSet::from([scope()])).is_some());
    one.want(Interest::default());
    assert_eq!(names(&cache), ["a"], "the other still needs it");
    drop(other);
    assert!(names(&cache).is_empty(), "nobody needs it any more");
}

#[tokio::test]
async fn a_server_that_fails_at_first_is_an_error_and_then_recovers() {
    let mut lists = vec![(500, "{\"message\": \"starting\"}".to_owned()); 4];
    lists.push(list_of(5, &["a"]));
    let (cache, _) = cache(lists, vec![events(&[])]);
    let _follower = follow(&cache);
    until("the error", || matches!(cache.snapshot(&scope()), Known::Failed(_))).await;
    until("the list", || names(&cache) == ["a"]).await;
}

#[tokio::test]
async fn a_server_that_can_is_listed_by_its_watch_and_followed_by_the_same() {
    let first = events(&[
        event("ADDED", with_data("a", 3, "1")),
        event("ADDED", object("b", 4)),
        list_ends(5),
        event("DELETED", object("b", 6)),
        event("ADDED", object("c", 7)),
    ]);
    let (cache, asked) = server(vec![(500, "{}".into())], vec![events(&[])], vec![first]);
    let _follower = follow(&cache);
    until("list and events", || names(&cache) == ["a", "c"]).await;
    until("the watch that goes on", || asked.lock().unwrap().len() > 1).await;
    let asked = asked.lock().unwrap().clone();
    for part in ["watch=1", "sendInitialEvents=true", "resourceVersionMatch=NotOlderThan", "resourceVersion=0"] {
        assert!(asked[0].contains(part), "{part} in {asked:?}");
    }
    assert!(asked[1].contains("resourceVersion=7") && !asked[1].contains("sendInitialEvents"), "{asked:?}");
}

#[tokio::test]
async fn half_a_streamed_list_is_no_list() {
    let half = events(&[event("ADDED", object("d", 3))]);
    let (cache, asked) = server(vec![list_of(9, &["a"])], vec![events(&[])], vec![half]);
    let _follower = follow(&cache);
    until("the list by LIST", || names(&cache) == ["a"]).await;
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].contains("sendInitialEvents") && !asked[1].contains("watch=1"), "{asked:?}");
}

#[tokio::test]
async fn a_server_without_streamed_lists_is_asked_for_one_once() {
    let refusal = json!({"message": "unknown parameter", "reason": "BadRequest"}).to_string();
    let (cache, asked) = server(vec![list_of(5, &["a"])], vec![(410, "{}".into())], vec![(400, refusal)]);
    let _follower = follow(&cache);
    until("two lists", || asked.lock().unwrap().iter().filter(|uri| !uri.contains("watch=1")).count() > 1).await;
    assert_eq!(asked.lock().unwrap().iter().filter(|uri| uri.contains("sendInitialEvents")).count(), 1);
}

#[tokio::test]
async fn a_refused_streamed_list_is_a_refusal_and_not_a_missing_feature() {
    let forbidden = "{\"message\": \"configmaps is forbidden: cannot watch\"}";
    let (cache, asked) = server(vec![list_of(5, &["a"])], vec![events(&[])], vec![(403, forbidden.into())]);
    let _follower = follow(&cache);
    until("the refusal", || matches!(cache.snapshot(&scope()), Known::Failed(_))).await;
    assert!(asked.lock().unwrap().iter().all(|uri| uri.contains("sendInitialEvents")));
}

#[tokio::test]
async fn a_large_list_comes_in_pages() {
    let mut first: Value = serde_json::from_str(&list_of(5, &["a", "b"]).1).unwrap();
    first["metadata"]["continue"] = json!("next page");
    let (cache, asked) =
        cache(vec![(200, first.to_string()), list_of(5, &["c"]), (500, "{}".into())], vec![events(&[])]);
    let _follower = follow(&cache);
    until("both pages", || names(&cache) == ["a", "b", "c"]).await;
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].contains("limit=500") && asked[1].contains("continue=next%20page"), "{asked:?}");
}

#[tokio::test]
async fn only_what_says_something_new_about_an_object_of_interest_is_told() {
    let (send, frames) = tokio::sync::mpsc::unbounded_channel::<String>();
    let frames = Arc::new(Mutex::new(Some(frames)));
    // One answer that goes on as long as the test does.
    let service = tower::service_fn(move |_: Request<Body>| {
        let frames = frames.lock().unwrap().take();
        async move {
            let stream = futures::stream::unfold(frames, |frames| async {
                let mut frames = frames?;
                let text = frames.recv().await?;
                Some((
                    Ok::<_, std::convert::Infallible>(hyper::body::Frame::data(hyper::body::Bytes::from(text))),
                    Some(frames),
                ))
            });
            let body = http_body_util::StreamBody::new(Box::pin(stream));
            Ok::<_, std::convert::Infallible>(Response::new(body))
        }
    });
    let transport = Transport::new(kube::Client::new(service, "default"), "https://api".into());
    let cache = LiveCache::new(Arc::new(transport));
    let say = |line: Value| send.send(format!("{line}\n")).unwrap();
    let member = |version: u32, part_of: &str| {
        let mut object = with_data("d", version, &version.to_string());
        object["metadata"]["labels"] = json!({ (crate::cluster::PART_OF): part_of });
        object
    };
    let all = follow(&cache);
    let mine = cache.follow();
    let ids = Arc::new(BTreeSet::from([Arc::new(id("a"))]));
    mine.want(Interest { objects: Some(ids), part_of: Some("set-1".into()), ..everything() });
    say(event("ADDED", with_data("a", 1, "1")));
    say(list_ends(2));
    assert_eq!((all.moved().await.scopes, mine.moved().await.scopes), (true, true));
    // A new version with the same content, another's object, then a real change: only the last is told to everybody.
    say(event("MODIFIED", with_data("a", 3, "1")));
    say(event("ADDED", object("b", 4)));
    assert_eq!(all.moved().await, object_moved("b"));
    let Known::Known { value: Some(a), .. } = cache.object(&scope(), &id("a")) else { panic!("a is known") };
    assert_eq!(a.resource_version(), "3", "what says nothing new is kept all the same");
    say(event("MODIFIED", with_data("a", 5, "2")));
    assert_eq!((all.moved().await, mine.moved().await), (object_moved("a"), object_moved("a")));
    assert_eq!(a.read().unwrap().body["data"]["k"], "1", "a snapshot does not move under its reader");
    // Objects that come to the inventory, and that leave it.
    for (version, part_of) in [(6, "set-1"), (7, "set-2")] {
        say(event("MODIFIED", member(version, part_of)));
        assert_eq!(mine.moved().await, object_moved("d"));
        assert_eq!(all.moved().await, object_moved("d"));
    }
    say(event("MODIFIED", member(8, "set-2")));
    assert_eq!(all.moved().await, object_moved("d"));
    assert_eq!(mine.take(), LiveChanges::default());
    say(event("DELETED", with_data("a", 9, "2")));
    assert_eq!(mine.moved().await, object_moved("a"));
}
