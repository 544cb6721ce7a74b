//! Configuration and command line.

use std::process::Output;

use orderd_sink_testing::Program;
use tempfile::TempDir;

use crate::support::{BINARY, Server, schema};

fn check(config: &str, more: &[&str]) -> (Output, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("password"), Server::PASSWORD).unwrap();
    let file = dir.path().join("postgres.toml");
    std::fs::write(&file, config).unwrap();
    let mut args = vec!["check", "--config", file.to_str().unwrap()];
    args.extend(more);
    (Program::run(BINARY, &args), dir)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_is_wrong_is_named_and_no_password_is_printed() {
    for (config, says) in [
        ("url = \"postgres://u@h/d\"", "table"),
        ("table = \"t\"", "url"),
        ("url = \"postgres://u:s3cret@h/d\"\ntable = \"t\"", "password_file"),
        ("url = \"postgres://u@h/d?password=s3cret\"\ntable = \"t\"", "password_file"),
        ("url = \"host=h password=s3cret\"\ntable = \"t\"", "password_file"),
        ("url = \"host=h password='s3cret\"\ntable = \"t\"", "url"),
        ("url = \"postgres://u@h/d\"\ntable = \"a b\"", "SCHEMA.NAME"),
        ("url = \"postgres://u@h/d\"\ntable = \"t\"\npassword = \"s3cret\"", "password"),
        ("url = \"postgres://u@h/d\"\ntable = \"t\"\npassword_file = \"missing\"", "missing"),
        ("url = \"postgres://u@h/d\"\ntable = \"t\"\nca_file = \"password\"", "ca_file"),
    ] {
        let (output, _dir) = check(config, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{config}: {said}");
        assert!(said.contains(says) && !said.contains("s3cret"), "{config}: {said}");
    }
}

#[test]
fn schema_names_the_configured_table_and_may_be_run_twice() {
    let server = Server::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postgres.toml");
    std::fs::write(&file, "url = \"postgres://u@h/d\"\ntable = \"app.Events\"\n").unwrap();
    let output = Program::run(BINARY, &["schema", "--config", file.to_str().unwrap()]);
    let ddl = text(&output.stdout);
    server.sql("CREATE SCHEMA app");
    server.sql(&ddl);
    server.sql(&ddl);
    assert_eq!(server.sql("SELECT count(*) FROM app.\"Events\""), "0");
    assert!(schema().contains("\"orderd_inbox\""));
}

#[test]
fn check_connect_asks_the_database() {
    let server = Server::start(&[]);
    let config = format!("url = \"{}\"\npassword_file = \"password\"\ntable = \"orderd_inbox\"\n", server.url());
    let (output, _dir) = check(&config, &["--connect"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("orderd_inbox"));
    server.sql(&schema());
    let (output, _dir) = check(&config, &["--connect"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(server.count(), 0);
    server.go_away("fast");
    let (output, _dir) = check(&config, &["--connect"]);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output.stderr));
}
