//! What the pages and the API show.

use serde_json::json;

use crate::support::console::Console;
use crate::support::eventually;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::{ORDER, REPLAY, World};

#[test]
fn the_status_is_the_daemons_with_the_consoles_beside_it() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    let status = console.get("/api/v1/status").json();
    assert_eq!(status["state"], "ready");
    assert_eq!(status["sinks"][2]["name"], "billing");
    assert_eq!(status["console"]["actions"], false);
}

#[test]
fn a_change_at_the_daemon_is_seen_at_once() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    assert_eq!(console.get("/api/v1/status").json()["state"], "ready");
    daemon.state().world.state = "storage_full";
    let begin = std::time::Instant::now();
    eventually("it is seen", || (console.get("/api/v1/status").json()["state"] == "storage_full").then_some(()));
    // A sample is at most 100 ms old when the daemon is quick, and a second and a bit when it is not.
    assert!(begin.elapsed().as_millis() < 1_500, "{:?}", begin.elapsed());
}

#[test]
fn however_many_look_the_daemon_is_asked_ten_times_a_second() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    console.get("/metrics");
    let (before, begin) = (daemon.state().samples, std::time::Instant::now());
    for _ in 0..200 {
        console.get("/metrics");
    }
    let asked = daemon.state().samples - before;
    // Two questions a sample, and one sample a second besides.
    let allowed = 2.0 * 11.0 * begin.elapsed().as_secs_f64() + 4.0;
    #[expect(clippy::cast_precision_loss)]
    let asked = asked as f64;
    assert!(asked <= allowed, "{asked} questions, {allowed} allowed");
}

#[test]
fn the_api_shows_what_the_pages_show() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    let json = |path: &str| {
        let reply = console.get(path);
        assert_eq!(reply.code, 200, "{path}: {}", reply.body);
        reply.json()
    };
    assert_eq!(json("/api/v1/sinks/billing")["sink"]["name"], "billing");
    assert_eq!(json("/api/v1/sinks/billing")["failures"].as_array().unwrap().len(), 40);
    assert_eq!(json("/api/v1/lanes?sink=billing")["lanes"].as_array().unwrap().len(), 23);
    assert_eq!(json("/api/v1/lanes?sink=billing&state=retrying")["lanes"].as_array().unwrap().len(), 5);
    assert_eq!(json(&format!("/api/v1/orders/{ORDER}"))["order"]["version"], 2);
    assert_eq!(json("/api/v1/replays")["replays"][0]["replay_id"], REPLAY);
    assert_eq!(json("/api/v1/decisions?after_lsn=10")["decisions"].as_array().unwrap().len(), 4);
    assert!(json("/api/v1/history?sink=billing&seconds=60")["lag_events"].is_array());
    assert_eq!(console.get("/api/v1/orders/00000000-0000-0000-0000-000000000000").code, 404);
    assert_eq!(console.get("/api/v1/sinks/nobody").code, 404);
    assert_eq!(console.get("/api/v1/lanes").code, 404);
}

#[test]
fn every_page_says_what_there_is() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    let order = format!("/orders/{ORDER}");
    let expected = [
        ("/", vec!["billing", "search index", "blocked", "WRONGPASS", "1 min 36 s", "never"]),
        (
            "/sinks/billing",
            vec!["a status from 200 to 299", "Last failures", "unknown customer", "orderd sink pause billing"],
        ),
        ("/parked", vec!["unknown customer …", "18 lanes, 27 events", "HTTP 503", "lane requeue billing --all"]),
        (&order, vec!["OrderPlaced", "OrderCompleted", "in flight", "parked", "waits for event 40310"]),
        ("/storage", vec!["search-index", "4,200,311", "61,200", "stock-taking until 18:00", "replay started"]),
    ];
    for (path, texts) in expected {
        let reply = console.get(path);
        assert_eq!(reply.code, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        for text in texts {
            let found = reply.body.contains(text) || reply.body.contains(&text.replace(' ', "-"));
            assert!(found, "{path} does not say {text:?}");
        }
    }
}

#[test]
fn a_page_about_what_is_not_there_is_404() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    for path in ["/sinks/nobody", "/orders/00000000-0000-0000-0000-000000000000", "/nowhere", "/assets/..%2Fmain.rs"] {
        assert_eq!(console.get(path).code, 404, "{path}");
    }
}

#[test]
fn the_search_leads_to_the_order() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    let reply = console.get(&format!("/orders?id=+{ORDER}+"));
    assert_eq!((reply.code, reply.header("location")), (303, Some(format!("/orders/{ORDER}").as_str())));
    // No id leads to another host.
    assert_eq!(
        console.get("/orders?id=//evil.example").header("location"),
        Some("/orders/%2f%2fevil%2eexample".replace("%2e", ".").as_str())
    );
}

#[test]
fn a_full_journal_is_a_banner_that_names_what_pins_it() {
    let daemon = FakeDaemon::start(World { state: "storage_full", ..World::busy() });
    let console = Console::start(&daemon.socket(), &[]);
    let body = console.get("/").body;
    assert!(body.contains("The journal is full.") && body.contains("search-index"), "{body}");
}

#[test]
fn foreign_text_is_escaped_on_every_page() {
    let evil = "<img src=x onerror=alert(1)>\"'&\u{202e}";
    let mut world = World::busy();
    world.sinks[2]["last_error"] = json!(evil);
    world.sinks[2]["attached"] = json!(evil);
    world.lanes[0].1["reason"] = json!(evil);
    world.failures[0]["reason"] = json!(evil);
    world.trace["events"][0]["sinks"][0]["reason"] = json!(evil);
    world.decisions[1]["delivery"]["reason"] = json!(evil);
    let daemon = FakeDaemon::start(world);
    let console = Console::start(&daemon.socket(), &[]);
    for path in ["/", "/sinks/billing", "/parked", &format!("/orders/{ORDER}"), "/storage"] {
        let body = console.get(path).body;
        assert!(body.contains("&lt;img src=x"), "{path} does not show it");
        assert!(!body.contains("<img") && !body.contains('\u{202e}'), "{path}");
    }
}
