//! Random objects of the kinds under test. Names and values come from small sets, so that managers meet.

use super::random::Random;
use serde_json::{Map, Value, json};

/// Where the test works: its namespace and the API group of its own kinds.
#[derive(Clone)]
pub struct Place {
    pub namespace: String,
    pub group: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Deployment,
    Service,
    ConfigMap,
    Secret,
    HorizontalPodAutoscaler,
    Ingress,
    NetworkPolicy,
    Role,
    RoleBinding,
    ClusterRole,
    ServiceAccount,
    Widget,
    Gadget,
}

/// How often each kind comes.
pub const KINDS: &[Kind] = &[
    Kind::Deployment,
    Kind::Deployment,
    Kind::Deployment,
    Kind::Deployment,
    Kind::Service,
    Kind::Service,
    Kind::ConfigMap,
    Kind::Secret,
    Kind::HorizontalPodAutoscaler,
    Kind::Ingress,
    Kind::NetworkPolicy,
    Kind::Role,
    Kind::RoleBinding,
    Kind::ClusterRole,
    Kind::ServiceAccount,
    Kind::Widget,
    Kind::Widget,
    Kind::Widget,
    Kind::Widget,
    Kind::Gadget,
    Kind::Gadget,
];

impl Kind {
    pub fn name(self) -> String {
        format!("{self:?}")
    }
    pub fn is_custom(self) -> bool {
        matches!(self, Self::Widget | Self::Gadget)
    }
    pub fn has_scale(self) -> bool {
        matches!(self, Self::Deployment | Self::Widget)
    }
    pub fn has_status(self) -> bool {
        matches!(self, Self::Deployment | Self::Widget | Self::Service | Self::Ingress)
    }
    pub fn api_version(self, place: &Place) -> String {
        match self {
            Self::Deployment => "apps/v1".into(),
            Self::HorizontalPodAutoscaler => "autoscaling/v2".into(),
            Self::Ingress | Self::NetworkPolicy => "networking.k8s.io/v1".into(),
            Self::Role | Self::RoleBinding | Self::ClusterRole => "rbac.authorization.k8s.io/v1".into(),
            Self::Widget | Self::Gadget => format!("{}/v1", place.group),
            Self::Service | Self::ConfigMap | Self::Secret | Self::ServiceAccount => "v1".into(),
        }
    }
    fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::Service => "services",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::Ingress => "ingresses",
            Self::NetworkPolicy => "networkpolicies",
            Self::Role => "roles",
            Self::RoleBinding => "rolebindings",
            Self::ClusterRole => "clusterroles",
            Self::ServiceAccount => "serviceaccounts",
            Self::Widget => "widgets",
            Self::Gadget => "gadgets",
        }
    }
    /// The path of an object, or without a name of all of them.
    pub fn path(self, place: &Place, api_version: &str, name: &str) -> String {
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let namespace = match self {
            Self::ClusterRole => String::new(),
            _ => format!("/namespaces/{}", place.namespace),
        };
        let name = if name.is_empty() { String::new() } else { format!("/{name}") };
        format!("/{root}/{api_version}{namespace}/{}{name}", self.plural())
    }

    /// A random body.
    pub fn body(self, place: &Place, name: &str, random: &mut Random) -> Value {
        let mut metadata = Members::default();
        metadata.put("name", json!(name));
        if self != Self::ClusterRole {
            metadata.put("namespace", json!(place.namespace));
        }
        metadata.maybe(random, 60, "labels", |random| texts(random, &["team", "tier", "a.b/c"]));
        metadata.maybe(random, 30, "annotations", |random| texts(random, &["note", "why"]));
        let mut object = Members::default();
        object.put("apiVersion", json!(self.api_version(place)));
        object.put("kind", json!(self.name()));
        object.put("metadata", metadata.value());
        match self {
            Self::Deployment => object.put("spec", deployment(name, random)),
            Self::Service => object.put("spec", service(random)),
            Self::ConfigMap => {
                object.maybe(random, 90, "data", |random| texts(random, &["a", "b", "c", "d.yaml"]));
                object.maybe(random, 20, "binaryData", |random| json!({"x": random.pick(&["AQ==", "Ag=="])}));
            }
            Self::Secret => {
                object.maybe(random, 70, "data", encoded);
                object.maybe(random, 40, "stringData", |random| texts(random, &["a", "b"]));
                object.maybe(random, 30, "type", |_| json!("Opaque"));
            }
            Self::HorizontalPodAutoscaler => object.put("spec", autoscaler(random)),
            Self::Ingress => object.put("spec", ingress(random)),
            Self::NetworkPolicy => object.put("spec", policy(random)),
            Self::Role | Self::ClusterRole => object.put("rules", rules(random)),
            Self::RoleBinding => {
                object.put("roleRef", json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}));
                object.maybe(random, 90, "subjects", |random| {
                    let user =
                        |name: &&str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name});
                    Value::Array(random.some(&["u", "v"]).iter().map(user).collect())
                });
            }
            Self::ServiceAccount => {
                object.maybe(random, 70, "secrets", |random| named(random, &["s", "t", "u"]));
                object.maybe(random, 50, "imagePullSecrets", |random| named(random, &["p", "q"]));
                object.maybe(random, 50, "automountServiceAccountToken", |random| json!(random.percent(50)));
            }
            Self::Widget => object.put("spec", widget(random)),
            Self::Gadget => {
                object.put("spec", gadget(random));
                object.maybe(random, 30, "status", |random| texts(random, &["phase", "reason"]));
            }
        }
        object.value()
    }

    /// What somebody writes through the subresource `status`.
    pub fn status(self, random: &mut Random) -> Value {
        match self {
            Self::Widget => json!({"replicas": random.below(3), "phase": random.pick(&["up", "down"]),
                "conditions": [{"type": random.pick(&["Ready", "Done"]), "status": random.pick(&["True", "False"])}]}),
            Self::Deployment => json!({"collisionCount": random.below(3)}),
            _ => json!({"loadBalancer": {"ingress": [{"ip": format!("192.0.2.{}", 1 + random.below(3))}]}}),
        }
    }
}

