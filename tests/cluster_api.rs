//! The cluster module against a real API server: what its answers mean, what watches see, and what is kept in the cluster.
//! kubectl is the judge where it can be. Needs `DRIFTDECK_TEST_KUBECONFIG` with the contexts `admin` and `viewer`; each test works in
//! a namespace of its own.

use driftdeck::{
    cluster::{ApplyRequest, ClusterError, Known, LiveChange, LiveObject, Resource, Scope, Session, Target},
    object::{GroupKind, ObjectId},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
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
    let text = std::fs::read_to_string(&world.kubeconfig).unwrap().replace("16443", "1");
    let file = tempfile::NamedTempFile::new().unwrap();
    let at = text.find("server: 'https://").unwrap();
    let end = at + 9 + text[at + 9..].find('\'').unwrap();
    std::fs::write(file.path(), format!("{}https://127.0.0.1:1{}", &text[..at + 9], &text[end..])).unwrap();
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
    let session = world.session("viewer").await;
    let secrets = world.scope(&session, "Secret");
    let maps = world.scope(&session, "ConfigMap");
    let mut things = maps.clone();
    things.resource = Resource { group: "example.com".into(), plural: "things".into(), ..things.resource };
    session.live().want("app", BTreeSet::from([secrets.clone(), maps.clone(), things.clone()]));
    let failed = async |scope: &Scope| {
        eventually("the refusal", async || match session.live().object(scope, &world.id("", "Secret", "a")) {
            Known::Failed(error) => Some(error.to_string()),
            _ => None,
        })
        .await
    };
    let error = failed(&secrets).await;
    assert!(error.contains("list") && error.contains("secrets") && error.contains(&world.namespace), "{error}");
    let error = failed(&things).await;
    assert!(error.contains("list things.example.com in namespace") && error.contains(&world.namespace), "{error}");
    eventually("the rest goes on", async || known(&session, &maps, &world.id("", "ConfigMap", "a"))).await;
}
