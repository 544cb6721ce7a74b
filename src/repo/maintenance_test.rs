//! When checkpoints are written, and what may go behind them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Maintenance, MaintenanceOptions, Store, StoreOptions, open_store};
use crate::contracts::{JournalNeeds, Lsn, Outcome, PlanStore, Storage};
use crate::executor::Executor;
use crate::fuzzing::base::{executor, open, source, state_of, submission};
use crate::journal::{CHECKPOINTS_DIR, JournalHandle, JournalOptions, checkpoint_name, list_checkpoints};
use crate::testkit::{Memory, STORE_ID, SteppedClock, Watched};

pub(super) const NEVER: MaintenanceOptions = MaintenanceOptions {
    journal_bytes: u64::MAX,
    plans: u64::MAX,
    age: Duration::MAX,
    retain_bytes: 0,
    journal_bytes_max: u64::MAX,
    stop_journal_bytes: u64::MAX,
};
const RETRY: Duration = Duration::from_secs(5);
const MOMENT: Duration = Duration::from_nanos(1);

/// A store in which every plan has a segment of its own, and who keeps its house.
pub(super) struct House {
    pub(super) storage: Watched,
    pub(super) clock: SteppedClock,
    pub(super) executor: Executor<Store>,
    pub(super) keeper: Maintenance,
    pub(super) plans: u64,
}

impl House {
    pub(super) fn new(options: MaintenanceOptions) -> Self {
        Self::with(options, u64::MAX >> 1, Lsn::ZERO, Vec::new())
    }

    fn with(options: MaintenanceOptions, bytes_max: u64, loaded: Lsn, cursors: Vec<Lsn>) -> Self {
        let (storage, clock) = (Watched::new(), SteppedClock::default());
        let journal = JournalOptions {
            segment_bytes: 1,
            bytes_max,
            batch_bytes_max: 512,
            plan_bytes_max: (8 << 10) - 40,
            decisions_bytes: 0,
            full_probe: Duration::ZERO,
            epoch_seed: 1,
        };
        let store = StoreOptions {
            journal,
            command_ids_max: 12,
            event_source: Arc::from("/orderd"),
            redone_plans: Arc::default(),
        };
        let shared: Arc<dyn Storage> = Arc::new(storage.clone());
        let (store, _) = open_store(&shared, Arc::new(clock.clone()), STORE_ID, &store, &[]).unwrap();
        let files = JournalHandle { storage: shared, index: Arc::clone(store.journal().index()), store_id: STORE_ID };
        let needs = Arc::new(JournalNeeds::default());
        for (number, lsn) in cursors.into_iter().enumerate() {
            needs.add(format!("sink-{number}").into(), Box::new(move || lsn));
        }
        let keeper = Maintenance::new(files, Arc::new(clock.clone()), options, loaded, needs);
        Self { storage, clock, executor: executor(store), keeper, plans: 0 }
    }

    fn plan(&mut self) -> bool {
        let answers = self.executor.run(&[submission(self.plans)]).unwrap();
        let changed = matches!(answers[0].outcome, Outcome::Changed { .. });
        self.plans += u64::from(changed);
        changed
    }

    pub(super) fn plan_times(&mut self, times: u64) {
        for _ in 0..times {
            assert!(self.plan());
        }
    }

    pub(super) fn checkpoint(&mut self) {
        self.keeper.checkpoint(&mut source(self.executor.store())).unwrap();
    }

    /// Does what is due; gives how many checkpoints were begun.
    fn turn(&mut self) -> usize {
        self.storage.calls();
        self.keeper.turn(&mut source(self.executor.store()));
        self.storage.calls_of(&format!("create {CHECKPOINTS_DIR}")).len()
    }

    pub(super) fn checkpoints(&self) -> Vec<u64> {
        list_checkpoints(&self.storage.memory).unwrap().into_iter().map(|lsn| lsn.0).collect()
    }

    fn oldest(&self) -> u64 {
        self.executor.store().journal().index().oldest().unwrap().0
    }

    pub(super) fn written(&self) -> u64 {
        self.executor.store().journal().index().written_bytes()
    }
}

