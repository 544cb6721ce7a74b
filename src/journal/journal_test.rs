//! The journal on a real disk: append, crash (the journal is dropped without a close), damage, recover.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::segment::segment_path;
use super::*;
use crate::contracts::{Lsn, Room, Storage};
use crate::storage::DiskStorage;
use crate::testkit::SteppedClock;

struct Fixture {
    dir: TempDir,
    storage: Arc<dyn Storage>,
    id: StoreId,
    boots: u64,
}

/// What a start made of the journal: the journal, its report, and the bodies replayed.
type Start = (Journal, Recovered, Vec<Vec<u8>>);

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage::open(dir.path()).unwrap());
        let id = create_store(storage.as_ref(), StoreId::from_bytes([7; 16])).unwrap();
        Self { dir, storage, id, boots: 0 }
    }

    fn try_start(&mut self, range: RedoRange) -> Result<Start, RecoveryError> {
        self.boots += 1;
        let options = JournalOptions {
            segment_bytes: 64 << 10,
            bytes_max: 1 << 30,
            batch_bytes_max: 16 << 10,
            plan_bytes_max: (8 << 10) - 40,
            decisions_bytes: 0,
            full_probe: Duration::ZERO,
            epoch_seed: self.boots,
        };
        let mut bodies = Vec::new();
        let mut redo = |frames: &[RedoFrame<'_>]| {
            bodies.extend(frames.iter().map(|frame| frame.body.to_vec()));
            Ok(())
        };
        let recovery = recover(&self.storage, self.id, &range, &mut redo)?;
        let (journal, recovered) = recovery.open(Arc::new(SteppedClock::default()), options)?;
        Ok((journal, recovered, bodies))
    }

    fn start(&mut self) -> Start {
        self.try_start(ALL).unwrap()
    }

    fn path(&self, base_lsn: u64) -> std::path::PathBuf {
        self.dir.path().join(segment_path(Lsn(base_lsn)))
    }

    /// Changes the bytes of a segment, from the end of its last frame on.
    fn edit(&self, base_lsn: u64, edit: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(base_lsn);
        let mut bytes = std::fs::read(&path).unwrap();
        edit(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
    }
}

const ALL: RedoRange = RedoRange { after: Lsn::ZERO, must_reach: Lsn::ZERO, points: Vec::new() };

/// A body from which its LSN can be told.
fn body(lsn: u64) -> Vec<u8> {
    format!("plan {lsn} {}", "x".repeat(usize::try_from(lsn % 50).unwrap())).into_bytes()
}

fn append(journal: &mut Journal, plans: u64) {
    assert!(journal.make_room().unwrap() == Room::ForAll);
    for _ in 0..plans {
        let next = journal.durable_lsn().0 + 1;
        let staged = journal.stage(b"placeholder");
        assert!(staged.0 >= next);
    }
    journal.commit().unwrap();
}

/// One batch for each plan, so that each proves the ones before it.
fn append_singly(journal: &mut Journal, plans: u64) {
    for _ in 0..plans {
        assert!(journal.make_room().unwrap() == Room::ForAll);
        let lsn = journal.durable_lsn().0 + 1;
        journal.stage(&body(lsn));
        journal.commit().unwrap();
    }
}

fn bodies(lsns: std::ops::RangeInclusive<u64>) -> Vec<Vec<u8>> {
    lsns.map(body).collect()
}

/// Where the last frame of these bytes begins and ends.
fn last_frame(bytes: &[u8]) -> (usize, usize) {
    let header = format::SegmentHeader::decode(bytes).unwrap();
    let mut scan = scan::Scan::new(&header, bytes);
    let mut last = (scan.offset, scan.offset);
    while let scan::Step::Plan { offset, .. } = scan.step() {
        last = (offset, scan.offset);
    }
    last
}

#[test]
fn committed_plans_are_replayed_in_order_over_any_number_of_starts() {
    let mut fixture = Fixture::new();
    for round in 0..5 {
        let (mut journal, recovered, replayed) = fixture.start();
        assert_eq!((recovered.last_lsn, replayed), (Lsn(round * 100), bodies(1..=round * 100)));
        append_singly(&mut journal, 100);
        if round % 2 == 0 {
            journal.close().unwrap();
        }
    }
}

#[test]
fn segments_rotate_and_chain() {
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    append_singly(&mut journal, 3_000);
    assert!(journal.index().totals().0 > 3, "{:?}", journal.index().list());
    drop(journal);
    let (_, recovered, replayed) = fixture.start();
    assert_eq!((recovered.frames, replayed), (3_000, bodies(1..=3_000)));
}

