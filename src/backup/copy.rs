//! Copies files of a store, with their checksums.

use std::io;
use std::time::Instant;

use super::layout::{below, give_to_owner_of};
use super::manifest::ManifestFile;
use super::{BackupError, BackupSource, Part, Position};
use crate::contracts::{Folders, Lsn, StorageFile};
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
    /// How many of them share their blocks with the store's files until those are written to: on the same disk, too.
    pub cloned_bytes: u64,
}

/// Copies from one folder to the other; paths are relative to both.
pub(super) struct Copier<'a> {
    files: &'a dyn Folders,
    from: &'a str,
    to: &'a str,
    source: &'a mut dyn BackupSource,
    copied: Vec<ManifestFile>,
    linked_bytes: u64,
    cloned_bytes: u64,
}

const CHUNK_BYTES: usize = 1 << 20;
/// What is written before it is synced: a sync of a whole segment would hold up the journal's for as long.
const PART_BYTES: u64 = 2 << 20;
/// Readings of a file that is being written, until two are the same.
const READINGS_MAX: u32 = 1000;

impl<'a> Copier<'a> {
    pub fn new(files: &'a dyn Folders, from: &'a str, to: &'a str, source: &'a mut dyn BackupSource) -> Self {
        Self { files, from, to, source, copied: Vec::new(), linked_bytes: 0, cloned_bytes: 0 }
    }

    pub fn position(&mut self) -> Result<Option<Position>, BackupError> {
        self.source.position()
    }

