//! Imports go one way: what ARCHITECTURE.md says of the layers is read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the layers that it may know. A layer may always know itself.
const MAY_KNOW: [(&str, &[&str]); 14] = [
    ("domain", &[]),
    ("telemetry", &[]),
    ("contracts", &["domain", "telemetry"]),
    ("usecases", &["contracts", "domain"]),
    ("journal", &["contracts", "telemetry"]),
    ("repo", &["journal", "contracts", "domain", "telemetry"]),
    ("postgres", &["repo", "contracts", "domain", "telemetry"]),
    ("executor", &["usecases", "contracts", "domain"]),
    ("relay", &["contracts", "domain", "telemetry"]),
    ("server", &["contracts", "domain", "telemetry"]),
    ("storage", &["contracts"]),
    ("config", &[]),
    ("logging", &["config", "telemetry"]),
    ("systemd", &[]),
];

/// All sources in a folder and those below it.
pub fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether a file is compiled for tests alone.
pub fn is_for_tests(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    name.ends_with("_test.rs") || name == "testing.rs" || name == "fake_repository.rs"
}

/// The layers that a source names as `crate::layer`. Tests may know more than what they test.
fn known_layers(source: &str) -> BTreeSet<String> {
    let shipped = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    shipped.split("crate::").skip(1).map(word).collect()
}

#[test]
fn no_layer_knows_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = 0;
    for (layer, may_know) in MAY_KNOW {
        let folder = src.join(layer);
        let files = if folder.is_dir() { sources(&folder) } else { vec![src.join(format!("{layer}.rs"))] };
        for file in files {
            if is_for_tests(&file) {
                continue;
            }
            looked_at += 1;
            for known in known_layers(&fs::read_to_string(&file).unwrap()) {
                let allowed = known == layer || may_know.contains(&known.as_str());
                assert!(allowed, "{} knows {known}, and {layer} may know {may_know:?}", file.display());
            }
        }
    }
    assert!(looked_at > 50, "only {looked_at} files");
}

#[test]
fn every_source_folder_is_a_known_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let layer = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let top = ["app", "backup", "cli", "fuzzing", "lib", "main", "testkit"].contains(&layer.as_str());
        assert!(top || MAY_KNOW.iter().any(|(known, _)| *known == layer), "{layer} is in no row of the table");
    }
}

/// A check that cannot fail is none.
#[test]
fn an_upward_import_is_seen() {
    assert!(known_layers("use crate::repo::Store;").contains("repo"));
    assert!(known_layers("fn f(store: &crate::app::Thing) {}").contains("app"));
    assert!(known_layers("use std::io;\n#[cfg(test)]\nmod tests { use crate::app; }").is_empty());
}
