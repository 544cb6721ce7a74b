//! The socket's path: taken over when nobody answers there, left alone when it is something else.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags};

use super::ServerOptions;

/// `sun_path` has room for 108 bytes, the last of which is a zero.
const PATH_BYTES_MAX: usize = 107;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system has no room for a path so long.
    #[error("the socket path {path} has {bytes} bytes; the system allows {PATH_BYTES_MAX}: choose a shorter one")]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The path is taken by something that is no socket.
    #[error("{0} is there and is no socket; it was left untouched: remove it, or choose another socket path")]
    NotASocket(PathBuf),
    /// Somebody answers at the path.
    #[error("another process answers at {0}; choose another socket path")]
    InUse(PathBuf),
    /// The system allows too few open files.
    #[error(
        "server.connections_max = {connections_max} takes {needed} open files with what the store needs, and this process \
         may have {limit}; lower it, or raise the limit (LimitNOFILE=, ulimit -n)"
    )]
    TooFewDescriptors {
        /// The key's value.
        connections_max: usize,
        /// Open files that it takes.
        needed: u64,
        /// Open files that there may be.
        limit: u64,
    },
    /// Others could put something else in the socket's place.
    #[error(
        "others may write to {folder} (mode {mode:04o}), and so replace the socket; take that from them, or choose \
        another socket path"
    )]
    UnsafeFolder {
        /// Where the socket would be.
        folder: PathBuf,
        /// The folder's permission bits.
        mode: u32,
    },
    /// There is no such group.
    #[error("this machine knows no group {0:?}; daemon.socket_group takes the name of one, or a number")]
    UnknownGroup(String),
    /// The system refused.
    #[error("{operation} {path}: {source}")]
    Io {
        /// The operation that failed, as a verb.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
}

/// A listening socket; its path goes with it.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: mio::net::UnixListener,
    path: PathBuf,
    inode: (u64, u64),
}

impl Listener {
    /// Binds the path. The caller holds the lock of the store, so that no two daemons do this at a time.
    ///
    /// # Errors
    /// The socket cannot be had; whatever else is at its path was left untouched.
    pub fn bind(options: &ServerOptions) -> Result<Self, BindError> {
        let path = options.socket.as_path();
        let group = options.socket_group.as_deref().map(group_id).transpose()?;
        check_folder(path)?;
        remove_stale(path)?;
        let socket = bind_private(path)?;
        let listener =
            Self { inode: inode_of(path)?, socket: mio::net::UnixListener::from_std(socket), path: path.to_owned() };
        set_access(path, group, options.socket_mode)?;
        Ok(listener)
    }
}

/// Sets group and mode of the socket at `path` through a descriptor of it: a link that was put in its place is not
/// followed.
fn set_access(path: &Path, group: Option<Gid>, mode: u32) -> Result<(), BindError> {
    let socket = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed("open", path, error))?;
    let kind = rustix::fs::fstat(&socket).map(|stat| FileType::from_raw_mode(stat.st_mode));
    if kind.map_err(|error| failed("look at", path, error))? != FileType::Socket {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    // Group first, then mode: at no moment may more people connect than in the end.
    if group.is_some() {
        rustix::fs::chownat(&socket, "", None, group, AtFlags::EMPTY_PATH)
            .map_err(|error| failed("set the group of", path, error))?;
    }
    // A descriptor that only names a file takes no fchmod; its place in /proc does.
    let name = format!("/proc/self/fd/{}", socket.as_raw_fd());
    rustix::fs::chmod(name, Mode::from_raw_mode(mode)).map_err(|error| failed("set the mode of", path, error))
}

/// Refuses a folder in which others may replace what is ours. In one with the sticky bit, such as /tmp, they may not; our
/// own group is our own choice.
fn check_folder(path: &Path) -> Result<(), BindError> {
    const OTHERS_WRITE: u32 = 0o002;
    const GROUP_WRITES: u32 = 0o020;
    const STICKY: u32 = 0o1000;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(folder).map_err(|error| failed("look at", folder, error))?;
    let mode = metadata.mode() & 0o7777;
    let own_group = metadata.gid() == rustix::process::getegid().as_raw();
    let writable = mode & OTHERS_WRITE != 0 || (mode & GROUP_WRITES != 0 && !own_group);
    if writable && mode & STICKY == 0 {
        return Err(BindError::UnsafeFolder { folder: folder.to_owned(), mode });
    }
    Ok(())
}

impl Drop for Listener {
    /// Removes the path, unless somebody has put something else there.
    fn drop(&mut self) {
        if inode_of(&self.path).is_ok_and(|inode| inode == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

/// Binds so that only our own user may connect, whatever the process' umask says, and restores the umask.
fn bind_private(path: &Path) -> Result<UnixListener, BindError> {
    // Group and others lose everything, our own bits stay as they are: another thread that makes a file or directory
    // in this moment gets a more private one, never a broken one.
    let before = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    let socket = bound.map_err(|error| failed("bind", path, error))?;
    socket.set_nonblocking(true).map_err(|error| failed("listen at", path, error))?;
    Ok(socket)
}

/// What is at a socket's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Nothing.
    No,
    /// A socket that nobody listens to: what a killed daemon has left.
    Stale,
}

/// Looks whether the path can be had, and changes nothing: a start that will be refused here must not touch the store
/// first.
///
/// # Errors
/// The path is too long, somebody answers there, or something else has it.
pub fn probe_socket(path: &Path) -> Result<(), BindError> {
    check_length(path)?;
    probe(path).map(|_| ())
}

fn check_length(path: &Path) -> Result<(), BindError> {
    let bytes = path.as_os_str().as_bytes().len();
    if bytes > PATH_BYTES_MAX {
        return Err(BindError::PathTooLong { path: path.to_owned(), bytes });
    }
    Ok(())
}

fn probe(path: &Path) -> Result<Taken, BindError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Taken::No),
        Err(error) => return Err(failed("look at", path, error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    // Without waiting: somebody who listens and does not accept must not hold up our start.
    match mio::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Taken::Stale),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Taken::No),
        // Its queue is full: somebody listens, too busy to accept.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(BindError::InUse(path.to_owned())),
        Err(error) => Err(failed("connect to", path, error)),
        Ok(_) => Err(BindError::InUse(path.to_owned())),
    }
}

/// Removes what a killed daemon has left behind.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    check_length(path)?;
    if probe(path)? == Taken::No {
        return Ok(());
    }
    tracing::info!(path = %path.display(), "removing a socket that nobody listens to");
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn inode_of(path: &Path) -> Result<(u64, u64), BindError> {
    let metadata = fs::symlink_metadata(path).map_err(|error| failed("look at", path, error))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The number of a group, from its digits or its name, looked up where the machine looks up its groups.
fn group_id(group: &str) -> Result<Gid, BindError> {
    if let Ok(number) = group.parse::<u32>() {
        return Ok(Gid::from_raw(number));
    }
    match nix::unistd::Group::from_name(group) {
        Ok(Some(found)) => Ok(Gid::from_raw(found.gid.as_raw())),
        Ok(None) => Err(BindError::UnknownGroup(group.to_owned())),
        Err(error) => Err(BindError::Io {
            operation: "look up the group of",
            path: PathBuf::from(group),
            source: io::Error::from_raw_os_error(error as i32),
        }),
    }
}

fn failed(operation: &'static str, path: &Path, error: impl Into<io::Error>) -> BindError {
    BindError::Io { operation, path: path.to_owned(), source: error.into() }
}

#[cfg(test)]
#[path = "listener_test.rs"]
mod tests;
