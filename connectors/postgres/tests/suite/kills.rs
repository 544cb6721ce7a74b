//! Kills of everybody, under load: each event is stored exactly once, each order's in its order.

use orderd_sink_testing::{kill_with_real_daemon, kill_with_scripted_daemon, kills};

use crate::support::inbox;

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_store_nothing_twice() {
    assert_eq!(kill_with_scripted_daemon(&mut inbox(), "", kills(20)), 0);
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_store_nothing_twice() {
    assert_eq!(kill_with_real_daemon(&mut inbox(), "", kills(20)), 0);
}
