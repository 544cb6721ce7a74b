//! What every connector has to do, whatever its target.

use serde_json::Value;

use crate::arrivals::check_arrivals;
use crate::certificates::Certificates;
use crate::cloudevents::{Received, check_cloudevents};
use crate::events::{event, event_with, orders};
use crate::fake_daemon::FakeDaemon;
use crate::home::Home;
use crate::program::Program;
use crate::real_daemon::RealDaemon;
use crate::server::Server;
use crate::target::Target;
use crate::told::Told;

/// The most memory that a connector may take.
const RESIDENT_KIB_MAX: u64 = 64 * 1_024;

/// Every event arrives once, byte for byte, each order's in the order of its versions. Returns what arrived.
///
/// # Panics
/// Something is missing, was changed, came too early or twice.
pub fn everything_arrives_once<T: Target>(target: &T) -> Vec<T::Message> {
    let daemon = FakeDaemon::start();
    let _connector = target.connector(&daemon, "");
    let published = orders(1_000);
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    let stored = target.stored();
    assert_eq!(check_arrivals(&published, &stored), 0, "some arrived twice");
    stored
}

/// As much as a daemon has in flight of the largest events, and many small ones, take at most 64 MiB.
///
/// # Panics
/// They take more.
pub fn large_events_take_little_memory<T: Target>(target: &T, more: &str) {
    let daemon = FakeDaemon::start();
    let connector = target.connector(&daemon, more);
    let metadata = format!(r#","metadata":{{"text":"{}"}}"#, "x".repeat(16_000));
    let large = (1..=800).map(|number| event_with(number, number, 1, "", &metadata));
    let small = (801..=3_800).map(|number| event(number, 5_000 + number, 1));
    let published: Vec<String> = large.chain(small).collect();
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    assert_eq!(check_arrivals(&published, &target.stored()), 0, "some arrived twice");
    let resident = connector.resident_kib_max();
    println!("at most {resident} KiB");
    assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB");
}

/// In each of these content modes the official SDK reads what arrived as the events of the real daemon's file.
/// `attribute` begins the names of the headers that attributes are in.
///
/// # Panics
/// Something arrived that is another event, or has attributes where none belong.
pub fn the_official_sdk_reads<T: Target>(target: &T, transport: &str, modes: &[&str], attribute: &str)
where
    T::Message: Into<Received>,
{
    const ORDERS: u64 = 5;
    let daemon = RealDaemon::start("");
    let mut before = 0;
    for mode in modes {
        let mut connector = target.connector(&daemon, &format!("content_mode = \"{mode}\"\n"));
        daemon.work(ORDERS);
        let lines = daemon.wait_settled().split_off(before);
        before += lines.len();
        let arrived: Vec<Received> = target.stored().into_iter().map(Into::into).collect();
        let id = |message: &Received| message.id(attribute);
        let messages: Vec<(Received, String)> = lines
            .into_iter()
            .map(|line| {
                let event: Value = serde_json::from_str(&line).expect("a line is JSON");
                let found = arrived.iter().find(|message| event["id"] == id(message));
                (found.unwrap_or_else(|| panic!("missing: {line}")).clone(), line)
            })
            .collect();
        assert_eq!(messages.len(), 15);
        for (message, _) in &messages {
            let has_attributes = message.headers.iter().any(|(name, _)| name.starts_with(attribute));
            assert_eq!(has_attributes, *mode == "binary", "{message:?}");
        }
        check_cloudevents(transport, &messages);
        assert!(connector.stop().success());
    }
}

/// An event of more than 2,000 bytes is rejected, and of all others only those of its order wait.
///
/// # Panics
/// Another one was rejected, or did not arrive.
pub fn a_too_large_event_is_rejected_alone<T: Target>(target: &T, more: &str, bytes: usize) {
    let daemon = FakeDaemon::start();
    let _connector = target.connector(&daemon, more);
    let metadata = format!(r#","metadata":{{"note":"{}"}}"#, "x".repeat(bytes));
    let large = event_with(2, 1, 1, "", &metadata);
    daemon.publish([event(1, 2, 1), large, event(3, 3, 1), event(4, 1, 2), event(5, 2, 2)]);
    daemon.wait_delivered(3);
    let told = daemon.wait_told("rejected", |told| matches!(told, Told::Rejected { .. }));
    assert!(matches!(told, Told::Rejected { sequence: 2, .. }), "{told:?}");
    check_arrivals(&[event(1, 2, 1), event(3, 3, 1), event(5, 2, 2)], &target.stored());
}

/// A server that hangs is waited for. Returns what arrived.
///
/// # Panics
/// The connector says something else, or an event is missing.
pub fn a_silent_server_is_waited_for<T: Target>(target: &T, server: &Server) -> Vec<T::Message> {
    let daemon = FakeDaemon::start();
    let _connector = target.connector(&daemon, "timeout_ms = 1000\n");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    server.signal(crate::Signal::STOP);
    daemon.publish([event(2, 1, 2), event(3, 2, 1)]);
    daemon.wait_unavailable();
    server.signal(crate::Signal::CONT);
    daemon.wait_delivered(3);
    let stored = target.stored();
    check_arrivals(&[event(1, 1, 1), event(2, 1, 2), event(3, 2, 1)], &stored);
    stored
}

/// A server of a strange authority blocks; with the right one and a certificate of ours events are delivered. `keys` are
/// those of a TLS connection, without the files.
///
/// # Panics
/// It does not block, or not deliver.
pub fn certificates_are_checked(binary: &str, daemon: &FakeDaemon, keys: &str, files: &Certificates) -> Program {
    let Certificates { ca, client_cert, client_key, stranger, .. } = files;
    let keys = |ca: &std::path::Path| {
        format!("{keys}ca_file = {ca:?}\nclient_cert_file = {client_cert:?}\nclient_key_file = {client_key:?}\n")
    };
    let mut connector = Program::start(binary, daemon, &keys(stranger));
    daemon.publish([event(1, 1, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("certificate"), "{reason}");
    connector.stop();
    let connector = Program::start(binary, daemon, &keys(ca));
    daemon.wait_delivered(1);
    connector
}

/// A wrong password blocks and parks nothing; when the file `password` has the right one, events are delivered after
/// SIGHUP. Neither is in the log. Returns why it was blocked.
///
/// # Panics
/// It is not so.
pub fn a_wrong_password_blocks_until_it_is_mended(
    binary: &str,
    daemon: &FakeDaemon,
    keys: &str,
    right: &str,
) -> String {
    const WRONG: &str = "wr0ng-passw0rd";
    let password = daemon.dir().join("password");
    std::fs::write(&password, WRONG).expect("a file is written");
    let connector = Program::start(binary, daemon, &format!("{keys}password_file = \"password\"\n"));
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    std::fs::write(&password, format!("{right}\n")).expect("a file is written");
    connector.signal(crate::Signal::HUP);
    daemon.wait_delivered(2);
    daemon.assert_nothing_blamed();
    let log = connector.log();
    assert!(!log.contains(WRONG) && !log.contains(right), "{log}");
    reason
}

/// With the real daemon: a target that refuses everything parks nothing; when it is mended, the one event that it rejects
/// parks its order alone. `work` makes 20 orders and one with such an event, `mend` mends.
///
/// # Panics
/// It is not so.
pub fn blocked_parks_nothing_and_rejected_parks_one_order(daemon: &RealDaemon, mend: impl FnOnce()) -> Vec<String> {
    let note = "x".repeat(5_000);
    let place = serde_json::json!({"customer_id": RealDaemon::CUSTOMER, "total_amount": 1, "metadata": {"note": note}});
    daemon.work(20);
    let order = daemon.call("order.place", &place)["order"]["order_id"].clone();
    let completed = daemon.call("order.complete", &serde_json::json!({"order_id": order}));
    assert_eq!(completed["duplicate"], false);
    daemon.work(20);
    crate::eventually("a blocked sink", || (daemon.sink()["state"] == "blocked").then_some(()));
    assert_eq!(daemon.sink()["parked_lanes"], 0);
    mend();
    let lines = daemon.wait_settled();
    let sink = daemon.sink();
    assert_eq!((&sink["parked_lanes"], &sink["parked_events"]), (&Value::from(1), &Value::from(2)), "{sink}");
    let lanes = daemon.call("lane.list", &serde_json::json!({"sink": Home::SINK}));
    assert_eq!(lanes["lanes"][0]["order_id"], order, "{lanes}");
    lines.into_iter().filter(|line| !line.contains(order.as_str().expect("an id"))).collect()
}