#[test]
fn replay_starts_behind_what_a_checkpoint_covers() {
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    append_singly(&mut journal, 2_000);
    drop(journal);
    let (_, _, replayed) =
        fixture.try_start(RedoRange { after: Lsn(1_234), must_reach: Lsn(2_000), points: Vec::new() }).unwrap();
    assert_eq!(replayed, bodies(1_235..=2_000));
}

#[test]
fn a_torn_last_batch_is_left_behind_and_reported() {
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    append_singly(&mut journal, 9);
    drop(journal);
    fixture.edit(1, |bytes| {
        let (start, end) = last_frame(bytes);
        bytes[start + 8..end].fill(0);
    });
    let (mut journal, recovered, replayed) = fixture.start();
    assert_eq!((recovered.last_lsn, replayed), (Lsn(8), bodies(1..=8)));
    assert_eq!(recovered.torn_tail.unwrap().path, segment_path(Lsn(1)));
    // The number of the plan that never happened is given to another, in another segment.
    append_singly(&mut journal, 2);
    drop(journal);
    let (_, recovered, replayed) = fixture.start();
    assert_eq!((recovered.torn_tail, replayed), (None, bodies(1..=10)));
}

#[test]
fn damage_that_a_later_frame_a_segment_or_a_cursor_disproves_refuses_the_start() {
    let flip = |bytes: &mut Vec<u8>, back: usize| {
        let (start, _) = last_frame(bytes);
        bytes[start - back] ^= 1;
    };
    // A later frame of the same segment.
    let mut fixture = Fixture::new();
    append_singly(&mut fixture.start().0, 9);
    fixture.edit(1, |bytes| flip(bytes, 12));
    let before = std::fs::read(fixture.path(1)).unwrap();
    let RecoveryError::Damaged { path, .. } = fixture.try_start(ALL).map(|_| ()).unwrap_err() else { panic!() };
    assert_eq!((path, std::fs::read(fixture.path(1)).unwrap()), (segment_path(Lsn(1)), before));

    // A later segment.
    let mut fixture = Fixture::new();
    append_singly(&mut fixture.start().0, 9);
    append_singly(&mut fixture.start().0, 1);
    fixture.edit(1, |bytes| {
        let (start, _) = last_frame(bytes);
        bytes[start + 40] ^= 1;
    });
    assert!(matches!(fixture.try_start(ALL), Err(RecoveryError::Damaged { .. })));

    // A cursor or checkpoint that has seen the plan.
    let mut fixture = Fixture::new();
    append_singly(&mut fixture.start().0, 9);
    fixture.edit(1, |bytes| {
        let (start, _) = last_frame(bytes);
        bytes[start + 40] ^= 1;
    });
    assert!(matches!(
        fixture.try_start(RedoRange { after: Lsn::ZERO, must_reach: Lsn(9), points: Vec::new() }),
        Err(RecoveryError::Damaged { .. })
    ));
    assert_eq!(
        fixture.try_start(RedoRange { after: Lsn::ZERO, must_reach: Lsn(8), points: Vec::new() }).unwrap().1.last_lsn,
        Lsn(8)
    );

    // A seal.
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    append_singly(&mut journal, 9);
    journal.close().unwrap();
    fixture.edit(1, |bytes| {
        let (start, _) = last_frame(bytes);
        bytes[start + 40] ^= 1;
    });
    assert!(matches!(fixture.try_start(ALL), Err(RecoveryError::Damaged { .. })));
}

#[test]
fn a_missing_segment_is_never_an_empty_journal() {
    for missing in 0..3 {
        let mut fixture = Fixture::new();
        for _ in 0..3 {
            append_singly(&mut fixture.start().0, 5);
        }
        std::fs::remove_file(fixture.path(1 + missing * 5)).unwrap();
        let range = RedoRange { after: Lsn::ZERO, must_reach: Lsn(15), points: Vec::new() };
        assert!(matches!(fixture.try_start(range), Err(RecoveryError::Damaged { .. })), "{missing}");
    }
    let mut fixture = Fixture::new();
    std::fs::remove_file(fixture.path(1)).unwrap();
    assert!(matches!(fixture.try_start(ALL), Err(RecoveryError::Damaged { .. })));
}

