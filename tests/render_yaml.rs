//! Proves that plain YAML is rendered whole, and that each file that cannot be is one issue which names its place.

use driftdeck::{
    object::{Issue, Severity, sha256_hex},
    render::{Cache, FolderTree, Options, RenderError, Rendered, Renderer, render},
};
use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc};

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().expect("inside the root")).expect("a folder");
    fs::write(place, text).expect("written");
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn try_render(root: &Path, path: &str, options: &Options) -> Result<Arc<Rendered>, RenderError> {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    render(&FolderTree::open(root).expect("a folder"), path, options, scratch.path(), &Cache::default())
}

fn rendered(root: &Path, path: &str, options: &Options) -> Arc<Rendered> {
    try_render(root, path, options).unwrap_or_else(|error| panic!("{error}"))
}

fn names(rendered: &Rendered) -> Vec<&str> {
    rendered.manifests.iter().map(|manifest| manifest.id.name.as_str()).collect()
}

fn recurse() -> Options {
    Options { recurse: true, ..Options::default() }
}

#[test]
fn files_are_taken_in_byte_order_with_their_origin() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "app/b.yaml", config_map("b"));
    write(root.path(), "app/B.yml", format!("# head\n---\n{}---\n---\n{}", config_map("b1"), config_map("b2")));
    write(root.path(), "app/a/x.json", r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}"#);
    write(root.path(), "app/a-b.yaml", config_map("dash"));
    write(root.path(), "app/README.md", "# no manifest");
    write(root.path(), "other.yaml", config_map("other"));
    let all = rendered(root.path(), "app/", &recurse());
    assert_eq!(names(&all), ["b1", "b2", "dash", "x", "b"]);
    assert_eq!(all.renderer, Renderer::Yaml);
    assert!(all.issues.is_empty() && all.raw.is_empty());
    let origin = &all.manifests[1].origin;
    assert_eq!((origin.path.as_str(), origin.document, origin.lines), ("app/B.yml", 2, Some((9, 12))));
    let expected: Vec<_> = ["app/B.yml", "app/a-b.yaml", "app/a/x.json", "app/b.yaml"]
        .map(|path| (path.to_owned(), sha256_hex(fs::read(root.path().join(path)).expect("a file"))))
        .into();
    assert_eq!(all.inputs, expected);

    assert_eq!(names(&rendered(root.path(), "app", &Options::default())), ["b1", "b2", "dash", "b"]);
    assert_eq!(names(&rendered(root.path(), "app/b.yaml", &Options::default())), ["b"]);
    let include = Options { include: vec!["a/*".into(), "B.yml".into()], exclude: vec!["a/y*".into()], ..recurse() };
    assert_eq!(names(&rendered(root.path(), "app", &include)), ["b1", "b2", "x"]);
}

#[test]
fn lists_are_flattened_and_items_take_their_lists_kind() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - metadata: {name: a}\n\
                - apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: b}\n---\napiVersion: v1\nkind: List\nitems:\n";
    write(root.path(), "list.yaml", text);
    let all = rendered(root.path(), "", &Options::default());
    let ids: Vec<_> = all.manifests.iter().map(|manifest| manifest.id.to_string()).collect();
    assert_eq!(ids, ["ConfigMap/a", "apps/Deployment/b"]);
    assert!(all.issues.is_empty(), "{:?}", all.issues);
}

