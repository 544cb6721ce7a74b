//! What is wrong with a configuration.

use std::fmt;
use std::io;
use std::path::Path;

/// A configuration that cannot be used. The message names the key and what it takes, and never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    key: Option<String>,
    message: String,
    permission: bool,
}

impl ConfigError {
    /// A problem that belongs to no key.
    pub fn new(message: impl Into<String>) -> Self {
        Self { key: None, message: message.into(), permission: false }
    }

    /// A problem with the value of `key`.
    pub fn key(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: Some(key.into()), message: message.into(), permission: false }
    }

    /// A file that cannot be read.
    #[must_use]
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self {
            key: None,
            message: format!("cannot read {}: {error}", path.display()),
            permission: error.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    /// The same problem, found behind `key`.
    #[must_use]
    pub fn at(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The key, where there is one.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether the system denied access to a file.
    #[must_use]
    pub const fn is_permission(&self) -> bool {
        self.permission
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ConfigError {}
