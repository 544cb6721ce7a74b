//! The socket: lines in, commands out to the executor, answers back in the order of the requests.
//!
//! One thread serves all connections. It never waits for anything but the readiness of sockets and for answers: who has
//! much in a full queue is answered `overloaded`, and a client that does not read its answers is not read from any more.
//!
//! A line's way: `line_buffer` cuts it out, `raw_json`, `jsonrpc` and `call_reader` make a call of it, `dispatch` checks
//! who may make it, `admission` hands it to the executor while `response_queue` keeps its place, `response` writes the
//! answer into that place, `connection` sends it.

mod accept;
mod accept_policy;
mod access;
mod admission;
mod call;
mod call_reader;
mod connection;
mod connections;
mod counters;
mod descriptors;
mod dispatch;
mod event_loop;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz_seam;
mod hand_over;
mod jsonrpc;
mod line_buffer;
mod listener;
mod log_throttle;
mod metadata;
mod methods;
mod metrics;
mod operator_calls;
mod options;
mod order_calls;
mod own_answers;
mod params;
mod raw_json;
mod response;
mod response_queue;
mod rpc_error;
#[expect(clippy::module_inception, reason = "the server is the noun of this file and of this layer")]
mod server;
mod shared;
mod signals;
mod status;
mod status_context;
mod trace_context;

pub use descriptors::provide_descriptors;
pub use listener::{BindError, Listener, probe_socket};
pub use options::ServerOptions;
pub use server::{Server, ServerHandle, ServerPorts};
pub use status_context::ServerTelemetry;

#[cfg(test)]
mod access_test;
#[cfg(test)]
mod limits_test;
#[cfg(test)]
mod operator_calls_test;
#[cfg(test)]
mod order_context_test;
#[cfg(test)]
mod server_test;
#[cfg(test)]
mod testing;
