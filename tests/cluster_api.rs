//! The cluster module against a real API server: what its answers mean, what watches see, and what is kept in the cluster.
//! kubectl is the judge where it can be. Needs `DRIFTDECK_TEST_KUBECONFIG` with the contexts `admin` and `viewer`; each test works in
//! a namespace of its own.

use base64::Engine;
use driftdeck::{
    cluster::{
        ApplyRequest, ClusterError, Inventory, Known, Lease, LeaseError, LeaseTiming, LiveChange, LiveObject, PART_OF,
        RecordApproval, RecordHead, RecordPayload, RecordStep, Resource, Scope, Session, Target, lease, record, set_id,
    },
    object::{GroupKind, ObjectId},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(10);

/// A namespace on the real server, deleted at the end.
struct World {
    kubeconfig: PathBuf,
    namespace: String,
}

impl World {
    /// Makes the namespace; none, with a line that says so, where there is no server to test against.
    fn new(name: &str) -> Option<Self> {
        let Some(kubeconfig) = std::env::var_os("DRIFTDECK_TEST_KUBECONFIG") else {
            eprintln!("skipped: 1 test against a real API server: {name} (DRIFTDECK_TEST_KUBECONFIG is not set)");
            return None;
        };
        let world = Self { kubeconfig: kubeconfig.into(), namespace: format!("dd-{name}-{}", std::process::id()) };
        world.kubectl(&["create", "namespace", &world.namespace]);
        Some(world)
    }
    async fn session(&self, context: &str) -> Session {
        Session::connect(&self.target(context)).await.unwrap()
    }
    fn target(&self, context: &str) -> Target {
        Target { kubeconfig: Some(self.kubeconfig.clone()), context: Some(context.into()), ..Target::default() }
    }
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
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--context", "admin"]).args(arguments);
        command
    }
    /// Runs kubectl as admin and returns what it prints.
    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("kubectl runs");
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
    fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&[
            "-n",
            &self.namespace,
            "get",
            kind,
            name,
            "-o",
            "json",
            "--show-managed-fields",
        ]))
        .unwrap()
    }
    fn id(&self, group: &str, kind: &str, name: &str) -> ObjectId {
        ObjectId { group: group.into(), kind: kind.into(), namespace: Some(self.namespace.clone()), name: name.into() }
    }
    fn config_map(&self, name: &str, data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.namespace}, "data": data})
    }
    fn apply(&self, session: &Session, body: Value) -> ApplyRequest {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (group, _) = driftdeck::object::split_api_version(body["apiVersion"].as_str().unwrap());
        let id = self.id(group, &text("/kind"), &text("/metadata/name"));
        ApplyRequest {
            resource: resource(session, group, &id.kind),
            id,
            body,
            force: false,
            dry_run: false,
            deadline: DEADLINE,
        }
    }
    fn scope(&self, session: &Session, kind: &str) -> Scope {
        Scope { resource: resource(session, "", kind), namespace: Some(self.namespace.clone()) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self
            .command(&["delete", "namespace", &self.namespace, "--wait=false"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn resource(session: &Session, group: &str, kind: &str) -> Resource {
    session.catalog().preferred(&GroupKind { group: group.into(), kind: kind.into() }).unwrap().clone()
}

/// Waits until `look` gives something, and fails after ten seconds.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
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

/// Returns what is known of an object that is not pending.
fn known(session: &Session, scope: &Scope, id: &ObjectId) -> Option<Option<Value>> {
    match session.live().object(scope, id) {
        Known::Known { value, stale: None } => Some(value.map(|object| object.body["data"].clone())),
        _ => None,
    }
}

#[tokio::test]
async fn a_watch_sees_creates_updates_and_deletes() {
    let Some(world) = World::new("watch") else { return };
    let session = world.session("admin").await;
    let (scope, id) = (world.scope(&session, "ConfigMap"), world.id("", "ConfigMap", "a"));
    assert!(matches!(session.live().object(&scope, &id), Known::Pending));
    let mut changes = session.live().changes();
    session.live().want("app", BTreeSet::from([scope.clone()]));
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
        r#"{"data":{"k":"2"},"metadata":{"labels":{"x/y":"z"}}}"#,
    ]);
    eventually("the update", async || known(&session, &scope, &id)?.filter(|data| data["k"] == "2")).await;
    let Known::Known { value: labelled, .. } = session.live().labelled(&scope, "x/y", "z") else { panic!("known") };
    assert_eq!(labelled.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), [id.clone()]);
    assert_eq!(labelled[0].1.body["kind"], "ConfigMap");
    world.kubectl(&["-n", n, "delete", "configmap", "a"]);
    eventually("the delete", async || known(&session, &scope, &id).filter(Option::is_none)).await;
    assert!(session.live().age(&BTreeSet::from([scope.clone()])).unwrap() < DEADLINE);
    let mut seen = Vec::new();
    while let Ok(change) = changes.try_recv() {
        seen.push(change);
    }
    assert!(seen.contains(&LiveChange { scope: scope.clone(), id: Some(id.clone()) }), "{seen:?}");
    assert!(seen.contains(&LiveChange { scope: scope.clone(), id: None }), "{seen:?}");
    session.live().want("app", BTreeSet::new());
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
    viewer.live().want("app", BTreeSet::from([secrets.clone(), maps.clone()]));
    admin.live().want("app", BTreeSet::from([things.clone()]));
    let failed = async |session: &Session, scope: &Scope| {
        eventually("the refusal", async || match session.live().object(scope, &world.id("", "Secret", "a")) {
            Known::Failed(error) => Some(error.to_string()),
            _ => None,
        })
        .await
    };
    let error = failed(&viewer, &secrets).await;
    assert!(error.contains("list") && error.contains("secrets") && error.contains(&world.namespace), "{error}");
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
    session.live().want("app", BTreeSet::from([scope.clone()]));
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

#[tokio::test]
async fn an_inventory_is_an_applyset_that_kubectl_would_have_named_alike() {
    let Some(world) = World::new("inventory") else { return };
    let session = world.session("admin").await;
    let n = world.namespace.clone();
    assert_eq!(Inventory::read(&session, &n, "shop").await.unwrap(), None);
    let mut inventory = Inventory::new(&n, "shop");
    inventory.source = "git.example.com/shop apps".into();
    inventory.annotations.insert("driftdeck.dev/pin".into(), "abc".into());
    let (map, role) = (world.id("", "ConfigMap", "a"), "rbac.authorization.k8s.io/ClusterRole/x".parse().unwrap());
    assert!(inventory.widen([&map, &role]));
    inventory.write(&session).await.unwrap();
    let read = Inventory::read(&session, &n, "shop").await.unwrap().unwrap();
    assert_eq!(read, inventory);
    let mut late = Inventory::new(&n, "shop");
    assert!(matches!(late.write(&session).await, Err(ClusterError::Precondition { .. })), "two creates");
    // A setting that is taken away is gone, also from the object that the first write made.
    let mut second = read.clone();
    second.annotations.clear();
    assert!(second.narrow([&map]));
    second.write(&session).await.unwrap();
    let live = world.get("configmap", "driftdeck-shop");
    assert_eq!(live["metadata"]["annotations"].get("driftdeck.dev/pin"), None);
    assert_eq!(live["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"], "ConfigMap");
    assert!(matches!(inventory.write(&session).await, Err(ClusterError::Precondition { .. })), "a stale write");
    assert_eq!(world.get("configmap", "driftdeck-shop"), live);

    // Its members, by label.
    let mut member = world.config_map("a", json!({"k": "1"}));
    member["metadata"]["labels"] = json!({(PART_OF): set_id(&n, "shop")});
    session.apply(&world.apply(&session, member)).await.unwrap();
    world.kubectl(&["-n", &n, "create", "configmap", "stranger"]);
    let members = second.members(&session).await.unwrap();
    assert_eq!(members.found.iter().map(|member| &member.id).collect::<Vec<_>>(), [&map]);
    second.kinds.insert(GroupKind { group: "example.com".into(), kind: "Thing".into() });
    assert_eq!(second.members(&session).await.unwrap().unserved.len(), 1);

    // kubectl's own set under such a name has the same id, and is not ours to touch.
    let manifest = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(manifest.path(), world.config_map("of-kubectl", json!({})).to_string()).unwrap();
    let file = manifest.path().to_str().unwrap();
    let applied = world
        .command(&["-n", &n, "apply", "--prune", "--applyset=configmaps/driftdeck-theirs", "-f", file])
        .env("KUBECTL_APPLYSET", "true")
        .output()
        .unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let theirs = world.get("configmap", "driftdeck-theirs");
    assert_eq!(theirs["metadata"]["labels"]["applyset.kubernetes.io/id"], set_id(&n, "theirs"));
    let error = Inventory::read(&session, &n, "theirs").await.unwrap_err();
    assert!(matches!(error, ClusterError::ForeignInventory { .. }) && error.to_string().contains("kubectl"), "{error}");
    // And kubectl refuses ours in turn.
    let refused = world
        .command(&["-n", &n, "apply", "--prune", "--applyset=configmaps/driftdeck-shop", "-f", file])
        .env("KUBECTL_APPLYSET", "true")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("driftdeck"), "{words}");
}

fn head(digest: &str, minute: u32) -> RecordHead {
    let time = |second: u32| format!("2026-01-31T12:{minute:02}:{second:02}Z").parse().unwrap();
    let approval = RecordApproval { user: "admin".into(), os_user: "me".into(), host: "here".into(), time: time(1) };
    RecordHead {
        name: String::new(),
        uid: String::new(),
        format: record::RECORD_FORMAT,
        application: "shop".into(),
        digest: digest.into(),
        issued: time(0),
        approval,
        started: time(2),
        finished: None,
        outcome: None,
        revision: "1".repeat(40),
        branch: "main".into(),
        source: "git.example.com/shop".into(),
        path: "apps".into(),
        renderer: "yaml".into(),
        options: json!({"recurse": true}),
        pruned: false,
        skipped_objects: vec![],
        skipped_hunks: vec![],
        steps: vec![],
        applied: BTreeMap::new(),
        payload: RecordPayload::default(),
        running: None,
        parts: vec![],
    }
}

/// Text that does not compress.
fn noise(length: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    })
    .take(length)
    .collect()
}

