//! Checkpoint files: checked blocks between a header and a footer. What the blocks hold is `repo`'s affair.
//!
//! ```text
//! header, 64 bytes                       block: length u32 | CRC of the bytes u32 | bytes
//!  0 magic "ORDERDCP"          8         end:   zero u32 | CRC of the blocks' CRCs u32 | count of blocks u64
//!  8 format version            2
//! 10 features                  2         Little-endian; CRC is CRC-32C. The name is the covered LSN: `{lsn:020}.ckpt`.
//! 12 zero                      4
//! 16 store id                 16
//! 32 covered LSN               8         Everything up to it is in the blocks; some of what follows may be, too.
//! 40 required LSN              8         The journal was durable up to it when the blocks were complete.
//! 48 chain at the covered LSN  4         The header checksums of these two frames: a checkpoint of another history of the
//! 52 chain at the required LSN 4         store, of a copy that went on by itself, does not pass for one of this.
//! 56 zero                      4
//! 60 CRC of bytes 0 to 59      4
//! ```

use std::io;

use super::file_header::{self, HeaderError, array, u32_at, u64_at};
use super::segment::TEMPORARY_SUFFIX;
use super::{CHECKPOINTS_DIR, ChainEnd, ChainPoint, StoreId};
use crate::contracts::{Lsn, Storage, StorageFile};

const MAGIC: [u8; 8] = *b"ORDERDCP";
/// Bytes of a checkpoint's header.
pub const CHECKPOINT_HEADER_LEN: usize = 64;
const HEADER_LEN: usize = CHECKPOINT_HEADER_LEN;
const SUFFIX: &str = ".ckpt";
/// No block is longer.
const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Bytes between two syncs. Each sync costs the file system a commit, and what is written since the last one stands in the
/// way of the journal's own syncs: a megabyte takes a slow disk of 100 MB/s ten milliseconds.
const UNSYNCED_BYTES_MAX: usize = 1 << 20;

/// The name of the checkpoint that covers everything up to `lsn`.
#[must_use]
pub fn checkpoint_name(lsn: Lsn) -> String {
    format!("{lsn:020}{SUFFIX}", lsn = lsn.0)
}

/// The covered LSN of the checkpoint of this name; `None` if it is not a checkpoint's name.
#[must_use]
pub fn parse_checkpoint_name(name: &str) -> Option<Lsn> {
    let lsn = name.strip_suffix(SUFFIX)?.parse().ok().map(Lsn)?;
    (checkpoint_name(lsn) == name).then_some(lsn)
}

/// The checkpoints that are there, newest first; unfinished ones are none.
///
/// # Errors
/// The directory cannot be listed.
pub fn list_checkpoints(storage: &dyn Storage) -> io::Result<Vec<Lsn>> {
    let names = storage.list(CHECKPOINTS_DIR)?;
    let mut checkpoints: Vec<Lsn> = names.iter().filter_map(|name| parse_checkpoint_name(name)).collect();
    checkpoints.sort_unstable();
    checkpoints.reverse();
    Ok(checkpoints)
}

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Its bytes are not what was written.
    #[error("{path}: damaged at offset {offset}: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// It is intact, and was written by a newer version.
    #[error("{path}: the checkpoint has {what}, which this orderd does not know")]
    Version {
        /// The file.
        path: String,
        /// What is unknown in it.
        what: String,
    },
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The underlying error.
        source: io::Error,
    },
}

fn path_of(lsn: Lsn) -> String {
    format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(lsn))
}

/// Writes a checkpoint under another name; only `finish` makes it one.
pub struct CheckpointWriter {
    file: Box<dyn StorageFile>,
    temporary: String,
    store_id: StoreId,
    covered: ChainEnd,
    offset: u64,
    /// Bytes since the last sync.
    unsynced: usize,
    blocks: u64,
    blocks_crc: u32,
}

