//! The folder of a backup: how it comes into being, and how an unfinished one is recognised.

use super::BackupError;
use crate::contracts::{EntryKind, Folders, Storage};
use crate::journal::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, STORE_DIR};

pub const IDENTITY: &str = "store/identity";
pub const BACKUP_IDENTITY: &str = "store/identity.backup";
pub const MANIFEST: &str = "manifest.json";
/// The folders of a store, each after the one that holds it.
pub const STORE_FOLDERS: [&str; 4] = [STORE_DIR, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR];
const MARK: &str = "UNFINISHED";
const MARK_TEXT: &[u8] = b"orderd was making this backup and was not done: orderd backup may replace it\n";
/// What the folder is called before it has its mark, and once it is to go.
const NEW_SUFFIX: &str = ".new-backup";

/// A backup in the making.
pub struct Unfinished<'a> {
    files: &'a dyn Folders,
    dir: &'a str,
}

impl<'a> Unfinished<'a> {
    /// Makes the folder, in place of an unfinished one. It has its mark and its `store` from the first moment on: nobody
    /// takes it for an empty data directory.
    pub fn begin(files: &'a dyn Folders, dir: &'a str) -> Result<Self, BackupError> {
        if kind(files, dir)?.is_some() && !is_marked(files, dir) {
            return Err(BackupError::Exists(dir.to_owned()));
        }
        take_away(files, dir)?;
        let new = aside(dir);
        make_folder(files, &new)?;
        // 1. The mark is durable before anything else is in the folder: whatever a power cut leaves of it is ours.
        write_file(files, &below(&new, MARK), MARK_TEXT)?;
        sync_dir(files, &new)?;
        // 2. Then the rest, and its name.
        for folder in STORE_FOLDERS {
            make_folder(files, &below(&new, folder))?;
        }
        sync_dir(files, &new)?;
        rename(files, &new, dir)?;
        sync_dir(files, parent(dir))?;
        Ok(Self { files, dir })
    }

    /// Takes the mark away: the backup is whole.
    pub fn finish(self) -> Result<(), BackupError> {
        remove(self.files, &below(self.dir, MARK))?;
        sync_dir(self.files, self.dir)
    }

    /// Removes the whole folder.
    pub fn remove(self) {
        if let Err(error) = take_away(self.files, self.dir) {
            tracing::warn!(%error, dir = %self.dir, "an unfinished backup could not be removed");
        }
    }
}

/// Where a backup's folder is while it is made and while it is removed: under its own name it is whole, or has its mark.
fn aside(dir: &str) -> String {
    format!("{dir}{NEW_SUFFIX}")
}

/// Removes an unfinished backup, if there is one, and what a kill has left beside it.
fn take_away(files: &dyn Folders, dir: &str) -> Result<(), BackupError> {
    let aside = aside(dir);
    remove_marked(files, &aside)?;
    if is_marked(files, dir) {
        rename(files, dir, &aside)?;
        // Its name is gone before anything in it is: a power cut leaves no part of it under that name.
        sync_dir(files, parent(dir))?;
        remove_marked(files, &aside)?;
    }
    Ok(())
}

/// Removes a folder that has the mark, or that was to get it; what has another name is somebody else's.
fn remove_marked(files: &dyn Folders, dir: &str) -> Result<(), BackupError> {
    match kind(files, dir)? {
        None => return Ok(()),
        Some(EntryKind::File) => return Err(BackupError::Exists(dir.to_owned())),
        Some(EntryKind::Folder) => {}
    }
    let names = list(files, dir)?;
    if !is_marked(files, dir) && names.iter().any(|name| name != MARK) {
        return Err(BackupError::Exists(dir.to_owned()));
    }
    for name in names.iter().filter(|name| *name != MARK) {
        remove_all(files, &below(dir, name))?;
    }
    // The mark goes last: whatever a power cut leaves is still ours.
    sync_dir(files, dir)?;
    remove_all(files, dir)
}

/// Removes a file, or a folder with all that is in it; it need not be there.
pub fn remove_all(files: &dyn Folders, path: &str) -> Result<(), BackupError> {
    match kind(files, path)? {
        None => Ok(()),
        Some(EntryKind::File) => remove(files, path),
        Some(EntryKind::Folder) => {
            list(files, path)?.iter().try_for_each(|name| remove_all(files, &below(path, name)))?;
            files.remove_folder(path).map_err(BackupError::io("removing", path))
        }
    }
}

/// Whether a folder of `files` is a backup that was not finished.
fn is_marked(files: &dyn Folders, dir: &str) -> bool {
    is_unfinished(files, &below(dir, MARK))
}

/// Whether the folder that `storage` begins at is a backup that was not finished.
pub fn is_unfinished_here(storage: &dyn Storage) -> bool {
    is_unfinished(storage, MARK)
}

fn is_unfinished(storage: &dyn Storage, mark: &str) -> bool {
    let mut text = [0; MARK_TEXT.len() + 1];
    let read = storage.open_read_only(mark).and_then(|file| file.read_at(&mut text, 0));
    read.is_ok_and(|count| text.get(..count) == Some(MARK_TEXT))
}

/// A path in a folder; the folder itself for none.
pub fn below(dir: &str, path: &str) -> String {
    if path.is_empty() { dir.to_owned() } else { format!("{dir}/{path}") }
}

/// The folder that holds `path`.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None => "",
    }
}

/// Writes a small new file, durably but for its name.
pub fn write_file(storage: &dyn Storage, path: &str, contents: &[u8]) -> Result<(), BackupError> {
    let file = storage.create(path).map_err(BackupError::io("creating", path))?;
    file.write_all_at(contents, 0).and_then(|()| file.sync_data()).map_err(BackupError::io("writing", path))
}

/// Gives everything in a folder to the owner of `like`.
pub fn give_all_to_owner_of(files: &dyn Folders, like: &str, dir: &str) -> Result<(), BackupError> {
    for name in list(files, dir)? {
        let path = below(dir, &name);
        give_to_owner_of(files, like, &path)?;
        if kind(files, &path)? == Some(EntryKind::Folder) {
            give_all_to_owner_of(files, like, &path)?;
        }
    }
    Ok(())
}

pub fn give_to_owner_of(files: &dyn Folders, like: &str, path: &str) -> Result<(), BackupError> {
    files.give_to_owner_of(like, path).map_err(BackupError::io("setting the owner of", path))
}

pub fn make_folder(files: &dyn Folders, path: &str) -> Result<(), BackupError> {
    files.make_folder(path).map_err(BackupError::io("creating", path))
}

pub fn rename(files: &dyn Folders, from: &str, to: &str) -> Result<(), BackupError> {
    files.rename(from, to).map_err(BackupError::io("renaming", from))
}

pub fn kind(files: &dyn Folders, path: &str) -> Result<Option<EntryKind>, BackupError> {
    files.kind(path).map_err(BackupError::io("looking at", path))
}

pub fn list(files: &dyn Folders, path: &str) -> Result<Vec<String>, BackupError> {
    files.list(path).map_err(BackupError::io("listing", path))
}

pub fn sync_dir(storage: &dyn Storage, path: &str) -> Result<(), BackupError> {
    storage.sync_dir(path).map_err(BackupError::io("syncing", path))
}

fn remove(files: &dyn Folders, path: &str) -> Result<(), BackupError> {
    files.remove(path).map_err(BackupError::io("removing", path))
}
