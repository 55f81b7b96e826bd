//! Who we are, and what we may do.

use super::{
    ClusterError, Resource, Session,
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
