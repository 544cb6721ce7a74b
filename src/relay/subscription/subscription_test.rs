use serde_json::json;

use super::testing::{Bench, limits, order_id};
use super::*;
use crate::contracts::{DecisionKind, LaneState, ReplaySpec, ReplayState, Sequence, SinkState};
use crate::relay::scheduler::Limits;
use crate::relay::testing::STORE_ID;
use crate::repo::CursorFile;
use crate::repo::cursor;

#[test]
fn events_are_handed_out_in_order_and_the_cursor_follows_what_was_delivered() {
    let bench = Bench::start(limits());
    for order in 1..=5 {
        bench.append(order);
    }
    let mut program = bench.attach();
    assert_eq!(program.answer["result"]["in_flight_max"], 8);
    assert_eq!(program.answer["result"]["acked_sequence"], 0);
    assert_eq!(program.answer["result"]["storeepoch"], 1);
    for expected in 1..=5 {
        assert_eq!(program.event(), (expected, 1, expected));
    }
    for tag in [3, 1, 5, 2, 4] {
        program.delivered(tag);
    }
    bench.wait_until("all is settled", |bench| bench.acked() == 5);
    bench.append(6);
    assert_eq!(program.event(), (6, 1, 6));
    bench.wait_until("the sink delivers", |bench| bench.monitor.read().state == SinkState::Delivering);
    assert_eq!(bench.monitor.read().attached.as_deref(), Some("test"));
}

#[test]
fn a_lane_has_one_event_in_flight_and_its_later_ones_wait() {
    let bench = Bench::start(limits());
    for order in [1, 1, 2, 1] {
        bench.append(order);
    }
    let mut program = bench.attach();
    assert_eq!((program.event(), program.event()), ((1, 1, 1), (2, 1, 3)));
    assert!(program.is_silent());
    program.delivered(1);
    assert_eq!(program.event(), (3, 1, 2));
    program.delivered(3);
    assert_eq!(program.event(), (4, 1, 4));
}

#[test]
fn a_rejected_event_parks_its_lane_and_requeue_hands_it_out_before_anything_later() {
    let bench = Bench::start(limits());
    for order in [1, 2, 1] {
        bench.append(order);
    }
    let mut program = bench.attach();
    program.event();
    program.event();
    program.say("rejected", json!({"tag": 1, "reason": "bad"}));
    program.delivered(2);
    bench.wait_until("all is settled", |bench| bench.acked() == 3 && bench.monitor.read().parked_events == 2);
    bench.append(1);
    bench.wait_until("it has joined", |bench| bench.monitor.read().parked_events == 3);
    assert_eq!(bench.record.lock().unwrap().lanes[&order_id(1)].state, LaneState::Rejected);
    bench.decide(DecisionKind::Requeued { order_id: order_id(1) });
    for (tag, attempt, sequence) in [(3, 2, 1), (4, 1, 3), (5, 1, 4)] {
        assert_eq!(program.event(), (tag, attempt, sequence));
        program.delivered(tag);
    }
    bench.wait_until("the lane is gone", |bench| bench.record.lock().unwrap().lanes.is_empty());
    bench.wait_until("it is shown", |bench| bench.monitor.read().parked_lanes == 0);
}

#[test]
fn an_event_that_fails_while_others_get_through_is_parked_and_tried_again_by_itself() {
    let bench = Bench::start(limits());
    for order in 1..=6 {
        bench.append(order);
    }
    let mut program = bench.attach();
    let mut tries = 0;
    loop {
        let (tag, attempt, sequence) = program.event();
        if sequence == 1 && tries < 5 {
            tries += 1;
            assert_eq!(attempt, tries);
            program.say("failed", json!({"tag": tag, "reason": "not now"}));
        } else {
            program.delivered(tag);
            if sequence == 1 {
                break;
            }
        }
    }
    bench.wait_until("the lane is gone", |bench| bench.monitor.read().parked_lanes == 0 && bench.acked() == 6);
    let decided = bench.decided.lock().unwrap();
    assert!(matches!(decided[0].kind, DecisionKind::Parked { state: LaneState::Retrying, attempts: 3, .. }));
    assert!(matches!(&decided[1].kind, DecisionKind::Delivered { events } if *events == [(order_id(1), Sequence(1))]));
    assert_eq!(bench.view.failures().len(), 5);
}

