//! Which file is the configuration.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError, Origin};

/// The environment variable that names the file.
pub const CONFIG_VARIABLE: &str = "ORDERD_CONFIG";
/// Looked for in this order when nobody names a file.
const USUAL_FILES: [&str; 2] = ["config.toml", "/etc/orderd/config.toml"];
/// What holds when there is no file at all: the one that the project ships.
const BUILT_IN: &str = include_str!("../../config.toml");

impl Config {
    /// Finds and reads the configuration: `given` (`--config`), else `$ORDERD_CONFIG`, else `./config.toml`, else
    /// `/etc/orderd/config.toml`, else the built-in default in the current folder. A file that is named is used, or
    /// fails to be: there is no falling back from it.
    ///
    /// # Errors
    /// The file cannot be read, or says something that cannot be.
    pub fn find(given: Option<&Path>) -> Result<Self, ConfigError> {
        let named = std::env::var_os(CONFIG_VARIABLE);
        match choose(given, named, &USUAL_FILES.map(PathBuf::from)) {
            Some(file) => Self::load(&file),
            None => Self::built_in(Path::new(".")),
        }
    }

    /// Reads the configuration again from where this one came from.
    ///
    /// # Errors
    /// The file cannot be read any more, or says something that cannot be.
    pub fn read_again(&self) -> Result<Self, ConfigError> {
        match &self.origin {
            Origin::File(file) => Self::load(file),
            Origin::BuiltIn(folder) => Self::built_in(folder),
        }
    }

    /// The default that the project ships, as if it stood in `folder`.
    fn built_in(folder: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { path: folder.to_owned(), error };
        let folder: PathBuf = std::path::absolute(folder).map_err(unreadable)?.components().collect();
        Ok(Self::parse(BUILT_IN, Origin::BuiltIn(folder))?)
    }
}

fn choose(given: Option<&Path>, named: Option<OsString>, usual: &[PathBuf]) -> Option<PathBuf> {
    // A variable that is set to nothing counts as unset, as for the shell.
    let named = named.filter(|name| !name.is_empty()).map(PathBuf::from);
    // A file that is there and cannot be looked at is chosen too: reading it then says why it cannot be used.
    let there = |path: &&PathBuf| path.try_exists().unwrap_or(true);
    given.map(Path::to_owned).or(named).or_else(|| usual.iter().find(there).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_variable_and_the_variable_before_the_usual_files() {
        let dir = tempfile::tempdir().unwrap();
        let first = dir.path().join("first");
        let second = dir.path().join("second");
        let usual = [first.clone(), second.clone()];
        let chosen =
            |given: Option<&str>, named: Option<&str>| choose(given.map(Path::new), named.map(OsString::from), &usual);

        assert_eq!(chosen(Some("flag"), Some("variable")), Some("flag".into()));
        assert_eq!(chosen(None, Some("variable")), Some("variable".into()));
        assert_eq!(chosen(None, Some("")), None);
        std::fs::write(&second, "").unwrap();
        assert_eq!(chosen(None, Some("")), Some(second));
        std::fs::write(&first, "").unwrap();
        assert_eq!(chosen(None, None), Some(first));
    }

    #[test]
    fn the_built_in_default_keeps_its_data_in_the_folder() {
        let config = Config::built_in(Path::new("/somewhere")).unwrap();
        assert_eq!(config.daemon.data_dir, Path::new("/somewhere/data"));
        assert_eq!(config.sinks.len(), 1);
        assert!(config.warnings()[0].contains("/somewhere"), "{:?}", config.warnings());
    }
}
