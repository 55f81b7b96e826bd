//! HTTP as Git's configuration wants it: proxy, certificate authorities, client certificate, time-outs.
//!
//! gix reads these settings but its reqwest backend applies none of them. `http.sslVerify = false` is not honoured.

use super::{GitError, RepositoryUrl, child::STALLED};
use gix::{
    bstr::ByteSlice,
    protocol::transport::client::blocking_io::http::{self, options::ProxyAuthMethod},
};
use reqwest::{Certificate, Identity, NoProxy, Proxy, blocking::ClientBuilder};
use std::{
    any::Any,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

const CONNECT: Duration = Duration::from_secs(15);

/// What is set, read before the connection so that an error names the setting.
#[derive(Clone, Default)]
struct Settings {
    proxy: Option<Proxy>,
    no_proxy: bool,
    authorities: Option<Vec<Certificate>>,
    identity: Option<Identity>,
}

/// Returns the transport options for an HTTP address.
pub(super) fn options(
    repo: &gix::Repository,
    url: &RepositoryUrl,
    target: &gix::Url,
) -> Result<Box<dyn Any>, GitError> {
    // the first one in wins: a program that has chosen its provider keeps it
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bad = |reason: String| GitError::BadUrl { url: url.to_string(), reason };
    let mut options = repo
        .transport_options(target.to_bstring().as_bstr(), None)
        .map_err(|error| bad(format!("Git's http settings: {}", super::failure::chain(&error))))?
        .and_then(|options| options.downcast::<http::Options>().ok())
        .map_or_else(http::Options::default, |options| *options);
    options.user_agent.get_or_insert_with(|| concat!("driftdeck/", env!("CARGO_PKG_VERSION")).to_owned());
    let mut settings = Settings::default();
    read_proxy(&options, &mut settings).map_err(|error| bad(format!("http.proxy: {}", url.redact(&error))))?;
    let authorities = options.ssl_ca_info.clone().or_else(|| std::env::var_os("GIT_SSL_CAINFO").map(PathBuf::from));
    if let Some(path) = authorities {
        let read = std::fs::read(&path).map_err(|error| error.to_string());
        let certificates = read.and_then(|pem| Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string()));
        settings.authorities =
            Some(certificates.map_err(|error| bad(format!("http.sslCAInfo {}: {error}", path.display())))?);
    }
    settings.identity = client_certificate(repo).map_err(|error| bad(format!("http.sslCert: {error}")))?;
    let backend = http::reqwest::Options {
        configure_client: Some(Box::new(move |builder| Ok(configure(builder, settings.clone())))),
        configure_request: None,
    };
    options.backend = Some(Arc::new(Mutex::new(backend)));
    Ok(Box::new(options))
}

fn configure(builder: ClientBuilder, settings: Settings) -> ClientBuilder {
    // the blocking client's time-out is one for each wait (headers, each read of the body): a stall limit
    let mut builder = builder.connect_timeout(CONNECT).timeout(STALLED);
    if settings.no_proxy {
        builder = builder.no_proxy();
    }
    if let Some(proxy) = settings.proxy {
        builder = builder.no_proxy().proxy(proxy);
    }
    if let Some(authorities) = settings.authorities {
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(identity) = settings.identity {
        builder = builder.identity(identity);
    }
    builder
}

fn read_proxy(options: &http::Options, settings: &mut Settings) -> Result<(), String> {
    match options.proxy.as_deref() {
        // none set: reqwest reads the environment, as Git does
        None => Ok(()),
        Some("") => {
            settings.no_proxy = true;
            Ok(())
        }
        Some(_) if !matches!(options.proxy_auth_method, ProxyAuthMethod::AnyAuth | ProxyAuthMethod::Basic) => {
            Err("only basic authentication is known for proxies".to_owned())
        }
        Some(address) => {
            let proxy = Proxy::all(address).map_err(|error| error.to_string())?;
            settings.proxy = Some(proxy.no_proxy(options.no_proxy.as_deref().and_then(NoProxy::from_string)));
            Ok(())
        }
    }
}

fn client_certificate(repo: &gix::Repository) -> Result<Option<Identity>, String> {
    let config = repo.config_snapshot();
    let path = |variable: &str, key: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .or_else(|| config.trusted_path(key).ok().flatten().map(|path| path.to_path_buf()))
    };
    let Some(certificate) = path("GIT_SSL_CERT", "http.sslCert") else { return Ok(None) };
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut pem = read(&certificate)?;
    if let Some(key) = path("GIT_SSL_KEY", "http.sslKey") {
        pem.push(b'\n');
        pem.extend(read(&key)?);
    }
    Identity::from_pem(&pem).map(Some).map_err(|error| error.to_string())
}
