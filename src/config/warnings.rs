//! What is possible and yet unlikely to be meant.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Config, Origin, SinkKind};

const WRITABLE_BY_OTHERS: u32 = 0o022;

impl Config {
    /// What is possible and yet unlikely to be meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.sinks.is_empty() {
            warnings.push("there are no [[sinks]]: events are stored and go nowhere".to_owned());
        }
        match &self.origin {
            Origin::BuiltIn(folder) => warnings.push(format!(
                "no configuration was given or found: the built-in default holds, with its files in {}",
                folder.display()
            )),
            Origin::File(file) => warnings.extend(is_writable(file)),
        }
        warnings.extend(self.missing_folder("daemon.socket", &self.daemon.socket));
        for (index, sink) in self.sinks.iter().enumerate() {
            if let SinkKind::File { path } = &sink.kind {
                warnings.extend(self.missing_folder(&format!("sinks[{index}].path"), path));
            }
        }
        warnings
    }

    /// A folder that nobody makes: `serve` makes the data directory, and what is above it.
    fn missing_folder(&self, key: &str, path: &Path) -> Option<String> {
        let folder = path.parent()?;
        let is_made = self.daemon.data_dir.starts_with(folder);
        let is_missing = !is_made && matches!(folder.try_exists(), Ok(false));
        is_missing.then(|| format!("{key}: there is no folder {}", folder.display()))
    }
}

fn is_writable(file: &Path) -> Option<String> {
    let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
    let mode = (mode & WRITABLE_BY_OTHERS != 0).then_some(mode & 0o7777)?;
    Some(format!("{} can be changed by others than its owner (mode {mode:04o})", file.display()))
}
