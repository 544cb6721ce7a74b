//! Backups and restores that are killed at random moments, under load: what is left is whole, or says that it is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::load;
use crate::support::{
    Client, DEADLINE, Daemon, Mount, Store, eventually, orderd, pause, place_params, poll, require_root,
};

/// A backup and a restore are killed in each; `ORDERD_BACKUP_KILLS` says otherwise.
const ROUNDS: u64 = 20;
const WRITERS: usize = 3;

/// What the daemon acknowledged: each plan's position and its order.
type Acknowledged = Mutex<BTreeMap<u64, String>>;

/// Segments and checkpoints are small, so that a backup meets many of them, and new ones all the time.
fn busy_store() -> Store {
    Store::with(
        "",
        "[checkpoint]\nplans = 200\n[executor]\nbatch_bytes_max = 16384\n[journal]\nsegment_bytes = 65536\n",
    )
}

/// Places orders until `stop`, up to a number that keeps the test short.
fn write(store: &Store, acknowledged: &Acknowledged, stop: &AtomicBool) {
    let mut client = Client::connect(store);
    while !stop.load(Ordering::Relaxed) {
        let placed = client.result("order.place", place_params(1));
        let lsn = placed["lsn"].as_u64().unwrap();
        acknowledged.lock().unwrap().insert(lsn, placed["order"]["order_id"].as_str().unwrap().to_owned());
        // Backups grow with the store, and every plan is compared in every round.
        pause(Duration::from_millis(10));
    }
}

/// Runs `orderd ARGS` and kills it after a while; whether it was done by itself.
fn run_and_kill(store: &Store, args: &[&str], after: Duration) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
    command.args(args).env("ORDERD_CONFIG", store.config()).current_dir(store.dir());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ended = poll(after, || child.try_wait().unwrap());
    child.kill().ok();
    child.wait().unwrap();
    ended.is_some()
}

/// A moment between nothing and a bit more than what the last whole run took.
fn moment(rng: &mut load::Rng, whole: Duration) -> Duration {
    let micros = u64::try_from(whole.as_micros()).unwrap();
    Duration::from_micros(rng.below(micros + micros / 5))
}

/// The orders of the plans in a store or backup, by position.
fn plans(store: &Store, dir: &Path) -> BTreeMap<u64, String> {
    let dump = orderd(store, &["dump", "--data-dir", dir.to_str().unwrap()]).expect(0).stdout;
    let lines = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let plans = lines.filter_map(|line| {
        let order = line["order"]["order_id"].as_str()?;
        Some((line["lsn"].as_u64().unwrap(), order.to_owned()))
    });
    plans.collect()
}

/// A restored store holds what was acknowledged up to one position, and nothing else.
fn holds_a_prefix(store: &Store, restored: &Path, acknowledged: &Acknowledged) {
    let plans = plans(store, restored);
    let last = *plans.keys().last().expect("the load began before the first backup");
    // An answer that is on its way is written down in a moment.
    eventually(DEADLINE, "everything that was copied is acknowledged", || {
        let acknowledged = acknowledged.lock().unwrap();
        let expected: BTreeMap<_, _> = acknowledged.range(..=last).collect();
        expected.into_iter().eq(plans.iter())
    });
}

/// What is killed, and how long it takes when it is not.
struct Rounds<'a> {
    store: &'a Store,
    acknowledged: &'a Acknowledged,
    rng: load::Rng,
    backup_time: Duration,
    restore_time: Duration,
    unfinished: u64,
}

