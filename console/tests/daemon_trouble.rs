//! A daemon that is away, older, hanging, or lets the console see little.

use std::time::Instant;

use serde_json::json;

use crate::support::console::Console;
use crate::support::eventually;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::{ORDER, World};

const PAGES: [&str; 4] = ["/", "/sinks/billing", "/parked", "/storage"];

#[test]
fn it_starts_before_the_daemon_and_finds_it_again_after_every_restart() {
    let daemon = FakeDaemon::start(World::busy());
    daemon.stop();
    let console = Console::start(&daemon.socket(), &[]);
    assert_eq!(console.get("/api/v1/status").code, 503);
    assert_eq!(console.get("/livez").code, 200);
    let up = |expected: u16| {
        eventually("the status changes", || (console.get("/api/v1/status").code == expected).then_some(()))
    };
    for _ in 0..2 {
        daemon.listen();
        up(200);
        daemon.stop();
        up(503);
    }
    daemon.listen();
    up(200);
    daemon.cut();
    up(200);
}

#[test]
fn pages_say_that_no_daemon_answers() {
    let dir = tempfile::tempdir().unwrap();
    let console = Console::start(&dir.path().join("nothing.sock"), &[]);
    for path in PAGES {
        let reply = console.get(path);
        assert!(reply.body.contains("No daemon."), "{path}: {}", reply.body);
    }
    let metrics = console.get("/metrics");
    assert_eq!(metrics.code, 200);
    assert!(metrics.body.contains("orderd_console_daemon_up 0\n"), "{}", metrics.body);
}

#[test]
fn a_daemon_that_does_not_answer_delays_no_page_longer_than_the_flag_says() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &["--daemon-ms-max", "1500"]);
    eventually("it is up", || (console.get("/api/v1/status").code == 200).then_some(()));
    daemon.state().silent = true;
    eventually("it is noticed", || (console.get("/readyz").code == 503).then_some(()));
    let begin = Instant::now();
    assert!(console.get("/metrics").body.contains("orderd_console_daemon_up 0"));
    assert!(begin.elapsed().as_millis() < 1_000, "{:?}", begin.elapsed());
    let begin = Instant::now();
    assert_eq!(console.get("/api/v1/sinks/billing").code, 504);
    assert!(begin.elapsed().as_millis() < 6_000, "{:?}", begin.elapsed());
}

#[test]
fn what_an_older_daemon_does_not_know_is_said_on_the_page() {
    let daemon = FakeDaemon::start(World::busy());
    let order = format!("/orders/{ORDER}");
    daemon.state().missing =
        vec!["daemon.metrics", "sink.show", "lane.list", "replay.list", "decision.list", "order.trace"];
    let console = Console::start(&daemon.socket(), &[]);
    for (path, method) in [
        ("/", "daemon.metrics"),
        ("/sinks/billing", "sink.show"),
        ("/parked", "lane.list"),
        ("/storage", "replay.list"),
        ("/storage", "decision.list"),
        (order.as_str(), "order.trace"),
    ] {
        let reply = console.get(path);
        assert_eq!(reply.code, 200, "{path}");
        assert!(reply.body.contains(&format!("does not know <code>{method}</code>")), "{path} is silent on {method}");
    }
    // What it does know is shown all the same.
    assert!(console.get(&order).body.contains("129,900"));
    assert!(console.get("/sinks/billing").body.contains("3,"));
    assert!(console.get("/metrics").body.contains("orderd_console_daemon_metrics_up 0\n"));
}

#[test]
fn what_the_consoles_user_may_not_see_is_said_on_the_page() {
    let daemon = FakeDaemon::start(World::busy());
    daemon.state().denied = vec!["sink.show", "lane.list", "replay.list", "decision.list", "order.trace"];
    let console = Console::start(&daemon.socket(), &[]);
    for path in ["/sinks/billing", "/parked", "/storage", &format!("/orders/{ORDER}")] {
        let reply = console.get(path);
        assert_eq!(reply.code, 200, "{path}");
        assert!(reply.body.contains("daemon.observer_uids"), "{path}");
    }
}

#[test]
fn a_status_with_less_or_more_in_it_is_shown() {
    let daemon = FakeDaemon::start(World {
        sinks: vec![
            json!({"name": "old", "type": "file", "state": "idle", "lag_events": 0}),
            json!({"name": "new", "type": "comet", "state": "glowing", "lag_events": null, "tail": [1, {"a": "b"}]}),
        ],
        ..World::busy()
    });
    let console = Console::start(&daemon.socket(), &[]);
    let body = console.get("/").body;
    assert!(body.contains("old") && body.contains("comet") && body.contains("glowing"), "{body}");
    assert!(console.get("/sinks/new").body.contains("tail"));
}

#[test]
fn an_answer_that_is_none_costs_a_sample_and_nothing_else() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &["--daemon-bytes-max", "100000"]);
    for garbage in ["not json".to_owned(), "{}".to_owned(), r#"{"id":1,"result":[]}"#.to_owned(), "x".repeat(200_000)] {
        daemon.state().garbage = Some(garbage);
        eventually("it is noticed", || (console.get("/api/v1/status").code >= 500).then_some(()));
        assert_eq!(console.get("/livez").code, 200);
        daemon.state().garbage = None;
        eventually("it recovers", || (console.get("/api/v1/status").code == 200).then_some(()));
    }
}
