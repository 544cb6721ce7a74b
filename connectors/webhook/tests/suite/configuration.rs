//! Configuration and command line.

use orderd_sink_testing::{Checked, Program, assert_refused};

use crate::support::{BINARY, Endpoint, Reply, SECRET};

fn check(config: &str, more: &[&str]) -> Checked {
    orderd_sink_testing::check(BINARY, config, &[("secret", SECRET)], more)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let checked = check("url = \"https://host/path\"\nsecret_files = [\"secret\"]\n", &[]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let printed: toml::Table = checked.out.parse().unwrap();
    assert_eq!(printed["timeout_ms"].as_integer(), Some(15_000));
    assert_eq!(printed["in_flight_max"].as_integer(), Some(8));
    assert_eq!(printed["content_mode"].as_str(), Some("structured"));
    assert_eq!(printed["deny_addresses"][0].as_str(), Some("169.254.0.0/16"));
    let secret = printed["secret_files"][0].as_str().unwrap();
    assert!(secret.starts_with('/') && secret.ends_with("/secret"), "{secret}");
    // What is printed is a configuration.
    let again = checked.out.replace(secret, "secret");
    assert_eq!(check(&again, &[]).code, Some(0));
}

#[test]
fn what_is_wrong_is_named_with_its_key_and_the_exit_code_is_78() {
    let base = "url = \"https://host/\"\nsecret_files = [\"secret\"]\n";
    let with = |line: &str| format!("{base}{line}\n");
    let cases = [
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
        ("url = \"https://h:99999/\"\nsecret_files = [\"secret\"]\n".to_owned(), "url", "PORT"),
        (with("timeout_ms = 99999999999999999999"), "timeout_ms", "out of range"),
        ("url = \"https://u@h/\"\nsecret_files = [\"secret\"]\n".to_owned(), "url", "no user"),
        ("url = \"https://h/\"\nsecret_files".to_owned(), "line 2", ""),
    ];
    let secrets = [("secret", SECRET)];
    assert_refused(BINARY, &secrets, &cases.clone().map(|(config, key, _)| (config, key)));
    assert_refused(BINARY, &secrets, &cases.map(|(config, _, says)| (config, says)));
}

#[test]
fn a_password_in_the_address_is_refused_and_not_printed() {
    let with = |url: &str| (format!("url = \"{url}\"\nsecret_files = [\"secret\"]\n"), "url");
    let urls = ["https://user:s3cret@host/", "https://:s3cret@host/", "https://host/?password=s3cret"];
    assert_refused(BINARY, &[("secret", SECRET)], &urls.map(with));
    // Nor by the parser, which would show the line.
    assert_refused(BINARY, &[], &[("url = \"https://user:s3cret@host/\n", "line 1")]);
}

#[test]
fn check_connect_asks_the_endpoint() {
    let endpoint = Endpoint::start(|_| Reply::Status(204));
    let connect = |url: &str| check(&format!("url = \"{url}\"\nsecret_files = [\"secret\"]\n"), &["--connect"]);
    let checked = connect(&endpoint.url());
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.out.contains("204") && !checked.out.contains("hidden"));
    assert!(endpoint.requests().iter().all(|request| request.method == "OPTIONS"));
    assert_eq!(connect("http://127.0.0.1:1/").code, Some(69));
    assert_eq!(connect("http://169.254.1.1/").code, Some(78));
}

#[test]
fn a_wrong_command_line_is_64() {
    for args in [&["--what"][..], &["check"], &["--sink", "x"], &["frobnicate"]] {
        let output = Program::run(BINARY, args);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {}", text(&output.stderr));
    }
    assert_eq!(check("url = \"https://host/\"\nsecret_files = [\"secret\"]\n", &["--what"]).code, Some(64));
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
