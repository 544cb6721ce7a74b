//! Where a reader of the outbox may begin, and what it makes of a journal that is not the one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::store_test::registered;
use super::{DurableSequence, JournalOutbox, JournalPosition, Store, published};
use crate::contracts::{Decision, DecisionKind, EventFeed, FeedError, FeedPosition, Lsn, PlanStore, Sequence, Storage};
use crate::domain::Timestamp;
use crate::executor::Executor;
use crate::fuzzing::base::{executor, open, submission};
use crate::journal::{JournalHandle, create_store, segment_path};
use crate::repo::PlanRecord;
use crate::testkit::{Memory, STORE_ID};

/// A store in which every plan has a segment of its own, and an event.
struct Outbox {
    memory: Memory,
    executor: Executor<Store>,
}

impl Outbox {
    fn of(plans: u64) -> Self {
        let memory = Memory::with(&BTreeMap::new());
        create_store(&memory, STORE_ID).unwrap();
        let mut executor = executor(open(&memory, 1, None).unwrap().0);
        for number in 0..plans {
            executor.run(&[submission(number)]).unwrap();
        }
        Self { memory, executor }
    }

    /// A plan without an event.
    fn decide(&mut self, kind: DecisionKind) {
        let (at, reason) = (Timestamp::from_micros(5).unwrap(), Arc::from("because"));
        let store = self.executor.store_mut();
        store.make_room().unwrap();
        store.stage_decisions(None, vec![Decision { sink: Arc::from("mail"), at, uid: 7, reason, kind }]).unwrap();
        store.commit().unwrap();
    }

    fn files(&self) -> JournalHandle {
        let index = Arc::clone(self.executor.store().journal().index());
        JournalHandle { storage: Arc::new(self.memory.clone()), index, store_id: STORE_ID }
    }

    fn open_at(&self, position: impl Into<FeedPosition>) -> Result<JournalOutbox, FeedError> {
        let durable_sequence = Arc::clone(self.executor.store().durable_sequence());
        JournalOutbox::open(self.files(), durable_sequence, position.into())
    }

    /// The positions behind each event.
    fn positions(&self) -> Vec<JournalPosition> {
        let mut outbox = self.open_at(FeedPosition::START).unwrap();
        let mut positions = vec![outbox.position().into()];
        // As many as there may be, and not without an end.
        for _ in 0..100 {
            let mut events = Vec::new();
            outbox.read(1, &mut events).unwrap();
            let Some(event) = events.first() else { break };
            assert_eq!((events.len(), event.sequence), (1, outbox.position().sequence));
            positions.push(outbox.position().into());
        }
        positions
    }

    fn forget_before(&self, lsn: u64) {
        for old in 1..lsn {
            self.executor.store().journal().index().forget(Lsn(old));
            drop(self.memory.remove(&segment_path(Lsn(old))));
        }
    }

    #[track_caller]
    fn refused(&self, position: JournalPosition) -> String {
        match self.open_at(position) {
            Err(FeedError::Damaged(problem) | FeedError::OtherHistory(problem)) => problem,
            Err(FeedError::Io(error)) => panic!("{error}"),
            Ok(_) => panic!("it opens"),
            Err(error @ FeedError::NotHeld { .. }) => panic!("{error}"),
        }
    }
}

fn rest(outbox: &mut JournalOutbox) -> Vec<u64> {
    let mut events = Vec::new();
    outbox.read(100, &mut events).unwrap();
    events.iter().map(|event| event.sequence.0).collect()
}

