use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::contracts::EventState;

const AT: Sequence = Sequence(10);
const ROWS: u64 = 4;
const NOW: Duration = Duration::from_millis(1);

pub(super) fn order(number: u64) -> OrderId {
    OrderId::new(Uuid::from_u128(u128::from(number)))
}

pub(super) fn limits() -> Limits {
    Limits {
        in_flight_max: 8,
        in_flight_bytes_max: 1000,
        window_events_max: 3,
        parked_events_max: 100,
        rejected_in_a_row_max: 100,
        rate_events_per_s_max: None,
        delivered_delay_max: Duration::ZERO,
        answer_max: Duration::from_secs(10),
        attempts_max: 3,
        parked_bytes_max: 10_000,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(2),
        delivered_events_max: 1,
        slow_start_events: 16,
        detaches_in_a_row_max: 3,
        retry_after_max: Duration::from_secs(3600),
        seed: 1,
    }
}

fn scheduler(stored: Stored) -> Scheduler {
    let snapshot = Some(Snapshot { at: AT, rows: ROWS });
    let mut scheduler = Scheduler::new(limits(), Stored { snapshot, ..stored }, NOW);
    scheduler.attach(8);
    scheduler
}

/// Reads as many rows as are wanted; the order of row n is n.
fn read(scheduler: &mut Scheduler) {
    for _ in 0..scheduler.wanted() {
        scheduler.push(order(scheduler.next_to_read().0), 10);
    }
}

fn hand_out(scheduler: &mut Scheduler) -> Vec<HandOut> {
    std::iter::from_fn(|| scheduler.next(NOW)).collect()
}

/// The next batch of wishes becomes durable; gives what was parked.
fn decide(scheduler: &mut Scheduler) -> Vec<OrderId> {
    let mut parked = Vec::new();
    while let Some(wish) = scheduler.take_wish() {
        match wish {
            Wish::Park(park) => {
                scheduler.parked(park.order_id, park.state, &park.reason, &[(AT, 10)], true, NOW);
                parked.push(park.order_id);
            }
            Wish::Delivered(order_id, sequence) => scheduler.delivered_durably(&[(order_id, sequence)]),
            Wish::Halt(_) => scheduler.halted(),
        }
    }
    parked
}

#[test]
fn every_row_goes_out_once_and_the_live_events_come_after_the_last() {
    let mut scheduler = scheduler(Stored::default());
    let mut rows = Vec::new();
    while !scheduler.is_snapshot_done() {
        read(&mut scheduler);
        assert_eq!((scheduler.standing().prefix, scheduler.standing().settled_ahead), (AT, 0));
        for out in hand_out(&mut scheduler) {
            assert_eq!(out.order_id, order(out.sequence.0));
            rows.push(out.sequence.0);
            scheduler.delivered(out.tag, NOW).unwrap();
        }
        assert_eq!(scheduler.standing().snapshot_left, ROWS - rows.len() as u64);
    }
    assert_eq!((rows, scheduler.wanted()), (vec![1, 2, 3, 4], 0), "no more rows than there are");
    scheduler.end_snapshot();
    assert_eq!((scheduler.next_to_read(), scheduler.prefix(), scheduler.snapshot_left()), (AT.next(), AT, 0));
    read(&mut scheduler);
    assert_eq!(hand_out(&mut scheduler).first().map(|out| out.sequence), Some(AT.next()));
}

