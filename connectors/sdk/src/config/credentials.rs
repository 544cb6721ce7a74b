//! What a connection shows of us, read from files.

use super::{Common, ConfigError, Secret, SecretFile, TlsFiles, TlsPem};

/// Password and TLS files, and where they can be read again.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The password, where the configuration names a file.
    pub password: Option<Secret>,
    /// Certificates.
    pub tls: TlsPem,
    password_file: Option<SecretFile>,
    tls_files: TlsFiles,
}

impl Credentials {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn read(password_file: Option<&SecretFile>, common: &Common) -> Result<Self, ConfigError> {
        let mut credentials = Self {
            password: None,
            tls: TlsPem::default(),
            password_file: password_file.cloned(),
            tls_files: common.tls.clone(),
        };
        credentials.read_again()?;
        Ok(credentials)
    }

    /// Reads the files again; on an error everything stays as it was.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn read_again(&mut self) -> Result<(), ConfigError> {
        let password = self.password_file.as_ref().map(SecretFile::read).transpose();
        let (password, tls) = (password.map_err(|error| error.at("password_file"))?, self.tls_files.read()?);
        (self.password, self.tls) = (password, tls);
        Ok(())
    }

    /// The same before a connection, which is made with the old ones if need be.
    pub fn refresh(&mut self) {
        if let Err(error) = self.read_again() {
            tracing::warn!(%error, "cannot read the secrets again; the ones before stay");
        }
    }
}
