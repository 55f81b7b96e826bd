//! Which rules hold for a type: first the table's defaults, then code. The names are those of the Go types.

use super::{autoscaling, fields::Fields, metadata, network, pod, service, storage, types::known, workloads};

/// Sets the defaults of one struct; those of the structs in it come after.
pub(super) fn set(name: &str, fields: &mut Fields) {
    for (field, value) in known(name).defaults() {
        if !fields.contains_key(*field) {
            fields.insert((*field).to_owned(), value.clone());
        }
    }
    match name {
        "core.v1.Pod" => pod::pod(fields),
        "core.v1.PodSpec" => pod::spec(fields),
        "core.v1.Container" | "core.v1.EphemeralContainer" => pod::container(fields),
        "core.v1.Volume" => pod::volume(fields),
        "core.v1.ReplicationController" => workloads::replication_controller(fields),
        "apps.v1.DeploymentSpec" => workloads::deployment(fields),
        "apps.v1.DaemonSetSpec" => workloads::daemon_set(fields),
        "apps.v1.StatefulSetSpec" => workloads::stateful_set(fields),
        "batch.v1.Job" => workloads::job(fields),
        "core.v1.Service" => service::defaults(fields),
        "networking.v1.NetworkPolicySpec" => network::policy(fields),
        "autoscaling.v1.HorizontalPodAutoscaler" => autoscaling::v1(fields),
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => autoscaling::v2(fields),
        "core.v1.LimitRangeItem" => storage::limit_range_item(fields),
        "core.v1.PersistentVolume" => storage::volume(fields),
        "core.v1.Secret" => storage::secret(fields),
        "core.v1.Namespace" => metadata::namespace(fields),
        "rbac.v1.Subject" => metadata::subject(fields),
        "apiextensions.v1.CustomResourceDefinitionSpec" => metadata::custom_resource_definition(fields),
        "resource.v1.ExactDeviceRequest" | "resource.v1.DeviceSubRequest" => workloads::device_request(fields),
        _ => {}
    }
}
