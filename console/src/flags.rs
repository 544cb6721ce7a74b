//! The command line. Every limit is a flag with its unit in its name.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::exit::{Exit, Failure};
use crate::listen::Listen;

/// Metrics, health and a page in the browser for orderd.
///
/// The console knows the daemon through its socket alone, and shows. It acts only with --actions and --token-file.
#[derive(Debug, Clone, Parser)]
#[command(name = "orderd-console", version)]
pub struct Flags {
    /// Where to listen: ADDRESS:PORT, or unix:PATH
    #[arg(long, value_name = "WHERE", default_value = "127.0.0.1:7480")]
    pub listen: Listen,
    /// The daemon's socket [default: what $ORDERD_CONFIG, ./config.toml or /etc/orderd/config.toml says]
    #[arg(long, value_name = "PATH", env = "ORDERD_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Let requests with the token pause, resume and retry sinks, requeue and skip lanes, and start replays
    #[arg(long)]
    pub actions: bool,
    /// A file whose first line is the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A further value of the Host header to answer to, for instance orders.example:443 (may be repeated)
    #[arg(long, value_name = "HOST")]
    pub host_allowed: Vec<String>,
    /// /readyz answers 503 while this sink is retrying, blocked or halted (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub ready_sink: Vec<String>,
    /// How long a connection may take for the head of a request, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub header_ms_max: u64,
    /// How long a request may take in all, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub request_ms_max: u64,
    /// Size of a request's head, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16_384, value_parser = at_least::<8_192>)]
    pub header_bytes_max: usize,
    /// Size of a request's body, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = at_least::<1>)]
    pub body_bytes_max: usize,
    /// Connections at a time; beyond it the one that has been idle for longest is closed
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least::<1>)]
    pub connections_max: usize,
    /// How long to wait for an answer of the daemon, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub daemon_ms_max: u64,
    /// Size of an answer of the daemon, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16_777_216, value_parser = at_least::<1_024>)]
    pub daemon_bytes_max: usize,
    /// Questions to the daemon at a time, beside the one for its status; each is a connection
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least::<1>)]
    pub daemon_connections_max: usize,
    /// How many samples the charts keep, one a second
    #[arg(long, value_name = "N", default_value_t = 3_600, value_parser = at_least::<60>)]
    pub history_samples_max: usize,
    /// Of how many sinks the charts keep samples
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least::<1>)]
    pub history_sinks_max: usize,
}

impl Flags {
    /// Refuses what would let strangers in.
    ///
    /// # Errors
    /// The flags do not fit together; the exit code is the one of a wrong command line.
    pub fn check(&self) -> Result<(), Failure> {
        if self.actions && self.token_file.is_none() {
            return Err(Failure::new(
                Exit::Usage,
                "--actions needs --token-file: whoever reaches the address could act otherwise",
            ));
        }
        if !self.listen.is_private() && self.token_file.is_none() {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "refusing to listen on {} without a token: other machines reach it; give --token-file, or listen \
                     on 127.0.0.1, [::1] or unix:PATH",
                    self.listen
                ),
            ));
        }
        Ok(())
    }

    /// [`Self::header_ms_max`] as a duration.
    #[must_use]
    pub const fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_ms_max)
    }

    /// [`Self::request_ms_max`] as a duration.
    #[must_use]
    pub const fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_ms_max)
    }

    /// [`Self::daemon_ms_max`] as a duration.
    #[must_use]
    pub const fn daemon_timeout(&self) -> Duration {
        Duration::from_millis(self.daemon_ms_max)
    }
}

fn at_least<const MIN: usize>(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if number >= MIN => Ok(number),
        Ok(_) | Err(_) => Err(format!("takes a whole number from {MIN}")),
    }
}
