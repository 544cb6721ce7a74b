//! Where the configuration and the socket are looked for, and in which order.

use crate::support::{Cli, Client, DEADLINE, Daemon, Store, events_of, poll};

/// A configuration that is recognised by its event source.
fn marked(store: &Store, file: &str, mark: &str) {
    let path = store.path(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("[daemon]\nevent_source = \"{mark}\"\n")).unwrap();
}

#[test]
fn the_option_comes_before_the_variable_before_the_folder() {
    let store = Store::raw("");
    marked(&store, "option.toml", "from-option");
    marked(&store, "variable.toml", "from-variable");
    marked(&store, "config.toml", "from-folder");
    let (option, variable) = (store.path("option.toml"), store.path("variable.toml"));
    let option = option.to_str().unwrap();
    let with = |args: &[&str], variable: Option<&std::path::Path>| {
        let mut cli = Cli::new(args).dir(store.dir());
        if let Some(variable) = variable {
            cli = cli.env("ORDERD_CONFIG", variable);
        }
        cli.run().expect(0).stdout
    };
    let checked = with(&["config", "check", "--config", option], Some(&variable));
    assert!(checked.contains("from-option"), "{checked}");
    assert!(with(&["config", "check"], Some(&variable)).contains("from-variable"));
    assert!(with(&["config", "check"], None).contains("from-folder"));
}

#[test]
fn a_configuration_that_was_named_and_is_not_there_is_an_error() {
    let store = Store::raw("");
    let missing = store.path("missing.toml");
    let by_option = Cli::new(&["serve", "--config", missing.to_str().unwrap()]).dir(store.dir()).run().expect(78);
    let by_variable = Cli::new(&["serve"]).env("ORDERD_CONFIG", &missing).dir(store.dir()).run().expect(78);
    for run in [by_option, by_variable] {
        assert!(run.stderr.contains("missing.toml"), "the file is named: {}", run.stderr);
    }
    assert!(!store.data_dir().exists());
}

#[test]
fn relative_paths_start_at_the_configuration_and_not_at_the_caller() {
    let store = Store::raw("");
    std::fs::create_dir(store.path("etc")).unwrap();
    let toml = "[daemon]\ndata_dir = \"data\"\nsocket = \"../s\"\n[[sinks]]\nname = \"events\"\ntype = \"file\"\npath = \"../events.ndjson\"\n";
    std::fs::write(store.path("etc/orderd.toml"), toml).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orderd"));
    // A relative name of the configuration itself starts at the caller, as every shell user expects.
    command.args(["serve", "--config", "etc/orderd.toml"]);
    let mut daemon = Daemon::spawn_command(&store, &mut command);
    daemon.wait_ready(&store);
    Client::connect(&store).place(1);
    events_of(&store, 1);
    assert!(store.path("etc/data/store").is_dir());
    let elsewhere = Cli::new(&["status"]).env("ORDERD_CONFIG", store.path("etc/orderd.toml")).dir("/".as_ref());
    elsewhere.run().expect(0);
}

#[test]
fn clients_find_the_socket_by_option_before_variable_before_configuration() {
    let (first, second, third) = (Store::new(), Store::new(), Store::new());
    let _daemons = [&first, &second, &third].map(Daemon::start);
    // The number of orders tells the daemons apart.
    for (store, orders) in [(&first, 1), (&second, 2), (&third, 3)] {
        let mut client = Client::connect(store);
        (0..orders).for_each(|amount| drop(client.place(amount)));
    }
    let socket = first.socket();
    let orders = |cli: Cli| cli.run().expect(0).json()["orders"]["count"].clone();
    let with_option = Cli::new(&["status", "--json", "--socket", socket.to_str().unwrap()]);
    assert_eq!(orders(with_option.env("ORDERD_SOCKET", second.socket()).env("ORDERD_CONFIG", third.config())), 1);
    let with_variable = Cli::new(&["status", "--json"]);
    assert_eq!(orders(with_variable.env("ORDERD_SOCKET", second.socket()).env("ORDERD_CONFIG", third.config())), 2);
    assert_eq!(orders(Cli::new(&["status", "--json"]).env("ORDERD_CONFIG", third.config())), 3);
    assert_eq!(orders(Cli::new(&["status", "--json"]).dir(third.dir())), 3);
}

#[test]
fn a_socket_that_was_named_needs_no_configuration() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let bare = Store::raw("this is no configuration");
    Cli::new(&["status"]).env("ORDERD_SOCKET", store.socket()).dir(bare.dir()).run().expect(0);
}

#[test]
fn without_any_configuration_serve_comes_up_on_its_defaults() {
    let store = Store::raw("");
    std::fs::remove_file(store.config()).unwrap();
    assert!(!std::path::Path::new("/etc/orderd/config.toml").exists(), "this test needs a machine without /etc/orderd");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orderd"));
    let _daemon = Daemon::spawn_command(&store, command.arg("serve"));
    let socket = store.path("data/orderd.sock");
    let status = poll(DEADLINE, || Client::try_connect(&socket).ok()?.try_status());
    assert_eq!(status.expect("an answer at data/orderd.sock")["state"], "ready");
    Cli::new(&["status"]).dir(store.dir()).run().expect(0);
}
