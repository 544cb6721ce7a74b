//! Configuration and command line.

use std::process::Output;

use orderd_sink_testing::Program;
use tempfile::TempDir;

use crate::support::{BINARY, Endpoint, Reply, SECRET};

fn check(config: &str, more: &[&str]) -> (Output, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), SECRET).unwrap();
    let file = dir.path().join("webhook.toml");
    std::fs::write(&file, config).unwrap();
    let mut args = vec!["check", "--config", file.to_str().unwrap()];
    args.extend(more);
    (Program::run(BINARY, &args), dir)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let (output, dir) = check("url = \"https://host/path\"\nsecret_files = [\"secret\"]\n", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed: toml::Table = text(&output.stdout).parse().unwrap();
    assert_eq!(printed["timeout_ms"].as_integer(), Some(15_000));
    assert_eq!(printed["in_flight_max"].as_integer(), Some(8));
    assert_eq!(printed["content_mode"].as_str(), Some("structured"));
    assert_eq!(printed["deny_addresses"][0].as_str(), Some("169.254.0.0/16"));
    assert_eq!(printed["secret_files"][0].as_str(), dir.path().join("secret").to_str());
    // What is printed is a configuration.
    let (again, _dir) = check(&text(&output.stdout), &[]);
    assert_eq!(text(&again.stdout), text(&output.stdout));
}

#[test]
fn what_is_wrong_is_named_with_its_key_and_the_exit_code_is_78() {
    let base = "url = \"https://host/\"\nsecret_files = [\"secret\"]\n";
    let with = |line: &str| format!("{base}{line}\n");
    for (config, key, says) in [
        (with("pasword_file = \"x\""), "pasword_file", "unknown key"),
        (with("timeout_ms = \"1s\""), "timeout_ms", "invalid type"),
        (with("timeout_ms = 0"), "timeout_ms", "1 to"),
        (with("in_flight_max = 65"), "in_flight_max", "1 to 64"),
        (with("content_mode = \"batch\""), "content_mode", "structured"),
        (with("deny_addresses = [\"host\"]"), "deny_addresses", "10.0.0.0/8"),
        (with("client_cert_file = \"secret\""), "client_cert_file", "client_key_file"),
        (with("ca_file = \"missing\""), "ca_file", "missing"),
        (with("ca_file = \"secret\""), "ca_file", "no certificate"),
        (with("reattach_ms_min = 9999"), "reattach_ms_min", "5000"),
        ("secret_files = [\"secret\"]\n".to_owned(), "url", "missing"),
        ("url = \"https://h/\"\n".to_owned(), "secret_files", "missing"),
        ("url = \"https://h/\"\nsecret_files = []\n".to_owned(), "secret_files", "one file"),
        ("url = \"https://h/\"\nsecret_files = [\"missing\"]\n".to_owned(), "secret_files", "missing"),
        ("url = \"ftp://h/\"\nsecret_files = [\"secret\"]\n".to_owned(), "url", "https://"),
        ("url = \"https://u@h/\"\nsecret_files = [\"secret\"]\n".to_owned(), "url", "no user"),
        ("url = \"https://h/\"\nsecret_files".to_owned(), "line 2", ""),
    ] {
        let (output, _dir) = check(&config, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{config}{said}");
        assert!(said.contains(key) && said.contains(says), "{config}{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_password_in_the_address_is_refused_and_not_printed() {
    for url in ["https://user:s3cret@host/", "https://:s3cret@host/", "https://host/?password=s3cret"] {
        let (output, _dir) = check(&format!("url = \"{url}\"\nsecret_files = [\"secret\"]\n"), &[]);
        assert_eq!(output.status.code(), Some(78));
        assert!(!text(&output.stderr).contains("s3cret") && output.stdout.is_empty(), "{}", text(&output.stderr));
    }
    // Nor by the parser, which would show the line.
    let (output, _dir) = check("url = \"https://user:s3cret@host/\n", &[]);
    assert!(!text(&output.stderr).contains("s3cret"), "{}", text(&output.stderr));
}

#[test]
fn check_connect_asks_the_endpoint() {
    let endpoint = Endpoint::start(|_| Reply::Status(204));
    let config = |url: &str| format!("url = \"{url}\"\nsecret_files = [\"secret\"]\n");
    let (output, _dir) = check(&config(&endpoint.url()), &["--connect"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("204") && !text(&output.stdout).contains("hidden"));
    assert!(endpoint.requests().iter().all(|request| request.method == "OPTIONS"));
    let (output, _dir) = check(&config("http://127.0.0.1:1/"), &["--connect"]);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output.stderr));
    let (output, _dir) = check(&config("http://169.254.1.1/"), &["--connect"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
}

#[test]
fn a_wrong_command_line_is_64() {
    for args in [&["--what"][..], &["check"], &["--sink", "x"], &["frobnicate"]] {
        let output = Program::run(BINARY, args);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {}", text(&output.stderr));
    }
    let (output, _dir) = check("url = \"https://host/\"\nsecret_files = [\"secret\"]\n", &["--what"]);
    assert_eq!(output.status.code(), Some(64));
    let output = Program::run(BINARY, &["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("orderd-sink-webhook "));
}

#[test]
fn a_connector_without_a_sink_s_name_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), SECRET).unwrap();
    let file = dir.path().join("webhook.toml");
    std::fs::write(&file, "url = \"https://host/\"\nsecret_files = [\"secret\"]\n").unwrap();
    let output = Program::run(BINARY, &["--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64), "{}", text(&output.stderr));
}