impl CheckpointWriter {
    /// Begins the checkpoint that covers everything up to `covered`.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    pub fn create(storage: &dyn Storage, store_id: StoreId, covered: ChainEnd) -> io::Result<Self> {
        let temporary = format!("{}{TEMPORARY_SUFFIX}", path_of(covered.lsn));
        let file = storage.create(&temporary)?;
        let offset = HEADER_LEN as u64;
        Ok(Self { file, temporary, store_id, covered, offset, unsynced: 0, blocks: 0, blocks_crc: 0 })
    }

    /// Appends a block, and syncs what has come together: a large checkpoint goes to the disk in steps, and the
    /// journal's own syncs do not wait behind a mountain of it.
    ///
    /// # Errors
    /// Any I/O error from the OS, or the block is longer than any may be.
    pub fn block(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= BLOCK_BYTES_MAX && !bytes.is_empty());
        let len = len.ok_or_else(|| io::Error::other("a block of a checkpoint is empty or too long"))?;
        let crc = crc32c::crc32c(bytes);
        let mut buffer = Vec::with_capacity(bytes.len().saturating_add(8));
        buffer.extend_from_slice(&len.to_le_bytes());
        buffer.extend_from_slice(&crc.to_le_bytes());
        buffer.extend_from_slice(bytes);
        self.file.write_all_at(&buffer, self.offset)?;
        self.unsynced = self.unsynced.saturating_add(buffer.len());
        if self.unsynced >= UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        self.offset = self.offset.saturating_add(buffer.len() as u64);
        self.blocks += 1;
        self.blocks_crc = crc32c::crc32c_append(self.blocks_crc, &crc.to_le_bytes());
        Ok(())
    }

    /// Ends the checkpoint and gives it its name; it is durable on return. `required` is the plan up to which the
    /// journal was durable when the last block was made: with a shorter journal the checkpoint makes no sense.
    ///
    /// # Errors
    /// Any I/O error from the OS; then there is no such checkpoint, or one that is whole.
    pub fn finish(self, storage: &dyn Storage, required: ChainEnd) -> io::Result<u64> {
        let mut end = Vec::new();
        end.extend_from_slice(&[0; 4]);
        end.extend_from_slice(&self.blocks_crc.to_le_bytes());
        end.extend_from_slice(&self.blocks.to_le_bytes());
        self.file.write_all_at(&end, self.offset)?;
        let header = encode_header(self.store_id, self.covered, required);
        self.file.write_all_at(&header, 0)?;
        // Contents before the name, the name before anybody relies on it.
        self.file.sync_data()?;
        storage.rename(&self.temporary, &path_of(self.covered.lsn))?;
        storage.sync_dir(CHECKPOINTS_DIR)?;
        Ok(self.offset.saturating_add(end.len() as u64))
    }
}

/// Reads a checkpoint block by block, each checked.
pub struct CheckpointReader {
    file: Box<dyn StorageFile>,
    path: String,
    /// Everything up to here is in it.
    pub covered: ChainEnd,
    /// The journal must reach this far.
    pub required: ChainEnd,
    offset: u64,
    blocks: u64,
    blocks_crc: u32,
}

