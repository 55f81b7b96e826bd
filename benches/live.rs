//! What live objects cost: a list taken in, snapshots, single events, reading back. The API server is a stand-in on a local socket that
//! answers from memory, so that only this side is measured. `cargo bench --bench live`; figures for whole processes: `benches/whole_process.sh`.

use divan::{Bencher, counter::ItemsCount};
use driftdeck::{
    cluster::{Follower, Interest, Known, LiveCache, Scope, Session, Snapshot, Target},
    object::{GroupKind, ObjectId, Packed},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    runtime::Runtime,
    sync::broadcast,
};

fn main() {
    divan::main();
}

/// A Deployment as a server has it, of about four kilobytes, no two alike.
fn deployment(index: usize, version: usize) -> Value {
    let env: Vec<Value> = (0..8)
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value-{}", index * 31 + n * 17)}))
        .collect();
    let fields: Value = (0..8)
        .map(|n| (format!("k:{{\"name\":\"SETTING_{n}\"}}"), json!({".": {}, "f:name": {}, "f:value": {}})))
        .collect();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("app-{index:05}"), "namespace": "bench", "uid": format!("{index:08x}-0000-4000-8000-{:012x}", index * 7919),
            "resourceVersion": version.to_string(), "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app.kubernetes.io/name": format!("app-{index:05}"), "app.kubernetes.io/part-of": "bench", "team": format!("team-{}", index % 13)},
            "annotations": {"deployment.kubernetes.io/revision": "1", "checksum/config": format!("{:064x}", index * 104_729)},
            "managedFields": [
                {"manager": "driftdeck", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {}, "f:team": {}}, "f:annotations": {"f:checksum/config": {}}},
                    "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {
                        ".": {}, "f:name": {}, "f:image": {}, "f:env": fields, "f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}, "f:requests": {"f:cpu": {}, "f:memory": {}}}}}}}}}},
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "subresource": "status",
                    "fieldsV1": {"f:status": {"f:conditions": {".": {}, "k:{\"type\":\"Available\"}": {".": {}, "f:type": {}, "f:status": {}, "f:reason": {}}}, "f:observedGeneration": {}}}}]},
        "spec": {"progressDeadlineSeconds": 600, "replicas": 0, "revisionHistoryLimit": 10, "selector": {"matchLabels": {"app": format!("app-{index:05}")}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
            "template": {"metadata": {"labels": {"app": format!("app-{index:05}")}}, "spec": {
                "containers": [{"name": "main", "image": format!("registry.example.com/team/app-{index}:1.{}.0", index % 40), "imagePullPolicy": "IfNotPresent", "env": env,
                    "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler", "securityContext": {}, "terminationGracePeriodSeconds": 30}}},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability.",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z"}]}
    })
}

/// A server on a local socket, and a session that is connected to it.
struct World {
    runtime: Runtime,
    session: Session,
    scope: Scope,
    events: broadcast::Sender<String>,
    _kubeconfig: tempfile::NamedTempFile,
}

impl World {
    fn new(objects: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let mut list = String::new();
        for index in 0..objects {
            list.push_str(&json!({"type": "ADDED", "object": deployment(index, 1)}).to_string());
            list.push('\n');
        }
        let end = json!({"metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}});
        list.push_str(&json!({"type": "BOOKMARK", "object": end}).to_string());
        list.push('\n');
        let (events, _) = broadcast::channel(1024);
        let (session, kubeconfig) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
            let address = listener.local_addr().expect("its address");
            tokio::spawn(serve(listener, list.into(), events.clone()));
            let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
            let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}], "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
            std::fs::write(kubeconfig.path(), config.to_string()).expect("it is written");
            let target = Target { kubeconfig: Some(kubeconfig.path().into()), ..Target::default() };
            (Session::connect(&target).await.expect("a session"), kubeconfig)
        });
        let kind = GroupKind { group: "apps".into(), kind: "Deployment".into() };
        let resource = session.catalog().preferred(&kind).expect("Deployments are served").clone();
        let scope = Scope { resource, namespace: Some("bench".into()) };
        Self { runtime, session, scope, events, _kubeconfig: kubeconfig }
    }
    fn cache(&self) -> &LiveCache {
        self.session.live()
    }
    fn follow(&self) -> Follower {
        let follower = self.cache().follow();
        follower.want(Interest { scopes: BTreeSet::from([self.scope.clone()]), ..Interest::default() });
        follower
    }
    /// Follows, and waits for the list.
    fn listed(&self) -> (Follower, Snapshot) {
        let follower = self.follow();
        self.runtime.block_on(async {
            while !matches!(self.cache().snapshot(&self.scope), Known::Known { .. }) {
                tokio::time::timeout(Duration::from_secs(60), follower.moved()).await.expect("a list");
            }
        });
        let Known::Known { value, .. } = self.cache().snapshot(&self.scope) else { unreachable!("it was known") };
        (follower, value)
    }
    fn id(&self, index: usize) -> ObjectId {
        ObjectId {
            group: "apps".into(),
            kind: "Deployment".into(),
            namespace: Some("bench".into()),
            name: format!("app-{index:05}"),
        }
    }
}

