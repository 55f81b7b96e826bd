//! What reading YAML costs: manifests of the common form, and the same ones with an anchor in each, which the library
//! reads. `cargo bench --bench yaml`; the figures to compare are bytes a second.

use divan::{Bencher, counter::BytesCount};
use driftdeck::object::documents;

fn main() {
    divan::main();
}

/// A stream of Deployments and ConfigMaps of about two kilobytes each, no two alike.
fn manifests(count: usize) -> String {
    (0..count).map(|index| if index % 4 == 3 { config_map(index) } else { deployment(index) }).collect()
}

fn deployment(index: usize) -> String {
    let env: String = (0..8)
        .map(|n| format!("        - name: SETTING_{n}\n          value: \"value-{}\"\n", index * 31 + n * 17))
        .collect();
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{index}
  namespace: bench
  labels:
    app.kubernetes.io/name: app-{index}
    app.kubernetes.io/part-of: bench
  annotations:
    checksum/config: \"{:064x}\"
spec:
  replicas: 3
  selector:
    matchLabels: {{app: app-{index}}}
  template:
    metadata:
      labels:
        app: app-{index}
    spec:
      containers:
      # the one that serves
      - name: main
        image: registry.example.com/team/app-{index}:1.{index}
        args: [\"--port\", \"8080\"]
        ports:
        - name: http
          containerPort: 8080
        env:
{env}        resources:
          requests:
            cpu: 100m
            memory: 128Mi
        livenessProbe:
          httpGet:
            path: /healthz
            port: http
          initialDelaySeconds: 10
      volumes:
      - name: scratch
        emptyDir: {{}}
",
        index * 104_729
    )
}

fn config_map(index: usize) -> String {
    let lines: String = (0..24).map(|n| format!("    setting.{n} = value {}\n", index * 7 + n)).collect();
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-{index}\n  namespace: bench\ndata:\n  \
         app.properties: |\n{lines}  mode: plain\n"
    )
}

#[divan::bench(args = [1, 1000])]
fn common_form(bencher: Bencher<'_, '_>, count: usize) {
    read(bencher, manifests(count));
}

#[divan::bench(args = [1, 1000])]
fn by_the_library(bencher: Bencher<'_, '_>, count: usize) {
    read(bencher, manifests(count).replace("apiVersion: ", "apiVersion: &version "));
}

fn read(bencher: Bencher<'_, '_>, text: String) {
    assert!(documents(&text).iter().all(|document| document.value.is_ok()));
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| documents(&text));
}
