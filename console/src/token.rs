//! The token that lets a request read from afar, or act.

use std::path::Path;

use subtle::ConstantTimeEq as _;

use crate::exit::{Exit, Failure};

/// A token with fewer characters can be guessed.
const GUESSABLE_BELOW: usize = 32;

/// The secret itself. It has no `Debug`: it must not get into a log.
pub struct Token(String);

impl Token {
    /// Reads the first line of a file.
    ///
    /// # Errors
    /// The file cannot be read, or its first line is empty or not plain text.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::io(format_args!("cannot read the token file {}", file.display()), &error))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            let message = format!(
                "the first line of {} is not a token: it takes printable ASCII without spaces, for instance what \
                 `openssl rand -hex 32` prints",
                file.display()
            );
            return Err(Failure::new(Exit::Config, message));
        }
        if token.len() < GUESSABLE_BELOW {
            tracing::warn!("the token has fewer than {GUESSABLE_BELOW} characters: it can be guessed");
        }
        Ok(Self(token.to_owned()))
    }

    /// Whether this is the token. Takes the same time however much of it is right.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "s3cret\nsecond line\n").unwrap();
        let token = Token::read(&file).unwrap();
        assert!(token.is("s3cret"));
        for wrong in ["", "s3cre", "s3cret ", "S3cret", "s3cret2"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        for empty in ["", "\n", "  \nx", "two words"] {
            std::fs::write(&file, empty).unwrap();
            assert!(Token::read(&file).is_err(), "{empty:?}");
        }
    }
}
