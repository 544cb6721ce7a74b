//! Which store this is, and how a new one comes into being: whole or not at all.
//!
//! ```text
//! identity, 32 bytes:  magic "ORDERDID" 8 | format version u16 | features u16 | store id 16 | CRC-32C of bytes 0 to 27
//! ```

use std::io;

use super::file_header::{self, HeaderError, array};
use super::segment::{empty_segment, segment_path};
use super::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, STORE_DIR, StoreId};
use crate::contracts::{Lsn, Storage};

/// Why there is no store to open.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error("there is no store")]
    Missing,
    /// There is one, but it cannot be trusted.
    #[error("{IDENTITY_PATH}: {0}")]
    Damaged(&'static str),
    /// It is a backup's.
    #[error(
        "{BACKUP_IDENTITY_PATH}: this is a backup, which is never served; make a store of it with `orderd restore`"
    )]
    Backup,
    /// It is of another version, or has features that a newer one has written.
    #[error("{IDENTITY_PATH}: the store {0}")]
    Header(HeaderError),
    /// It cannot be read or written.
    #[error("{operation} {path}: {source}")]
    Io {
        /// The operation that failed.
        operation: &'static str,
        /// On what.
        path: &'static str,
        /// The underlying error.
        source: io::Error,
    },
}

const MAGIC: [u8; 8] = *b"ORDERDID";
const LEN: usize = 32;
const TEMPORARY_DIR: &str = "store.tmp";
const IDENTITY_PATH: &str = "store/identity";
/// A backup has its identity here: a store without one is never served.
const BACKUP_IDENTITY_PATH: &str = "store/identity.backup";

fn io_error(operation: &'static str, path: &'static str) -> impl FnOnce(io::Error) -> IdentityError {
    move |source| IdentityError::Io { operation, path, source }
}

/// Reads the identity of the store that is there.
///
/// # Errors
/// There is none, or it cannot be trusted or read. An unreadable store is never taken for a missing one.
pub fn open_store(storage: &dyn Storage) -> Result<StoreId, IdentityError> {
    let names = storage.list("").map_err(io_error("listing", "the data directory"))?;
    if !names.iter().any(|name| name == STORE_DIR) {
        return Err(IdentityError::Missing);
    }
    match read_identity(storage, IDENTITY_PATH)? {
        Some(bytes) => decode(&bytes),
        None if read_identity(storage, BACKUP_IDENTITY_PATH)?.is_some() => Err(IdentityError::Backup),
        None => Err(IdentityError::Damaged("the file is missing from a store that is there")),
    }
}

/// Reads the identity of the store that a backup was made of.
///
/// # Errors
/// As [`open_store`].
pub fn open_backup(storage: &dyn Storage) -> Result<StoreId, IdentityError> {
    let bytes = read_identity(storage, BACKUP_IDENTITY_PATH)?.ok_or(IdentityError::Missing)?;
    decode(&bytes)
}

fn read_identity(storage: &dyn Storage, path: &'static str) -> Result<Option<Vec<u8>>, IdentityError> {
    let file = match storage.open_read_only(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("opening", path)(error)),
    };
    let mut bytes = vec![0; LEN + 1];
    let len = file.read_at(&mut bytes, 0).map_err(io_error("reading", path))?;
    bytes.truncate(len);
    Ok(Some(bytes))
}

/// Makes a new, empty store. A crash at any moment leaves none or a whole one.
///
/// # Errors
/// Any I/O error from the OS.
pub fn create_store(storage: &dyn Storage, id: StoreId) -> Result<StoreId, IdentityError> {
    // 1. Build it under another name, which a start never takes for a store: what an interrupted build left there is
    //    overwritten, the names being the same.
    storage.create_dir(TEMPORARY_DIR).map_err(io_error("creating", TEMPORARY_DIR))?;
    let temporary = |path: &str| path.replacen(STORE_DIR, TEMPORARY_DIR, 1);
    let write = || -> io::Result<()> {
        for dir in [JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
            storage.create_dir(&temporary(dir))?;
        }
        let files = [(IDENTITY_PATH.to_owned(), encode(id)), (segment_path(Lsn::ZERO.next()), empty_segment(id))];
        for (path, contents) in files {
            let file = storage.create(&temporary(&path))?;
            file.write_all_at(&contents, 0)?;
            file.sync_data()?;
        }
        // 2. Its files and names are durable before it gets its name...
        storage.sync_dir(&temporary(JOURNAL_DIR))?;
        storage.sync_dir(TEMPORARY_DIR)
    };
    write().map_err(io_error("writing a new store in", TEMPORARY_DIR))?;
    // 3. ...and its name is durable before anything is stored in it.
    storage.rename(TEMPORARY_DIR, STORE_DIR).map_err(io_error("renaming", TEMPORARY_DIR))?;
    storage.sync_dir("").map_err(io_error("syncing", "the data directory"))?;
    Ok(id)
}

fn encode(id: StoreId) -> Vec<u8> {
    file_header::encode(MAGIC, &[id.as_bytes()])
}

fn decode(bytes: &[u8]) -> Result<StoreId, IdentityError> {
    let damaged = || IdentityError::Damaged("the contents are damaged at offset 0");
    match file_header::check(bytes, MAGIC, LEN) {
        Err(HeaderError::Damaged) => Err(damaged()),
        Err(newer) => Err(IdentityError::Header(newer)),
        Ok(()) if bytes.len() != LEN => Err(damaged()),
        Ok(()) => array(bytes, 12).map(StoreId::from_bytes).ok_or_else(damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_damage_to_an_identity_goes_unnoticed() {
        let id = StoreId::from_bytes([7; 16]);
        let bytes = encode(id);
        assert_eq!(decode(&bytes).unwrap(), id);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_store_whose_identity_cannot_be_had_is_neither_missing_nor_another() {
        use crate::testkit::{STORE_ID, Watched};

        let storage = Watched::new();
        assert_eq!(open_store(&storage).unwrap(), STORE_ID);
        for (call, operation) in [("open_read_only", "opening"), ("read", "reading"), ("list", "listing")] {
            storage.fail(call, io::ErrorKind::PermissionDenied);
            assert!(
                matches!(open_store(&storage), Err(IdentityError::Io { operation: tried, .. }) if tried == operation)
            );
            storage.mend();
        }
        // One byte more than there should be.
        storage.memory.open(IDENTITY_PATH).unwrap().set_len(LEN as u64 + 1).unwrap();
        assert!(matches!(open_store(&storage), Err(IdentityError::Damaged(_))));
        storage.memory.remove(IDENTITY_PATH).unwrap();
        assert!(matches!(open_store(&storage), Err(IdentityError::Damaged(what)) if what.contains("missing")));
        assert!(matches!(open_store(&Watched::empty()), Err(IdentityError::Missing)));
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let mut bytes = encode(StoreId::from_bytes([7; 16]));
        bytes[8] = 3;
        assert!(matches!(decode(&bytes), Err(IdentityError::Damaged(_))));
        let crc = crc32c::crc32c(&bytes[..LEN - 4]);
        bytes[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(decode(&bytes), Err(IdentityError::Header(HeaderError::Version(3)))));
        bytes[8] = 1;
        let crc = crc32c::crc32c(&bytes[..LEN - 4]);
        bytes[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        assert!(decode(&bytes).unwrap_err().to_string().contains("orderd 0.1"));
        (bytes[8], bytes[10]) = (2, 1);
        let crc = crc32c::crc32c(&bytes[..LEN - 4]);
        bytes[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(decode(&bytes), Err(IdentityError::Header(HeaderError::Features(1)))));
    }
}
