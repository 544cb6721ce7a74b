//! TLS for the connection: the server's certificate and name are always checked.

use orderd_sink::{ConfigError, TlsFiles, TlsPem};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Reads the files.
pub fn connector(files: &TlsFiles) -> Result<MakeRustlsConnect, ConfigError> {
    let TlsPem { ca, client } = files.read()?;
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in certificates("ca_file", &pem)? {
                roots.add(certificate).map_err(|error| ConfigError::key("ca_file", error.to_string()))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = rustls::crypto::ring::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new(error.to_string()))?
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let wrong = |error: &dyn std::fmt::Display| ConfigError::key("client_key_file", error.to_string());
            let chain = certificates("client_cert_file", &client.certificates)?;
            let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong(&error))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| ConfigError::key(key, format!("cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(ConfigError::key(key, "holds no certificate in PEM form"));
    }
    Ok(certificates)
}