#[test]
fn a_checkpoint_is_written_after_so_many_plans() {
    let mut house = House::new(MaintenanceOptions { plans: 10, ..NEVER });
    house.plan_times(9);
    assert_eq!(house.turn(), 0);
    house.plan_times(1);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![10]));
    assert_eq!(house.executor.store().status().journal.checkpoint_lsn, Lsn(10));
    assert_eq!(house.turn(), 0, "nothing has happened since");
    // Those since the last one are counted, and the size of that one is in the way of the next.
    house.plan_times(9);
    assert_eq!(house.turn(), 0);
    house.plan_times(20);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![39, 10]));
    // A start counts on from the one that it has loaded.
    let mut house = House::with(MaintenanceOptions { plans: 10, ..NEVER }, u64::MAX >> 1, Lsn(5), Vec::new());
    house.plan_times(14);
    assert_eq!(house.turn(), 0);
    house.plan_times(1);
    assert_eq!(house.turn(), 1);
}

#[test]
fn a_checkpoint_is_written_after_so_many_bytes() {
    let bytes = {
        let mut house = House::new(NEVER);
        house.plan_times(5);
        house.written()
    };
    for (journal_bytes, written) in [(bytes, 1), (bytes + 1, 0)] {
        let mut house = House::new(MaintenanceOptions { journal_bytes, ..NEVER });
        house.plan_times(4);
        assert_eq!(house.turn(), 0);
        house.plan_times(1);
        assert_eq!((house.written(), house.turn()), (bytes, written));
    }
}

#[test]
fn a_checkpoint_is_written_after_so_much_time_if_there_is_something_new() {
    let age = Duration::from_secs(60);
    let mut house = House::new(MaintenanceOptions { age, ..NEVER });
    house.clock.advance(2 * age);
    assert_eq!(house.turn(), 0, "there is nothing to write");
    house.plan_times(1);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![1]));
    house.plan_times(9);
    house.clock.advance(age - MOMENT);
    assert_eq!(house.turn(), 0);
    house.clock.advance(MOMENT);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![10, 1]));
    // But not where it would cost more than the plans themselves, however long they wait.
    house.plan_times(1);
    house.clock.advance(10 * age);
    assert_eq!(house.turn(), 0);
}

#[test]
fn a_checkpoint_waits_until_twice_its_size_was_written_but_not_for_more_than_a_quarter_of_the_journal() {
    for quarter in [u64::MAX / 4, 1100] {
        let options = MaintenanceOptions { plans: 1, journal_bytes_max: quarter.saturating_mul(4), ..NEVER };
        let mut house = House::new(options);
        house.plan_times(40);
        assert_eq!(house.turn(), 1);
        let size = house.storage.memory.files()[&format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(Lsn(40)))].len();
        let (before, enough) = (house.written(), quarter.min(2 * size as u64));
        assert!(enough > 1000 && (enough == quarter) == (quarter == 1100), "{size}");
        loop {
            house.plan_times(1);
            let due = house.written() - before >= enough;
            assert_eq!(house.turn(), usize::from(due), "{} bytes of {enough}", house.written() - before);
            if due {
                break;
            }
        }
    }
}

#[test]
fn after_a_failed_checkpoint_the_next_is_tried_in_five_seconds() {
    let mut house = House::new(MaintenanceOptions { plans: 1, ..NEVER });
    house.plan_times(1);
    house.storage.fail(&format!("sync {CHECKPOINTS_DIR}"), io::ErrorKind::StorageFull);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![]));
    let unfinished = |house: &House| house.storage.memory.files().keys().any(|path| path.contains(".ckpt"));
    assert!(unfinished(&house));
    house.storage.mend();
    assert_eq!(house.turn(), 0);
    assert!(!unfinished(&house), "what it has left goes at once: its room may be what is missing");
    house.clock.advance(RETRY - MOMENT);
    assert_eq!(house.turn(), 0);
    house.clock.advance(MOMENT);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![1]));
}

#[test]
fn what_was_never_finished_is_deleted_once_and_tried_again_if_that_fails() {
    let mut house = House::new(NEVER);
    let path = format!("{CHECKPOINTS_DIR}/{}.tmp", checkpoint_name(Lsn(3)));
    let kept = format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(Lsn(2)));
    house.storage.memory.create(&path).unwrap();
    house.storage.memory.create(&kept).unwrap();
    house.storage.fail("remove", io::ErrorKind::Other);
    house.turn();
    assert!(house.storage.memory.files().contains_key(&path));
    house.storage.mend();
    house.turn();
    let files = house.storage.memory.files();
    assert!(!files.contains_key(&path) && files.contains_key(&kept), "one that does not read is no unfinished one");
    house.storage.calls();
    house.turn();
    assert_eq!(house.storage.calls_of("list"), [""; 0]);
}

