//! Who may do what, and which connections are kept for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::access::{Access, Caller};
use super::testing::*;
use crate::contracts::{
    AttachInbox, AttachTarget, JournalStatus, Lsn, OperatorRequest, Request, Sequence, StoreStatus,
};

const OPERATOR: u32 = 4_000_001;
const OBSERVER: u32 = 4_000_002;
const CONSUMER: u32 = 4_000_003;
const CLIENT: u32 = 4_000_004;
const STRANGER: u32 = 4_000_005;

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn call(id: u64, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string() + "\n"
}

fn target(name: &str, inbox: Option<Arc<AttachInbox>>, consumer_uids: &[u32]) -> AttachTarget {
    AttachTarget { name: name.into(), inbox, consumer_uids: consumer_uids.into() }
}

/// An inbox, and how often it has called.
fn inbox() -> (Arc<AttachInbox>, Arc<AtomicUsize>) {
    let calls = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&calls);
    (
        Arc::new(AttachInbox::new(Box::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }))),
        calls,
    )
}

#[test]
fn each_kind_of_user_may_what_it_is_listed_for() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut options = options(&dir);
    options.allowed_uids = vec![CLIENT];
    options.operator_uids = vec![OPERATOR];
    options.observer_uids = vec![OBSERVER];
    let sinks = [target("s", None, &[CONSUMER]), target("t", None, &[])];
    // May as client, observer, operator, consumer; attach to the first sink and to the second.
    let cases = [
        (Some(OPERATOR), [false, true, true, true], [true, true]),
        (Some(0), [false, true, true, true], [true, true]),
        (Some(own_uid()), [false, true, true, true], [true, true]),
        (Some(OBSERVER), [false, true, false, false], [false, false]),
        (Some(CONSUMER), [false, false, false, true], [true, false]),
        (Some(CLIENT), [true, false, false, false], [false, false]),
        (Some(STRANGER), [false; 4], [false, false]),
        (None, [false; 4], [false, false]),
    ];
    for (uid, may, attach) in cases {
        let caller = Caller::new(uid, &options, &sinks);
        let accesses = [Access::Client, Access::Observer, Access::Operator, Access::Consumer];
        assert_eq!(accesses.map(|access| caller.may(access).is_ok()), may, "{uid:?}");
        assert_eq!([caller.may_attach(&sinks[0]), caller.may_attach(&sinks[1])], attach, "{uid:?}");
        assert_eq!(caller.has_no_rights(), may == [false; 4], "{uid:?}");
    }
    options.allowed_uids.clear();
    assert!(Caller::new(Some(STRANGER), &options, &sinks).client, "nobody is listed: whoever the socket lets in");
}

#[test]
fn operators_requests_reach_the_executor_with_their_user() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    client.send(&call(1, "sink.pause", &json!({"sink": "events"})));
    let asked = served.next();
    let expected = OperatorRequest::SinkPause { sink: "events".into(), reason: None };
    assert_eq!((&asked.request, asked.uid), (&Request::Operate(Box::new(expected)), own_uid()));
    served.answer(&[asked]);
    assert_eq!(client.answer(), json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    served.drain();
}

#[test]
fn status_and_metrics_come_without_the_executor_but_after_what_was_asked_before() {
    let served = Served::start(|_| {});
    let (mut busy, mut asking) = (served.client(), served.client());
    busy.place("1", 1);
    let placed = served.next();
    busy.send(&call(2, "daemon.status", &json!({})));
    // The executor does not move, and others are told how things are all the same.
    asking.send(&call(1, "daemon.status", &json!({})));
    assert_eq!(asking.answer()["result"]["orders"]["count"], 4);
    asking.send(&call(2, "daemon.metrics", &json!({})));
    assert!(asking.answer()["result"]["metrics"].is_array());
    let journal = JournalStatus { durable_lsn: Lsn(9), ..store_status().journal };
    served.store.publish(StoreStatus { orders_count: 5, last_sequence: Sequence(6), journal, ..store_status() });
    served.answer(&[placed]);
    assert_eq!(busy.answer()["id"], 1);
    let status = busy.answer()["result"].take();
    assert_eq!((&status["orders"]["count"], &status["journal"]["durable_lsn"]), (&json!(5), &json!(9)));
    assert_eq!(status["commands_total"], 1);
    served.drain();
}

