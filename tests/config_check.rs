//! Strict configuration: every error names its key and what it takes, all of them at once.

use crate::support::{Daemon, Run, Store, orderd};

/// Each key that is a whole number: its section and a value that it can never have.
const NUMBERS: [(&str, &str); 35] = [
    ("daemon", "shutdown_ms_max"),
    ("server", "connections_max"),
    ("server", "operator_connections"),
    ("server", "line_bytes_max"),
    ("server", "metadata_bytes_max"),
    ("server", "in_flight_max"),
    ("server", "answer_bytes_max"),
    ("server", "answers_bytes_max"),
    ("server", "line_ms_max"),
    ("server", "idle_ms_max"),
    ("server", "write_ms_max"),
    ("executor", "queue_commands_max"),
    ("executor", "queue_bytes_max"),
    ("executor", "batch_commands_max"),
    ("executor", "batch_bytes_max"),
    ("executor", "command_ids_max"),
    ("journal", "segment_bytes"),
    ("journal", "bytes_max"),
    ("journal", "retain_bytes"),
    ("journal", "full_probe_ms"),
    ("checkpoint", "journal_bytes"),
    ("checkpoint", "plans"),
    ("checkpoint", "age_ms"),
    ("relay", "batch_events_max"),
    ("relay", "batch_bytes_max"),
    ("relay", "cursor_events_max"),
    ("relay", "cursor_ms_max"),
    ("relay", "backoff_ms_min"),
    ("relay", "backoff_ms_max"),
    // The same again with zero, where nothing at all is impossible.
    ("server", "connections_max=0"),
    ("server", "line_bytes_max=0"),
    ("server", "in_flight_max=0"),
    ("executor", "queue_commands_max=0"),
    ("executor", "batch_commands_max=0"),
    ("relay", "batch_events_max=0"),
];

#[track_caller]
fn refused(toml: &str) -> Run {
    let store = Store::raw(toml);
    let run = orderd(&store, &["config", "check"]).expect(78);
    assert_eq!(run.stdout, "", "errors go to standard error: {toml}");
    run
}

#[track_caller]
fn names(toml: &str, key: &str) {
    let run = refused(toml);
    assert!(run.stderr.contains(key), "{toml:?} does not name {key}: {}", run.stderr);
}

#[test]
fn the_defaults_are_filled_in_and_are_themselves_a_configuration() {
    let store = Store::new();
    let printed = orderd(&store, &["config", "check"]).expect(0).stdout;
    let table: toml::Table = toml::from_str(&printed).expect("TOML is printed");
    for (section, key) in NUMBERS.iter().filter(|(_, key)| !key.contains('=')) {
        assert!(table[*section][*key].is_integer(), "{section}.{key} is missing: {printed}");
    }
    let defaults = [
        ("daemon", "event_source", "\"/orderd\""),
        ("daemon", "socket_mode", "\"0660\""),
        ("daemon", "socket_group", "\"\""),
        ("daemon", "allowed_uids", "[]"),
        ("daemon", "operator_uids", "[]"),
        ("daemon", "observer_uids", "[]"),
        ("log", "level", "\"info\""),
        ("log", "format", "\"text\""),
        ("server", "line_bytes_max", "32768"),
        ("executor", "command_ids_max", "1000000"),
        ("relay", "cursor_events_max", "1000"),
        ("relay", "cursor_ms_max", "100"),
    ];
    for (section, key, value) in defaults {
        assert_eq!(table[section][key].to_string(), value, "{section}.{key}");
    }
    let sink = &table["sinks"][0];
    assert_eq!((sink["name"].as_str(), sink["start"].as_str()), (Some("events"), Some("beginning")));
    // What it prints means the same wherever it is read.
    let again = Store::raw(&printed);
    assert_eq!(orderd(&again, &["config", "check"]).expect(0).stdout, printed);
    assert!(!store.data_dir().exists(), "a check makes nothing");
}

#[test]
fn an_empty_configuration_is_all_defaults() {
    let printed = orderd(&Store::raw(""), &["config", "check"]).expect(0).stdout;
    let table: toml::Table = toml::from_str(&printed).unwrap();
    assert!(table["daemon"]["data_dir"].as_str().unwrap().ends_with("data"));
    assert!(table["daemon"]["socket"].as_str().unwrap().ends_with("data/orderd.sock"));
}

