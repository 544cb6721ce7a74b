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
    #[error(
        "the daemon did not answer within {} ms; the command may have been carried out or not \
         (with --command-id it is safe to send it again)",
        .0.as_millis()
    )]
    Silent(Duration),
    /// The daemon hung up.
    #[error(
        "the daemon closed the connection without an answer; the command may have been carried out or not \
         (with --command-id it is safe to send it again)"
    )]
    HungUp,
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

/// The error of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorObject {
    /// Its number.
    pub code: i64,
    /// What was wrong and what would be right.
    pub message: String,
    /// More for programs.
    pub data: Option<ErrorData>,
}

/// What programs decide by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorData {
    /// The error's name.
    pub kind: String,
    /// Whether the same command may succeed later.
    pub retryable: bool,
}

impl ErrorObject {
    /// Whether the daemon does not let this user in.
    pub(super) fn is_permission_denied(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.kind == "permission_denied")
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
            ClientError::NoDaemon { .. } | ClientError::Silent(_) | ClientError::HungUp => Exit::NoDaemon,
            ClientError::NoPermission { .. } => Exit::Permission,
            ClientError::Broken(_) => Exit::Io,
            ClientError::NoAnswer(_) => Exit::Internal,
            ClientError::Refused(refusal) if refusal.is_permission_denied() => Exit::Permission,
            ClientError::Refused(_) => Exit::Refused,
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
        let request = Request { jsonrpc: "2.0", id: 1, method, params };
        let mut line = serde_json::to_vec(&request).map_err(|error| ClientError::Broken(error.into()))?;
        line.push(b'\n');
        let sent = self.stream.get_mut().write_all(&line);
        match sent {
            Ok(()) => {}
            // A daemon that refuses a connection says why before it closes it: read that.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(self.broken(error)),
        }
        line.clear();
        let read = self.stream.by_ref().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(error))?;
        if line.pop() != Some(b'\n') {
            return Err(ClientError::HungUp);
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

    fn broken(&self, error: io::Error) -> ClientError {
        let kind = error.kind();
        if matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            ClientError::Silent(self.timeout)
        } else if matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) {
            ClientError::HungUp
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

/// Messages are one line, whatever was in them.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
