//! The real API server is the judge of `merge::defaults`: it is asked, by dry-runs of server-side apply, to create and to
//! update objects of every built-in kind that has a rule (bodies beside this file), and its answers are compared with the
//! prediction, path by path. Only what `server_assigned` names may differ, and there the server must have put something.
//! Needs `DRIFTDECK_TEST_KUBECONFIG`.

mod support;

use driftdeck::{
    merge::{
        Outcome, changes, defaults,
        schema::{Scalar, Schema, Schemas, Type},
    },
    object::{Pointer, documents},
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
use support::{Kubectl, Namespace, USUAL, cluster, until};

const MANAGER: &str = "driftdeck";
const BODIES: [(&str, &str); 5] = [
    ("workloads", include_str!("server_defaults/workloads.yaml")),
    ("network", include_str!("server_defaults/network.yaml")),
    ("configuration", include_str!("server_defaults/configuration.yaml")),
    ("storage", include_str!("server_defaults/storage.yaml")),
    ("extension", include_str!("server_defaults/extension.yaml")),
];

/// The server, and a namespace; cluster-scoped objects carry its name, so that two runs do not meet.
struct Server {
    kubectl: Kubectl,
    namespace: Namespace,
}

impl Server {
    fn new(count: usize, purpose: &str) -> Option<Self> {
        let kubectl = cluster(count, "comparisons of defaults with the API server")?;
        let namespace = kubectl.namespace(purpose);
        Some(Self { kubectl, namespace })
    }

    fn bodies(&self, text: &str) -> Vec<Value> {
        let text = text.replace("defaults-test", self.namespace.name());
        documents(&text).into_iter().map(|document| document.value.expect("the bodies are YAML")).collect()
    }

    fn schemas(&self, bodies: &[Value]) -> Schemas {
        let mut schemas = Schemas::default();
        for body in bodies {
            let api_version = text(body, "/apiVersion");
            if schemas.get(&api_version).is_none() {
                let folder = if api_version.contains('/') { "apis" } else { "api" };
                let document = self.kubectl.run(&["get", "--raw", &format!("/openapi/v3/{folder}/{api_version}")]);
                let schema = Schema::read(document.as_bytes()).expect("the server's own document is read");
                schemas.insert(api_version, Arc::new(schema));
            }
        }
        schemas
    }

    /// Applies bodies, for real or as a dry-run, and returns the answers by kind and name.
    fn apply(&self, bodies: &[Value], dry_run: bool) -> HashMap<String, Value> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": bodies});
        let mut arguments =
            vec!["apply", "--server-side", "--field-manager", MANAGER, "--namespace", self.namespace.name()];
        // kubectl's own validation knows no nulls.
        arguments.extend(["--output", "json", "--show-managed-fields", "--validate=false", "--filename", "-"]);
        if dry_run {
            arguments.push("--dry-run=server");
        }
        let answer = self.kubectl.run_with(&arguments, &list.to_string());
        let answers =
            serde_json::Deserializer::from_str(&answer).into_iter::<Value>().map(|value| value.expect("JSON"));
        let items = answers.flat_map(|value| match value.get("items").and_then(Value::as_array) {
            Some(items) => items.clone(),
            None => vec![value],
        });
        items.map(|item| (name(&item), item)).collect()
    }

    /// What is wrong with the predictions of a list of new objects.
    fn compare_creates(&self, schemas: &Schemas, bodies: &[Value]) -> Vec<String> {
        let answers = self.apply(bodies, true);
        let mut wrong = Vec::new();
        for body in bodies {
            let mut predicted = body.clone();
            defaults::apply(schemas, &mut predicted, None);
            wrong.extend(differences(&predicted, &answers[&name(body)], true));
            // What the server answered does not change when it is written again.
            let stored = &answers[&name(body)];
            let mut again = stored.clone();
            defaults::apply(schemas, &mut again, Some(stored));
            wrong.extend(differences(&again, stored, false).into_iter().map(|line| format!("written again: {line}")));
        }
        wrong
    }
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn name(object: &Value) -> String {
    format!("{}.{}/{}", text(object, "/kind"), text(object, "/apiVersion"), text(object, "/metadata/name"))
}

/// Where the prediction is not the answer. What the server assigns must be in the answer, whatever it is.
fn differences(predicted: &Value, answer: &Value, created: bool) -> Vec<String> {
    let (mut predicted, mut answer) = (predicted.clone(), answer.clone());
    let assigned = defaults::server_assigned(&predicted, created);
    let mut wrong = Vec::new();
    // From the end, so that a removed item moves no other.
    for path in assigned.iter().rev() {
        take(&mut predicted, path);
        let optional = ["nodeName", "imagePullSecrets", "storageClassName", "ingressClassName"];
        if take(&mut answer, path).is_none() && !path.0.last().is_some_and(|field| optional.contains(&field.as_str())) {
            wrong.push(format!("{}: nothing is assigned at {path}", name(&answer)));
        }
    }
    for object in [&mut predicted, &mut answer] {
        for path in
            ["/metadata/uid", "/metadata/creationTimestamp", "/metadata/resourceVersion", "/metadata/generation"]
                .into_iter()
                .chain(["/metadata/managedFields", "/metadata/namespace", "/status"])
        {
            take(object, &Pointer::from(path));
        }
    }
    let found = changes(&answer, &predicted).into_iter().map(|change| {
        let [is, was] =
            [&change.live, &change.desired].map(|value| value.as_ref().map_or("nothing".into(), Value::to_string));
        format!("{}: {} is {is}, predicted {was}", name(&answer), change.path)
    });
    wrong.extend(found);
    if wrong.is_empty() && predicted != answer {
        wrong.push(format!("{}: differs", name(&answer)));
    }
    wrong
}

fn take(object: &mut Value, path: &Pointer) -> Option<Value> {
    let (last, parents) = path.0.split_last()?;
    let parent = parents.iter().try_fold(object, |value, segment| match value {
        Value::Object(fields) => fields.get_mut(segment),
        Value::Array(items) => items.get_mut(segment.parse::<usize>().ok()?),
        _ => None,
    })?;
    parent.as_object_mut()?.remove(last)
}

#[test]
fn a_new_object_of_every_kind_is_what_the_server_would_store() {
    let Some(server) = Server::new(BODIES.len(), "defaults-new") else { return };
    for (topic, text) in BODIES {
        let bodies = server.bodies(text);
        let schemas = server.schemas(&bodies);
        let wrong = server.compare_creates(&schemas, &bodies);
        assert!(bodies.len() > 8, "{topic}");
        assert!(wrong.is_empty(), "{topic}, {} objects:\n{}", bodies.len(), wrong.join("\n"));
    }
}

/// Objects outside the namespace, deleted when the test ends, well or not.
struct Outside<'a>(&'a Kubectl, Vec<String>);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        for object in &self.1 {
            // A finalizer of the test's own would hold it for ever.
            self.0.output(&["patch", object, "--type=merge", "--patch", r#"{"metadata":{"finalizers":null}}"#], None);
            self.0.output(&["delete", object, "--wait=false", "--ignore-not-found"], None);
        }
    }
}

