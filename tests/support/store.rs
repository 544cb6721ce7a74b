//! A folder of its own for one test: configuration, data, socket and sink file.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The longest path that a Unix socket address holds.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// A temporary folder with a configuration; gone when dropped.
pub struct Store {
    dir: TempDir,
}

impl Store {
    /// One file sink `events`, everything else as the defaults have it.
    pub fn new() -> Store {
        Store::with("", "")
    }

    /// As `new`, with more keys of `[daemon]` and more TOML sections.
    pub fn with(daemon_keys: &str, sections: &str) -> Store {
        let store = Store::empty();
        store.configure(daemon_keys, sections);
        store
    }

    /// A folder whose whole configuration is `toml`.
    pub fn raw(toml: &str) -> Store {
        let store = Store::empty();
        store.configure_raw(toml);
        store
    }

    fn empty() -> Store {
        let dir = tempfile::Builder::new().prefix("o-").rand_bytes(8).tempdir().expect("a temporary folder");
        let store = Store { dir };
        let bytes = store.socket().as_os_str().len();
        assert!(bytes <= SOCKET_PATH_BYTES_MAX, "TMPDIR is too long for a Unix socket: {}", store.socket().display());
        store
    }

    /// Writes the configuration again; a running daemon does not look at it.
    pub fn configure(&self, daemon_keys: &str, sections: &str) {
        self.configure_raw(&format!(
            "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n{daemon_keys}\n\n\
             [[sinks]]\nname = \"events\"\ntype = \"file\"\npath = \"events.ndjson\"\n\n{sections}\n"
        ));
    }

    /// Writes `toml` as the whole configuration.
    pub fn configure_raw(&self, toml: &str) {
        std::fs::write(self.config(), toml).expect("config.toml is written");
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.path("s")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    pub fn journal_dir(&self) -> PathBuf {
        self.path("data/store/journal")
    }

    /// The file of the sink `events`.
    pub fn sink(&self) -> PathBuf {
        self.path("events.ndjson")
    }

    /// The journal's files, oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(self.journal_dir())
            .expect("the journal's folder")
            .map(|entry| entry.expect("a folder entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
            .collect();
        found.sort();
        found
    }
}
