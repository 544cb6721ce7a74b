//! What the tests of connectors share. Everything here panics where a test has to fail.

mod arrivals;
mod certificates;
mod check;
mod cloudevents;
mod events;
mod fake_daemon;
mod fake_state;
mod fake_wire;
mod home;
mod kills;
mod program;
mod python;
mod real_daemon;
pub mod scenarios;
mod server;
mod target;
pub mod throughput;
mod told;
mod wait;

pub use arrivals::check_arrivals;
pub use certificates::{Certificates, certificates};
pub use check::{Checked, assert_refused, check};
pub use cloudevents::{Received, check_cloudevents};
pub use events::{event, event_with, order_id, orders};
pub use fake_daemon::FakeDaemon;
pub use home::Home;
pub use kills::{kill_with_real_daemon, kill_with_scripted_daemon, kills};
pub use program::Program;
pub use python::python;
pub use real_daemon::RealDaemon;
pub use rustix::process::Signal;
pub use server::{Server, free_port};
pub use target::Target;
pub use told::Told;
pub use wait::{WAIT_MAX, eventually};