#[test]
fn an_updated_object_is_what_the_server_would_store() {
    let Some(server) = Server::new(1, "defaults-up") else { return };
    let bodies = server.bodies(include_str!("server_defaults/updates.yaml"));
    let schemas = server.schemas(&bodies);
    let mut live: HashMap<String, Value> = HashMap::new();
    let mut outside = Outside(&server.kubectl, Vec::new());
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for mut body in bodies {
        let resource = format!("{}/{}", text(&body, "/kind"), text(&body, "/metadata/name"));
        if live.insert(name(&body), Value::Null).is_none() {
            server.apply(std::slice::from_ref(&body), false);
            if text(&body, "/metadata/name").starts_with(server.namespace.name()) {
                outside.1.push(resource);
            }
            continue;
        }
        // Controllers may write between the reading and the dry-run; then both are done again.
        let (before, answer) = until("an object that holds still", USUAL, || {
            let before = server.kubectl.get(server.namespace.name(), &resource).expect("it was applied");
            body["metadata"]["namespace"] = before["metadata"]["namespace"].clone();
            if body["metadata"]["namespace"].is_null() {
                take(&mut body, &Pointer::from("/metadata/namespace"));
            }
            let answer = server.apply(std::slice::from_ref(&body), true).remove(&name(&body)).expect("answered");
            let after = server.kubectl.get(server.namespace.name(), &resource);
            let version = |object: &Value| text(object, "/metadata/resourceVersion");
            if after.is_some_and(|after| version(&after) == version(&before)) {
                Ok((before, answer))
            } else {
                Err("written")
            }
        });
        let Outcome::Applied(applied) = driftdeck::merge::merge(&schemas, Some(&before), &body, MANAGER, false) else {
            panic!("{resource} is applied by the server");
        };
        let mut predicted = applied.into_object();
        defaults::apply(&schemas, &mut predicted, Some(&before));
        wrong.extend(differences(&predicted, &answer, false));
        compared += 1;
    }
    assert!(compared > 35, "{compared}");
    assert!(wrong.is_empty(), "of {compared} updates:\n{}", wrong.join("\n"));
}

