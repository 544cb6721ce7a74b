use uuid::Uuid;

use super::*;
use crate::contracts::{
    LaneState, OutboxEntry, PublishedEvent, ReplaySpec, ReplayState, SinkStartPoint, SinkType, SnapshotStart,
};
use crate::domain::{Cents, CustomerId, EventId, OrderEvent, OrderPlaced, Timestamp};

fn order(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(number))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn event(sequence: u64, number: u128) -> Arc<PublishedEvent> {
    let placed = OrderPlaced {
        order_id: order(number),
        customer_id: CustomerId::new(Uuid::nil()),
        total_amount: Cents::MAX,
        placed_at: at(1),
    };
    let id = EventId::of_transition(order(number), 1);
    let entry = OutboxEntry { id, order_version: 1, event: OrderEvent::Placed(placed), context: None };
    Arc::new(PublishedEvent { sequence: Sequence(sequence), entry, source: "/orderd".into(), epoch: 1 })
}

fn decision(kind: DecisionKind) -> Decision {
    Decision { sink: "a".into(), at: at(5), uid: 7, reason: "because".into(), kind }
}

fn registered() -> DecisionKind {
    registered_as(SinkType::Subscription)
}

fn registered_as(sink_type: SinkType) -> DecisionKind {
    let source = Arc::from("/orderd");
    DecisionKind::Registered(SinkStartPoint {
        sink_type,
        after: Sequence::ZERO,
        snapshot: Some(SnapshotStart { orders: 3, epoch: 1, lsn: Lsn(6) }),
        source,
    })
}

fn parked(number: u128, state: LaneState, sequences: &[u64]) -> DecisionKind {
    let events = sequences.iter().map(|sequence| event(*sequence, number)).collect();
    DecisionKind::Parked { order_id: order(number), state, attempts: 8, events }
}

fn delivered(events: &[(u128, u64)]) -> DecisionKind {
    DecisionKind::Delivered {
        events: events.iter().map(|(number, sequence)| (order(*number), Sequence(*sequence))).collect(),
    }
}

fn skipped(number: u128, sequence: u64) -> DecisionKind {
    DecisionKind::LaneSkipped { order_id: order(number), sequence: Sequence(sequence) }
}

fn replay(number: u128) -> [DecisionKind; 2] {
    let replay_id = Uuid::from_u128(number);
    let spec = ReplaySpec {
        replay_id,
        from: Sequence(1),
        to: Sequence(2),
        types: Vec::new(),
        order_id: None,
        rate_events_per_s_max: 500,
    };
    let ended = DecisionKind::ReplayEnded { replay_id, cancelled: false, delivered: 2, failed: 0 };
    [DecisionKind::ReplayStarted(spec), ended]
}

/// A life of a sink in which everything happens.
fn history() -> Vec<DecisionKind> {
    let mut kinds = vec![
        registered(),
        parked(1, LaneState::Rejected, &[5]),
        parked(1, LaneState::Rejected, &[7]),
        parked(2, LaneState::Retrying, &[6, 9]),
        DecisionKind::Halted,
        DecisionKind::Requeued { order_id: order(1) },
        delivered(&[(1, 5), (1, 7), (2, 6)]),
        skipped(2, 9),
        DecisionKind::Resumed,
        parked(1, LaneState::Held, &[11]),
        parked(1, LaneState::Retrying, &[]),
        DecisionKind::RangeSkipped { from: Sequence(20), to: Sequence(29) },
        DecisionKind::Paused,
        DecisionKind::SnapshotEnded,
        DecisionKind::RangeSkipped { from: Sequence(30), to: Sequence(31) },
    ];
    kinds.extend(replay(1));
    kinds.push(DecisionKind::Forgotten);
    kinds.push(registered());
    kinds.push(parked(3, LaneState::Held, &[40]));
    kinds.extend([DecisionKind::Restored { epoch: 2 }, skipped(3, 40), parked(4, LaneState::Rejected, &[41, 42])]);
    kinds.extend((2..110).flat_map(replay));
    kinds.push(registered_as(SinkType::File));
    kinds
}

fn states() -> Vec<DeliveryState> {
    let mut state = DeliveryState::default();
    let mut states = vec![state.clone()];
    for (lsn, kind) in (1..).zip(history()) {
        state.apply(Lsn(lsn), &decision(kind));
        states.push(state.clone());
    }
    states
}

#[test]
fn a_lane_holds_its_events_until_they_get_through_or_are_skipped() {
    let states = states();
    let lane = |at: usize, number: u128| states[at].sink("a").unwrap().lanes.get(&order(number)).cloned();
    let sequences = |lane: &ParkedLane| lane.events.iter().map(|event| event.sequence.0).collect::<Vec<_>>();
    assert_eq!(sequences(&lane(3, 1).unwrap()), [5, 7]);
    assert_eq!((states[4].sink("a").unwrap().parked_events, lane(6, 1).unwrap().state), (4, LaneState::Requeued));
    assert_eq!((lane(7, 1), sequences(&lane(7, 2).unwrap())), (None, vec![9]));
    assert_eq!((lane(8, 2), states[8].sink("a").unwrap().skipped_events.clone()), (None, vec![Sequence(9)]));
    let [held, parked_again] = [lane(10, 1).unwrap(), lane(11, 1).unwrap()];
    let states_of_it = (held.state, parked_again.state);
    assert_eq!((states_of_it, sequences(&parked_again)), ((LaneState::Held, LaneState::Held), vec![11]));
    let record = states[8].sink("a").unwrap();
    assert_eq!((record.parked_events, record.parked_bytes), (0, 0));
}

