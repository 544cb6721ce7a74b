//! Answers and their order, and how the server stops.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::testing::*;
use crate::contracts::Envelope;

#[test]
fn an_order_is_answered_in_full() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    client.place("\"a\\u0062c\"", 7);
    served.answer_next(1);
    let expected = json!({"jsonrpc": "2.0", "id": "abc", "result": {"order": {
        "order_id": UUID, "customer_id": UUID, "total_amount": 7, "status": "placed", "version": 1,
        "placed_at": "2026-11-18T11:06:40.000001Z", "completed_at": null, "cancelled_at": null},
        "lsn": 8, "duplicate": false}});
    assert_eq!(client.answer(), expected);
    served.drain();
}

#[test]
fn answers_made_here_wait_for_those_of_the_executor() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    client.send("{}\n");
    client.place("1", 1);
    client.send("oops\n");
    client.send(&place("", 2));
    client.send("[]\n");
    client.place("3", 3);
    client.send("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"x\"}\n");
    assert_eq!(client.error().0, -32600);
    let envelopes = [served.next(), served.next(), served.next()];
    served.answer(&envelopes[..1]);
    assert_eq!(client.answer()["result"]["order"]["total_amount"], 1);
    assert_eq!(client.error().0, -32700);
    served.answer(&envelopes[1..2]);
    assert_eq!(client.error().0, -32600);
    served.answer(&envelopes[2..]);
    assert_eq!(client.answer()["id"], 3);
    assert_eq!(client.error().0, -32601);
    served.drain();
}

#[test]
fn a_client_that_only_finished_sending_gets_every_answer_and_then_the_end() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    for n in 0..30 {
        client.place(&n.to_string(), n);
    }
    client.send("{\"half\":");
    client.finish();
    served.answer_next(30);
    for n in 0..30 {
        assert_eq!(client.answer()["id"], n);
    }
    assert!(client.is_closed());
    served.nothing_is_submitted();
    served.drain();
}

#[test]
fn what_a_client_sent_before_it_went_away_is_executed() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    for n in 0..30 {
        client.place(&n.to_string(), n);
    }
    drop(client);
    served.answer_next(30);
    served.drain();
}

#[test]
fn a_user_who_is_not_allowed_is_told_so_for_each_request() {
    let nobody = rustix::process::getuid().as_raw().wrapping_add(1);
    let served = Served::start(|options| options.allowed_uids = vec![nobody]);
    let mut client = served.client();
    client.send(&place("", 5));
    client.place("7", 5);
    client.send("[]\n");
    client.send("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"daemon.status\"}\n");
    let answer = client.answer();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(1104)));
    assert_eq!(client.error().0, -32600);
    assert_eq!(client.error().0, 1104);
    served.nothing_is_submitted();
    served.drain();

    let myself = rustix::process::getuid().as_raw();
    let served = Served::start(|options| options.allowed_uids = vec![nobody, myself]);
    let mut client = served.client();
    client.place("7", 5);
    served.answer_next(1);
    assert_eq!(client.answer()["id"], 7);
    served.drain();
}

#[test]
fn a_drain_answers_what_was_accepted_refuses_the_rest_and_removes_the_socket() {
    let served = Served::start(|_| {});
    let (mut busy, mut quiet) = (served.client(), served.client());
    for n in 0..10 {
        busy.place(&n.to_string(), n);
    }
    quiet.send("{\"half\":");
    let accepted: Vec<Envelope> = (0..8).map(|_| served.next()).collect();
    served.handle.drain();
    assert!(quiet.is_closed(), "a connection that is owed nothing goes at once");
    assert!(UnixStream::connect(served.dir.path().join("s")).is_err());
    served.answer(&accepted);
    for n in 0..8 {
        assert!(busy.answer()["result"].is_object(), "{n}");
    }
    for n in 8..10 {
        let answer = busy.answer();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(n), &json!(1102)));
    }
    assert!(busy.is_closed());
    served.nothing_is_submitted();
    let dir = served.join();
    assert!(!dir.path().join("s").exists());
}

#[test]
fn a_drain_ends_in_time_whoever_does_not_answer_or_read() {
    let served = Served::start(|options| options.shutdown_ms_max = Duration::from_millis(100));
    let mut client = served.client();
    client.place("1", 1);
    served.next();
    served.drain();
    assert!(client.is_closed());
}

#[test]
fn the_end_of_the_executor_ends_the_server() {
    let mut served = Served::start(|_| {});
    let mut client = served.client();
    client.place("1", 1);
    served.next();
    served.answers = None;
    served.handle.answers_ready();
    assert!(client.is_closed(), "no answer is better than a wrong one");
    served.join();
}

#[test]
fn the_loop_turns_also_when_nothing_happens() {
    let served = Served::start(|_| {});
    let (turns, deadline) = (served.handle.turns(), Instant::now() + DEADLINE);
    while served.handle.turns() < turns + 2 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    served.drain();
}
