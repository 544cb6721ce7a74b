//! The pages in a real browser.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::in_browser::{assert_clean, start};
use crate::support::world::{ORDER, World, with};

/// Scripts, styles, frames, requests to elsewhere: each of them would be a complaint or an address.
const EVIL: &str = "</script><script>alert(1)</script><img src=\"http://evil.example/x\" onerror=\"alert(2)\">\
     <style>*{display:none}</style><iframe src=\"http://evil.example/\"></iframe>\"'`--><svg onload=alert(3)>\
     {{7*7}}${7*7}%3Cscript%3E\u{202e}\u{0}\n";

fn pages() -> Vec<String> {
    vec![
        "/".into(),
        "/sinks/billing".into(),
        "/sinks/billing?window=1h".into(),
        "/parked".into(),
        format!("/orders/{ORDER}"),
        "/storage".into(),
    ]
}

#[test]
fn every_page_loads_and_refreshes_without_a_complaint_or_another_host() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    for page in pages() {
        browser.open(&format!("http://{}{page}", console.address));
        assert_eq!(browser.evaluate("document.querySelectorAll('main h1').length"), 1, "{page}");
        assert_eq!(
            browser.evaluate("getComputedStyle(document.querySelector('main')).maxWidth"),
            "1560px",
            "{page} has no style"
        );
        let asked = browser.requested.len();
        browser.evaluate("refresh()");
        browser.until("!loading");
        assert!(browser.requested.len() > asked, "{page} does not refresh");
        assert_eq!(browser.evaluate("violations"), json!([]), "{page}");
    }
    assert_clean(&browser, &console);
}

#[test]
fn hostile_text_in_every_field_stays_text() {
    let mut world = World::busy();
    let mut hostile = |value: &mut Value| poison(value);
    world.lanes.iter_mut().for_each(|(_, lane)| hostile(lane));
    world.failures.iter_mut().for_each(&mut hostile);
    hostile(&mut world.trace);
    world.replays.iter_mut().for_each(&mut hostile);
    world.decisions.iter_mut().for_each(&mut hostile);
    // The order keeps its id, so that its page is found; the sink keeps its name.
    world.trace["order"]["order_id"] = json!(ORDER);
    for sink in &mut world.sinks {
        let name = sink["name"].clone();
        poison(sink);
        *sink = with(sink.clone(), json!({"name": name, EVIL: EVIL}));
    }
    let sink = with(world.sinks[0].clone(), json!({"name": EVIL, "parked_lanes": 3}));
    world.sinks.push(sink);
    let daemon = FakeDaemon::start(world);
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    let evil_sink: String = EVIL.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for page in pages().into_iter().chain([
        format!("/sinks/{evil_sink}"),
        format!("/parked?sink={evil_sink}&reason_contains={evil_sink}"),
        format!("/orders/{evil_sink}"),
    ]) {
        browser.open(&format!("http://{}{page}", console.address));
        browser.evaluate("refresh()");
        browser.until("!loading");
        let foreign = "document.querySelectorAll('img, iframe, style, [style], [onload], [onerror], \
             script:not([src=\"/assets/app.js\"])').length";
        assert_eq!(browser.evaluate(foreign), 0, "{page}");
        assert_eq!(browser.evaluate("violations"), json!([]), "{page}");
        let shown = browser.evaluate("document.body.innerText.includes('alert(1)')");
        assert_eq!(shown, true, "{page} does not show the text");
        // What opens a dialog puts foreign text into it, too.
        if browser.evaluate("!!document.querySelector('button[data-path]')") == json!(true) {
            browser.evaluate("document.querySelector('button[data-path]').click()");
            assert_eq!(browser.evaluate("document.querySelectorAll('dialog img, dialog script').length"), 0, "{page}");
        }
    }
    // A page that is not found is a complaint of the browser's log, and nothing else is.
    browser.complaints.retain(|complaint| !complaint.contains("status of 404"));
    assert_clean(&browser, &console);
}

