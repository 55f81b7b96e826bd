//! The cluster module against a real API server: what its answers mean, and what watches see. kubectl is the judge where it can be. Needs
//! `DRIFTDECK_TEST_KUBECONFIG` with the contexts `admin` and `viewer`; each test works in a namespace of its own.

mod cluster_world;

use base64::Engine;
use cluster_world::{DEADLINE, World, eventually, resource};
use driftdeck::{
    cluster::{ClusterError, Follower, Interest, Known, LiveObject, PART_OF, Resource, Scope, Session, Target},
    object::ObjectId,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

impl World {
    /// Writes the kubeconfig again with another address of the server.
    fn kubeconfig_at(&self, server: &str) -> tempfile::NamedTempFile {
        let mut config: Value =
            serde_json::from_str(&self.kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"])).unwrap();
        config["clusters"][0]["cluster"]["server"] = server.into();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config.to_string()).unwrap();
        file
    }
    /// Returns host and port of the server.
    fn address(&self) -> String {
        let server = self.kubectl(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
        server.trim_start_matches("https://").to_owned()
    }
    fn scope(&self, session: &Session, kind: &str) -> Scope {
        Scope { resource: resource(session, "", kind), namespace: Some(self.namespace.clone()) }
    }
}

#[tokio::test]
async fn a_session_knows_its_server_its_user_and_what_is_served() {
    let Some(world) = World::new("session") else { return };
    let admin = world.session("admin").await;
    assert_eq!(
        admin.cluster_id(),
        world.kubectl(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
    );
    let version: Value = serde_json::from_str(&world.kubectl(&["version", "-o", "json"])).unwrap();
    assert_eq!(format!("v{}", admin.version()), version["serverVersion"]["gitVersion"].as_str().unwrap());
    assert_eq!((admin.context(), admin.user()), ("admin", "admin"));
    assert!(admin.ping().await.unwrap() < DEADLINE);
    let served = world.kubectl(&["api-resources", "--verbs=list", "--no-headers", "-o", "name"]);
    let preferred: BTreeSet<String> = admin
        .catalog()
        .resources
        .iter()
        .map(|r| if r.group.is_empty() { r.plural.clone() } else { format!("{}.{}", r.plural, r.group) })
        .collect();
    assert_eq!(preferred, served.lines().map(|line| line.trim().to_owned()).collect());
    assert!(admin.catalog().api_versions().contains(&"apps/v1/Deployment".to_owned()));
    let viewer = world.session("viewer").await;
    assert_eq!(viewer.user(), "viewer");
    let maps = resource(&viewer, "", "ConfigMap");
    assert!(viewer.may("list", &maps, Some(&world.namespace)).await.unwrap());
    assert!(!viewer.may("patch", &maps, Some(&world.namespace)).await.unwrap());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let Some(world) = World::new("unreachable") else { return };
    let file = world.kubeconfig_at("https://127.0.0.1:1");
    let target = Target { kubeconfig: Some(file.path().into()), ..Target::default() };
    match Session::connect(&target).await.err() {
        Some(ClusterError::Unreachable { server, reason }) => {
            assert_eq!(server, "https://127.0.0.1:1");
            assert!(reason.contains("refused"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_apply_creates_updates_and_says_which() {
    let Some(world) = World::new("apply") else { return };
    let session = world.session("admin").await;
    let mut request = world.apply(&session, world.config_map("a", json!({"k": "1"})));
    request.dry_run = true;
    assert!(session.apply(&request).await.unwrap().created);
    assert_eq!(session.get(&request.resource, &request.id).await.unwrap(), None);
    request.dry_run = false;
    let first = session.apply(&request).await.unwrap();
    assert!(first.created && first.warnings.is_empty());
    let again = session.apply(&request).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.object.resource_version, first.object.resource_version);
    let live = world.get("configmap", "a");
    assert_eq!(live["metadata"]["managedFields"][0]["manager"], "driftdeck");
    assert_eq!(live["metadata"]["managedFields"][0]["operation"], "Apply");
    assert_eq!(session.get(&request.resource, &request.id).await.unwrap(), Some(LiveObject::new(live)));
}

#[tokio::test]
async fn a_deprecated_kind_brings_the_servers_warning() {
    let Some(world) = World::new("warning") else { return };
    let session = world.session("admin").await;
    let body =
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "e", "namespace": world.namespace}});
    let applied = session.apply(&world.apply(&session, body)).await.unwrap();
    assert!(applied.warnings.iter().any(|warning| warning.contains("deprecated")), "{:?}", applied.warnings);
}

#[tokio::test]
async fn a_field_of_another_manager_is_a_conflict_with_its_name() {
    let Some(world) = World::new("conflict") else { return };
    let session = world.session("admin").await;
    let mut request = world.apply(&session, world.config_map("a", json!({"k": "1"})));
    session.apply(&request).await.unwrap();
    world.kubectl(&[
        "-n",
        &world.namespace,
        "patch",
        "configmap",
        "a",
        "--field-manager=hand",
        "--type=merge",
        "-p",
        r#"{"data":{"k":"2"}}"#,
    ]);
    match session.apply(&request).await {
        Err(ClusterError::Conflicts { conflicts, .. }) => {
            let conflict = &conflicts[0];
            assert_eq!(
                (conflict.manager.as_str(), conflict.operation.as_str(), conflict.field.as_str()),
                ("hand", "Update", ".data.k")
            );
        }
        other => panic!("{other:?}"),
    }
    request.force = true;
    session.apply(&request).await.unwrap();
    assert_eq!(world.get("configmap", "a")["data"]["k"], "1");
}

#[tokio::test]
async fn a_moved_replaced_or_vanished_object_is_not_written() {
    let Some(world) = World::new("moved") else { return };
    let session = world.session("admin").await;
    let request = world.apply(&session, world.config_map("a", json!({"k": "1"})));
    let seen = session.apply(&request).await.unwrap().object;
    let expecting = |uid: &str, resource_version: &str| {
        let mut request = request.clone();
        request.force = true;
        request.body["data"]["k"] = "3".into();
        request.body["metadata"]["uid"] = uid.into();
        request.body["metadata"]["resourceVersion"] = resource_version.into();
        request
    };
    world.kubectl(&["-n", &world.namespace, "annotate", "configmap", "a", "x=y"]);
    let moved = world.get("configmap", "a");
    let stale = session.apply(&expecting(&seen.uid, &seen.resource_version)).await;
    assert!(matches!(stale, Err(ClusterError::Precondition { .. })), "{stale:?}");
    let fresh = moved["metadata"]["resourceVersion"].as_str().unwrap();
    let replaced = session.apply(&expecting("00000000-0000-0000-0000-000000000001", fresh)).await;
    assert!(matches!(replaced, Err(ClusterError::Precondition { .. })), "{replaced:?}");
    assert_eq!(world.get("configmap", "a"), moved);
    world.kubectl(&["-n", &world.namespace, "delete", "configmap", "a"]);
    let vanished = session.apply(&expecting(&seen.uid, fresh)).await;
    assert!(matches!(vanished, Err(ClusterError::Precondition { .. })), "{vanished:?}");
    assert_eq!(session.get(&request.resource, &request.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_the_server_refuses_says_what_to_mend() {
    let Some(world) = World::new("refused") else { return };
    let session = world.session("admin").await;
    let unknown_field = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "namespace": world.namespace},
        "spec": {"replicsa": 3, "selector": {"matchLabels": {"a": "w"}}, "template": {"metadata": {"labels": {"a": "w"}}, "spec": {"containers": [{"name": "one", "image": "i"}]}}}});
    match session.apply(&world.apply(&session, unknown_field)).await {
        Err(ClusterError::Invalid { message }) => assert!(message.contains(".spec.replicsa"), "{message}"),
        other => panic!("{other:?}"),
    }
    let mut elsewhere = world.apply(&session, world.config_map("a", json!({})));
    elsewhere.id.namespace = Some("dd-nowhere".into());
    elsewhere.body["metadata"]["namespace"] = "dd-nowhere".into();
    match session.apply(&elsewhere).await {
        Err(ClusterError::NotFound { message }) => assert_eq!(message, "namespaces \"dd-nowhere\" not found"),
        other => panic!("{other:?}"),
    }
    let mut unknown_kind = world.apply(&session, world.config_map("a", json!({})));
    unknown_kind.resource = Resource { group: "example.com".into(), plural: "things".into(), ..unknown_kind.resource };
    let unknown_kind_scope =
        Scope { resource: unknown_kind.resource.clone(), namespace: Some(world.namespace.clone()) };
    assert!(matches!(session.apply(&unknown_kind).await, Err(ClusterError::NotFound { .. })));
    assert_eq!(session.list(&unknown_kind_scope, None).await.unwrap(), []);
    let viewer = world.session("viewer").await;
    match viewer.apply(&world.apply(&viewer, world.config_map("a", json!({})))).await {
        Err(ClusterError::Forbidden { message }) => {
            assert!(
                message.contains("viewer") && message.contains("patch") && message.contains(&world.namespace),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    let large = "x".repeat(3_200_000);
    let too_large = session.apply(&world.apply(&session, world.config_map("a", json!({ "k": large })))).await;
    assert!(matches!(too_large, Err(ClusterError::Invalid { .. })), "{too_large:?}");
    let mut secret = world.config_map("s", json!({"password": "not base64 hunter2"}));
    secret["kind"] = "Secret".into();
    let error = session.apply(&world.apply(&session, secret)).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn an_exec_plugin_on_the_list_logs_in_and_one_that_fails_says_why() {
    let Some(world) = World::new("plugin") else { return };
    let mut config: Value =
        serde_json::from_str(&world.kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"])).unwrap();
    let user = config["users"].as_array_mut().unwrap().iter_mut().find(|user| user["name"] == "admin").unwrap();
    let pem = |field: &str| {
        String::from_utf8(base64::prelude::BASE64_STANDARD.decode(user["user"][field].as_str().unwrap()).unwrap())
            .unwrap()
    };
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"clientCertificateData": pem("client-certificate-data"), "clientKeyData": pem("client-key-data")}});
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    // It reads what it may of the operator's keys first: there must be nothing.
    let script =
        file("login.sh", "test -z \"$(cat)\" && test -n \"$2\" || { echo 'token expired' >&2; exit 3; }; cat \"$1\"");
    let credential = file("credential.json", &credential.to_string());
    let mut plugin = |argument: &str| {
        let user = config["users"].as_array_mut().unwrap().iter_mut().find(|user| user["name"] == "admin").unwrap();
        user["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "IfAvailable",
            "command": "sh", "args": [script, credential, argument]}});
        Target {
            kubeconfig: Some(file("config", &config.to_string())),
            exec_plugins: vec!["sh".into()],
            ..world.target("admin")
        }
    };
    let target = plugin("go");
    assert_eq!(Session::connect(&target).await.unwrap().user(), "admin");
    let refused = Session::connect(&Target { exec_plugins: vec![], ..target }).await.err();
    assert!(matches!(refused, Some(ClusterError::ExecPlugin { .. })), "{refused:?}");
    let error = Session::connect(&plugin("")).await.err().unwrap().to_string();
    assert!(error.contains("token expired") && !error.contains("PRIVATE KEY"), "{error}");
}

#[tokio::test]
async fn an_impersonated_user_has_that_users_rights() {
    let Some(world) = World::new("impersonate") else { return };
    let target = Target { impersonate: Some("nobody-special".into()), ..world.target("admin") };
    let session = Session::connect(&target).await.unwrap();
    assert_eq!(session.user(), "nobody-special");
    let maps = resource(&session, "", "ConfigMap");
    assert!(!session.may("list", &maps, Some(&world.namespace)).await.unwrap());
}

#[tokio::test]
async fn only_the_object_that_was_seen_is_deleted() {
    let Some(world) = World::new("delete") else { return };
    let session = world.session("admin").await;
    let request = world.apply(&session, world.config_map("a", json!({"k": "1"})));
    let seen = session.apply(&request).await.unwrap().object;
    let delete =
        async |uid: &str, rv: Option<&str>| session.delete(&request.resource, &request.id, uid, rv, DEADLINE).await;
    let wrong = delete("00000000-0000-0000-0000-000000000001", None).await;
    assert!(matches!(wrong, Err(ClusterError::Precondition { .. })), "{wrong:?}");
    let stale = delete(&seen.uid, Some("1")).await;
    assert!(matches!(stale, Err(ClusterError::Precondition { .. })), "{stale:?}");
    assert_eq!(world.get("configmap", "a")["metadata"]["uid"], seen.uid);
    delete(&seen.uid, Some(&seen.resource_version)).await.unwrap();
    assert_eq!(session.get(&request.resource, &request.id).await.unwrap(), None);
    delete(&seen.uid, None).await.unwrap();
}

/// Watches scopes for as long as the follower lives.
fn follow(session: &Session, scopes: &[&Scope]) -> Follower {
    let follower = session.live().follow();
    let scopes = scopes.iter().map(|scope| (*scope).clone()).collect();
    follower.want(Interest { scopes, ..Interest::default() });
    follower
}

/// Returns what is known of an object that is not pending.
fn known(session: &Session, scope: &Scope, id: &ObjectId) -> Option<Option<Value>> {
    match session.live().object(scope, id) {
        Known::Known { value, stale: None } => Some(value.map(|object| object.read().unwrap().body["data"].clone())),
        _ => None,
    }
}

#[tokio::test]
async fn a_watch_sees_creates_updates_and_deletes() {
    let Some(world) = World::new("watch") else { return };
    let session = world.session("admin").await;
    let (scope, id) = (world.scope(&session, "ConfigMap"), world.id("", "ConfigMap", "a"));
    assert!(matches!(session.live().object(&scope, &id), Known::Pending));
    let follower = follow(&session, &[&scope]);
    assert_eq!(eventually("the first list", async || known(&session, &scope, &id)).await, None);
    let n = &world.namespace;
    world.kubectl(&["-n", n, "create", "configmap", "a", "--from-literal=k=1"]);
    eventually("the create", async || known(&session, &scope, &id)?.filter(|data| data["k"] == "1")).await;
    world.kubectl(&[
        "-n",
        n,
        "patch",
        "configmap",
        "a",
        "--type=merge",
        "-p",
        r#"{"data":{"k":"2"},"metadata":{"labels":{"applyset.kubernetes.io/part-of":"z"}}}"#,
    ]);
    eventually("the update", async || known(&session, &scope, &id)?.filter(|data| data["k"] == "2")).await;
    let Known::Known { value: snapshot, .. } = session.live().snapshot(&scope) else { panic!("known") };
    let members = snapshot.members("z", |_| true);
    assert_eq!(members.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&id]);
    let read = members[0].1.read().unwrap();
    assert_eq!((&read.body["kind"], &read.body["metadata"]["labels"][PART_OF]), (&json!("ConfigMap"), &json!("z")));
    assert_eq!(read.body, world.get("configmap", "a"));
    world.kubectl(&["-n", n, "delete", "configmap", "a"]);
    eventually("the delete", async || known(&session, &scope, &id).filter(Option::is_none)).await;
    assert!(session.live().age(&BTreeSet::from([scope.clone()])).unwrap() < DEADLINE);
    let seen = follower.take();
    assert!(seen.scopes && seen.objects.contains(&id), "{seen:?}");
    drop(follower);
    assert!(matches!(session.live().object(&scope, &id), Known::Pending));
}

#[tokio::test]
async fn what_may_not_be_watched_names_verb_resource_and_namespace() {
    let Some(world) = World::new("forbidden") else { return };
    let (viewer, admin) = (world.session("viewer").await, world.session("admin").await);
    let secrets = world.scope(&viewer, "Secret");
    let maps = world.scope(&viewer, "ConfigMap");
    let mut things = maps.clone();
    things.resource = Resource { group: "example.com".into(), plural: "things".into(), ..things.resource };
    let _followers = [follow(&viewer, &[&secrets, &maps]), follow(&admin, &[&things])];
    let failed = async |session: &Session, scope: &Scope| {
        eventually("the refusal", async || match session.live().object(scope, &world.id("", "Secret", "a")) {
            Known::Failed(error) => Some(error.to_string()),
            _ => None,
        })
        .await
    };
    let error = failed(&viewer, &secrets).await;
    assert!(error.contains("cannot watch") && error.contains("secrets") && error.contains(&world.namespace), "{error}");
    let error = failed(&admin, &things).await;
    assert!(error.contains("list things.example.com in namespace") && error.contains(&world.namespace), "{error}");
    eventually("the rest goes on", async || known(&viewer, &maps, &world.id("", "ConfigMap", "a"))).await;
}

/// A line to the server that can be cut.
struct Wire {
    listener: Option<tokio::net::TcpListener>,
    address: std::net::SocketAddr,
    upstream: String,
    connections: tokio::task::JoinHandle<()>,
}

impl Wire {
    async fn to(upstream: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut wire = Self { listener: Some(listener), address, upstream, connections: tokio::spawn(async {}) };
        wire.carry();
        wire
    }
    fn carry(&mut self) {
        let (listener, upstream) = (self.listener.take().unwrap(), self.upstream.clone());
        self.connections = tokio::spawn(async move {
            // Dropped with the task: so all its connections end at once.
            let mut carried = tokio::task::JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let upstream = upstream.clone();
                carried.spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(upstream).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
    }
    fn cut(&mut self) {
        self.connections.abort();
    }
    async fn mend(&mut self) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.listener = Some(socket.listen(64).unwrap());
        self.carry();
    }
}

#[tokio::test]
async fn a_cut_line_is_told_within_two_seconds_and_what_happened_meanwhile_is_caught_up() {
    let Some(world) = World::new("cut") else { return };
    let mut wire = Wire::to(world.address()).await;
    let file = world.kubeconfig_at(&format!("https://{}", wire.address));
    let target = Target { kubeconfig: Some(file.path().into()), context: Some("admin".into()), ..Target::default() };
    let session = Session::connect(&target).await.unwrap();
    let n = &world.namespace;
    world.kubectl(&["-n", n, "create", "configmap", "a", "--from-literal=k=1"]);
    world.kubectl(&["-n", n, "create", "configmap", "b", "--from-literal=k=1"]);
    let scope = world.scope(&session, "ConfigMap");
    let (a, b) = (world.id("", "ConfigMap", "a"), world.id("", "ConfigMap", "b"));
    let _follower = follow(&session, &[&scope]);
    eventually("both", async || known(&session, &scope, &a)?.and(known(&session, &scope, &b)?)).await;
    wire.cut();
    let cut = Instant::now();
    let reason = eventually("stale", async || match session.live().object(&scope, &a) {
        Known::Known { value: Some(_), stale: Some((_, reason)) } => Some(reason),
        _ => None,
    })
    .await;
    assert!(cut.elapsed() < Duration::from_secs(2), "{:?}", cut.elapsed());
    assert!(reason.contains("cannot be reached"), "{reason}");
    world.kubectl(&["-n", n, "delete", "configmap", "b"]);
    world.kubectl(&["-n", n, "patch", "configmap", "a", "--type=merge", "-p", r#"{"data":{"k":"2"}}"#]);
    wire.mend().await;
    eventually("the update", async || known(&session, &scope, &a)?.filter(|data| data["k"] == "2")).await;
    eventually("the delete", async || known(&session, &scope, &b).filter(Option::is_none)).await;
}

/// A CRD of this test's own; deleted at the end.
struct Crd<'a> {
    world: &'a World,
    group: String,
}

impl Crd<'_> {
    fn apply(&self, properties: Value) {
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("things.{}", self.group)},
            "spec": {"group": self.group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                    "properties": {"spec": {"type": "object", "properties": properties}}}}}]}});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), crd.to_string()).unwrap();
        self.world.kubectl(&["apply", "-f", file.path().to_str().unwrap()]);
    }
}

