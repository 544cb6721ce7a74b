//! The size of files and functions, and wordings that the project has given up.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// What this file itself may contain.
const THIS: &str = "tests/tidy.rs";

/// A wording, and what says it better. Letter case does not matter.
const FORMULAS: [(&str, &str); 11] = [
    ("as the system says", "any I/O error from the OS"),
    ("the system says no", "any I/O error from the OS"),
    ("what came back.", "the underlying error"),
    ("what was tried.", "the operation that failed"),
    ("later orderd's", "written by a newer version"),
    ("nobody was told of", "never acknowledged"),
    (" anew", "again"),
    ("so many ", "up to N, or a number"),
    ("somebody has to look", "needs an operator"),
    ("orderd itself is wrong", "internal error (a bug)"),
    ("one row an order", "one row per order"),
];

#[test]
fn no_file_is_too_long_to_be_one_thing() {
    let long: Vec<_> = sources(&["rs"])
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "more than {FILE_LINES_MAX} lines: {long:#?}");
}

#[test]
fn every_function_fits_a_screen() {
    let mut long = Vec::new();
    let mut count = 0;
    for (path, text) in sources(&["rs"]) {
        for (name, lines) in functions(&text) {
            count += 1;
            if lines > FUNCTION_LINES_MAX {
                long.push(format!("{path}: {name}: {lines} lines"));
            }
        }
    }
    assert!(count > 1000, "functions are found at all: {count}");
    assert!(long.is_empty(), "more than {FUNCTION_LINES_MAX} lines: {long:#?}");
}

#[test]
fn nothing_is_said_in_a_wording_that_was_given_up() {
    let mut found = Vec::new();
    for (path, text) in sources(&["rs", "md", "sql", "toml"]) {
        for (number, line) in (1..).zip(text.lines()) {
            let lower = line.to_lowercase();
            for (formula, better) in FORMULAS.iter().filter(|(formula, _)| lower.contains(formula)) {
                found.push(format!("{path}:{number}: \"{}\": say \"{better}\"", formula.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{} places: {found:#?}", found.len());
}

/// A check that cannot fail is none.
#[test]
fn the_length_of_a_function_is_seen() {
    let text = "fn short() {}\n\nimpl A {\n    fn of(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n\n    fn no_body();\n}\n";
    let found: Vec<_> = functions(text).collect();
    assert_eq!(found, [("short", 1), ("of", 5), ("no_body", 1)]);
}

/// The names of all functions with their lengths in lines.
fn functions(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len()).filter_map(move |at| {
        let name = function_name(lines[at].trim_start())?;
        Some((name, function_length(&lines[at..])?))
    })
}

/// rustfmt puts the last line of a function below its first letter: a brace, or of a mere declaration a parenthesis.
fn function_length(lines: &[&str]) -> Option<usize> {
    let (first, rest) = lines.split_first()?;
    if first.ends_with([';', '}']) {
        return Some(1);
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let is_last = |line: &&str| {
        line.strip_prefix(indent).is_some_and(|end| end.starts_with('}') || end.starts_with(')') && end.ends_with(';'))
    };
    Some(rest.iter().position(is_last)? + 2)
}

fn function_name(line: &str) -> Option<&str> {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe "];
    let mut rest = line;
    while let Some(shorter) = words.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = shorter;
    }
    let name = rest.strip_prefix("fn ")?;
    Some(name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(name))
}

/// All our files with these endings, by their paths inside the repository.
fn sources(endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(root, endings, &mut paths);
    let mut found: Vec<_> = paths
        .into_iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| name != THIS)
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 20, "only {} files", found.len());
    found
}

/// Not what is built, nor what is hidden.
fn walk(dir: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !path.is_symlink() {
            if !name.starts_with('.') && !["target", "corpus", "seeds", "node_modules"].contains(&name) {
                walk(&path, endings, found);
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            found.push(path);
        }
    }
}