#[test]
fn reading_goes_on_behind_every_position_that_was_one() {
    let outbox = Outbox::of(9);
    let positions = outbox.positions();
    assert_eq!(positions.len(), 10);
    for (behind, position) in (0..).zip(&positions) {
        assert_eq!((position.sequence, position.lsn), (Sequence(behind), Lsn(behind)));
        let expected: Vec<_> = (behind + 1..=9).collect();
        let mut read = outbox.open_at(*position).unwrap();
        assert_eq!(read.durable_sequence(), Sequence(9));
        assert_eq!(rest(&mut read), expected);
        assert_eq!(read.position(), positions[9].into());
    }
    let mut few = outbox.open_at(positions[2]).unwrap();
    let mut events = Vec::new();
    for (asked, there) in [(0, 0), (1, 1), (3, 4), (100, 7), (1, 7)] {
        few.read(asked, &mut events).unwrap();
        assert_eq!(events.len(), there);
    }
    // What a reader has read is durable, also while the number that says so is late.
    let mut early =
        JournalOutbox::open(outbox.files(), Arc::new(DurableSequence::new(Sequence(4))), positions[4].into()).unwrap();
    assert_eq!((rest(&mut early), early.durable_sequence()), (vec![5, 6, 7, 8, 9], Sequence(9)));
}

#[test]
fn plans_without_events_are_passed_over_and_not_needed_any_more() {
    let mut outbox = Outbox::of(3);
    for kind in [registered(), DecisionKind::Paused, DecisionKind::Resumed, DecisionKind::Paused] {
        outbox.decide(kind);
    }
    let mut read = outbox.open_at(FeedPosition::START).unwrap();
    assert_eq!(rest(&mut read), [1, 2, 3]);
    let end = JournalPosition::from(read.position());
    assert_eq!((end.sequence, end.lsn, end.segment), (Sequence(3), Lsn(7), Lsn(7)));
    assert_eq!(rest(&mut outbox.open_at(end).unwrap()), [0; 0]);
    outbox.executor.run(&[submission(3)]).unwrap();
    outbox.forget_before(7);
    assert_eq!(rest(&mut outbox.open_at(end).unwrap()), [4]);
    let problem = outbox.refused(JournalPosition { sequence: Sequence(2), ..end });
    assert_eq!(problem, "the cursor says that LSN 7 holds event 2; the journal does not");
}

#[test]
fn a_position_that_the_journal_does_not_reach_back_or_forward_to_is_refused() {
    let outbox = Outbox::of(9);
    let positions = outbox.positions();
    let ahead = JournalPosition { sequence: Sequence(10), lsn: Lsn(10), ..positions[9] };
    assert_eq!(outbox.refused(ahead), "the cursor stands at LSN 10, but the journal ends at 9");
    outbox.forget_before(5);
    for (behind, position) in (0..).zip(&positions) {
        if behind < 4 {
            let problem = outbox.refused(*position);
            assert_eq!(problem, format!("the cursor stands at LSN {behind}, but the journal begins at 5"));
        } else {
            // The plan at the cursor itself need not be there any more.
            let expected: Vec<_> = (behind + 1..=9).collect();
            assert_eq!(rest(&mut outbox.open_at(*position).unwrap()), expected, "behind {behind}");
        }
    }
}

#[test]
fn a_position_of_another_history_is_refused() {
    let outbox = Outbox::of(9);
    let sound = outbox.positions()[5];
    for other in [
        JournalPosition { body_crc: sound.body_crc ^ 1, ..sound },
        JournalPosition { sequence: Sequence(4), ..sound },
        JournalPosition { sequence: Sequence(6), ..sound },
        JournalPosition { sequence: Sequence(6), body_crc: 0, ..sound },
    ] {
        let (lsn, sequence) = (other.lsn, other.sequence);
        let problem = format!("the cursor says that LSN {lsn} holds event {sequence}; the journal does not");
        assert_eq!(outbox.refused(other), problem);
    }
    // Where a sink began at the end of the journal, there was no plan to take the checksum of.
    outbox.open_at(JournalPosition { body_crc: 0, ..sound }).unwrap();
    // The place is a hint and nothing else.
    outbox.open_at(JournalPosition { segment: Lsn(3), offset: 7, ..sound }).unwrap();
}

