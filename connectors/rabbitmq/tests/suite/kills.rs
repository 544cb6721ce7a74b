//! Kills of everybody, under load. A start of this server takes seconds, so there are few of them.

use orderd_sink_testing::{kill_with_real_daemon, kill_with_scripted_daemon, kills};

use crate::setup::RabbitMq;

const IN_FLIGHT_MAX: usize = 64;

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    let (dir, kills) = (tempfile::tempdir().unwrap(), kills(4));
    let mut rabbitmq = RabbitMq::with_queue(dir.path());
    let twice = kill_with_scripted_daemon(&mut rabbitmq, &format!("in_flight_max = {IN_FLIGHT_MAX}\n"), kills);
    assert!(twice <= 3 * kills * IN_FLIGHT_MAX, "{twice}");
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    let (dir, kills) = (tempfile::tempdir().unwrap(), kills(3));
    let mut rabbitmq = RabbitMq::with_queue(dir.path());
    let twice = kill_with_real_daemon(&mut rabbitmq, &format!("in_flight_max = {IN_FLIGHT_MAX}\n"), kills);
    assert!(twice <= 3 * kills * IN_FLIGHT_MAX, "{twice}");
}
