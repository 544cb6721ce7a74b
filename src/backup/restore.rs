//! Makes a store of a backup, or of a plain copy of a stopped store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::copy::Copier;
use super::layout::{
    BACKUP_IDENTITY, IDENTITY, STORE, give_all_to_owner_of, give_to_owner_of, make_dir, remove_all, sync_dir,
    sync_parent,
};
use super::manifest::{is_backup, read_checked};
use super::{BackupError, BackupSource as _, StoppedStore};
use crate::journal::{CHECKPOINTS_DIR, CURSORS_DIR, IdentityError, JOURNAL_DIR, list_segments, open_store};
use crate::storage::DiskStorage;

/// A store that was copied to its new place and is not a store yet.
#[derive(Debug)]
pub struct Restored {
    temporary: PathBuf,
    data_dir: PathBuf,
}

/// What the folder is called until it is a whole store.
const TEMPORARY_SUFFIX: &str = ".unfinished-restore";

/// Copies the backup in `dir` beside `data_dir`, which must not exist. What comes of it is opened at
/// [`Restored::path`], to begin the next epoch, and then gets its name.
///
/// # Errors
/// `data_dir` exists; the backup is unfinished, damaged or of a newer version; any I/O error from the OS: then nothing
/// is left.
pub fn restore(dir: &Path, data_dir: &Path) -> Result<Restored, BackupError> {
    if fs::symlink_metadata(data_dir).is_ok() {
        return Err(BackupError::Exists(data_dir.to_owned()));
    }
    let mut source = StoppedStore::new(dir);
    source.hold()?;
    let (files, identity) = contents(dir)?;
    let mut name = data_dir.file_name().unwrap_or_default().to_owned();
    name.push(TEMPORARY_SUFFIX);
    let restored = Restored { temporary: data_dir.with_file_name(name), data_dir: data_dir.to_owned() };
    remove_all(&restored.temporary)?;
    match restored.copy(dir, &files, identity, &mut source) {
        Ok(()) => Ok(restored),
        Err(error) => {
            restored.discard();
            Err(error)
        }
    }
}

/// The files to copy, without the identity, and where that is.
fn contents(dir: &Path) -> Result<(Vec<String>, &'static str), BackupError> {
    if is_backup(dir) {
        let files = read_checked(dir)?.files.into_iter().map(|file| file.path);
        return Ok((files.filter(|path| path != BACKUP_IDENTITY).collect(), BACKUP_IDENTITY));
    }
    let storage = DiskStorage::open(dir).map_err(BackupError::io("opening", dir))?;
    match open_store(&storage) {
        Err(IdentityError::Missing) => {
            let missing = io::Error::new(io::ErrorKind::NotFound, "there is neither a backup nor a store");
            return Err(BackupError::io("reading", dir)(missing));
        }
        opened => opened.map(drop)?,
    }
    list_segments(&storage).map_err(BackupError::io("listing", &dir.join(JOURNAL_DIR)))?;
    let mut files = Vec::new();
    for folder in [JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
        let path = dir.join(folder);
        for entry in fs::read_dir(&path).map_err(BackupError::io("listing", &path))? {
            let name = entry.map_err(BackupError::io("listing", &path))?.file_name();
            files.push(format!("{folder}/{}", name.to_string_lossy()));
        }
    }
    Ok((files, IDENTITY))
}

impl Restored {
    /// Where the copy is, to be opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Gives the store its name: from here on it is one.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    pub fn finish(self) -> Result<(), BackupError> {
        // The next epoch wrote files: as root, when root restores.
        give_all_to_owner_of(&self.temporary, &self.temporary)?;
        for folder in [JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR, STORE, ""] {
            sync_dir(&self.temporary.join(folder))?;
        }
        fs::rename(&self.temporary, &self.data_dir).map_err(BackupError::io("renaming", &self.temporary))?;
        sync_parent(&self.data_dir)
    }

    /// Removes the copy.
    pub fn discard(self) {
        if let Err(error) = remove_all(&self.temporary) {
            tracing::warn!(%error, "an unfinished copy could not be removed");
        }
    }

    fn copy(&self, dir: &Path, files: &[String], identity: &str, source: &mut StoppedStore) -> Result<(), BackupError> {
        make_dir(&self.temporary)?;
        for folder in [STORE, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
            make_dir(&self.temporary.join(folder))?;
        }
        // Never links: a store writes into its files, and a backup stays what it is.
        let mut copier = Copier::new(dir, &self.temporary, source);
        files.iter().try_for_each(|path| copier.copy(path, None))?;
        copier.copy_renamed(identity, IDENTITY)?;
        let folders = [JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR, STORE, ""];
        folders.iter().try_for_each(|folder| give_to_owner_of(&dir.join(identity), &self.temporary.join(folder)))
    }
}
