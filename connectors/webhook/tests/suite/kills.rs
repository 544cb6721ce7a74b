//! Kills of everybody, under load.

use std::collections::HashMap;
use std::net::SocketAddr;

use orderd_sink_testing::{FakeDaemon, Program, orders};

use crate::support::{BINARY, Endpoint, Reply, Request, config};

/// Kills of each process.
const KILLS: usize = 20;

/// Eight workers: what was in flight at a kill may come again, and nothing else.
const IN_FLIGHT: usize = 8;

/// No event is missing, and of each order the first deliveries come in the order of versions.
fn assert_order(requests: &[Request], events: usize) {
    let mut seen = HashMap::<String, Vec<u64>>::new();
    for request in requests {
        let event: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let versions = seen.entry(event["subject"].as_str().unwrap().to_owned()).or_default();
        let version = event["orderversion"].as_u64().unwrap();
        if !versions.contains(&version) {
            assert_eq!(version, versions.len() as u64 + 1, "a version was passed over");
            versions.push(version);
        }
    }
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), events);
}

#[test]
fn kills_of_the_connector_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    let daemon = FakeDaemon::start();
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    let config = config(&daemon, &endpoint.url(), "");
    let events = orders(1_000);
    let count = events.len();
    daemon.publish(events);
    for kill in 1..=KILLS {
        let mut program = Program::start(BINARY, &daemon, &config);
        daemon.wait_delivered(kill * count / (KILLS + 5));
        program.kill();
    }
    let _program = Program::start(BINARY, &daemon, &config);
    daemon.wait_delivered(count);
    let requests = endpoint.requests();
    assert_order(&requests, count);
    assert!(requests.len() <= count + KILLS * IN_FLIGHT, "{} requests", requests.len());
}

#[test]
fn kills_of_the_daemon_and_of_the_endpoint_lose_nothing() {
    let mut daemon = FakeDaemon::start();
    let mut killed: Vec<Endpoint> = Vec::new();
    let mut endpoint = Endpoint::start(|_| Reply::Status(200));
    let address: SocketAddr = endpoint.address();
    let _program = Program::start(BINARY, &daemon, &config(&daemon, &endpoint.url(), "reattach_ms_max = 100"));
    let events = orders(1_000);
    let count = events.len();
    daemon.publish(events);
    for kill in 1..=KILLS {
        daemon.wait_delivered(kill * count / (KILLS + 5));
        if kill % 2 == 0 {
            daemon.go_away();
            daemon.come_back();
        } else {
            endpoint.go_away();
            killed.push(std::mem::replace(&mut endpoint, Endpoint::start_at(address, |_| Reply::Status(200))));
        }
    }
    daemon.wait_delivered(count);
    killed.push(endpoint);
    assert_order(&killed.iter().flat_map(Endpoint::requests).collect::<Vec<_>>(), count);
}
