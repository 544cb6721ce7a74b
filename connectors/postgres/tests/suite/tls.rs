//! Encrypted connections, with certificates of PyPI's `trustme`.

use orderd_sink_testing::{FakeDaemon, Program, Told, certificates, orders};

use crate::support::{BINARY, Server, schema};

/// A server that takes encrypted connections, from clients with a certificate alone if `hba` says so.
fn start_server(hba: &str) -> (Server, FakeDaemon) {
    let daemon = FakeDaemon::start();
    let files = certificates(daemon.dir());
    let mut server = Server::start(&[]);
    server.sql(&schema());
    server.go_away("fast");
    for file in [&files.server_cert, &files.server_key, &files.ca] {
        let target = server.dir().join("data").join(file.file_name().unwrap());
        std::fs::copy(file, &target).unwrap();
        server.own(&target);
    }
    let hba_file = server.dir().join("data/pg_hba.conf");
    std::fs::write(&hba_file, format!("local all all trust\n{hba}\n")).unwrap();
    server.own(&hba_file);
    server.set(&["ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key", "ssl_ca_file=ca.pem"]);
    server.come_back();
    std::fs::write(daemon.dir().join("password"), Server::PASSWORD).unwrap();
    (server, daemon)
}

fn told(server: &Server, daemon: &FakeDaemon, host: &str, more: &str) -> Told {
    let url = format!("postgres://orderd@{host}:{}/postgres?hostaddr=127.0.0.1", server.port());
    let config = format!("url = \"{url}\"\npassword_file = \"password\"\ntable = \"orderd_inbox\"\n{more}");
    let before = daemon.told().len();
    let _program = Program::start(BINARY, daemon, &config);
    daemon.replay(more, orders(1));
    orderd_sink_testing::eventually("an outcome", || daemon.told().get(before).cloned())
}

#[test]
fn the_server_s_certificate_and_name_are_checked() {
    let (server, daemon) = start_server("hostssl all all 127.0.0.1/32 scram-sha-256");
    assert!(told(&server, &daemon, "localhost", "ca_file = \"stranger.pem\"").is_blocked());
    assert!(told(&server, &daemon, "other.example", "ca_file = \"ca.pem\"").is_blocked());
    let told = told(&server, &daemon, "localhost", "ca_file = \"ca.pem\"\n");
    assert!(matches!(told, Told::Delivered(_)), "{told:?}");
}

#[test]
fn a_certificate_of_ours_is_shown() {
    let (server, daemon) = start_server("hostssl all all 127.0.0.1/32 cert");
    assert!(told(&server, &daemon, "localhost", "ca_file = \"ca.pem\"").is_blocked());
    let ours = "ca_file = \"ca.pem\"\nclient_cert_file = \"client.pem\"\nclient_key_file = \"client.key\"";
    let told = told(&server, &daemon, "localhost", ours);
    assert!(matches!(told, Told::Delivered(_)), "{told:?}");
}

#[test]
fn a_configured_authority_means_that_nothing_goes_out_unencrypted() {
    let (daemon, server) = (FakeDaemon::start(), Server::start(&[]));
    let _files = certificates(daemon.dir());
    std::fs::write(daemon.dir().join("password"), Server::PASSWORD).unwrap();
    let told = told(&server, &daemon, "localhost", "ca_file = \"ca.pem\"");
    assert!(told.is_blocked(), "{told:?}");
}