#[test]
fn a_rejected_row_is_parked_under_the_position_and_holds_its_lane() {
    let mut scheduler = scheduler(Stored::default());
    read(&mut scheduler);
    let reason = Arc::from("no");
    for out in hand_out(&mut scheduler) {
        match out.sequence {
            Sequence(2) => scheduler.rejected(out.tag, &reason, NOW).unwrap(),
            _ => scheduler.delivered(out.tag, NOW).unwrap(),
        }
    }
    assert_eq!(scheduler.take_failures()[0].event, Some((AT, order(2))), "shown with the position, not with the row");
    assert_eq!((scheduler.prefix(), scheduler.standing().snapshot_left), (Sequence(1), 2), "not before it is durable");
    assert_eq!(decide(&mut scheduler), [order(2)]);
    read(&mut scheduler);
    hand_out(&mut scheduler).iter().for_each(|out| scheduler.delivered(out.tag, NOW).unwrap());
    assert!(scheduler.is_snapshot_done());
    scheduler.end_snapshot();
    // A later event of the order joins its lane, and what is requeued comes first.
    scheduler.push(order(2), 10);
    assert_eq!(hand_out(&mut scheduler), []);
    let later = scheduler.take_wish();
    assert!(matches!(&later, Some(Wish::Park(park)) if park.events == [AT.next()]), "{later:?}");
    scheduler.parked(order(2), LaneState::Rejected, &reason, &[(AT.next(), 10)], true, NOW);
    scheduler.requeued(order(2));
    let mut sequences = Vec::new();
    while let [out] = hand_out(&mut scheduler)[..] {
        sequences.push(out.sequence);
        scheduler.delivered(out.tag, NOW).unwrap();
        scheduler.delivered_durably(&[(out.order_id, out.sequence)]);
    }
    assert_eq!(sequences, [AT, AT.next()]);
}

#[test]
fn an_outcome_counts_for_a_row_that_was_parked_before_the_snapshot_ended() {
    let mut scheduler = scheduler(Stored::default());
    read(&mut scheduler);
    let outs = hand_out(&mut scheduler);
    let (first, rest) = outs.split_first().unwrap();
    rest.iter().for_each(|out| scheduler.delivered(out.tag, NOW).unwrap());
    scheduler.parked(first.order_id, LaneState::Held, &Arc::from("by hand"), &[(AT, 10)], false, NOW);
    assert_eq!(scheduler.lane(first.order_id).unwrap().in_flight, Some(AT));
    read(&mut scheduler);
    hand_out(&mut scheduler).iter().for_each(|out| scheduler.delivered(out.tag, NOW).unwrap());
    scheduler.end_snapshot();
    scheduler.delivered(first.tag, NOW).unwrap();
    assert_eq!(scheduler.take_wish(), Some(Wish::Delivered(first.order_id, AT)));
}

#[test]
fn a_restart_goes_on_where_rows_are_open_and_not_where_their_lanes_are_parked() {
    let lane = StoredLane {
        order_id: order(3),
        state: LaneState::Rejected,
        attempts: 1,
        reason: Arc::from("no"),
        events: vec![(AT, 10)],
        row: Some(Sequence(3)),
    };
    let stored = Stored { prefix: Sequence(1), settled: vec![Sequence(4)], lanes: vec![lane], ..Stored::default() };
    let mut scheduler = scheduler(stored);
    let mut rows = Vec::new();
    while !scheduler.is_snapshot_done() {
        read(&mut scheduler);
        let outs = hand_out(&mut scheduler);
        rows.extend(outs.iter().map(|out| out.sequence.0));
        outs.iter().for_each(|out| scheduler.delivered(out.tag, NOW).unwrap());
    }
    assert_eq!(rows, [2]);
}

#[test]
fn passing_over_the_position_ends_the_snapshot_and_nothing_before_does() {
    let mut scheduler = scheduler(Stored::default());
    // Rows are no sequences: a range below the position passes over none of them.
    scheduler.range_skipped(Sequence(1), Sequence(9));
    read(&mut scheduler);
    let outs = hand_out(&mut scheduler);
    assert_eq!((outs.len(), scheduler.prefix(), scheduler.snapshot_left()), (3, Sequence::ZERO, ROWS));
    scheduler.rejected(outs[0].tag, &Arc::from("no"), NOW).unwrap();
    scheduler.range_skipped(AT, Sequence(12));
    assert!(!scheduler.is_snapshot_done(), "what is to be parked is not passed over");
    assert_eq!(scheduler.delivered(outs[1].tag, NOW), Ok(()), "what was in flight counts for nothing");
    decide(&mut scheduler);
    assert!(scheduler.is_snapshot_done());
    scheduler.end_snapshot();
    assert_eq!((scheduler.next_to_read(), scheduler.event(Sequence(12)).state), (Sequence(13), EventState::Settled));
    assert_eq!(scheduler.standing().parked_events, 1);
}

