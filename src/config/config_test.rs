//! What the configuration promises whoever writes one.

use std::path::Path;

use super::*;

fn parse(text: &str) -> Result<Config, InvalidConfig> {
    Config::parse(text, Origin::File("/conf/config.toml".into()))
}

/// The problems of a text as `LINE KEY MESSAGE`.
fn problems(text: &str) -> Vec<String> {
    let found = parse(text).expect_err("this configuration is wrong").problems;
    let line = |problem: &Problem| problem.line.map_or("-".into(), |line| line.to_string());
    found.iter().map(|problem| format!("{} {} {}", line(problem), problem.key, problem.message)).collect()
}

/// Holds that `text` has exactly one problem, that of `key`, and that the message says `part`.
#[track_caller]
fn refused(text: &str, key: &str, part: &str) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    assert!(found[0].split(' ').nth(1) == Some(key) && found[0].contains(part), "{text}: {found:?}");
}

const SINK: &str = "[[sinks]]\nname = \"a\"\ntype = \"file\"\npath = \"a\"\n";

#[test]
fn an_empty_file_is_the_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.daemon.data_dir, Path::new("/conf/data"));
    assert_eq!(config.daemon.socket, Path::new("/conf/data/orderd.sock"));
    assert_eq!(config.daemon.event_source, "/orderd");
    assert_eq!(config.daemon.socket_mode, 0o660);
    assert_eq!(config.daemon.socket_group, None);
    assert_eq!(config.server, ServerConfig::default());
    assert_eq!(config.executor, ExecutorConfig::default());
    assert_eq!(config.journal, JournalConfig::default());
    assert_eq!(config.checkpoint, CheckpointConfig::default());
    assert_eq!(config.relay, RelayConfig::default());
    assert_eq!(config.sinks, []);
    assert_eq!(config.executor.command_ids_max, 1_000_000);
    assert_eq!(config.relay.cursor_events_max, 1000);
    assert_eq!(config.relay.cursor_ms_max, std::time::Duration::from_millis(100));
}

#[test]
fn relative_paths_start_at_the_files_folder_and_absolute_ones_stay() {
    let config = parse(
        "[daemon]\ndata_dir = \"./d\"\nsocket = \"/run/s\"\n[[sinks]]\nname = \"e\"\ntype = \"file\"\npath = \"x/../e\"",
    )
    .unwrap();
    assert_eq!(config.daemon.data_dir, Path::new("/conf/d"));
    assert_eq!(config.daemon.socket, Path::new("/run/s"));
    assert_eq!(config.sinks[0].kind, SinkKind::File { path: "/conf/x/../e".into() });
    assert_eq!(config.sinks[0].start, SinkStart::Beginning);
}

#[test]
fn every_error_is_told_at_once_with_its_line_and_its_key() {
    let found = problems(concat!(
        "colour = 1\n",
        "[server]\n",
        "line_bytes_max = \"many\"\n",
        "idle_ms_max = 0\n",
        "lines = 3\n",
        "[daemon]\n",
        "socket_mode = 660\n",
        "[[sinks]]\n",
        "name = \"A\"\n",
        "type = \"kafka\"\n",
        "[[sinks]]\n",
        "name = \"b\"\n",
        "type = \"file\"\n",
        "start = \"end\"\n",
    ));
    let starts: Vec<String> = found.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        starts,
        [
            "1 colour",
            "3 server.line_bytes_max",
            "4 server.idle_ms_max",
            "5 server.lines",
            "7 daemon.socket_mode",
            "9 sinks[0].name",
            "10 sinks[0].type",
            "11 sinks[1].path",
            "14 sinks[1].start"
        ],
        "{found:#?}"
    );
    assert_eq!(found[1], "3 server.line_bytes_max takes an integer from 1024 to 16777216, not \"many\"");
    assert_eq!(found[2], "4 server.idle_ms_max takes an integer from 1 to 86400000, not 0");
    assert!(found[3].contains("unknown key") && found[3].contains("idle_ms_max"), "{}", found[3]);
}

