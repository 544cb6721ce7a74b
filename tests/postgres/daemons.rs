//! Daemons over a database of their own.

use std::sync::Arc;

use crate::support::postgres_server::Server;
use crate::support::{Run, Store, orderd};

/// A database with the schema in it, and the server that has it.
pub struct Database {
    pub server: Arc<Server>,
    pub name: String,
}

impl Database {
    pub fn create() -> Database {
        Database::on(Server::shared())
    }

    /// On a server that no other test uses, and that may be stopped.
    pub fn of_its_own() -> Database {
        Database::on(Arc::new(Server::start()))
    }

    fn on(server: Arc<Server>) -> Database {
        let name = server.create_database();
        let database = Database { server, name };
        let applied = apply(&database.daemon("owner", ""));
        assert_eq!(applied.code, Some(0), "{}", applied.stderr);
        database
    }

    /// A folder and a configuration for a daemon, with more keys of `[store]`.
    pub fn daemon(&self, name: &str, keys: &str) -> Store {
        Store::raw(&format!(
            "[daemon]\nname = \"{name}\"\ndata_dir = \"data\"\nsocket = \"s\"\n\n\
             [store]\ntype = \"postgres\"\nurl = \"{}\"\nbackoff_ms_max = 200\n{keys}\n",
            self.server.url(&self.name)
        ))
    }

    /// The one value of a query.
    pub fn value(&self, sql: &str) -> String {
        self.server.value(&self.name, sql)
    }

    /// How many of these command ids are remembered. Asked in parts, because they go on a command line.
    pub fn remembered<'a>(&self, command_ids: impl IntoIterator<Item = &'a String>) -> usize {
        let ids: Vec<String> = command_ids.into_iter().map(|id| format!("'{id}'")).collect();
        let count = |part: &[String]| {
            let sql = format!("SELECT count(*) FROM commands WHERE command_id IN ({})", part.join(","));
            self.value(&sql).parse::<usize>().expect("a count")
        };
        ids.chunks(500).map(count).sum()
    }

    /// Every event has a sequence and no sequence is missing; every change of an order has its event, once.
    #[track_caller]
    pub fn assert_sound(&self) {
        let events = self.value("SELECT last_sequence FROM store");
        for (sql, promise) in [
            ("SELECT count(*) FROM outbox", "no event is missing"),
            ("SELECT coalesce(max(sequence), 0) FROM outbox", "no sequence is missing"),
            ("SELECT count(DISTINCT (order_id, order_version)) FROM outbox", "no event is there twice"),
            ("SELECT coalesce(sum(version), 0) FROM orders", "one event per change"),
        ] {
            assert_eq!(self.value(sql), events, "{promise}");
        }
        assert_eq!(self.value("SELECT orders_count FROM store"), self.value("SELECT count(*) FROM orders"));
        assert_eq!(
            self.value("SELECT count(*) FROM (SELECT lsn < lag(lsn) OVER (ORDER BY sequence) AS back FROM outbox) AS o WHERE back"),
            "0",
            "plans and events have one order"
        );
    }
}

/// `orderd schema apply` with a daemon's configuration.
pub fn apply(store: &Store) -> Run {
    orderd(store, &["schema", "apply"])
}
