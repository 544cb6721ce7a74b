//! The HTTP client: no redirects, no proxy from the environment, our own resolver.

use std::time::Duration;

use orderd_sink::{ClientPem, Common, ConfigError, TlsPem};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use crate::addresses::GuardedResolver;
use crate::config::WebhookConfig;

const USER_AGENT: &str = concat!("orderd-sink-webhook/", env!("CARGO_PKG_VERSION"));

/// Makes the client; reads the certificates.
pub fn client(config: &WebhookConfig, common: &Common) -> Result<Agent, ConfigError> {
    let TlsPem { ca, client } = common.tls.read()?;
    let mut tls = TlsConfig::builder();
    if let Some(pem) = ca {
        tls = tls.root_certs(RootCerts::from(certificates("ca_file", &pem)?));
    }
    if let Some(client) = client {
        tls = tls.client_cert(Some(client_certificate(&client)?));
    }
    let agent = Agent::config_builder()
        .tls_config(tls.build())
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(USER_AGENT)
        .max_idle_connections(common.in_flight_max)
        .max_idle_connections_per_host(common.in_flight_max)
        .max_idle_age(Duration::from_millis(config.idle_ms_max))
        .timeout_global(Some(common.timeout))
        .build();
    let resolver = GuardedResolver::new(config.deny_addresses.clone());
    Ok(Agent::with_parts(agent, DefaultConnector::default(), resolver))
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, ConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| ConfigError::key(key, format!("cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(ConfigError::key(key, "holds no certificate in PEM form"));
    }
    Ok(certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

fn client_certificate(client: &ClientPem) -> Result<ClientCert, ConfigError> {
    let chain = certificates("client_cert_file", &client.certificates)?;
    let wrong = |error: &dyn std::fmt::Display| ConfigError::key("client_key_file", format!("cannot be used: {error}"));
    let key = PrivateKey::from_pem(client.key.expose().as_bytes()).map_err(|error| wrong(&error))?;
    // The client would only find out in the middle of a handshake that the two do not belong together.
    let der = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).map_err(|error| wrong(&error))?;
    let ders = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let provider = rustls::crypto::ring::default_provider();
    rustls::sign::CertifiedKey::from_der(ders, der, &provider).map_err(|error| wrong(&error))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