#[tokio::test]
async fn a_record_reads_back_and_its_approval_works_once() {
    let Some(world) = World::new("record") else { return };
    let session = world.session("admin").await;
    let n = world.namespace.clone();
    let large = noise(600_000);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": n,
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "canary-in-the-annotation"}},
        "data": {"token": "Y2FuYXJ5LWluLWRhdGE="}, "stringData": {"note": "canary-in-string-data"}});
    let objects = BTreeMap::from([
        (world.id("", "ConfigMap", "a"), world.config_map("a", json!({ "k": large }))),
        (world.id("", "Secret", "s"), secret),
    ]);
    let mut first = head("sha256:aa", 0);
    first.steps = (0..2000)
        .map(|index| RecordStep {
            object: world.id("", "ConfigMap", &format!("map-{index}")),
            action: "create".into(),
            result: Some("created".into()),
            message: "m".repeat(300),
            seconds: 0.25,
            uid: Some("u".into()),
            resource_version: Some("1".into()),
        })
        .collect();
    record::create(&session, &n, &mut first, &objects).await.unwrap();
    assert!(first.parts.len() > 1 && first.payload.chunks.len() > 1, "{:?} {:?}", first.parts, first.payload);
    let mut again = head("sha256:aa", 0);
    let used = record::create(&session, &n, &mut again, &objects).await;
    assert!(matches!(used, Err(ClusterError::Precondition { .. })), "{used:?}");
    first.applied = first.steps.iter().map(|step| (step.object.clone(), first.name.clone())).collect();
    first.finished = Some(first.started);
    first.outcome = Some("Succeeded".into());
    record::update(&session, &n, &mut first).await.unwrap();
    let mut second = head("sha256:bb", 1);
    record::create(&session, &n, &mut second, &objects).await.unwrap();
    assert_eq!(second.payload, first.payload, "the same content is stored once");
    assert_eq!(record::list(&session, &n, "shop").await.unwrap(), [second, first.clone()]);
    assert_eq!(record::list(&session, &n, "other").await.unwrap(), []);

    let read = record::payload(&session, &n, &first).await.unwrap().unwrap();
    assert_eq!(read[&world.id("", "ConfigMap", "a")]["data"]["k"], large);
    assert_eq!(read[&world.id("", "Secret", "s")]["data"], json!({"token": null}));

    // Sizes, and no value of a Secret anywhere: judged by kubectl's own view of everything in the namespace.
    let all: Value =
        serde_json::from_str(&world.kubectl(&["-n", &n, "get", "configmaps,secrets", "-o", "json"])).unwrap();
    let chunks: Vec<Vec<u8>> = first
        .payload
        .chunks
        .iter()
        .map(|name| all["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == **name).unwrap())
        .map(|item| {
            assert_eq!(item["type"], "driftdeck.dev/payload.v1");
            base64::prelude::BASE64_STANDARD.decode(item["data"]["chunk"].as_str().unwrap()).unwrap()
        })
        .collect();
    assert!(chunks.iter().all(|chunk| chunk.len() <= 512 << 10));
    for item in all["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "ConfigMap") {
        for (key, text) in item["data"].as_object().into_iter().flatten() {
            let limit = if key == "record.json" { 64 << 10 } else { 512 << 10 };
            assert!(key == "ca.crt" || text.as_str().unwrap().len() <= limit, "{key}");
        }
    }
    let unpacked = String::from_utf8(zstd::decode_all(&chunks.concat()[..]).unwrap()).unwrap();
    assert!(unpacked.contains("\"token\""));
    for text in [unpacked, all.to_string()] {
        assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "a Secret's value was stored");
    }

    // A chunk that somebody changed is noticed.
    let chunk = &first.payload.chunks[0];
    world.kubectl(&["-n", &n, "patch", "secret", chunk, "--type=merge", "-p", r#"{"data":{"chunk":"AAAA"}}"#]);
    let damaged = record::payload(&session, &n, &first).await;
    assert!(matches!(damaged, Err(ClusterError::Invalid { .. })), "{damaged:?}");
    world.kubectl(&["-n", &n, "delete", "configmap", &first.name]);
    let gone = record::update(&session, &n, &mut first).await;
    assert!(matches!(gone, Err(ClusterError::Precondition { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_payload_that_is_too_large_leaves_the_head_alone() {
    let Some(world) = World::new("omitted") else { return };
    let session = world.session("admin").await;
    let text = noise(900_000);
    let map = |index: usize| {
        let name = format!("m{index}");
        (world.id("", "ConfigMap", &name), world.config_map(&name, json!({ "k": format!("{index}{}", &text[index..]).chars().rev().collect::<String>() + &noise(index * 7919 % 1000) })))
    };
    let objects: BTreeMap<_, _> = (0..2).map(map).collect();
    let mut fits = head("sha256:aa", 0);
    record::create(&session, &world.namespace, &mut fits, &objects).await.unwrap();
    assert!(!fits.payload.omitted);
    let shuffled = |seed: usize| {
        text.bytes().map(|byte| char::from(b'!' + (usize::from(byte) * (seed + 3) % 89) as u8)).collect::<String>()
    };
    let objects: BTreeMap<_, _> = (0..8)
        .map(|index| {
            let name = format!("m{index}");
            (world.id("", "ConfigMap", &name), world.config_map(&name, json!({ "k": shuffled(index) })))
        })
        .collect();
    let mut large = head("sha256:bb", 1);
    record::create(&session, &world.namespace, &mut large, &objects).await.unwrap();
    assert!(large.payload.omitted && large.payload.reason.contains("rollback needs Git"), "{:?}", large.payload);
    assert_eq!(record::payload(&session, &world.namespace, &large).await.unwrap(), None);
}

#[tokio::test]
async fn old_records_go_but_those_that_a_kept_one_names() {
    let Some(world) = World::new("trim") else { return };
    let session = world.session("admin").await;
    let n = world.namespace.clone();
    let mut names: Vec<String> = Vec::new();
    for minute in 0..24 {
        let mut head = head(&format!("sha256:{minute}"), minute);
        let objects = BTreeMap::from([(
            world.id("", "ConfigMap", "a"),
            world.config_map("a", json!({ "k": minute.to_string() })),
        )]);
        if minute == 23 {
            head.applied = BTreeMap::from([(world.id("", "ConfigMap", "a"), names[1].clone())]);
        }
        record::create(&session, &n, &mut head, &objects).await.unwrap();
        names.push(head.name);
    }
    record::trim(&session, &n, "shop").await.unwrap();
    let kept: Vec<String> =
        record::list(&session, &n, "shop").await.unwrap().into_iter().map(|head| head.name).collect();
    let expected: Vec<String> = names[4..].iter().rev().chain([&names[1]]).cloned().collect();
    assert_eq!(kept, expected);
    let chunks = world.kubectl(&["-n", &n, "get", "secrets", "-l", "driftdeck.dev/kind=payload", "-o", "name"]);
    assert_eq!(chunks.lines().count(), 21);
    for head in record::list(&session, &n, "shop").await.unwrap() {
        assert!(record::payload(&session, &n, &head).await.unwrap().is_some());
    }
}

const SHORT: LeaseTiming = LeaseTiming {
    life: Duration::from_millis(1200),
    renew: Duration::from_millis(300),
    settle: Duration::from_millis(300),
    margin: Duration::from_millis(1000),
};

#[tokio::test]
async fn one_holder_at_a_time_and_a_released_lease_is_free_at_once() {
    let Some(world) = World::new("lease") else { return };
    let session = world.session("admin").await;
    let n = world.namespace.clone();
    assert_eq!(lease::peek(&session, &n, "shop").await.unwrap(), None);
    for round in 0..2 {
        let first = Lease::acquire(&session, &n, "shop", "ann@here", SHORT).await.unwrap();
        assert!(first.holder().starts_with("ann@here#"));
        first.check(Duration::from_millis(100)).unwrap();
        assert!(matches!(first.check(Duration::from_secs(2)), Err(LeaseError::Lost(_))), "longer than the margin");
        match Lease::acquire(&session, &n, "shop", "bob@there", SHORT).await {
            Err(LeaseError::Held { holder, renewed }) => {
                assert_eq!(holder, first.holder());
                assert!(renewed.is_some());
            }
            other => panic!("round {round}: {other:?}"),
        }
        // A hand that touches the Lease does not cost it.
        world.kubectl(&["-n", &n, "annotate", "--overwrite", "lease", "driftdeck-shop", &format!("round={round}")]);
        let touched = Instant::now();
        eventually("a renewal after it", async || (first.age() < touched.elapsed()).then_some(())).await;
        first.check(Duration::from_millis(100)).unwrap();
        first.release().await.unwrap();
        let state = lease::peek(&session, &n, "shop").await.unwrap().unwrap();
        assert_eq!(state.holder, None, "round {round}");
    }
    let at_once = Instant::now();
    let next = Lease::acquire(&session, &n, "shop", "bob@there", LeaseTiming::default()).await.unwrap();
    assert!(at_once.elapsed() < Duration::from_secs(3));
    next.release().await.unwrap();
}

#[tokio::test]
async fn a_silent_holder_is_waited_out_and_then_knows_it() {
    let Some(world) = World::new("takeover") else { return };
    let session = world.session("admin").await;
    let n = world.namespace.clone();
    // A process that was killed leaves its Lease behind.
    drop(Lease::acquire(&session, &n, "shop", "ann@here", SHORT).await.unwrap());
    let start = Instant::now();
    let second = Lease::acquire(&session, &n, "shop", "bob@there", SHORT).await.unwrap();
    assert!(start.elapsed() >= SHORT.life + SHORT.settle, "{:?}", start.elapsed());
    assert!(lease::peek(&session, &n, "shop").await.unwrap().unwrap().holder.unwrap().starts_with("bob@there#"));
    // Somebody who takes it by force is noticed.
    world.kubectl(&[
        "-n",
        &n,
        "patch",
        "lease",
        "driftdeck-shop",
        "--type=merge",
        "-p",
        r#"{"spec":{"holderIdentity":"eve"}}"#,
    ]);
    eventually("the loss", async || {
        second.check(Duration::ZERO).err().filter(|error| error.to_string().contains("lost"))
    })
    .await;
    second.release().await.unwrap();
    assert_eq!(lease::peek(&session, &n, "shop").await.unwrap().unwrap().holder.as_deref(), Some("eve"));
}

#[tokio::test]
async fn without_rights_on_leases_the_holder_is_unknown() {
    let Some(world) = World::new("leaserights") else { return };
    let target = Target { impersonate: Some("nobody-special".into()), ..world.target("admin") };
    let session = Session::connect(&target).await.unwrap();
    let n = world.namespace.clone();
    assert!(matches!(lease::peek(&session, &n, "shop").await, Err(LeaseError::Forbidden(_))));
    let refused = Lease::acquire(&session, &n, "shop", "x@y", SHORT).await;
    assert!(matches!(refused, Err(LeaseError::Forbidden(_))), "{refused:?}");
}
