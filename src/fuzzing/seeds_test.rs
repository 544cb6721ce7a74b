use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_of_the_fuzzers_is_taken_without_a_panic() {
    for (name, target) in TARGETS {
        let files = seeds(name);
        assert!(files.len() >= 5, "{name} has {} seeds", files.len());
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

/// Without the fuzzer's skill, and with none of its patience: what breaks at once shows here.
#[test]
fn some_random_inputs_of_each_target_are_taken_without_a_panic() {
    for (name, target) in TARGETS {
        for seed in 0..250 {
            let mut random = fastrand::Rng::with_seed(seed);
            let data: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
            println!("{name} {seed}");
            target(&data);
        }
    }
}

#[test]
fn every_target_has_its_binary() {
    for (name, _) in TARGETS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{name}.rs"));
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(source.contains(&format!("orderd::fuzzing::{name}(data)")), "{}", path.display());
    }
}