#[test]
fn nothing_is_parked_while_nothing_gets_through() {
    let bench = Bench::start(limits());
    bench.append(1);
    bench.append(2);
    let mut program = bench.attach();
    for _ in 0..12 {
        let (tag, _, _) = program.event();
        program.say("failed", json!({"tag": tag, "reason": "down"}));
    }
    bench.wait_until("it retries", |bench| bench.monitor.read().state == SinkState::Retrying);
    assert_eq!(bench.monitor.read().parked_events, 0);
    assert_eq!(bench.monitor.read().last_error.as_deref(), Some("down"));
    assert!(bench.decided.lock().unwrap().is_empty());
}

#[test]
fn unavailable_voids_what_is_unanswered_and_one_event_at_a_time_is_tried() {
    let bench = Bench::start(limits());
    for order in 1..=4 {
        bench.append(order);
    }
    let mut program = bench.attach();
    for _ in 0..4 {
        program.event();
    }
    program.say("unavailable", json!({"reason": "away", "blocked": true, "retry_after_ms": 30}));
    bench.wait_until("it is blocked", |bench| bench.monitor.read().state == SinkState::Blocked);
    // They count for nothing.
    program.say("delivered", json!({"tags": [1, 3]}));
    assert_eq!(program.event(), (5, 2, 1));
    assert!(program.is_silent(), "one at a time");
    program.say("unavailable", json!({"reason": "still away", "retry_after_ms": 10}));
    bench.wait_until("it retries", |bench| bench.monitor.read().state == SinkState::Retrying);
    assert_eq!(program.event(), (6, 3, 1));
    program.delivered(6);
    for expected in 2..=4 {
        assert_eq!(program.event(), (expected + 5, 2, expected));
    }
}

#[test]
fn a_second_program_is_refused_or_takes_over() {
    let bench = Bench::start(limits());
    bench.append(1);
    let mut first = bench.attach();
    first.event();
    let mut second = bench.attach();
    assert_eq!(second.answer["error"]["data"]["kind"], "sink_attached");
    assert_eq!(second.answer["error"]["code"], 1202);
    assert_eq!(second.line(), None);
    let mut third = bench.attach_with(Some(3), true);
    assert_eq!(third.answer["result"]["in_flight_max"], 3);
    assert_eq!(first.closing(), "taken_over");
    assert_eq!(first.line(), None);
    assert_eq!(third.event(), (1, 2, 1));
}

#[test]
fn wrong_lines_and_late_answers_close_the_connection_with_a_reason() {
    let bench = Bench::start(Limits { answer_max: std::time::Duration::from_millis(50), ..limits() });
    for bytes in
        [&b"nonsense\n"[..], b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"delivered\",\"params\":{\"tags\":[]}}\n"]
    {
        let mut program = bench.attach();
        program.raw(bytes);
        assert_eq!(program.closing(), "protocol_error");
    }
    let mut program = bench.attach();
    program.delivered(1);
    assert_eq!(program.closing(), "protocol_error", "a tag that was never sent");
    let mut program = bench.attach();
    program.raw(&vec![b'x'; 40_000]);
    assert_eq!(program.closing(), "protocol_error", "a line that is too long");
    bench.append(1);
    let mut program = bench.attach();
    program.event();
    assert_eq!(program.closing(), "answer_timeout");
    assert_eq!(bench.attach().event(), (1, 2, 1));
}

#[test]
fn a_half_closed_connection_detaches_once_everything_before_was_read() {
    let bench = Bench::start(limits());
    bench.append(1);
    bench.append(2);
    let mut program = bench.attach();
    program.event();
    program.event();
    program.delivered(1);
    program.raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"delivered\",\"params\":{\"tags\":[2]}}");
    program.shut();
    bench.wait_until("the first is settled", |bench| bench.acked() == 1);
    // The last line has no end, and does not count.
    assert_eq!(bench.attach().event(), (1, 2, 2));
}

