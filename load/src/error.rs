//! Why a load run came to nothing.

use super::dialect::Refusal;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// After so long without an answer a run gives up.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nobody answers there.
    #[error("cannot connect to {socket}: {source}")]
    Connect {
        /// Where.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A socket call failed.
    #[error("cannot {verb} the connection: {source}")]
    Socket {
        /// The operation that failed.
        verb: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The server hung up.
    #[error("the server closed the connection with commands unanswered")]
    Closed,
    /// The server refuses a connection.
    #[error("the server refuses a connection: {}", .0.message)]
    TurnedAway(Refusal),
    /// An answer that is none.
    #[error("wrong answer: {0}")]
    Wrong(String),
    /// There is nothing to count with.
    #[error("cannot make a histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// The server says nothing any more.
    #[error("no answer for {} s with {in_flight} commands in flight", SILENCE_MAX.as_secs())]
    Silent {
        /// Commands that wait.
        in_flight: usize,
    },
}

impl LoadError {
    /// Turns an I/O error into `Socket` with this verb, or into `Closed` if that is what it says.
    pub fn socket<E: Into<io::Error>>(verb: &'static str) -> impl FnOnce(E) -> Self {
        move |source| {
            let source: io::Error = source.into();
            let hung_up = matches!(source.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
            if hung_up { Self::Closed } else { Self::Socket { verb, source } }
        }
    }
}
