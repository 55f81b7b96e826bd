//! Proves that a kustomization is built as `kubectl kustomize` builds it, from files of the tree alone.
//!
//! Needs `kubectl` on the PATH. The corpus of real kustomizations is the folder `DRIFTDECK_TEST_CORPUS`, or
//! `../shared/corpus` beside the checkout.

use driftdeck::render::{Cache, FolderTree, Options, RenderError, Rendered, Renderer, programs, render};
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

fn write(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().expect("inside the root")).expect("a folder");
    fs::write(place, text).expect("written");
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn try_render(root: &Path, path: &str, cache: &Cache) -> Result<Arc<Rendered>, RenderError> {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let result = render(&FolderTree::open(root).expect("a folder"), path, &Options::default(), scratch.path(), cache);
    let left: Vec<_> = fs::read_dir(scratch.path()).expect("the folder").flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "temporary files are left: {left:?}");
    result
}

fn kubectl_is_missing() -> bool {
    let missing = Command::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).status().is_err();
    if missing {
        println!("skipped: 1 test of Kustomize (kubectl is not on the PATH)");
    }
    missing
}

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("DRIFTDECK_TEST_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Runs one test of this program again in a process of its own with another PATH, since a PATH is the whole process'.
fn rerun(test: &str, path: &Path) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env("PATH", path)
        .env("DRIFTDECK_TEST_RERUN", test)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn is_rerun(test: &str) -> bool {
    std::env::var("DRIFTDECK_TEST_RERUN").is_ok_and(|name| name == test)
}

#[test]
fn a_kustomization_is_built_from_the_files_it_refers_to_and_no_others() {
    if kubectl_is_missing() {
        return;
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    let overlay = "Resources: [../../base, extra.yaml]\ncomponents: [../../component]\nnamePrefix: p-\n\
        patches: [{path: patch.yaml, target: {kind: ConfigMap, name: a}}]\n\
        configMapGenerator: [{name: g, files: [key=data.txt], envs: [env.txt]}]\n\
        replacements: [{path: replacement.yaml}]\ntransformers: [transformer.yaml]\n";
    for (path, text) in [
        ("app/overlay/kustomization.yaml", overlay),
        ("app/overlay/extra.yaml", &config_map("b")),
        ("app/overlay/patch.yaml", "- op: add\n  path: /data\n  value: {x: text}\n"),
        ("app/overlay/data.txt", "text"),
        ("app/overlay/env.txt", "A=1"),
        (
            "app/overlay/replacement.yaml",
            "source: {kind: ConfigMap, name: a, fieldPath: data.x}\ntargets: [{select: {kind: ConfigMap, name: b}, fieldPaths: [data.z], options: {create: true}}]",
        ),
        (
            "app/overlay/transformer.yaml",
            "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: from-transformer.yaml\n",
        ),
        ("app/overlay/from-transformer.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {t: 'yes'}"),
        ("app/overlay/unused.yaml", "x: 1"),
        ("base/Kustomization", "resources:\n- a.yaml\n"),
        ("base/unused.yaml", "x: 1"),
        (
            "component/kustomization.yml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels: [{pairs: {c: d}}]\n",
        ),
    ] {
        write(root.path(), path.strip_prefix("app/").map_or(path, |rest| rest), text);
    }
    fs::create_dir_all(root.path().join("app")).expect("a folder");
    fs::rename(root.path().join("overlay"), root.path().join("app/overlay")).expect("moved");
    write(root.path(), "shared/a.yaml", &config_map("a"));
    symlink("../shared/a.yaml", root.path().join("base/a.yaml")).expect("a link");

    let cache = Cache::default();
    let built = try_render(root.path(), "app/overlay", &cache).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(built.renderer, Renderer::Kustomize);
    assert!(built.issues.is_empty(), "{:?}", built.issues);
    let find = |name: &str| built.manifests.iter().find(|manifest| manifest.id.name.starts_with(name)).expect("there");
    assert_eq!(find("p-a").body()["data"], serde_json::json!({"t": "yes", "x": "text"}));
    assert_eq!(find("p-b").body()["data"]["z"], "text");
    assert_eq!(find("p-g-").body()["data"], serde_json::json!({"A": "1", "key": "text"}));
    assert_eq!(find("p-g-").body()["metadata"]["labels"]["c"], "d");
    assert_eq!(built.manifests[0].origin.path, "app/overlay/kustomization.yaml");
    assert_eq!((built.manifests[1].origin.document, built.manifests[1].origin.lines), (1, None));
    let inputs: Vec<&str> = built.inputs.iter().map(|(path, _)| path.as_str()).collect();
    let own = ["data.txt", "env.txt", "extra.yaml", "from-transformer.yaml", "kustomization.yaml", "patch.yaml"];
    let mut expected: Vec<String> = own.iter().map(|name| format!("app/overlay/{name}")).collect();
    expected.extend(["replacement.yaml", "transformer.yaml"].map(|name| format!("app/overlay/{name}")));
    expected.extend(["base/Kustomization", "base/a.yaml", "component/kustomization.yml"].map(String::from));
    assert_eq!(inputs, expected);

    write(root.path(), "base/unused.yaml", "x: 2");
    let again = try_render(root.path(), "app/overlay", &cache).unwrap_or_else(|error| panic!("{error}"));
    assert!(Arc::ptr_eq(&built, &again));
    write(root.path(), "shared/a.yaml", &config_map("a2"));
    assert!(try_render(root.path(), "app/overlay", &cache).is_err(), "the patch has lost its target");
}

#[test]
fn references_that_leave_the_tree_or_need_the_network_are_refused_before_the_run() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    write(outside.path(), "stolen/kustomization.yaml", "resources: [cm.yaml]");
    write(outside.path(), "stolen/cm.yaml", &config_map("stolen"));
    let root = outside.path().join("repository");
    let absolute = format!("resources: [{}/stolen]", outside.path().display());
    for (name, text, words) in [
        ("dots", "resources: [../../stolen]", "leaves the repository"),
        ("absolute", absolute.as_str(), "leaves the repository"),
        ("link", "resources: [link.yaml]", "leaves the repository"),
        ("folderlink", "resources: [folder/cm.yaml]", "symbolic link"),
        ("patch", "patches: [{Path: ../../stolen/cm.yaml}]", "leaves the repository"),
        ("files", "configMapGenerator: [{name: a, files: [x=../../stolen/cm.yaml]}]", "configMapGenerator.files"),
        ("merge", "x: &x {resources: [../../stolen]}\n<<: *x", "merge keys"),
        ("twice", "resources: [a.yaml]\nresources: [../../stolen]", "twice"),
        ("url", "resources: ['https://example.com/a.yaml']", "`resources` names the remote"),
        ("git", "bases: ['github.com/org/repo//sub?ref=v1']", "`bases` names the remote"),
        ("scp", "components: ['git@example.com:org/repo.git']", "remote"),
        ("openapi", "openapi: {path: 'http://example.com/x'}", "remote"),
        ("helm", "helmCharts: [{name: x, repo: 'https://example.com'}]", "helmCharts"),
        ("gone", "resources: [nothing.yaml]", "`nothing.yaml`, which is not there"),
        ("syntax", "resources: [", "line"),
    ] {
        write(&root, &format!("{name}/kustomization.yaml"), text);
        symlink("../../stolen/cm.yaml", root.join(name).join("link.yaml")).expect("a link");
        symlink("../../stolen", root.join(name).join("folder")).expect("a link");
        let error = match try_render(&root, name, &Cache::default()) {
            Err(error @ RenderError::Refused { .. }) => error.to_string(),
            other => panic!("{name}: {other:?}"),
        };
        assert!(error.contains(words), "{name}: {error}");
        assert!(error.contains(&format!("{name}/")), "{name}: the file is not named: {error}");
    }
}

#[test]
fn a_reference_inside_an_included_kustomization_is_refused_too() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "app/kustomization.yaml", "resources: [../base]");
    write(root.path(), "base/kustomization.yaml", "resources: [../../x]");
    let error = try_render(root.path(), "app", &Cache::default()).expect_err("it leaves the tree");
    assert!(error.to_string().starts_with("base/kustomization.yaml"), "{error}");
}