#[test]
fn what_was_delivered_out_of_order_survives_a_restart() {
    let mut bench = Bench::start(limits());
    for order in 1..=6 {
        bench.append(order);
    }
    let mut program = bench.attach();
    for _ in 0..6 {
        program.event();
    }
    program.say("delivered", json!({"tags": [1, 3, 4, 6]}));
    bench.wait_until("the first is settled", |bench| bench.acked() == 1);
    bench.stop();
    assert_eq!(program.closing(), "shutting_down");
    let again = bench.restart(limits());
    let mut program = again.attach();
    assert_eq!(program.answer["result"]["acked_sequence"], 1);
    assert_eq!((program.event(), program.event()), ((1, 1, 2), (2, 1, 5)));
    program.say("delivered", json!({"tags": [1, 2]}));
    again.wait_until("all is settled", |bench| bench.acked() == 6);
}

#[test]
fn a_paused_sink_hands_out_nothing_and_takes_outcomes() {
    let bench = Bench::start(limits());
    bench.append(1);
    let mut program = bench.attach();
    program.event();
    bench.decide(DecisionKind::Paused);
    bench.wait_until("it is paused", |bench| bench.monitor.read().state == SinkState::Paused);
    bench.append(2);
    program.delivered(1);
    bench.wait_until("it is settled", |bench| bench.acked() == 1);
    assert!(program.is_silent());
    bench.decide(DecisionKind::Resumed);
    assert_eq!(program.event(), (2, 1, 2));
}

#[test]
fn what_cannot_be_read_blocks_the_sink_until_it_is_skipped() {
    let bench = Bench::start(limits());
    for order in 1..=5 {
        bench.append(order);
    }
    bench.events.set_damaged(true);
    let mut program = bench.attach();
    for tag in 1..=2 {
        assert_eq!(program.event(), (tag, 1, tag));
        program.delivered(tag);
    }
    bench.wait_until("it is blocked", |bench| bench.monitor.read().state == SinkState::Blocked);
    assert!(bench.monitor.read().last_error.unwrap().contains("offset 77"));
    bench.decide(DecisionKind::RangeSkipped { from: Sequence(3), to: Sequence(3) });
    assert_eq!((program.event(), program.event()), ((3, 1, 4), (4, 1, 5)));
}

#[test]
fn skip_to_voids_what_is_in_flight_and_goes_on_after_it() {
    let bench = Bench::start(limits());
    for order in 1..=30 {
        bench.append(order);
    }
    let mut program = bench.attach_with(Some(4), false);
    for _ in 0..4 {
        program.event();
    }
    bench.decide(DecisionKind::RangeSkipped { from: Sequence(1), to: Sequence(27) });
    for (tag, sequence) in [(5, 28), (6, 29), (7, 30)] {
        assert_eq!(program.event(), (tag, 1, sequence));
    }
    program.say("delivered", json!({"tags": [1, 2, 7]}));
    program.say("delivered", json!({"tags": [5, 6]}));
    bench.wait_until("all is settled", |bench| bench.acked() == 30);
}

#[test]
fn what_is_skipped_while_nobody_is_attached_does_not_keep_the_journal() {
    let bench = Bench::start(limits());
    for order in 1..=200 {
        bench.append(order);
    }
    bench.decide(DecisionKind::RangeSkipped { from: Sequence(1), to: Sequence(200) });
    bench.wait_until("the cursor is behind the skipped range", |bench| {
        CursorFile::inspect(&bench.storage, "events", STORE_ID).unwrap().unwrap().sequence.0 == 200
    });
}

#[test]
fn what_waits_for_a_program_has_an_age() {
    let bench = Bench::start(limits());
    bench.append(1);
    let much_later = Timestamp::from_micros(4_000_000_000_000_000).unwrap();
    bench.wait_until("the lag has an age", |bench| bench.monitor.read_at(much_later, Sequence(1)).lag_ms > 0);
}

