//! How the connector shows who it is.

use std::io;

use async_nats::ConnectOptions;
use orderd_sink::{ConfigError, Secret, SecretFile};

/// The secret, and where it can be read again.
#[derive(Debug, Clone)]
pub(crate) struct Auth {
    method: Method,
    file: Option<SecretFile>,
    secret: Option<Secret>,
}

#[derive(Debug, Clone)]
enum Method {
    None,
    Password { user: String },
    Token,
    Nkey,
    Credentials,
}

impl Auth {
    /// The one way that the keys name, with its secret read.
    pub(crate) fn of(
        user: Option<String>,
        password_file: Option<SecretFile>,
        token_file: Option<SecretFile>,
        nkey_file: Option<SecretFile>,
        credentials_file: Option<SecretFile>,
    ) -> Result<Self, ConfigError> {
        let password = match (user, password_file) {
            (Some(user), Some(file)) => Some((Method::Password { user }, "password_file", file)),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::key("user", "needs password_file beside it")),
            (None, Some(_)) => return Err(ConfigError::key("password_file", "needs user beside it")),
        };
        let token = token_file.map(|file| (Method::Token, "token_file", file));
        let nkey = nkey_file.map(|file| (Method::Nkey, "nkey_file", file));
        let credentials = credentials_file.map(|file| (Method::Credentials, "credentials_file", file));
        let mut ways = [password, token, nkey, credentials].into_iter().flatten();
        let Some((method, key, file)) = ways.next() else {
            return Ok(Self { method: Method::None, file: None, secret: None });
        };
        if let Some((_, other, _)) = ways.next() {
            return Err(ConfigError::key(
                other,
                format!("there is {key} already: one way to show who we are is enough"),
            ));
        }
        let secret = Some(file.read().map_err(|error| error.at(key))?);
        Ok(Self { method, file: Some(file), secret })
    }

    /// Reads the secret again; on an error it stays as it was.
    pub(crate) fn refresh(&mut self) -> Result<(), ConfigError> {
        if let Some(file) = &self.file {
            self.secret = Some(file.read()?);
        }
        Ok(())
    }

    /// Adds the secret to a connection's options.
    ///
    /// # Errors
    /// The credentials file has no user JWT or no seed in it.
    pub(crate) fn apply(&self, options: ConnectOptions) -> io::Result<ConnectOptions> {
        let secret = self.secret.as_ref().map(Secret::expose).unwrap_or_default();
        Ok(match &self.method {
            Method::None => options,
            Method::Password { user } => options.user_and_password(user.clone(), secret.to_owned()),
            Method::Token => options.token(secret.to_owned()),
            Method::Nkey => options.nkey(secret.trim().to_owned()),
            // The client wants the line break that a secret is read without.
            Method::Credentials => options.credentials(&format!("{secret}\n"))?,
        })
    }
}
