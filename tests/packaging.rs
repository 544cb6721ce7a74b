//! What is shipped for systemd and Debian: the unit is sound and hardened, the configuration passes, the paths agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cli, Client, Daemon, Store, events_of};

/// The worst exposure that the unit may have, times ten: `systemd-analyze security` counts from 0 (shut) to 10 (open).
const EXPOSURE_MAX: u32 = 5;

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(shipped(file)).unwrap()
}

/// Fails the test where the program is missing: a unit that was not looked at is not a good one.
fn systemd_analyze(args: &[&str]) -> Output {
    let output = Command::new("systemd-analyze").args(args).env("SYSTEMD_COLORS", "0").output();
    output.expect("systemd-analyze is missing: it judges the unit (Debian: apt-get install systemd)")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The unit's value of `key`; empty where the unit has none.
fn unit_value(key: &str) -> String {
    let unit = text("orderd.service");
    let value = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().to_owned()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    // Neither the binary nor its manual page are installed here.
    let unit = text("orderd.service").replace("/usr/bin/orderd", env!("CARGO_BIN_EXE_orderd"));
    let unit = unit.replace("Documentation=man:orderd(1)\n", "");
    let path = dir.path().join("orderd.service");
    std::fs::write(&path, unit).unwrap();
    let output = systemd_analyze(&["verify", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output).trim(), "");
}

#[test]
fn the_unit_exposes_almost_nothing() {
    let unit = shipped("orderd.service");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let output = systemd_analyze(&["security", "--offline=yes", &threshold, unit.to_str().unwrap()]);
    let said = said(&output);
    let verdict = said.lines().find(|line| line.contains("exposure level")).unwrap_or("no verdict").to_owned();
    println!("{verdict}");
    assert!(output.status.success(), "{verdict}\n{said}");
}

#[test]
fn the_backup_units_are_sound_and_expose_almost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let service = text("backup/orderd-backup.service").replace("/usr/lib/orderd/nightly-backup", "/bin/true");
    std::fs::write(dir.path().join("orderd-backup.service"), service).unwrap();
    std::fs::write(dir.path().join("orderd-backup.timer"), text("backup/orderd-backup.timer")).unwrap();
    let timer = dir.path().join("orderd-backup.timer");
    let output = systemd_analyze(&["verify", timer.to_str().unwrap()]);
    assert_eq!((output.status.success(), said(&output).trim()), (true, ""));
    let unit = shipped("backup/orderd-backup.service");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let output = systemd_analyze(&["security", "--offline=yes", &threshold, unit.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_shipped_configuration_passes_its_check() {
    let config = shipped("config.toml");
    let run = Cli::new(&["config", "check", "--config", config.to_str().unwrap()]).run().expect(0);
    let table: toml::Table = toml::from_str(&run.stdout).unwrap();
    assert_eq!(table["daemon"]["data_dir"].as_str(), Some("/var/lib/orderd"));
    assert_eq!(table["daemon"]["socket"].as_str(), Some("/run/orderd/orderd.sock"));
    // Whatever the daemon writes is in a folder that the unit lets it write to.
    let folders = ["StateDirectory", "RuntimeDirectory", "LogsDirectory"].map(unit_value);
    assert_eq!(folders, ["orderd", "orderd", "orderd"]);
    for sink in table["sinks"].as_array().unwrap() {
        let path = sink["path"].as_str().unwrap();
        assert!(path.starts_with("/var/log/orderd/"), "{path}");
        assert!(text("orderd.logrotate").contains(path) && text("orderd.tmpfiles").contains(path), "{path}");
    }
}

#[test]
fn the_unit_leaves_the_daemon_the_time_it_is_configured_to_take() {
    let config = shipped("config.toml");
    let run = Cli::new(&["config", "check", "--config", config.to_str().unwrap()]).run().expect(0);
    let table: toml::Table = toml::from_str(&run.stdout).unwrap();
    let shutdown_ms = table["daemon"]["shutdown_ms_max"].as_integer().unwrap();
    let stop_seconds: i64 = unit_value("TimeoutStopSec").parse().unwrap();
    assert!(stop_seconds * 1000 > shutdown_ms + 2000, "{stop_seconds} s for {shutdown_ms} ms");
    let files: i64 = unit_value("LimitNOFILE").parse().unwrap();
    let connections = table["server"]["connections_max"].as_integer().unwrap();
    assert!(files >= connections + 100, "{files} files for {connections} connections");
}

#[test]
fn codes_that_no_restart_cures_stop_the_restarts() {
    assert_eq!(unit_value("RestartPreventExitStatus"), "64 65 77 78");
    assert_eq!(unit_value("Restart"), "on-failure");
    assert_eq!(unit_value("Type"), "notify");
    assert!(!unit_value("WatchdogSec").is_empty());
    assert!(unit_value("ExecReload").contains("HUP"));
}

#[test]
fn every_file_that_the_package_takes_from_the_sources_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(root.join("Cargo.toml")).unwrap()).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let sources = assets.iter().map(|asset| asset[0].as_str().unwrap()).filter(|path| !path.starts_with("target/"));
    for source in sources {
        let there = match source.strip_suffix("/*.md") {
            Some(folder) => root.join(folder).is_dir(),
            None => root.join(source).is_file(),
        };
        assert!(there, "{source} is missing");
    }
}

#[test]
fn manual_pages_and_completions_are_made_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man");
    Cli::new(&["man", man.to_str().unwrap()]).run().expect(0);
    for page in ["orderd.1", "orderd-serve.1", "orderd-place.1", "orderd-send.1", "orderd-config-check.1"] {
        let page = std::fs::read_to_string(man.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(Cli::new(&["man"]).run().expect(0).stdout.contains(".SH SYNOPSIS"));
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef orderd"), ("fish", "complete -c orderd")] {
        let script = Cli::new(&["completions", shell]).run().expect(0).stdout;
        assert!(script.contains(mark) && script.contains("verify"), "{shell}: {script}");
    }
}

/// The sets of system calls that systemd knows by name, each with everything that is in it.
fn syscall_sets() -> BTreeMap<String, BTreeSet<String>> {
    let output = systemd_analyze(&["syscall-filter"]);
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let word = line.trim();
        if line.starts_with('@') {
            current = word.to_owned();
            sets.entry(current.clone()).or_default();
        } else if line.starts_with(' ') && !word.is_empty() && !word.starts_with('#') {
            sets.entry(current.clone()).or_default().insert(word.to_owned());
        }
    }
    assert!(sets.len() > 20, "{}", said(&output));
    sets
}

