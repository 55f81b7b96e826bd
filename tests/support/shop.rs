//! The application that most suites work on: a ConfigMap, a Service and a Deployment in `apps/shop`.

use super::Repository;

/// Folder of the application.
pub const PATH: &str = "apps/shop";
/// Image of the first commit.
pub const OLD_IMAGE: &str = "registry.example.com/shop/api:1.8.2";
/// Image of the second commit.
pub const NEW_IMAGE: &str = "registry.example.com/shop/api:1.9.0";

pub const ENV: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: api-env
data:
  LOG_LEVEL: info
";

pub const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: api
spec:
  selector:
    app: api
  ports:
  - name: http
    port: 80
    targetPort: 8080
";

/// The Deployment with an image; comments show that files keep theirs.
pub fn deployment(image: &str) -> String {
    format!(
        "\
# The shop's API.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  replicas: 2
  selector:
    matchLabels:
      app: api
  template:
    metadata:
      labels:
        app: api
    spec:
      containers:
      - name: api
        image: {image}
        ports:
        - containerPort: 8080
"
    )
}

/// Commits the application as it starts; returns the commit.
pub fn commit_first(repository: &Repository) -> String {
    repository.commit(
        "add the shop",
        &[
            ("README.md", "The platform's manifests.\n"),
            ("apps/shop/env.yaml", ENV),
            ("apps/shop/service.yaml", SERVICE),
            ("apps/shop/deployment.yaml", &deployment(OLD_IMAGE)),
        ],
    )
}

/// Commits the new image; returns the commit.
pub fn commit_bump(repository: &Repository) -> String {
    repository.commit("bump api to 1.9.0", &[("apps/shop/deployment.yaml", &deployment(NEW_IMAGE))])
}
