//! Rules of services: defaults, what follows from a changed type, and what an update keeps of the allocated addresses.

use super::fields::{Fields, default, items, items_mut, made, number, object, object_mut, take_over, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The defaults of a service (`SetDefaults_Service`).
pub(super) fn defaults(service: &mut Fields) {
    let Some(spec) = made(service, "spec") else { return };
    default(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let client = object(spec, "sessionAffinityConfig").and_then(|config| object(config, "clientIP"));
            if !client.is_some_and(|client| client.contains_key("timeoutSeconds")) {
                spec.insert("sessionAffinityConfig".into(), json!({"clientIP": {"timeoutSeconds": 10800}}));
            }
        }
        _ => {}
    }
    default(spec, "type", "ClusterIP");
    for port in items_mut(spec, "ports") {
        default(port, "protocol", "TCP");
        let target = port.get("targetPort");
        if target.is_none_or(|target| *target == json!(0) || *target == json!("")) {
            let number = number(port, "port");
            port.insert("targetPort".into(), number.into());
        }
    }
    if is_reached_from_outside(spec) {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    match text(spec, "type") {
        "ClusterIP" | "NodePort" => default(spec, "internalTrafficPolicy", "Cluster"),
        "LoadBalancer" => {
            default(spec, "internalTrafficPolicy", "Cluster");
            default(spec, "allocateLoadBalancerNodePorts", true);
        }
        _ => {}
    }
}

/// What creating or updating makes of a service, but for the addresses and ports that only the server can allocate.
pub(super) fn prepare(service: &mut Fields, old: Option<&Fields>) {
    let old = old.and_then(|old| object(old, "spec"));
    if let Some(spec) = made(service, "spec") {
        if let Some(old) = old {
            drop_what_the_type_has_not(spec, old);
            keep_allocated(spec, old);
        }
        one_cluster_ip_is_the_first_of_all(spec, old);
        ip_families(spec, old);
        if old.is_none() {
            same_node_port_for_same_port(spec);
        }
        if is_external(spec) {
            spec.remove("internalTrafficPolicy");
        }
    }
    let is_balanced = object(service, "spec").is_some_and(|spec| text(spec, "type") == "LoadBalancer");
    if let Some(status) = object_mut(service, "status").filter(|_| !is_balanced) {
        status.insert("loadBalancer".into(), json!({}));
    }
}

/// `dropTypeDependentFields`: what the old type needed and the new one does not goes, if it was not changed as well.
fn drop_what_the_type_has_not(spec: &mut Fields, old: &Fields) {
    let same = |spec: &Fields, field: &str| spec.get(field) == old.get(field);
    if !is_external(old) && is_external(spec) {
        if same(spec, "clusterIP") && same(spec, "clusterIPs") {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if same(spec, field) {
                spec.remove(field);
            }
        }
    }
    if has_node_ports(old) && !has_node_ports(spec) && node_ports(old).is_superset(&node_ports(spec)) {
        items_mut(spec, "ports").for_each(|port| {
            port.remove("nodePort");
        });
    }
    if has_health_check_port(old) && !has_health_check_port(spec) && same(spec, "healthCheckNodePort") {
        spec.remove("healthCheckNodePort");
    }
    let was_balanced = text(old, "type") == "LoadBalancer" && text(spec, "type") != "LoadBalancer";
    for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if was_balanced && same(spec, field) {
            spec.remove(field);
        }
    }
    if is_reached_from_outside(old) && !is_reached_from_outside(spec) && same(spec, "externalTrafficPolicy") {
        spec.remove("externalTrafficPolicy");
    }
}

/// `patchAllocatedValues`: what a client leaves out is what was allocated before.
fn keep_allocated(spec: &mut Fields, old: &Fields) {
    if !is_external(old) && !is_external(spec) {
        if text(spec, "clusterIP").is_empty() {
            take_over(spec, "clusterIP", Some(old));
        }
        if items(spec, "clusterIPs").is_empty() {
            take_over(spec, "clusterIPs", Some(old));
        }
    }
    if has_node_ports(old) && has_node_ports(spec) {
        let used: BTreeSet<i64> = node_ports(old).intersection(&node_ports(spec)).copied().collect();
        let by_name: BTreeMap<&str, i64> =
            ports(old).map(|port| (text(port, "name"), number(port, "nodePort"))).collect();
        for port in items_mut(spec, "ports").filter(|port| number(port, "nodePort") == 0) {
            let before = by_name.get(text(port, "name")).copied().unwrap_or_default();
            if before != 0 && !used.contains(&before) {
                port.insert("nodePort".into(), before.into());
            }
        }
    }
    if has_health_check_port(old) && has_health_check_port(spec) && number(spec, "healthCheckNodePort") == 0 {
        take_over(spec, "healthCheckNodePort", Some(old));
    }
}