#[test]
fn a_number_of_the_wrong_type_or_size_names_its_key() {
    for (section, key) in NUMBERS {
        if let Some((name, _)) = key.split_once('=') {
            names(&format!("[{section}]\n{key}\n"), name);
            continue;
        }
        for value in ["-1", "\"many\"", "1.5", "true", "[1]", "{ a = 1 }", "9223372036854775808"] {
            names(&format!("[{section}]\n{key} = {value}\n"), key);
        }
    }
}

#[test]
fn a_word_or_path_of_the_wrong_kind_names_its_key() {
    let long = "x".repeat(120);
    let cases = [
        ("daemon", "data_dir", "5"),
        ("daemon", "data_dir", "\"\""),
        ("daemon", "socket", "false"),
        ("daemon", "socket", "\"\""),
        ("daemon", "socket", &format!("\"/tmp/{long}\"")),
        ("daemon", "event_source", "1"),
        ("daemon", "event_source", "\"\""),
        ("daemon", "socket_mode", "660"),
        ("daemon", "socket_mode", "\"rw\""),
        ("daemon", "socket_mode", "\"0999\""),
        ("daemon", "socket_mode", "\"77777\""),
        ("daemon", "socket_group", "7"),
        ("daemon", "socket_group", "\"no-such-group\""),
        ("daemon", "allowed_uids", "0"),
        ("daemon", "allowed_uids", "[\"no-such-user\"]"),
        ("daemon", "operator_uids", "[true]"),
        ("daemon", "observer_uids", "[\"\"]"),
        ("daemon", "allowed_uids", "[-1]"),
        ("daemon", "allowed_uids", "[4294967296]"),
        ("log", "level", "\"loud\""),
        ("log", "level", "3"),
        ("log", "format", "\"xml\""),
        ("log", "format", "true"),
    ];
    for (section, key, value) in cases {
        names(&format!("[{section}]\n{key} = {value}\n"), key);
    }
}

#[test]
fn an_unknown_key_is_named_wherever_it_stands() {
    for section in ["daemon", "log", "server", "executor", "journal", "checkpoint", "relay"] {
        names(&format!("[{section}]\nno_such_key = 1\n"), "no_such_key");
    }
    names("no_such_section = 1\n", "no_such_section");
    names("[no_such_section]\na = 1\n", "no_such_section");
    names("[[sinks]]\nname = \"a\"\ntype = \"stdout\"\nno_such_key = 1\n", "no_such_key");
}

#[test]
fn a_sink_that_cannot_be_is_named() {
    let file = "type = \"file\"\npath = \"a\"\n";
    let cases = [
        (file.to_owned(), "name"),
        ("name = \"a\"\n".into(), "type"),
        ("name = \"a\"\ntype = \"carrier-pigeon\"\n".into(), "type"),
        ("name = \"a\"\ntype = \"file\"\n".into(), "path"),
        ("name = \"a\"\ntype = \"file\"\npath = \"\"\n".into(), "path"),
        ("name = \"a\"\ntype = \"file\"\npath = 5\n".into(), "path"),
        ("name = \"a\"\ntype = \"stdout\"\npath = \"b\"\n".into(), "path"),
        (format!("name = \"\"\n{file}"), "name"),
        (format!("name = \"../../escape\"\n{file}"), "name"),
        (format!("name = \"a/b\"\n{file}"), "name"),
        (format!("name = \"..\"\n{file}"), "name"),
        (format!("name = 5\n{file}"), "name"),
        (format!("name = \"{}\"\n{file}", "x".repeat(300)), "name"),
        (format!("name = \"a\"\n{file}start = \"yesterday\"\n"), "start"),
        (format!("name = \"a\"\n{file}start = 1\n"), "start"),
    ];
    for (sink, key) in cases {
        names(&format!("[[sinks]]\n{sink}"), key);
    }
    // Two sinks of one name would share a cursor.
    let twice =
        "[[sinks]]\nname = \"same\"\ntype = \"stdout\"\n[[sinks]]\nname = \"same\"\ntype = \"file\"\npath = \"b\"\n";
    names(twice, "same");
    names("[sinks]\nname = \"a\"\n", "sinks");
}

