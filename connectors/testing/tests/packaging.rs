//! The shipped units are sound, hardened, and alike.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The worst exposure that a unit may have, times ten: `systemd-analyze security` counts from 0 (shut) to 10 (open).
const EXPOSURE_MAX: u32 = 20;

const TYPES: [&str; 6] = ["webhook", "nats", "rabbitmq", "kafka", "redis", "postgres"];

fn unit(kind: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/connectors");
    folder.join(format!("orderd-sink-{kind}@.service"))
}

/// Fails the test where the program is missing: a unit that was not looked at is not a good one.
fn systemd_analyze(args: &[&str]) -> Output {
    let output = Command::new("systemd-analyze").args(args).env("SYSTEMD_COLORS", "0").output();
    output.expect("systemd-analyze is missing: it judges the units (Debian: apt-get install systemd)")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = tempfile::tempdir().unwrap();
    for kind in TYPES {
        // The program is not installed here.
        let text = std::fs::read_to_string(unit(kind)).unwrap();
        let text = text.replace(&format!("/usr/bin/orderd-sink-{kind}"), "/bin/true");
        let path = dir.path().join(format!("orderd-sink-{kind}@.service"));
        std::fs::write(&path, text).unwrap();
        let output = systemd_analyze(&["verify", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output).trim(), "");
    }
}

#[test]
fn the_units_expose_little_though_they_have_the_network() {
    for kind in TYPES {
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        let output = systemd_analyze(&["security", "--offline=yes", &threshold, unit(kind).to_str().unwrap()]);
        let said = said(&output);
        let verdict = said.lines().find(|line| line.contains("exposure level")).unwrap_or("no verdict");
        println!("{verdict}");
        assert!(output.status.success(), "{verdict}\n{said}");
    }
}

#[test]
fn the_units_differ_in_nothing_but_the_kind_of_target() {
    let generic = |kind: &str| {
        let text = std::fs::read_to_string(unit(kind)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("Description="));
        lines
            .collect::<Vec<_>>()
            .join("\n")
            .replace(&format!("orderd-sink-{kind}"), "orderd-sink-TYPE")
            .replace(&format!("/{kind}.md"), "/TYPE.md")
    };
    for kind in TYPES {
        assert_eq!(generic(kind), generic(TYPES[0]), "{kind}");
    }
}

#[test]
fn the_units_keep_away_from_the_store_and_leave_time_to_drain() {
    for kind in TYPES {
        let text = std::fs::read_to_string(unit(kind)).unwrap();
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
        assert!(value("InaccessiblePaths").contains("/var/lib/orderd"));
        assert_ne!(value("User"), "orderd");
        assert!(value("LoadCredential").starts_with("secret:"));
        assert_eq!(value("RestartPreventExitStatus"), "64 77 78");
        // drain_ms_max is 20 s by default.
        assert!(value("TimeoutStopSec").parse::<u32>().unwrap() > 22);
    }
}
