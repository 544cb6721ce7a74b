//! With the real daemon: what the endpoint gets is what the file sink gets.

use std::collections::HashMap;

use orderd_sink_testing::{Program, RealDaemon, eventually};
use serde_json::{Value, json};

use crate::support::{BINARY, Endpoint, Reply, Request, SECRET};

const IN_FLIGHT: usize = 8;

fn start(daemon: &RealDaemon, url: &str) -> Program {
    std::fs::write(daemon.dir().join("secret"), SECRET).unwrap();
    let config = format!("url = \"{url}\"\nsecret_files = [\"secret\"]\nreattach_ms_max = 100\n");
    Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &config, &[])
}

/// The first delivery of each event, in order of arrival.
fn first_deliveries(requests: &[Request]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    requests.iter().map(|request| request.body.clone()).filter(|body| seen.insert(body.clone())).collect()
}

fn assert_same_events(endpoint: &Endpoint, file: &[String]) {
    let first = first_deliveries(&endpoint.requests());
    let mut versions = HashMap::<String, u64>::new();
    for body in &first {
        let event: Value = serde_json::from_str(body).unwrap();
        let last = versions.entry(event["subject"].as_str().unwrap().to_owned()).or_default();
        assert_eq!(event["orderversion"], *last + 1, "{body}");
        *last += 1;
    }
    let (mut got, mut wanted) = (first, file.to_vec());
    got.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(got, wanted);
}

#[test]
fn the_endpoint_gets_what_the_file_gets_through_kills_of_daemon_and_connector() {
    let mut daemon = RealDaemon::start("");
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    let mut program = start(&daemon, &endpoint.url());
    let kills = 10;
    for kill in 1..=kills {
        daemon.work(50);
        if kill % 2 == 0 {
            daemon.kill();
            daemon.come_back();
        } else {
            program.kill();
            program = start(&daemon, &endpoint.url());
        }
    }
    daemon.work(50);
    let file = daemon.wait_settled();
    assert_eq!(file.len(), 150 * (kills + 1));
    assert_same_events(&endpoint, &file);
    // Per kill: what was in flight, and what the cursor had not recorded within its 100 ms.
    println!("{} requests for {} events", endpoint.requests().len(), file.len());
    assert_eq!(program.stop().code(), Some(0));
}

#[test]
fn an_endpoint_that_is_blocked_parks_nothing_and_a_rejected_event_parks_its_order() {
    let daemon = RealDaemon::start("");
    let closed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_closed = closed.clone();
    let endpoint = Endpoint::start(move |request| {
        let refuses =
            request.body.contains("OrderCompleted") && request.body.contains("\"sequence\":\"00000000000000000002\"");
        match is_closed.load(std::sync::atomic::Ordering::SeqCst) {
            true => Reply::Status(401),
            false if refuses => Reply::Status(422),
            false => Reply::Status(200),
        }
    });
    let _program = start(&daemon, &endpoint.url());
    daemon.work(20);
    eventually("blocked", || (daemon.sink()["state"] == "blocked").then_some(()));
    assert_eq!(daemon.sink()["parked_lanes"], 0);
    closed.store(false, std::sync::atomic::Ordering::SeqCst);
    let file = daemon.wait_settled();
    assert_eq!(file.len(), 60);
    assert_eq!((&daemon.sink()["parked_lanes"], &daemon.sink()["parked_events"]), (&json!(1), &json!(2)));
    let lanes = daemon.call("lane.list", &json!({"sink": RealDaemon::SINK}));
    assert!(lanes["lanes"][0]["reason"].as_str().unwrap().starts_with("422"), "{lanes}");
    assert!(endpoint.requests().len() <= 62 + IN_FLIGHT * 3, "{}", endpoint.requests().len());
}

#[test]
fn a_connector_that_is_stopped_in_good_order_repeats_nothing() {
    let daemon = RealDaemon::start("");
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    std::thread::scope(|scope| {
        let working = scope.spawn(|| daemon.work(300));
        let mut stops = 0;
        while !working.is_finished() || stops < 3 {
            let mut program = start(&daemon, &endpoint.url());
            let before = endpoint.requests().len();
            eventually("some progress", || {
                let enough = working.is_finished() || endpoint.requests().len() >= before + 20;
                (enough && !daemon.sink()["attached"].is_null()).then_some(())
            });
            assert_eq!(program.stop().code(), Some(0));
            stops += 1;
        }
        println!("{stops} stops");
    });
    let _program = start(&daemon, &endpoint.url());
    let file = daemon.wait_settled();
    assert_eq!(endpoint.requests().len(), file.len());
    assert_same_events(&endpoint, &file);
}
