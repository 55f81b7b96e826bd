//! What the server does once to the object as a whole when it is created or updated (`PrepareForCreate`,
//! `PrepareForUpdate`, and the admission plugins that no server is without).

use super::{fields::Fields, metadata, service, storage, workloads};

/// Prepares a defaulted object for storing. `old` is the live one, none when it is created.
pub(super) fn prepare(api_version: &str, kind: &str, object: &mut Fields, old: Option<&Fields>) {
    match (api_version, kind) {
        ("apps/v1", "DaemonSet") => workloads::template_generation(object, old),
        ("batch/v1", "Job") if old.is_none() => workloads::job_selector(object),
        ("v1", "Service") => service::prepare(object, old),
        ("v1", "Namespace") => metadata::namespace_finalizers(object, old),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => metadata::stored_version(object),
        ("v1", "ServiceAccount") => metadata::service_account(object),
        ("v1", "PersistentVolumeClaim") => {
            storage::data_sources(object, old);
            if old.is_none() {
                metadata::add_finalizer(object, "kubernetes.io/pvc-protection");
            }
        }
        ("v1", "PersistentVolume") if old.is_none() => metadata::add_finalizer(object, "kubernetes.io/pv-protection"),
        _ => {}
    }
}
