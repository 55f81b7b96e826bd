//! Many requests, few at a time: more than a handful in flight on one connection only queue in the API server.

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};

/// Requests in flight on one session.
pub(in crate::engine) const IN_FLIGHT: usize = 32;

/// Runs futures, at most [`IN_FLIGHT`] at a time; results come as they are ready. They are boxed: the compiler cannot prove futures that
/// borrow in a closure to be `Send`.
pub(in crate::engine) fn bounded<'a, T: Send + 'a>(
    work: impl IntoIterator<Item = BoxFuture<'a, T>>,
) -> BoxStream<'a, T> {
    stream::iter(work.into_iter().collect::<Vec<_>>()).buffer_unordered(IN_FLIGHT).boxed()
}
