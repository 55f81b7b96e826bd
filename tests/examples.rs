//! Proves that driftdeck applies other people's repositories as they are: every application of the corpus' examples is
//! synced to a real API server; compared again there is no difference, and `kubectl diff --server-side` agrees. Objects of
//! kinds that the server does not serve say "unknown kind" and leave the rest usable. What an application consists of is
//! told by `kubectl kustomize` and the files, not by our code.

mod support;

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use support::{Application, Cluster, Kubectl, World, cluster, corpus};

/// Held while an application has objects that others could meet: see [`meets_others`].
static SHARED_OBJECTS: Mutex<()> = Mutex::new(());

macro_rules! examples {
    ($($test:ident: $folder:literal,)*) => {
        $(#[test] fn $test() { apply_all($folder) })*

        #[test]
        fn every_folder_of_the_examples_is_tested() {
            let Some(examples) = corpus("examples", 1, "list of the examples") else { return };
            let there: BTreeSet<String> = subfolders(&examples).iter().map(|folder| name(folder).to_owned()).collect();
            assert_eq!(there, BTreeSet::from([$($folder.to_owned()),*]));
        }
    };
}

examples! {
    microservices_demo: "GoogleCloudPlatform+microservices-demo",
    flux_kustomize_helm: "fluxcd+flux2-kustomize-helm-example",
    flux_multi_tenancy: "fluxcd+flux2-multi-tenancy",
    kubernetes_examples: "kubernetes+examples",
    ingress_nginx: "kubernetes+ingress-nginx",
    kustomize_examples: "kubernetes-sigs+kustomize",
    kube_prometheus: "prometheus-operator+kube-prometheus",
    podinfo: "stefanprodan+podinfo",
}

/// One application of an example: a folder, and the documents that it consists of, unless they cannot be had.
struct Example {
    path: String,
    renderer: &'static str,
    documents: Result<Vec<Document>, String>,
}

/// One YAML document, read only as far as telling it apart needs.
#[derive(Clone)]
struct Document {
    text: String,
    api_version: String,
    kind: String,
    namespace: Option<String>,
}

impl Document {
    fn parse(text: &str) -> Option<Self> {
        let top = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(unquoted);
        let metadata = text.lines().skip_while(|line| !line.starts_with("metadata:")).skip(1);
        let inside = metadata.take_while(|line| line.starts_with(' ') || line.starts_with('#') || line.is_empty());
        let namespace = inside.filter_map(|line| line.strip_prefix("  namespace:")).map(unquoted).next();
        Some(Self { text: text.to_owned(), api_version: top("apiVersion:")?, kind: top("kind:")?, namespace })
    }

    /// Hooks are listed and not applied.
    fn is_hook(&self) -> bool {
        ["helm.sh/hook:", "argocd.argoproj.io/hook:"].iter().any(|annotation| self.text.contains(annotation))
    }
}

fn unquoted(text: &str) -> String {
    text.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
}

fn documents(text: &str) -> Vec<Document> {
    let text = text.replace("\r\n", "\n");
    format!("\n{text}").split("\n---").filter_map(Document::parse).collect()
}

fn apply_all(folder: &str) {
    let Some(kubectl) = cluster(1, &format!("example {folder}")) else { return };
    let Some(root) = corpus(&format!("examples/{folder}"), 1, &format!("example {folder}")) else { return };
    let examples = find(&root, &kubectl);
    assert!(!examples.is_empty(), "no application found in {}", root.display());
    let mut wrong = Vec::new();
    let (mut whole, mut partly, mut unrenderable, mut refused, mut objects) = (0, 0, 0, 0, 0);
    for example in &examples {
        match apply(&root, example, &kubectl) {
            Ok(Applied::Whole(count)) => (whole, objects) = (whole + 1, objects + count),
            Ok(Applied::Partly(count)) => (partly, objects) = (partly + 1, objects + count),
            Ok(Applied::Unrenderable) => unrenderable += 1,
            Ok(Applied::Refused) => refused += 1,
            Err(problem) => wrong.push(format!("{folder}/{}: {problem}", example.path)),
        }
    }
    println!(
        "{folder}: {} applications: {whole} applied whole, {partly} without unknown kinds, {unrenderable} cannot be rendered, {refused} refused by the server; {objects} objects agree",
        examples.len()
    );
    assert!(wrong.is_empty(), "{} of {} applications:\n{}", wrong.len(), examples.len(), wrong.join("\n\n"));
    assert!(objects > 0, "no object of {folder} was compared");
}

/// Applications that the API server refuses from kubectl's server-side apply too, and its words.
const REFUSED: &[(&str, &str)] = &[
    // a ConfigMap whose `data` is a list
    ("examples/validationTransformer", "expected map"),
    // two ports of one container with the same number and protocol
    ("deploy/static/provider/aws/nlb-with-tls-termination", "duplicate entries for key"),
];

enum Applied {
    Refused,
    Whole(usize),
    Partly(usize),
    Unrenderable,
}

fn apply(root: &Path, example: &Example, kubectl: &Kubectl) -> Result<Applied, String> {
    let mut world = World::new();
    let repository = world.repository("platform");
    copy(root, repository.folder());
    repository.commit_all("everything");
    world.cluster(Cluster::new("test", kubectl));

    let namespace = kubectl.namespace("example");
    let options = format!("renderer = \"{}\"\nrecurse = false", example.renderer);
    world.application(Application::new("example", &example.path, namespace.name()).with(&options));
    let driftdeck = world.driftdeck();

    let documents = match &example.documents {
        Ok(documents) => documents,
        Err(reason) => {
            // Where kustomize cannot, we cannot either, and say so for this application.
            let render = driftdeck.run(&["render", "example"]);
            // The file to blame may be a base's.
            if render.code != 1 || !(render.stderr.contains(&example.path) || render.stderr.contains("kustomization")) {
                return Err(format!("kustomize says {reason:?}, and we: {render:?}"));
            }
            return Ok(Applied::Unrenderable);
        }
    };
    let own: Vec<&Document> = documents.iter().filter(|document| !document.is_hook()).collect();
    let versions: BTreeSet<&str> = own.iter().map(|document| document.api_version.as_str()).collect();
    let at_first = served(kubectl, &versions);
    let shared = own.iter().any(|document| meets_others(document, &at_first));
    let _guard = shared.then(|| SHARED_OBJECTS.lock().unwrap_or_else(PoisonError::into_inner));
    let cleanup = shared.then(|| Cleanup::new(kubectl, namespace.name(), &own));

    let arguments = ["--write", "sync", "example", "--yes", "--confirm", "example", "--wait=false", "-o", "json"];
    let sync = driftdeck.run(&arguments);
    // Again: the application may have brought CRDs.
    let served = served(kubectl, &versions);
    let (known, unknown): (Vec<&Document>, Vec<&Document>) =
        own.iter().partition(|document| served.contains_key(&key(document)));
    // Nothing but unknown kinds: there is nothing to approve.
    let wanted: &[i32] = match (known.is_empty(), unknown.is_empty()) {
        (true, false) => &[3],
        (_, true) => &[0],
        (false, false) => &[0, 1],
    };
    if let Some((_, cause)) = REFUSED.iter().find(|(path, _)| *path == example.path) {
        let said = format!("{}{}", sync.stdout, sync.stderr);
        return match sync.code != 0 && said.contains(cause) {
            true => Ok(Applied::Refused),
            false => Err(format!("the server should refuse it ({cause}): {} {said}", sync.code)),
        };
    }
    if !wanted.contains(&sync.code) {
        // What the server refuses from kubectl it refuses from us.
        let arguments = ["apply", "--server-side", "--dry-run=server", "--force-conflicts"];
        let words = kubectl_on(kubectl, &arguments, namespace.name(), &known).err().unwrap_or_default();
        return Err(format!("sync ended with {}: {}{}\nkubectl says: {words}", sync.code, sync.stdout, sync.stderr));
    }

    let diff = driftdeck.run(&["diff", "example", "-o", "json"]);
    let comparison = diff.json();
    if unknown.is_empty() && (diff.code != 0 || comparison["state"] != "Synced") {
        return Err(format!(
            "compared again, it is {} ({}): {}",
            comparison["state"],
            diff.code,
            differing(&comparison)
        ));
    }
    let objects = comparison["objects"].as_array().cloned().unwrap_or_default();
    for object in objects.iter().filter(|object| object["hook"].is_null()) {
        let version = object["version"].as_str().unwrap_or_default();
        let group = object["group"].as_str().filter(|group| !group.is_empty());
        let api_version = group.map_or(version.to_owned(), |group| format!("{group}/{version}"));
        let kind = object["kind"].as_str().unwrap_or_default();
        let error = object["error"].as_str().unwrap_or_default();
        let fine = match served.contains_key(&(api_version, kind.to_owned())) {
            true => object["state"] == "Synced",
            false => object["state"] == "Unknown" && error.contains("unknown kind"),
        };
        if !fine {
            return Err(format!("{kind} {}: {} {error}", object["name"], object["state"]));
        }
    }

    // A manager of its own, so that only values count: what would kubectl still change?
    let arguments = ["diff", "--server-side", "--force-conflicts", "--field-manager=oracle"];
    kubectl_on(kubectl, &arguments, namespace.name(), &known)
        .map_err(|words| format!("kubectl diff does not agree: {words}"))?;
    drop(cleanup);
    Ok(if unknown.is_empty() { Applied::Whole(known.len()) } else { Applied::Partly(known.len()) })
}

/// Runs kubectl on documents: kubectl refuses a namespace for objects that name another, so these go by themselves.
fn kubectl_on(kubectl: &Kubectl, arguments: &[&str], namespace: &str, documents: &[&Document]) -> Result<(), String> {
    let (placed, placeless): (Vec<&Document>, Vec<&Document>) =
        documents.iter().partition(|document| document.namespace.is_some());
    let mut words = String::new();
    for (documents, place) in [(placeless, vec!["--namespace", namespace]), (placed, vec![])] {
        if documents.is_empty() {
            continue;
        }
        let output = kubectl.output(&[arguments, &place, &["-f", "-"]].concat(), Some(&text(&documents)));
        if !output.status.success() {
            words.push_str(&String::from_utf8_lossy(&output.stdout));
            words.push_str(&String::from_utf8_lossy(&output.stderr));
        }
    }
    if words.is_empty() { Ok(()) } else { Err(words) }
}

/// Objects outside of the application's own namespace: the namespaces they need, and their end.
struct Cleanup<'a> {
    kubectl: &'a Kubectl,
    namespace: &'a str,
    /// Namespaces that were made for the application.
    namespaces: Vec<String>,
    /// Every namespace that its objects name, but those of the cluster itself.
    named: BTreeSet<String>,
    documents: Vec<&'a Document>,
}

