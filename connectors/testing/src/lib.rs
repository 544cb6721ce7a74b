//! What the tests of connectors share. Everything here panics where a test has to fail.

mod arrivals;
mod certificates;
mod cloudevents;
mod events;
mod fake_daemon;
mod fake_state;
mod fake_wire;
mod program;
mod python;
mod real_daemon;
mod server;
mod wait;

pub use arrivals::{check_arrivals, kill_all_under_load, kill_under_load, kills};
pub use certificates::{Certificates, certificates};
pub use cloudevents::{Received, check_cloudevents};
pub use events::{event, event_with, order_id, orders};
pub use fake_daemon::FakeDaemon;
pub use fake_state::Told;
pub use program::Program;
pub use python::python;
pub use real_daemon::RealDaemon;
pub use rustix::process::Signal;
pub use server::{Server, free_port};
pub use wait::{WAIT_MAX, eventually};
