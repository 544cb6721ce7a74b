//! What a store's identity, its segments and its checkpoints begin with.
//!
//! ```text
//! magic 8 | format version u16 | features u16 | fields of the file's own | CRC-32C of all before u32
//! ```
//!
//! All integers are little-endian. What is intact and unknown was written by a newer version, and is never taken for
//! damage: so the checksum is looked at first. A feature bit stands for something that a reader must know to read on.

const FORMAT_VERSION: u16 = 2;
/// None yet.
const KNOWN_FEATURES: u16 = 0;

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is not what was written.
    #[error("has a damaged header")]
    Damaged,
    /// It is of another version.
    #[error("has format version {0}{of}, and this orderd reads version {FORMAT_VERSION}", of = release_of(*.0))]
    Version(u16),
    /// It was written by a newer version.
    #[error("has features that this orderd does not know: {0:#06x}")]
    Features(u16),
}

/// Which release wrote a format that is not read.
const fn release_of(version: u16) -> &'static str {
    if version < FORMAT_VERSION { " (orderd 0.1)" } else { " (a newer orderd)" }
}

/// A whole header.
pub fn encode(magic: [u8; 8], fields: &[&[u8]]) -> Vec<u8> {
    let numbers = [FORMAT_VERSION, KNOWN_FEATURES].map(u16::to_le_bytes);
    let mut bytes = [&magic, numbers.as_flattened(), &fields.concat()].concat();
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Checks the header of `len` bytes that `bytes` begin with.
pub fn check(bytes: &[u8], magic: [u8; 8], len: usize) -> Result<(), HeaderError> {
    let header = bytes.get(..len).and_then(<[u8]>::split_last_chunk::<4>);
    let (checked, crc) = header.ok_or(HeaderError::Damaged)?;
    if array(checked, 0) != Some(magic) || u32::from_le_bytes(*crc) != crc32c::crc32c(checked) {
        return Err(HeaderError::Damaged);
    }
    let u16_at = |at| array(checked, at).map(u16::from_le_bytes).ok_or(HeaderError::Damaged);
    let (version, unknown) = (u16_at(8)?, u16_at(10)? & !KNOWN_FEATURES);
    match version {
        FORMAT_VERSION if unknown == 0 => Ok(()),
        FORMAT_VERSION => Err(HeaderError::Features(unknown)),
        other => Err(HeaderError::Version(other)),
    }
}

pub fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}