impl<'a> Cleanup<'a> {
    /// Makes the namespaces that objects name and that no object of the application makes.
    fn new(kubectl: &'a Kubectl, namespace: &'a str, own: &[&'a Document]) -> Self {
        let named: BTreeSet<&str> = own.iter().filter_map(|document| document.namespace.as_deref()).collect();
        let made = |name: &str| {
            own.iter().any(|document| document.kind == "Namespace" && document.text.contains(&format!("name: {name}")))
        };
        let named: BTreeSet<String> = named
            .into_iter()
            .filter(|name| !["default", "kube-system", namespace].contains(name))
            .map(str::to_owned)
            .collect();
        let namespaces: Vec<String> = named.iter().filter(|name| !made(name)).cloned().collect();
        for name in &namespaces {
            kubectl.run(&["create", "namespace", name]);
        }
        Self { kubectl, namespace, namespaces, named, documents: own.to_vec() }
    }
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        // CRDs may go first: what is left of their objects then is nothing to find. The next application may use the
        // same names, so this waits.
        let delete = ["delete", "--ignore-not-found", "--timeout=60s"];
        // What cannot be deleted shows in the next application's test.
        let _ = kubectl_on(self.kubectl, &delete, self.namespace, &self.documents);
        for name in &self.namespaces {
            self.kubectl.output(&["delete", "namespace", name, "--ignore-not-found", "--wait=false"], None);
        }
        // A namespace ends when everything in it has; until then nobody can use its name.
        for name in &self.named {
            let gone = ["wait", "--for=delete", &format!("namespace/{name}"), "--timeout=120s"];
            self.kubectl.output(&gone, None);
        }
    }
}

