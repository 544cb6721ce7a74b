//! No damage is passed over, and a judge that would pass something over is told so.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::sync::Arc;

use orderd::contracts::{Progress, ProgressDetails, Storage};
use orderd::repo::{CursorFile, cursor};
use orderd_verification::campaign::Campaign;
use orderd_verification::daemon::StartError;
use orderd_verification::damage::{Cases, Chosen, Damaged, Found, Outcome, Part, Refusal, Store, Told, Trial, stores};
use orderd_verification::disk::{Content, SimDisk};
use orderd_verification::environment::STORE_ID;
use uuid::Uuid;

/// This many bits are sixty-four kibibytes; other damage comes on top.
const BITS: u64 = 8 * (64 << 10);
/// One part in sixteen, always the same; the program tries them all.
const SAMPLE: u64 = 11;

#[test]
fn no_damage_of_the_sample_is_passed_over() {
    let cases = Cases::of(stores().unwrap());
    assert!(cases.count() >= cases.stores.len() as u64 * BITS, "{} cases", cases.count());
    let of = if cfg!(debug_assertions) { 1600 } else { 16 };
    // Of bits and lengths a part; of everything else, all.
    let part = Part { number: SAMPLE, of };
    let chosen = Chosen::of(&cases, |case| part.holds(case.number) || !case.kind.is_bulk());
    let report = Campaign::of(0..cases.count()).run(&chosen);
    println!("{report}");
    if let Err(problem) = report.verdict() {
        panic!("{problem}");
    }
    if !cfg!(debug_assertions) {
        let usual = [Outcome::Same, Outcome::TornTail, Outcome::OlderCheckpoint, Outcome::OlderSlot];
        for outcome in usual.into_iter().chain([Outcome::Refused, Outcome::RelayRefused, Outcome::Unneeded]) {
            assert!(report.tally.count(outcome) > 0, "never seen: {}", outcome.text());
        }
    }
}

#[test]
fn the_parts_together_are_all_cases() {
    for case in 0..5000 {
        let parts = (0..16).filter(|number| Part { number: *number, of: 16 }.holds(case)).count();
        assert_eq!(parts, 1, "case {case}");
    }
}

fn killed() -> Store {
    stores().unwrap().swap_remove(0)
}

/// A copy of `store` in which a file holds something else.
fn damaged(store: &Store, path: &str, change: impl FnOnce(&mut Content)) -> Damaged {
    let mut content = store.file(path).unwrap().content.clone();
    change(&mut content);
    Damaged::new(store, vec![(path.to_owned(), Some(content))], "by hand".to_owned()).unwrap().unwrap()
}

/// Damage that does no harm: in a slot of a cursor.
fn harmless(store: &Store) -> Damaged {
    damaged(store, &cursor::path_of("quick"), |content| content.write(b"!", 4000))
}

#[track_caller]
fn is_told(judged: Result<impl std::fmt::Debug, String>, symptom: &str) {
    let problem = judged.unwrap_err();
    assert!(problem.contains(symptom), "{problem}");
}

#[test]
fn harmless_damage_is_no_violation() {
    let store = killed();
    let found = Trial::new(&store, &harmless(&store)).run().unwrap();
    assert!(matches!(found, Found { outcome: Outcome::Same | Outcome::OlderSlot, .. }), "{found:?}");
}

#[test]
fn a_start_that_drops_a_plan_is_told() {
    // A whole, sound store that ends earlier: what a start would leave that cut plans and put the cursors back.
    let mut stores = stores().unwrap();
    let (stopped, killed) = (stores.pop().unwrap(), stores.pop().unwrap());
    let changed = killed.files.iter().map(|file| (file.path.clone(), Some(file.content.clone()))).collect();
    let mut earlier = Damaged::new(&stopped, changed, "put back".to_owned()).unwrap().unwrap();
    earlier.tree = killed.tree.clone();
    is_told(Trial::new(&stopped, &earlier).run(), "LOST");
}

#[test]
fn another_state_and_other_events_are_told() {
    let mut store = killed();
    let damaged = harmless(&store);
    let order = store.model.orders[3].version;
    store.model.orders[3].version = order + 1;
    is_told(Trial::new(&store, &damaged).run(), "the first other one");
    store.model.orders[3].version = order;
    let last = store.model.plans.last_mut().unwrap();
    last.line = b"{}\n"[..].into();
    is_told(Trial::new(&store, &damaged).run(), "and the journal has {}");
}

#[test]
fn a_sink_that_skips_events_is_told() {
    // The lagging sink's own cursor, saved twice at the end: no other file says that this is not so.
    let store = killed();
    let disk = SimDisk::with_tree(store.tree.clone(), 1);
    let mut slow = CursorFile::load(&disk, "slow", Uuid::from_bytes(STORE_ID)).unwrap().unwrap();
    (0..2).for_each(|_| slow.save(store.sinks[0].newest, ProgressDetails::default()).unwrap());
    let path = cursor::path_of("slow");
    let file = Arc::new(disk.clone()).open_read_only(&path).unwrap();
    let mut bytes = vec![0; 8192];
    file.read_at(&mut bytes, 0).unwrap();
    let skipping = damaged(&store, &path, |content| content.write(&bytes, 0));
    is_told(Trial::new(&store, &skipping).run(), "is taken for a cursor at");
}

#[test]
fn a_refusal_that_changes_bytes_or_that_verify_does_not_know_is_told() {
    let store = killed();
    let damaged = harmless(&store);
    let trial = Trial::new(&store, &damaged);
    let text = format!("{}: damaged at offset 0: something", cursor::path_of("quick"));
    let (error, told) = (StartError::Damaged(text.clone()), Told::Damaged(text));
    assert_eq!(trial.refused(&error, &damaged.tree, &told), Ok(Outcome::Refused));
    is_told(trial.refused(&error, &store.tree, &told), "bytes changed");
    is_told(trial.refused(&error, &damaged.tree, &Told::Sound), "verify finds nothing");
    is_told(trial.refused(&StartError::Io("EIO".to_owned()), &damaged.tree, &told), "it ends otherwise");
}

#[test]
fn a_refusal_that_does_not_say_where_is_told() {
    let store = killed();
    let damaged = harmless(&store);
    let check = |text: &str| Refusal { by: "it", text }.check(&store, &damaged);
    let path = cursor::path_of("quick");
    assert_eq!(check(&format!("{path}: damaged at offset 4000: x")), Ok(()));
    is_told(check(&format!("{path}: damaged")), "names no damaged file");
    is_told(check("store/identity: damaged at offset 0: x"), "names no damaged file");
    is_told(check(&format!("{path}: damaged at offset 4001: x")), "lies behind the damage");
}