#[test]
fn a_number_of_the_wrong_kind_is_refused() {
    for value in ["-1", "1.0", "true", "\"1\"", "[1]", "{}", "1979-05-27", "65537", "99999999999999999999999"] {
        refused(
            &format!("[server]\nconnections_max = {value}"),
            "server.connections_max",
            "an integer from 1 to 65536",
        );
    }
    for (value, number) in [("1", 1), ("65_536", 65_536), ("0x10", 16), ("0o17", 15), ("0b11", 3), ("+7", 7)] {
        let config = parse(&format!("[server]\nconnections_max = {value}")).unwrap();
        assert_eq!(config.server.connections_max, number, "{value}");
    }
}

#[test]
fn what_is_no_toml_is_refused_with_its_line_and_its_key() {
    for (text, start) in [
        ("[server]\nconnections_max = \n", "2 server.connections_max "),
        ("[server\n", "1 "),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", "3 "),
        ("[log]\nlevel = info\n", "2 log.level "),
        ("\n\n= 1", "3 "),
        ("[daemon]\nsocket = \"a", "2 daemon.socket "),
        ("[[sinks]]\nname = a\ntype = \"stdout\"", "2 sinks[0].name "),
    ] {
        let found = problems(text);
        assert!(found[0].starts_with(start) && found[0].contains("not valid TOML"), "{text:?}: {found:#?}");
    }
}

#[test]
fn a_syntax_error_does_not_hide_the_other_errors() {
    let found = problems("[server]\nconnections_max = 1 2\nline_ms_max = -5\n[log]\nlevel = 3\n");
    let mut keys: Vec<&str> = found.iter().filter_map(|problem| problem.split(' ').nth(1)).collect();
    keys.dedup();
    assert_eq!(keys, ["server.connections_max", "server.line_ms_max", "log.level"], "{found:#?}");
}

#[test]
fn a_section_of_the_wrong_form_is_refused() {
    refused("server = 5", "server", "[server]");
    refused("[[log]]\nlevel = \"info\"", "log", "[log]");
    refused("sinks = 5", "sinks", "[[sinks]]");
    refused("[sinks]\nname = \"a\"", "sinks", "[[sinks]]");
    refused("sinks = [3]", "sinks[0]", "[[sinks]]");
}

#[test]
fn daemon_keys_take_what_can_work() {
    for mode in ["\"660\"", "\"0600\"", "\"0777\"", "\"0000\""] {
        parse(&format!("[daemon]\nsocket_mode = {mode}")).unwrap();
    }
    for mode in ["\"1660\"", "\"0888\"", "\"0o660\"", "\"rw\"", "\"\"", "\"+660\"", "\"00660\""] {
        refused(&format!("[daemon]\nsocket_mode = {mode}"), "daemon.socket_mode", "octal");
    }
    for source in ["\"\"", "\"a b\"", "\"a\\n\"", "\"\u{fc}\"", "5"] {
        refused(&format!("[daemon]\nevent_source = {source}"), "daemon.event_source", "URI");
    }
    for path in ["\"\"", "7", "\"a\\u0000b\""] {
        refused(&format!("[daemon]\ndata_dir = {path}"), "daemon.data_dir", "a path");
    }
    for key in ["allowed_uids", "operator_uids", "observer_uids"] {
        let names = format!("daemon.{key}");
        refused(&format!("[daemon]\n{key} = [0, -1]"), &names, "a name or an integer");
        refused(&format!("[daemon]\n{key} = [4294967295]"), &names, "a name or an integer");
        refused(&format!("[daemon]\n{key} = [\"no such user\"]"), &names, "a name or an integer");
        refused(&format!("[daemon]\n{key} = [\"no-such-user\"]"), &names, "does not know");
    }
    let daemon = parse("[daemon]\noperator_uids = [\"root\", 7]\nobserver_uids = [\"daemon\"]").unwrap().daemon;
    assert_eq!((daemon.operator_uids, daemon.observer_uids), (vec![0, 7], vec![1]));
    refused("[daemon]\nallowed_uids = 0", "daemon.allowed_uids", "array");
    assert_eq!(parse("[daemon]\nallowed_uids = [0, 7, 0]").unwrap().daemon.allowed_uids, [0, 7]);
    refused("[daemon]\nsocket_group = \"a b\"", "daemon.socket_group", "group");
    refused("[log]\nlevel = \"INFO\"", "log.level", "\"info\"");
    refused("[log]\nformat = \"xml\"", "log.format", "\"json\"");
}

