//! Services.

use super::names;
use crate::sandbox::{
    failure::Cause,
    meta::{items, number, text},
};
use serde_json::Value;
use std::collections::BTreeSet;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

pub(super) fn service(live: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let kind = text(object, "/spec/type");
    let ports = items(object, "/spec/ports");
    let is_headless = text(object, "/spec/clusterIP") == "None";
    if ports.is_empty() && !is_headless && kind != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    if !TYPES.contains(&kind) {
        causes.push(Cause::unsupported("spec.type", &kind.into(), TYPES));
    }
    if kind == "ExternalName" && text(object, "/spec/externalName").is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    let (mut seen, mut pairs) = (BTreeSet::new(), BTreeSet::new());
    for (at, port) in ports.iter().enumerate() {
        let field = |name: &str| format!("spec.ports[{at}].{name}");
        let name = text(port, "/name");
        if name.is_empty() && ports.len() > 1 {
            causes.push(Cause::required(field("name"), ""));
        } else if !name.is_empty() {
            if let Some(why) = names::label(name) {
                causes.push(Cause::invalid(field("name"), &name.into(), &why));
            } else if !seen.insert(name) {
                causes.push(Cause::duplicate(field("name"), &name.into()));
            }
        }
        let own = number(port, "/port");
        if !(1..=65535).contains(&own) {
            causes.push(Cause::invalid(field("port"), &own.into(), "must be between 1 and 65535, inclusive"));
        }
        let protocol = text(port, "/protocol");
        if !matches!(protocol, "TCP" | "UDP" | "SCTP") {
            causes.push(Cause::unsupported(field("protocol"), &protocol.into(), &["SCTP", "TCP", "UDP"]));
        }
        if !pairs.insert((own, protocol)) {
            let shown = serde_json::json!({"port": own, "protocol": protocol});
            causes.push(Cause::duplicate(format!("spec.ports[{at}]"), &shown));
        }
        let node = number(port, "/nodePort");
        if node != 0 && !(30000..=32767).contains(&node) {
            let why = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            causes.push(Cause::invalid(field("nodePort"), &node.into(), why));
        }
    }
    address(live, object, kind, &mut causes);
    causes
}

fn address(live: Option<&Value>, object: &Value, kind: &str, causes: &mut Vec<Cause>) {
    let is = text(object, "/spec/clusterIP");
    let was = live.map_or("", |live| text(live, "/spec/clusterIP"));
    if !was.is_empty() && was != is && kind != "ExternalName" {
        let shown = serde_json::json!([is]);
        causes.push(Cause::invalid("spec.clusterIPs[0]", &shown, "may not change once set"));
    } else if !matches!(is, "" | "None") && is.parse::<std::net::IpAddr>().is_err() {
        let shown = serde_json::json!([is]);
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        causes.push(Cause::invalid("spec.clusterIPs[0]", &shown[0], why));
    }
}
