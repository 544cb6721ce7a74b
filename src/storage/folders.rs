//! Folders of the real disk, for copies of whole stores.

use std::io;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Gid, OFlags, Uid};

use super::DiskStorage;
use super::disk::{DIR_MODE, FILE_MODE};
use crate::contracts::{EntryKind, Folders, Storage as _};

impl DiskStorage {
    /// The whole tree of the machine: a path is one from `/` on.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    pub fn whole() -> io::Result<Self> {
        Self::open(Path::new("/"))
    }
}

impl Folders for DiskStorage {
    fn kind(&self, path: &str) -> io::Result<Option<EntryKind>> {
        match fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => Ok(Some(EntryKind::Folder)),
            Ok(_) => Ok(Some(EntryKind::File)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        Ok(fs::mkdirat(&self.root, path, DIR_MODE)?)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.root, path, AtFlags::REMOVEDIR)?)
    }

    fn clone_file(&self, from: &str, to: &str) -> io::Result<()> {
        let shared = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = fs::openat(&self.root, from, OFlags::RDONLY | shared, FILE_MODE)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | shared;
        let copy = fs::openat(&self.root, to, flags, FILE_MODE)?;
        match fs::ioctl_ficlone(&copy, &source) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.remove(to)?;
                Err(error.into())
            }
        }
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::linkat(&self.root, from, &self.root, to, AtFlags::empty())?)
    }

    fn give_to_owner_of(&self, like: &str, path: &str) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let owner = fs::statat(&self.root, like, AtFlags::SYMLINK_NOFOLLOW)?;
        let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        Ok(fs::chownat(&self.root, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}