/// A mapping in the making.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.into(), value);
    }
    fn maybe(&mut self, random: &mut Random, percent: usize, name: &str, value: impl FnOnce(&mut Random) -> Value) {
        if random.percent(percent) {
            let value = value(random);
            self.put(name, value);
        }
    }
    fn value(self) -> Value {
        Value::Object(self.0)
    }
}

fn texts(random: &mut Random, keys: &[&str]) -> Value {
    random.some(keys).into_iter().map(|key| (key.to_owned(), json!(random.pick(&["x", "y", ""])))).collect()
}

fn encoded(random: &mut Random) -> Value {
    random
        .some(&["a", "b", "c"])
        .into_iter()
        .map(|key| (key.to_owned(), json!(random.pick(&["eA==", "eQ=="]))))
        .collect()
}

fn named(random: &mut Random, names: &[&str]) -> Value {
    random.some(names).iter().map(|name| json!({"name": name})).collect()
}

fn deployment(name: &str, random: &mut Random) -> Value {
    let mut pod = Members::default();
    let containers: Vec<Value> = random.some(&["a", "b", "c"]).iter().map(|name| container(name, random)).collect();
    pod.put("containers", if containers.is_empty() { json!([container("a", random)]) } else { json!(containers) });
    pod.maybe(random, 20, "initContainers", |random| json!([container("init", random)]));
    pod.maybe(random, 30, "nodeSelector", |random| texts(random, &["zone", "disk"]));
    pod.maybe(random, 20, "tolerations", |random| json!([{"key": random.pick(&["k", "l"]), "operator": "Exists"}]));
    pod.maybe(random, 30, "imagePullSecrets", |random| named(random, &["p", "q"]));
    pod.maybe(random, 20, "terminationGracePeriodSeconds", |random| json!(random.pick(&[5, 30])));
    pod.maybe(random, 20, "serviceAccountName", |random| json!(random.pick(&["s", "t"])));
    pod.maybe(random, 15, "securityContext", |random| json!({"runAsUser": random.pick(&[1000, 1001])}));
    pod.maybe(random, 15, "topologySpreadConstraints", |random| {
        let constraint = |key: &&str| json!({"topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1});
        random.some(&["zone", "host"]).iter().map(constraint).collect()
    });
    pod.maybe(random, 30, "volumes", |random| {
        random.some(&["data", "tmp"]).iter().map(|name| json!({"name": name, "emptyDir": {}})).collect()
    });
    let mut template = Members::default();
    let mut labels = texts(random, &["team"]);
    labels["app"] = json!(name);
    template.put("metadata", json!({"labels": labels}));
    template.put("spec", pod.value());
    let mut spec = Members::default();
    spec.put("selector", json!({"matchLabels": {"app": name}}));
    spec.put("template", template.value());
    spec.maybe(random, 50, "replicas", |random| json!(random.below(3)));
    spec.maybe(random, 20, "paused", |random| json!(random.percent(50)));
    spec.maybe(random, 25, "strategy", |random| {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": random.pick(&[json!(1), json!("50%")])}})
    });
    spec.value()
}

fn container(name: &str, random: &mut Random) -> Value {
    let mut container = Members::default();
    container.put("name", json!(name));
    container.put("image", json!(random.pick(&["img:1", "img:2", "img"])));
    container.maybe(random, 40, "args", |random| json!(random.some(&["-a", "-b"])));
    container.maybe(random, 50, "env", |random| {
        let names = random.some(&["A", "B", "C"]);
        let value = |name: &&str| match random.below(5) {
            0 => json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}),
            1 => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            other => json!({"name": name, "value": if other == 2 { "1" } else { "2" }}),
        };
        names.iter().map(value).collect()
    });
    container.maybe(random, 40, "ports", |random| {
        let ports = random.some(&[80, 443, 9090]);
        let port = |port: &i32| match random.below(3) {
            0 => json!({"containerPort": port, "protocol": "UDP"}),
            1 => json!({"containerPort": port, "protocol": "TCP", "name": format!("p{port}")}),
            _ => json!({"containerPort": port}),
        };
        ports.iter().map(port).collect()
    });
    container.maybe(random, 40, "resources", |random| {
        json!({"requests": {"cpu": random.pick(&["100m", "0.1", "1"]), "memory": random.pick(&["64Mi", "1Gi", "1024Mi"])}})
    });
    container.maybe(random, 25, "readinessProbe", |random| {
        json!({"httpGet": {"path": random.pick(&["/", "/ready"]), "port": 80}, "periodSeconds": random.pick(&[5, 10])})
    });
    container.maybe(random, 20, "imagePullPolicy", |random| json!(random.pick(&["Always", "IfNotPresent"])));
    container.value()
}