#[test]
fn one_file_is_never_two_sinks_however_its_path_is_written() {
    let store = Store::new();
    std::fs::create_dir(store.dir().join("folder")).unwrap();
    std::os::unix::fs::symlink("folder", store.dir().join("link")).unwrap();
    for (one, other) in [("a", "./a"), ("a", "folder/../a"), ("folder/a", "link/a"), ("a", "no-such-folder/../a")] {
        let sink =
            |name: &str, path: &str| format!("[[sinks]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{path}\"\n");
        std::fs::write(store.config(), sink("one", one) + &sink("other", other)).unwrap();
        let run = orderd(&store, &["config", "check"]).expect(78);
        assert!(run.stderr.contains("sinks[1].path"), "{one} and {other}: {}", run.stderr);
    }
}

#[test]
fn a_folder_that_is_not_there_is_warned_of_unless_serve_makes_it() {
    let store = Store::new();
    let sink = "[[sinks]]\nname = \"a\"\ntype = \"file\"\npath = ";
    std::fs::write(store.config(), format!("[daemon]\nsocket = \"run/a.sock\"\n{sink}\"log/a.ndjson\"\n")).unwrap();
    let run = orderd(&store, &["config", "check"]).expect(0);
    for told in ["daemon.socket", "/run", "sinks[0].path", "/log"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    std::fs::write(store.config(), format!("[daemon]\nsocket = \"data/a.sock\"\n{sink}\"data/a.ndjson\"\n")).unwrap();
    let run = orderd(&store, &["config", "check"]).expect(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn limits_that_contradict_each_other_are_impossible() {
    names("[relay]\nbackoff_ms_min = 500\nbackoff_ms_max = 100\n", "backoff_ms_m");
    names("[journal]\nsegment_bytes = 67108864\nbytes_max = 1048576\n", "bytes_max");
}

#[test]
fn every_error_is_told_at_once() {
    let toml = "\
        [daemon]\nsocket_mode = \"rw\"\ncolour = \"red\"\n\
        [log]\nlevel = \"loud\"\n\
        [server]\nline_bytes_max = \"long\"\nconnections_max = -1\n\
        [executor]\nqueue = 5\n\
        [relay]\nbackoff_ms_max = true\n\
        [[sinks]]\nname = \"a\"\ntype = \"file\"\n\
        [[sinks]]\nname = \"b\"\ntype = \"pigeon\"\n\
        [extra]\n";
    let run = refused(toml);
    for key in [
        "socket_mode",
        "colour",
        "log.level",
        "line_bytes_max",
        "connections_max",
        "queue",
        "backoff_ms_max",
        "path",
        "type",
        "extra",
    ] {
        assert!(run.stderr.contains(key), "{key} is not told: {}", run.stderr);
    }
    for takes in ["warn", "stdout"] {
        assert!(run.stderr.contains(takes), "what the key takes is not told: {takes}: {}", run.stderr);
    }
}

#[test]
fn text_that_is_not_toml_exits_78_and_says_where() {
    let run = refused("[daemon]\ndata_dir = \"data\"\nsocket = oops\n");
    assert!(run.stderr.contains('3'), "the line is named: {}", run.stderr);
    names("[daemon]\ndata_dir = \"a\"\ndata_dir = \"b\"\n", "data_dir");
    let store = Store::new();
    std::fs::write(store.config(), b"[daemon]\nevent_source = \"\xff\"\n").unwrap();
    orderd(&store, &["config", "check"]).expect(78);
}

#[test]
fn serve_refuses_what_check_refuses_and_makes_nothing() {
    let store = Store::with("data_dri = \"typo\"", "[server]\nidle_ms_max = -5\n");
    let check = orderd(&store, &["config", "check"]).expect(78);
    let serve = Daemon::refused(&store).expect(78);
    for key in ["data_dri", "idle_ms_max"] {
        assert!(serve.stderr.contains(key) && check.stderr.contains(key), "{key}: {}", serve.stderr);
    }
    assert!(!store.data_dir().exists());
    assert!(!store.socket().exists());
    // Whoever only wants the socket's place is told as well.
    orderd(&store, &["status"]).expect(78);
}
