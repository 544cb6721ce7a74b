//! What an operator may do through the console: exactly what the daemon is asked for.

use serde_json::json;

use crate::support::console::Console;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::{ORDER, REPLAY, World};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn start(daemon: &FakeDaemon) -> Console {
    let file = daemon.socket().with_file_name("token");
    std::fs::write(&file, TOKEN).unwrap();
    Console::start(&daemon.socket(), &["--actions", "--token-file", file.to_str().unwrap()])
}

#[test]
fn each_action_is_one_call_of_the_daemon() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon);
    let lane = daemon.state().world.lanes[0].1["order_id"].clone();
    let cases = [
        (
            "/api/v1/sinks/events/pause",
            json!({"reason": "stock"}),
            "sink.pause",
            json!({"sink": "events", "reason": "stock"}),
        ),
        ("/api/v1/sinks/events/resume", json!({}), "sink.resume", json!({"sink": "events"})),
        ("/api/v1/sinks/events/retry", json!({}), "sink.retry", json!({"sink": "events"})),
        (
            "/api/v1/lanes/requeue",
            json!({"sink": "billing", "all": true, "dry_run": true}),
            "lane.requeue",
            json!({"sink": "billing", "all": true, "dry_run": true}),
        ),
        (
            "/api/v1/lanes/skip",
            json!({"sink": "billing", "order_id": lane, "sequence": 40_000, "reason": "test"}),
            "lane.skip",
            json!({"sink": "billing", "order_id": lane, "sequence": 40_000, "reason": "test"}),
        ),
        (
            "/api/v1/replays",
            json!({"sink": "events", "from": 1, "to": 9}),
            "replay.start",
            json!({"sink": "events", "from": 1, "to": 9}),
        ),
        (&format!("/api/v1/replays/{REPLAY}/cancel"), json!({}), "replay.cancel", json!({"replay_id": REPLAY})),
    ];
    for (path, body, method, params) in cases {
        daemon.state().calls.clear();
        let reply = console.act(path, TOKEN, &body.to_string());
        assert_eq!(reply.code, 200, "{path}: {}", reply.body);
        assert_eq!(daemon.state().calls, [(method.to_owned(), params)], "{path}");
    }
    assert!(console.act("/api/v1/lanes/requeue", TOKEN, r#"{"sink":"billing","all":true}"#).json()["lanes"] == 18);
}

#[test]
fn a_sink_action_needs_no_body() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon);
    let bearer = format!("Bearer {TOKEN}");
    let reply = console.request(
        "POST",
        "/api/v1/sinks/events/retry",
        &[("Authorization", &bearer), ("Content-Length", "0")],
        "",
    );
    assert_eq!(reply.code, 200, "{}", reply.body);
}

#[test]
fn what_the_daemon_refuses_is_told_with_its_own_words() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon);
    let refused = |path: &str, body: &str| {
        let reply = console.act(path, TOKEN, body);
        (reply.code, reply.kind())
    };
    assert_eq!(refused("/api/v1/sinks/nobody/pause", "{}"), (404, "sink_not_found".into()));
    assert_eq!(refused("/api/v1/lanes/requeue", r#"{"sink":"billing","surprise":1}"#), (400, "invalid_params".into()));
    let skip = format!(r#"{{"sink":"billing","order_id":"{ORDER}","sequence":1,"reason":"x"}}"#);
    assert_eq!(refused("/api/v1/lanes/skip", &skip), (404, "lane_not_found".into()));
    daemon.state().denied.push("sink.pause");
    assert_eq!(refused("/api/v1/sinks/events/pause", "{}"), (403, "permission_denied".into()));
    daemon.state().missing.push("replay.start");
    assert_eq!(refused("/api/v1/replays", "{}"), (501, "method_not_found".into()));
}

#[test]
fn only_a_json_object_of_limited_size_is_a_body() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon);
    let path = "/api/v1/lanes/requeue";
    let bearer = format!("Bearer {TOKEN}");
    let form = [("Authorization", bearer.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(console.request("POST", path, &form, "sink=billing").code, 415);
    assert_eq!(console.request("POST", path, &[("Authorization", &bearer)], "{}").code, 415);
    assert_eq!(console.act(path, TOKEN, "[]").code, 400);
    assert_eq!(console.act(path, TOKEN, "{").code, 400);
    let large = format!(r#"{{"sink":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(console.act(path, TOKEN, &large).code, 413);
    assert!(daemon.state().calls.is_empty());
}

#[test]
fn there_are_no_other_actions() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon);
    for path in ["/api/v1/sinks/events/forget", "/api/v1/sinks/events/skip_to", "/api/v1/lanes/park", "/api/v1/nothing"]
    {
        assert_eq!(console.act(path, TOKEN, "{}").code, 404, "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(console.request(method, "/api/v1/replays", &[("Authorization", &bearer)], "").code, 405, "{method}");
    }
    assert!(daemon.state().calls.is_empty());
}
