//! The way to the database: TLS, passwords out of files, several hosts.

use std::path::PathBuf;

use super::daemons::Database;
use crate::support::{Client, DEADLINE, Daemon, Store, eventually};

const PASSWORD: &str = "ge'heim 7";

#[test]
fn a_server_is_spoken_to_with_tls_and_a_password_that_no_configuration_holds() {
    let database = Database::of_its_own();
    let port = database.server.speak_tls(PASSWORD);
    let ca = |name: &str| database.server.dir().join(name).display().to_string();
    let file = |store: &Store, name: &str, text: &str| -> PathBuf {
        std::fs::write(store.path(name), text).expect("a file");
        store.path(name)
    };
    let store = Store::raw("");
    file(&store, "password", &format!("{PASSWORD}\n"));
    // The first of the hosts is not there.
    let hosts = format!("127.0.0.1:1,127.0.0.1:{port}");
    let with =
        |keys: &str| format!("[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n[store]\ntype = \"postgres\"\n{keys}");
    store.configure_raw(&with(&format!(
        "url = \"postgres://orderd@{hosts}/{}\"\npassword_file = \"password\"\nca_file = \"{}\"\n",
        database.name,
        ca("ca.pem")
    )));
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                      WHERE application_name LIKE 'orderd/orderd %'";
    assert_eq!(database.value(encrypted), "t");
    daemon.stop();

    // The address and the password in one file, which is not the configuration.
    file(&store, "url", &format!("postgres://orderd:ge%27heim%207@127.0.0.1:{port}/{}", database.name));
    store.configure_raw(&with(&format!("url_file = \"url\"\nca_file = \"{}\"\n", ca("ca.pem"))));
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();

    // A certificate that nobody trusted has signed: it is not the database.
    store.configure_raw(&with(&format!("url_file = \"url\"\nca_file = \"{}\"\n", ca("other.pem"))));
    let impostor = Daemon::spawn(&store);
    eventually(DEADLINE, "it says that it waits", || impostor.stderr().contains("waiting for the database"));
    assert!(!impostor.stderr().contains("heim"), "no password in the log: {}", impostor.stderr());
    database.assert_sound();
}
