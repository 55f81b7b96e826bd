//! A hand-made fleet for tests: the one that the design's drawings show.

mod driver;

pub use driver::{key, model, press, send, send_after, type_text};

use crate::{
    cluster::HealthStatus,
    engine::*,
    git::{CommitId, FileChange, FileStatus, Person},
    merge::Op,
    object::Origin,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Wall clock of all tests.
pub fn now() -> Timestamp {
    "2026-11-24T12:04:31Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

/// A commit's id from its first digits.
pub fn commit(short: &str) -> CommitId {
    format!("{short:0<40}").parse().unwrap()
}

/// Just enough YAML for tests of screens.
pub fn yaml(value: &Value) -> String {
    fn write(value: &Value, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::Object(inner) if !inner.is_empty() => {
                            out.push_str(&format!("{pad}{key}:\n"));
                            write(value, indent + 2, out);
                        }
                        Value::Array(items) if !items.is_empty() => {
                            out.push_str(&format!("{pad}{key}:\n"));
                            for item in items {
                                let mut text = String::new();
                                write(item, indent + 2, &mut text);
                                out.push_str(&format!("{pad}- {}", text.trim_start_matches(' ')));
                            }
                        }
                        scalar => out.push_str(&format!("{pad}{key}: {}\n", plain(scalar))),
                    }
                }
            }
            scalar => out.push_str(&format!("{pad}{}\n", plain(scalar))),
        }
    }
    fn plain(value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn change(path: &str, op: Op, live: Value, desired: Value, origin: ChangeOrigin) -> Change {
    let drift = origin == ChangeOrigin::Drift;
    Change {
        path: path.into(),
        op,
        live,
        desired,
        origin,
        manager: drift.then(|| "kubectl-edit".into()),
        operation: drift.then(|| "Update".into()),
        subresource: None,
        time: drift.then(|| ago(14 * 60).to_string()),
        commit: None,
        hunk: path.into(),
        same_value: false,
        masked: false,
        conflicts: Vec::new(),
    }
}

fn object(kind: &str, name: &str, state: ObjectState, live: Option<Value>, desired: Option<Value>) -> ObjectComparison {
    ObjectComparison {
        group: if kind == "Deployment" { "apps".into() } else { String::new() },
        version: "v1".into(),
        kind: kind.into(),
        namespace: Some("shop".into()),
        name: name.into(),
        uid: Some("1".into()),
        state,
        action: match state {
            ObjectState::Changed => Action::Update,
            ObjectState::Missing => Action::Create,
            ObjectState::Extra => Action::Prune,
            _ => Action::None,
        },
        health: HealthStatus::Healthy,
        message: String::new(),
        source: Some(Arc::new(Origin {
            path: "apps/shop/api/deployment.yaml".into(),
            document: 0,
            lines: Some((1, 30)),
        })),
        changes: Vec::new(),
        extras: Vec::new(),
        error: None,
        hook: None,
        sides: Sides { live: live.as_ref().map(Side::new), desired: desired.as_ref().map(Side::new) },
        resource_version: Some("884213".into()),
    }
}

/// A Deployment of which Git changed the image and somebody the replicas.
pub fn deployment() -> ObjectComparison {
    let side = |image: &str, replicas: u32| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop", "managedFields": [{"manager": "x"}]},
            "spec": {"progressDeadlineSeconds": 600, "replicas": replicas, "revisionHistoryLimit": 5,
                "template": {"spec": {"containers": [{"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "image": image, "name": "api", "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}}}]}}},
            "status": {"readyReplicas": 1}})
    };
    let mut object = object(
        "Deployment",
        "api",
        ObjectState::Changed,
        Some(side("ghcr.io/acme/api:1.8.2", 6)),
        Some(side("ghcr.io/acme/api:1.9.0", 3)),
    );
    object.changes = vec![
        change("/spec/replicas", Op::Replace, json!(6), json!(3), ChangeOrigin::Drift),
        change(
            "/spec/template/spec/containers/0/image",
            Op::Replace,
            json!("ghcr.io/acme/api:1.8.2"),
            json!("ghcr.io/acme/api:1.9.0"),
            ChangeOrigin::Git,
        ),
    ];
    object
}

