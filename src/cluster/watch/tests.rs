//! A watch against a server that forgets, hangs up and refuses.

use super::*;
use crate::cluster::{Known, LiveCache, Resource};
use http::{Request, Response};
use serde_json::json;
use std::{collections::BTreeSet, sync::Mutex};

/// Answers in turn; the last one again and again.
type Script = Vec<(u16, String)>;

fn cache(lists: Script, watches: Script) -> (LiveCache, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let scripts = Arc::new(Mutex::new((lists, watches)));
    let seen = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let mut scripts = scripts.lock().unwrap();
        let script = if uri.contains("watch=1") { &mut scripts.1 } else { &mut scripts.0 };
        let (status, body) = if script.len() > 1 { script.remove(0) } else { script[0].clone() };
        seen.lock().unwrap().push(uri);
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

fn object(name: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": version.to_string()}})
}

fn list_of(version: u32, names: &[&str]) -> (u16, String) {
    let items: Vec<_> = names.iter().map(|name| object(name, version)).collect();
    (200, json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}).to_string())
}

fn events(lines: &[Value]) -> (u16, String) {
    (200, lines.iter().map(|line| format!("{line}\n")).collect())
}

async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < Duration::from_secs(10), "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn names(cache: &LiveCache) -> Vec<String> {
    let find = |name: &&str| {
        let id = ObjectId {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("n".into()),
            name: (*name).into(),
        };
        matches!(cache.object(&scope(), &id), Known::Known { value: Some(_), .. })
    };
    ["a", "b", "c", "d"].iter().filter(|name| find(name)).map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn after_410_the_new_list_shows_what_was_deleted_meanwhile() {
    let gone =
        json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}});
    let (cache, asked) = cache(
        vec![list_of(5, &["a", "b"]), list_of(9, &["b", "c"])],
        vec![events(&[json!({"type": "ADDED", "object": object("d", 6)}), gone]), (410, "{}".into())],
    );
    let mut changes = cache.changes();
    cache.want("app", BTreeSet::from([scope()]));
    until("the second list", || names(&cache) == ["b", "c"]).await;
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].contains("resourceVersion=0"), "{asked:?}");
    assert!(asked[1].contains("resourceVersion=5") && asked[1].contains("allowWatchBookmarks=true"), "{asked:?}");
    assert!(!asked[2].contains("resourceVersion="), "a list after 410 must be the newest: {asked:?}");
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        told.push(change.id.map(|id| id.name));
    }
    assert_eq!(told[..3], [None, Some("d".into()), None]);
}

#[tokio::test]
async fn a_watch_goes_on_from_the_last_bookmark() {
    let bookmark = json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}});
    let (cache, asked) = cache(
        vec![list_of(5, &["a"])],
        vec![events(&[json!({"type": "DELETED", "object": object("a", 6)}), bookmark]), events(&[])],
    );
    cache.want("app", BTreeSet::from([scope()]));
    until("the next watch", || asked.lock().unwrap().len() > 2).await;
    assert!(asked.lock().unwrap()[2].contains("resourceVersion=77"));
    assert!(names(&cache).is_empty());
}

#[tokio::test]
async fn an_event_split_over_frames_and_one_that_is_no_json_do_no_harm() {
    let mut broken = events(&[json!({"type": "ADDED", "object": object("b", 6)})]);
    broken.1.push_str("{\"type\": \n");
    let (cache, _) = cache(vec![list_of(5, &["a"])], vec![broken, (500, "{\"message\": \"etcd\"}".into())]);
    cache.want("app", BTreeSet::from([scope()]));
    until("the event before", || names(&cache) == ["a", "b"]).await;
    until("stale", || matches!(cache.labelled(&scope(), "x", "y"), Known::Known { stale: Some(_), .. })).await;
}

#[tokio::test]
async fn a_refused_scope_fails_until_it_is_permitted() {
    let forbidden =
        "{\"message\": \"configmaps is forbidden: User \\\"v\\\" cannot list resource \\\"configmaps\\\"\"}";
    let (cache, _) = cache(vec![(403, forbidden.into()), list_of(5, &["a"])], vec![events(&[])]);
    cache.want("app", BTreeSet::from([scope()]));
    until("the refusal", || matches!(cache.labelled(&scope(), "x", "y"), Known::Failed(_))).await;
    assert!(cache.age(&BTreeSet::from([scope()])).is_none());
    // Somebody new needs it: it is tried again within seconds.
    cache.want("other", BTreeSet::from([scope()]));
    until("the list", || names(&cache) == ["a"]).await;
    assert!(cache.age(&BTreeSet::from([scope()])).is_some());
    cache.want("app", BTreeSet::new());
    assert_eq!(names(&cache), ["a"], "the other still needs it");
    cache.want("other", BTreeSet::new());
    assert!(names(&cache).is_empty());
}

#[tokio::test]
async fn a_server_that_fails_at_first_is_an_error_and_then_recovers() {
    let mut lists = vec![(500, "{\"message\": \"starting\"}".to_owned()); 4];
    lists.push(list_of(5, &["a"]));
    let (cache, _) = cache(lists, vec![events(&[])]);
    cache.want("app", BTreeSet::from([scope()]));
    until("the error", || matches!(cache.labelled(&scope(), "x", "y"), Known::Failed(_))).await;
    until("the list", || names(&cache) == ["a"]).await;
}
