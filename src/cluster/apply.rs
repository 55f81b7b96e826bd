//! Server-side apply.

use super::{
    Applied, ApplyRequest, ClusterError, FIELD_MANAGER, LiveObject, Session,
    request::{Call, item},
};
use http::{Method, StatusCode};

impl Session {
    /// Sends a server-side apply with field manager `driftdeck` and `fieldValidation=Strict`, once: retries are the caller's business.
    ///
    /// # Errors
    /// [`ClusterError`]; what the answers mean is on its variants.
    pub async fn apply(&self, request: &ApplyRequest) -> Result<Applied, ClusterError> {
        let path = item(&request.resource, request.id.namespace.as_deref(), &request.id.name)?;
        let mut call = Call::new(Method::PATCH, path)
            .with("fieldManager", FIELD_MANAGER)
            .with("fieldValidation", "Strict")
            .with("force", if request.force { "true" } else { "false" })
            // JSON is YAML, and this content type is the one that every supported server knows.
            .body("application/apply-patch+yaml", &request.body)
            .deadline(request.deadline);
        if request.dry_run {
            call = call.with("dryRun", "All");
        }
        let reply = self.transport().once(&call).await?;
        let (created, warnings) = (reply.status == StatusCode::CREATED, reply.warnings.clone());
        Ok(Applied { object: LiveObject::new(reply.json().await?), created, warnings })
    }
}
