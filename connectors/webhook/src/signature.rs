//! Signatures of Standard Webhooks, version 1: HMAC-SHA-256 over `ID.TIMESTAMP.BODY`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use orderd_sink::{ConfigError, SecretFile};
use sha2::Sha256;

/// Secrets are made with and without `=` at their end.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secrets that sign, the new one first.
#[derive(Clone)]
pub struct Signer(Vec<Hmac<Sha256>>);

impl Signer {
    /// Reads the secrets: `whsec_` and the base64 of 24 to 64 bytes.
    pub fn read(files: &[SecretFile]) -> Result<Self, ConfigError> {
        files.iter().map(key).collect::<Result<_, _>>().map(Self).map_err(|error| error.at("secret_files"))
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|key| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(file: &SecretFile) -> Result<Hmac<Sha256>, ConfigError> {
    let wrong = || {
        let path = file.path().display();
        ConfigError::new(format!("{path} does not hold a signing secret: whsec_ and the base64 of 24 to 64 bytes"))
    };
    let secret = file.read()?;
    let text = secret.expose().strip_prefix("whsec_").unwrap_or(secret.expose());
    let bytes = ANY_PADDING.decode(text).map_err(|_| wrong())?;
    if !(24..=64).contains(&bytes.len()) {
        return Err(wrong());
    }
    Hmac::new_from_slice(&bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_of_the_reference_library_is_reproduced() {
        let bytes = STANDARD.decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let signer = Signer(vec![Hmac::new_from_slice(&bytes).unwrap()]);
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = signer.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn a_secret_may_end_with_or_without_padding() {
        for text in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(ANY_PADDING.decode(text).unwrap().len(), 25);
        }
    }
}
