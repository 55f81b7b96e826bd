//! The engine that follows a cluster, against a real API server: which moves make it look again, and what it finds then.

mod support;

use driftdeck::{
    cluster::{Inventory, PART_OF, Session, Target, set_id},
    config::{Config, Paths},
    engine::{ApplicationView, Comparison, Engine, ObjectState, Options},
    object::ObjectId,
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use support::{Kubectl, World, cluster, shop};

const DEADLINE: Duration = Duration::from_secs(30);

fn engine(world: &World) -> Engine {
    engine_as(world, None)
}

/// The engine as another user.
fn engine_as(world: &World, impersonate: Option<String>) -> Engine {
    let folder = |name: &str| world.folder().join(name);
    let paths = Paths {
        config_file: world.config_file(),
        cache: folder("cache"),
        state: folder("state"),
        data: folder("data"),
    };
    paths.create().unwrap();
    let config = Config::load(&world.config_file()).unwrap();
    Engine::start(config, paths, Options { follow: true, impersonate, ..Options::default() })
}

/// Waits until an application's comparison says something.
async fn until(engine: &Engine, what: &str, look: impl Fn(&Comparison) -> bool) -> Arc<ApplicationView> {
    let mut fleet = engine.fleet();
    let says = |view: &Arc<ApplicationView>| view.comparison.as_deref().is_some_and(&look);
    let found = fleet.wait_for(|fleet| fleet.application("shop").is_some_and(says));
    match tokio::time::timeout(DEADLINE, found).await {
        Ok(fleet) => fleet.unwrap().application("shop").unwrap().clone(),
        Err(_) => panic!("not in time: {what}; at last: {:?}", engine.fleet().borrow().application("shop")),
    }
}

fn state(comparison: &Comparison, kind: &str) -> Option<ObjectState> {
    comparison.objects.iter().find(|object| object.kind == kind).map(|object| object.state)
}

/// A CRD; deleted at the end.
struct Crd<'a>(&'a Kubectl, String);

impl Crd<'_> {
    fn apply(&self) {
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("things.{}", self.1)}, "spec": {"group": self.1, "scope": "Namespaced",
                "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
        self.0.run_with(&["apply", "-f", "-"], &crd.to_string());
        self.0.run(&["wait", "--for=condition=Established", &format!("crd/things.{}", self.1)]);
    }
}

