//! The folder of a backup: how it comes into being, and how an unfinished one is recognised.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::journal::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, STORE_DIR};

pub const STORE: &str = STORE_DIR;
pub const IDENTITY: &str = "store/identity";
pub const BACKUP_IDENTITY: &str = "store/identity.backup";
pub const MANIFEST: &str = "manifest.json";
const MARK: &str = "UNFINISHED";
const MARK_TEXT: &[u8] = b"orderd was making this backup and was not done: orderd backup may replace it\n";
/// What the folder is called before it has its mark, and once it is to go.
const NEW_SUFFIX: &str = ".new-backup";

/// A backup in the making.
pub struct Unfinished {
    dir: PathBuf,
}

impl Unfinished {
    /// Makes the folder, in place of an unfinished one. It has its mark and its `store` from the first moment on: nobody
    /// takes it for an empty data directory.
    pub fn begin(dir: &Path) -> Result<Self, BackupError> {
        let new = aside(dir);
        if fs::symlink_metadata(dir).is_ok() && !is_unfinished(dir) {
            return Err(BackupError::Exists(dir.to_owned()));
        }
        take_away(dir)?;
        make_dir(&new)?;
        write_file(&new.join(MARK), MARK_TEXT)?;
        for folder in [STORE, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
            make_dir(&new.join(folder))?;
        }
        sync_dir(&new)?;
        // A folder of this name that came up meanwhile is not replaced: it is not empty, or it is a backup's like this.
        fs::rename(&new, dir).map_err(BackupError::io("renaming", &new))?;
        sync_parent(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Takes the mark away: the backup is whole.
    pub fn finish(self) -> Result<(), BackupError> {
        let mark = self.dir.join(MARK);
        fs::remove_file(&mark).map_err(BackupError::io("removing", &mark))?;
        sync_dir(&self.dir)
    }

    /// Removes the whole folder.
    pub fn remove(self) {
        if let Err(error) = take_away(&self.dir) {
            tracing::warn!(%error, dir = %self.dir.display(), "an unfinished backup could not be removed");
        }
    }
}

/// Where a backup's folder is while it is made and while it is removed: under its own name it is whole, or has its mark.
fn aside(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(NEW_SUFFIX);
    dir.with_file_name(name)
}

/// Removes an unfinished backup, if there is one, and what a kill has left beside it.
fn take_away(dir: &Path) -> Result<(), BackupError> {
    let aside = aside(dir);
    remove_all(&aside)?;
    match fs::rename(dir, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BackupError::io("renaming", dir)(error)),
        Ok(()) | Err(_) => {}
    }
    remove_all(&aside)
}

/// Removes a folder with all that is in it; it need not be there.
pub fn remove_all(dir: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::io("removing", dir)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a folder is a backup that was not finished.
pub fn is_unfinished(dir: &Path) -> bool {
    fs::read(dir.join(MARK)).is_ok_and(|text| text == MARK_TEXT)
}

/// A folder that only its owner enters.
pub fn make_dir(dir: &Path) -> Result<(), BackupError> {
    DirBuilder::new().mode(0o700).create(dir).map_err(BackupError::io("creating", dir))
}

/// Writes a small new file, durably but for its name.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<(), BackupError> {
    let mut file = new_file(path)?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(BackupError::io("writing", path))
}

/// A new file that only its owner reads.
pub fn new_file(path: &Path) -> Result<File, BackupError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(BackupError::io("creating", path))
}

pub fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(BackupError::io("syncing", dir))
}

pub fn sync_parent(path: &Path) -> Result<(), BackupError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_dir(parent)
}

/// Gives what root has made to whoever owns `like`: who copies may be root, who serves is not.
pub fn give_to_owner_of(like: &Path, path: &Path) -> Result<(), BackupError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(like).map_err(BackupError::io("reading", like))?;
    chown(path, Some(owner.uid()), Some(owner.gid())).map_err(BackupError::io("setting the owner of", path))
}

/// The same for everything in a folder.
pub fn give_all_to_owner_of(like: &Path, dir: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(dir).map_err(BackupError::io("listing", dir))? {
        let entry = entry.map_err(BackupError::io("listing", dir))?;
        give_to_owner_of(like, &entry.path())?;
        if entry.file_type().map_err(BackupError::io("reading", &entry.path()))?.is_dir() {
            give_all_to_owner_of(like, &entry.path())?;
        }
    }
    Ok(())
}