    /// Says how much there is to copy.
    pub fn begin<'p>(&mut self, paths: impl Iterator<Item = &'p str>) -> Result<(), BackupError> {
        let mut bytes = 0_u64;
        for path in paths {
            let path = below(self.from, path);
            let len = self.open(&path)?.len().map_err(BackupError::io("reading", &path))?;
            bytes = bytes.saturating_add(len);
        }
        self.source.begin(bytes);
        Ok(())
    }

    pub fn release(&mut self) -> Result<(), BackupError> {
        self.source.release()
    }

    /// What was copied.
    pub fn finish(self, store_id: StoreId, lsn: Option<Lsn>) -> (Vec<ManifestFile>, BackupReport) {
        let report = BackupReport {
            store_id: store_id.to_string(),
            lsn,
            files: self.copied.len() as u64,
            bytes: self.copied.iter().map(|file| file.bytes).sum(),
            linked_bytes: self.linked_bytes,
            cloned_bytes: self.cloned_bytes,
        };
        (self.copied, report)
    }

    /// A file that never changes: it shares the blocks of the original where that can be, else it is a link to it, else
    /// a copy.
    pub fn copy_finished(&mut self, path: &str) -> Result<(), BackupError> {
        if let Some(bytes) = self.clone_file(path)? {
            self.cloned_bytes = self.cloned_bytes.saturating_add(bytes);
            return Ok(());
        }
        let (from, to) = (below(self.from, path), below(self.to, path));
        if self.files.link(&from, &to).is_err() {
            // Another file system, or one that has no links: that a copy fails, too, says more.
            return self.copy(path, None);
        }
        // Its end may have been read back after a kill and never been synced: a power cut would take it back here, too.
        let file = self.files.open(&to).map_err(BackupError::io("opening", &to))?;
        file.sync_data().map_err(BackupError::io("syncing", &to))?;
        let bytes = self.read_through(path, file.as_ref(), &to)?;
        self.linked_bytes = self.linked_bytes.saturating_add(bytes);
        Ok(())
    }

    /// A whole file that may change once the copy is done.
    pub fn copy_whole(&mut self, path: &str) -> Result<(), BackupError> {
        match self.clone_file(path)? {
            Some(bytes) => self.cloned_bytes = self.cloned_bytes.saturating_add(bytes),
            None => self.copy(path, None)?,
        }
        Ok(())
    }

    /// A copy that shares blocks with its original and yet is a file of its own; none where the file system has none.
    fn clone_file(&mut self, path: &str) -> Result<Option<u64>, BackupError> {
        let (from, to) = (below(self.from, path), below(self.to, path));
        if self.files.clone_file(&from, &to).is_err() {
            return Ok(None);
        }
        give_to_owner_of(self.files, &from, &to)?;
        let file = self.files.open(&to).map_err(BackupError::io("opening", &to))?;
        file.sync_data().map_err(BackupError::io("syncing", &to))?;
        self.read_through(path, file.as_ref(), &to).map(Some)
    }

    /// A file, or its beginning.
    pub fn copy(&mut self, path: &str, bytes_max: Option<u64>) -> Result<(), BackupError> {
        let (from, to) = (below(self.from, path), below(self.to, path));
        let file = self.open(&from)?;
        let copy = self.create_like(&from, &to)?;
        let mut left = bytes_max.unwrap_or(u64::MAX);
        let (mut checksum, mut bytes) = (0, 0_u64);
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut unsynced, mut part_began) = (0_u64, Instant::now());
        while let Some(read) = next_chunk(file.as_ref(), bytes, &mut chunk, left, &from)? {
            copy.write_all_at(read, bytes).map_err(BackupError::io("writing", &to))?;
            checksum = crc32c::crc32c_append(checksum, read);
            bytes = bytes.saturating_add(read.len() as u64);
            left = left.saturating_sub(read.len() as u64);
            unsynced = unsynced.saturating_add(read.len() as u64);
            if unsynced >= PART_BYTES {
                copy.sync_data().map_err(BackupError::io("syncing", &to))?;
                self.source.part_done(Part { bytes: unsynced, written_in: Some(part_began.elapsed()) })?;
                (unsynced, part_began) = (0, Instant::now());
            }
        }
        copy.sync_data().map_err(BackupError::io("syncing", &to))?;
        self.copied.push(ManifestFile { path: path.to_owned(), bytes, crc32c: checksum });
        self.source.part_done(Part { bytes: unsynced, written_in: Some(part_began.elapsed()) })
    }

    /// A small file that somebody may be writing: as it is when two readings agree. One that is gone meanwhile is left
    /// out.
    pub fn copy_changing(&mut self, path: &str) -> Result<(), BackupError> {
        let from = below(self.from, path);
        let mut before = None;
        for _ in 0..READINGS_MAX {
            let now = match self.files.open_read_only(&from).and_then(|file| read_whole(file.as_ref())) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(BackupError::io("reading", &from)(error)),
            };
            if before.as_ref() == Some(&now) {
                self.write_copy(path, path, &now)?;
                return self.source.part_done(Part { bytes: now.len() as u64, written_in: None });
            }
            before = Some(now);
        }
        Err(BackupError::io("reading", &from)(io::Error::other("it does not stand still")))
    }

    /// A small file that gets another name.
    pub fn copy_renamed(&mut self, path: &str, name: &str) -> Result<(), BackupError> {
        let from = below(self.from, path);
        let bytes = read_whole(self.open(&from)?.as_ref()).map_err(BackupError::io("reading", &from))?;
        self.write_copy(path, name, &bytes)
    }

    fn write_copy(&mut self, path: &str, name: &str, contents: &[u8]) -> Result<(), BackupError> {
        let (from, to) = (below(self.from, path), below(self.to, name));
        let copy = self.create_like(&from, &to)?;
        copy.write_all_at(contents, 0).and_then(|()| copy.sync_data()).map_err(BackupError::io("writing", &to))?;
        let (bytes, crc32c) = (contents.len() as u64, crc32c::crc32c(contents));
        self.copied.push(ManifestFile { path: name.to_owned(), bytes, crc32c });
        Ok(())
    }

    /// Takes the checksum of a copy that was made without reading; how long it is.
    fn read_through(&mut self, path: &str, file: &dyn StorageFile, shown: &str) -> Result<u64, BackupError> {
        let (mut checksum, mut bytes) = (0, 0_u64);
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Some(read) = next_chunk(file, bytes, &mut chunk, u64::MAX, shown)? {
            checksum = crc32c::crc32c_append(checksum, read);
            let read = read.len() as u64;
            bytes = bytes.saturating_add(read);
            self.source.part_done(Part { bytes: read, written_in: None })?;
        }
        self.copied.push(ManifestFile { path: path.to_owned(), bytes, crc32c: checksum });
        Ok(bytes)
    }

    fn open(&self, path: &str) -> Result<Box<dyn StorageFile>, BackupError> {
        self.files.open_read_only(path).map_err(BackupError::io("opening", path))
    }

    /// A new file of the same owner.
    fn create_like(&self, from: &str, to: &str) -> Result<Box<dyn StorageFile>, BackupError> {
        let copy = self.files.create(to).map_err(BackupError::io("creating", to))?;
        give_to_owner_of(self.files, from, to)?;
        Ok(copy)
    }
}

/// The next bytes of a file; `None` at its end, or when no more are wanted.
fn next_chunk<'c>(
    file: &dyn StorageFile,
    offset: u64,
    chunk: &'c mut [u8],
    left: u64,
    path: &str,
) -> Result<Option<&'c [u8]>, BackupError> {
    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
    let wanted = chunk.get_mut(..wanted).unwrap_or_default();
    let read = file.read_at(wanted, offset).map_err(BackupError::io("reading", path))?;
    Ok(chunk.get(..read).filter(|read| !read.is_empty()))
}

pub(super) fn read_whole(file: &dyn StorageFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