/// Answers HTTP/1.1: what a session asks first, the list as a watch's beginning, and the events after it.
async fn serve(listener: TcpListener, list: Arc<str>, events: broadcast::Sender<String>) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let (list, mut events) = (Arc::clone(&list), events.subscribe());
        tokio::spawn(async move {
            let mut socket = BufReader::new(socket);
            loop {
                let (mut request, mut length) = (String::new(), 0);
                if socket.read_line(&mut request).await.unwrap_or(0) == 0 {
                    return;
                }
                loop {
                    let mut header = String::new();
                    socket.read_line(&mut header).await.unwrap_or(0);
                    if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap_or(0);
                    }
                    if header.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                let _ = tokio::io::AsyncReadExt::read_exact(&mut socket, &mut body).await;
                let path = request.split(' ').nth(1).unwrap_or_default();
                if path.contains("watch=1") {
                    let head =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                    let _ = socket.write_all(head.as_bytes()).await;
                    if path.contains("sendInitialEvents") {
                        for part in list.as_bytes().chunks(64 << 10) {
                            let _ = socket.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await;
                            let _ = socket.write_all(part).await;
                            let _ = socket.write_all(b"\r\n").await;
                        }
                    }
                    let _ = socket.flush().await;
                    while let Ok(event) = events.recv().await {
                        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                        if socket.write_all(chunk.as_bytes()).await.is_err() || socket.flush().await.is_err() {
                            return;
                        }
                    }
                    return;
                }
                let answer = answer(path).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                let _ = socket.write_all(format!("{head}{answer}").as_bytes()).await;
                let _ = socket.flush().await;
            }
        });
    }
}

fn answer(path: &str) -> Value {
    match path {
        "/version" => json!({"gitVersion": "v1.36.0"}),
        "/api" => json!({"kind": "APIGroupDiscoveryList", "items": []}),
        "/apis" => {
            json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
            {"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced", "verbs": ["list", "watch"]}]}]}]})
        }
        "/api/v1/namespaces/kube-system" => json!({"metadata": {"uid": "u"}}),
        _ => json!({"status": {"userInfo": {"username": "bench"}}}),
    }
}

/// The list of a scope, from the first byte asked for to the snapshot.
#[divan::bench(args = [100, 1_000, 10_000], sample_count = 10)]
fn list(bencher: Bencher<'_, '_>, objects: usize) {
    let world = World::new(objects);
    bencher.counter(ItemsCount::new(objects)).bench_local(|| {
        let (follower, snapshot) = world.listed();
        assert_eq!(snapshot.len(), objects);
        follower
    });
}

/// A snapshot, and every object looked up in it: what a comparison does that finds nothing new.
#[divan::bench(args = [100, 1_000, 10_000])]
fn look_at_all(bencher: Bencher<'_, '_>, objects: usize) {
    let world = World::new(objects);
    let _followed = world.listed();
    let ids: Vec<ObjectId> = (0..objects).map(|index| world.id(index)).collect();
    bencher.counter(ItemsCount::new(objects)).bench_local(|| {
        let Known::Known { value, .. } = world.cache().snapshot(&world.scope) else { unreachable!("it is known") };
        ids.iter().filter(|id| value.get(id).is_some()).count()
    });
}

/// One event among this many objects, from the server's write to the follower's waking.
#[divan::bench(args = [100, 10_000])]
fn one_event(bencher: Bencher<'_, '_>, objects: usize) {
    let world = World::new(objects);
    let (follower, snapshot) = world.listed();
    drop(snapshot);
    let mut version = 1;
    bencher.bench_local(|| {
        version += 1;
        let mut object = deployment(version % objects, version);
        object["spec"]["replicas"] = json!(version);
        world.events.send(format!("{}\n", json!({"type": "MODIFIED", "object": object}))).expect("somebody watches");
        let wait = async { tokio::time::timeout(Duration::from_secs(10), follower.moved()).await.expect("the event") };
        world.runtime.block_on(wait)
    });
}

/// One object read back.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let packed = Packed::value(&deployment(1, 1));
    bencher.bench_local(|| packed.read().expect("it was packed"));
}

/// One object packed.
#[divan::bench]
fn pack(bencher: Bencher<'_, '_>) {
    let text = deployment(1, 1).to_string();
    bencher.bench_local(|| Packed::text(text.as_bytes(), None));
}