#[test]
fn a_custom_resource_gets_the_defaults_of_its_schema() {
    let Some(server) = Server::new(1, "defaults-custom") else { return };
    let is_definition = |body: &Value| text(body, "/kind") == "CustomResourceDefinition";
    let mut definitions = server.bodies(include_str!("server_defaults/extension.yaml"));
    definitions.retain(is_definition);
    let _outside = Outside(&server.kubectl, vec![format!("crd/{}", text(&definitions[0], "/metadata/name"))]);
    server.apply(&definitions, false);
    let bodies = server.bodies(include_str!("server_defaults/custom.yaml"));
    let path = format!("/openapi/v3/apis/{}.example.com/v1", server.namespace.name());
    until("the new kind's schema", USUAL, || {
        let document = server.kubectl.output(&["get", "--raw", &path], None).stdout;
        let text = String::from_utf8_lossy(&document).into_owned();
        if text.contains("DefaultsThing") { Ok(()) } else { Err(text) }
    });
    let schemas = server.schemas(&bodies);
    let wrong = server.compare_creates(&schemas, &bodies);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fields behind feature gates that the server has closed: it drops them without a word.
const GATED: [&str; 4] = ["/strategy", "/preferredHolder", "/schedulingGroup", "/dataSourceRef/namespace"];

/// A repeatable sequence of choices (xorshift).
struct Choices(u64);

impl Choices {
    fn of(&mut self, count: usize) -> usize {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        usize::try_from((self.0 >> 11) % count as u64).expect("less than a usize")
    }

    /// An empty value of a type, or null.
    fn empty(&mut self, at: Type<'_>) -> Value {
        match (at.scalar(), at.list(), at.map()) {
            _ if self.of(5) == 0 => Value::Null,
            (Some(Scalar::Numeric), ..) => json!(0),
            (Some(Scalar::Boolean), ..) => json!(false),
            (Some(Scalar::String), ..) => json!(""),
            (_, Some(_), None) => json!([]),
            (_, None, Some(_)) => json!({}),
            _ => Value::Null,
        }
    }
}

/// Where fields are declared in an object, and may be set.
fn structs<'s>(at: Type<'s>, value: &Value, path: &Pointer, found: &mut Vec<(Pointer, Type<'s>)>) {
    match value {
        Value::Object(fields) => {
            let Some(map) = at.map() else { return };
            if map.fields().next().is_some() {
                found.push((path.clone(), at));
            }
            for (name, value) in fields {
                if let Some(member) = map.member(name) {
                    structs(member, value, &path.child(name), found);
                }
            }
        }
        Value::Array(items) => {
            let Some(list) = at.list() else { return };
            for (index, item) in items.iter().enumerate() {
                structs(list.items(), item, &path.child(index.to_string()), found);
            }
        }
        _ => {}
    }
}

/// `DRIFTDECK_TEST_CASES` asks for more than the usual number, `DRIFTDECK_TEST_SEED` for others.
#[test]
fn empty_values_anywhere_stay_or_vanish_as_on_the_server() {
    let Some(server) = Server::new(1, "defaults-empty") else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mut choices = Choices(number("DRIFTDECK_TEST_SEED").unwrap_or(88_172_645_463_325_252));
    let cases = number("DRIFTDECK_TEST_CASES").unwrap_or(60);
    let bodies: Vec<Value> = BODIES.iter().flat_map(|(_, text)| server.bodies(text)).collect();
    let schemas = server.schemas(&bodies);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for _ in 0..cases {
        let mut body = bodies[choices.of(bodies.len())].clone();
        let kind = schemas.kind(&text(&body, "/apiVersion"), &text(&body, "/kind")).expect("its document was read");
        let mut places = Vec::new();
        structs(kind.root, &body, &Pointer::default(), &mut places);
        let mut set = Vec::new();
        for _ in 0..1 + choices.of(3) {
            let (path, at) = &places[choices.of(places.len())];
            let fields: Vec<_> = at.map().into_iter().flat_map(|map| map.fields()).collect();
            let field = fields[choices.of(fields.len())];
            let place = path.child(field.name.as_ref());
            let left_out = ["/status", "/metadata/managedFields", "/metadata/resourceVersion", "/metadata/uid"];
            let gated = GATED.iter().any(|end| place.to_string().ends_with(end));
            if gated || left_out.contains(&place.to_string().as_str()) || place.get(&body).is_some() {
                continue;
            }
            let value = choices.empty(field.value);
            set.push(format!("{place} = {value}"));
            let parent = path.to_string();
            let parent = body.pointer_mut(&parent).and_then(Value::as_object_mut);
            parent.expect("an object").insert(field.name.to_string(), value);
        }
        // What the server does not admit says nothing.
        let arguments = ["apply", "--server-side", "--dry-run=server", "--validate=false", "--field-manager", MANAGER];
        let rest = ["--namespace", server.namespace.name(), "--output", "json", "--filename", "-"];
        let answer = server.kubectl.output(&[&arguments[..], &rest].concat(), Some(&body.to_string()));
        let Ok(answer) = serde_json::from_slice::<Value>(&answer.stdout) else { continue };
        let mut predicted = body.clone();
        defaults::apply(&schemas, &mut predicted, None);
        wrong.extend(
            differences(&predicted, &answer, true).into_iter().map(|line| format!("{line} ({})", set.join(", "))),
        );
        compared += 1;
    }
    assert!(compared * 2 > cases, "only {compared} of {cases} were admitted");
    assert!(wrong.is_empty(), "of {compared}:\n{}", wrong.join("\n"));
}
