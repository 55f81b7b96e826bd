//! The list of one scope by LIST requests.

use super::{
    super::{
        ClusterError,
        listing::{ListMeta, Listing},
        live_cache::{Objects, key},
        request::{Call, collection, late},
    },
    Listed, Watched,
};
use http_body_util::BodyExt;
use kube::client::Body;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Objects of one page.
const PAGE: &str = "500";
/// Deadline of one page: a server may take long over many large objects.
const PAGE_DEADLINE: Duration = Duration::from_secs(60);

impl Watched {
    /// Lists the scope page by page. `from` "0" takes any state that the server has at hand, which it sends at once; none is the newest.
    pub(super) async fn list(&mut self, from: Option<&str>) -> Result<Listed, ClusterError> {
        let path = collection(&self.scope.resource, self.scope.namespace.as_deref())?;
        let transport = Arc::clone(&self.transport);
        let (mut objects, mut next) = (Objects::new(), String::new());
        self.reader.list_begins();
        loop {
            let call = Call::get(&path).with("limit", PAGE).deadline(PAGE_DEADLINE);
            let call = match next.as_str() {
                "" => call.with_some("resourceVersion", from),
                next => call.with("continue", next),
            };
            let page = match transport.open_patiently(&call).await {
                // The pages took so long that the rest of this state is forgotten: all at once instead.
                Err(ClusterError::Other { code: 410, .. }) if !next.is_empty() => {
                    objects.clear();
                    transport.open_patiently(&Call::get(&path).deadline(PAGE_DEADLINE)).await?
                }
                page => page?,
            };
            let taken = timeout(PAGE_DEADLINE, self.page(page.into_body(), &mut objects));
            let meta = taken.await.unwrap_or_else(|_| Err(late(&call)))?;
            next = meta.next;
            if next.is_empty() {
                self.reader.list_ended();
                self.replace(objects);
                return Ok(Listed { resource_version: meta.resource_version, end: None });
            }
        }
    }

    /// Takes the items of one answer while it arrives.
    async fn page(&mut self, mut body: Body, objects: &mut Objects) -> Result<ListMeta, ClusterError> {
        let broken = |error: serde_json::Error| ClusterError::Other {
            code: 200,
            message: format!("the answer is no list of objects: {error}"),
        };
        let (mut listing, mut wrong) = (Listing::default(), None);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| self.transport.unreachable(&error))?.into_data() else { continue };
            listing.take(&data, &mut |item| match self.reader.read(item) {
                Ok((id, object)) => {
                    objects.insert(key(&self.scope, &id).as_ref().into(), Arc::new(object));
                }
                Err(error) => wrong = Some(error),
            });
            if let Some(error) = wrong.take() {
                return Err(broken(error));
            }
            // There may be tens of megabytes of it, at hand all the time.
            tokio::task::yield_now().await;
        }
        Ok(listing.finish().map_err(broken)?.metadata)
    }
}
