//! No two files import each other, directly or over others: whoever reads one need not have read the other before.
//!
//! A file imports another if it names something that is defined there, however many `mod.rs` hand the name on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::architecture::{is_for_tests, sources};

/// `a::b::c` as its parts.
type Names = Vec<String>;

/// One file's module.
struct Module {
    tokens: Vec<String>,
    uses: Vec<Use>,
}

/// One name that a `use` brings in.
struct Use {
    path: Names,
    name: String,
    handed_on: bool,
}

type Modules = BTreeMap<Names, Module>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut crates = vec![root.to_owned()];
    crates.extend(["benches/compare", "console", "load", "verification"].map(|folder| root.join(folder)));
    crates.extend(fs::read_dir(root.join("connectors")).unwrap().map(|entry| entry.unwrap().path()));
    let mut files = 0;
    for folder in crates {
        let modules = read(&folder.join("src"));
        files += modules.len();
        let circle = circles(imports(&modules));
        assert!(circle.is_empty(), "{}: {circle:#?}", folder.display());
    }
    assert!(files > 500, "only {files} files");
}

/// A check that cannot fail is none.
#[test]
fn a_circle_is_seen_through_a_name_that_is_handed_on() {
    let file = |path: &str, text: &str| (names(path), module(text));
    let mut modules = Modules::from([
        file("", "mod a; mod b; mod c;"),
        file("a", "mod inner; pub use inner::{Thing as Other};"),
        file("a::inner", "use crate::c; pub struct Thing; fn f() { c::g() }"),
        file("b", "use super::a::Other; pub struct B(Other);"),
        file("c", "pub fn g() {}"),
    ]);
    assert!(circles(imports(&modules)).is_empty());
    modules.insert(names("c"), module("use super::b::B; pub fn g(_: B) {}"));
    assert_eq!(circles(imports(&modules)), ["a::inner -> c", "b -> a::inner", "c -> b"]);
}

fn names(path: &str) -> Names {
    path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// All modules of a crate, by their paths in it.
fn read(src: &Path) -> Modules {
    let is_library = src.join("lib.rs").exists();
    let wanted = |path: &PathBuf| {
        let name = path.strip_prefix(src).unwrap().to_str().unwrap();
        !(name.starts_with("bin/") || is_library && name == "main.rs" || is_for_tests(path))
    };
    let module_of = |path: PathBuf| {
        let inside = path.strip_prefix(src).unwrap().with_extension("");
        let parts = inside.iter().map(|part| part.to_str().unwrap().to_owned());
        let parts = parts.filter(|part| !["mod", "lib", "main"].contains(&part.as_str()));
        (parts.collect(), module(&fs::read_to_string(&path).unwrap()))
    };
    sources(src).into_iter().filter(wanted).map(module_of).collect()
}

fn module(text: &str) -> Module {
    let (mut tokens, mut uses) = (Vec::new(), Vec::new());
    let all = tokens_of(&shipped(text));
    let mut rest = all.iter();
    while let Some(token) = rest.next() {
        if token == "use" {
            let tree: Names = rest.by_ref().take_while(|token| *token != ";").cloned().collect();
            let handed_on = tokens.last().is_some_and(|before: &String| before == "pub" || before == ")");
            read_tree(&tree, &[], handed_on, &mut uses);
        } else if token == "mod" {
            // The name of a child says nothing of who uses it.
            rest.next();
        } else {
            tokens.push(token.clone());
        }
    }
    Module { tokens, uses }
}

/// What is not compiled for tests alone, without comments.
fn shipped(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line.split("//").next().unwrap_or_default());
            kept.push('\n');
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        if item.is_some_and(|item| item.ends_with('{')) {
            lines.by_ref().find(|line| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}')));
        }
    }
    kept
}

/// Names, `::`, and single signs.
fn tokens_of(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let len = match first {
            _ if is_name(first) => rest.find(|c: char| !is_name(c)).unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        tokens.push(rest[..len].to_owned());
        rest = rest[len..].trim_start();
    }
    tokens
}