#[test]
fn an_event_that_is_alone_in_flight_whenever_its_program_dies_is_parked() {
    let bench = Bench::start(limits());
    for order in 1..=6 {
        bench.append(order);
    }
    let mut detaches = 0;
    loop {
        let mut program = bench.attach();
        let killed = loop {
            let (tag, _, sequence) = program.event();
            if sequence == 3 {
                break true;
            }
            if detaches >= 3 {
                program.delivered(tag);
            }
            if sequence == 6 && detaches >= 3 {
                break false;
            }
        };
        if !killed {
            bench.wait_until("the others are settled", |bench| bench.acked() == 6);
            break;
        }
        detaches += 1;
        assert!(detaches < 20, "{:?}", bench.monitor.read());
        drop(program);
        bench.wait_until("it is gone", |bench| bench.monitor.read().attached.is_none());
    }
    let decided = bench.decided.lock().unwrap();
    assert!(matches!(&decided[0].kind, DecisionKind::Parked { order_id: parked, state: LaneState::Retrying, .. }
        if *parked == order_id(3)));
}

fn replay(from: u64, to: u64) -> ReplaySpec {
    let replay_id = uuid::Uuid::from_u128(u128::from(from * 1000 + to));
    let (from, to) = (Sequence(from), Sequence(to));
    ReplaySpec { replay_id, from, to, types: Vec::new(), order_id: None, rate_events_per_s_max: 1000 }
}

#[test]
fn a_replay_hands_a_range_out_again_beside_the_live_events_and_survives_a_restart() {
    let mut bench = Bench::start(limits());
    for order in [1, 2, 1, 3, 2] {
        bench.append(order);
    }
    let mut program = bench.attach();
    for _ in 0..5 {
        let (tag, _, _) = program.event();
        program.delivered(tag);
    }
    bench.wait_until("all is settled", |bench| bench.acked() == 5);
    let spec = replay(2, 4);
    bench.decide(DecisionKind::ReplayStarted(spec.clone()));
    let mut replayed = Vec::new();
    for _ in 0..2 {
        let line = program.line().unwrap();
        assert_eq!(line["params"]["replay"], spec.replay_id.to_string());
        assert_eq!(line["params"]["attempt"], 1);
        replayed.push(line["params"]["event"]["sequence"].as_str().unwrap().parse::<u64>().unwrap());
        program.delivered(line["params"]["tag"].as_u64().unwrap());
    }
    bench.wait_until("it is shown", |bench| bench.view.replay(spec.replay_id).is_some_and(|view| view.delivered == 2));
    bench.stop();
    let cursor = cursor::path_of(&cursor::replay_name("events", spec.replay_id));
    assert!(bench.storage.memory.contents(&cursor).is_some());
    let again = bench.restart(limits());
    let mut program = again.attach();
    let (_, _, sequence) = program.event();
    replayed.push(sequence);
    assert_eq!(replayed, [2, 3, 4]);
    program.delivered(1);
    let done = |bench: &Bench| bench.record.lock().unwrap().replays[0].state == ReplayState::Done;
    again.wait_until("it has ended", done);
    assert_eq!(again.record.lock().unwrap().replays[0].delivered, 3);
    again.wait_until("its cursor is gone", |bench| bench.storage.memory.contents(&cursor).is_none());
    assert_eq!(again.acked(), 5);
}

#[test]
fn what_fails_in_a_replay_is_passed_over_after_enough_tries_and_parks_nothing() {
    let bench = Bench::start(limits());
    for order in 1..=3 {
        bench.append(order);
    }
    let mut program = bench.attach();
    for _ in 0..3 {
        let (tag, _, _) = program.event();
        program.delivered(tag);
    }
    bench.wait_until("all is settled", |bench| bench.acked() == 3);
    bench.decide(DecisionKind::ReplayStarted(ReplaySpec { order_id: Some(order_id(2)), ..replay(1, 3) }));
    for attempt in 1..=3 {
        let (tag, tried, sequence) = program.event();
        assert_eq!((tried, sequence), (attempt, 2));
        program.say(if attempt == 2 { "rejected" } else { "failed" }, json!({"tag": tag, "reason": "no"}));
    }
    let replays = |bench: &Bench| bench.record.lock().unwrap().replays.clone();
    bench.wait_until("it has ended", |bench| replays(bench)[0].state == ReplayState::Done);
    assert_eq!((replays(&bench)[0].delivered, replays(&bench)[0].failed), (0, 1));
    assert_eq!(bench.monitor.read().parked_events, 0);
}