#[test]
fn the_words_of_kustomize_are_shown_without_the_temporary_place() {
    if kubectl_is_missing() {
        return;
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "app/kustomization.yaml", "resources: [../other]");
    write(root.path(), "other/README.md", "");
    let error = try_render(root.path(), "app", &Cache::default()).expect_err("no kustomization there").to_string();
    assert!(error.contains("kustomization") && !error.contains("/tree") && !error.contains("render-"), "{error}");
    write(root.path(), "app/kustomization.yaml", "resources: [../app]");
    assert!(matches!(try_render(root.path(), "app", &Cache::default()), Err(RenderError::Failed { .. })));
    write(root.path(), "app/kustomization.yaml", "resourcez: [a]");
    let error = try_render(root.path(), "app", &Cache::default()).expect_err("an unknown field").to_string();
    assert!(error.contains("resourcez"), "{error}");
}

#[test]
fn a_missing_program_is_an_error_of_that_application_alone() {
    const NAME: &str = "a_missing_program_is_an_error_of_that_application_alone";
    let root = tempfile::tempdir().expect("a temporary folder");
    if !is_rerun(NAME) {
        return rerun(NAME, root.path());
    }
    write(root.path(), "app/kustomization.yaml", "resources: [a.yaml]");
    write(root.path(), "app/a.yaml", &config_map("a"));
    write(root.path(), "chart/Chart.yaml", "name: x");
    for (path, program) in [("app", "kustomize"), ("chart", "helm")] {
        let error = try_render(root.path(), path, &Cache::default()).expect_err("nothing is on the PATH").to_string();
        assert!(error.contains(program) && error.contains("not on the PATH"), "{error}");
    }
    assert_eq!(try_render(root.path(), "app/a.yaml", &Cache::default()).expect("plain YAML").manifests.len(), 1);
    assert!(programs().iter().all(|program| program.found.is_none() && program.network.contains("refused")));
}