fn key(document: &Document) -> (String, String) {
    let kind = document.kind.strip_suffix("List").filter(|kind| !kind.is_empty()).unwrap_or(&document.kind);
    // A bare `List` is taken apart by whoever reads it.
    if document.kind == "List" {
        ("v1".to_owned(), "ConfigMap".to_owned())
    } else {
        (document.api_version.clone(), kind.to_owned())
    }
}

/// Of these apiVersions, every kind that the server serves and whether its objects live in namespaces, as discovery says.
fn served(kubectl: &Kubectl, versions: &BTreeSet<&str>) -> BTreeMap<(String, String), bool> {
    let mut found = BTreeMap::new();
    for version in versions.iter().copied().chain(["v1"]) {
        let path = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let list = kubectl.output(&["get", "--raw", &path], None);
        // Not served: 404, and no JSON.
        let Ok(list) = serde_json::from_slice::<Value>(&list.stdout) else { continue };
        for resource in list["resources"].as_array().into_iter().flatten() {
            if let (Some(kind), Some(namespaced)) = (resource["kind"].as_str(), resource["namespaced"].as_bool()) {
                found.insert((version.to_owned(), kind.to_owned()), namespaced);
            }
        }
    }
    assert!(found.contains_key(&("v1".to_owned(), "ConfigMap".to_owned())), "discovery says too little: {found:?}");
    found
}

