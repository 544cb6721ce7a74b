//! The files of a TLS connection.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret, SecretFile};

/// The keys `ca_file`, `client_cert_file` and `client_key_file`. Paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct TlsFiles {
    /// The certificates that the target's one must lead to, PEM; none: those that the system or the library trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our certificate with its chain, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    /// The key of our certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<SecretFile>,
}

/// What the files hold, PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsPem {
    /// Trusted certificates; none: the library's own.
    pub ca: Option<Vec<u8>>,
    /// Our certificate chain and key.
    pub client: Option<ClientPem>,
}

/// Our certificate, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPem {
    /// The certificate with its chain.
    pub certificates: Vec<u8>,
    /// Its key.
    pub key: Secret,
}

impl TlsFiles {
    /// Whether any of the keys is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ca_file.is_none() && self.client_cert_file.is_none() && self.client_key_file.is_none()
    }

    /// Reads the files, at the start and again on SIGHUP.
    ///
    /// # Errors
    /// A file that cannot be read, or a certificate without its key.
    pub fn read(&self) -> Result<TlsPem, ConfigError> {
        let ca = self.ca_file.as_deref().map(|path| certificates("ca_file", path)).transpose()?;
        let client = match (&self.client_cert_file, &self.client_key_file) {
            (Some(certificates), Some(key)) => Some(ClientPem {
                certificates: self::certificates("client_cert_file", certificates)?,
                key: key.read().map_err(|error| error.at("client_key_file"))?,
            }),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::key("client_cert_file", "needs client_key_file beside it")),
            (None, Some(_)) => return Err(ConfigError::key("client_key_file", "needs client_cert_file beside it")),
        };
        Ok(TlsPem { ca, client })
    }
}

/// Whether a certificate can be used is found out by the library that uses it; here, that the key names the right file.
fn certificates(key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    const LABEL_END: &[u8] = b"CERTIFICATE-----";
    let pem = std::fs::read(path).map_err(|error| ConfigError::file(path, &error).at(key))?;
    if pem.windows(LABEL_END.len()).any(|bytes| bytes == LABEL_END) {
        Ok(pem)
    } else {
        Err(ConfigError::key(key, format!("{} holds no certificate in PEM form", path.display())))
    }
}