impl Rounds<'_> {
    /// Kills a backup at a moment. If it was not whole, it says so, and another takes its place.
    fn back_up(&mut self, copy: &Path) {
        let args = ["backup", copy.to_str().unwrap()];
        run_and_kill(self.store, &args, moment(&mut self.rng, self.backup_time));
        if !copy.exists() || copy.join("UNFINISHED").exists() {
            self.unfinished += 1;
            if copy.exists() {
                self.is_refused(copy);
            }
            let begin = Instant::now();
            orderd(self.store, &args).expect(0);
            self.backup_time = begin.elapsed();
        }
        orderd(self.store, &["verify", "--data-dir", copy.to_str().unwrap()]).expect(0);
    }

    fn is_refused(&self, copy: &Path) {
        orderd(self.store, &["verify", "--data-dir", copy.to_str().unwrap()]).expect(65);
        let nowhere = self.store.path("nowhere");
        orderd(self.store, &["restore", copy.to_str().unwrap(), "--data-dir", nowhere.to_str().unwrap()]).expect(65);
        assert!(!nowhere.exists());
    }

    /// Kills a restore at a moment. If there is no store then, another makes it.
    fn restore(&mut self, copy: &Path) {
        let data_dir = self.store.path("restored");
        let args = ["restore", copy.to_str().unwrap(), "--data-dir", data_dir.to_str().unwrap()];
        run_and_kill(self.store, &args, moment(&mut self.rng, self.restore_time));
        if !data_dir.exists() {
            self.unfinished += 1;
            let begin = Instant::now();
            orderd(self.store, &args).expect(0);
            self.restore_time = begin.elapsed();
        }
        orderd(self.store, &["verify", "--data-dir", data_dir.to_str().unwrap()]).expect(0);
        holds_a_prefix(self.store, &data_dir, self.acknowledged);
        fs::remove_dir_all(&data_dir).unwrap();
    }
}

#[test]
fn what_a_killed_backup_or_restore_leaves_is_whole_or_says_that_it_is_not() {
    let store = busy_store();
    let _daemon = Daemon::start(&store);
    let (acknowledged, stop) = (Acknowledged::default(), AtomicBool::new(false));
    let mut rounds = Rounds {
        store: &store,
        acknowledged: &acknowledged,
        rng: load::Rng::new(load::seed("backup_kills")),
        backup_time: Duration::from_millis(200),
        restore_time: Duration::from_millis(200),
        unfinished: 0,
    };
    let count = load::count("ORDERD_BACKUP_KILLS", ROUNDS);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| write(&store, &acknowledged, &stop));
        }
        let _stop = StopOnDrop(&stop);
        eventually(DEADLINE, "the load began", || acknowledged.lock().unwrap().len() > 1_000);
        let copy = store.path("copy");
        for _ in 0..count {
            rounds.back_up(&copy);
            rounds.restore(&copy);
            fs::remove_dir_all(&copy).unwrap();
        }
    });
    let (unfinished, orders) = (rounds.unfinished, acknowledged.lock().unwrap().len());
    println!("{} kills, {unfinished} before the end; {orders} orders acknowledged meanwhile", count * 2);
    assert!(unfinished > 0, "no kill came in time");
}

/// Ends the writers, also when a check fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_disk_that_fills_up_leaves_neither_a_half_backup_nor_a_half_store() {
    require_root();
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..2_000 {
        client.place(amount);
    }
    let small = Mount::tmpfs(&store.path("small"), 200 * 1024);
    let copy = store.path("small/copy");
    let run = orderd(&store, &["backup", copy.to_str().unwrap()]).expect(74);
    assert!(run.stderr.contains("No space left"), "{}", run.stderr);
    assert!(!copy.exists());
    // The daemon does not mind.
    client.place(1);
    drop(client);
    daemon.stop();
    orderd(&store, &["backup", store.path("copy").to_str().unwrap()]).expect(0);
    let data_dir = store.path("small/data");
    let copy = store.path("copy");
    let run = orderd(&store, &["restore", copy.to_str().unwrap(), "--data-dir", data_dir.to_str().unwrap()]).expect(74);
    assert!(run.stderr.contains("No space left"), "{}", run.stderr);
    assert_eq!(fs::read_dir(store.path("small")).unwrap().count(), 0, "nothing is half there");
    small.unmount();
}
