//! Where the console listens.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, UnixListener};

/// Owner and group may connect to a Unix socket of ours; the folder may narrow that.
const SOCKET_MODE: u32 = 0o660;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "takes ADDRESS:PORT, for instance 127.0.0.1:7480, or unix:PATH".to_owned();
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(wrong()) } else { Ok(Self::Unix(path.into())) };
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| wrong())?;
            return Ok(Self::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| wrong())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listen {
    /// Whether only programs of this machine reach it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// A listener that is bound. Its Unix socket is removed when it is dropped.
#[derive(Debug)]
pub enum Listener {
    /// Of TCP, and the address with the port that the operating system chose.
    Tcp(TcpListener, SocketAddr),
    /// Of a Unix socket, and its path.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Binds.
    ///
    /// # Errors
    /// Any I/O error from the OS; a Unix socket that somebody answers at is [`io::ErrorKind::AddrInUse`].
    pub async fn bind(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            Listen::Unix(path) => bind_unix(path),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Listen {
        match self {
            Self::Tcp(_, address) => Listen::Tcp(*address),
            Self::Unix(_, path) => Listen::Unix(path.clone()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        match self {
            Self::Tcp(..) => {}
            Self::Unix(_, path) => {
                // A socket that stays is replaced by the next start.
                fs::remove_file(path).ok();
            }
        }
    }
}

/// Binds beside the path and renames, so that the socket is there with its permissions or not at all, and one that a
/// killed console left is replaced.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a socket is there"));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program answers there"));
        }
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let listener = UnixListener::bind(&beside)?;
    let placed =
        fs::set_permissions(&beside, fs::Permissions::from_mode(SOCKET_MODE)).and_then(|()| fs::rename(&beside, path));
    if let Err(error) = placed {
        fs::remove_file(&beside).ok();
        return Err(error);
    }
    Ok(Listener::Unix(listener, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_unix_sockets_are_private() {
        for private in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1", "unix:/tmp/s"] {
            assert!(private.parse::<Listen>().unwrap().is_private(), "{private}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "192.168.1.1:1", "[::ffff:10.0.0.1]:1", "128.0.0.1:1"] {
            assert!(!open.parse::<Listen>().unwrap().is_private(), "{open}");
        }
        for wrong in ["", "7480", "example.org:80", "unix:", "127.0.0.1"] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }
}
