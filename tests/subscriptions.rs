//! Subscriptions: a program attaches, is handed events, and says what became of them.

use serde_json::{Value, json};

use crate::support::error_kind;
use crate::support::{Client, DEADLINE, Daemon, Program, Store, assert_error, events_of, eventually};

/// A store with the subscription `bus`, and these keys of it.
pub fn store_with(keys: &str) -> Store {
    let bus = "[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\nbackoff_ms_min = 5\nbackoff_ms_max = 50\n";
    Store::with("", &format!("{bus}{keys}\n"))
}

pub fn bus(client: &mut Client) -> Value {
    let status = client.status();
    let sinks = status["sinks"].as_array().unwrap();
    sinks.iter().find(|sink| sink["name"] == "bus").expect("the sink is listed").clone()
}

pub fn wait_for(client: &mut Client, what: &str, holds: impl Fn(&Value) -> bool) {
    eventually(DEADLINE, what, || holds(&bus(client)));
}

#[test]
fn an_attached_program_gets_every_event_as_the_file_has_it() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<_> = (0..20).map(|amount| client.place(amount)).collect();
    client.result("order.complete", json!({"order_id": orders[3]}));
    let mut consumer = Program::attach(&store, "bus");
    assert_eq!(consumer.attached, json!({"sink": "bus", "acked_sequence": 0, "storeepoch": 1, "in_flight_max": 512}));
    wait_for(&mut client, "its name is shown", |bus| bus["attached"] == "a test");
    let mut seen = Vec::new();
    while seen.len() < 21 {
        let out = consumer.event();
        assert_eq!((out.tag, out.attempt), (seen.len() as u64 + 1, 1));
        consumer.delivered(&[out.tag]);
        seen.push(out.event);
    }
    assert_eq!(seen, events_of(&store, 21));
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == 21 && bus["state"] == "idle");
    drop(consumer);
    wait_for(&mut client, "nobody is attached", |bus| bus["state"] == "waiting" && bus["attached"].is_null());
}

#[test]
fn hand_out_begins_slowly_and_one_event_of_an_order_is_in_flight_at_a_time() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let first = client.place(0);
    client.result("order.complete", json!({"order_id": first}));
    client.result("order.cancel", json!({"order_id": first}));
    (1..60).for_each(|amount| drop(client.place(amount)));
    let mut consumer = Program::attach(&store, "bus");
    let out: Vec<_> = (0..16).map(|_| consumer.event()).collect();
    wait_for(&mut client, "sixteen are in flight", |bus| bus["in_flight"] == 16);
    assert_eq!(out.iter().filter(|out| out.order_id == first).count(), 1);
    consumer.delivered(&out.iter().map(|out| out.tag).collect::<Vec<_>>());
    let out: Vec<_> = (0..32).map(|_| consumer.event()).collect();
    wait_for(&mut client, "twice as many are in flight", |bus| bus["in_flight"] == 32);
    assert_eq!(out.iter().filter(|out| out.order_id == first).map(|out| out.sequence).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_poison_order_waits_alone_and_goes_out_in_order_once_it_is_requeued() {
    let store = store_with("");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let poison = client.place(0);
    (1..40).for_each(|amount| drop(client.place(amount)));
    let mut consumer = Program::attach(&store, "bus");
    for _ in 0..40 {
        let out = consumer.event();
        if out.order_id == poison { consumer.rejected(out.tag) } else { consumer.delivered(&[out.tag]) }
    }
    client.result("order.complete", json!({"order_id": poison}));
    wait_for(&mut client, "its events are parked", |bus| bus["parked_events"] == 2 && bus["acked_sequence"] == 41);

    // What is parked outlives a kill, and pins nothing.
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let lanes = client.result("lane.list", json!({"sink": "bus"}));
    let lane = &lanes["lanes"][0];
    assert_eq!((&lane["order_id"], &lane["state"], &lane["events"]), (&json!(poison), &json!("rejected"), &json!(2)));
    let mut consumer = Program::attach(&store, "bus");
    let requeued = client.result("lane.requeue", json!({"sink": "bus", "order_id": poison}));
    assert_eq!(requeued, json!({"lanes": 1, "events": 2, "first_sequence": 1, "last_sequence": 41}));
    client.result("order.cancel", json!({"order_id": poison}));
    let mut of_poison = Vec::new();
    while of_poison.len() < 3 {
        let out = consumer.event();
        consumer.delivered(&[out.tag]);
        // What the cursor had not recorded before the kill comes again, too.
        if out.order_id == poison {
            of_poison.push(out.sequence);
        }
    }
    assert_eq!(of_poison, [1, 41, 42]);
    wait_for(&mut client, "nothing is parked", |bus| bus["parked_lanes"] == 0 && bus["acked_sequence"] == 42);
}

#[test]
fn an_order_that_fails_while_others_get_through_is_parked_and_tried_again_by_itself() {
    let store = store_with("attempts_max = 3");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let flaky = client.place(0);
    (1..10).for_each(|amount| drop(client.place(amount)));
    let mut consumer = Program::attach(&store, "bus");
    let mut tries = 0;
    while tries < 6 {
        let out = consumer.event();
        if out.order_id != flaky {
            consumer.delivered(&[out.tag]);
            continue;
        }
        tries += 1;
        assert_eq!(out.attempt, tries);
        if tries < 6 { consumer.failed(out.tag) } else { consumer.delivered(&[out.tag]) }
    }
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == 10 && bus["parked_lanes"] == 0);
    let decisions = client.result("decision.list", json!({}));
    let kinds: Vec<_> =
        decisions["decisions"].as_array().unwrap().iter().map(|it| it["delivery"]["kind"].clone()).collect();
    assert!(kinds.ends_with(&[json!("parked"), json!("delivered")]), "{kinds:?}");
}

