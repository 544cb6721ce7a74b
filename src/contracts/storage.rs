//! The file system as the journal, the checkpoints and the cursors use it.

use std::io;

/// A directory tree. Paths are relative to its root, with `/` between parts.
///
/// Two implementations: the disk, and a simulated one that loses, tears and reorders what was not synced.
pub trait Storage: Send + Sync {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none; any other I/O error from the OS.
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for reading only.
    ///
    /// # Errors
    /// As [`Storage::open`].
    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Creates an empty file, or empties the one that is there. It is durable only after `sync_dir` of its directory.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Makes a directory; it may exist already. Durable only after `sync_dir` of its parent.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Gives a file or directory another name, replacing a file that has it. Durable only after `sync_dir`.
    ///
    /// # Errors
    /// Any I/O error from the OS; then the old names still stand.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Whether `path` still names `file`: on a disk others may have removed or replaced it since it was opened.
    ///
    /// # Errors
    /// Any I/O error from the OS. A path that names nothing is not an error.
    fn names(&self, _path: &str, _file: &dyn StorageFile) -> io::Result<bool> {
        Ok(true)
    }

    /// Removes a file. Durable only after `sync_dir`.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes creations, renames and removals in a directory durable.
    ///
    /// # Errors
    /// Any I/O error from the OS; then nothing is known about them.
    fn sync_dir(&self, path: &str) -> io::Result<()>;
}

/// Which file it is: on a disk, device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity(pub u64, pub u64);

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "a file is no collection")]
pub trait StorageFile: Send + Sync {
    /// Reads at `offset` until `buf` is full or the file ends; gives the count of bytes.
    ///
    /// # Errors
    /// Any I/O error from the OS. An error is never the same as the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `buf` at `offset`.
    ///
    /// # Errors
    /// Any I/O error from the OS; then a part may have been written.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// fdatasync: contents, and what of the metadata is needed to read them back. On `Ok` they survive a power cut.
    ///
    /// # Errors
    /// Any I/O error from the OS; then what was written since the last success may be lost even if a later call succeeds.
    fn sync_data(&self) -> io::Result<()>;

    /// Reserves room for the first `len` bytes and makes the file that long; new bytes read as zeros.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] if there is no room; any other I/O error from the OS.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Tells this file from every other of its storage, whatever their names, where that can be told.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn identity(&self) -> io::Result<FileIdentity> {
        Ok(FileIdentity(0, 0))
    }

    /// The file's length in bytes.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    fn len(&self) -> io::Result<u64>;

    /// Tells the system that the whole file will be read soon, so that it fetches it meanwhile. A hint.
    fn read_ahead(&self) {}

    /// Asks the system to forget cached pages, so that the next reads come from the medium. A hint.
    fn drop_cache(&self);
}