#[test]
fn a_socket_path_fits_into_a_socket_address() {
    let socket = |bytes: usize| format!("[daemon]\nsocket = \"/{}\"", "s".repeat(bytes - 1));
    parse(&socket(107)).unwrap();
    refused(&socket(108), "daemon.socket", "at most 107 bytes");
}

#[test]
fn sinks_do_not_share_a_name_a_file_or_standard_output() {
    let with = |more: &str| format!("{SINK}[[sinks]]\n{more}");
    refused(&with("name = \"a\"\ntype = \"stdout\""), "sinks[1].name", "sinks[0]");
    refused(&with("name = \"b\"\ntype = \"file\"\npath = \"./a\""), "sinks[1].path", "sinks[0]");
    let twice = "name = \"x\"\ntype = \"stdout\"\n[[sinks]]\nname = \"y\"\ntype = \"stdout\"";
    refused(&with(twice), "sinks[2].type", "sinks[1]");
    refused(&with("name = \"b\"\ntype = \"stdout\"\npath = \"b\""), "sinks[1].path", "no path");
    refused(&with("name = \"b\"\ntype = \"stdout\"\nurl = \"b\""), "sinks[1].url", "unknown key");
    for name in ["\"\"", "\"A\"", "\"a/b\"", "\".\"", "\"a b\"", "5"] {
        refused(&with(&format!("name = {name}\ntype = \"stdout\"")), "sinks[1].name", "1 to 64 characters");
    }
    refused(&with(&format!("name = \"{}\"\ntype = \"stdout\"", "n".repeat(65))), "sinks[1].name", "64");
    parse(&with(&format!("name = \"{}\"\ntype = \"stdout\"", "n".repeat(64)))).unwrap();
    refused(&with("type = \"stdout\""), "sinks[1].name", "missing");
    refused(&with("name = \"b\""), "sinks[1].type", "missing");
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    refused("[journal]\nsegment_bytes = 1048576", "journal.segment_bytes", "executor.batch_bytes_max");
    refused("[journal]\nretain_bytes = 100000000000", "journal.bytes_max", "retain_bytes");
    refused("[server]\nanswer_bytes_max = 20000", "server.answer_bytes_max", "line_bytes_max");
    refused("[server]\nanswers_bytes_max = 1000000", "server.answers_bytes_max", "answer_bytes_max");
    refused("[relay]\nbackoff_ms_max = 99", "relay.backoff_ms_max", "backoff_ms_min");
    refused("[relay]\nwindow_events_max = 511", "relay.window_events_max", "in_flight_max");
    let sink = |keys| format!("[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\n{keys}\n");
    refused(&sink("in_flight_max = 20000"), "sinks[0].window_events_max", "in_flight_max");
    refused(&sink("path = \"x\""), "sinks[0].path", "leave it out");
    refused(&sink("start = \"now\"\nstart_sequence = 2"), "sinks[0].start_sequence", "leave one of them out");
    refused(&sink("start_sequence = 0"), "sinks[0].start_sequence", "an integer from 1");
    refused(&format!("{SINK}consumer_uids = [1]\n"), "sinks[0].consumer_uids", "leave it out");
    let found = problems("[journal]\nbytes_max = 1000000\nretain_bytes = 0\n");
    assert_eq!(found.len(), 2, "segments and checkpoints: {found:#?}");
    parse(
        "[executor]\nbatch_bytes_max = 16384\n[journal]\nsegment_bytes = 65536\nbytes_max = 262144\nretain_bytes = 0\n\
         [checkpoint]\njournal_bytes = 65536",
    )
    .unwrap();
}