#[test]
fn a_missing_last_segment_is_noticed_without_any_other_proof() {
    for (stopped, rotated) in [(false, false), (true, false), (false, true)] {
        let mut fixture = Fixture::new();
        let (mut journal, ..) = fixture.start();
        append_singly(&mut journal, 5);
        if stopped {
            journal.close().unwrap();
        }
        drop(journal);
        let (mut journal, ..) = fixture.start();
        append_singly(&mut journal, if rotated { 3_000 } else { 5 });
        let last = journal.index().list().last().unwrap().0;
        drop(journal);
        std::fs::remove_file(fixture.path(last.0)).unwrap();
        let refused = fixture.try_start(ALL).map(|_| ()).unwrap_err();
        let RecoveryError::Damaged { problem, .. } = refused else { panic!("{refused}") };
        assert_eq!(problem, format!("the segment with LSN {last} is missing"));
    }
}

#[test]
fn every_segment_has_an_epoch_of_its_own() {
    let mut fixture = Fixture::new();
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let (mut journal, ..) = fixture.start();
        append_singly(&mut journal, 1_000);
        let segments = journal.index().list();
        let epoch = |base: Lsn| std::fs::read(fixture.path(base.0)).unwrap()[12..16].to_vec();
        epochs = segments.into_iter().map(|(base, _)| epoch(base)).collect();
    }
    let count = epochs.len();
    epochs.sort_unstable();
    epochs.dedup();
    assert!(count > 3 && epochs.len() == count, "{} epochs in {count} segments", epochs.len());
}

#[test]
fn kills_leave_no_unused_room_behind() {
    let mut fixture = Fixture::new();
    for round in 1..=50 {
        let (mut journal, recovered, _) = fixture.start();
        assert_eq!(recovered.last_lsn, Lsn(round - 1));
        append_singly(&mut journal, 1);
        // The one that was in use, which is cut by the next start, and what the plans take.
        let (_, bytes) = journal.index().totals();
        assert!(bytes < (64 << 10) + round * 256, "{bytes} bytes after {round} starts");
    }
}

#[test]
fn a_batch_is_durable_as_a_whole_before_the_lsn_says_so() {
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    assert!(journal.make_room().unwrap() == Room::ForAll);
    journal.stage(b"one");
    journal.stage(b"two");
    assert_eq!(journal.durable_lsn(), Lsn::ZERO);
    journal.commit().unwrap();
    assert_eq!((journal.durable_lsn(), journal.staged_bytes()), (Lsn(2), 0));
}

#[test]
fn a_reader_follows_the_writer_over_rotations_and_never_passes_the_durable_end() {
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    let files = JournalHandle {
        storage: Arc::clone(&fixture.storage),
        index: Arc::clone(journal.index()),
        store_id: fixture.id,
    };
    let mut reader = JournalReader::new(files.clone(), Lsn(1));
    assert!(reader.next_frame().unwrap().is_none());
    let mut read = 0;
    for _ in 0..300 {
        append_singly(&mut journal, 7);
        assert!(journal.make_room().unwrap() == Room::ForAll);
        journal.stage(b"staged and not durable");
        while let Some(frame) = reader.next_frame().unwrap() {
            read += 1;
            assert_eq!(frame.lsn, Lsn(read));
        }
        assert_eq!(Lsn(read), journal.durable_lsn());
        journal.commit().unwrap();
    }
    // By its place, and by a place that is wrong.
    let mut place = JournalReader::new(files.clone(), Lsn(1_500));
    let frame = place.next_frame().unwrap().unwrap();
    let (lsn, segment, offset, crc) = (frame.lsn, frame.segment, frame.offset, frame.body_crc);
    for offset in [offset, offset + 8, 0, u64::MAX / 2] {
        let mut reader = JournalReader::new(files.clone(), Lsn(1));
        reader.jump_to(lsn, segment, offset).unwrap();
        let found = reader.next_frame().unwrap().unwrap();
        assert_eq!((found.lsn, found.body_crc), (lsn, crc));
    }
}

#[test]
fn a_reader_refuses_bytes_that_are_not_what_was_written() {
    let mut fixture = Fixture::new();
    let (mut journal, ..) = fixture.start();
    append(&mut journal, 20);
    fixture.edit(1, |bytes| {
        let (start, _) = last_frame(bytes);
        bytes[start + 41] ^= 1;
    });
    let files = JournalHandle {
        storage: Arc::clone(&fixture.storage),
        index: Arc::clone(journal.index()),
        store_id: fixture.id,
    };
    let mut reader = JournalReader::new(files, Lsn(1));
    for lsn in 1..=19 {
        assert_eq!(reader.next_frame().unwrap().unwrap().lsn, Lsn(lsn));
    }
    assert!(reader.next_frame().is_err());
}
