//! Kills of everybody, under load.

use orderd_sink_testing::{kill_with_real_daemon, kill_with_scripted_daemon, kills};

use crate::setup::Nats;

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_store_nothing_twice_inside_the_window() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(kill_with_scripted_daemon(&mut Nats::with_stream(dir.path()), "", kills(20)), 0);
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_store_nothing_twice_inside_the_window() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(kill_with_real_daemon(&mut Nats::with_stream(dir.path()), "", kills(20)), 0);
}
