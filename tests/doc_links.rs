//! What REVIEW.md, ANSWERS.md, SCHEMA.sql and the documents point at is there: files by path, functions by
//! `path::name`.

use std::fs;
use std::path::Path;

const PAPERS: [&str; 9] = [
    "REVIEW.md",
    "ANSWERS.md",
    "SCHEMA.sql",
    "ARCHITECTURE.md",
    "docs/journal.md",
    "docs/relay.md",
    "docs/protocol.md",
    "docs/operations.md",
    "docs/proof.md",
];
const FOLDERS: [&str; 7] = ["src/", "tests/", "docs/", "packaging/", "benches/", "verification/", "fuzz/"];

#[test]
fn every_file_and_test_that_the_papers_cite_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    let mut count = 0;
    for paper in PAPERS {
        let text = fs::read_to_string(root.join(paper)).expect(paper);
        let cited = citations(&text);
        count += cited.len();
        for citation in cited {
            let (path, function) =
                citation.split_once("::").map_or((citation, None), |(path, name)| (path, Some(name)));
            let found = match function {
                None => root.join(path).exists(),
                Some(name) => {
                    fs::read_to_string(root.join(path)).is_ok_and(|code| code.contains(&format!("fn {name}(")))
                }
            };
            if !found {
                missing.push(format!("{paper}: {citation}"));
            }
        }
    }
    assert!(count > PAPERS.len(), "citations are found at all: {count}");
    assert!(missing.is_empty(), "cited and not there: {missing:#?}");
}

/// Every word that begins with one of our folders, without the punctuation around it.
fn citations(text: &str) -> Vec<&str> {
    let part_of_a_citation = |c: char| c.is_ascii_alphanumeric() || "/._:-".contains(c);
    text.split(|c| !part_of_a_citation(c))
        .map(|word| word.trim_end_matches(['.', ':', '-']))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .collect()
}
