//! Makes a store of a backup, or of a plain copy of a stopped store.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::copy::Copier;
use super::layout::{
    BACKUP_IDENTITY, IDENTITY, STORE_FOLDERS, below, give_all_to_owner_of, give_to_owner_of, kind, list, make_folder,
    parent, remove_all, rename, sync_dir,
};
use super::manifest::{is_backup, read_checked};
use super::{BackupError, BackupSource};
use crate::contracts::{EntryKind, Folders, Storage};
use crate::journal::{CHECKPOINTS_DIR, CURSORS_DIR, IdentityError, JOURNAL_DIR, STORE_DIR, list_segments, open_store};
use crate::storage::Below;

/// A store that was copied to its new place and is not a store yet.
pub struct Restored {
    files: Arc<dyn Folders>,
    temporary: String,
    data_dir: String,
}

/// What the folder is called until it is a whole store.
const TEMPORARY_SUFFIX: &str = ".unfinished-restore";

/// Copies the backup in `dir` beside `data_dir`, which must not exist; `source` keeps it meanwhile. What comes of it is
/// opened with [`Restored::storage`], to begin the next epoch, and then gets its name.
///
/// # Errors
/// `data_dir` exists; the backup is unfinished, damaged or of a newer version; any I/O error from the OS: then nothing
/// is left.
pub fn restore(
    files: &Arc<dyn Folders>,
    dir: &str,
    data_dir: &str,
    source: &mut dyn BackupSource,
) -> Result<Restored, BackupError> {
    if kind(files.as_ref(), data_dir)?.is_some() {
        return Err(BackupError::Exists(data_dir.to_owned()));
    }
    source.hold()?;
    let (paths, identity) = contents(files, dir)?;
    let temporary = format!("{data_dir}{TEMPORARY_SUFFIX}");
    clear(files.as_ref(), &temporary)?;
    let restored = Restored { files: Arc::clone(files), temporary, data_dir: data_dir.to_owned() };
    match restored.copy(dir, &paths, identity, source) {
        Ok(()) => Ok(restored),
        Err(error) => {
            restored.discard();
            Err(error)
        }
    }
}

/// Removes what a kill has left: a folder with a store in it and nothing else.
fn clear(files: &dyn Folders, temporary: &str) -> Result<(), BackupError> {
    match kind(files, temporary)? {
        None => Ok(()),
        Some(EntryKind::Folder) if list(files, temporary)?.iter().all(|name| name == STORE_DIR) => {
            remove_all(files, temporary)
        }
        Some(EntryKind::Folder | EntryKind::File) => Err(BackupError::Exists(temporary.to_owned())),
    }
}

/// The files to copy, without the identity, and where that is.
fn contents(files: &Arc<dyn Folders>, dir: &str) -> Result<(Vec<String>, &'static str), BackupError> {
    let storage = Below::new(Arc::<dyn Folders>::clone(files), dir);
    if is_backup(&storage) {
        let files = read_checked(&storage, Path::new(dir))?.files.into_iter().map(|file| file.path);
        return Ok((files.filter(|path| path != BACKUP_IDENTITY).collect(), BACKUP_IDENTITY));
    }
    match open_store(&storage) {
        Err(IdentityError::Missing) => {
            let missing = io::Error::new(io::ErrorKind::NotFound, "there is neither a backup nor a store");
            return Err(BackupError::io("reading", dir)(missing));
        }
        opened => opened.map(drop)?,
    }
    list_segments(&storage).map_err(BackupError::io("listing", &below(dir, JOURNAL_DIR)))?;
    let mut paths = Vec::new();
    for folder in [JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
        let names = storage.list(folder).map_err(BackupError::io("listing", &below(dir, folder)))?;
        paths.extend(names.into_iter().map(|name| format!("{folder}/{name}")));
    }
    Ok((paths, IDENTITY))
}

impl Restored {
    /// The copy as a storage of its own.
    #[must_use]
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(Below::new(Arc::<dyn Folders>::clone(&self.files), &self.temporary))
    }

    /// Gives the store its name: from here on it is one.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    pub fn finish(self) -> Result<(), BackupError> {
        let files = self.files.as_ref();
        // The next epoch wrote files: as root, when root restores.
        give_all_to_owner_of(files, &self.temporary, &self.temporary)?;
        for folder in STORE_FOLDERS.iter().rev().chain([&""]) {
            sync_dir(files, &below(&self.temporary, folder))?;
        }
        rename(files, &self.temporary, &self.data_dir)?;
        sync_dir(files, parent(&self.data_dir))
    }

    /// Removes the copy.
    pub fn discard(self) {
        if let Err(error) = remove_all(self.files.as_ref(), &self.temporary) {
            tracing::warn!(%error, "an unfinished copy could not be removed");
        }
    }

    fn copy(
        &self,
        dir: &str,
        paths: &[String],
        identity: &str,
        source: &mut dyn BackupSource,
    ) -> Result<(), BackupError> {
        let files = self.files.as_ref();
        make_folder(files, &self.temporary)?;
        for folder in STORE_FOLDERS {
            make_folder(files, &below(&self.temporary, folder))?;
        }
        // Never links: a store writes into its files, and a backup stays what it is.
        let mut copier = Copier::new(files, dir, &self.temporary, source);
        copier.begin(paths.iter().map(String::as_str))?;
        paths.iter().try_for_each(|path| copier.copy_whole(path))?;
        copier.copy_renamed(identity, IDENTITY)?;
        copier.release()?;
        let like = below(dir, identity);
        let mut folders = STORE_FOLDERS.iter().chain([&""]);
        folders.try_for_each(|folder| give_to_owner_of(files, &like, &below(&self.temporary, folder)))
    }
}
