//! Configuration and command line.

use orderd_sink_testing::{Program, Target as _, assert_refused, check};

use crate::support::{BINARY, Server, schema};

#[test]
fn what_is_wrong_is_named_and_no_password_is_printed() {
    let cases = [
        ("url = \"postgres://u@h/d\"", "table"),
        ("table = \"t\"", "url"),
        ("url = \"\"\ntable = \"t\"", "url"),
        ("url = \"postgres://u:s3cret@h/d\"\ntable = \"t\"", "password_file"),
        ("url = \"postgres://u@h/d?password=s3cret\"\ntable = \"t\"", "password_file"),
        ("url = \"host=h password=s3cret\"\ntable = \"t\"", "password_file"),
        ("url = \"host=h password='s3cret\"\ntable = \"t\"", "url"),
        ("url = \"postgres://u@h/d\"\ntable = \"a b\"", "SCHEMA.NAME"),
        ("url = \"postgres://u@h/d\"\ntable = \"t\"\npassword = \"s3cret\"", "password"),
        ("url = \"postgres://u@h/d\"\ntable = \"t\"\npassword_file = \"missing\"", "missing"),
        ("url = \"postgres://u@h/d\"\ntable = \"t\"\nca_file = \"password\"", "ca_file"),
    ];
    assert_refused(BINARY, &[("password", Server::PASSWORD)], &cases);
}

#[test]
fn schema_names_the_configured_table_and_may_be_run_twice() {
    let server = Server::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postgres.toml");
    std::fs::write(&file, "url = \"postgres://u@h/d\"\ntable = \"app.Events\"\n").unwrap();
    let output = Program::run(BINARY, &["schema", "--config", file.to_str().unwrap()]);
    let ddl = String::from_utf8(output.stdout).unwrap();
    server.sql("CREATE SCHEMA app");
    server.sql(&ddl);
    server.sql(&ddl);
    assert_eq!(server.sql("SELECT count(*) FROM app.\"Events\""), "0");
    assert!(schema().contains("\"orderd_inbox\""));
}

#[test]
fn check_connect_asks_the_database() {
    let server = Server::start(&[]);
    let keys = server.keys();
    let check = || check(BINARY, &keys, &[], &["--connect"]);
    let missing = check();
    assert!(missing.code == Some(78) && missing.err.contains("orderd_inbox"), "{missing:?}");
    server.sql(&schema());
    check().assert_taken("takes events");
    assert_eq!(server.count(), 0);
    server.go_away("fast");
    assert_eq!(check().code, Some(69));
}