impl Drop for Crd<'_> {
    fn drop(&mut self) {
        self.0.output(&["delete", "crd", &format!("things.{}", self.1), "--wait=false"], None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_of_the_inventory_that_is_served_later_is_found_without_a_restart() {
    let Some(kubectl) = cluster(1, "inventory of a kind that comes later") else { return };
    let namespace = kubectl.namespace("later");
    let namespace = namespace.name();
    let (world, repository) = World::with_shop(&kubectl, namespace);
    shop::commit_first(&repository);
    let crd = Crd(&kubectl, format!("l{}.example.com", std::process::id()));
    // What an earlier sync left behind: an inventory with a kind that nobody serves now.
    let target = Target {
        kubeconfig: Some(kubectl.kubeconfig().into()),
        context: Some(kubectl.context().into()),
        ..Target::default()
    };
    let mut inventory = Inventory::new(namespace, "shop");
    let thing =
        ObjectId { group: crd.1.clone(), kind: "Thing".into(), namespace: Some(namespace.into()), name: "left".into() };
    inventory.widen([&thing]);
    inventory.write(&Session::connect(&target).await.unwrap()).await.unwrap();

    let engine = engine(&world);
    let is_told =
        |comparison: &Comparison| comparison.issues.iter().any(|issue| issue.message.contains("does not serve"));
    until(&engine, "the missing kind", is_told).await;
    crd.apply();
    let object = json!({"apiVersion": format!("{}/v1", crd.1), "kind": "Thing",
        "metadata": {"name": "left", "namespace": namespace, "labels": {(PART_OF): set_id(namespace, "shop")}}});
    kubectl.run_with(&["apply", "-f", "-"], &object.to_string());
    // `r`: everything may be asked again at once, and not only every half minute.
    engine.refresh("shop").unwrap();
    let view = until(&engine, "the member", |comparison| state(comparison, "Thing") == Some(ObjectState::Extra)).await;
    assert!(!is_told(view.comparison.as_deref().unwrap()));
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_shown_at_once_and_what_did_not_move_stays_the_same_object() {
    let Some(kubectl) = cluster(1, "moves and what stays") else { return };
    let namespace = kubectl.namespace("moves");
    let namespace = namespace.name();
    let (world, repository) = World::with_shop(&kubectl, namespace);
    shop::commit_first(&repository);
    let folder = repository.folder().join(shop::PATH);
    kubectl.run(&[
        "apply",
        "--server-side",
        "--field-manager=driftdeck",
        "-n",
        namespace,
        "-f",
        folder.to_str().unwrap(),
    ]);
    let engine = engine(&world);
    let part_of = set_id(namespace, "shop");
    for object in ["configmap/api-env", "service/api", "deployment/api"] {
        kubectl.run(&["label", "--field-manager=driftdeck", "-n", namespace, object, &format!("{PART_OF}={part_of}")]);
    }
    let before = until(&engine, "a comparison of all", |comparison| {
        comparison.objects.iter().all(|object| matches!(object.state, ObjectState::Synced | ObjectState::Changed))
            && comparison.objects.iter().all(|object| object.resource_version.is_some())
            && state(comparison, "ConfigMap") == Some(ObjectState::Synced)
    })
    .await;
    let moved = Instant::now();
    kubectl.run(&[
        "patch",
        "-n",
        namespace,
        "configmap/api-env",
        "--type=merge",
        "-p",
        r#"{"data":{"LOG_LEVEL":"debug"}}"#,
    ]);
    let after =
        until(&engine, "the drift", |comparison| state(comparison, "ConfigMap") == Some(ObjectState::Changed)).await;
    assert!(moved.elapsed() < Duration::from_secs(5), "{:?}", moved.elapsed());
    let of = |view: &ApplicationView, kind: &str| {
        let comparison = view.comparison.as_ref().unwrap();
        Arc::clone(comparison.objects.iter().find(|object| object.kind == kind).unwrap())
    };
    assert!(Arc::ptr_eq(&of(&before, "Service"), &of(&after, "Service")), "the Service was compared again");
    kubectl.run(&["delete", "-n", namespace, "configmap/api-env"]);
    until(&engine, "the deletion", |comparison| state(comparison, "ConfigMap") == Some(ObjectState::Missing)).await;
    engine.shutdown().await;
}

/// How many watches of a group's kinds the server serves, in all namespaces at once and in single ones. Its own controllers come to
/// watch every kind in all namespaces, some time after it was defined.
fn watches(kubectl: &Kubectl, group: &str) -> [u64; 2] {
    let metrics = kubectl.run(&["get", "--raw", "/metrics"]);
    let of_group = metrics.lines().filter(|line| {
        line.starts_with("apiserver_longrunning_requests{")
            && line.contains(&format!("group=\"{group}\""))
            && line.contains("verb=\"WATCH\"")
    });
    let of_group: Vec<&str> = of_group.collect();
    ["cluster", "namespace"].map(|scope| {
        let of_scope = of_group.iter().filter(|line| line.contains(&format!("scope=\"{scope}\"")));
        of_scope.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_in_many_namespaces_is_watched_in_all_of_them_at_once_where_the_user_may() {
    let Some(kubectl) = cluster(1, "one watch for many namespaces") else { return };
    let crd = Crd(&kubectl, format!("w{}.example.com", std::process::id()));
    crd.apply();
    let namespaces: Vec<_> = (0..22).map(|number| kubectl.namespace(&format!("wide-{number}"))).collect();
    let home = namespaces[0].name();
    let thing = |namespace: &str| json!({"apiVersion": format!("{}/v1", crd.1), "kind": "Thing", "metadata": {"name": "t", "namespace": namespace}, "size": 1});
    let things: Vec<String> = namespaces.iter().map(|namespace| thing(namespace.name()).to_string()).collect();
    // Who may list and watch everywhere, and who may in each of these namespaces only.
    let narrow = format!("narrow-{}", std::process::id());
    for namespace in &namespaces {
        let (role, user) = (format!("--resource=things.{}", crd.1), format!("--user={narrow}"));
        kubectl.run(&["create", "role", "narrow", "-n", namespace.name(), "--verb=get,list,watch", &role]);
        kubectl.run(&["create", "rolebinding", "narrow", "-n", namespace.name(), "--role=narrow", &user]);
    }
    for user in [None, Some(narrow.clone())] {
        let [everywhere, _] = watches(&kubectl, &crd.1);
        let expected = if user.is_some() { 22 } else { 0 };
        let (world, repository) = World::with_shop(&kubectl, home);
        repository.commit("things", &[("apps/shop/things.yaml", &things.join("\n---\n"))]);
        let engine = engine_as(&world, user);
        until(&engine, "all are missing", |comparison| comparison.count(ObjectState::Missing) == 22).await;
        let single = |expected: u64| match watches(&kubectl, &crd.1) {
            [_, single] if single == expected => Ok(()),
            found => Err(format!("{found:?}")),
        };
        support::until("the watches", DEADLINE, || single(expected));
        let [now, _] = watches(&kubectl, &crd.1);
        assert!(expected > 0 || now > everywhere, "{now} and {everywhere} before");
        kubectl.run_with(&["apply", "--server-side", "--field-manager=driftdeck", "-f", "-"], &things[7]);
        until(&engine, "one is there", |comparison| comparison.count(ObjectState::Missing) == 21).await;
        kubectl.run(&["delete", "-n", namespaces[7].name(), &format!("things.{}/t", crd.1)]);
        until(&engine, "it is gone", |comparison| comparison.count(ObjectState::Missing) == 22).await;
        engine.shutdown().await;
        drop(engine);
        support::until("no watch is left", DEADLINE, || single(0));
    }
}