#[test]
fn the_kustomizations_of_the_corpus_are_built_as_kubectl_builds_them() {
    if kubectl_is_missing() {
        return;
    }
    let Some(corpus) = corpus() else {
        println!("skipped: 1 test over the corpus (set DRIFTDECK_TEST_CORPUS to a folder of kustomizations)");
        return;
    };
    let mut roots = Vec::new();
    for entry in fs::read_dir(corpus.join("examples")).into_iter().flatten().flatten() {
        collect(&entry.path(), &entry.path(), &mut roots);
    }
    for entry in fs::read_dir(corpus.join("kustomize-suite")).into_iter().flatten().flatten() {
        let Ok(text) = fs::read_to_string(entry.path().join("case.json")) else { continue };
        let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let path = case["path"].as_str().unwrap_or_default().trim_matches('/');
        roots.push((entry.path().join("in"), path.to_owned()));
    }
    roots.sort();
    let half = roots.len() / 2;
    let counts = std::thread::scope(|scope| {
        let both = [&roots[..half], &roots[half..]].map(|part| scope.spawn(move || compare(part)));
        both.map(|thread| thread.join().expect("the comparison ends"))
    });
    let sum = |at: usize| counts[0][at] + counts[1][at];
    assert!(sum(0) > 0, "nothing in {} builds", corpus.display());
    println!("{} built alike, {} refused alike, {} need the network", sum(0), sum(1), sum(2));
}

/// Compares our builds with kubectl's; returns how many are the same, refused by both, and refused as remote.
fn compare(roots: &[(PathBuf, String)]) -> [usize; 3] {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let mut trees = HashMap::new();
    let mut counts = [0; 3];
    for (tree, path) in roots {
        let source = trees.entry(tree).or_insert_with(|| FolderTree::open(tree).expect("a folder"));
        let options = Options { renderer: Renderer::Kustomize, ..Options::default() };
        let ours = render(source, path, &options, scratch.path(), &Cache::default());
        if ours.as_ref().is_err_and(|error| error.to_string().contains("names the remote")) {
            counts[2] += 1;
            continue;
        }
        let place = tree.join(path);
        let theirs = Command::new("kubectl").arg("kustomize").arg(&place).output().expect("kubectl runs");
        match ours {
            Ok(ours) => {
                assert!(theirs.status.success(), "{} builds only for us", place.display());
                assert!(ours.raw == theirs.stdout, "{} is built otherwise", place.display());
                counts[0] += 1;
            }
            Err(error) => {
                assert!(!theirs.status.success(), "{} builds, but not for us: {error}", place.display());
                counts[1] += 1;
            }
        }
    }
    counts
}

fn collect(tree: &Path, folder: &Path, roots: &mut Vec<(PathBuf, String)>) {
    if ["kustomization.yaml", "kustomization.yml", "Kustomization"].iter().any(|name| folder.join(name).is_file()) {
        let path = folder.strip_prefix(tree).expect("inside the tree").to_string_lossy().into_owned();
        roots.push((tree.to_owned(), path));
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(tree, &entry.path(), roots);
        }
    }
}
