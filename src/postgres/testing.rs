//! Databases for the crate's own tests, in a server that they start themselves.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use super::test_server::Server;
use super::{Database, DatabaseOptions, PostgresOptions, PostgresStore, Secret, apply};
use crate::testkit::SteppedClock;

/// A database with the schema in it.
pub struct TestDatabase {
    server: Arc<Server>,
    name: String,
    pub database: Database,
}

impl TestDatabase {
    pub fn create() -> Self {
        let server = Server::shared();
        let name = server.create_database();
        let database = database(server.url(&name));
        apply(&mut database.connect("schema").unwrap()).unwrap();
        Self { server, name, database }
    }

    /// A daemon's store on it.
    pub fn open(&self) -> PostgresStore {
        open(&self.database)
    }

    /// The same, with a proxy in between.
    pub fn open_through(&self, proxy: &Proxy) -> PostgresStore {
        open(&database(format!("postgres://orderd@/{}?host={}", self.name, proxy.dir.path().display())))
    }

    /// Runs SQL as the schema's owner.
    pub fn execute(&self, sql: &str) {
        let said = self.server.psql().args(["-v", "ON_ERROR_STOP=1", "-d", &self.name, "-c", sql]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

fn database(url: String) -> Database {
    let second = Duration::from_secs(1);
    let options = DatabaseOptions {
        address: Secret::Text(url),
        password_file: None,
        ca_file: None,
        application_name: "orderd/test".to_owned(),
        connect_max: 10 * second,
        statement_max: 10 * second,
        lock_max: 10 * second,
        lease: 10 * second,
    };
    Database::new(options).unwrap()
}

fn open(database: &Database) -> PostgresStore {
    let options = PostgresOptions {
        event_source: "/orderd".into(),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        outcome_max: Duration::from_secs(10),
        poll: Duration::ZERO,
        partition_events_ahead: 1000,
    };
    PostgresStore::open(database, options, Arc::new(SteppedClock::default())).unwrap()
}

/// Between a daemon and its server, on a socket of its own; loses what it is told to lose, and the connection with it.
pub struct Proxy {
    dir: tempfile::TempDir,
    orders: Arc<Orders>,
}

#[derive(Default)]
struct Orders {
    lose_answer: AtomicBool,
    lose_request: AtomicBool,
    lost: AtomicUsize,
}

impl Proxy {
    /// Takes connections until the test ends.
    pub fn before(database: &TestDatabase) -> Self {
        let dir = tempfile::Builder::new().prefix("o-").tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let orders = Arc::<Orders>::default();
        let (to, told) = (database.server.dir().join(".s.PGSQL.5432"), Arc::clone(&orders));
        thread("proxy", move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&to).unwrap();
                let (requests, answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (there, back) = (Arc::clone(&told), Arc::clone(&told));
                thread("requests", move || {
                    pump(&requests, &server, |_| there.lose_request.swap(false, SeqCst), &there)
                });
                thread("answers", move || {
                    pump(&answers, &client, |bytes| is_commit(bytes) && back.lose_answer.swap(false, SeqCst), &back);
                });
            }
        });
        Self { dir, orders }
    }

    /// The next COMMIT's answer.
    pub fn lose_the_next_answer(&self) {
        self.orders.lose_answer.store(true, SeqCst);
    }

    /// Whatever is sent next.
    pub fn lose_the_next_request(&self) {
        self.orders.lose_request.store(true, SeqCst);
    }

    /// How often something was lost.
    pub fn lost(&self) -> usize {
        self.orders.lost.load(SeqCst)
    }
}

fn is_commit(answer: &[u8]) -> bool {
    answer.windows(7).any(|window| window == b"COMMIT\0")
}

/// Passes bytes on until an end closes, or they are to be lost.
fn pump(mut from: &UnixStream, mut to: &UnixStream, mut lose: impl FnMut(&[u8]) -> bool, orders: &Orders) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if lose(&buffer[..count]) {
            orders.lost.fetch_add(1, SeqCst);
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        end.shutdown(Shutdown::Both).ok();
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
}