fn service(random: &mut Random) -> Value {
    let mut spec = Members::default();
    let ports = random.some(&[80, 443, 8080]);
    let ports = if ports.is_empty() { vec![80] } else { ports };
    let port = |port: &i32| match random.below(3) {
        0 => json!({"port": port, "name": format!("p{port}"), "protocol": "TCP"}),
        1 => json!({"port": port, "name": format!("p{port}"), "targetPort": random.pick(&[json!("web"), json!(8080)])}),
        _ => json!({"port": port, "name": format!("u{port}"), "protocol": "UDP"}),
    };
    spec.put("ports", ports.iter().map(port).collect());
    spec.maybe(random, 70, "selector", |random| texts(random, &["app", "tier"]));
    spec.maybe(random, 30, "sessionAffinity", |random| json!(random.pick(&["None", "ClientIP"])));
    spec.maybe(random, 30, "type", |random| json!(random.pick(&["ClusterIP", "ClusterIP", "NodePort"])));
    spec.maybe(random, 20, "publishNotReadyAddresses", |random| json!(random.percent(50)));
    spec.value()
}

fn autoscaler(random: &mut Random) -> Value {
    let mut spec = Members::default();
    spec.put(
        "scaleTargetRef",
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": random.pick(&["x", "y"])}),
    );
    spec.put("maxReplicas", json!(random.pick(&[3, 5])));
    spec.maybe(random, 50, "minReplicas", |random| json!(random.pick(&[1, 2])));
    spec.maybe(random, 50, "metrics", |random| {
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": random.pick(&[50, 80])}}}])
    });
    spec.maybe(
        random,
        30,
        "behavior",
        |random| json!({"scaleDown": {"stabilizationWindowSeconds": random.pick(&[0, 60])}}),
    );
    spec.value()
}

