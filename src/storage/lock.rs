//! One daemon a data directory.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::after;

/// Holds a data directory for as long as the process lives.
///
/// It has no way to give the directory back: what a failing daemon's threads still do must not meet another daemon's
/// work. The kernel frees a flock(2) with its last descriptor, so a killed daemon leaves nothing behind that a restart
/// would have to clear.
///
/// Two locks are held. The one that counts is on the directory itself, which nobody can remove from under it; the one on
/// the file `LOCK` is for people and tools that look for it.
#[derive(Debug)]
pub struct StoreLock {
    /// `None` where the file could not be had beside the directory's own lock, which is enough.
    noted: Option<File>,
}

/// Why the data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("data directory {dir} is held by another daemon ({holder}); stop that one first, or choose another daemon.data_dir", dir = .dir.display())]
    Held {
        /// The directory.
        dir: PathBuf,
        /// Who that is, as far as the kernel tells.
        holder: String,
    },
    /// It is not ours alone.
    #[error("data directory {dir} {problem}; orders are nobody else's to change: chown it to the daemon's user and chmod 700", dir = .dir.display())]
    Unsafe {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Any I/O error from the OS.
    #[error("{operation} {path}: {source}", path = .path.display())]
    Io {
        /// The operation that failed.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
}

const LOCK_FILE: &str = "LOCK";
const OWNER_ONLY: u32 = 0o700;

impl StoreLock {
    /// How often a held lock is tried again, and for how long each time: a daemon that was just killed may be on its
    /// way out still.
    const TRIES: u32 = 5;
    const WAIT: Duration = Duration::from_millis(50);

    /// Creates the directory (mode 0700) if it is not there, and locks it until the process ends.
    ///
    /// # Errors
    /// Another daemon holds it, others could change it, or any I/O error from the OS.
    pub fn acquire(data_dir: &Path) -> Result<Self, LockError> {
        create_durably(data_dir)?;
        let directory = File::open(data_dir).map_err(failed("opening", data_dir))?;
        let metadata = directory.metadata().map_err(failed("reading", data_dir))?;
        let refuse = |problem| LockError::Unsafe { dir: data_dir.to_owned(), problem };
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("belongs to another user"));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(refuse("can be written by other users"));
        }
        if !lock(&directory).map_err(failed("locking", data_dir))? {
            return Err(LockError::Held { dir: data_dir.to_owned(), holder: holder_of(&metadata) });
        }
        // Opened before it was locked, the path may be another directory's by now.
        let now = fs::metadata(data_dir).map_err(failed("reading", data_dir))?;
        if (now.dev(), now.ino()) != (metadata.dev(), metadata.ino()) {
            let source = io::Error::other("it was replaced while it was being locked");
            return Err(failed("locking", data_dir)(source));
        }
        if metadata.mode() & 0o777 != OWNER_ONLY {
            directory
                .set_permissions(Permissions::from_mode(OWNER_ONLY))
                .map_err(failed("setting the mode of", data_dir))?;
        }
        let path = data_dir.join(LOCK_FILE);
        let file = open_lock_file(&path).map_err(failed("opening", &path))?;
        if !lock(&file).map_err(failed("locking", &path))? {
            return Err(LockError::Held { dir: data_dir.to_owned(), holder: holder_of(&metadata) });
        }
        // Never closed: see above.
        std::mem::forget(directory);
        Ok(Self { noted: Some(file) })
    }

    /// Writes into the lock's file who holds it. Only for people; the lock is what counts. To be called once the store
    /// was found good: a start that is refused changes no byte of the directory.
    pub fn note_holder(&mut self) {
        let Some(file) = &mut self.noted else { return };
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "pid {}", std::process::id()));
        if let Err(error) = written {
            tracing::warn!(%error, "could not note the process id in the lock file");
        }
    }

    /// Whether somebody holds the directory now, for readers who would like to know what they read.
    #[must_use]
    pub fn is_held(data_dir: &Path) -> bool {
        File::open(data_dir).is_ok_and(|directory| fs2::FileExt::try_lock_shared(&directory).is_err())
    }
}

impl Drop for StoreLock {
    /// Keeps the file's lock as well.
    fn drop(&mut self) {
        std::mem::forget(self.noted.take());
    }
}

fn failed(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> LockError {
    let path = path.to_owned();
    move |source| LockError::Io { operation, path: path.clone(), source }
}

/// Makes the directory and its parents, each of which is durable before anything is put into it.
fn create_durably(data_dir: &Path) -> Result<(), LockError> {
    let missing: Vec<_> = data_dir
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err())
        .collect();
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(OWNER_ONLY).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed("creating", path)(error)),
            Ok(()) | Err(_) => {}
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("syncing", parent))?;
    }
    Ok(())
}

fn open_lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Whether the lock was had, within a moment.
fn lock(file: &File) -> io::Result<bool> {
    for attempt in 1.. {
        // Named in full: the standard library has methods of the same name with other errors.
        match fs2::FileExt::try_lock_exclusive(file) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() != fs2::lock_contended_error().kind() => return Err(error),
            Err(_) if attempt < StoreLock::TRIES => drop(after(StoreLock::WAIT).recv()),
            Err(_) => return Ok(false),
        }
    }
    Ok(false)
}

/// Who holds the directory's lock now, from the kernel: what a file says may be a dead process' words.
fn holder_of(directory: &fs::Metadata) -> String {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let inode = format!(":{}", directory.ino());
    // `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`
    let pid = locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let is_flock = fields.nth(1) == Some("FLOCK");
        let pid = fields.nth(2)?;
        let is_it = fields.next()?.ends_with(&inode);
        (is_flock && is_it && pid != "0" && pid != "-1").then(|| format!("pid {pid}"))
    });
    pid.unwrap_or_else(|| "its process id is not known here".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_lock_file_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("a/b");
        let held = StoreLock::acquire(&data_dir).unwrap();
        assert!(StoreLock::is_held(&data_dir));
        fs::remove_file(data_dir.join(LOCK_FILE)).unwrap();
        let error = StoreLock::acquire(&data_dir).unwrap_err();
        assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        drop(held);
        assert!(StoreLock::is_held(&data_dir), "a lock ends with its process and not before");
    }

    #[test]
    fn a_directory_that_others_may_read_becomes_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        DirBuilder::new().mode(0o755).create(&data_dir).unwrap();
        StoreLock::acquire(&data_dir).unwrap();
        assert_eq!(fs::metadata(&data_dir).unwrap().mode() & 0o777, OWNER_ONLY);
    }

    #[test]
    fn a_directory_that_others_may_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(StoreLock::acquire(folder.path()), Err(LockError::Unsafe { .. })));
    }
}
