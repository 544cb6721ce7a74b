//! What cannot be read, and what operators decide.

use super::*;
use crate::contracts::{Decision, DecisionInbox, DecisionKind, DecisionNews, Lsn};

#[test]
fn what_cannot_be_read_blocks_the_sink_and_not_the_daemon() {
    for failure in
        [FeedError::Io(io::Error::other("bad sector")), FeedError::Damaged("segment 1, byte 4711".to_owned())]
    {
        let world = World::with(20);
        let mut worker = world.start();
        let shown = failure.to_string();
        world.outbox.fail_next_read(failure);
        let Step::Retry(at) = worker.step().unwrap() else { panic!("it cannot be read") };
        let status = worker.monitor().read();
        assert_eq!((status.state, status.last_error), (SinkState::Blocked, Some(shown)));
        assert!(world.sink.offers().is_empty());
        assert_eq!(worker.step().unwrap(), Step::Retry(at));
        world.clock.advance(at);
        settle(&mut worker);
        assert_eq!(world.taken(), lines(1, 20), "it is read again, because the disk may have been mended");
    }
}

#[test]
fn a_gap_in_the_outbox_blocks_the_sink_and_is_not_delivered() {
    let world = World::with(20);
    let mut worker = world.start();
    world.outbox.skip_one_event();
    settle(&mut worker);
    let status = worker.monitor().read();
    assert_eq!(status.state, SinkState::Blocked);
    assert_eq!(status.last_error.as_deref(), Some("event 6 should be next, and event 7 is"));
    assert!(world.sink.offers().iter().all(|offer| offer.last < 6));
}

/// What an operator has decided.
fn decide(inbox: &DecisionInbox, kind: DecisionKind) {
    let at = event(1).entry.event.occurred_at();
    let (sink, reason): (Arc<str>, Arc<str>) = (Arc::from("events"), Arc::from("by hand"));
    let decision = Arc::new(Decision { sink, at, uid: 0, reason, kind });
    inbox.put([DecisionNews::Durable { ticket: None, lsn: Lsn(1), decision, row: None }]);
}

#[test]
fn a_paused_sink_gets_nothing_until_it_is_resumed() {
    let world = World::with(5);
    let mut worker = world.start();
    let inbox = worker.inbox(&Arc::new(Control::default()));
    decide(&inbox, DecisionKind::Paused);
    assert_eq!(settle(&mut worker), Step::Idle);
    assert_eq!((worker.monitor().read().state, world.sink.offers().len()), (SinkState::Paused, 0));
    decide(&inbox, DecisionKind::Resumed);
    settle(&mut worker);
    assert_eq!(world.taken(), lines(1, 5));
}

#[test]
fn skip_to_passes_over_what_was_not_delivered_also_if_it_cannot_be_read() {
    let world = World::with(20);
    let mut worker = world.start();
    let inbox = worker.inbox(&Arc::new(Control::default()));
    world.outbox.skip_one_event();
    settle(&mut worker);
    let from = worker.position().sequence.next();
    decide(&inbox, DecisionKind::RangeSkipped { from, to: Sequence(12) });
    settle(&mut worker);
    worker.save().unwrap();
    assert_eq!(world.taken(), [lines(1, from.0 - 1), lines(13, 20)].concat());
    assert_eq!(world.saved(), 20);
}

#[test]
fn retry_ends_the_wait() {
    let world = World::with(5);
    let mut worker = world.start();
    let inbox = worker.inbox(&Arc::new(Control::default()));
    world.sink.fail_next(1);
    assert!(matches!(settle(&mut worker), Step::Retry(_)));
    inbox.put([DecisionNews::Retry]);
    settle(&mut worker);
    assert_eq!(world.taken(), lines(1, 5));
    assert_eq!(worker.view().failures().len(), 1);
}
