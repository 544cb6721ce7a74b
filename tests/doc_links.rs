//! What the documents point at is there: files by path, functions by `path::name`, Markdown links, and SCHEMA.sql's
//! statements by `@name`.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 11] = [
    "src/",
    "tests/",
    "docs/",
    "packaging/",
    "benches/",
    "verification/",
    "fuzz/",
    "connectors/",
    "console/",
    "examples/",
    "load/",
];

#[test]
fn every_file_and_function_that_a_document_cites_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for citation in citations(&text) {
            count += 1;
            if !is_there(root, citation) {
                missing.push(format!("{}: {citation}", document.display()));
            }
        }
        for target in links(&text) {
            count += 1;
            if !document.parent().unwrap().join(target).exists() {
                missing.push(format!("{}: ({target})", document.display()));
            }
        }
    }
    assert!(count > 100, "citations are found at all: {count}");
    assert!(missing.is_empty(), "cited and not there: {missing:#?}");
}

#[test]
fn every_statement_that_a_document_names_is_in_the_schema() {
    let schema = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SCHEMA.sql")).unwrap();
    let part_of_a_name = |c: &char| c.is_ascii_lowercase() || *c == '_';
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for word in text.split(['`', ' ', '(']).filter_map(|word| word.strip_prefix('@')) {
            let name: String = word.chars().take_while(part_of_a_name).collect();
            // SCHEMA.sql explains the form itself with "@name".
            if !name.is_empty() && name != "name" {
                count += 1;
                assert!(schema.contains(&format!("\n/* @{name}\n")), "{}: no statement @{name}", document.display());
            }
        }
    }
    assert!(count > 10, "names are found at all: {count}");
}

/// The documents at the top, everything in docs/, and the schema.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("SCHEMA.sql")];
    for dir in [root.to_owned(), root.join("docs"), root.join("docs/decisions")] {
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    found.sort();
    found
}

fn is_there(root: &Path, citation: &str) -> bool {
    match citation.split_once("::") {
        None => root.join(citation).exists(),
        Some((path, name)) => {
            fs::read_to_string(root.join(path)).is_ok_and(|code| code.contains(&format!("fn {name}(")))
        }
    }
}

/// Every word that begins with one of our folders, without the punctuation around it.
fn citations(text: &str) -> Vec<&str> {
    let part_of_a_citation = |c: char| c.is_ascii_alphanumeric() || "/._:-".contains(c);
    text.split(|c| !part_of_a_citation(c))
        .map(|word| word.trim_end_matches(['.', ':', '-']))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .collect()
}

/// The targets of Markdown links to files of ours.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
}
