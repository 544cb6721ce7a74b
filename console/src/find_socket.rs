//! The daemon's socket, when no flag names it: what the daemon's own configuration says.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::{Exit, Failure};

/// Looked for in this order when $ORDERD_CONFIG names none; the daemon does the same.
const USUAL_FILES: [&str; 2] = ["config.toml", "/etc/orderd/config.toml"];
/// The daemon's default, from the folder of its configuration.
const SOCKET_DEFAULT: &str = "data/orderd.sock";

#[derive(Deserialize)]
struct Config {
    daemon: Option<DaemonSection>,
}

#[derive(Deserialize)]
struct DaemonSection {
    socket: Option<PathBuf>,
}

/// Finds the socket.
///
/// # Errors
/// A configuration is there and cannot be read.
pub fn find_socket() -> Result<PathBuf, Failure> {
    let named = std::env::var_os("ORDERD_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    let usual = || USUAL_FILES.iter().map(PathBuf::from).find(|path| path.try_exists().unwrap_or(true));
    match named.or_else(usual) {
        Some(file) => read(&file),
        None => Ok(SOCKET_DEFAULT.into()),
    }
}

fn read(file: &Path) -> Result<PathBuf, Failure> {
    let hint = "name the daemon's socket with --socket";
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::io(format_args!("cannot read {} ({hint})", file.display()), &error))?;
    let config: Config = toml::from_str(&text)
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}; {hint}", file.display())))?;
    let socket = config.daemon.and_then(|daemon| daemon.socket).unwrap_or_else(|| SOCKET_DEFAULT.into());
    Ok(file.parent().unwrap_or(Path::new("")).join(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_socket_starts_at_the_folder_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        let found = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read(&file)
        };
        assert_eq!(found("[daemon]\nsocket = 's'\n[log]\nlevel = 'info'").unwrap(), dir.path().join("s"));
        assert_eq!(found("[daemon]\nsocket = '/run/s'").unwrap(), Path::new("/run/s"));
        assert_eq!(found("").unwrap(), dir.path().join("data/orderd.sock"));
        assert_eq!(found("nonsense").unwrap_err().exit, Exit::Config);
    }
}
