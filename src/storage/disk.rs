//! Files below one directory, opened relative to its descriptor: moving the directory under a running daemon does not
//! lead it elsewhere, and a symbolic link in a file's place is refused.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use fs2::FileExt as _;
use rustix::fs::{self, Advice, AtFlags, FallocateFlags, Mode, OFlags, StatxFlags};

use crate::contracts::{FileIdentity, Storage, StorageFile};

/// Nobody but the daemon's user reads orders.
pub(super) const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
pub(super) const DIR_MODE: Mode = Mode::from_raw_mode(0o700);

/// The disk below one directory.
#[derive(Debug)]
pub struct DiskStorage {
    pub(super) root: OwnedFd,
}

impl DiskStorage {
    /// Opens the directory, which must exist.
    ///
    /// # Errors
    /// Any I/O error from the OS.
    pub fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: fs::open(root, flags, Mode::empty())? })
    }

    /// The kind of file system below, if its word for "durable" means little.
    #[must_use]
    pub fn doubtful_file_system(&self) -> Option<&'static str> {
        // statfs(2), linux/magic.h
        const DOUBTFUL: [(u64, &str); 8] = [
            (0x0102_1994, "tmpfs"),
            (0x8584_58f6, "ramfs"),
            (0x6969, "NFS"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB"),
            (0x0102_1997, "9p"),
            (0x6573_5546, "FUSE"),
            (0x794c_7630, "overlayfs"),
        ];
        let magic = u64::try_from(fs::fstatfs(&self.root).ok()?.f_type).ok()? & 0xffff_ffff;
        DOUBTFUL.into_iter().find(|(doubtful, _)| *doubtful == magic).map(|(_, name)| name)
    }

    fn open_file(&self, path: &str, flags: OFlags) -> io::Result<Box<dyn StorageFile>> {
        let descriptor = fs::openat(&self.root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, FILE_MODE)?;
        let identity = identity(&descriptor, "", AtFlags::EMPTY_PATH)?;
        Ok(Box::new(DiskFile { file: File::from(descriptor), identity }))
    }

    fn open_dir(&self, path: &str) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.root, path, flags, Mode::empty())?)
    }
}

impl Storage for DiskStorage {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open_file(path, OFlags::RDWR)
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open_file(path, OFlags::RDONLY)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open_file(path, OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        match fs::mkdirat(&self.root, path, DIR_MODE) {
            Err(rustix::io::Errno::EXIST) => self.open_dir(path).map(drop),
            made => Ok(made?),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::new(self.open_dir(path)?)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.root, from, &self.root, to)?)
    }

    fn names(&self, path: &str, file: &dyn StorageFile) -> io::Result<bool> {
        match identity(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(found == file.identity()?),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.root, path, AtFlags::empty())?)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        Ok(fs::fsync(self.open_dir(path)?)?)
    }
}

/// Asks for the numbers alone. A `stat` asks for the times, too, and from Linux 6.13 on the next write to the file then
/// changes them (multigrain timestamps): the sync after it has the inode to write as well, which costs half as much again.
fn identity(at: impl AsFd, path: &str, flags: AtFlags) -> rustix::io::Result<FileIdentity> {
    let found = fs::statx(at, path, flags, StatxFlags::INO)?;
    Ok(FileIdentity(fs::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino))
}

struct DiskFile {
    file: File,
    identity: FileIdentity,
}

impl StorageFile for DiskFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done = done.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        // fs2 0.4.3 calls posix_fallocate, which returns its error instead of setting errno, and then reads errno: its
        // error says nothing. Ask again in a way that does.
        if self.file.allocate(len).is_ok() {
            return Ok(());
        }
        Ok(fs::fallocate(&self.file, FallocateFlags::empty(), 0, len)?)
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        Ok(self.identity)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_ahead(&self) {
        if let Err(error) = fs::fadvise(&self.file, 0, None, Advice::WillNeed) {
            tracing::debug!(%error, "the system takes no advice on its cache");
        }
    }

    fn drop_cache(&self) {
        // A hint: where the system ignores it, the journal's way of recovering holds all the same.
        if let Err(error) = fs::fadvise(&self.file, 0, None, Advice::DontNeed) {
            tracing::debug!(%error, "the system takes no advice on its cache");
        }
    }
}
