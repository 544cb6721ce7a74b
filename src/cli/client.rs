//! A client of the daemon: one request, one answer, with a time-out.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::exit::{Exit, Failure};
use super::terminal::one_line;

/// An answer beyond this size is not the daemon's.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no daemon answers at {}: {error}; start one with `orderd serve`", socket.display())]
    NoDaemon {
        /// Where.
        socket: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Nobody listens, but a daemon holds the data directory.
    #[error("the daemon of {} is still starting (it reads its store) or about to end; try again in a moment", data_dir.display())]
    Starting {
        /// The data directory whose lock is held.
        data_dir: PathBuf,
    },
    /// The socket's permissions do not let us in.
    #[error("no permission to use the socket {}: {error}", socket.display())]
    NoPermission {
        /// Which.
        socket: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The daemon took the request and said nothing.
    #[error("the daemon did not answer within {} ms{}", timeout.as_millis(), effect.doubt())]
    Silent {
        /// How long it was waited for.
        timeout: Duration,
        /// What the request would have done.
        effect: Effect,
    },
    /// The daemon hung up.
    #[error("the daemon closed the connection without an answer{}", .0.doubt())]
    HungUp(Effect),
    /// The connection broke.
    #[error("the connection to the daemon broke: {0}")]
    Broken(#[source] io::Error),
    /// The daemon said something that is no answer.
    #[error("the daemon's answer cannot be read: {0}")]
    NoAnswer(String),
    /// The daemon refused.
    #[error("{}", .0.message)]
    Refused(ErrorObject),
}

/// What a request does, and so what an answer that never came leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It shows something.
    Read,
    /// It changes an order.
    Command,
    /// It changes something else.
    Operation,
}

impl Effect {
    fn of(method: &str) -> Self {
        match method {
            "order.place" | "order.complete" | "order.cancel" => Self::Command,
            "order.get" | "order.trace" => Self::Read,
            other if other.starts_with("daemon.") || other.ends_with(".list") || other.ends_with(".show") => Self::Read,
            _ => Self::Operation,
        }
    }

    const fn doubt(self) -> &'static str {
        match self {
            Self::Read => "",
            Self::Command => {
                "; the command may have been carried out or not (with --command-id it is safe to send it again)"
            }
            Self::Operation => "; what was asked for may have been done or not",
        }
    }
}

/// The error of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// Its number.
    pub code: i64,
    /// What was wrong and what would be right.
    pub message: String,
    /// More for programs.
    pub data: Option<ErrorData>,
}

/// What programs decide by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// The error's name.
    pub kind: String,
    /// Whether the same command may succeed later.
    pub retryable: bool,
}

impl ErrorObject {
    /// Whether this is the error of this name.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.data.as_ref().is_some_and(|data| data.kind == kind)
    }

    /// How a command ends that was refused with this.
    pub(super) fn exit(&self) -> Exit {
        match &self.data {
            Some(data) if data.kind == "permission_denied" => Exit::Permission,
            Some(data) if data.kind == "internal_error" => Exit::Internal,
            Some(data) if data.retryable => Exit::Retry,
            Some(_) | None => Exit::Refused,
        }
    }
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u32,
    method: &'a str,
    params: &'a P,
}

#[derive(Deserialize)]
struct Response {
    result: Option<Box<RawValue>>,
    error: Option<ErrorObject>,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NoDaemon { .. }
            | ClientError::Starting { .. }
            | ClientError::Silent { .. }
            | ClientError::HungUp(_) => Exit::NoDaemon,
            ClientError::NoPermission { .. } => Exit::Permission,
            ClientError::Broken(_) => Exit::Io,
            ClientError::NoAnswer(_) => Exit::Internal,
            ClientError::Refused(refusal) => refusal.exit(),
        };
        Self::new(exit, one_line(&error.to_string()))
    }
}

/// A connection to the daemon.
pub struct Client {
    stream: BufReader<UnixStream>,
    timeout: Duration,
}

impl Client {
    /// Connects; neither this nor a later call waits longer than `timeout` for the daemon.
    ///
    /// # Errors
    /// Nobody listens there, or not for us.
    pub fn connect(socket: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let stream = dial(socket, timeout).map_err(|error| {
            let socket = socket.to_owned();
            if error.kind() == io::ErrorKind::PermissionDenied {
                ClientError::NoPermission { socket, error }
            } else {
                ClientError::NoDaemon { socket, error }
            }
        })?;
        stream.set_read_timeout(Some(timeout)).map_err(ClientError::Broken)?;
        Ok(Self { stream: BufReader::new(stream), timeout })
    }

    /// The connection itself, for whoever speaks it in another way.
    #[must_use]
    pub fn into_stream(self) -> UnixStream {
        self.stream.into_inner()
    }

    /// Sends one request and waits for its answer: the result's exact text.
    ///
    /// # Errors
    /// The daemon refused, or did not answer.
    pub fn call(&mut self, method: &str, params: &impl Serialize) -> Result<Box<RawValue>, ClientError> {
        let effect = Effect::of(method);
        let request = Request { jsonrpc: "2.0", id: 1, method, params };
        let mut line = serde_json::to_vec(&request).map_err(|error| ClientError::Broken(error.into()))?;
        line.push(b'\n');
        let sent = self.stream.get_mut().write_all(&line);
        match sent {
            Ok(()) => {}
            // A daemon that refuses a connection says why before it closes it: read that.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(self.broken(error, effect)),
        }
        line.clear();
        let read = self.stream.by_ref().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(error, effect))?;
        if line.pop() != Some(b'\n') {
            return Err(ClientError::HungUp(effect));
        }
        let response: Response =
            serde_json::from_slice(&line).map_err(|error| ClientError::NoAnswer(error.to_string()))?;
        match (response.result, response.error) {
            (Some(result), None) => Ok(result),
            (None, Some(error)) => Err(ClientError::Refused(error)),
            (Some(_), Some(_)) | (None, None) => {
                Err(ClientError::NoAnswer("it has to have a result or an error".into()))
            }
        }
    }

    fn broken(&self, error: io::Error, effect: Effect) -> ClientError {
        let kind = error.kind();
        if matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            ClientError::Silent { timeout: self.timeout, effect }
        } else if matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) {
            ClientError::HungUp(effect)
        } else {
            ClientError::Broken(error)
        }
    }
}

/// Connects with a time-out, which the standard library does not offer: a daemon that is stopped with a full queue
/// of connections would hold us for ever.
fn dial(socket: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&stream, Timeout::Send, Some(timeout))?;
    connect(&stream, &address)?;
    Ok(UnixStream::from(stream))
}