/// Every text becomes hostile.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) => *text = EVIL.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(members) => members.values_mut().for_each(poison),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn no_page_is_wider_than_the_window_at_360_and_1600_pixels() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    for width in [360, 1_600] {
        browser.size(width, 800);
        for page in pages() {
            browser.open(&format!("http://{}{page}", console.address));
            let wide = browser.evaluate("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{page} is {wide} wide at {width}");
        }
    }
}

#[test]
fn words_stand_out_from_their_background_in_light_and_dark() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    for scheme in ["light", "dark"] {
        browser.colours(scheme);
        for page in pages() {
            browser.open(&format!("http://{}{page}", console.address));
            let weak = browser.evaluate(CONTRAST);
            assert_eq!(weak, json!([]), "{page} in {scheme}");
        }
    }
}

/// Texts with a contrast below 4.5 to 1, the least that WCAG calls readable.
const CONTRAST: &str = include_str!("support/contrast.js");

#[test]
fn a_chart_says_the_value_under_the_pointer() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &[]);
    let mut browser = Browser::start();
    browser.size(1_280, 900);
    browser.open(&format!("http://{}/sinks/accounting?window=5m", console.address));
    browser.until("!!document.querySelector('.chart svg')");
    browser.evaluate("toggle.click()");
    browser.until("!loading");
    let edge = browser.evaluate(
        "{ const box = document.querySelector('.chart svg').getBoundingClientRect(); [box.right - 1, box.top + 20] }",
    );
    browser.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": edge[0], "y": edge[1]}));
    browser.until("/^[0-9]+ s ago: [0-9.,]+ events$/.test(document.querySelector('.readout').textContent)");
    browser.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": 5, "y": 5}));
    browser.until("document.querySelector('.readout').textContent === ''");
    assert_clean(&browser, &console);
}

#[test]
fn the_keyboard_reaches_everything_and_focus_survives_a_refresh() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", console.address));
    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.press("Tab");
        reached
            .push(browser.evaluate("(document.activeElement.id || document.activeElement.textContent || '').trim()"));
    }
    for expected in [
        "Skip to the content",
        "Overview",
        "find",
        "refresh",
        "sink-events",
        "sink-billing",
        "parked-billing",
        "sink-audit",
    ] {
        assert!(reached.iter().any(|name| name == expected), "{expected} is not among {reached:?}");
    }
    browser.evaluate("document.getElementById('sink-billing').focus()");
    let before = browser.evaluate("window.row = document.getElementById('sink-table'), true");
    assert_eq!(before, true);
    browser.evaluate("refresh()");
    browser.until("row !== document.getElementById('sink-table')");
    assert_eq!(browser.evaluate("document.activeElement.id"), "sink-billing");
    // The search from the keyboard alone.
    browser.evaluate("document.getElementById('find').focus()");
    browser.type_text(ORDER);
    browser.press("Enter");
    browser.until(&format!("location.pathname === '/orders/{ORDER}'"));
}

#[test]
fn a_page_says_that_the_console_or_the_daemon_went_away() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &[]);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", console.address));
    daemon.stop();
    browser.until("document.getElementById('banners').textContent.includes('No daemon.')");
    daemon.listen();
    browser.until("!document.getElementById('banners').textContent.includes('No daemon.')");
    drop(console);
    browser.until("document.getElementById('banners').textContent.includes('does not answer')");
}

/// A check that cannot fail is none.
#[test]
fn the_browser_notices_what_the_policy_forbids() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &[]);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", console.address));
    let inline =
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))";
    browser.evaluate(&format!("{inline}, true"));
    browser.evaluate("document.querySelector('main').setAttribute('style', 'display: none')");
    browser.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://192.0.2.1/x.png' })), true");
    browser.until("violations.length === 3");
    assert_eq!(browser.evaluate("window.ran === undefined"), true);
    assert!(browser.complaints.len() >= 3, "{:?}", browser.complaints);
    assert_eq!(console.get("/").code, 200);
}
