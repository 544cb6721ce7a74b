//! Which file is the configuration.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The environment variable that names the file.
pub const CONFIG_VARIABLE: &str = "ORDERD_CONFIG";
/// Looked for in this order when nobody names a file.
const USUAL_FILES: [&str; 2] = ["config.toml", "/etc/orderd/config.toml"];

/// Finds the configuration: `given` (`--config`), else `$ORDERD_CONFIG`, else `./config.toml`, else
/// `/etc/orderd/config.toml`. A file that is named is used, or fails to be: there is no falling back from it.
///
/// # Errors
/// No file is named and none of the usual ones is there.
pub fn find(given: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let named = std::env::var_os(CONFIG_VARIABLE);
    choose(given, named, &USUAL_FILES.map(PathBuf::from))
}

fn choose(given: Option<&Path>, named: Option<OsString>, usual: &[PathBuf]) -> Result<PathBuf, ConfigError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    // A variable that is set to nothing counts as unset, as for the shell.
    if let Some(name) = named.filter(|name| !name.is_empty()) {
        return Ok(PathBuf::from(name));
    }
    // A file that is there and cannot be looked at is chosen too: reading it then says why it cannot be used.
    let there = |path: &&PathBuf| path.try_exists().unwrap_or(true);
    usual.iter().find(there).cloned().ok_or_else(|| ConfigError::NotFound(usual.to_vec()))
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
        let chosen = |given: Option<&str>, named: Option<&str>| {
            choose(given.map(Path::new), named.map(OsString::from), &usual).map_err(|error| error.to_string())
        };

        assert_eq!(chosen(Some("flag"), Some("variable")), Ok("flag".into()));
        assert_eq!(chosen(None, Some("variable")), Ok("variable".into()));
        let error = chosen(None, Some("")).unwrap_err();
        assert!(error.contains(first.to_str().unwrap()) && error.contains(second.to_str().unwrap()), "{error}");

        std::fs::write(&second, "").unwrap();
        assert_eq!(chosen(None, Some("")), Ok(second));
        std::fs::write(&first, "").unwrap();
        assert_eq!(chosen(None, None), Ok(first));
    }
}
