//! With the real daemon: what the endpoint gets is what the file sink gets.

use orderd_sink_testing::{Home, Program, RealDaemon, check_arrivals, eventually};
use serde_json::json;

use crate::support::{BINARY, Endpoint, Reply, SECRET};

const IN_FLIGHT: usize = 8;

fn start(daemon: &RealDaemon, url: &str) -> Program {
    std::fs::write(daemon.dir().join("secret"), SECRET).unwrap();
    let config = format!("url = \"{url}\"\nsecret_files = [\"secret\"]\nreattach_ms_max = 100\n");
    Program::start(BINARY, daemon, &config)
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
    let lanes = daemon.call("lane.list", &json!({"sink": Home::SINK}));
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
    assert_eq!(check_arrivals(&file, &endpoint.requests()), 0);
}
