//! Services and Ingresses.

use super::{Health, list, text};
use serde_json::Value;

pub(super) fn service(live: &Value) -> Health {
    if text(live, "/spec/type") == "LoadBalancer" && list(live, "/status/loadBalancer/ingress").is_empty() {
        return Health::progressing("no load balancer has given it an address");
    }
    Health::healthy()
}

/// Some controllers never fill in the address; the message says whom to ask once the wait is over.
pub(super) fn ingress(live: &Value) -> Health {
    if !list(live, "/status/loadBalancer/ingress").is_empty() {
        return Health::healthy();
    }
    let annotation =
        live.pointer("/metadata/annotations").and_then(|all| all.get("kubernetes.io/ingress.class")?.as_str());
    match (text(live, "/spec/ingressClassName"), annotation) {
        ("", None) => Health::progressing("it names no ingress class, and no controller has given it an address"),
        ("", Some(class)) | (class, _) => {
            Health::progressing(format!("the controller of ingress class {class} has given it no address"))
        }
    }
}
