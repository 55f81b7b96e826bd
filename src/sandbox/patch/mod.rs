//! The patches that are functions of the live object alone: RFC 6902, RFC 7386, and Kubernetes' strategic merge patch.

pub(super) mod json_patch;
pub(super) mod merge_patch;
pub(super) mod strategic;
