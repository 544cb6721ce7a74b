//! Where a configuration comes from.

use std::path::{Path, PathBuf};

/// Where a configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file; its path is absolute.
    File(PathBuf),
    /// No file was there: the built-in default, with paths that start at this folder.
    BuiltIn(PathBuf),
}

impl Origin {
    /// The file, as errors name it.
    pub(super) fn file(&self) -> PathBuf {
        match self {
            Self::File(file) => file.clone(),
            Self::BuiltIn(folder) => folder.join("(built-in)"),
        }
    }

    /// Where relative paths start.
    pub(super) fn folder(&self) -> PathBuf {
        match self {
            Self::File(file) => file.parent().unwrap_or(Path::new("/")).to_owned(),
            Self::BuiltIn(folder) => folder.clone(),
        }
    }
}