#[test]
fn each_bad_file_is_one_issue_and_the_rest_is_rendered() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let outside = tempfile::tempdir().expect("a temporary folder");
    write(outside.path(), "secret.yaml", config_map("stolen"));
    let repository = root.path();
    write(repository, "good.yaml", config_map("good"));
    symlink("good.txt", repository.join("linked.yaml")).expect("a link");
    write(repository, "good.txt", config_map("linked"));
    symlink(outside.path().join("secret.yaml"), repository.join("out.yaml")).expect("a link");
    symlink("nowhere", repository.join("dangling.yaml")).expect("a link");
    write(repository, "sub/.git", "gitdir: x");
    for (path, text) in [
        ("binary.yaml", b"a: \0\x01".as_slice()),
        ("latin.yaml", b"a: 1\nb: \xe9"),
        ("lfs.yaml", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("syntax.yaml", b"apiVersion: v1\nkind: A\n\tx: 1\n"),
        ("list.yaml", b"- apiVersion: v1\n- kind: A\n"),
        ("nameless.yaml", b"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
        ("kindless.yaml", b"apiVersion: v1\nmetadata: {name: a}\n"),
        ("sops.yaml", b"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nsops: {mac: x, lastmodified: y}\n"),
        ("values.yaml", b"replicas: 1\nimage: x\n"),
        ("kustomization.yml.yaml", b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"),
        ("twice.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\ndata: {a: '1'}\ndata: {a: '2'}\n"),
        ("good2.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"),
        ("empty.yaml", b"# nothing\n---\n"),
    ] {
        write(repository, path, text);
    }
    let all = rendered(repository, "", &recurse());
    assert_eq!(names(&all), ["good", "linked", "twice"]);
    for (path, line, severity, words) in [
        ("binary.yaml", None, Severity::Error, "binary"),
        ("latin.yaml", None, Severity::Error, "line 2"),
        ("lfs.yaml", None, Severity::Error, "LFS"),
        ("syntax.yaml", Some(3), Severity::Error, "tab"),
        ("list.yaml", None, Severity::Warning, "not a manifest"),
        ("nameless.yaml", Some(2), Severity::Error, "metadata.name"),
        ("kindless.yaml", Some(1), Severity::Error, "kind"),
        ("sops.yaml", Some(1), Severity::Error, "SOPS"),
        ("values.yaml", None, Severity::Warning, "not a manifest"),
        ("kustomization.yml.yaml", Some(1), Severity::Warning, "kustomization"),
        ("twice.yaml", Some(5), Severity::Warning, "`data`"),
        ("good2.yaml", Some(1), Severity::Error, "good.yaml:1"),
        ("out.yaml", None, Severity::Error, "leaves the repository"),
        ("dangling.yaml", None, Severity::Error, "ends nowhere"),
        ("sub", None, Severity::Error, "submodule"),
    ] {
        let found: Vec<&Issue> = all.issues.iter().filter(|issue| issue.path.as_deref() == Some(path)).collect();
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert_eq!((found[0].severity, found[0].line), (severity, line), "{path}: {found:?}");
        assert!(found[0].message.contains(words), "{path}: {found:?}");
    }
    assert_eq!(all.issues.len(), 15, "{:?}", all.issues);
    assert!(!format!("{all:?}").contains("stolen"));
}

#[test]
fn one_file_of_several_kinds_of_documents_reports_those_that_are_no_manifest() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "mixed.yaml", format!("{}---\nfoo: bar\n", config_map("a")));
    let all = rendered(root.path(), "", &Options::default());
    assert_eq!(names(&all), ["a"]);
    assert_eq!((all.issues[0].severity, all.issues[0].line), (Severity::Error, Some(6)));
}

#[test]
fn a_missing_or_escaping_path_and_a_bad_glob_are_errors() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "a.yaml", config_map("a"));
    assert!(matches!(try_render(root.path(), "absent", &Options::default()), Err(RenderError::Source(_))));
    assert!(matches!(try_render(root.path(), "../x", &Options::default()), Err(RenderError::Source(_))));
    let options = Options { include: vec!["{a".into()], ..Options::default() };
    let error = try_render(root.path(), "", &options).expect_err("a bad glob");
    assert!(error.to_string().contains("{a"), "{error}");
}

#[test]
fn a_render_of_the_same_bytes_is_shared_and_one_of_other_bytes_is_not() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "app/a.yaml", config_map("a"));
    let cache = Cache::default();
    let again = |options: &Options| {
        let tree = FolderTree::open(root.path()).expect("a folder");
        render(&tree, "app", options, root.path(), &cache).unwrap_or_else(|error| panic!("{error}"))
    };
    let first = again(&Options::default());
    write(root.path(), "app/README.md", "not part of it");
    assert!(Arc::ptr_eq(&first, &again(&Options::default())));
    assert!(!Arc::ptr_eq(&first, &again(&recurse())));
    write(root.path(), "app/a.yaml", config_map("b"));
    assert_eq!(names(&again(&Options::default())), ["b"]);
}

#[test]
fn the_folder_says_which_renderer_it_wants() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: flux, namespace: flux-system}\n";
    write(root.path(), "flux/kustomization.yaml", flux);
    let all = rendered(root.path(), "flux", &Options::default());
    assert_eq!((all.renderer, names(&all)), (Renderer::Yaml, vec!["flux"]));
}
