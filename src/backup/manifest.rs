//! What a backup holds, with checksums.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{BACKUP_IDENTITY, MANIFEST, below, is_unfinished_here, rename, sync_dir, write_file};
use super::{BackupError, Position};
use crate::contracts::{Folders, Storage};
use crate::journal::StoreId;

/// `manifest.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Of this file.
    format: u32,
    store_id: String,
    /// The position; null for the whole of a stopped store.
    lsn: Option<u64>,
    last_sequence: Option<u64>,
    storeepoch: Option<u32>,
    pub files: Vec<ManifestFile>,
}

/// A file of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestFile {
    /// Relative to the backup's folder.
    pub path: String,
    pub bytes: u64,
    pub crc32c: u32,
}

const FORMAT: u32 = 1;
const TEMPORARY: &str = "manifest.json.tmp";
const CHUNK_BYTES: usize = 1 << 20;

impl Manifest {
    pub fn new(store_id: StoreId, position: Option<&Position>, files: Vec<ManifestFile>) -> Self {
        Self {
            format: FORMAT,
            store_id: store_id.to_string(),
            lsn: position.map(|position| position.lsn.0),
            last_sequence: position.map(|position| position.last_sequence),
            storeepoch: position.map(|position| position.epoch),
            files,
        }
    }

    /// Writes it, whole or not at all: every file that it names is durable before.
    pub fn write(&self, files: &dyn Folders, dir: &str) -> Result<(), BackupError> {
        let (temporary, path) = (below(dir, TEMPORARY), below(dir, MANIFEST));
        let json = serde_json::to_vec_pretty(self).map_err(|error| BackupError::io("writing", &path)(error.into()))?;
        write_file(files, &temporary, &json)?;
        rename(files, &temporary, &path)?;
        sync_dir(files, dir)
    }

    fn read(storage: &dyn Storage, dir: &Path) -> Result<Self, BackupError> {
        let path = dir.join(MANIFEST);
        let damaged = |problem: String| BackupError::Damaged(format!("{}: {problem}", path.display()));
        let read = |file: Box<dyn crate::contracts::StorageFile>| {
            let mut json = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
            file.read_at(&mut json, 0).map(|_| json)
        };
        let json = match storage.open_read_only(MANIFEST).and_then(read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("the manifest is missing: this backup cannot be trusted".to_owned()));
            }
            read => read.map_err(BackupError::io("reading", &path.display().to_string()))?,
        };
        let manifest: Self = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        if manifest.format == FORMAT {
            Ok(manifest)
        } else {
            Err(BackupError::Newer(format!("{}: format {} is a newer version's", path.display(), manifest.format)))
        }
    }
}

/// Whether the folder that `storage` begins at is a backup, finished or not.
#[must_use]
pub fn is_backup(storage: &dyn Storage) -> bool {
    is_unfinished_here(storage) || [BACKUP_IDENTITY, MANIFEST].iter().any(|path| storage.open_read_only(path).is_ok())
}

/// Holds every file of the backup that `storage` begins at to its checksum. `dir` is what it is called in errors.
///
/// # Errors
/// The backup is unfinished, has no manifest, or a file of it is missing or changed.
pub fn check(storage: &dyn Storage, dir: &Path) -> Result<(), BackupError> {
    read_checked(storage, dir).map(drop)
}

pub(super) fn read_checked(storage: &dyn Storage, dir: &Path) -> Result<Manifest, BackupError> {
    if is_unfinished_here(storage) {
        let problem = "the backup is unfinished; make it again (orderd backup replaces it)";
        return Err(BackupError::Damaged(format!("{}: {problem}", dir.display())));
    }
    let manifest = Manifest::read(storage, dir)?;
    for file in &manifest.files {
        let shown = dir.join(&file.path).display().to_string();
        let (bytes, crc32c) = checksum(storage, &file.path, &shown)?;
        if (bytes, crc32c) != (file.bytes, file.crc32c) {
            let wanted = file.bytes;
            return Err(BackupError::Damaged(format!(
                "{shown}: it is not what was backed up: {bytes} bytes with checksum {crc32c:08x}, not {wanted} with {:08x}",
                file.crc32c
            )));
        }
    }
    Ok(manifest)
}

fn checksum(storage: &dyn Storage, path: &str, shown: &str) -> Result<(u64, u32), BackupError> {
    let file = match storage.open_read_only(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BackupError::Damaged(format!("{shown}: the file is missing from the backup")));
        }
        opened => opened.map_err(BackupError::io("opening", shown))?,
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut bytes, mut crc32c) = (0_u64, 0);
    loop {
        let read = file.read_at(&mut chunk, bytes).map_err(BackupError::io("reading", shown))?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else { return Ok((bytes, crc32c)) };
        bytes = bytes.saturating_add(read.len() as u64);
        crc32c = crc32c::crc32c_append(crc32c, read);
    }
}
