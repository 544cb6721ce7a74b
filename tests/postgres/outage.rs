//! The database goes away, under load; the daemons stay, and nothing that was acknowledged is lost.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::daemons::Database;
use crate::support::{Client, DEADLINE, Daemon, Store, eventually, uuid};

/// What one client was told.
#[derive(Default)]
pub struct Told {
    pub acknowledged: Vec<String>,
    unavailable: usize,
    unknown: usize,
}

/// More with `ORDERD_TEST_OUTAGES`.
const OUTAGES: usize = 3;

#[test]
fn a_server_that_is_stopped_at_once_under_load_loses_nothing_and_doubles_nothing() {
    let outages = std::env::var("ORDERD_TEST_OUTAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(OUTAGES);
    let database = Database::of_its_own();
    let stores = [database.daemon("a", ""), database.daemon("b", "")];
    let mut daemons: Vec<Daemon> = stores.iter().map(Daemon::start).collect();
    let goes_on = AtomicBool::new(true);
    let told: Vec<Told> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            stores.iter().cycle().take(8).map(|store| scope.spawn(|| place_all_along(store, &goes_on))).collect();
        for _ in 0..outages {
            let before = events(&database);
            eventually(DEADLINE, "orders are placed", || events(&database) > before + 50);
            database.server.stop_immediately();
            let mut client = Client::connect(&stores[0]);
            eventually(DEADLINE, "the daemon says that the database is away", || {
                client.result("daemon.status", json!({}))["state"] == "store_unavailable"
            });
            database.server.start_again();
            eventually(DEADLINE, "the daemon is ready again", || {
                client.result("daemon.status", json!({}))["state"] == "ready"
            });
        }
        goes_on.store(false, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("every answer came")).collect()
    });
    assert!(told.iter().any(|told| told.unavailable > 0), "the outages were noticed");
    let acknowledged: Vec<&String> = told.iter().flat_map(|told| &told.acknowledged).collect();
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let there = database.remembered(acknowledged.iter().copied());
    assert_eq!(there, acknowledged.len(), "what was acknowledged is there");
    assert_eq!(database.value("SELECT count(*) FROM commands"), database.value("SELECT count(*) FROM orders"));
    database.assert_sound();
    daemons.iter_mut().for_each(Daemon::stop);
}

fn events(database: &Database) -> u64 {
    database.value("SELECT last_sequence FROM store").parse().unwrap_or(0)
}

/// Places orders, each with a command id that it is sent with until it is acknowledged.
pub fn place_all_along(store: &Store, goes_on: &AtomicBool) -> Told {
    let (mut client, mut told) = (Client::connect(store), Told::default());
    while goes_on.load(Ordering::Relaxed) {
        let command_id = uuid();
        let place = json!({"customer_id": uuid(), "total_amount": 1, "command_id": command_id});
        let acknowledged = |answer: Result<Value, Value>, told: &mut Told| match answer {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error["data"]["retryable"], true, "{error}");
                match error["data"]["kind"].as_str() {
                    Some("store_unavailable") => told.unavailable += 1,
                    Some("outcome_unknown") => told.unknown += 1,
                    _ => panic!("{error}"),
                }
                false
            }
        };
        eventually(DEADLINE, "it is acknowledged", || {
            let answer = client.call("order.place", place.clone());
            acknowledged(answer, &mut told)
        });
        told.acknowledged.push(command_id);
    }
    told
}

/// A daemon that was started before its database waits for it.
#[test]
fn a_daemon_waits_for_its_database() {
    let database = Database::of_its_own();
    let store = database.daemon("a", "");
    database.server.stop_immediately();
    let mut daemon = Daemon::spawn(&store);
    eventually(DEADLINE, "it says that it waits", || daemon.stderr().contains("waiting for the database"));
    database.server.start_again();
    daemon.wait_ready(&store);
    Client::connect(&store).place(1);
    daemon.stop();
}

/// Every process of the server stands still, with its connections open: nothing waits for it longer than it is told.
#[test]
fn a_server_that_hangs_holds_up_neither_answers_nor_status() {
    let database = Database::of_its_own();
    let store = database.daemon("a", "statement_ms_max = 300\nconnect_ms_max = 300\noutcome_ms_max = 300");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order_id = client.place(1);
    let all = database.server.pids();
    signal(&all, Signal::STOP);
    let refused = client.call("order.complete", json!({"order_id": order_id})).expect_err("the server hangs");
    let kind = refused["data"]["kind"].as_str().unwrap_or_default();
    assert!(["store_unavailable", "outcome_unknown"].contains(&kind), "{refused}");
    assert_eq!(client.status()["state"], "store_unavailable");
    signal(&all, Signal::CONT);
    eventually(DEADLINE, "it goes on", || client.call("order.complete", json!({"order_id": order_id})).is_ok());
    database.assert_sound();
    daemon.stop();
}

fn signal(pids: &[u32], signal: Signal) {
    for pid in pids {
        let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw).expect("a process id");
        // One that has ended meanwhile needs none.
        kill_process(pid, signal).ok();
    }
}
