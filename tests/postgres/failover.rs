//! The primary dies and its standby is promoted, under load: daemons that name both go on with the new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::daemons::{Database, apply};
use super::outage::{Told, place_all_along};
use crate::support::postgres_server::Server;
use crate::support::{Client, DEADLINE, Daemon, Store, eventually, lines, uuid};

/// More with `ORDERD_TEST_FAILOVERS`.
const FAILOVERS: usize = 2;
const SINK: &str = "lease_ms = 2000\n[[sinks]]\nname = \"lines\"\ntype = \"file\"\npath = \"lines.ndjson\"\n\
                    daemon = \"a\"\n";

/// Two servers, of which one follows the other, and a database on both.
struct Servers {
    primary: Arc<Server>,
    standby: Arc<Server>,
    name: String,
}

impl Servers {
    fn start() -> Servers {
        let primary = Arc::new(Server::start());
        let name = primary.create_database();
        let owner = Database { server: Arc::clone(&primary), name: name.clone() };
        let applied = apply(&owner.daemon("owner", ""));
        assert_eq!(applied.code, Some(0), "{}", applied.stderr);
        let standby = Arc::new(primary.standby());
        Servers { primary, standby, name }
    }

    /// A daemon that names both.
    fn daemon(&self, name: &str) -> Store {
        let (first, second) = (self.primary.dir().display(), self.standby.dir().display());
        let url = format!("host={first},{second} user=orderd dbname={}", self.name);
        Store::raw(&format!(
            "[daemon]\nname = \"{name}\"\ndata_dir = \"data\"\nsocket = \"s\"\n\n\
             [store]\ntype = \"postgres\"\nurl = \"{url}\"\nbackoff_ms_max = 200\n{SINK}"
        ))
    }

    /// The database on the present primary.
    fn database(&self) -> Database {
        Database { server: Arc::clone(&self.primary), name: self.name.clone() }
    }

    fn number(&self, sql: &str) -> u64 {
        self.primary.value(&self.name, sql).parse().unwrap_or(0)
    }

    /// From now on a commit waits until the standby has it.
    fn wait_for_standby(&self) {
        self.primary.value("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.primary.value("postgres", "SELECT pg_reload_conf()");
        eventually(DEADLINE, "the standby is synchronous", || {
            self.primary.value("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
        });
    }

    /// The primary is lost with its machine; the standby takes over.
    fn fail_over(&mut self) {
        self.primary.kill();
        self.standby.promote();
        std::mem::swap(&mut self.primary, &mut self.standby);
    }
}

#[test]
fn a_failover_to_a_synchronous_standby_loses_nothing_that_was_acknowledged() {
    let failovers = std::env::var("ORDERD_TEST_FAILOVERS").ok().and_then(|count| count.parse().ok());
    let failovers = failovers.unwrap_or(FAILOVERS);
    let mut servers = Servers::start();
    let stores = [servers.daemon("a"), servers.daemon("b")];
    let mut daemons: Vec<Daemon> = stores.iter().map(Daemon::start).collect();
    let goes_on = AtomicBool::new(true);
    let told: Vec<Told> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            stores.iter().cycle().take(4).map(|store| scope.spawn(|| place_all_along(store, &goes_on))).collect();
        for _ in 0..failovers {
            servers.wait_for_standby();
            until_placed(&servers, 50);
            servers.fail_over();
            until_placed(&servers, 50);
            servers.standby.follow(&servers.primary);
        }
        goes_on.store(false, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("every answer came")).collect()
    });
    let acknowledged: Vec<&String> = told.iter().flat_map(|told| &told.acknowledged).collect();
    let database = servers.database();
    assert!(acknowledged.len() >= 100 * failovers, "{}", acknowledged.len());
    assert_eq!(database.remembered(acknowledged.iter().copied()), acknowledged.len(), "what was acknowledged is there");
    database.assert_sound();
    assert_eq!(servers.number("SELECT epoch FROM store"), 1 + failovers as u64, "each failover begins an epoch");
    let last = servers.number("SELECT last_sequence FROM store");
    eventually(DEADLINE, "the file has all", || places(&stores[0]).last().is_some_and(|(_, at)| *at == last));
    let delivered = places(&stores[0]);
    let growing = delivered.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(growing, None, "(storeepoch, sequence) only grows");
    assert_eq!(delivered.len() as u64, last, "each event once");
    daemons.iter_mut().for_each(Daemon::stop);
}

fn until_placed(servers: &Servers, orders: u64) {
    let before = servers.number("SELECT last_sequence FROM store");
    eventually(DEADLINE, "orders are placed", || servers.number("SELECT last_sequence FROM store") > before + orders);
}

/// (storeepoch, sequence) of each line of the file.
fn places(store: &Store) -> Vec<(u64, u64)> {
    let place = |line: &String| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let sequence = event["sequence"].as_str().expect("a sequence").parse().expect("a number");
        (event["storeepoch"].as_u64().expect("an epoch"), sequence)
    };
    lines(&store.path("lines.ndjson")).iter().map(place).collect()
}

#[test]
fn a_failover_that_rewound_the_database_begins_an_epoch_before_a_sequence_is_given_again() {
    let mut servers = Servers::start();
    let store = servers.daemon("a");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let place = |count: usize, client: &mut Client| {
        (0..count).for_each(|_| drop(client.result("order.place", json!({"customer_id": uuid(), "total_amount": 1}))));
    };
    place(20, &mut client);
    eventually(DEADLINE, "the standby has all of it", || {
        let there = "SELECT last_sequence || '/' || acked_sequence FROM store, sinks";
        servers.standby.value(&servers.name, there) == "20/20"
    });
    servers.standby.stop_following();
    place(10, &mut client);
    let file = || lines(&store.path("lines.ndjson"));
    eventually(DEADLINE, "what is to be lost was delivered", || file().len() == 30);
    servers.fail_over();

    // What it knows is not there any more: it says so, and ends.
    eventually(DEADLINE, "the daemon ends", || !daemon.is_running());
    assert!(daemon.stderr().contains("plans up to 31, which this daemon has seen"), "{}", daemon.stderr());
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(5, &mut client);
    eventually(DEADLINE, "the file has what came after", || file().len() == 35);
    let expected: Vec<(u64, u64)> = (1..=30).map(|n| (1, n)).chain((21..=25).map(|n| (2, n))).collect();
    assert_eq!(places(&store), expected);
    servers.database().assert_sound();
    daemon.stop();
}
