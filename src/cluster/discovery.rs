//! What the server serves: aggregated discovery in two requests, or group by group where the server is too old for it.

use super::{Catalog, ClusterError, Resource, request::Call, request::Transport};
use crate::object::split_api_version;
use futures::{FutureExt, StreamExt, stream};
use serde_json::Value;

/// All forms that are understood, the best first.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
/// Groups asked at once by a server without aggregated discovery.
const PARALLEL: usize = 8;

/// Asks for everything that the server serves. A group that does not answer is listed as stale.
pub(super) async fn discover(transport: &Transport) -> Result<Catalog, ClusterError> {
    let (core, groups) = futures::try_join!(
        ask(transport, Call::get("/api").accept(AGGREGATED)),
        ask(transport, Call::get("/apis").accept(AGGREGATED))
    )?;
    let mut catalog = Catalog::default();
    for answer in [&core, &groups] {
        if answer["kind"] == "APIGroupDiscoveryList" {
            aggregated(answer, &mut catalog);
        } else {
            legacy(transport, answer, &mut catalog).await?;
        }
    }
    Ok(catalog)
}

async fn ask(transport: &Transport, call: Call) -> Result<Value, ClusterError> {
    transport.read(&call).await?.json().await
}

/// Reads an `APIGroupDiscoveryList`; the server lists a group's preferred version first.
fn aggregated(list: &Value, catalog: &mut Catalog) {
    for group in array(list, "items") {
        let name = group.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        for version in array(group, "versions") {
            if text(version, "freshness") == "Stale" && !catalog.stale_groups.iter().any(|stale| stale == name) {
                catalog.stale_groups.push(name.to_owned());
            }
            catalog.resources.extend(array(version, "resources").iter().filter_map(|entry| {
                let kind = entry.pointer("/responseKind/kind")?.as_str()?;
                let namespaced = text(entry, "scope") == "Namespaced";
                resource(name, text(version, "version"), kind, text(entry, "resource"), namespaced, entry)
            }));
        }
    }
}

/// Reads an `APIVersions` or `APIGroupList`, and asks for each version that it names.
async fn legacy(transport: &Transport, list: &Value, catalog: &mut Catalog) -> Result<(), ClusterError> {
    let mut versions: Vec<String> =
        array(list, "versions").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    for group in array(list, "groups") {
        let preferred = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str).unwrap_or_default();
        let mut served: Vec<&str> =
            array(group, "versions").iter().map(|version| text(version, "groupVersion")).collect();
        served.sort_by_key(|version| *version != preferred);
        versions.extend(served.into_iter().map(str::to_owned));
    }
    let questions: Vec<_> = versions
        .iter()
        .map(|version| {
            let root = if version.contains('/') { "/apis" } else { "/api" };
            let call = Call::get(format!("{root}/{version}"));
            // Boxed: the compiler cannot prove a stream of futures that borrow in a closure to be `Send`.
            async move { (version, ask(transport, call).await) }.boxed()
        })
        .collect();
    let answers: Vec<(&String, Result<Value, ClusterError>)> =
        stream::iter(questions).buffered(PARALLEL).collect().await;
    for (group_version, answer) in answers {
        let (group, version) = split_api_version(group_version);
        match answer {
            Ok(list) => {
                catalog.resources.extend(array(&list, "resources").iter().filter_map(|entry| {
                    let plural = Some(text(entry, "name")).filter(|name| !name.contains('/'))?;
                    let namespaced = entry.get("namespaced").and_then(Value::as_bool).unwrap_or_default();
                    resource(group, version, text(entry, "kind"), plural, namespaced, entry)
                }));
            }
            Err(error @ (ClusterError::Unreachable { .. } | ClusterError::Unauthorized { .. })) => return Err(error),
            Err(error) => {
                tracing::warn!(group, version, %error, "discovery of a group failed");
                if !catalog.stale_groups.iter().any(|stale| stale == group) {
                    catalog.stale_groups.push(group.to_owned());
                }
            }
        }
    }
    Ok(())
}

