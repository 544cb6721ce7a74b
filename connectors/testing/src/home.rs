//! What every daemon of a test has: a folder with its socket, and one subscription.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The folder of a daemon. It lives as long as the daemon, for configurations and secrets too.
#[derive(Debug)]
pub struct Home(TempDir);

impl Home {
    /// The name of the subscription.
    pub const SINK: &str = "sink";

    /// A new folder. Not in `TMPDIR`: a socket's path has at most 107 bytes.
    pub(crate) fn new(prefix: &str) -> Self {
        Self(tempfile::Builder::new().prefix(prefix).tempdir_in("/tmp").expect("a temporary folder"))
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir().join("orderd.sock")
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.0.path()
    }
}
