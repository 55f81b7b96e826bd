//! What can go wrong with a cluster, each with what the reader can do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The other manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// Subresource it wrote through.
    pub subresource: Option<String>,
    /// The field, as the server writes it: `.spec.template.spec.containers[name="api"].image`.
    #[serde(skip)]
    pub field: String,
}

/// Why a request to a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig cannot be used.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
    /// The kubeconfig's exec plugin is not on the list.
    #[error(
        "the kubeconfig wants to run `{command}`, which is not allowed; add exec_plugins = [\"{name}\"] to [[cluster]] name = … if you trust it"
    )]
    ExecPlugin {
        /// Command and arguments.
        command: String,
        /// What to add to the list.
        name: String,
    },
    /// No answer; the last data stays on screen with its age.
    #[error("{server}: cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        server: String,
        /// The transport's words.
        reason: String,
    },
    /// No answer in time; whether a write happened is not known.
    #[error("{what}: no answer within {seconds} s")]
    Timeout {
        /// The request.
        what: String,
        /// The deadline.
        seconds: u64,
    },
    /// 401: log in again.
    #[error("{server}: the credentials were refused (expired?): {message}; log in again")]
    Unauthorized {
        /// The server.
        server: String,
        /// Its words.
        message: String,
    },
    /// 403.
    #[error("{message}")]
    Forbidden {
        /// The server's words: user, verb, resource, namespace.
        message: String,
    },
    /// 404 of a namespace or of the resource itself.
    #[error("{message}")]
    NotFound {
        /// The server's words.
        message: String,
    },
    /// 409 with causes: other managers own fields with other values.
    #[error("{message}")]
    Conflicts {
        /// The server's words.
        message: String,
        /// Every field and its other owner.
        conflicts: Vec<Conflict>,
    },
    /// 409 without causes, or 422 on metadata.uid: the object moved, was replaced, or is gone.
    #[error("{message}")]
    Precondition {
        /// The server's words.
        message: String,
    },
    /// The inventory's ConfigMap is another tool's, or is not what its name says: choose another `state_namespace` or application name.
    #[error("{message}")]
    ForeignInventory {
        /// Which ConfigMap, and whose it is.
        message: String,
    },
    /// 422, 400, and the 500s that say what is wrong with the object: sending it again will not help.
    #[error("{message}")]
    Invalid {
        /// The server's words.
        message: String,
    },
    /// 429 and 5xx: try again, after `retry_after` where given.
    #[error("{message}")]
    Busy {
        /// The server's words.
        message: String,
        /// The server's wish, seconds.
        retry_after: Option<u64>,
    },
    /// The server refuses at such length that it is not known why: ask it by hand.
    #[error(
        "{what}: refused with {code} and more than {mebibytes} MiB of reasons; `kubectl apply --server-side` of the object shows them"
    )]
    Endless {
        /// The request.
        what: String,
        /// HTTP status.
        code: u16,
        /// How much of them is read.
        mebibytes: usize,
    },
    /// Anything else the server says.
    #[error("{code}: {message}")]
    Other {
        /// HTTP status.
        code: u16,
        /// The server's words.
        message: String,
    },
}

impl ClusterError {
    /// Says whether a write that ended so may have been carried out all the same: no answer came.
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Unreachable { .. })
    }
}
