//! The console as a service of systemd.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::console::program;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::World;

/// The worst exposure that the unit may have, times ten: `systemd-analyze security` counts from 0 (shut) to 10 (open).
const EXPOSURE_MAX: u32 = 15;

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/console/orderd-console.service")
}

fn systemd_analyze(args: &[&str]) -> String {
    let output = Command::new("systemd-analyze").args(args).env("SYSTEMD_COLORS", "0").output();
    let output = output.expect("systemd-analyze is missing: install Debian's package systemd");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.into_owned()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit_and_little_exposed() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orderd-console.service");
    // Neither the program nor its page are installed here.
    let here = text.replace("/usr/bin/orderd-console", env!("CARGO_BIN_EXE_orderd-console"));
    let here: String =
        here.lines().filter(|line| !line.starts_with("Documentation=")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, here).unwrap();
    assert_eq!(systemd_analyze(&["verify", path.to_str().unwrap()]).trim(), "");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    systemd_analyze(&["security", "--offline=yes", &threshold, unit().to_str().unwrap()]);
}

#[test]
fn the_program_takes_the_units_flags() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let command = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/orderd-console ")).unwrap();
    // An unknown flag before it would be refused.
    let output = program().args(command.split(' ')).arg("--help").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn it_says_when_it_is_ready_feeds_the_watchdog_and_says_when_it_stops() {
    let daemon = FakeDaemon::start(World::busy());
    let path = daemon.socket().with_file_name("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let heard = || {
        let mut text = [0; 1_024];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).trim().to_owned()
    };
    let mut process = program()
        .args(["--listen", "127.0.0.1:0", "--socket", daemon.socket().to_str().unwrap()])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "4000000")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(heard(), "READY=1");
    assert_eq!(heard(), "WATCHDOG=1");
    // Also when the daemon is away: that is not the console's fault.
    daemon.stop();
    assert_eq!((heard(), heard()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
    while heard() != "STOPPING=1" {}
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