impl Drop for Crd<'_> {
    fn drop(&mut self) {
        let name = format!("things.{}", self.group);
        let _ = self.world.command(&["delete", "crd", &name, "--wait=false"]).output();
    }
}

#[tokio::test]
async fn schemas_come_from_the_server_then_from_disk_and_follow_a_crd() {
    let Some(world) = World::new("schemas") else { return };
    let cache = tempfile::tempdir().unwrap();
    let target = Target { cache: Some(cache.path().into()), ..world.target("admin") };
    let session = Session::connect(&target).await.unwrap();
    let crd = Crd { world: &world, group: format!("s{}.example.com", std::process::id()) };
    let things = format!("{}/v1", crd.group);
    let wanted = BTreeSet::from(["apps/v1".to_owned(), "v1".to_owned(), things.clone()]);
    let schemas = session.schemas(&wanted).await.unwrap();
    assert!(schemas.kind("apps/v1", "Deployment").is_some() && schemas.kind("v1", "ConfigMap").is_some());
    assert!(schemas.kind(&things, "Thing").is_none());
    let kept = || std::fs::read_dir(cache.path().join("openapi")).unwrap().count();
    assert_eq!(kept(), 2);
    let colour = async || {
        let schemas = session.schemas(&wanted).await.unwrap();
        let kind = schemas.kind(&things, "Thing")?;
        let spec = kind.root.map()?.field("spec")?;
        Some(spec.value.map()?.field("colour").is_some())
    };
    crd.apply(json!({"size": {"type": "integer"}}));
    session.rediscover().await.unwrap();
    eventually("the new kind", async || colour().await.filter(|colour| !colour)).await;
    crd.apply(json!({"size": {"type": "integer"}, "colour": {"type": "string"}}));
    session.rediscover().await.unwrap();
    eventually("the new field", async || colour().await.filter(|colour| *colour)).await;
    let again = Session::connect(&target).await.unwrap();
    assert!(again.schemas(&wanted).await.unwrap().kind("apps/v1", "Deployment").is_some());
    assert_eq!(kept(), 4, "nothing was fetched twice");
}