#[test]
fn a_target_that_is_away_or_refuses_everything_parks_nothing() {
    let store = store_with("attempts_max = 2");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..5).for_each(|amount| drop(client.place(amount)));
    let mut consumer = Program::attach(&store, "bus");
    for _ in 0..5 {
        consumer.event();
    }
    consumer.say("unavailable", json!({"reason": "no route"}));
    for _ in 0..4 {
        let out = consumer.event();
        assert_eq!(out.sequence, 1, "one event at a time is tried");
        consumer.say("unavailable", json!({"reason": "password", "blocked": true}));
        wait_for(&mut client, "it is blocked", |bus| bus["state"] == "blocked" && bus["last_error"] == "password");
    }
    let out = consumer.event();
    consumer.delivered(&[out.tag]);
    let rest: Vec<_> = (0..4).map(|_| consumer.event()).collect();
    consumer.delivered(&rest.iter().map(|out| out.tag).collect::<Vec<_>>());
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == 5 && bus["state"] == "idle");
    assert_eq!(bus(&mut client)["parked_events"], 0);
}

#[test]
fn a_second_program_is_refused_unless_it_takes_over() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    let mut first = Program::attach(&store, "bus");
    let out = first.event();
    let refused = Program::try_attach(&store, json!({"sink": "bus"})).err().unwrap();
    assert_eq!(error_kind(&refused), (1202, "sink_attached"));
    let taking = json!({"sink": "bus", "take_over": true, "in_flight_max": 7});
    let mut second = Program::try_attach(&store, taking).ok().unwrap();
    assert_eq!(second.attached["in_flight_max"], 7);
    assert_eq!(first.closing(), "taken_over");
    first.try_say("delivered", json!({"tags": [out.tag]}));
    assert_eq!(second.event().attempt, 2, "what the first one had counts for nothing");
    let unknown = Program::try_attach(&store, json!({"sink": "nowhere"})).err().unwrap();
    assert_error(&unknown, 1201, "sink_not_found");
    let file = Program::try_attach(&store, json!({"sink": "events"})).err().unwrap();
    assert_error(&file, 1203, "sink_not_attachable");
}