#[test]
fn two_checkpoints_are_kept_and_segments_go_behind_the_older() {
    let mut house = House::new(NEVER);
    house.plan_times(5);
    house.checkpoint();
    house.checkpoint();
    house.turn();
    assert_eq!((house.checkpoints(), house.oldest()), (vec![5], 1), "twice the same is one");
    house.plan_times(5);
    house.checkpoint();
    assert_eq!(house.checkpoints(), [10, 5]);
    house.turn();
    assert_eq!(house.oldest(), 6, "the older one ends with 5");
    house.plan_times(5);
    house.checkpoint();
    assert_eq!(house.checkpoints(), [15, 10]);
    house.turn();
    assert_eq!(house.oldest(), 11);
}

#[test]
fn what_a_cursor_points_to_stays() {
    for (cursors, oldest) in [(vec![4, 9], 4), (vec![1], 1), (vec![6], 6), (vec![7, 7], 6), (vec![0], 1)] {
        let cursors: Vec<_> = cursors.into_iter().map(Lsn).collect();
        let mut house = House::with(NEVER, u64::MAX >> 1, Lsn::ZERO, cursors.clone());
        house.plan_times(5);
        house.checkpoint();
        house.plan_times(5);
        house.checkpoint();
        house.turn();
        assert_eq!(house.oldest(), oldest, "{cursors:?}");
    }
}

/// A house with two checkpoints, ten plans in ten segments.
fn house_of_ten(options: MaintenanceOptions) -> House {
    let mut house = House::new(options);
    house.plan_times(8);
    house.checkpoint();
    house.plan_times(2);
    house.checkpoint();
    house
}

#[test]
fn as_much_of_the_journal_stays_as_is_to_be_retained_but_never_three_quarters_of_what_it_may_take() {
    let house = house_of_ten(NEVER);
    let index = house.executor.store().journal().index();
    let (all, segments) = (index.totals().1, index.list());
    let without = |count: usize| all - segments[..count].iter().map(|(_, info)| info.bytes).sum::<u64>();
    for count in [1, 3] {
        let enough = without(count);
        let max = (0..).find(|max| max - max / 4 == enough).unwrap();
        for (options, deleted) in [
            (MaintenanceOptions { retain_bytes: enough, ..NEVER }, count),
            (MaintenanceOptions { retain_bytes: enough + 1, ..NEVER }, count - 1),
            (MaintenanceOptions { retain_bytes: u64::MAX, journal_bytes_max: max, ..NEVER }, count),
            (MaintenanceOptions { retain_bytes: u64::MAX, journal_bytes_max: max + 2, ..NEVER }, count - 1),
        ] {
            let mut house = house_of_ten(options);
            house.turn();
            assert_eq!(house.oldest(), 1 + deleted as u64, "{options:?}");
        }
    }
}

#[test]
fn segments_go_one_after_the_other_each_deletion_durable_before_the_next() {
    let mut house = house_of_ten(NEVER);
    house.turn();
    let path = |lsn| crate::journal::segment_path(Lsn(lsn));
    assert_eq!(house.oldest(), 9);
    // All over again, to see the calls.
    let mut house = house_of_ten(NEVER);
    house.storage.fail(&format!("remove {}", path(3)), io::ErrorKind::Other);
    house.keeper.preparer().turn();
    house.storage.calls();
    house.keeper.turn(&mut source(house.executor.store()));
    let calls: Vec<_> = house.storage.calls().into_iter().filter(|call| call.contains("journal")).collect();
    let sync = "sync_dir store/journal".to_owned();
    let remove = |lsn| format!("remove {}", path(lsn));
    assert_eq!(calls, [sync.clone(), remove(1), sync.clone(), remove(2), sync, remove(3)]);
    assert_eq!(house.oldest(), 3, "what could not be deleted is not forgotten");
    house.storage.mend();
    house.turn();
    assert_eq!(house.oldest(), 9);
}

/// A house whose journal is full.
fn full_house(bytes_max: u64) -> House {
    let mut house = House::with(NEVER, bytes_max, Lsn::ZERO, Vec::new());
    while house.plan() {}
    assert!(house.executor.store().journal().index().is_full());
    house
}

