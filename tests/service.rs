//! What a service manager sees: readiness, the watchdog, stopping, and odd surroundings.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Client, DEADLINE, Daemon, Store, events_of, orderd, poll};

/// The messages that the daemon sends to its service manager.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(store: &Store) -> Manager {
        let socket = UnixDatagram::bind(store.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Manager { socket }
    }

    fn start(&self, store: &Store) -> Daemon {
        let mut command = Daemon::command(store);
        command.env("NOTIFY_SOCKET", store.path("notify")).env("WATCHDOG_USEC", "400000");
        Daemon::spawn_command(store, &mut command)
    }

    /// The next message with this line in it.
    #[track_caller]
    fn expect(&self, wanted: &str) -> String {
        let mut buffer = [0; 4096];
        let message = poll(DEADLINE, || {
            let length = self.socket.recv(&mut buffer).ok()?;
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            message.lines().any(|line| line.starts_with(wanted)).then_some(message)
        });
        message.unwrap_or_else(|| panic!("no {wanted} within {DEADLINE:?}"))
    }
}

#[test]
fn ready_is_said_when_commands_are_answered_and_stopping_at_the_end() {
    let store = Store::new();
    let manager = Manager::new(&store);
    for count in 0..2 {
        let mut daemon = manager.start(&store);
        manager.expect("READY=1");
        // No waiting in between: ready means ready.
        let mut client = Client::connect(&store);
        assert_eq!(client.status()["orders"]["count"], count);
        client.place(1);
        for _ in 0..3 {
            manager.expect("WATCHDOG=1");
        }
        daemon.sigterm();
        manager.expect("STOPPING=1");
        assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0));
    }
}

#[test]
fn a_status_line_is_given_to_the_manager() {
    let store = Store::new();
    let manager = Manager::new(&store);
    let _daemon = manager.start(&store);
    let message = manager.expect("STATUS=");
    assert!(!message.contains('\0'));
}

#[test]
fn a_daemon_started_with_closed_standard_streams_keeps_its_journal_clean() {
    let store = Store::with("", "[log]\nlevel = \"trace\"\n");
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg("exec \"$0\" serve --config \"$1\" <&- >&- 2>&-");
    command.arg(env!("CARGO_BIN_EXE_orderd")).arg(store.config());
    let mut daemon = Daemon::spawn_command(&store, &mut command);
    daemon.wait_ready(&store);
    let mut client = Client::connect(&store);
    for amount in 0..20 {
        client.place(amount);
    }
    events_of(&store, 20);
    daemon.stop();
    orderd(&store, &["verify"]).expect(0);
    let dump = orderd(&store, &["dump"]).expect(0).stdout;
    assert_eq!(dump.lines().filter(|line| line.contains("\"order\":")).count(), 20);
    let _daemon = Daemon::start(&store);
    let status: Value = Client::connect(&store).status();
    assert_eq!(status["orders"]["count"], 20);
}

#[test]
fn connections_that_take_more_open_files_than_there_may_be_are_a_configuration_error() {
    let store = Store::with("", "[server]\nconnections_max = 1000\n");
    let limited = |files: u32| {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" serve --config \"$1\""));
        command.arg(env!("CARGO_BIN_EXE_orderd")).arg(store.config());
        Daemon::spawn_command(&store, &mut command)
    };
    let mut daemon = limited(500);
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(78));
    assert!(daemon.stderr().contains("server.connections_max = 1000"), "{}", daemon.stderr());
    assert!(!store.data_dir().exists(), "and nothing was made");
    let mut daemon = limited(1500);
    daemon.wait_ready(&store);
    daemon.stop();
}

#[test]
fn a_soft_limit_of_open_files_is_raised() {
    let store = Store::with("", "[server]\nconnections_max = 600\n");
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg("ulimit -S -n 100; exec \"$0\" serve --config \"$1\"");
    command.arg(env!("CARGO_BIN_EXE_orderd")).arg(store.config());
    let mut daemon = Daemon::spawn_command(&store, &mut command);
    daemon.wait_ready(&store);
    let mut clients: Vec<Client> = (0..300).map(|_| Client::connect(&store)).collect();
    clients.iter_mut().for_each(|client| drop(client.status()));
    clients[0].place(1);
    daemon.stop();
}

#[test]
fn a_service_manager_that_reads_nothing_keeps_nobody_from_stopping() {
    let store = Store::new();
    let manager = Manager::new(&store);
    // Its queue is full from the beginning.
    let flood = UnixDatagram::unbound().unwrap();
    flood.connect(store.path("notify")).unwrap();
    flood.set_nonblocking(true).unwrap();
    while flood.send(b"STATUS=full\n").is_ok() {}
    let mut command = Daemon::command(&store);
    command.env("NOTIFY_SOCKET", store.path("notify")).env("WATCHDOG_USEC", "1");
    let mut daemon = Daemon::spawn_command(&store, &mut command);
    daemon.wait_ready(&store);
    Client::connect(&store).place(1);
    daemon.sigterm();
    assert_eq!(daemon.wait_exit(Duration::from_secs(10)).code(), Some(0), "{}", daemon.stderr());
    drop(manager);
}