#[test]
fn a_sink_remembers_pauses_halts_skips_and_its_last_replays() {
    let states = states();
    let record = |at: usize| states[at].sink("a").unwrap();
    assert!(record(5).halted && !record(9).halted);
    assert!(record(13).paused && record(13).snapshot_running && !record(14).snapshot_running);
    assert_eq!(record(15).skipped, [(Sequence(20), Sequence(31))]);
    assert_eq!(states[18].sink("a"), None);
    let last = states.last().unwrap();
    assert_eq!(last.epoch(), 2);
    let replays = &last.sink("a").unwrap().replays;
    assert_eq!((replays.len(), replays[0].spec.replay_id), (100, Uuid::from_u128(10)));
    assert!(replays.iter().all(|replay| replay.state == ReplayState::Done && replay.delivered == 2));
}

#[test]
fn a_sink_registered_again_has_another_type_and_keeps_all_else() {
    let states = states();
    let [before, after] = [states.len() - 2, states.len() - 1].map(|at| states[at].sink("a").unwrap());
    let mut expected = before.clone();
    expected.start.sink_type = SinkType::File;
    assert_eq!(*after, expected);
}

#[test]
fn what_is_skipped_is_forgotten_with_the_journal_that_held_it() {
    let mut state = states()[15].clone();
    state.drop_skipped_before(Sequence(10));
    assert_eq!(state.sink("a").unwrap().skipped_events, []);
    assert_eq!(state.sink("a").unwrap().skipped, [(Sequence(20), Sequence(31))]);
    state.drop_skipped_before(Sequence(32));
    assert_eq!(state.sink("a").unwrap().skipped, []);
}

#[test]
fn every_decision_can_be_taken_back() {
    let states = states();
    let mut state = DeliveryState::default();
    let mut undo = Vec::new();
    for (lsn, kind) in (1..).zip(history()) {
        undo.push(state.apply(Lsn(lsn), &decision(kind)));
    }
    for before in states.iter().rev().skip(1) {
        state.undo(undo.pop().unwrap());
        assert_eq!(state, *before);
    }
}

/// A checkpoint copies the records at one moment and lanes at later ones; what replaying makes of it is what is there.
#[test]
fn replaying_over_a_copy_that_was_made_meanwhile_gives_the_same_state() {
    let (states, history) = (states(), history());
    let last = states.last().unwrap();
    for (covered, heads) in states.iter().enumerate().take(40) {
        for lanes in states.iter().take(40).skip(covered) {
            let mut copy = DeliveryState::default();
            copy.set_epoch(heads.epoch());
            for sink in heads.recorded() {
                let record =
                    SinkRecord { lanes: BTreeMap::new(), parked_events: 0, parked_bytes: 0, ..sink.record.clone() };
                copy.insert_recorded(RecordedSink { record, copied: Lsn(covered as u64), ..sink.clone() }).unwrap();
            }
            for (name, lane) in lanes.lanes_after(None, 100) {
                copy.insert_lane(&name.sink, name.order_id, lane).unwrap();
            }
            for (lsn, kind) in (1..).zip(&history).skip(covered) {
                copy.apply(Lsn(lsn), &decision(kind.clone()));
            }
            let records: Vec<_> = copy.sinks().collect();
            assert_eq!(records, last.sinks().collect::<Vec<_>>(), "from {covered}");
            assert_eq!(copy.epoch(), last.epoch());
        }
    }
}

#[test]
fn lanes_are_handed_out_page_by_page() {
    let mut state = DeliveryState::default();
    for (lsn, sink) in ["a", "b", "c"].into_iter().enumerate() {
        let named = |kind| Decision { sink: sink.into(), ..decision(kind) };
        state.apply(Lsn(lsn as u64), &named(registered()));
        for number in 0..(lsn as u64 * 3) {
            state.apply(Lsn(100), &named(parked(u128::from(number), LaneState::Held, &[number + 1])));
        }
    }
    for count in [1, 2, 4, 100] {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = state.lanes_after(after.as_ref(), count);
            let Some((last, _)) = page.last() else { break };
            assert!(page.len() <= count);
            after = Some(last.clone());
            names.extend(page.into_iter().map(|(name, _)| (name.sink, name.order_id)));
        }
        let expected = state.sinks().flat_map(|sink| sink.lanes.keys().map(|id| (Arc::clone(&sink.name), *id)));
        assert_eq!(names, expected.collect::<Vec<_>>());
    }
}
