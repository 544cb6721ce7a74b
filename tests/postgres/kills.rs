//! Daemons and the server's processes are killed under load, at any moment: nothing that was acknowledged is lost,
//! nothing is done twice.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::daemons::Database;
use crate::support::{Client, DEADLINE, Daemon, poll, uuid};

const DAEMONS: usize = 3;
const CLIENTS: usize = 6;
/// More with `ORDERD_TEST_KILLS`.
const KILLS: usize = 24;

#[test]
fn kills_of_daemons_and_backends_lose_and_double_nothing() {
    let kills = std::env::var("ORDERD_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("ORDERD_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(fastrand::u64(..));
    eprintln!("ORDERD_TEST_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let database = Database::create();
    let stores: Vec<_> = (0..DAEMONS).map(|number| database.daemon(&format!("d{number}"), "")).collect();
    let sockets: Vec<_> = stores.iter().map(crate::support::Store::socket).collect();
    let mut daemons: Vec<Daemon> = stores.iter().map(Daemon::start).collect();
    // Every client works on the same few orders, so that daemons contest them.
    let shared: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let goes_on = AtomicBool::new(true);
    let acknowledged: Vec<BTreeSet<String>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (sockets, shared, goes_on) = (&sockets, &shared, &goes_on);
                scope.spawn(move || work(number, seed, sockets, shared, goes_on))
            })
            .collect();
        for _ in 0..kills {
            let before = lsn(&database);
            let moved = poll(DEADLINE, || (lsn(&database) > before + rng.u64(1..40)).then_some(()));
            assert!(moved.is_some(), "commands are carried out");
            let victim = rng.usize(..DAEMONS);
            if rng.bool() {
                daemons[victim].kill9();
                daemons[victim] = Daemon::start(&stores[victim]);
            } else {
                let one = format!(
                    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                      WHERE datname = current_database() AND application_name = 'orderd/d{victim} store') AS victim"
                );
                database.value(&one);
            }
        }
        goes_on.store(false, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("every command was acknowledged")).collect()
    });
    let commands: Vec<String> = acknowledged.into_iter().flatten().collect();
    assert!(commands.len() > kills, "{}", commands.len());
    assert_eq!(database.remembered(&commands), commands.len(), "what was acknowledged is there");
    // Each carried out once: a command has one version of one order, and no two have the same.
    let distinct = database.value("SELECT count(DISTINCT (order_id, order_version)) FROM commands");
    assert_eq!(distinct, database.value("SELECT count(*) FROM commands"));
    database.assert_sound();
    daemons.iter_mut().for_each(Daemon::stop);
}

fn lsn(database: &Database) -> u64 {
    database.value("SELECT last_lsn FROM store").parse().unwrap_or(0)
}

/// Places, completes and cancels, each command with an id, through any daemon until one acknowledges or refuses it.
fn work(
    number: usize,
    seed: u64,
    sockets: &[impl AsRef<Path>],
    shared: &Mutex<Vec<String>>,
    goes_on: &AtomicBool,
) -> BTreeSet<String> {
    let mut rng = fastrand::Rng::with_seed(seed ^ (number as u64 + 1));
    let mut acknowledged = BTreeSet::new();
    while goes_on.load(Ordering::Relaxed) {
        let command_id = uuid();
        let contested = rng.choice(&*shared.lock().expect("no client panicked")).cloned();
        let (method, params) = match contested.filter(|_| rng.u8(..3) > 0) {
            Some(order_id) if rng.bool() => ("order.complete", json!({"order_id": order_id, "command_id": command_id})),
            Some(order_id) => ("order.cancel", json!({"order_id": order_id, "command_id": command_id})),
            None => ("order.place", json!({"customer_id": uuid(), "total_amount": 7, "command_id": command_id})),
        };
        let answer = poll(DEADLINE, || settle(&sockets[rng.usize(..sockets.len())], method, &params));
        match answer.expect("a daemon answers in the end") {
            Ok(result) => {
                acknowledged.insert(command_id);
                if method == "order.place" {
                    let order_id = result["order"]["order_id"].as_str().expect("an id").to_owned();
                    let mut shared = shared.lock().expect("no client panicked");
                    shared.push(order_id);
                    if shared.len() > 5 {
                        shared.remove(0);
                    }
                }
            }
            Err(kind) => assert_eq!(kind, "invalid_transition", "{method} {params}"),
        }
    }
    acknowledged
}

/// The result, or why the command can never be carried out; None if it is to be sent again.
fn settle(socket: impl AsRef<Path>, method: &str, params: &Value) -> Option<Result<Value, String>> {
    let mut client = Client::try_connect_within(socket.as_ref(), Duration::from_secs(20)).ok()?;
    client.try_send_raw(crate::support::request(&json!(1), method, params) + "\n").ok()?;
    let line = client.try_read_line().ok()??;
    let mut answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
    match answer.get_mut("error") {
        None => Some(Ok(answer["result"].take())),
        Some(error) if error["data"]["retryable"] == true => None,
        Some(error) => Some(Err(error["data"]["kind"].as_str().unwrap_or_default().to_owned())),
    }
}
