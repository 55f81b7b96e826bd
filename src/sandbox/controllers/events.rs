//! Events: what controllers say of what they did (client-go's recorder).

use crate::sandbox::{
    api::Api,
    meta,
    write::{self, By},
};
use serde_json::{Value, json};

/// Who says it.
pub(super) struct Source<'a> {
    /// `deployment-controller`.
    pub component: &'a str,
    /// Its field manager.
    pub manager: &'a str,
}

/// Records a `Normal` event about an object of this version and kind. One that cannot be recorded is no loss.
pub(super) fn record(api: &Api, about: (&str, &str, &Value), reason: &str, message: &str, source: &Source<'_>) {
    let (api_version, kind, object) = about;
    let stamp: String = meta::random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let now = meta::now();
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{}.{stamp}", meta::name(object)), "namespace": meta::namespace(object)},
        "involvedObject": {"apiVersion": api_version, "kind": kind, "name": meta::name(object),
            "namespace": meta::namespace(object), "uid": meta::uid(object),
            "resourceVersion": object["metadata"]["resourceVersion"]},
        "reason": reason, "message": message, "type": "Normal", "count": 1, "eventTime": null,
        "firstTimestamp": now, "lastTimestamp": now, "reportingComponent": source.component, "reportingInstance": "",
        "source": {"component": source.component},
    });
    let Some(resource) = api.resource("events") else { return };
    if write::create_object(api, &resource, meta::namespace(object), event, By::manager(source.manager)).is_err() {
        tracing::debug!(reason, "an event was not recorded");
    }
}
