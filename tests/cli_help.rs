//! Help, manual pages and completions: they fit a terminal, and offer what works.

use crate::support::Cli;

/// The help of a command and of everything below it, each with its command line.
fn helps(command: &[&str]) -> Vec<(String, String)> {
    let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
    let help = Cli::new(&args).run().expect(0).stdout;
    let mut found = vec![(command.join(" "), help.clone())];
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    // Their names stand two columns in, what continues a description stands further in.
    let names =
        commands.lines().filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        let below: Vec<&str> = command.iter().copied().chain([name]).collect();
        found.extend(helps(&below));
    }
    found
}

#[test]
fn every_help_fits_80_columns_and_shows_an_example() {
    let helps = helps(&[]);
    assert!(helps.len() > 30, "only {} commands", helps.len());
    for (command, help) in helps {
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "orderd {command} --help: {line}");
        }
        let is_group = help.contains("\nCommands:\n");
        assert!(is_group || help.contains("Example"), "orderd {command} --help shows no example");
    }
}

#[test]
fn only_what_reads_a_configuration_offers_one() {
    for (command, help) in helps(&[]) {
        let reads_none =
            ["man", "completions", "config", "schema", "sink", "lane", "replay"].contains(&command.as_str());
        assert_eq!(help.contains("--config"), !reads_none, "orderd {command}");
    }
    Cli::new(&["man", "--config", "x"]).run().expect(64);
}

#[test]
fn manual_pages_have_the_usual_sections() {
    let folder = tempfile::tempdir().unwrap();
    Cli::new(&["man", folder.path().to_str().unwrap()]).run().expect(0);
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for heading in [".SH FILES", ".SH \"EXIT STATUS\""] {
        assert!(page("orderd.1").contains(heading), "{heading} is missing: {}", page("orderd.1"));
    }
    assert!(page("orderd-sink-skip-to.1").contains(".SH EXAMPLES"));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains(".SH EXTRA") && text.contains(".SH SYNOPSIS"), "{text}");
    }
}
