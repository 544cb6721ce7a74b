//! What a backup holds, with checksums.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{BACKUP_IDENTITY, MANIFEST, is_unfinished, sync_dir, write_file};
use super::{BackupError, Position};
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
    pub fn write(&self, dir: &Path) -> Result<(), BackupError> {
        let (temporary, path) = (dir.join(TEMPORARY), dir.join(MANIFEST));
        let json = serde_json::to_vec_pretty(self).map_err(|error| BackupError::io("writing", &path)(error.into()))?;
        write_file(&temporary, &json)?;
        fs::rename(&temporary, &path).map_err(BackupError::io("renaming", &temporary))?;
        sync_dir(dir)
    }

    fn read(dir: &Path) -> Result<Self, BackupError> {
        let path = dir.join(MANIFEST);
        let damaged = |problem: String| BackupError::Damaged(format!("{}: {problem}", path.display()));
        let json = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged("the manifest is missing: this backup cannot be trusted".to_owned()));
            }
            read => read.map_err(BackupError::io("reading", &path))?,
        };
        let manifest: Self = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        if manifest.format == FORMAT {
            Ok(manifest)
        } else {
            Err(BackupError::Newer(format!("{}: format {} is a newer version's", path.display(), manifest.format)))
        }
    }
}

/// Whether `dir` is a backup, finished or not.
#[must_use]
pub fn is_backup(dir: &Path) -> bool {
    is_unfinished(dir) || [BACKUP_IDENTITY, MANIFEST].iter().any(|name| dir.join(name).exists())
}

/// Holds every file of a backup to its checksum.
///
/// # Errors
/// The backup is unfinished, has no manifest, or a file of it is missing or changed.
pub fn check(dir: &Path) -> Result<(), BackupError> {
    read_checked(dir).map(drop)
}

pub(super) fn read_checked(dir: &Path) -> Result<Manifest, BackupError> {
    if is_unfinished(dir) {
        let problem = "the backup is unfinished; make it again (orderd backup replaces it)";
        return Err(BackupError::Damaged(format!("{}: {problem}", dir.display())));
    }
    let manifest = Manifest::read(dir)?;
    for file in &manifest.files {
        let path = dir.join(&file.path);
        let (bytes, crc32c) = checksum(&path)?;
        if (bytes, crc32c) != (file.bytes, file.crc32c) {
            let (path, wanted) = (path.display(), file.bytes);
            return Err(BackupError::Damaged(format!(
                "{path}: it is not what was backed up: {bytes} bytes with checksum {crc32c:08x}, not {wanted} with {:08x}",
                file.crc32c
            )));
        }
    }
    Ok(manifest)
}

fn checksum(path: &Path) -> Result<(u64, u32), BackupError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(BackupError::Damaged(format!("{}: the file is missing from the backup", path.display())));
        }
        opened => opened.map_err(BackupError::io("opening", path))?,
    };
    let mut chunk = vec![0; 1 << 20];
    let (mut bytes, mut crc32c) = (0_u64, 0);
    loop {
        let read = file.read(&mut chunk).map_err(BackupError::io("reading", path))?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else { return Ok((bytes, crc32c)) };
        bytes = bytes.saturating_add(read.len() as u64);
        crc32c = crc32c::crc32c_append(crc32c, read);
    }
}
