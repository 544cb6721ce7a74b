//! Kills of everybody, under load.

use orderd_sink_testing::{kill_with_real_daemon, kill_with_scripted_daemon, kills};

use crate::support::Receiver;

/// Eight workers: what was in flight at a kill may come again, and nothing else.
const IN_FLIGHT: usize = 8;

#[test]
fn kills_of_connector_endpoint_and_a_scripted_daemon_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    let kills = kills(20);
    let twice = kill_with_scripted_daemon(&mut Receiver::start(), "", kills);
    assert!(twice <= 3 * kills * IN_FLIGHT, "{twice}");
}

#[test]
fn kills_of_daemon_connector_and_endpoint_lose_nothing_and_repeat_at_most_what_was_in_flight_or_unrecorded() {
    let kills = kills(20);
    let twice = kill_with_real_daemon(&mut Receiver::start(), "", kills);
    println!("of {kills} kills of the daemon, at most 180 events each");
    assert!(twice <= 2 * kills * IN_FLIGHT + 180 * kills, "{twice}");
}
