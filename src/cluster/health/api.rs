//! What extends the API, and namespaces.

use super::{Condition, Health, list, text};
use serde_json::Value;

/// Degraded but where the Pods behind it are only not up yet (reasons of kube-aggregator's availability controller).
pub(super) fn api_service(live: &Value) -> Health {
    match Condition::of(live, "Available") {
        Some(condition) if condition.holds() => Health::healthy(),
        Some(condition) if matches!(condition.reason, "MissingEndpoints" | "EndpointsNotFound") => {
            Health::progressing(condition.words("Available"))
        }
        Some(condition) => Health::degraded(condition.words("Available")),
        None => Health::progressing("not judged yet"),
    }
}

pub(super) fn definition(live: &Value) -> Health {
    let of = |name| Condition::of(live, name);
    if let Some(condition) = of("Terminating").filter(|c| c.holds()) {
        return Health::progressing(condition.words("Terminating"));
    }
    if let Some(condition) = of("NamesAccepted").filter(|c| c.denied()) {
        return Health::degraded(condition.words("NamesAccepted"));
    }
    if let Some(condition) = of("NonStructuralSchema").filter(|c| c.holds()) {
        return Health::degraded(condition.words("NonStructuralSchema"));
    }
    match of("Established") {
        Some(condition) if condition.holds() => Health::healthy(),
        Some(condition) if condition.denied() && condition.reason != "Installing" => {
            Health::degraded(condition.words("Established"))
        }
        Some(condition) => Health::progressing(condition.words("Established")),
        None => Health::progressing("not established yet"),
    }
}

pub(super) fn namespace(live: &Value) -> Health {
    if text(live, "/status/phase") != "Terminating" {
        return Health::healthy();
    }
    let why = list(live, "/status/conditions").iter().find(|condition| text(condition, "/status") == "True");
    match why.map(|condition| text(condition, "/message")) {
        Some(message) => Health::progressing(format!("Terminating: {message}")),
        None => Health::progressing("Terminating"),
    }
}