fn ingress(random: &mut Random) -> Value {
    let mut spec = Members::default();
    let backend = |random: &mut Random| json!({"service": {"name": random.pick(&["s", "t"]), "port": {"number": 80}}});
    spec.put("defaultBackend", backend(random));
    spec.maybe(random, 50, "rules", |random| {
        let backend = backend(random);
        json!([{"host": random.pick(&["a.example", "b.example"]), "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}])
    });
    spec.maybe(
        random,
        40,
        "tls",
        |random| json!([{"hosts": random.some(&["a.example", "b.example"]), "secretName": "t"}]),
    );
    spec.maybe(random, 30, "ingressClassName", |random| json!(random.pick(&["n", "m"])));
    spec.value()
}

fn policy(random: &mut Random) -> Value {
    let mut spec = Members::default();
    spec.put("podSelector", json!({"matchLabels": texts(random, &["app"])}));
    spec.maybe(random, 60, "ingress", |random| {
        let mut port = json!({"port": random.pick(&[80, 443])});
        if random.percent(60) {
            port["protocol"] = json!("TCP");
        }
        json!([{"ports": [port]}])
    });
    spec.maybe(random, 40, "policyTypes", |_| json!(["Ingress"]));
    spec.value()
}

fn rules(random: &mut Random) -> Value {
    let resources = random.some(&["pods", "secrets"]);
    resources
        .iter()
        .map(|name| json!({"apiGroups": [""], "resources": [name], "verbs": [random.pick(&["get", "list"])]}))
        .collect()
}

fn widget(random: &mut Random) -> Value {
    let mut spec = Members::default();
    spec.maybe(random, 40, "replicas", |random| json!(random.below(4)));
    spec.maybe(random, 30, "mode", |random| json!(random.pick(&["fast", "slow"])));
    spec.maybe(random, 20, "level", |random| json!(random.pick(&[1, 3])));
    spec.maybe(random, 20, "ratio", |random| random.pick(&[json!(1), json!(1.5), json!(0.25)]).clone());
    spec.maybe(random, 20, "port", |random| random.pick(&[json!(80), json!("80"), json!("web")]).clone());
    spec.maybe(random, 20, "note", |random| random.pick(&[json!("n"), json!(null)]).clone());
    spec.maybe(random, 20, "noteWithDefault", |random| random.pick(&[json!("n"), json!(null)]).clone());
    spec.maybe(random, 55, "endpoints", |random| {
        random.some(&["e", "f", "g<h>"]).iter().map(|name| endpoint(name, random)).collect()
    });
    spec.maybe(random, 60, "tags", |random| json!(random.some(&["a", "b", "c", "d"])));
    spec.maybe(random, 40, "numbers", |random| json!(random.some(&[1, 2, 10])));
    spec.maybe(random, 40, "args", |random| json!(random.some(&["-x", "-y"])));
    spec.maybe(random, 20, "plainList", |random| json!(random.some(&["p", "q"])));
    spec.maybe(
        random,
        40,
        "selector",
        |random| json!({"matchLabels": texts(random, &["app"]), "zone": random.pick(&["z1", "z2"])}),
    );
    spec.maybe(random, 40, "params", |random| texts(random, &["p", "q", "r"]));
    spec.maybe(
        random,
        30,
        "config",
        |random| json!({"deep": {"x": random.below(3), "list": random.some(&[1, 2])}, "flag": random.percent(50)}),
    );
    spec.maybe(random, 25, "partly", |random| {
        json!({"known": random.pick(&["k", "l"]), "list": random.some(&["a", "b"]), "other": {"y": random.below(2)}})
    });
    spec.maybe(random, 25, "template", |random| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": texts(random, &["l", "m"])}, "data": texts(random, &["k"])})
    });
    spec.maybe(random, 30, "nested", |random| texts(random, &["color"]));
    spec.maybe(random, 20, "maybe", |random| random.pick(&[json!(null), json!({"a": "1"}), json!({"b": 2})]).clone());
    spec.value()
}

fn endpoint(name: &str, random: &mut Random) -> Value {
    let mut endpoint = Members::default();
    endpoint.put("name", json!(name));
    endpoint.maybe(random, 50, "host", |random| json!(random.pick(&["h1", "h2"])));
    endpoint.maybe(random, 40, "weight", |random| json!(random.pick(&[1, 100])));
    endpoint.maybe(random, 40, "tags", |random| json!(random.some(&["t", "u"])));
    endpoint.maybe(random, 40, "rules", |random| {
        let hosts = random.some(&["h1", "h2"]);
        let rule = |host: &&str| match random.below(3) {
            0 => json!({"host": host}),
            1 => json!({"host": host, "path": "/", "backend": "b"}),
            _ => json!({"host": host, "path": "/p", "port": random.below(3)}),
        };
        hosts.iter().map(rule).collect()
    });
    endpoint.value()
}

fn gadget(random: &mut Random) -> Value {
    let mut spec = Members::default();
    spec.maybe(random, 70, "layers", |random| {
        let ids = random.some(&[1, 2, 30]);
        let layer = |id: &i32| {
            let parts = random.some(&[("x", true), ("x", false), ("y", true)]);
            let part = |(kind, ready): &(&str, bool)| json!({"kind": kind, "ready": ready, "size": random.below(3)});
            let parts: Value = parts.iter().map(part).collect();
            json!({"id": id, "title": random.pick(&["t", "u"]), "parts": parts})
        };
        ids.iter().map(layer).collect::<Vec<_>>().into()
    });
    spec.maybe(random, 50, "owners", |random| json!(random.some(&["o", "p"])));
    spec.maybe(random, 50, "table", |random| {
        let keys = random.some(&["k", "l"]);
        let key = |key: &&str| ((*key).to_owned(), json!({"rows": random.below(3), "open": random.percent(50)}));
        keys.iter().map(key).collect()
    });
    spec.maybe(random, 40, "whole", |random| json!({"a": texts(random, &["x"]), "b": random.below(2)}));
    spec.value()
}