impl CheckpointReader {
    /// Opens the checkpoint that covers everything up to `lsn`.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn open(storage: &dyn Storage, store_id: StoreId, lsn: Lsn) -> Result<Self, CheckpointError> {
        let path = path_of(lsn);
        let opened = storage.open_read_only(&path).and_then(|file| {
            // What a dead process left in the page cache is not what the medium has.
            file.drop_cache();
            let mut bytes = [0; HEADER_LEN];
            let read = file.read_at(&mut bytes, 0)?;
            Ok((file, bytes, read))
        });
        let (file, bytes, read) = match opened {
            Ok(opened) => opened,
            Err(source) => return Err(CheckpointError::Io { path, source }),
        };
        let problem = match decode_header(bytes.get(..read).unwrap_or_default()) {
            Err(HeaderError::Damaged) => "the header is damaged",
            Err(HeaderError::Version(version)) => {
                return Err(CheckpointError::Version { path, what: format!("format version {version}") });
            }
            Err(HeaderError::Features(features)) => {
                return Err(CheckpointError::Version { path, what: format!("features {features:#06x}") });
            }
            Ok((found, ..)) if found != store_id => "it belongs to another store",
            Ok((_, covered, _)) if covered.lsn != lsn => "its name is not its own",
            Ok((_, covered, required)) => {
                return Ok(Self { file, path, covered, required, offset: HEADER_LEN as u64, blocks: 0, blocks_crc: 0 });
            }
        };
        Err(CheckpointError::Damaged { path, offset: 0, problem: problem.to_owned() })
    }

    /// Where the journal must hold the same history as this.
    #[must_use]
    pub fn points(&self) -> Vec<ChainPoint> {
        let ends = [self.covered, self.required].into_iter().filter(|end| end.lsn > Lsn::ZERO);
        ends.map(|ChainEnd { lsn, chain }| ChainPoint { lsn, chain, path: self.path.clone() }).collect()
    }

    /// Has the system fetch all of it meanwhile: for who waits for it and for nothing else.
    pub fn read_ahead(&self) {
        self.file.read_ahead();
    }

    /// An error at the place that was read last.
    #[must_use]
    pub fn damaged(&self, problem: impl Into<String>) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.clone(), offset: self.offset, problem: problem.into() }
    }

    /// An error of what is intact and was written by a newer version.
    #[must_use]
    pub fn unknown(&self, what: impl Into<String>) -> CheckpointError {
        CheckpointError::Version { path: self.path.clone(), what: what.into() }
    }

    /// Reads the next block into `block`; false at the end, which is checked, too.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn next_block(&mut self, block: &mut Vec<u8>) -> Result<bool, CheckpointError> {
        let mut prefix = [0; 8];
        self.read_exactly(&mut prefix, self.offset)?;
        let (len, crc) = prefix.split_at(4);
        let len = len.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
        let crc = crc.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let behind = self.offset.saturating_add(prefix.len() as u64);
        if len == 0 {
            let mut count = [0; 9];
            let read = self.file.read_at(&mut count, behind).map_err(|source| self.io_error(source))?;
            let counted = count.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            if crc != self.blocks_crc || counted != Some(self.blocks) || read != 8 {
                return Err(self.damaged("the end does not fit the blocks"));
            }
            return Ok(false);
        }
        if len > BLOCK_BYTES_MAX {
            return Err(self.damaged("a block is longer than any was written"));
        }
        block.resize(len, 0);
        self.read_exactly(block, behind)?;
        if crc32c::crc32c(block) != crc {
            return Err(self.damaged("the checksum of a block is wrong"));
        }
        self.blocks += 1;
        self.blocks_crc = crc32c::crc32c_append(self.blocks_crc, &crc.to_le_bytes());
        self.offset = behind.saturating_add(len as u64);
        Ok(true)
    }

    fn read_exactly(&self, buffer: &mut [u8], offset: u64) -> Result<(), CheckpointError> {
        let read = self.file.read_at(buffer, offset).map_err(|source| self.io_error(source))?;
        if read == buffer.len() { Ok(()) } else { Err(self.damaged("the file ends too early")) }
    }

    fn io_error(&self, source: io::Error) -> CheckpointError {
        CheckpointError::Io { path: self.path.clone(), source }
    }
}

fn encode_header(store_id: StoreId, covered: ChainEnd, required: ChainEnd) -> Vec<u8> {
    let lsns = [covered.lsn.0, required.lsn.0].map(u64::to_le_bytes);
    let chains = [covered.chain, required.chain].map(u32::to_le_bytes);
    let zeros = [0; 4];
    file_header::encode(MAGIC, &[&zeros, store_id.as_bytes(), lsns.as_flattened(), chains.as_flattened(), &zeros])
}

fn decode_header(bytes: &[u8]) -> Result<(StoreId, ChainEnd, ChainEnd), HeaderError> {
    file_header::check(bytes, MAGIC, HEADER_LEN)?;
    let end = |lsn, chain| Some(ChainEnd { lsn: Lsn(u64_at(bytes, lsn)?), chain: u32_at(bytes, chain)? });
    let store_id = array(bytes, 16).map(StoreId::from_bytes);
    let ends = end(32, 48).zip(end(40, 52));
    store_id.zip(ends).map(|(id, (covered, required))| (id, covered, required)).ok_or(HeaderError::Damaged)
}
