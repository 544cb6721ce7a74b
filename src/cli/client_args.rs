//! What all client commands take.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::client::Client;
use super::exit::Failure;
use crate::config::Config;

/// The environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "ORDERD_SOCKET";

/// Which daemon to talk to.
#[derive(Debug, Clone, clap::Args)]
pub struct SocketArgs {
    /// The daemon's socket; else $ORDERD_SOCKET, else the one in the configuration
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

impl SocketArgs {
    /// Finds the socket. The configuration is looked at only if nothing else names one.
    ///
    /// # Errors
    /// The configuration is needed and wrong.
    pub fn find(&self, config: Option<&Path>) -> Result<PathBuf, Failure> {
        let named = std::env::var_os(SOCKET_VARIABLE);
        match choose(self.socket.as_deref(), named) {
            Some(socket) => Ok(socket),
            None => Ok(Config::find(config)?.daemon.socket),
        }
    }
}

fn choose(given: Option<&Path>, named: Option<OsString>) -> Option<PathBuf> {
    let named = named.filter(|name| !name.is_empty()).map(PathBuf::from);
    given.map(Path::to_owned).or(named)
}

/// Which daemon to talk to, how long to wait, and how to print.
#[derive(Debug, Clone, clap::Args)]
pub struct ClientArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// How long to wait for the daemon, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    timeout_ms: u64,
    /// Print the result object as one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl ClientArgs {
    /// Sends one request and returns the result's text.
    ///
    /// # Errors
    /// The daemon refused, or did not answer.
    pub fn call(&self, config: Option<&Path>, method: &str, params: &impl Serialize) -> Result<Box<RawValue>, Failure> {
        let socket = self.socket.find(config)?;
        let mut client = Client::connect(&socket, Duration::from_millis(self.timeout_ms))?;
        Ok(client.call(method, params)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_variable_and_an_empty_variable_is_none() {
        assert_eq!(choose(Some(Path::new("f")), Some("v".into())), Some("f".into()));
        assert_eq!(choose(None, Some("v".into())), Some("v".into()));
        assert_eq!(choose(None, Some("".into())), None);
        assert_eq!(choose(None, None), None);
    }
}