#[test]
fn a_new_sink_begins_with_what_is_there_or_behind_all_of_it() {
    let empty = Outbox::of(0);
    let start = JournalOutbox::beginning(empty.files(), Sequence::ZERO).unwrap();
    assert_eq!(start, FeedPosition::START);
    let outbox = Outbox::of(9);
    for oldest in [1, 5] {
        outbox.forget_before(oldest);
        let start = JournalOutbox::beginning(outbox.files(), Sequence(9)).unwrap();
        let before =
            JournalPosition { sequence: Sequence(oldest - 1), lsn: Lsn(oldest - 1), ..JournalPosition::default() };
        assert_eq!(JournalPosition::from(start), before);
        assert_eq!(rest(&mut outbox.open_at(start).unwrap())[0], oldest);
    }
    let end = JournalOutbox::end(&outbox.files(), Sequence(9));
    assert_eq!(
        JournalPosition::from(end),
        JournalPosition { sequence: Sequence(9), lsn: Lsn(9), ..JournalPosition::default() }
    );
    assert_eq!(rest(&mut outbox.open_at(end).unwrap()), [0; 0]);
}

#[test]
fn a_gap_in_the_numbers_is_damage() {
    let outbox = Outbox::of(9);
    // A reader that believes to stand elsewhere, at a place where there is nothing to check it against.
    outbox.forget_before(5);
    let mut astray =
        outbox.open_at(JournalPosition { sequence: Sequence(3), lsn: Lsn(4), ..JournalPosition::default() }).unwrap();
    let error = astray.read(10, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "LSN 5 holds event 5 where 4 was due");
}

#[test]
fn an_event_keeps_its_number_and_the_source_that_it_was_stored_with() {
    let bodies = &crate::fuzzing::base::base().bodies;
    for (plan, body) in (1..).zip(bodies) {
        let stored = PlanRecord::decode(body).unwrap();
        let events: Vec<_> = published(stored, &Arc::from("/elsewhere")).collect();
        assert_eq!((events.len(), events[0].sequence, &*events[0].source), (1, Sequence(plan), "/elsewhere"));
    }
    let outbox = Outbox::of(3);
    let mut events = Vec::new();
    outbox.open_at(FeedPosition::START).unwrap().read(9, &mut events).unwrap();
    assert!(events.iter().all(|event| &*event.source == "/orderd"));
    assert!(Arc::ptr_eq(&events[0].source, &events[2].source), "it is shared");
}

#[test]
fn a_start_refuses_a_journal_that_its_cursor_disproves_and_says_which_of_the_two_is_wrong() {
    let outbox = Outbox::of(9);
    let positions = outbox.positions();
    drop(outbox.executor);
    let start = |files: &BTreeMap<String, Vec<u8>>, cursor: Option<JournalPosition>| {
        let memory = Memory::with(files);
        let started = open(&memory, 2, cursor.map(JournalPosition::into)).map(|(_, report)| report.journal.last_lsn);
        assert!(started.is_ok() || memory.files() == *files, "a refusal changed the store");
        started.map_err(|error| error.to_string())
    };
    let sound = outbox.memory.files();
    assert_eq!(start(&sound, Some(positions[5])), Ok(Lsn(9)));
    let other = start(&sound, Some(JournalPosition { body_crc: positions[5].body_crc ^ 1, ..positions[5] }));
    let problem = "damaged at offset 0: the cursor says that LSN 5 holds event 5; the journal does not";
    assert_eq!(other, Err(format!("store/cursors/events.cursor: {problem}")));
    // The last plan is gone, and looks as if it had never been written.
    let mut torn = sound;
    let last = segment_path(Lsn(9));
    torn.get_mut(&last).unwrap()[64..].fill(0);
    assert_eq!(start(&torn, Some(positions[8])), Ok(Lsn(8)));
    let problem = "LSN 9 is unreadable or missing, but a cursor or checkpoint has LSN 9";
    assert_eq!(start(&torn, Some(positions[9])), Err(format!("{last}: damaged at offset 64: {problem}")));
}
