//! What every measurement needs to know.

use std::path::PathBuf;

/// Where the binary and temporary folders are.
pub struct Shared {
    pub orderd: PathBuf,
    pub dir: PathBuf,
}
