//! What copying whole stores asks of a file system, beyond what a store asks of it.

use std::io;

use super::Storage;

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file, or anything else that is not a folder: a symbolic link is not followed.
    File,
}

/// A tree of folders in which stores are copied.
///
/// Two implementations: the disk, and the simulated one.
pub trait Folders: Storage {
    /// What is at `path`; `None` if nothing is.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn kind(&self, path: &str) -> io::Result<Option<EntryKind>>;

    /// Makes a folder that only its owner enters. Durable only after `sync_dir` of its parent.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is anything of this name; any other I/O error from the OS.
    fn make_folder(&self, path: &str) -> io::Result<()>;

    /// Removes an empty folder. Durable only after `sync_dir` of its parent.
    ///
    /// # Errors
    /// It is not empty; any other I/O error from the OS.
    fn remove_folder(&self, path: &str) -> io::Result<()>;

    /// Makes `to` a second file of the same contents that shares `from`'s blocks until one of the two is written to.
    /// Durable only after a sync of it and of its folder.
    ///
    /// # Errors
    /// The file system has no such copies, or `to` is on another one: then there is no file `to`.
    fn clone_file(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name. Durable only after `sync_dir`.
    ///
    /// # Errors
    /// There is a file `to`; it would be on another file system; any other I/O error from the OS.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives what root has made to whoever owns `like`: who copies may be root, who serves is not.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn give_to_owner_of(&self, like: &str, path: &str) -> io::Result<()>;
}