#[test]
fn nothing_else_writes_into_the_store() {
    let sink = |path: &str| format!("[[sinks]]\nname = \"a\"\ntype = \"file\"\npath = \"{path}\"");
    for path in ["data", "data/store", "data/store/journal/x", "data/LOCK"] {
        refused(&sink(path), "sinks[0].path", "outside the store");
    }
    refused(&sink("data/orderd.sock"), "sinks[0].path", "daemon.socket");
    refused(&sink("config.toml"), "sinks[0].path", "configuration");
    refused("[daemon]\nsocket = \"data/store/s\"", "daemon.socket", "outside the store");
    refused(&sink("data/../data/./store/x"), "sinks[0].path", "outside the store");
    refused(&sink("x/../../conf/data/store/x"), "sinks[0].path", "outside the store");
    parse(&sink("data/events.ndjson")).unwrap();
    parse(&sink("data/storeroom")).unwrap();
}

#[test]
fn a_printed_configuration_reads_back_as_itself() {
    let least = format!(
        "{SINK}[[sinks]]\nname = \"out\"\ntype = \"stdout\"\nstart = \"now\"\n[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\nstart_sequence = 7\nin_flight_max = 3\nconsumer_uids = [5]\n"
    );
    let changed = concat!(
        "[daemon]\nsocket_mode = \"0600\"\nsocket_group = \"root\"\nallowed_uids = [0, 1000]\noperator_uids = [33]\nobserver_uids = [34]\nshutdown_ms_max = 1\n",
        "data_dir = \"quote \\\" back \\\\ line \\n \u{fc}\"\nevent_source = \"https://shop.example/orders\"\n",
        "[log]\nlevel = \"trace\"\nformat = \"json\"\n[server]\nidle_ms_max = 77\n",
    );
    for text in ["", &least, changed] {
        let config = parse(text).unwrap();
        let printed = config.to_toml().unwrap();
        assert_eq!(parse(&printed).as_ref(), Ok(&config), "{printed}");
        assert_eq!(parse(&printed).unwrap().to_toml().unwrap(), printed);
    }
}

#[test]
fn a_path_that_toml_cannot_hold_is_not_printed_as_another_one() {
    use std::os::unix::ffi::OsStrExt as _;
    let file = Path::new(std::ffi::OsStr::from_bytes(b"/\xff/config.toml"));
    assert!(Config::parse("", Origin::File(file.into())).unwrap().to_toml().is_err());
}

/// Every `section.key` that the printed defaults have.
fn keys(toml: &str) -> Vec<String> {
    let table: toml::Table = toml.parse().unwrap();
    let mut keys = Vec::new();
    for (section, value) in &table {
        let inner = value.as_table().or_else(|| value.as_array()?.first()?.as_table()).unwrap();
        keys.extend(inner.keys().map(|key| format!("{section}.{key}")));
    }
    keys
}

#[test]
fn the_shipped_file_is_the_defaults_and_names_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = std::fs::read_to_string(root.join("config.toml")).unwrap();
    let config = Config::load(&root.join("config.toml")).unwrap();
    let sink = SinkConfig {
        name: "events".into(),
        kind: SinkKind::File { path: root.join("data/events.ndjson") },
        start: SinkStart::Beginning,
        delivery: DeliveryConfig::default(),
        consumer_uids: Vec::new(),
        daemon: None,
    };
    let defaults = Config { sinks: vec![sink], ..Config::parse("", Origin::File(root.join("config.toml"))).unwrap() };
    assert_eq!(config, defaults);
    assert_eq!(keys(&shipped), keys(&config.to_toml().unwrap()));
}

#[test]
fn the_handbook_has_every_key_with_its_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let handbook = std::fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let table: toml::Table = std::fs::read_to_string(root.join("config.toml")).unwrap().parse().unwrap();
    for (section, keys) in table.iter().filter(|(section, _)| *section != "sinks") {
        let (_, part) = handbook.split_once(&format!("### `[{section}]`\n")).expect(section);
        let part = part.split("\n### ").next().unwrap();
        for (key, value) in keys.as_table().unwrap() {
            assert!(part.contains(&format!("| `{key}` | `{value}` |")), "{section}.{key} = {value}");
        }
    }
    let (_, sinks) = handbook.split_once("### `[[sinks]]`\n").unwrap();
    for key in table["sinks"][0].as_table().unwrap().keys() {
        assert!(sinks.contains(&format!("| `{key}` |")), "sinks.{key}");
    }
}
