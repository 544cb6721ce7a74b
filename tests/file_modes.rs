//! Who may touch what `serve` makes: the store is its owner's alone, the socket as configured.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Client, DEADLINE, Daemon, Store, events_of, eventually};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Everything below a folder and the folder itself.
fn everything(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        if path.is_dir() {
            found.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    found
}

#[test]
fn folders_are_0700_and_files_0600_whatever_the_umask() {
    for umask in ["0000", "0022", "0077", "0777"] {
        let store = Store::with("", "[checkpoint]\nplans = 10\n");
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("umask {umask}; exec \"$0\" serve --config \"$1\""));
        command.arg(env!("CARGO_BIN_EXE_orderd")).arg(store.config());
        let mut daemon = Daemon::spawn_command(&store, &mut command);
        daemon.wait_ready(&store);
        let mut client = Client::connect(&store);
        for amount in 0..30 {
            client.place(amount);
        }
        events_of(&store, 30);
        let checkpoints = store.path("data/store/checkpoints");
        eventually(DEADLINE, "a checkpoint", || fs::read_dir(&checkpoints).is_ok_and(|mut dir| dir.next().is_some()));
        daemon.stop();
        for path in everything(&store.data_dir()) {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), expected, "umask {umask}: {} is {:o}", path.display(), mode(&path));
        }
        for part in ["LOCK", "store/identity", "store/cursors/events.cursor"] {
            assert!(store.data_dir().join(part).is_file(), "{part}");
        }
    }
}

#[test]
fn copies_have_the_modes_of_the_store_whatever_the_umask() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    for umask in ["0000", "0777"] {
        let (copy, restored) = (store.path(&format!("copy-{umask}")), store.path(&format!("restored-{umask}")));
        let script = format!("umask {umask}; \"$0\" backup \"$1\" && \"$0\" restore \"$1\" --data-dir \"$2\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_orderd")]).arg(&copy).arg(&restored);
        assert!(command.env("ORDERD_CONFIG", store.config()).status().unwrap().success());
        for path in [everything(&copy), everything(&restored)].concat() {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), expected, "umask {umask}: {} is {:o}", path.display(), mode(&path));
        }
    }
}

#[test]
fn the_socket_has_the_configured_mode_whatever_the_umask() {
    for (key, expected) in [
        ("", 0o660),
        ("socket_mode = \"0600\"", 0o600),
        ("socket_mode = \"0666\"", 0o666),
        ("socket_mode = \"0640\"", 0o640),
    ] {
        let store = Store::with(key, "");
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("umask 0077; exec \"$0\" serve --config \"$1\"");
        command.arg(env!("CARGO_BIN_EXE_orderd")).arg(store.config());
        let mut daemon = Daemon::spawn_command(&store, &mut command);
        daemon.wait_ready(&store);
        assert_eq!(mode(&store.socket()), expected, "{key}");
    }
}

#[test]
fn the_socket_belongs_to_the_configured_group() {
    assert!(rustix::process::geteuid().is_root(), "giving a socket to another group needs root: run this test as root");
    let group = "daemon";
    let line =
        fs::read_to_string("/etc/group").unwrap().lines().find(|line| line.starts_with("daemon:")).unwrap().to_owned();
    let gid: u32 = line.split(':').nth(2).unwrap().parse().unwrap();
    let store = Store::with(&format!("socket_group = \"{group}\""), "");
    let _daemon = Daemon::start(&store);
    assert_eq!(fs::metadata(store.socket()).unwrap().gid(), gid);
}

#[test]
fn an_unknown_group_is_told_at_start() {
    let store = Store::with("socket_group = \"no-such-group\"", "");
    let run = Daemon::refused(&store);
    assert_eq!(run.code, Some(78), "{}", run.stderr);
    assert!(run.stderr.contains("socket_group"), "{}", run.stderr);
}
