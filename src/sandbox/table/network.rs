//! The cells of Services and what is around them.

use super::{age::since, workload::labels};
use crate::sandbox::{
    meta::{self, items, number, text},
    scale::spelled,
};
use serde_json::Value;

fn age(object: &Value) -> Value {
    since(text(object, "/metadata/creationTimestamp")).into()
}

fn or(text: &str, other: &str) -> Value {
    if text.is_empty() { other.into() } else { text.into() }
}

pub(super) fn service(object: &Value) -> Vec<Value> {
    let kind = text(object, "/spec/type");
    let ports: Vec<String> = items(object, "/spec/ports")
        .iter()
        .map(|port| {
            let (number, protocol) = (number(port, "/port"), text(port, "/protocol"));
            match meta::number(port, "/nodePort") {
                0 => format!("{number}/{protocol}"),
                node => format!("{number}:{node}/{protocol}"),
            }
        })
        .collect();
    vec![
        meta::name(object).into(),
        kind.into(),
        or(text(object, "/spec/clusterIP"), "<none>"),
        outside(object, kind).into(),
        or(&ports.join(","), "<none>"),
        age(object),
        labels(object.pointer("/spec/selector")).into(),
    ]
}

fn outside(object: &Value, kind: &str) -> String {
    let own: Vec<&str> = items(object, "/spec/externalIPs").iter().filter_map(Value::as_str).collect();
    match kind {
        "ExternalName" => text(object, "/spec/externalName").to_owned(),
        "LoadBalancer" => {
            let balanced = items(object, "/status/loadBalancer/ingress").iter().map(|ingress| {
                let address = text(ingress, "/ip");
                if address.is_empty() { text(ingress, "/hostname") } else { address }
            });
            let all: Vec<&str> = balanced.chain(own.iter().copied()).collect();
            if all.is_empty() { "<pending>".into() } else { all.join(",") }
        }
        _ if own.is_empty() => "<none>".into(),
        _ => own.join(","),
    }
}

/// At most three, and how many more.
fn few(all: &[String]) -> String {
    match all.len() {
        0 => "<none>".into(),
        1..=3 => all.join(","),
        more => format!("{} + {} more...", all[..3].join(","), more - 3),
    }
}

pub(super) fn endpoints(object: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in items(object, "/subsets") {
        for address in items(subset, "/addresses") {
            let address = text(address, "/ip");
            let ports = items(subset, "/ports");
            if ports.is_empty() {
                all.push(address.to_owned());
            }
            all.extend(ports.iter().map(|port| format!("{address}:{}", number(port, "/port"))));
        }
    }
    vec![meta::name(object).into(), few(&all).into(), age(object)]
}

pub(super) fn endpoint_slice(object: &Value) -> Vec<Value> {
    let ports: Vec<String> = items(object, "/ports").iter().map(|port| number(port, "/port").to_string()).collect();
    let addresses: Vec<String> = items(object, "/endpoints")
        .iter()
        .flat_map(|endpoint| items(endpoint, "/addresses"))
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect();
    let unset = |shown: String| if shown == "<none>" { "<unset>".to_owned() } else { shown };
    vec![
        meta::name(object).into(),
        text(object, "/addressType").into(),
        unset(few(&ports)).into(),
        unset(few(&addresses)).into(),
        age(object),
    ]
}

pub(super) fn ingress(object: &Value) -> Vec<Value> {
    let hosts: Vec<String> = items(object, "/spec/rules")
        .iter()
        .map(|rule| text(rule, "/host"))
        .filter(|host| !host.is_empty())
        .map(str::to_owned)
        .collect();
    let hosts = if hosts.is_empty() { "*".to_owned() } else { few(&hosts) };
    let addresses: Vec<&str> = items(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|ingress| if text(ingress, "/ip").is_empty() { text(ingress, "/hostname") } else { text(ingress, "/ip") })
        .collect();
    let ports = if items(object, "/spec/tls").is_empty() { "80" } else { "80, 443" };
    vec![
        meta::name(object).into(),
        or(text(object, "/spec/ingressClassName"), "<none>"),
        hosts.into(),
        addresses.join(",").into(),
        ports.into(),
        age(object),
    ]
}

pub(super) fn policy(object: &Value) -> Vec<Value> {
    let selector = object.pointer("/spec/podSelector").map(spelled).unwrap_or_default();
    vec![meta::name(object).into(), or(&selector, "<none>"), age(object)]
}
