//! What the tests of connectors share. Everything here panics where a test has to fail.

mod events;
mod fake_daemon;
mod fake_state;
mod fake_wire;
mod program;
mod python;
mod wait;

pub use events::{event, event_with, order_id, orders};
pub use fake_daemon::FakeDaemon;
pub use fake_state::Told;
pub use program::Program;
pub use python::python;
pub use wait::{WAIT_MAX, eventually};
