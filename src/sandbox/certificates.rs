//! Who may connect: a certificate authority of the sandbox's own, the server's certificate, one for each user, and the
//! kubeconfig with all three users. Made once and kept in the folder, so that a kubeconfig outlives a restart.

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A user of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// Its name.
    pub name: String,
    /// Its groups, with those that every user is in.
    pub groups: Vec<String>,
    /// The hash of the certificate that it showed; empty for one who is impersonated.
    pub credential: String,
}

/// The users that have a certificate, with the group that their rights come from.
const USERS: &[(&str, &str)] = &[("admin", "system:masters"), ("editor", "editors"), ("viewer", "viewers")];

impl User {
    /// A user who proved to be one.
    pub fn authenticated(name: &str, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        groups.push("system:authenticated".into());
        Self { name: name.to_owned(), groups, credential: String::new() }
    }
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// They cannot be made or read.
    #[error("the sandbox's certificates: {0}; start anew with --fresh")]
    Broken(String),
}

/// What the server needs of them.
pub(super) struct Certificates {
    /// The authority's certificate, PEM.
    pub authority: String,
    /// The server's side of TLS: no client without a certificate of ours.
    pub tls: Arc<rustls::ServerConfig>,
    /// The users by the certificate that they show.
    users: Vec<(CertificateDer<'static>, User)>,
}

/// A certificate and its key, both PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Certificates {
    /// Reads them from the folder, or makes them there.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn open(folder: &Path, fresh: bool) -> Result<Self, CertificateError> {
        let folder = folder.join("pki");
        if fresh || !folder.join("ca.crt").exists() {
            make(&folder)?;
        }
        let authority = load(&folder, "ca")?;
        let server = load(&folder, "server")?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate(&authority.certificate)?).map_err(broken)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(broken)?
            .with_client_cert_verifier(verifier.build().map_err(broken)?)
            .with_single_cert(
                vec![certificate(&server.certificate)?],
                PrivateKeyDer::from_pem_slice(server.key.as_bytes()).map_err(broken)?,
            )
            .map_err(broken)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut users = Vec::new();
        for (name, group) in USERS {
            let shown = certificate(&load(&folder, name)?.certificate)?;
            let credential = crate::object::sha256_hex(&shown);
            users.push((shown, User { credential, ..User::authenticated(name, &[group]) }));
        }
        Ok(Self { authority: authority.certificate, tls: Arc::new(tls), users })
    }

    /// Who showed this certificate.
    pub fn user(&self, shown: &CertificateDer<'_>) -> Option<&User> {
        self.users.iter().find(|(known, _)| known == shown).map(|(_, user)| user)
    }

    /// Writes the kubeconfig of a server at this address, for nobody but its owner to read.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn write_kubeconfig(&self, folder: &Path, server: &str) -> Result<PathBuf, CertificateError> {
        let mut users = Vec::new();
        for (name, _) in USERS {
            let pair = load(&folder.join("pki"), name)?;
            let (certificate, key) = (STANDARD.encode(pair.certificate), STANDARD.encode(pair.key));
            let user = json!({"client-certificate-data": certificate, "client-key-data": key});
            users.push(json!({"name": name, "user": user}));
        }
        let context =
            |name: &str| json!({"name": name, "context": {"cluster": "sandbox", "user": name, "namespace": "default"}});
        let contexts: Vec<_> = USERS.iter().map(|(name, _)| context(name)).collect();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "admin", "preferences": {},
            "clusters": [{"name": "sandbox", "cluster": {
                "server": server, "certificate-authority-data": STANDARD.encode(&self.authority)}}],
            "contexts": contexts, "users": users,
        });
        let path = folder.join("kubeconfig");
        write_private(&path, crate::object::to_yaml(&kubeconfig).as_bytes())?;
        Ok(path)
    }
}

fn broken(error: impl std::fmt::Display) -> CertificateError {
    CertificateError::Broken(error.to_string())
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, CertificateError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(broken)
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> CertificateError {
    let path = path.to_owned();
    move |source| CertificateError::File { path, source }
}

fn load(folder: &Path, name: &str) -> Result<Pair, CertificateError> {
    let read = |extension: &str| {
        let path = folder.join(format!("{name}.{extension}"));
        fs::read_to_string(&path).map_err(file_error(&path))
    };
    Ok(Pair { certificate: read("crt")?, key: read("key")? })
}

/// The authority's certificate comes last: where it is there, all are.
fn make(folder: &Path) -> Result<(), CertificateError> {
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    let mut params = params("driftdeck-sandbox-ca", None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().map_err(broken)?;
    let authority = CertifiedIssuer::self_signed(params, key).map_err(broken)?;
    let mut server = self::params("kube-apiserver", None);
    for name in ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"] {
        server.subject_alt_names.push(rcgen::SanType::DnsName(name.try_into().map_err(broken)?));
    }
    server.subject_alt_names.push(rcgen::SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    save(folder, "server", &issued(server, &authority)?)?;
    for (name, group) in USERS {
        let mut user = self::params(name, Some(group));
        user.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        save(folder, name, &issued(user, &authority)?)?;
    }
    let authority = Pair { certificate: authority.pem(), key: authority.key().serialize_pem() };
    save(folder, "ca", &authority)
}

/// Valid for ten years from yesterday: clocks differ.
fn params(name: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    let now = std::time::SystemTime::now();
    let day = std::time::Duration::from_secs(86_400);
    params.not_before = (now - day).into();
    params.not_after = (now + 3650 * day).into();
    params.use_authority_key_identifier_extension = true;
    params
}

fn issued(params: CertificateParams, authority: &Issuer<'_, KeyPair>) -> Result<Pair, CertificateError> {
    let key = KeyPair::generate().map_err(broken)?;
    let certificate = params.signed_by(&key, authority).map_err(broken)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn save(folder: &Path, name: &str, pair: &Pair) -> Result<(), CertificateError> {
    write_private(&folder.join(format!("{name}.key")), pair.key.as_bytes())?;
    write_private(&folder.join(format!("{name}.crt")), pair.certificate.as_bytes())
}

/// Written beside and put in its place: a reader never sees half of it.
fn write_private(path: &Path, content: &[u8]) -> Result<(), CertificateError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Temporary files are the owner's alone (0600).
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(file_error(folder))?;
    file.write_all(content).map_err(file_error(path))?;
    file.as_file().sync_all().map_err(file_error(path))?;
    file.persist(path).map_err(|error| file_error(path)(error.error))?;
    Ok(())
}
