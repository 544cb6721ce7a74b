//! The console before a real daemon.

use std::collections::BTreeSet;
use std::path::Path;

use crate::metrics::promtool;
use crate::support::browser::Browser;
use crate::support::console::Console;
use crate::support::consumer::Consumer;
use crate::support::eventually;
use crate::support::in_browser::{TOKEN, assert_clean};
use crate::support::real_daemon::Daemon;

const CUSTOMER: &str = "7d444840-9dc0-11d1-b245-5ffdce74fad2";

#[test]
fn a_first_order_is_on_its_page() {
    let daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    eventually("it is ready", || (console.get("/readyz").code == 200).then_some(()));
    let order = place(&daemon);
    let page = console.get(&format!("/orders/{order}"));
    assert_eq!(page.code, 200);
    assert!(page.body.contains("129,900") && page.body.contains(CUSTOMER), "{}", page.body);
    eventually("it is counted", || (console.get("/api/v1/status").json()["orders"]["count"] == 1).then_some(()));
    let delivered = || console.get("/api/v1/status").json()["sinks"][0]["acked_sequence"].clone();
    eventually("it is delivered", || (delivered() == 1).then_some(()));
    assert_eq!(console.get("/orders/nonsense").code, 404);
}

#[test]
fn a_killed_daemon_is_missed_and_found_again() {
    let mut daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    let ready = |code: u16| eventually("readiness changes", || (console.get("/readyz").code == code).then_some(()));
    ready(200);
    daemon.kill();
    ready(503);
    daemon.start_again();
    ready(200);
    for page in ["/", "/parked", "/storage", "/sinks/events"] {
        let reply = console.get(page);
        assert!(reply.code == 200 && !reply.body.contains("No daemon."), "{page}: {}", reply.body);
    }
}

#[test]
fn every_metric_that_alerts_and_graphs_use_is_there() {
    let daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    eventually("the sinks are shown", || {
        let metrics = console.get("/metrics").body;
        metrics.contains("orderd_sink_state{").then_some(())
    });
    let metrics = console.get("/metrics").body;
    promtool(&["check", "metrics"], &metrics).unwrap_or_else(|said| panic!("{said}\n{metrics}"));
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let mut names = BTreeSet::new();
    for file in ["prometheus/orderd.rules.yml", "grafana/orderd.json"] {
        let text = std::fs::read_to_string(packaging.join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        names.extend(
            words.filter(|word| word.starts_with("orderd_")).map(|word| word.trim_end_matches("_bucket").to_owned()),
        );
    }
    assert!(names.len() > 15, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !metrics.contains(&format!("# TYPE {name} "))).collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{metrics}");
}

#[test]
fn an_order_that_a_consumer_rejects_is_found_requeued_and_delivered() {
    let daemon = Daemon::start();
    let order = place(&daemon);
    let reason = "HTTP 422: <script>alert(1)</script>";
    let consumer = Consumer::attach(&daemon.socket(), "billing", &order, reason);
    let token = daemon.socket().with_file_name("token");
    std::fs::write(&token, TOKEN).unwrap();
    let console = Console::start(&daemon.socket(), &["--actions", "--token-file", token.to_str().unwrap()]);
    let lanes = || console.get("/api/v1/lanes?sink=billing").json()["lanes"].as_array().map(Vec::len);
    eventually("the lane is parked", || (lanes() == Some(1)).then_some(()));
    let mut browser = Browser::start();
    for page in
        ["/".to_owned(), "/parked".into(), "/sinks/billing".into(), format!("/orders/{order}"), "/storage".into()]
    {
        browser.open(&format!("http://{}{page}", console.address));
        let says = |text: &str| format!("document.body.innerText.includes({})", serde_json::json!(text));
        assert_eq!(browser.evaluate(&says("No daemon.")), false, "{page}");
        assert_eq!(browser.evaluate("document.querySelectorAll('.note[role=note]').length"), 0, "{page}");
        if page != "/" {
            browser.until(&says(reason));
        }
    }
    assert_clean(&browser, &console);

    consumer.accept_all();
    let body = serde_json::json!({"sink": "billing", "order_id": order, "reason": "the customer is known now"});
    let requeued = console.act("/api/v1/lanes/requeue", TOKEN, &body.to_string());
    assert_eq!((requeued.code, requeued.json()["lanes"].clone()), (200, 1.into()), "{}", requeued.body);
    eventually("it went through", || (lanes() == Some(0)).then_some(()));
    let trace = console.get(&format!("/api/v1/orders/{order}")).json();
    let sinks = trace["events"][0]["sinks"].as_array().unwrap().clone();
    assert!(sinks.iter().all(|sink| sink["state"] == "delivered"), "{trace}");
    let storage = console.get("/storage").body;
    assert!(storage.contains("requeued") && storage.contains("the customer is known now"), "{storage}");
    assert_eq!(console.act("/api/v1/sinks/billing/pause", TOKEN, "{}").code, 200);
    let state = || console.get("/api/v1/sinks/billing").json()["sink"]["state"].clone();
    eventually("it is paused", || (state() == "paused").then_some(()));
    assert_eq!(console.act("/api/v1/sinks/billing/resume", TOKEN, "{}").code, 200);
    eventually("it goes on", || (state() == "idle").then_some(()));
}

fn place(daemon: &Daemon) -> String {
    let placed = eventually("the daemon takes orders", || {
        daemon.run(&["place", "--customer-id", CUSTOMER, "--total-amount", "129900"])
    });
    placed["order"]["order_id"].as_str().unwrap().to_owned()
}
