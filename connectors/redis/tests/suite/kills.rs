//! Kills of everybody, under load.

use orderd_sink_testing::{kill_with_real_daemon, kill_with_scripted_daemon, kills};

use crate::setup::Redis;

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_add_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(kill_with_scripted_daemon(&mut Redis::start(dir.path()), "", kills(20)), 0);
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_add_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(kill_with_real_daemon(&mut Redis::start(dir.path()), "", kills(20)), 0);
}
