//! Proves how a chart is given to `helm template` and how its output is read, with a stand-in for `helm` where there is
//! no real one, and with the real one where there is.

use driftdeck::render::{Cache, FolderTree, HelmOptions, Options, RenderError, Rendered, Renderer, render};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, sync::Arc};

fn write(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().expect("inside the root")).expect("a folder");
    fs::write(place, text).expect("written");
}

fn chart(root: &Path) {
    write(root, "charts/shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    write(root, "charts/shop/values.yaml", "color: red\n");
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-env\ndata:\n  color: {{ .Values.color }}\n";
    write(root, "charts/shop/templates/env.yaml", template);
    write(root, "charts/prod.yaml", "color: green\n");
}

fn options() -> Options {
    Options {
        application: "shop".into(),
        namespace: Some("shop-prod".into()),
        kube_version: Some("1.36.3".into()),
        api_versions: vec!["v1".into(), "apps/v1/Deployment".into()],
        helm: HelmOptions {
            values: vec!["../prod.yaml".into()],
            set: [("a".to_owned(), "1,2".to_owned())].into(),
            include_crds: true,
            ..HelmOptions::default()
        },
        ..Options::default()
    }
}

fn try_render(root: &Path, options: &Options) -> Result<Arc<Rendered>, RenderError> {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let tree = FolderTree::open(root).expect("a folder");
    render(&tree, "charts/shop", options, scratch.path(), &Cache::default())
}

/// Runs one test of this program again in a process of its own, with a `helm` on the PATH that is this script.
fn rerun_with_helm(test: &str, script: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let helm = folder.path().join("helm");
    fs::write(&helm, format!("#!/bin/sh\n{script}")).expect("written");
    fs::set_permissions(&helm, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
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
fn a_chart_is_rendered_with_its_options_and_its_objects_know_their_template() {
    const NAME: &str = "a_chart_is_rendered_with_its_options_and_its_objects_know_their_template";
    if !is_rerun(NAME) {
        // Its arguments become data of an object, with the temporary place cut off.
        let script = r##"
if [ "$1" = version ]; then echo v4.3.0+g1; exit; fi
[ -f "$PWD/charts/shop/templates/env.yaml" ] || exit 9
case "$HELM_CACHE_HOME" in "$HOME"/*) ;; *) exit 8 ;; esac
printf -- '---\n# Source: shop/templates/env.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: arguments\ndata:\n'
i=10; for a in "$@"; do printf '  "%s": "%s"\n' "$i" "$(printf %s "$a" | sed "s,$PWD/,,; s,\\\\,\\\\\\\\,")"; i=$((i+1)); done
printf -- '---# Source: shop/charts/sub/templates/x.yaml\n# glued\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: sub\n'
"##;
        return rerun_with_helm(NAME, script);
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    chart(root.path());
    let all = try_render(root.path(), &options()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((all.renderer, all.program.as_str()), (Renderer::Helm, "helm v4.3.0+g1"));
    assert!(all.issues.is_empty(), "{:?}", all.issues);
    let body = all.manifests[0].body();
    let arguments: Vec<&str> =
        body["data"].as_object().expect("a map").values().filter_map(|value| value.as_str()).collect();
    let expected = [
        "template",
        "--namespace=shop-prod",
        "--kube-version=1.36.3",
        "--api-versions=v1",
        "--api-versions=apps/v1/Deployment",
        "--values=charts/prod.yaml",
        "--set=a=1\\,2",
        "--include-crds",
        "--",
        "shop",
        "charts/shop",
    ];
    assert_eq!(arguments, expected);
    assert_eq!(all.manifests[0].origin.path, "charts/shop/templates/env.yaml");
    assert_eq!(all.manifests[1].origin.path, "charts/shop/Chart.yaml");
    let inputs: Vec<&str> = all.inputs.iter().map(|(path, _)| path.as_str()).collect();
    let expected =
        ["charts/prod.yaml", "charts/shop/Chart.yaml", "charts/shop/templates/env.yaml", "charts/shop/values.yaml"];
    assert_eq!(inputs, expected);
}

#[test]
fn the_words_of_helm_are_shown_short_and_harmless() {
    const NAME: &str = "the_words_of_helm_are_shown_short_and_harmless";
    if !is_rerun(NAME) {
        let script = r#"
if [ "$1" = version ]; then echo v3.17.0; exit; fi
printf 'Error: execution error at (%s/charts/shop/x.yaml:1:2): \033[2Jbad\n\nUse --debug flag to render out invalid YAML\n' "$PWD" >&2
exit 1
"#;
        return rerun_with_helm(NAME, script);
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    chart(root.path());
    let error = try_render(root.path(), &options()).expect_err("helm refuses").to_string();
    assert_eq!(error, "helm v3.17.0 failed on charts/shop: execution error at (charts/shop/x.yaml:1:2): ␛[2Jbad");
}

#[test]
fn a_missing_values_file_is_named() {
    let root = tempfile::tempdir().expect("a temporary folder");
    chart(root.path());
    let mut options = options();
    options.helm.values = vec!["absent.yaml".into()];
    let error = try_render(root.path(), &options).expect_err("no such file").to_string();
    assert!(error.contains("absent.yaml"), "{error}");
}

#[test]
fn a_real_helm_renders_a_chart() {
    if Command::new("helm").args(["version", "--short"]).output().is_err() {
        println!("skipped: 1 test of a real chart (helm is not on the PATH)");
        return;
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    chart(root.path());
    let all = try_render(root.path(), &options()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(all.manifests[0].id.to_string(), "ConfigMap/shop-env");
    assert_eq!(all.manifests[0].body()["data"]["color"], "green");
    assert_eq!(all.manifests[0].origin.path, "charts/shop/templates/env.yaml");
}
