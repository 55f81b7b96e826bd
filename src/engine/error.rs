//! Why the engine could not do what a client asked.

use super::approval::Refusal;
use crate::{cluster::ClusterError, git::GitError, render::RenderError};
use std::sync::Arc;

/// Each variant says what the reader can do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// No application of that name.
    #[error("there is no application `{name}` in the configuration{hint}")]
    NoSuchApplication {
        /// What was asked for.
        name: String,
        /// `; did you mean …?`, or empty.
        hint: String,
    },
    /// An object was named that the application does not have.
    #[error("{application} has no object `{object}`")]
    NoSuchObject {
        /// Application.
        application: String,
        /// What was asked for.
        object: String,
    },
    /// Git's side.
    #[error(transparent)]
    Git(Arc<GitError>),
    /// The renderer's side.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The cluster's side.
    #[error(transparent)]
    Cluster(Arc<ClusterError>),
    /// Not approved, nothing written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A sync ended before its first step, when the namespace of inventory, records and Lease had been made already.
    #[error("{cause}; namespace {namespace} was created before that, nothing else was applied")]
    AfterNamespace {
        /// The namespace.
        namespace: String,
        /// Why.
        cause: Box<EngineError>,
    },
    /// Nothing could be computed; says what is missing and why.
    #[error("{0}")]
    NotReady(String),
    /// The engine is shutting down.
    #[error("driftdeck is shutting down")]
    Closed,
}

impl From<GitError> for EngineError {
    fn from(error: GitError) -> Self {
        Self::Git(Arc::new(error))
    }
}
impl From<ClusterError> for EngineError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Arc::new(error))
    }
}