/// Returns the resource if its objects can be listed.
fn resource(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool, entry: &Value) -> Option<Resource> {
    let verbs: Vec<String> = array(entry, "verbs").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if kind.is_empty() || !verbs.iter().any(|verb| verb == "list") {
        return None;
    }
    Some(Resource {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced,
        verbs,
    })
}

fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;

    /// A server that answers by path.
    fn server(answer: fn(&str) -> (u16, Value)) -> Transport {
        let service = tower::service_fn(move |request: Request<Body>| {
            let (status, body) = answer(request.uri().path());
            async move {
                let body = Body::from(body.to_string().into_bytes());
                Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        Transport::new(kube::Client::new(service, "default"), "https://api".into())
    }

    fn kinds(catalog: &Catalog) -> Vec<(String, bool)> {
        catalog.resources.iter().map(|r| (format!("{}/{}/{}", r.group, r.version, r.kind), r.namespaced)).collect()
    }

    #[tokio::test]
    async fn aggregated_discovery_keeps_what_can_be_listed_and_names_stale_groups() {
        let transport = server(|path| {
            let entry = |resource: &str, kind: &str, scope: &str, verbs: &[&str]| json!({"resource": resource, "responseKind": {"kind": kind}, "scope": scope, "verbs": verbs, "subresources": [{"subresource": "status"}]});
            let list = match path {
                "/api" => {
                    json!([{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [entry("pods", "Pod", "Namespaced", &["list", "get"]), entry("bindings", "Binding", "Namespaced", &["create"])]}]}])
                }
                _ => json!([
                    {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [entry("deployments", "Deployment", "Namespaced", &["list"])]}, {"version": "v1beta1", "resources": [entry("deployments", "Deployment", "Namespaced", &["list"])]}]},
                    {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1", "freshness": "Stale", "resources": [entry("nodes", "NodeMetrics", "Cluster", &["list"])]}]},
                ]),
            };
            (200, json!({"kind": "APIGroupDiscoveryList", "items": list}))
        });
        let catalog = discover(&transport).await.unwrap();
        let expected = [
            ("/v1/Pod", true),
            ("apps/v1/Deployment", true),
            ("apps/v1beta1/Deployment", true),
            ("metrics.k8s.io/v1/NodeMetrics", false),
        ];
        assert_eq!(kinds(&catalog), expected.map(|(kind, namespaced)| (kind.to_owned(), namespaced)));
        assert_eq!(catalog.stale_groups, ["metrics.k8s.io"]);
    }

    #[tokio::test]
    async fn an_old_server_is_asked_group_by_group_and_a_silent_group_is_stale() {
        let transport = server(|path| match path {
            "/api" => (200, json!({"kind": "APIVersions", "versions": ["v1"]})),
            "/apis" => (
                200,
                json!({"kind": "APIGroupList", "groups": [
                    {"name": "batch", "versions": [{"groupVersion": "batch/v1beta1"}, {"groupVersion": "batch/v1"}], "preferredVersion": {"groupVersion": "batch/v1"}},
                    {"name": "dead.io", "versions": [{"groupVersion": "dead.io/v1"}], "preferredVersion": {"groupVersion": "dead.io/v1"}},
                ]}),
            ),
            "/api/v1" => (
                200,
                json!({"resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": false, "verbs": ["list"]}, {"name": "pods/log", "kind": "Pod", "namespaced": true, "verbs": ["list"]}]}),
            ),
            "/apis/dead.io/v1" => (404, json!({"message": "not here"})),
            _ => (
                200,
                json!({"resources": [{"name": "cronjobs", "kind": "CronJob", "namespaced": true, "verbs": ["list"]}]}),
            ),
        });
        let catalog = discover(&transport).await.unwrap();
        let expected = [("/v1/Namespace", false), ("batch/v1/CronJob", true), ("batch/v1beta1/CronJob", true)];
        assert_eq!(kinds(&catalog), expected.map(|(kind, namespaced)| (kind.to_owned(), namespaced)));
        assert_eq!(catalog.stale_groups, ["dead.io"]);
    }
}