#[test]
fn the_last_connections_are_for_operators_who_are_shown_everything_and_place_nothing() {
    let served = Served::start(|options| {
        options.connections_max = 3;
        options.operator_connections = 2;
    });
    let (mut first, mut second, mut third) = (served.client(), served.client(), served.client());
    second.send(&call(1, "daemon.status", &json!({})));
    assert_eq!(second.answer()["result"]["connections_max"], 3);
    second.place("2", 1);
    assert_eq!(second.error().0, 1101);
    third.send(&call(1, "sink.list", &json!({})));
    served.answer_next(1);
    assert!(third.answer()["result"].is_object());
    let mut fourth = served.client();
    assert_eq!(fourth.error().0, 1101);
    assert!(fourth.is_closed());
    first.place("1", 1);
    served.answer_next(1);
    assert_eq!(first.answer()["id"], 1);
    drop(first);
    // A place for everybody is free once the server has seen the end: the one who has waited longest has it.
    let deadline = std::time::Instant::now() + DEADLINE;
    let mut connections = || {
        third.send(&call(1, "daemon.status", &json!({})));
        third.answer()["result"]["connections"].as_u64().unwrap()
    };
    while connections() > 2 {
        assert!(std::time::Instant::now() < deadline, "the connection that was closed still counts");
    }
    second.place("3", 1);
    served.answer_next(1);
    assert!(second.answer()["result"].is_object());
    third.place("2", 1);
    assert_eq!(third.error().0, 1101);
    served.drain();
}

#[test]
fn a_connection_that_attaches_leaves_with_everything_that_was_read_after_its_request() {
    let (inbox, calls) = inbox();
    let served = Served::with_sinks(vec![target("s", Some(Arc::clone(&inbox)), &[])], |_| {});
    let (mut client, mut asking) = (served.client(), served.client());
    client.place("1", 7);
    let attach = json!({"sink": "s", "protocol": 1, "program": "p", "in_flight_max": 3, "take_over": true});
    client.send(&(call(2, "sink.attach", &attach) + "{\"rest\":1}\n{\"ha"));
    let placed = served.next();
    assert_eq!(calls.load(Ordering::SeqCst), 0, "what was asked before is answered first");
    served.answer(&[placed]);
    assert_eq!(client.answer()["id"], 1);
    let deadline = std::time::Instant::now() + DEADLINE;
    let request = loop {
        if let Some(request) = inbox.take() {
            break request;
        }
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    };
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!((&*request.id, request.uid, &*request.program), ("2", own_uid(), "p"));
    assert_eq!((request.in_flight_max, request.take_over), (Some(3), true));
    assert_eq!(request.received, b"{\"rest\":1}\n{\"ha");
    let mut connections = || {
        asking.send(&call(1, "daemon.status", &json!({})));
        asking.answer()["result"]["connections"].as_u64().unwrap()
    };
    assert_eq!(connections(), 2, "it is still a connection");
    std::io::Write::write_all(&mut &request.stream, b"hello\n").unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut client.reader, &mut line).unwrap();
    assert_eq!(line, "hello\n");
    drop(request);
    assert!(client.is_closed());
    assert_eq!(connections(), 1);
    served.drain();
}

#[test]
fn who_cannot_attach_is_told_why_and_goes_on() {
    let (inbox, _) = inbox();
    let sinks = vec![target("s", Some(inbox), &[]), target("file", None, &[])];
    let served = Served::with_sinks(sinks, |_| {});
    let mut client = served.client();
    let attach = |sink: &str, protocol: u64| json!({"sink": sink, "protocol": protocol, "program": "p"});
    for (params, code) in [(attach("none", 1), 1201), (attach("file", 1), 1203), (attach("s", 2), 1204)] {
        client.send(&call(1, "sink.attach", &params));
        assert_eq!(client.error().0, code, "{params}");
    }
    client.place("2", 1);
    served.answer_next(1);
    assert_eq!(client.answer()["id"], 2);
    served.drain();
}

#[test]
fn pins_of_a_connection_that_closes_are_let_go() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    client.send(&call(1, "store.pin", &json!({})));
    let pinned = served.next();
    let connection = pinned.connection;
    served.answer(&[pinned]);
    client.answer();
    drop(client);
    let left = served.next();
    assert_eq!(
        (left.connection, left.request),
        (connection, Request::Operate(Box::new(OperatorRequest::StoreUnpinAll)))
    );
    served.drain();
}