fn config_map() -> ObjectComparison {
    let side = |v: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"LEVEL": v}, "metadata": {"name": "api-env"}});
    let mut object = object("ConfigMap", "api-env", ObjectState::Changed, Some(side("info")), Some(side("debug")));
    object.changes = vec![change("/data/LEVEL", Op::Replace, json!("info"), json!("debug"), ChangeOrigin::Git)];
    object
}

fn comparison(name: &str, state: ApplicationState, objects: Vec<ObjectComparison>) -> Comparison {
    Comparison {
        application: name.into(),
        cluster: "prod".into(),
        revision: Some(commit("9f3c1e2")),
        branch: Some("main".into()),
        base: Some(commit("4be77aa")),
        state,
        partial: false,
        stale_since: None,
        pinned: None,
        paused: false,
        health: HealthStatus::Healthy,
        objects: objects.into_iter().map(Arc::new).collect(),
        live: LiveAge { age: Some(1.0) },
        lease: LeaseView::default(),
        auto_sync: AutoSyncView::default(),
        issues: Vec::new(),
    }
}

fn row(id: &str, subject: &str, author: &str, seconds: i64) -> CommitRow {
    CommitRow {
        id: commit(id),
        parents: vec![commit("aaaaaaa")],
        subject: subject.into(),
        author: Person { name: author.into(), email: format!("{author}@example.com") },
        time: ago(seconds),
        signature: "unknown".into(),
        refs: Vec::new(),
        effect: None,
        pinned: false,
        reverts: None,
        reverted_by: None,
        applied: Vec::new(),
    }
}

fn history() -> History {
    let applied = |seconds, outcome| AppliedAt {
        time: ago(seconds),
        by: "jane".into(),
        outcome: Some(outcome),
        record: "shop/driftdeck-1".into(),
        digest: "sha256:00".into(),
    };
    let mut commits = vec![
        row("9f3c1e2", "bump api to 1.9.0", "jane", 360),
        row("c81b220", "add HPA for api", "omar", 1_860),
        row("4be77aa", "raise api limits", "jane", 7_200),
        row("11c09de", "rotate tls cert", "bot", 18_000),
        row("aa92f10", "split web config", "omar", 90_000),
        row("3d20c9a", "Revert \"pin base images\"", "jane", 175_000),
        row("70d3e55", "pin base images", "jane", 176_000),
    ];
    commits[2].applied = vec![applied(7_100, Outcome::Succeeded)];
    commits[3].effect = Some(false);
    commits[4].applied = vec![applied(89_000, Outcome::Succeeded)];
    commits[5].reverts = Some(commit("70d3e55"));
    commits[6].applied = vec![applied(175_500, Outcome::Failed)];
    commits[6].parents = vec![commit("aaaaaaa"), commit("bbbbbbb")];
    History { application: "shop-api".into(), commits }
}

fn application(name: &str, comparison: Option<Comparison>) -> ApplicationView {
    ApplicationView {
        name: name.into(),
        repository: "platform-gitops".into(),
        path: format!("apps/{name}"),
        cluster: "prod".into(),
        namespace: Some("shop".into()),
        timeout: std::time::Duration::from_secs(300),
        comparison: comparison.map(Arc::new),
        compared_at: Some(ago(2)),
        last_sync: Some(LastSync {
            time: ago(7_100),
            by: "jane".into(),
            outcome: Some(Outcome::Succeeded),
            revision: Some(commit("4be77aa")),
        }),
        ..ApplicationView::default()
    }
}

/// What is being done in a sync of `checkout`.
pub fn progress() -> SyncProgress {
    let report =
        |object: &str, result| Some(StepReport { object: object.into(), result, message: String::new(), seconds: 0.2 });
    SyncProgress {
        application: "checkout".into(),
        number: 213,
        done: 2,
        total: 4,
        wave: 1,
        current: "waiting for Deployment shop/checkout: 2/3 updated, 1 unavailable".into(),
        steps: vec![
            ("ConfigMap/shop/env".into(), Action::Update, report("ConfigMap/shop/env", StepResult::Configured)),
            ("Service/shop/checkout".into(), Action::Update, report("Service/shop/checkout", StepResult::Unknown)),
            ("apps/Deployment/shop/checkout".into(), Action::Update, None),
            ("autoscaling/HorizontalPodAutoscaler/shop/checkout".into(), Action::Create, None),
        ],
    }
}

