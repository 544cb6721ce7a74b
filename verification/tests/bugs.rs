//! The deliberate bugs: those of the disk are caught here, those of the code can still be made.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::fs;
use std::path::{Path, PathBuf};

use orderd_verification::bugs::{Bug, BugSearch};
use orderd_verification::campaign::Campaign;

/// Most bugs show within a hundred seeds; the margin is for those that need two things to go wrong.
const SEEDS_MAX: u64 = 5000;

#[test]
fn every_bug_between_the_daemon_and_its_disk_is_caught() {
    let report = Campaign::of(0..Bug::ALL.len() as u64).run(&BugSearch { seeds_max: SEEDS_MAX });
    println!("{report}");
    assert_eq!(report.verdict(), Ok(()));
}

/// The patches are tried by `just bugs`, which takes long; here, that the code they change is still there.
#[test]
fn every_patch_still_finds_the_code_that_it_spoils() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let patches = patches(&root.join("verification/bugs"));
    assert!(patches.len() >= 20, "{} patches", patches.len());
    for patch in patches {
        let text = fs::read_to_string(&patch).unwrap();
        let name = patch.display();
        for line in ["Bug: ", "Promise: ", "Caught by: cargo "] {
            assert!(text.lines().any(|has| has.starts_with(line)), "{name} has no line {line:?}");
        }
        let hunks = hunks(&text);
        assert!(!hunks.is_empty(), "{name} changes nothing");
        for (file, before) in hunks {
            let code = fs::read_to_string(root.join(&file)).unwrap();
            assert!(code.contains(&before), "{name}: {file} has this no more:\n{before}");
        }
    }
}

fn patches(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "patch")).collect();
    patches.sort();
    patches
}

/// Each place that a patch changes: the file, and the lines that it must find there.
fn hunks(patch: &str) -> Vec<(String, String)> {
    let mut hunks: Vec<(String, String)> = Vec::new();
    let mut file = String::new();
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = path.to_owned();
        } else if line.starts_with("@@ ") {
            hunks.push((file.clone(), String::new()));
        } else if let Some((_, before)) = hunks.last_mut()
            && let Some(kept) = line.strip_prefix([' ', '-'])
            && !line.starts_with("--- ")
        {
            before.push_str(kept);
            before.push('\n');
        }
    }
    hunks
}
