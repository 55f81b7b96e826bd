//! The index of a server that moves on, and documents that are there, damaged, missing.

use super::*;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

/// What a server answers by path, and what it was asked.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn transport(&self) -> Arc<Transport> {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            server.asked.lock().unwrap().push(request.uri().to_string());
            let answer = server.answers.lock().unwrap().get(&path).cloned();
            let (status, body) = answer.map_or((404, "404 page not found".to_owned()), |body| (200, body));
            async move {
                let body = Body::from(body.into_bytes());
                Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        Arc::new(Transport::new(kube::Client::new(service, "default"), "https://api".into()))
    }
    /// Serves documents: group and version, hash, whether things may have a colour.
    fn serve(&self, documents: &[(&str, &str, bool)]) {
        let mut answers = self.answers.lock().unwrap();
        answers.clear();
        let paths: BTreeMap<String, Value> = documents
            .iter()
            .map(|(name, hash, _)| {
                (format!("apis/{name}"), json!({"serverRelativeURL": format!("/openapi/v3/apis/{name}?hash={hash}")}))
            })
            .collect();
        answers.insert(ROOT.into(), json!({ "paths": paths }).to_string());
        for (name, _, coloured) in documents {
            answers.insert(format!("/openapi/v3/apis/{name}"), document(name, *coloured));
        }
    }
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn document(name: &str, coloured: bool) -> String {
    let (group, version) = crate::object::split_api_version(name);
    let kind = json!({"group": group, "kind": "Thing", "version": version});
    let mut properties = json!({"size": {"type": "integer", "description": "how large"}});
    if coloured {
        properties["colour"] = json!({"type": "string"});
    }
    json!({"paths": {format!("/apis/{name}/things/{{name}}"): {"patch": {"x-kubernetes-group-version-kind": kind}}},
        "components": {"schemas": {"Thing": {"type": "object", "description": "a thing", "properties": properties, "x-kubernetes-group-version-kind": [kind]}}}})
    .to_string()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn has_colour(schemas: &Schemas, name: &str) -> Option<bool> {
    let kind = schemas.kind(name, "Thing")?;
    Some(kind.root.map()?.field("colour").is_some())
}

#[tokio::test]
async fn only_documents_in_use_are_fetched_and_only_once() {
    let server = Server::default();
    server.serve(&[("x.io/v1", "H1", false), ("y.io/v1", "H2", true)]);
    let (transport, openapi) = (server.transport(), OpenApi::new(None, "s"));
    let schemas = openapi.schemas(&transport, &names(&["x.io/v1"])).await.unwrap();
    assert_eq!((has_colour(&schemas, "x.io/v1"), has_colour(&schemas, "y.io/v1")), (Some(false), None));
    assert_eq!(server.asked(), ["/openapi/v3", "/openapi/v3/apis/x.io/v1?hash=H1"]);
    openapi.schemas(&transport, &names(&["x.io/v1"])).await.unwrap();
    let schemas = openapi.schemas(&transport, &names(&["x.io/v1", "y.io/v1", "gone.io/v1"])).await.unwrap();
    assert_eq!(has_colour(&schemas, "y.io/v1"), Some(true));
    openapi.schemas(&transport, &names(&["gone.io/v1"])).await.unwrap();
    assert_eq!(server.asked(), ["/openapi/v3/apis/y.io/v1?hash=H2"]);
}

#[tokio::test]
async fn the_next_start_reads_documents_from_disk_and_a_damaged_one_from_the_server() {
    let (server, folder) = (Server::default(), tempfile::tempdir().unwrap());
    server.serve(&[("x.io/v1", "H1", true)]);
    let start = || OpenApi::new(Some(folder.path().to_owned()), "s");
    let ask = async |openapi: OpenApi| {
        let schemas = openapi.schemas(&server.transport(), &names(&["x.io/v1"])).await.unwrap();
        assert_eq!(has_colour(&schemas, "x.io/v1"), Some(true));
        server.asked().len()
    };
    assert_eq!(ask(start()).await, 2);
    assert_eq!(ask(start()).await, 1, "the index only");
    for file in std::fs::read_dir(folder.path().join("openapi")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    assert_eq!(ask(start()).await, 2, "a damaged document is fetched again");
    assert_eq!(ask(start()).await, 1, "and kept again");
}

#[tokio::test]
async fn a_document_that_moved_is_read_anew_and_told_and_one_that_did_not_is_not() {
    let server = Server::default();
    server.serve(&[("x.io/v1", "H1", false)]);
    let (transport, openapi) = (server.transport(), Arc::new(OpenApi::new(None, "s")));
    let mut epoch = openapi.epoch();
    openapi.refresh(&transport).await.unwrap();
    assert_eq!(server.asked(), Vec::<String>::new(), "nothing is in use");
    openapi.schemas(&transport, &names(&["x.io/v1", "y.io/v1"])).await.unwrap();
    openapi.refresh(&transport).await.unwrap();
    assert!(!epoch.has_changed().unwrap());
    server.serve(&[("x.io/v1", "H2", true), ("y.io/v1", "H3", true)]);
    openapi.look_again(&transport);
    // The index is looked at a little later, when the server has had the time to bring it up to date.
    tokio::time::timeout(Duration::from_secs(10), epoch.wait_for(|epoch| *epoch >= 2)).await.unwrap().unwrap();
    let schemas = openapi.schemas(&transport, &names(&["x.io/v1", "y.io/v1"])).await.unwrap();
    assert_eq!((has_colour(&schemas, "x.io/v1"), has_colour(&schemas, "y.io/v1")), (Some(true), Some(true)));
    server.serve(&[("y.io/v1", "H3", true)]);
    openapi.refresh(&transport).await.unwrap();
    let schemas = openapi.schemas(&transport, &names(&["x.io/v1"])).await.unwrap();
    assert_eq!(has_colour(&schemas, "x.io/v1"), None, "the CRD is gone");
}

#[tokio::test]
async fn an_index_or_document_that_cannot_be_read_is_told_and_tried_again() {
    let server = Server::default();
    let (transport, openapi) = (server.transport(), OpenApi::new(None, "s"));
    assert!(matches!(openapi.schemas(&transport, &names(&["x.io/v1"])).await, Err(ClusterError::NotFound { .. })));
    server.serve(&[("x.io/v1", "H1", true)]);
    server.answers.lock().unwrap().insert("/openapi/v3/apis/x.io/v1".into(), "{\"paths\":".into());
    let schemas = openapi.schemas(&transport, &names(&["x.io/v1"])).await.unwrap();
    assert_eq!(has_colour(&schemas, "x.io/v1"), None);
    server.serve(&[("x.io/v1", "H1", true)]);
    openapi.refresh(&transport).await.unwrap();
    let schemas = openapi.schemas(&transport, &names(&["x.io/v1"])).await.unwrap();
    assert_eq!(has_colour(&schemas, "x.io/v1"), Some(true));
}

#[test]
fn an_address_that_leads_elsewhere_is_none() {
    for url in [
        "/openapi/v3/../../api/v1/secrets?hash=H",
        "https://x/openapi/v3/a?hash=H",
        "/api/v1?hash=H",
        "/openapi/v3/a",
        "/openapi/v3x?hash=H",
    ] {
        assert_eq!(place(url), None, "{url}");
    }
    assert_eq!(group_version("apis/apps/v1").as_deref(), Some("apps/v1"));
    assert_eq!((group_version("apis/apps"), group_version("version")), (None, None));
}
