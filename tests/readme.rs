//! README.md's console blocks do what they show, in the order in which they stand, with the real binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{DEADLINE, Daemon, Store, eventually};

/// Run by whoever reads the README, and by CI; they build what is under test here.
const NOT_HERE: [&str; 4] = ["git clone ", "cd orderd", "cargo ", "tests/run"];

#[test]
fn the_readmes_commands_print_what_it_shows() {
    let example = Example::start();
    let mut commands = 0;
    for (command, shown) in console_blocks(&example.readme) {
        if NOT_HERE.iter().any(|word| command.starts_with(word)) {
            continue;
        }
        commands += 1;
        let is_as_shown = |(succeeded, printed): &(bool, String)| {
            *succeeded && (shown.is_empty() || mask_times(printed) == mask_times(&shown))
        };
        // Delivery follows the answer by a moment.
        if command.starts_with("tail ") || command.starts_with("orderd trace ") {
            eventually(DEADLINE, &command, || is_as_shown(&example.run(&command)));
        } else {
            let done = example.run(&command);
            assert!(is_as_shown(&done), "{command}\nprints\n{}\nand README.md shows\n{shown}", done.1);
        }
    }
    assert!(commands > 5, "only {commands} commands");
}

#[test]
fn the_readmes_python_speaks_to_the_daemon() {
    let example = Example::start();
    let program = example.readme.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    fs::write(example.store.path("example.py"), program).unwrap();
    assert_eq!(example.run("python3 example.py"), (true, "ready\n".to_owned()));
}

/// What a reader has after the first command: the shipped configuration and a daemon.
struct Example {
    readme: String,
    store: Store,
    _daemon: Daemon,
}

impl Example {
    fn start() -> Example {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let readme = fs::read_to_string(root.join("README.md")).unwrap();
        let store = Store::raw(&fs::read_to_string(root.join("config.toml")).unwrap());
        let daemon = Daemon::spawn(&store);
        let example = Example { readme, store, _daemon: daemon };
        eventually(DEADLINE, "the daemon answers", || example.run("orderd status").0);
        example
    }

    /// In a shell that finds `orderd`: whether it succeeded, and what it printed.
    fn run(&self, command: &str) -> (bool, String) {
        let bin = Path::new(env!("CARGO_BIN_EXE_orderd")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let mut bash = Command::new("bash");
        bash.args(["-c", command]).current_dir(self.store.dir()).env("PATH", &path).stdin(Stdio::null());
        let done = bash.env_remove("ORDERD_CONFIG").env_remove("ORDERD_SOCKET").output().expect("bash runs");
        (done.status.success(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
    }
}

/// Each prompted command with the lines shown below it.
fn console_blocks(readme: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => found.push((command.to_owned(), String::new())),
                (None, Some((_, shown))) => *shown += &format!("{line}\n"),
                (None, None) => panic!("a console block begins with a command: {line}"),
            }
        }
    }
    found
}

/// The text with every time replaced: a time has a fixed length and form.
fn mask_times(text: &str) -> String {
    const FORM: &str = "0000-00-00T00:00:00.000000Z";
    let digits = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let mut masked = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_time = rest.get(..FORM.len()).is_some_and(|piece| digits(piece) == FORM);
        let (piece, taken) = if is_time { (FORM, FORM.len()) } else { (&rest[..next.len_utf8()], next.len_utf8()) };
        masked += piece;
        rest = &rest[taken..];
    }
    masked
}
