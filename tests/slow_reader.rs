//! A client that never reads its answers costs nobody else anything.

use std::time::Duration;

use serde_json::json;

use crate::support::{Client, DEADLINE, Daemon, Store, eventually, request};

/// A status request whose answer carries back a kilobyte.
fn large_request() -> String {
    request(&json!("x".repeat(1000)), "daemon.status", &json!({})) + "\n"
}

/// Asks without reading until the daemon takes no more for a while.
fn fill(client: &mut Client) {
    client.sender().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let line = large_request().repeat(50);
    while client.try_send_raw(&line).is_ok() {}
}

/// The memory that the process has in use.
fn resident_bytes(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_client_that_does_not_read_is_held_back_and_the_others_are_served() {
    let store = Store::with("", "[server]\nanswer_bytes_max = 262144\nwrite_ms_max = 600000\n");
    let daemon = Daemon::start(&store);
    let mut served = Client::connect(&store);
    served.place(1);
    let before = resident_bytes(&daemon);
    let mut deaf: Vec<Client> = (0..20).map(|_| Client::connect(&store)).collect();
    deaf.iter_mut().for_each(fill);
    for amount in 0..50 {
        served.place(amount);
    }
    let grown = resident_bytes(&daemon).saturating_sub(before);
    // Twenty connections with answers, requests under way and buffers, each bounded.
    assert!(grown < 20 * 3 * 1024 * 1024, "{grown} bytes for 20 deaf clients");

    // Nobody was dropped: who reads at last gets its answers, in full.
    let mut late = deaf.pop().unwrap();
    for _ in 0..100 {
        assert_eq!(late.read_answer()["result"]["state"], "ready");
    }
}

#[test]
fn a_client_that_does_not_read_for_too_long_is_closed() {
    let store = Store::with("", "[server]\nline_bytes_max = 65536\nanswer_bytes_max = 65536\nwrite_ms_max = 500\n");
    let _daemon = Daemon::start(&store);
    let mut served = Client::connect(&store);
    let mut deaf = Client::connect(&store);
    assert_eq!(deaf.status()["connections"], 2);
    fill(&mut deaf);
    eventually(DEADLINE, "the deaf client is gone", || served.status()["connections"] == 1);
}

#[test]
fn a_client_that_goes_away_without_reading_undoes_nothing() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    for _ in 0..20 {
        let mut client = Client::connect(&store);
        for amount in 0..50 {
            let params = crate::support::place_params(amount);
            client.send_line(&request(&json!(amount), "order.place", &params));
        }
        // The first answer is there, so the commands before the close are on their way or done.
        client.read_answer();
    }
    let mut client = Client::connect(&store);
    eventually(DEADLINE, "no other connection", || client.status()["connections"] == 1);
    let status = client.status();
    assert!(status["orders"]["count"].as_u64().unwrap() >= 20);
    assert_eq!(status["orders"]["count"], status["outbox"]["last_sequence"]);
}
