//! The past is found by search, wherever it is.

use super::store_test::{Bench, at, order_id, registered};
use crate::contracts::{DecisionKind, FeedError, Lsn, OrderRepository, Plan, PlanStore, Sequence};

/// Many orders in several segments, some of them completed, with decisions in between.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.decide(None, vec![registered()]).unwrap();
    for number in 1..=2000 {
        assert!(bench.place(number));
        if number % 100 == 0 {
            bench.decide(None, vec![DecisionKind::Paused, DecisionKind::Resumed]).unwrap();
            let mut order = bench.store.retrieve(order_id(number - 50)).unwrap();
            order.complete(at(1000 * i64::try_from(number).unwrap())).unwrap();
            let plan = Plan::for_order(&bench.store, &mut order);
            assert!(bench.commit(&plan));
        }
    }
    assert!(bench.store.journal().index().list().len() > 3);
    bench
}

#[test]
fn a_feed_opens_after_any_event() {
    for bench in [bench(), bench().restart()] {
        let history = bench.store.history();
        let last = history.last_sequence();
        assert_eq!(last, bench.store.last_sequence());
        for after in (0..last.0).step_by(37).chain([last.0 - 1]) {
            let mut feed = history.open_after(Sequence(after)).unwrap();
            let mut events = Vec::new();
            feed.read(5, &mut events).unwrap();
            let numbers: Vec<_> = events.iter().map(|event| event.sequence.0).collect();
            assert_eq!(numbers, (after + 1..=last.0.min(after + 5)).collect::<Vec<_>>());
            // And goes on at the position that it gave.
            let mut again = history.open_at(feed.position()).unwrap();
            events.clear();
            again.read(1, &mut events).unwrap();
            assert_eq!(events.first().map(|event| event.sequence.0), Some(after + 6).filter(|next| *next <= last.0));
        }
        let mut events = Vec::new();
        history.open_after(last).unwrap().read(1, &mut events).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn what_has_left_the_journal_is_named() {
    let bench = bench();
    let second = bench.store.journal().index().list()[1].0;
    bench.store.journal().index().forget(Lsn(1));
    let history = bench.store.history();
    let oldest = history.oldest_sequence().unwrap();
    let mut events = Vec::new();
    history.open_after(Sequence(oldest.0 - 1)).unwrap().read(1, &mut events).unwrap();
    assert_eq!(events[0].sequence, oldest);
    assert!(oldest.0 > 1 && second > Lsn(1));
    match history.open_after(Sequence(oldest.0 - 2)) {
        Err(FeedError::NotHeld { wanted, oldest: named }) => assert_eq!((wanted.0, named), (oldest.0 - 1, oldest)),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it opens"),
    }
    // The chain of an order that began before ends where the journal begins.
    let late = history.order_events(order_id(1950), bench.store.order_lsn(order_id(1950)).unwrap().unwrap()).unwrap();
    assert_eq!((late.events.len(), late.complete), (2, true));
    let lost = history.order_events(order_id(1), bench.store.order_lsn(order_id(1)).unwrap().unwrap()).unwrap();
    assert_eq!((lost.events.len(), lost.complete), (0, false));
}

#[test]
fn a_time_finds_its_events() {
    let bench = bench();
    let history = bench.store.history();
    let time_of = |sequence: u64| {
        let mut events = Vec::new();
        history.open_after(Sequence(sequence - 1)).unwrap().read(1, &mut events).unwrap();
        events[0].entry.event.occurred_at()
    };
    for sequence in (1..=history.last_sequence().0).step_by(91) {
        let time = time_of(sequence);
        let first = history.first_at_or_after(time).unwrap().unwrap();
        let last = history.last_at_or_before(time).unwrap().unwrap();
        assert!(time_of(first.0) == time && time_of(last.0) == time && first.0 <= sequence && sequence <= last.0);
        assert!(first.0 == 1 || time_of(first.0 - 1) < time);
    }
    assert_eq!(history.first_at_or_after(at(0)).unwrap(), Some(Sequence(1)));
    assert_eq!(history.last_at_or_before(at(0)).unwrap(), None);
    assert_eq!(history.first_at_or_after(at(i64::from(i32::MAX))).unwrap(), None);
    assert_eq!(history.last_at_or_before(at(i64::from(i32::MAX))).unwrap(), Some(history.last_sequence()));
}

#[test]
fn decisions_are_listed_page_by_page() {
    let bench = bench();
    let history = bench.store.history();
    let (mut after, mut found) = (Lsn::ZERO, Vec::new());
    loop {
        let page = history.decisions(after, 7, 500).unwrap();
        found.extend(page.decisions.into_iter().map(|(lsn, decision)| (lsn, decision.kind.as_str())));
        if page.at_end {
            break;
        }
        after = page.looked_to;
    }
    assert_eq!(found.len(), 41);
    assert_eq!((found[0], found[1].1, found[2].1), ((Lsn(1), "registered"), "paused", "resumed"));
    assert!(found.is_sorted_by(|one, next| one.0 < next.0));
}