/// The fleet of the drawings.
pub fn fleet() -> Fleet {
    let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "api"}, "spec": {"maxReplicas": 9}});
    let mut shop = application(
        "shop-api",
        Some(comparison(
            "shop-api",
            ApplicationState::OutOfSync,
            vec![
                deployment(),
                config_map(),
                object("HorizontalPodAutoscaler", "api", ObjectState::Missing, None, Some(hpa)),
                object(
                    "Service",
                    "api",
                    ObjectState::Synced,
                    Some(json!({"kind": "Service"})),
                    Some(json!({"kind": "Service"})),
                ),
            ],
        )),
    );
    shop.history = Some(Arc::new(history()));
    let mut degraded = comparison("search", ApplicationState::Synced, vec![]);
    degraded.health = HealthStatus::Degraded;
    let mut suspended = comparison("cert-manager", ApplicationState::Synced, vec![]);
    suspended.paused = true;
    let mut unknown = object("Widget", "w", ObjectState::Unknown, None, Some(json!({"kind": "Widget"})));
    unknown.error =
        Some("example.com/v1 Widget is not a kind of this cluster; apply its CRD first, then refresh (R)".into());
    let mut checkout =
        application("checkout", Some(comparison("checkout", ApplicationState::OutOfSync, vec![config_map()])));
    checkout.work = Work::Syncing(progress());
    let mut broken = application("legacy", None);
    broken.error = Some("https://git.example.com/legacy.git: authentication failed: HTTP 401; check the credential helper or the ssh agent".into());
    broken.last_sync = None;
    let applications = vec![
        shop,
        application("shop-web", Some(comparison("shop-web", ApplicationState::Synced, vec![]))),
        application("payments", Some(comparison("payments", ApplicationState::Drifted, vec![config_map()]))),
        checkout,
        application("search", Some(degraded)),
        application("ingress", Some(comparison("ingress", ApplicationState::Synced, vec![]))),
        application("cert-manager", Some(suspended)),
        application("batch-jobs", Some(comparison("batch-jobs", ApplicationState::Unknown, vec![unknown]))),
        broken,
    ];
    let repository = |name: &str, state, head: &str, subject: &str, seconds| RepositoryView {
        name: name.into(),
        url: format!("https://git.example.com/{name}.git"),
        state,
        head: Some(CommitSummary {
            id: commit(head),
            subject: subject.into(),
            author: "jane".into(),
            time: ago(seconds),
        }),
        branch: Some("main".into()),
        fetched_at: Some(ago(seconds)),
        notice: None,
    };
    let mut legacy = repository(
        "legacy-charts",
        RepositoryState::Failed {
            message: "https://git.example.com/legacy.git: authentication failed: HTTP 401; check the credential helper or the ssh agent".into(),
            retry_at: Some(ago(-30)),
        },
        "77e1b03",
        "x",
        900,
    );
    legacy.head = None;
    let entry = |seconds, kind, subject: &str, text: &str| Activity {
        time: ago(seconds),
        kind,
        subject: subject.into(),
        text: text.into(),
    };
    Fleet {
        generation: 1,
        repositories: vec![
            Arc::new(repository("platform-gitops", RepositoryState::Ready, "9f3c1e2", "bump api to 1.9.0", 360)),
            Arc::new(repository("team-shop", RepositoryState::Ready, "51d0aa9", "tune", 120)),
            Arc::new(repository("infra-base", RepositoryState::Fetching(Default::default()), "77e1b03", "base", 700)),
            Arc::new(legacy),
        ],
        clusters: vec![Arc::new(ClusterView {
            name: "prod".into(),
            context: "kind-prod".into(),
            production: true,
            armed: true,
            state: ClusterState::Connected { latency: Duration::from_millis(12) },
            version: Some("1.36.3".into()),
            user: Some("jane".into()),
        })],
        applications: applications.into_iter().map(Arc::new).collect(),
        activity: Arc::new(vec![
            entry(33, ActivityKind::Failed, "legacy-charts", "fetch: authentication failed (retry in 30s)"),
            entry(19, ActivityKind::Notice, "payments", "drift found  ConfigMap/pay-env  by kubectl-edit"),
            entry(2, ActivityKind::Done, "shop-api", "plan #214 computed 38 ms  +1 ~2 -0"),
            entry(0, ActivityKind::Running, "checkout", "apply 2/4  wave 1  Deployment/checkout"),
        ]),
        config_problems: Vec::new(),
    }
}