/// Whether applications tested at the same time could meet in this object: it is outside of the application's namespace, or
/// (Ingresses) another one's webhook is asked about it.
fn meets_others(document: &Document, served: &BTreeMap<(String, String), bool>) -> bool {
    let namespaced = served.get(&key(document)).copied().unwrap_or(false);
    document.namespace.is_some() || !namespaced || document.kind == "Ingress"
}

fn text(documents: &[&Document]) -> String {
    documents.iter().map(|document| format!("---\n{}\n", document.text.trim_start_matches('\n'))).collect()
}

fn differing(comparison: &Value) -> String {
    let objects = comparison["objects"].as_array().cloned().unwrap_or_default();
    let differing: Vec<&Value> = objects.iter().filter(|object| object["state"] != "Synced").collect();
    format!("{}\nissues: {}", serde_json::to_string_pretty(&differing).expect("JSON"), comparison["issues"])
}

/// Finds the applications: folders with a kustomization (no component), and folders of plain manifests that no kustomization
/// here or above uses.
fn find(root: &Path, kubectl: &Kubectl) -> Vec<Example> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), false)];
    while let Some((folder, above)) = folders.pop() {
        let kustomization = ["kustomization.yaml", "kustomization.yml", "Kustomization"]
            .iter()
            .find_map(|file| fs::read_to_string(folder.join(file)).ok());
        let path = folder.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
        match &kustomization {
            Some(text) if text.lines().any(|line| line.starts_with("kind: Component")) => {}
            Some(_) => {
                let output = kubectl.output(&["kustomize", folder.to_str().expect("UTF-8")], None);
                let documents = match output.status.success() {
                    true => Ok(documents(&String::from_utf8_lossy(&output.stdout))),
                    false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                };
                // Nothing to apply, nothing to show.
                if documents.as_ref().map_or(true, |documents| !documents.is_empty()) {
                    found.push(Example { path, renderer: "kustomize", documents });
                }
            }
            None if above => {}
            None => {
                let texts: Vec<String> = manifests(&folder);
                let documents: Vec<Document> = texts.iter().flat_map(|text| self::documents(text)).collect();
                let all = texts.iter().all(|text| !self::documents(text).is_empty());
                if all && !documents.is_empty() {
                    found.push(Example { path, renderer: "yaml", documents: Ok(documents) });
                }
            }
        }
        let above = above || kustomization.is_some();
        folders.extend(subfolders(&folder).into_iter().rev().map(|folder| (folder, above)));
    }
    found
}

fn manifests(folder: &Path) -> Vec<String> {
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    entries(folder)
        .into_iter()
        .filter(|path| path.is_file() && is_yaml(path))
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|path| path.is_dir() && !name(path).starts_with('.')).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the corpus can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the corpus can be read").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder of the copy");
    for entry in entries(from) {
        let target = to.join(name(&entry));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            // Read and written, not copied: the corpus may be read-only, its copy must not be.
            fs::write(&target, fs::read(&entry).expect("a file of the corpus")).expect("file of the copy");
        }
    }
}
