//! The exit code says what kind of trouble it was.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::support::{Cli, Daemon, Store, orderd, uuid};

#[test]
fn wrong_usage_exits_64_and_tells_the_right_one() {
    let store = Store::new();
    let customer = uuid();
    let wrong: [&[&str]; 14] = [
        &[],
        &["no-such-command"],
        &["--no-such-option"],
        &["serve", "extra"],
        &["serve", "--no-such-option"],
        &["place"],
        &["place", "--customer-id", &customer],
        &["place", "--customer-id", &customer, "--total-amount", "lots"],
        &["place", "--customer-id", &customer, "--total-amount", "1.5"],
        &["complete"],
        &["get"],
        &["cancel", "--reason"],
        &["config"],
        &["dump", "--from", "first"],
    ];
    for args in wrong {
        let run = orderd(&store, args).expect(64);
        assert_eq!(run.stdout, "", "{args:?}: errors go to standard error");
        assert!(!run.stderr.trim().is_empty(), "{args:?} explains itself");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let commands = ["serve", "place", "complete", "cancel", "get", "send", "status", "verify", "dump", "config"];
    let overview = Cli::new(&["--help"]).run().expect(0).stdout;
    for command in commands {
        assert!(overview.contains(command), "{command} is missing: {overview}");
        let help = Cli::new(&[command, "--help"]).run().expect(0).stdout;
        assert!(help.contains(&format!("orderd {command}")), "{help}");
    }
    assert!(Cli::new(&["--version"]).run().expect(0).stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_daemon_client_commands_exit_69_and_name_the_socket() {
    let store = Store::new();
    let id = uuid();
    let commands: [&[&str]; 6] = [
        &["place", "--customer-id", &id, "--total-amount", "1"],
        &["complete", &id],
        &["cancel", &id],
        &["get", &id],
        &["status"],
        &["send"],
    ];
    let socket = store.socket().display().to_string();
    for args in commands {
        let run = Cli::new(args).env("ORDERD_CONFIG", store.config()).dir(store.dir()).stdin("{}\n").run().expect(69);
        assert!(run.stderr.contains(&socket), "{args:?} does not name {socket}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    // A socket that nobody listens at is no daemon either.
    let mut daemon = Daemon::start(&store);
    daemon.kill9();
    assert!(store.socket().exists(), "kill -9 leaves the socket behind");
    orderd(&store, &["status"]).expect(69);
}

#[test]
fn a_file_that_cannot_be_read_exits_74() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let run = orderd(&store, &["send", "no-such-file"]).expect(74);
    assert!(run.stderr.contains("no-such-file"), "{}", run.stderr);
}

#[test]
fn a_daemon_that_does_not_answer_in_time_exits_69() {
    let store = Store::new();
    let daemon = Daemon::start(&store);
    daemon.signal(rustix::process::Signal::STOP);
    let run = orderd(&store, &["status", "--timeout-ms", "300"]);
    daemon.signal(rustix::process::Signal::CONT);
    assert_eq!(run.code, Some(69), "{}", run.stderr);
    assert!(run.stderr.contains("300"), "the time is told: {}", run.stderr);
    orderd(&store, &["status"]).expect(0);
}

#[test]
fn a_socket_or_data_directory_that_cannot_be_had_exits_74() {
    for (key, path) in [("socket", "missing/s"), ("data_dir", "config.toml/data")] {
        let other = if key == "socket" { "data_dir = \"data\"" } else { "socket = \"s\"" };
        let store = Store::raw(&format!("[daemon]\n{key} = \"{path}\"\n{other}\n"));
        let run = Daemon::refused(&store).expect(74);
        // The socket's folder, or the file in the place of one.
        let folder = path.split('/').next().unwrap();
        assert!(run.stderr.contains(folder), "{folder} is not named: {}", run.stderr);
    }
}

#[test]
fn completions_and_the_man_page_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Cli::new(&["completions", shell]).run().expect(0).stdout.contains("orderd"));
    }
    assert!(Cli::new(&["man"]).run().expect(0).stdout.contains(".TH orderd"));
}

/// The uid that nobody has, if this test may become somebody else.
const NOBODY: u32 = 65_534;

/// A run of the binary by somebody without rights here; in a copy, because the build's folder may be closed to them.
fn as_nobody(store: &Store, args: &[&str]) -> std::process::Output {
    let binary = store.path("orderd");
    // By a child: while this process itself has the copy open for writing, a fork of another test would keep it busy.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_orderd")).arg(&binary).status().unwrap();
    assert!(copied.success());
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(store.dir(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&binary);
    command.args(args).env("ORDERD_CONFIG", store.config()).env_remove("ORDERD_SOCKET").stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

#[test]
fn a_folder_that_may_not_be_written_exits_77() {
    let store = Store::new();
    std::fs::DirBuilder::new().mode(0o555).create(store.path("closed")).unwrap();
    store.configure_raw("[daemon]\ndata_dir = \"closed/data\"\nsocket = \"s\"\n");
    let output = as_nobody(&store, &["serve"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{stderr}");
    assert!(stderr.contains("closed"), "the folder is named: {stderr}");
}

#[test]
fn a_socket_that_may_not_be_used_exits_77() {
    let store = Store::with("socket_mode = \"0600\"", "");
    let _daemon = Daemon::start(&store);
    if !rustix::process::geteuid().is_root() {
        // Without another user to be, the owner is shut out.
        std::fs::set_permissions(store.socket(), std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = as_nobody(&store, &["status"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{stderr}");
    assert!(stderr.contains(&store.socket().display().to_string()), "the socket is named: {stderr}");
}