/// A plan of `shop-api`.
pub fn plan(confirmation: Confirmation) -> Arc<Plan> {
    let fleet = fleet();
    let comparison = fleet.application("shop-api").unwrap().comparison.clone().unwrap();
    let mut document = serde_json::to_value(&*comparison).unwrap();
    let extra = json!({
        "digest": format!("sha256:7c1f0b{:0<58}@2026-11-24T12:04:31Z", "aa"),
        "expires": ago(-252).to_string(),
        "steps": [
            {"index": 1, "phase": "Sync", "wave": 0, "action": "update", "object": "ConfigMap/shop/api-env", "verified": true},
            {"index": 2, "phase": "Sync", "wave": 0, "action": "update", "object": "apps/Deployment/shop/api", "verified": true},
            {"index": 3, "phase": "Sync", "wave": 0, "action": "create", "object": "autoscaling/HorizontalPodAutoscaler/shop/api", "verified": true}],
        "counts": {"create": 1, "update": 2, "adopt": 0, "replace": 0, "remove-extra": 0, "prune": 0, "hook": 0, "unchanged": 18},
        "warnings": [
            {"code": "overwrites-drift", "object": "apps/Deployment/shop/api", "message": "replicas 6 -> 3 overwrites a manual change (kubectl-edit, 14m ago)", "typed": false},
            {"code": "production", "object": "", "message": "kind-prod is a production cluster", "typed": true}],
        "approvable": true, "reason": null, "confirmation": confirmation,
    });
    document.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let mut plan: Plan = serde_json::from_value(document).unwrap();
    plan.number = 214;
    plan.comparison.objects.clone_from(&comparison.objects);
    Arc::new(plan)
}

/// What the commit under the history's cursor does.
pub fn effect() -> Arc<CommitEffect> {
    let hpa = fleet().application("shop-api").unwrap().comparison.as_ref().unwrap().objects[2].clone();
    Arc::new(CommitEffect {
        application: "shop-api".into(),
        commit: history().commits[1].clone(),
        message: "add HPA for api\n\nThe API needs to grow at noon.\n".into(),
        files: vec![
            file("apps/shop/api/hpa.yaml", FileStatus::Added),
            file("apps/shop/api/kustomization.yaml", FileStatus::Modified),
        ],
        rendered: vec![RenderedObject { object: ObjectComparison::clone(&hpa) }],
        live: LiveEffect {
            counts: Counts { create: 1, update: 1, unchanged: 18, ..Counts::default() },
            objects: vec![ObjectComparison::clone(&hpa)],
            error: None,
        },
    })
}

fn file(path: &str, status: FileStatus) -> FileChange {
    FileChange { path: path.into(), status, patch: "@@ -1,2 +1,2 @@\n-replicas: 6\n+replicas: 3\n name: api\n".into() }
}

/// A revert commit as it was written, before or after its push.
pub fn git_change(pushed: bool) -> Arc<GitChange> {
    Arc::new(GitChange {
        application: "shop-api".into(),
        commit: Some(commit("deadbee")),
        branch: "main".into(),
        pushed,
        url: None,
        files: vec![file("apps/shop/api/deployment.yaml", FileStatus::Modified)],
        conflicts: Vec::new(),
        plan: Counts { update: 1, unchanged: 20, ..Counts::default() },
        plan_error: None,
        author: "Jane Doe <jane@example.com>".into(),
        message: "Revert \"bump api to 1.9.0\"\n\nThis reverts commit 9f3c1e2.\n".into(),
    })
}
