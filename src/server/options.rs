//! What the configuration says about the server.

use std::path::PathBuf;
use std::time::Duration;

/// Limits and time-outs of the socket side; each has a key of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where the socket is.
    pub socket: PathBuf,
    /// Its permission bits.
    pub socket_mode: u32,
    /// Its group: a name of `/etc/group` or a number; none leaves the group of the process.
    pub socket_group: Option<String>,
    /// Who may ask for something; empty: whoever may connect.
    pub allowed_uids: Vec<u32>,
    /// Who may decide about delivery, beside root and the daemon's own user.
    pub operator_uids: Vec<u32>,
    /// Who may see what operators see.
    pub observer_uids: Vec<u32>,
    /// Connections at the same time.
    pub connections_max: usize,
    /// How many of them are kept for operators.
    pub operator_connections: usize,
    /// Bytes of a line, its end not counted.
    pub line_bytes_max: usize,
    /// Bytes of a command's metadata, as sent.
    pub metadata_bytes_max: usize,
    /// Levels of objects and arrays in it.
    pub metadata_levels_max: usize,
    /// Characters of what an attaching program says of itself.
    pub program_chars_max: usize,
    /// Connections of one user who may only do what observers do, or attach. What sinks have of them does not count here.
    pub outsider_connections_max: usize,
    /// Requests of one connection that wait for their answer.
    pub in_flight_max: usize,
    /// Requests of all connections that the executor has, beyond which each has its part.
    pub queue_commands_max: usize,
    /// The same in bytes of their lines.
    pub queue_bytes_max: usize,
    /// Bytes of one connection's answers that wait for being sent.
    pub answer_bytes_max: usize,
    /// The same for all connections together.
    pub answers_bytes_max: usize,
    /// How long a line may take from its first byte to its end.
    pub line_ms_max: Duration,
    /// How long a connection may be silent while nothing of it is in flight.
    pub idle_ms_max: Duration,
    /// How long a client may leave its answers lying without taking or sending a byte.
    pub write_ms_max: Duration,
    /// How long a drain may take.
    pub shutdown_ms_max: Duration,
}
