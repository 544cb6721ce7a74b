//! A whole store, damaged and opened as a start does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::base::{SINK, State, base, executor, open, state_of, submission, uuid_of};
use super::edits::edit;
use super::input::Input;
use crate::contracts::{EventFeed, Lsn, Outcome, Progress};
use crate::journal::{CHECKPOINTS_DIR, IdentityError, JournalHandle, RecoveryError, open_store};
use crate::repo::{CursorError, CursorFile, JournalOutbox, OpenError, Store, inspect_store, lsn_of};
use crate::testkit::{Memory, STORE_ID};

/// A start of a damaged store ends in a state that the store had, and not one from before what its cursor and its
/// checkpoints prove; or in a refusal that says what is wrong and changes nothing. It ends so every time.
pub fn store(data: &[u8]) {
    let mut input = Input::new(data);
    let mut files = base().files.clone();
    let mended = damage(&mut files, &mut input);
    let go_on = input.byte().is_multiple_of(4);
    let memory = Memory::with(&files);
    match start(&memory, 9) {
        Err(Refused) => assert_eq!(memory.files(), files, "a refusal changed the store"),
        Ok((store, last_lsn)) => {
            let state = state_of(store.state());
            if !mended {
                assert_eq!(state, base().states[last_lsn.0 as usize], "a state that never was, at {last_lsn}");
                assert!(last_lsn >= must_reach(&files), "what was must_reach is gone: {last_lsn}");
            }
            read_outbox(&memory, &store);
            let expected = if go_on { place_one_more(store, &state) } else { state };
            let (store, _) = start(&memory, 10).unwrap_or_else(|Refused| panic!("it started once, and not again"));
            assert_eq!(state_of(store.state()), expected, "another start, another state");
        }
    }
}

/// What a start calls damage, or a version that it does not know.
#[derive(Debug, PartialEq, Eq)]
struct Refused;

/// Takes a few files apart; gives whether somebody mended checksums, so that what is wrong may look right.
fn damage(files: &mut BTreeMap<String, Vec<u8>>, input: &mut Input<'_>) -> bool {
    let mut mended = false;
    let names: Vec<String> = files.keys().cloned().collect();
    for _ in 0..input.byte() % 6 {
        let name = &names[input.below(names.len())];
        match input.byte() % 16 {
            0 => drop(files.remove(name)),
            1 => {
                let other = names[input.below(names.len())].clone();
                if let Some(bytes) = files.get(&other).cloned() {
                    files.insert(name.clone(), bytes);
                }
            }
            2 => {
                files.insert(format!("{name}.tmp"), input.bytes(16).to_vec());
            }
            kind => {
                let Some(bytes) = files.get_mut(name) else { continue };
                edit(bytes, input);
                if kind >= 12 {
                    mended |= mend(bytes, input);
                }
            }
        }
    }
    mended
}

/// Makes the checksums of a header, or of what the input points at, right again.
fn mend(bytes: &mut [u8], input: &mut Input<'_>) -> bool {
    const FRAME: (usize, usize) = (0, 36);
    let (start, len) = match input.byte() % 5 {
        0 => (0, 28),
        1 => (0, 60),
        2 => (0, 52),
        3 => (input.below(2) * 4096, 76),
        _ => (input.below(bytes.len().max(1)) / 8 * 8 + FRAME.0, FRAME.1),
    };
    let Some(checked) = bytes.get(start..start + len) else { return false };
    let crc = crc32c::crc32c(checked).to_le_bytes();
    let Some(place) = bytes.get_mut(start + len..start + len + 4) else { return false };
    place.copy_from_slice(&crc);
    true
}

/// What the files that are there prove, whatever happened to them: damage to the newer of a cursor's slots leaves the
/// older one, and a checkpoint's name counts even if the checkpoint does not read.
fn must_reach(files: &BTreeMap<String, Vec<u8>>) -> Lsn {
    let checkpoints = files.keys().filter_map(|path| path.strip_prefix(CHECKPOINTS_DIR)?.strip_suffix(".ckpt"));
    let newest = checkpoints.filter_map(|name| name[1..].parse().ok()).max().map_or(Lsn::ZERO, Lsn);
    let cursor = files.contains_key(&format!("store/cursors/{SINK}.cursor"));
    newest.max(if cursor { base().cursor_lsn } else { Lsn::ZERO })
}

/// Starts as the daemon does: identity, cursor, checkpoint, journal.
fn start(memory: &Memory, boot: u64) -> Result<(Store, Lsn), Refused> {
    match open_store(memory) {
        Ok(STORE_ID) => {}
        // Another id has to be mended, and then nothing else fits; there is no store at all only if all is gone.
        Ok(_)
        | Err(IdentityError::Missing | IdentityError::Damaged(_) | IdentityError::Backup | IdentityError::Header(_)) => {
            return Err(Refused);
        }
        Err(error @ IdentityError::Io { .. }) => panic!("{error}"),
    }
    let cursor = match CursorFile::load(memory, SINK, uuid_of(STORE_ID)) {
        Ok(cursor) => cursor,
        Err(CursorError::Io { operation, path, source }) => panic!("{operation} {path}: {source}"),
        Err(error) => return refused(&error),
    };
    let cursor = cursor.map(|cursor| cursor.position());
    let inspected = inspect_store(memory, STORE_ID, cursor.map_or(Lsn::ZERO, |position| lsn_of(&position)));
    match open(memory, boot, cursor) {
        Ok((store, report)) => {
            let (state, seen) = inspected.expect("who only looks sees what a start sees");
            assert_eq!((state_of(&state), seen.journal.last_lsn), (state_of(store.state()), report.journal.last_lsn));
            Ok((store, report.journal.last_lsn))
        }
        Err(error) => {
            // Whether a cursor stands where it says is looked at by a start alone.
            let of_cursor = error.to_string().contains(".cursor");
            assert!(inspected.is_err() || of_cursor, "who only looks sees nothing of: {error}");
            if let OpenError::Journal(error @ (RecoveryError::Io { .. } | RecoveryError::Journal(_))) = &error {
                panic!("memory does not fail: {error}");
            }
            refused(&error)
        }
    }
}

fn refused<T>(error: &dyn std::error::Error) -> Result<T, Refused> {
    assert!(!error.to_string().is_empty());
    Err(Refused)
}

/// Segments that the start did not need may be damaged: then the relay says so.
fn read_outbox(memory: &Memory, store: &Store) {
    let files = JournalHandle {
        storage: Arc::new(memory.clone()),
        index: Arc::clone(store.journal().index()),
        store_id: STORE_ID,
    };
    let Ok(start) = JournalOutbox::beginning(files.clone(), store.state().last_sequence) else { return };
    let Ok(mut outbox) = JournalOutbox::open(files, Arc::clone(store.durable_sequence()), start) else { return };
    let mut events = Vec::new();
    if outbox.read(1000, &mut events).is_ok() {
        let numbers: Vec<_> = events.iter().map(|event| event.sequence.0).collect();
        let expected: Vec<_> = (start.sequence.0 + 1..=store.state().last_sequence.0).collect();
        assert_eq!(numbers, expected, "the outbox has a gap");
    }
}

fn place_one_more(store: Store, before: &State) -> State {
    let mut executor = executor(store);
    let answers = executor.run(&[submission(300)]).expect("memory does not fail");
    let state = state_of(executor.store().state());
    match &answers[0].outcome {
        Outcome::Changed { order, .. } => assert!(state.0.contains(order)),
        Outcome::Refused(_) | Outcome::Found(_) | Outcome::Operated(_) => {
            assert_eq!(state, *before);
        }
    }
    state
}