#[test]
fn a_full_journal_gets_room_from_two_checkpoints_of_the_same_state() {
    let mut house = full_house(40_000);
    let last = house.plans;
    assert!(last > 10);
    assert_eq!((house.turn(), house.checkpoints()), (2, vec![last, last - 1]));
    assert_eq!(house.oldest(), last, "everything before the last plan is in both");
    assert_eq!(house.turn(), 0, "and no third is needed");
    assert!(house.plan(), "there is room again");
    let state = state_of(house.executor.store().state());
    let remembered = |store: &Store| store.state().commands.copy(0, 100).0;
    let commands = remembered(house.executor.store());
    let files = house.storage.memory.files();
    for damaged in [None, Some(last)] {
        let memory = Memory::with(&files);
        if let Some(lsn) = damaged {
            let path = format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(Lsn(lsn)));
            memory.open(&path).unwrap().write_all_at(&[0xff; 8], 60).unwrap();
        }
        let (store, report) = open(&memory, 2, None).unwrap();
        assert_eq!(report.checkpoint_lsn, Lsn(damaged.map_or(last, |lsn| lsn - 1)));
        assert_eq!(state_of(store.state()), state);
        assert_eq!(remembered(&store), commands, "a command that is sent again gets its answer");
    }
}

#[test]
fn a_journal_is_stuck_only_if_it_is_full_and_its_last_plan_is_in_a_checkpoint() {
    // Not full: one checkpoint of everything is left alone.
    let mut house = House::new(NEVER);
    house.plan_times(5);
    house.checkpoint();
    assert_eq!((house.turn(), house.checkpoints()), (0, vec![5]));
    // Full with its first plan: there is nothing before it to let go.
    let mut house = full_house(64 + 8768);
    assert_eq!(house.plans, 1);
    assert_eq!((house.turn(), house.checkpoints()), (1, vec![1]));
    assert_eq!(house.turn(), 0);
    // Full with its second.
    let mut house = full_house(2 * 8768);
    assert_eq!(house.plans, 2);
    assert_eq!((house.turn(), house.checkpoints(), house.oldest()), (2, vec![2, 1], 2));
    // Full, but a sink keeps what is before: nothing goes, and nothing is written again and again.
    let mut house = House::with(NEVER, 40_000, Lsn::ZERO, vec![Lsn(1)]);
    while house.plan() {}
    assert_eq!((house.turn(), house.oldest()), (2, 1));
    house.clock.advance(2 * RETRY);
    assert_eq!((house.turn(), house.oldest()), (0, 1));
    // Full behind a checkpoint of long ago: what lies below that one goes first, and then what lies below another.
    let mut house = House::with(NEVER, 40_000, Lsn::ZERO, Vec::new());
    house.plan_times(5);
    house.checkpoint();
    while house.plan() {}
    let last = house.plans;
    assert_eq!((house.turn(), house.checkpoints(), house.oldest()), (1, vec![last, 5], 6));
    assert_eq!((house.turn(), house.checkpoints(), house.oldest()), (1, vec![last, last - 1], last));
}

#[test]
fn a_second_checkpoint_for_a_full_journal_that_fails_is_tried_again_in_five_seconds() {
    let mut house = full_house(40_000);
    let behind = checkpoint_name(Lsn(house.plans - 1));
    house.storage.fail(&format!("create {CHECKPOINTS_DIR}/{behind}"), io::ErrorKind::Other);
    assert_eq!((house.turn(), house.checkpoints()), (2, vec![house.plans]));
    house.clock.advance(RETRY - MOMENT);
    assert_eq!(house.turn(), 0);
    house.storage.mend();
    house.clock.advance(MOMENT);
    assert_eq!((house.turn(), house.oldest()), (1, house.plans));
}

#[test]
fn a_full_journal_keeps_nothing_for_replays() {
    let options = MaintenanceOptions { retain_bytes: u64::MAX, journal_bytes_max: 40_000, ..NEVER };
    let mut house = House::with(options, 40_000, Lsn::ZERO, Vec::new());
    house.plan_times(10);
    house.checkpoint();
    house.plan_times(5);
    house.checkpoint();
    house.turn();
    assert_eq!(house.oldest(), 1);
    while house.plan() {}
    house.turn();
    assert_eq!(house.oldest(), 16, "behind the older of the two");
}
