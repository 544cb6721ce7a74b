//! A migration that is killed at any moment goes on when it is run again, and ends with the same.

use std::process::{Command, Stdio};

use super::super::daemons::Database;
use super::migrate;
use super::old_store::{OldStore, answers};
use crate::support::{DEADLINE, Daemon, Store, poll};

/// More with `ORDERD_TEST_KILLS`.
const KILLS: usize = 6;

#[test]
fn a_migration_that_is_killed_goes_on_when_it_is_run_again() {
    let kills = std::env::var("ORDERD_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("ORDERD_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(fastrand::u64(..));
    eprintln!("ORDERD_TEST_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut old = OldStore::fill();
    let before = answers(&old.store, &old.commands);
    old.stop();
    let database = Database::create();
    old.configure_for(&database, "migrate_rows_max = 2");
    let mut killed = 0;
    while killed < kills && kill_one(&old.store, &database, rng.usize(..8)) {
        killed += 1;
    }
    eprintln!("{killed} of {kills} migrations were killed before their end");
    assert!(killed > 0, "one at least is killed on its way");
    if database.value("SELECT count(*) FROM migration WHERE finished_at IS NULL") == "1" {
        let refused = Daemon::refused(&old.store);
        assert!(refused.code == Some(78) && refused.stderr.contains("orderd migrate"), "{}", refused.stderr);
    }
    migrate(&old.store).expect(0);
    assert!(migrate(&old.store).expect(0).stdout.contains("nothing was changed"), "once more does no harm");
    let mut daemon = Daemon::start(&old.store);
    assert_eq!(answers(&old.store, &old.commands), before);
    daemon.stop();
}

/// Kills a migration after the database has shown more than `marks` marks; whether it was killed before its end.
fn kill_one(store: &Store, database: &Database, marks: usize) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_orderd"))
        .args(["migrate", "--to", "postgres", "--config"])
        .arg(store.config())
        .current_dir(store.dir())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let (mut seen, mut last) = (0, String::new());
    let looked = poll(DEADLINE, || {
        let mark = database.value("SELECT step || ' ' || done FROM migration");
        seen += usize::from(mark != last);
        last = mark;
        let ended = child.try_wait().expect("its state").is_some();
        (ended || seen > marks).then_some(ended)
    });
    child.kill().ok();
    child.wait().expect("it is gone");
    !looked.expect("it gets on")
}
