//! Who we are, and what we may do.

use super::{
    ClusterError, Resource, Scope, Session,
    request::{Call, Transport},
};
use http::Method;
use serde_json::{Value, json};

/// Stands for the user where the server does not say who it is.
const NOBODY_SAYS: &str = "(unknown user)";

impl Session {
    /// Asks whether the user may do `verb` (SelfSubjectAccessReview).
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn may(&self, verb: &str, resource: &Resource, namespace: Option<&str>) -> Result<bool, ClusterError> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb, "group": resource.group, "version": resource.version, "resource": resource.plural,
                "namespace": namespace.filter(|_| resource.namespaced).unwrap_or_default(),
            }},
        });
        let answer = review(self.transport(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &body).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default())
    }
    /// Says whether the user may list and watch a kind in a namespace (none: in all of them). Asked once; where it cannot be asked the
    /// answer is no.
    pub async fn may_watch(&self, resource: &Resource, namespace: Option<&str>) -> bool {
        let scope = Scope { resource: resource.clone(), namespace: namespace.map(str::to_owned) };
        let known = || self.watch_rights().get(&scope).copied();
        if let Some(known) = known() {
            return known;
        }
        let (list, watch) = tokio::join!(self.may("list", resource, namespace), self.may("watch", resource, namespace));
        match (list, watch) {
            (Ok(list), Ok(watch)) => {
                self.watch_rights().insert(scope, list && watch);
                list && watch
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::info!(%error, kind = resource.kind, "rights cannot be asked about");
                false
            }
        }
    }
    /// Takes note that a watch was refused.
    pub fn may_not_watch(&self, scope: Scope) {
        self.watch_rights().insert(scope, false);
    }
}

/// Asks for the user's name as the server knows it (SelfSubjectReview, Kubernetes 1.28).
pub(super) async fn user(transport: &Transport) -> Result<String, ClusterError> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    match review(transport, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &body).await {
        Ok(answer) => {
            Ok(answer.pointer("/status/userInfo/username").and_then(Value::as_str).unwrap_or(NOBODY_SAYS).to_owned())
        }
        Err(ClusterError::Forbidden { .. } | ClusterError::NotFound { .. }) => Ok(NOBODY_SAYS.into()),
        Err(error) => Err(error),
    }
}

/// A review is a POST that writes nothing, so that it may be sent again.
async fn review(transport: &Transport, path: &str, body: &Value) -> Result<Value, ClusterError> {
    transport.read(&Call::new(Method::POST, path).body("application/json", body)).await?.json().await
}
