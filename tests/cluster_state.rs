//! What driftdeck keeps in a cluster, against a real API server: inventories, records with their payload, Leases. kubectl is the judge
//! where it can be. Needs `DRIFTDECK_TEST_KUBECONFIG` with the context `admin`; each test works in a namespace of its own.

mod cluster_world;

use base64::Engine;
use cluster_world::{World, eventually};
use driftdeck::{
    cluster::{
        ClusterError, Inventory, Lease, LeaseError, LeaseTiming, PART_OF, RecordApproval, RecordHead, RecordPayload,
        RecordStep, Session, Target, lease,
        record::{self, Creation},
        set_id,
    },
    object::GroupKind,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

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
    assert_eq!(record::create(&session, &n, &mut first, &objects).await.unwrap(), Creation::Written);
    assert!(first.parts.len() > 1 && first.payload.chunks.len() > 1, "{:?} {:?}", first.parts, first.payload);
    let mut again = head("sha256:aa", 0);
    assert_eq!(record::create(&session, &n, &mut again, &objects).await.unwrap(), Creation::UsedBefore);
    first.applied = first.steps.iter().map(|step| (step.object.clone(), first.name.clone())).collect();
    first.finished = Some(first.started);
    first.outcome = Some("Succeeded".into());
    record::update(&session, &n, &mut first).await.unwrap();
    let mut second = head("sha256:bb", 1);
    record::create(&session, &n, &mut second, &objects).await.unwrap();
    assert_eq!(second.payload, first.payload, "the same content is stored once");
    assert_eq!(record::list(&session, &n, "shop").await.unwrap(), [second.clone(), first.clone()]);
    // Of the older ones nothing is read but the heads, and of the newest who last applied each object, wherever that is kept.
    let without_lists = |head: &RecordHead| RecordHead { steps: vec![], applied: BTreeMap::new(), ..head.clone() };
    let heads = record::heads(&session, &n, "shop", None).await.unwrap();
    assert_eq!(heads, [without_lists(&second), without_lists(&first)]);
    let mut third = RecordHead { steps: first.steps.clone(), ..head("sha256:cc", 2) };
    record::create(&session, &n, &mut third, &objects).await.unwrap();
    third.applied.clone_from(&first.applied);
    third.finished = Some(third.started);
    record::update(&session, &n, &mut third).await.unwrap();
    assert!(third.parts.len() > 1);
    let newest = RecordHead { steps: vec![], ..third.clone() };
    assert_eq!(record::heads(&session, &n, "shop", Some(&heads[0])).await.unwrap()[0], newest);
    // One that has ended is not read again.
    let known = RecordHead { applied: BTreeMap::new(), ..newest.clone() };
    assert_eq!(record::heads(&session, &n, "shop", Some(&known)).await.unwrap()[0], known);
    let running = RecordHead { finished: None, ..known };
    assert_eq!(record::heads(&session, &n, "shop", Some(&running)).await.unwrap()[0], newest);
    assert_eq!(record::list(&session, &n, "other").await.unwrap(), []);

    let read = record::payload(&session, &n, &first).await.unwrap().unwrap();
    let read = |kind: &str, name: &str| read[&world.id("", kind, name)].read().unwrap();
    assert_eq!(read("ConfigMap", "a")["data"]["k"], large);
    assert_eq!(read("Secret", "s")["data"], json!({"token": null}));

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
    assert!(record::payload(&session, &world.namespace, &large).await.unwrap().is_none());
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
        assert_eq!(first.holder(), "ann@here");
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
    assert!(lease::peek(&session, &n, "shop").await.unwrap().unwrap().holder.unwrap() == "bob@there");
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
