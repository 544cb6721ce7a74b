//! Copies files of a store, with their checksums.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layout::{give_to_owner_of, new_file};
use super::manifest::ManifestFile;
use super::{BackupError, BackupSource, Position};
use crate::contracts::Lsn;
use crate::journal::StoreId;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BackupReport {
    /// The store.
    pub store_id: String,
    /// The last plan that is in the copy; null for the whole of a stopped store.
    pub lsn: Option<Lsn>,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of these bytes are hard links: they are on the same disk, and lost with it.
    pub linked_bytes: u64,
}

/// Copies from one folder to the other; paths are relative to both.
pub(super) struct Copier<'a> {
    from: PathBuf,
    to: PathBuf,
    source: &'a mut dyn BackupSource,
    last_sign: Instant,
    files: Vec<ManifestFile>,
    linked_bytes: u64,
}

const CHUNK_BYTES: usize = 1 << 20;
/// What is written before it is synced: a sync of a whole segment would hold up the journal's for as long.
const PART_BYTES: u64 = 2 << 20;
/// The daemon hears of us this often: it closes connections that are silent for long, and its pins with them.
const SIGN_EVERY: Duration = Duration::from_secs(1);
/// Readings of a file that is being written, until two are the same.
const READINGS_MAX: u32 = 1000;

impl<'a> Copier<'a> {
    pub fn new(from: &Path, to: &Path, source: &'a mut dyn BackupSource) -> Self {
        let (from, to) = (from.to_owned(), to.to_owned());
        Self { from, to, source, last_sign: Instant::now(), files: Vec::new(), linked_bytes: 0 }
    }

    pub fn position(&mut self) -> Result<Option<Position>, BackupError> {
        self.source.position()
    }

    pub fn release(&mut self) -> Result<(), BackupError> {
        self.source.release()
    }

    /// What was copied.
    pub fn finish(self, store_id: StoreId, lsn: Option<Lsn>) -> (Vec<ManifestFile>, BackupReport) {
        let report = BackupReport {
            store_id: store_id.to_string(),
            lsn,
            files: self.files.len() as u64,
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            linked_bytes: self.linked_bytes,
        };
        (self.files, report)
    }

    /// A file that never changes: a link where that can be, else a copy.
    pub fn copy_finished(&mut self, path: &str) -> Result<(), BackupError> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        if fs::hard_link(&from, &to).is_err() {
            // Another file system, or one that has no links: that a copy fails, too, says more.
            return self.copy(path, None);
        }
        let mut checksum = 0;
        let mut bytes = 0_u64;
        let mut file = File::open(&to).map_err(BackupError::io("opening", &to))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Some(read) = self.next_chunk(&mut file, &mut chunk, u64::MAX, &to)? {
            checksum = crc32c::crc32c_append(checksum, read);
            bytes = bytes.saturating_add(read.len() as u64);
        }
        self.linked_bytes = self.linked_bytes.saturating_add(bytes);
        self.files.push(ManifestFile { path: path.to_owned(), bytes, crc32c: checksum });
        Ok(())
    }

    /// A file, or its beginning.
    pub fn copy(&mut self, path: &str, bytes_max: Option<u64>) -> Result<(), BackupError> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let mut file = File::open(&from).map_err(BackupError::io("opening", &from))?;
        let mut copy = create_like(&from, &to)?;
        let mut left = bytes_max.unwrap_or(u64::MAX);
        let (mut checksum, mut bytes) = (0, 0_u64);
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut unsynced, mut part_began) = (0_u64, Instant::now());
        while let Some(read) = self.next_chunk(&mut file, &mut chunk, left, &from)? {
            copy.write_all(read).map_err(BackupError::io("writing", &to))?;
            checksum = crc32c::crc32c_append(checksum, read);
            bytes = bytes.saturating_add(read.len() as u64);
            left = left.saturating_sub(read.len() as u64);
            unsynced = unsynced.saturating_add(read.len() as u64);
            if unsynced >= PART_BYTES {
                copy.sync_data().map_err(BackupError::io("syncing", &to))?;
                self.source.rest(part_began.elapsed());
                (unsynced, part_began) = (0, Instant::now());
            }
        }
        copy.sync_all().map_err(BackupError::io("syncing", &to))?;
        self.files.push(ManifestFile { path: path.to_owned(), bytes, crc32c: checksum });
        Ok(())
    }

    /// A small file that somebody may be writing: as it is when two readings agree. One that is gone meanwhile is left
    /// out.
    pub fn copy_changing(&mut self, path: &str) -> Result<(), BackupError> {
        let from = self.from.join(path);
        let mut before = None;
        for _ in 0..READINGS_MAX {
            let now = match fs::read(&from) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(BackupError::io("reading", &from)(error)),
            };
            if before.as_ref() == Some(&now) {
                return self.write_copy(path, path, &now);
            }
            before = Some(now);
        }
        Err(BackupError::io("reading", &from)(io::Error::other("it does not stand still")))
    }

    /// A small file that gets another name.
    pub fn copy_renamed(&mut self, path: &str, name: &str) -> Result<(), BackupError> {
        let from = self.from.join(path);
        let bytes = fs::read(&from).map_err(BackupError::io("reading", &from))?;
        self.write_copy(path, name, &bytes)
    }

    fn write_copy(&mut self, path: &str, name: &str, contents: &[u8]) -> Result<(), BackupError> {
        let (from, to) = (self.from.join(path), self.to.join(name));
        let mut copy = create_like(&from, &to)?;
        copy.write_all(contents).and_then(|()| copy.sync_all()).map_err(BackupError::io("writing", &to))?;
        let (bytes, crc32c) = (contents.len() as u64, crc32c::crc32c(contents));
        self.files.push(ManifestFile { path: name.to_owned(), bytes, crc32c });
        Ok(())
    }

    /// The next bytes of a file; `None` at its end, or when no more are wanted.
    fn next_chunk<'c>(
        &mut self,
        file: &mut File,
        chunk: &'c mut [u8],
        left: u64,
        path: &Path,
    ) -> Result<Option<&'c [u8]>, BackupError> {
        if self.last_sign.elapsed() > SIGN_EVERY {
            self.source.keep_alive()?;
            self.last_sign = Instant::now();
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        let read = file.read(chunk.get_mut(..wanted).unwrap_or_default()).map_err(BackupError::io("reading", path))?;
        Ok(chunk.get(..read).filter(|read| !read.is_empty()))
    }
}

/// A new file of the same owner.
fn create_like(from: &Path, to: &Path) -> Result<File, BackupError> {
    let copy = new_file(to)?;
    give_to_owner_of(from, to)?;
    Ok(copy)
}