#[test]
fn an_unanswered_event_closes_the_connection_and_comes_again() {
    let store = store_with("answer_ms_max = 100");
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    let mut consumer = Program::attach(&store, "bus");
    consumer.event();
    assert_eq!(consumer.closing(), "answer_timeout");
    assert_eq!(Program::attach(&store, "bus").event().attempt, 2);
}

#[test]
fn a_wrong_line_closes_the_connection_with_a_reason() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let wrong = [
        ("order.get", json!({"order_id": "x"})),
        ("delivered", json!({"tags": [1]})),
        ("delivered", json!({"tags": vec![1; 1001]})),
        ("failed", json!({"tag": 1, "reason": "", "more": 1})),
    ];
    for (method, params) in wrong {
        let mut consumer = Program::attach(&store, "bus");
        consumer.say(method, params);
        assert_eq!(consumer.closing(), "protocol_error", "{method}");
    }
}

#[test]
fn too_many_rejections_in_a_row_halt_the_sink_until_it_is_resumed() {
    let store = store_with("rejected_in_a_row_max = 3\nin_flight_max = 1");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<_> = (0..6).map(|amount| client.place(amount)).collect();
    let mut consumer = Program::attach(&store, "bus");
    for _ in 0..3 {
        let out = consumer.event();
        consumer.rejected(out.tag);
    }
    wait_for(&mut client, "it is halted", |bus| bus["state"] == "halted" && bus["parked_events"] == 3);
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut consumer = Program::attach(&store, "bus");
    assert_eq!(bus(&mut client)["state"], "halted", "also over a restart");
    client.result("lane.requeue", json!({"sink": "bus", "order_id": orders[1]}));
    let out = consumer.event();
    assert_eq!(out.order_id, orders[1], "what is requeued goes out all the same");
    consumer.delivered(&[out.tag]);
    client.result("sink.resume", json!({"sink": "bus"}));
    for expected in 4..=6 {
        let out = consumer.event();
        assert_eq!(out.sequence, expected);
        consumer.delivered(&[out.tag]);
    }
}

#[test]
fn a_paused_sink_stays_paused_over_a_restart() {
    let store = store_with("");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.result("sink.pause", json!({"sink": "bus", "reason": "maintenance"}));
    client.place(1);
    let _consumer = Program::attach(&store, "bus");
    wait_for(&mut client, "it is paused", |bus| bus["state"] == "paused");
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut consumer = Program::attach(&store, "bus");
    assert_eq!(bus(&mut client)["state"], "paused");
    client.result("sink.resume", json!({"sink": "bus"}));
    assert_eq!(consumer.event().sequence, 1);
}

#[test]
fn skip_to_passes_over_what_waits_and_what_is_in_flight() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..100).for_each(|amount| drop(client.place(amount)));
    let mut consumer = Program::attach(&store, "bus");
    let out = consumer.event();
    let params = json!({"sink": "bus", "sequence": 91, "reason": "a wrong deployment"});
    let skipped = client.result("sink.skip_to", params);
    assert_eq!(skipped, json!({"events": 90, "first_sequence": 1, "last_sequence": 90}));
    consumer.delivered(&[out.tag]);
    let mut next = consumer.event();
    while next.sequence < 91 {
        next = consumer.event();
    }
    for expected in 91..=100 {
        assert_eq!(next.sequence, expected);
        consumer.delivered(&[next.tag]);
        if expected < 100 {
            next = consumer.event();
        }
    }
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == 100);
}

#[test]
fn a_program_that_does_not_read_stops_nobody_else() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let _deaf = Program::attach(&store, "bus");
    let metadata = "x".repeat(15_000);
    for amount in 0..200 {
        let customer_id = crate::support::uuid();
        let params = json!({"customer_id": customer_id, "total_amount": amount, "metadata": {"text": metadata}});
        client.result("order.place", params);
    }
    events_of(&store, 200);
    assert_eq!(bus(&mut client)["attached"], "a test");
}