/// `a::{b, c::D as E}` as the names that it brings in.
fn read_tree(tree: &[String], before: &[String], handed_on: bool, uses: &mut Vec<Use>) {
    let mut path = before.to_vec();
    for (at, token) in tree.iter().enumerate() {
        match token.as_str() {
            "::" => {}
            "{" => {
                let inside = &tree[at + 1..tree.len() - 1];
                let mut depth = 0;
                let parts = inside.split(|token| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    depth == 0 && token == ","
                });
                parts.filter(|part| !part.is_empty()).for_each(|part| read_tree(part, &path, handed_on, uses));
                return;
            }
            "self" if !path.is_empty() => {}
            "as" => {
                uses.push(Use { path, name: tree[at + 1].clone(), handed_on });
                return;
            }
            name => path.push(name.to_owned()),
        }
    }
    let name = path.last().cloned().unwrap_or_default();
    uses.push(Use { path, name, handed_on });
}

/// Which module names things of which others.
fn imports(modules: &Modules) -> BTreeMap<&Names, BTreeSet<&Names>> {
    let of = |(at, module): (&'_ Names, &'_ Module)| -> BTreeSet<Names> {
        let is_used = |one: &&Use| !one.handed_on || module.tokens.contains(&one.name);
        let used = module.uses.iter().filter(is_used).map(|one| one.path.clone());
        let named = paths_in(&module.tokens);
        used.chain(named).filter_map(|path| defining(modules, at, &path, 0)).filter(|found| found != at).collect()
    };
    let key = |path: &Names| modules.get_key_value(path).unwrap().0;
    modules.iter().map(|(at, module)| (at, of((at, module)).iter().map(key).collect())).collect()
}

/// The paths of several parts that are written out in the code.
fn paths_in(tokens: &[String]) -> Vec<Names> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at + 2 < tokens.len() {
        let mut path = vec![tokens[at].clone()];
        while at + 2 < tokens.len() && tokens[at + 1] == "::" && tokens[at + 2] != "<" {
            at += 2;
            path.push(tokens[at].clone());
        }
        if path.len() > 1 {
            paths.push(path);
        }
        at += 1;
    }
    paths
}

/// The module in which the thing is defined that `path` means in module `at`; none if it is another crate's.
fn defining(modules: &Modules, at: &Names, path: &[String], depth: u32) -> Option<Names> {
    let (first, mut rest) = path.split_first()?;
    let mut module = match first.as_str() {
        "crate" => Names::new(),
        "self" => at.clone(),
        "super" => at[..at.len().checked_sub(1)?].to_vec(),
        name if modules.contains_key(&child(at, name)) => child(at, name),
        name => {
            let known = modules[at].uses.iter().find(|one| one.name == name && one.path.len() > 1 && depth < 8)?;
            return defining(modules, at, &[&known.path, rest].concat(), depth + 1);
        }
    };
    while let Some((name, behind)) = rest.split_first() {
        if name == "super" {
            module.pop();
        } else if modules.contains_key(&child(&module, name)) {
            module = child(&module, name);
        } else if let Some(known) = modules.get(&module)?.uses.iter().find(|one| one.name == *name && depth < 8) {
            return defining(modules, &module, &known.path, depth + 1);
        } else {
            break;
        }
        rest = behind;
    }
    modules.contains_key(&module).then_some(module)
}

fn child(module: &[String], name: &str) -> Names {
    [module, &[name.to_owned()]].concat()
}

/// The imports that are left when files are taken away that import nothing that is left, or are not imported.
fn circles(mut imports: BTreeMap<&Names, BTreeSet<&Names>>) -> Vec<String> {
    loop {
        let imported: BTreeSet<&Names> = imports.values().flatten().copied().collect();
        let before = imports.len();
        imports.retain(|file, imported_by_it| !imported_by_it.is_empty() && imported.contains(file));
        let left: BTreeSet<&Names> = imports.keys().copied().collect();
        imports.values_mut().for_each(|files| files.retain(|file| left.contains(file)));
        if imports.len() == before {
            let arrow = |(file, files): (&&Names, &BTreeSet<&Names>)| {
                files.iter().map(|other| format!("{} -> {}", file.join("::"), other.join("::"))).collect::<Vec<_>>()
            };
            return imports.iter().flat_map(arrow).collect();
        }
    }
}
