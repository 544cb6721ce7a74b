//! Acting from the page, in a real browser.

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::eventually;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::in_browser::{TOKEN, assert_clean, start};
use crate::support::world::World;

#[test]
fn an_operator_previews_and_requeues_with_the_keyboard_alone() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/parked", console.address));
    browser.evaluate("document.querySelector('.group-head button').focus()");
    browser.press("Enter");
    browser.until("!!document.querySelector('dialog[open]') && document.activeElement.id === 'token'");
    browser.type_text("a wrong token");
    browser.press("Enter");
    browser.until("document.querySelector('dialog pre.bad')?.textContent.includes('Bearer')");
    browser.evaluate("document.getElementById('token').value = ''; document.getElementById('token').focus()");
    browser.type_text(TOKEN);
    // Enter is the first button: the preview.
    browser.press("Enter");
    browser.until("document.querySelector('dialog pre:not(.bad)')?.textContent.startsWith('Would take: ')");
    assert!(
        browser.evaluate("document.querySelector('dialog pre').textContent").as_str().unwrap().contains("lanes 18")
    );
    let requeues = |daemon: &FakeDaemon| {
        daemon
            .state()
            .calls
            .iter()
            .filter(|(method, _)| method == "lane.requeue")
            .map(|(_, params)| params.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(requeues(&daemon).len(), 1);
    assert_eq!(requeues(&daemon)[0]["dry_run"], true);
    browser.evaluate("document.getElementById('reason').value = 'customer was added'");
    browser.evaluate("document.querySelector('dialog button.main').focus()");
    browser.press("Enter");
    browser.until("document.querySelector('dialog pre').textContent.startsWith('Done. ')");
    let last = requeues(&daemon).pop().unwrap();
    assert_eq!(
        last,
        json!({
            "sink": "billing", "all": true, "state": "rejected", "reason_contains": "HTTP 422: unknown customer",
            "reason": "customer was added",
        })
    );
    browser.press("Escape");
    browser.until("!document.querySelector('dialog')");
    browser.complaints.retain(|complaint| !complaint.contains("status of 401"));
    assert_clean(&browser, &console);
}

#[test]
fn skipping_shows_what_is_passed_over_and_asks_for_a_reason() {
    let daemon = FakeDaemon::start(World::busy());
    let console = start(&daemon, &["--actions"]);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/parked", console.address));
    browser.evaluate("document.querySelector('button[data-lane]').click()");
    browser.until("document.querySelector('dialog pre')?.textContent.includes('OrderCompleted')");
    browser.evaluate(&format!(
        "document.getElementById('token').value = '{TOKEN}'; document.querySelector('dialog button.main').click()"
    ));
    assert!(!daemon.state().calls.iter().any(|(method, _)| method == "lane.skip"), "skipped without a reason");
    browser.evaluate("document.getElementById('reason').value = 'a test order'");
    browser.evaluate("document.querySelector('dialog button.main').click()");
    eventually("it is skipped", || {
        daemon
            .state()
            .calls
            .iter()
            .any(|(method, params)| method == "lane.skip" && params["reason"] == "a test order")
            .then_some(())
    });
}