/// A set's system calls, those of the sets in it as well.
fn expand(sets: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let Some(members) = sets.get(name) else { return BTreeSet::from([name.to_owned()]) };
    members.iter().flat_map(|member| expand(sets, member)).collect()
}

/// What the unit lets the daemon call: its lines `SystemCallFilter=`, each adding or taking away.
fn allowed_syscalls() -> BTreeSet<String> {
    let sets = syscall_sets();
    let mut allowed = expand(&sets, "@default");
    let unit = text("orderd.service");
    for filter in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (taken_away, names) = filter.strip_prefix('~').map_or((false, filter), |names| (true, names));
        for call in names.split(' ').flat_map(|name| expand(&sets, name)) {
            if taken_away {
                allowed.remove(&call)
            } else {
                allowed.insert(call)
            };
        }
    }
    allowed
}

/// The names of all system calls that a daemon's whole life makes.
fn made_syscalls(store: &Store) -> BTreeSet<String> {
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    assert!(strace.is_ok(), "strace is missing: it watches system calls (Debian: apt-get install strace)");
    let log = store.path("strace.log");
    let daemon = Daemon::command(store);
    let mut command = Command::new("strace");
    // -D: strace is the grandchild, so that signals reach the daemon.
    command.args(["-D", "-f", "-qq", "-e", "signal=none", "-o"]).arg(&log);
    command.arg(daemon.get_program()).args(daemon.get_args());
    let mut daemon = Daemon::spawn_command(store, &mut command);
    daemon.wait_ready(store);
    let mut client = Client::connect(store);
    let before = events_of(store, 0).len();
    let order = client.place(1);
    client.result("order.complete", json!({"order_id": order}));
    client.result("order.cancel", json!({"order_id": order}));
    events_of(store, before + 3);
    daemon.signal(Signal::HUP);
    client.status();
    daemon.stop();
    let log = std::fs::read_to_string(log).unwrap();
    let call = |line: &str| -> Option<String> {
        let call = line.split_once(' ')?.1.trim_start();
        let call = call.strip_prefix("<... ").unwrap_or(call);
        let name: String = call.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        (!name.is_empty()).then_some(name)
    };
    log.lines().filter_map(call).collect()
}

#[test]
fn the_unit_forbids_no_system_call_that_the_daemon_needs() {
    let store = Store::new();
    let mut made = made_syscalls(&store);
    // A second life reads what the first one left.
    made.extend(made_syscalls(&store));
    assert!(made.contains("fdatasync") && made.contains("accept4"), "the log shows what happened: {made:?}");
    let allowed = allowed_syscalls();
    let refused: BTreeSet<&str> = made.difference(&allowed).map(String::as_str).collect();
    // Maintenance asks for less priority and does without it where that is refused.
    let tolerated = BTreeSet::from(["setpriority"]);
    assert!(refused.is_subset(&tolerated), "{refused:?}");
}
