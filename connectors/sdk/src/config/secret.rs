//! Secrets are read from files of their own and from nowhere else.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// More than any password, key or credentials file; keeps a wrong path from being read into memory.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The path of a file that holds one secret: the value of a key `*_file`. Relative paths have become absolute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct SecretFile(PathBuf);

/// A secret that was read. It shows itself only to [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl SecretFile {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it: UTF-8 text, at most 64 KiB; one line break at the end is not part of it.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is not UTF-8 or empty.
    pub fn read(&self) -> Result<Secret, ConfigError> {
        let file = File::open(&self.0).map_err(|error| ConfigError::file(&self.0, &error))?;
        let mut text = String::new();
        let read = file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| ConfigError::file(&self.0, &error))?;
        if u64::try_from(text.len()).is_ok_and(|bytes| bytes > SECRET_BYTES_MAX) {
            return Err(self.wrong(format!("has more than {SECRET_BYTES_MAX} bytes")));
        }
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() {
            return Err(self.wrong("is empty"));
        }
        Ok(Secret(secret.to_owned()))
    }

    fn wrong(&self, what: impl fmt::Display) -> ConfigError {
        ConfigError::new(format!("the secret file {} {what}", self.0.display()))
    }
}

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