/// `normalizeClusterIPs`: clients that know only one of the two fields.
fn one_cluster_ip_is_the_first_of_all(spec: &mut Fields, old: Option<&Fields>) {
    let single = text(spec, "clusterIP").to_owned();
    let Some(old) = old else {
        if !single.is_empty() && items(spec, "clusterIPs").is_empty() {
            spec.insert("clusterIPs".into(), json!([single]));
        }
        return;
    };
    let before = text(old, "clusterIP");
    if before != single && spec.get("clusterIPs") == old.get("clusterIPs") {
        if single.is_empty() {
            spec.remove("clusterIPs");
        } else {
            spec.insert("clusterIPs".into(), json!([single]));
        }
    }
}

/// `initIPFamilyFields`, of a cluster whose first family is IPv4 where the service does not say.
fn ip_families(spec: &mut Fields, old: Option<&Fields>) {
    if is_external(spec) {
        return;
    }
    let headless_by_hand = text(spec, "clusterIP") == "None" && object(spec, "selector").is_none_or(Fields::is_empty);
    if !spec.contains_key("ipFamilyPolicy") {
        let policy = match old.map(|old| text(old, "ipFamilyPolicy")).filter(|policy| !policy.is_empty()) {
            Some(policy) => policy,
            None if headless_by_hand => "RequireDualStack",
            None => "SingleStack",
        };
        spec.insert("ipFamilyPolicy".into(), policy.into());
    }
    let single = text(spec, "ipFamilyPolicy") == "SingleStack";
    if let Some(old) = old.filter(|_| single) {
        for field in ["clusterIPs", "ipFamilies"] {
            if spec.get(field) == old.get(field)
                && let Some(list) = spec.get_mut(field).and_then(Value::as_array_mut)
            {
                list.truncate(1);
            }
        }
    }
    let mut families: Vec<Value> = items(spec, "ipFamilies").to_vec();
    let addresses = items(spec, "clusterIPs").iter().filter_map(Value::as_str).take_while(|ip| *ip != "None");
    let of_addresses = addresses.map(|ip| json!(if ip.contains(':') { "IPv6" } else { "IPv4" }));
    families.extend(of_addresses.skip(families.len()).collect::<Vec<_>>());
    if families.is_empty() {
        families.push(json!("IPv4"));
    }
    if headless_by_hand && !single && families.len() == 1 {
        families.push(json!(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }));
    }
    spec.insert("ipFamilies".into(), families.into());
}

/// `initNodePorts`: ports of one number share the node port that one of them asks for.
fn same_node_port_for_same_port(spec: &mut Fields) {
    let allocates = has_node_ports(spec) && spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false));
    let mut asked: BTreeMap<i64, i64> = BTreeMap::new();
    for port in ports(spec).filter(|port| number(port, "nodePort") != 0) {
        asked.entry(number(port, "port")).or_insert(number(port, "nodePort"));
    }
    for port in items_mut(spec, "ports").filter(|port| allocates && number(port, "nodePort") == 0) {
        if let Some(node_port) = asked.get(&number(port, "port")) {
            port.insert("nodePort".into(), (*node_port).into());
        }
    }
}

fn ports(spec: &Fields) -> impl Iterator<Item = &Fields> {
    items(spec, "ports").iter().filter_map(Value::as_object)
}

fn node_ports(spec: &Fields) -> BTreeSet<i64> {
    ports(spec).map(|port| number(port, "nodePort")).filter(|port| *port != 0).collect()
}

/// A name for something outside has no address of its own.
pub(super) fn is_external(spec: &Fields) -> bool {
    text(spec, "type") == "ExternalName"
}

/// Whether the service's type has node ports.
pub(super) fn has_node_ports(spec: &Fields) -> bool {
    matches!(text(spec, "type"), "NodePort" | "LoadBalancer")
}

/// Whether nodes answer for their share of a load balancer's traffic.
pub(super) fn has_health_check_port(spec: &Fields) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

fn is_reached_from_outside(spec: &Fields) -> bool {
    has_node_ports(spec) || (text(spec, "type") == "ClusterIP" && !items(spec, "externalIPs").is_empty())
}
