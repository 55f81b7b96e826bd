//! The listener: TLS on loopback, a client certificate with every connection, HTTP/1.1 or 2 as the client likes.

use super::{
    answer::{Answer, refused},
    api::{Api, BODY_LIMIT},
    certificates::{Certificates, User},
    failure::Failure,
};
use http::Request;
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// A client that does not finish its handshake holds nothing up.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts connections until the API is stopped.
pub(super) async fn serve(listener: TcpListener, certificates: Arc<Certificates>, api: Arc<Api>) {
    let mut stopped = api.stopped.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, certificates.clone(), api.clone()))),
            Err(error) => {
                // Out of descriptors, most likely: others may close some.
                tracing::warn!("no connection can be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, certificates: Arc<Certificates>, api: Arc<Api>) {
    // Small answers are not to wait for more of them.
    let _ = stream.set_nodelay(true);
    let acceptor = tokio_rustls::TlsAcceptor::from(certificates.tls.clone());
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let Some(user) = shown.and_then(|shown| certificates.user(shown)).cloned() else { return };
    let mut stopped = api.stopped.clone();
    let service = hyper::service::service_fn(move |request| answer(api.clone(), user.clone(), request));
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client that went away is no news.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(Duration::from_secs(2), connection).await;
}

async fn answer(api: Arc<Api>, user: User, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body: Bytes = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok(refused(&Failure::too_large(BODY_LIMIT)));
        }
        Err(error) => return Ok(refused(&Failure::bad_request(error.to_string()))),
    };
    Ok(api.answer(&user, &head, &body).await)
}