#[test]
fn an_empty_snapshot_and_one_that_was_passed_over_are_done_at_the_start() {
    let empty = Stored { snapshot: Some(Snapshot { at: AT, rows: 0 }), ..Stored::default() };
    assert!(Scheduler::new(limits(), empty, NOW).is_snapshot_done());
    let passed = scheduler(Stored { prefix: Sequence(2), skips: vec![(AT, AT)], ..Stored::default() });
    assert!(passed.is_snapshot_done());
}

fn park_by_hand(scheduler: &mut Scheduler, number: u64, sequence: Sequence) {
    scheduler.note_row(order(number), Sequence(number));
    scheduler.parked(order(number), LaneState::Held, &Arc::from("by hand"), &[(sequence, 10)], false, NOW);
}

/// Delivers whatever goes out until there is nothing more; gives the rows or sequences, with their orders.
fn deliver_all(scheduler: &mut Scheduler) -> Vec<(OrderId, Sequence)> {
    let mut delivered = Vec::new();
    loop {
        read(scheduler);
        let outs = hand_out(scheduler);
        if outs.is_empty() {
            return delivered;
        }
        for out in outs {
            scheduler.delivered(out.tag, NOW).unwrap();
            delivered.push((out.order_id, out.sequence));
        }
        decide(scheduler);
    }
}

#[test]
fn an_order_that_is_parked_by_hand_before_its_row_was_read_goes_out_once() {
    for requeued_early in [false, true] {
        let mut scheduler = scheduler(Stored::default());
        read(&mut scheduler);
        park_by_hand(&mut scheduler, 4, AT);
        assert_eq!(scheduler.snapshot_left(), ROWS - 1, "what is parked is not left");
        let mut delivered = Vec::new();
        if requeued_early {
            scheduler.requeued(order(4));
            delivered.extend(deliver_all(&mut scheduler));
        } else {
            let rows = deliver_all(&mut scheduler);
            assert!(rows.iter().all(|(order_id, _)| *order_id != order(4)), "it is held: {rows:?}");
            delivered.extend(rows);
            assert!(scheduler.is_snapshot_done());
            scheduler.end_snapshot();
            scheduler.requeued(order(4));
            while let [out] = hand_out(&mut scheduler)[..] {
                scheduler.delivered(out.tag, NOW).unwrap();
                decide(&mut scheduler);
                delivered.push((out.order_id, out.sequence));
            }
        }
        let of_it: Vec<_> = delivered.iter().filter(|(order_id, _)| *order_id == order(4)).collect();
        assert_eq!(of_it, [&(order(4), AT)], "requeued early: {requeued_early}");
        assert_eq!(delivered.len() as u64, ROWS);
        assert_eq!(scheduler.standing().parked_events, 0);
    }
}

#[test]
fn what_is_parked_of_the_events_after_a_snapshot_waits_for_its_end_and_goes_out_once() {
    let mut scheduler = scheduler(Stored::default());
    read(&mut scheduler);
    let outs = hand_out(&mut scheduler);
    scheduler.delivered(outs[0].tag, NOW).unwrap();
    park_by_hand(&mut scheduler, 1, AT.next());
    park_by_hand(&mut scheduler, 3, AT.next().next());
    assert_eq!(scheduler.lane(order(3)).unwrap().in_flight, Some(AT), "its row is not what was parked");
    scheduler.requeued(order(1));
    assert!(hand_out(&mut scheduler).iter().all(|out| out.order_id != order(1)), "it comes after the whole snapshot");
    outs[1..].iter().for_each(|out| scheduler.delivered(out.tag, NOW).unwrap());
    deliver_all(&mut scheduler);
    scheduler.end_snapshot();
    let [out] = hand_out(&mut scheduler)[..] else { panic!("one waits") };
    assert_eq!((out.order_id, out.sequence), (order(1), AT.next()));
    scheduler.delivered(out.tag, NOW).unwrap();
    decide(&mut scheduler);
    // The other is passed over while it is parked; neither comes again when the stream gets to it.
    scheduler.lane_skipped(order(3), AT.next().next());
    (0..2).for_each(|_| scheduler.push(order(9), 10));
    assert_eq!((hand_out(&mut scheduler), scheduler.prefix()), (Vec::new(), AT.next().next()));
}
