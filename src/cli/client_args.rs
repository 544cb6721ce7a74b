//! What all client commands take.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::client::{Client, ClientError};
use super::config_args::ConfigArgs;
use super::exit::Failure;
use super::output::print;
use crate::config::Config;
use crate::storage::StoreLock;

/// The environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "ORDERD_SOCKET";

/// Which daemon to talk to.
#[derive(Debug, Clone, clap::Args)]
pub struct SocketArgs {
    /// The daemon's socket; else $ORDERD_SOCKET, else the one in the configuration
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
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
            None => Ok(self.config.find(config)?.daemon.socket),
        }
    }

    /// The configuration that names the daemon, if one is looked at.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be.
    pub fn configuration(&self, config: Option<&Path>) -> Result<Config, Failure> {
        Ok(self.config.find(config)?)
    }

    /// Connects to the daemon.
    ///
    /// # Errors
    /// The socket cannot be found, or nobody listens there, or not for us.
    pub fn connect(&self, config: Option<&Path>, timeout: Duration) -> Result<Client, Failure> {
        let socket = self.find(config)?;
        Client::connect(&socket, timeout).map_err(|error| self.why_not(error, &socket, config).into())
    }

    /// Tells a daemon that is not there from one that does not listen yet, by its lock on the data directory. Only
    /// the configuration knows the directory, so it must be the one that names this socket.
    fn why_not(&self, error: ClientError, socket: &Path, config: Option<&Path>) -> ClientError {
        let same_daemon =
            |found: &Config| std::path::absolute(socket).is_ok_and(|socket| socket == found.daemon.socket);
        match (error, self.config.find(config)) {
            (ClientError::NoDaemon { .. }, Ok(found))
                if same_daemon(&found) && StoreLock::is_held(&found.daemon.data_dir) =>
            {
                ClientError::Starting { data_dir: found.daemon.data_dir }
            }
            (error, _) => error,
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
        let mut client = self.socket.connect(config, Duration::from_millis(self.timeout_ms))?;
        client.call(method, params).map_err(|error| {
            let mut json = None;
            if let ClientError::Refused(object) = &error
                && self.json
            {
                json = serde_json::to_string(object).ok();
            }
            Failure { json, ..error.into() }
        })
    }

    /// Sends one request and prints its result: as JSON, or as `text` tells it.
    ///
    /// # Errors
    /// The daemon refused, did not answer, or answered what this client does not know.
    pub fn show<P: Serialize>(
        &self,
        config: Option<&Path>,
        method: &str,
        params: &P,
        text: impl FnOnce(&RawValue) -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        let result = self.call(config, method, params)?;
        if self.json { print(result.get()) } else { print(&text(&result)?) }
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
