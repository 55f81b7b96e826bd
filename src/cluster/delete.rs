//! Deletes of exactly the object that was seen.

use super::{
    ClusterError, Resource, Session,
    request::{Call, item},
};
use crate::object::ObjectId;
use http::Method;
use serde_json::json;
use std::time::Duration;

impl Session {
    /// Deletes by uid and resourceVersion with `propagationPolicy=Background` (a Job's default would orphan its Pods). Already
    /// gone (404) is fine; an object with finalizers goes later.
    ///
    /// # Errors
    /// [`ClusterError::Precondition`] where uid or resourceVersion moved.
    pub async fn delete(
        &self,
        resource: &Resource,
        id: &ObjectId,
        uid: &str,
        resource_version: Option<&str>,
        deadline: Duration,
    ) -> Result<(), ClusterError> {
        let mut preconditions = json!({ "uid": uid });
        if let Some(resource_version) = resource_version {
            preconditions["resourceVersion"] = resource_version.into();
        }
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "propagationPolicy": "Background", "preconditions": preconditions,
        });
        let call = Call::new(Method::DELETE, item(resource, id.namespace.as_deref(), &id.name)?)
            .body("application/json", &options)
            .deadline(deadline);
        match self.transport().once(&call).await {
            Ok(_) | Err(ClusterError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
