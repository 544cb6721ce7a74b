//! What a migration does not take, and says so before anything is changed.

use serde_json::json;

use super::super::daemons::Database;
use super::migrate;
use super::old_store::OldStore;
use crate::support::postgres_server::Server;
use crate::support::{Client, Daemon, Store, orderd, uuid};

/// A journal with one order, and its configuration for `database`.
fn small_store(database: &Database, sinks: &str) -> Store {
    let store = Store::raw(&format!("[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n{sinks}\n"));
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    configure(&store, database);
    store
}

fn configure(store: &Store, database: &Database) {
    let url = database.server.url(&database.name);
    store.configure_raw(&format!(
        "[daemon]\nname = \"a\"\ndata_dir = \"data\"\nsocket = \"s\"\n[store]\ntype = \"postgres\"\nurl = \"{url}\"\n"
    ));
}

#[track_caller]
fn refuses(store: &Store, code: i32, words: &str) {
    let refused = migrate(store).expect(code);
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
}

#[test]
fn a_store_that_a_daemon_holds_is_not_migrated() {
    let database = Database::create();
    let mut old = OldStore::fill();
    old.configure_for(&database, "");
    refuses(&old.store, 73, "held by another daemon");
    assert_eq!(database.value("SELECT count(*) FROM migration"), "0");
    old.stop();
}

#[test]
fn a_database_that_is_in_use_or_holds_something_is_left_alone() {
    let database = Database::create();
    let store = small_store(&database, "");
    let other = database.daemon("b", "");
    let mut daemon = Daemon::start(&other);
    refuses(&store, 73, "connected to the database");
    assert_eq!(database.value("SELECT count(*) FROM migration"), "0");
    Client::connect(&other).place(1);
    daemon.stop();
    refuses(&store, 78, "holds orders or sinks already");
    assert_eq!(database.value("SELECT count(*) || '/' || (SELECT count(*) FROM migration) FROM orders"), "1/0");
    Daemon::start(&other).stop();
}

#[test]
fn a_database_without_the_schema_or_with_a_newer_one_is_refused() {
    let server = Server::shared();
    let database = Database { name: server.create_database(), server };
    let store = small_store(&database, "");
    refuses(&store, 78, "orderd schema apply");
    orderd(&store, &["schema", "apply"]).expect(0);
    database.value("UPDATE store SET schema_version = 99 RETURNING 1");
    refuses(&store, 78, "version 99 of the schema");
    database.value("UPDATE store SET schema_version = 1 RETURNING 1");
    migrate(&store).expect(0);
}

#[test]
fn a_journal_that_has_gone_on_is_not_mixed_with_what_was_migrated() {
    let database = Database::create();
    let old = small_store(&database, "");
    migrate(&old).expect(0);
    old.configure_raw("[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n");
    let mut daemon = Daemon::start(&old);
    Client::connect(&old).place(2);
    daemon.stop();
    configure(&old, &database);
    refuses(&old, 78, "it has gone on since");
    let another = small_store(&database, "");
    refuses(&another, 78, "give an empty one");
    let none = Store::raw("");
    configure(&none, &database);
    std::fs::create_dir(none.data_dir()).unwrap();
    refuses(&none, 74, "there is no store in");
    assert_eq!(database.value("SELECT count(*) FROM orders"), "1");
}

#[test]
fn what_cannot_be_carried_over_is_named_before_anything_is_changed() {
    let database = Database::create();
    let snapshot = "[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\nstart = \"snapshot\"\n";
    let plain = "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n";
    let store = small_store(&database, "");
    store.configure_raw(&format!("{plain}{snapshot}"));
    Daemon::start(&store).stop();
    configure(&store, &database);
    refuses(&store, 78, "a snapshot cannot be migrated while it is being handed out, as to sink bus");

    let store = small_store(&database, "");
    store.configure_raw(plain);
    let mut daemon = Daemon::start(&store);
    let place = json!({"customer_id": uuid(), "total_amount": 1, "metadata": {"note": "a \u{0}"}});
    Client::connect(&store).result("order.place", place);
    daemon.stop();
    configure(&store, &database);
    refuses(&store, 78, "event 2 of order");
    assert_eq!(database.value("SELECT count(*) FROM migration"), "0");
}
