//! Encrypted connections, with certificates of PyPI's `trustme`.

use std::path::Path;
use std::process::Command;

use orderd_sink_testing::{FakeDaemon, Program, Told, orders, python};

use crate::support::{BINARY, Server, schema};

const CERTIFICATES: &str = r#"
import sys, trustme
folder = sys.argv[1]
ca = trustme.CA()
ca.cert_pem.write_to_path(folder + "/ca.pem")
trustme.CA().cert_pem.write_to_path(folder + "/other-ca.pem")
for name, host in [("server", "localhost"), ("client", "orderd")]:
    issued = ca.issue_cert(host, common_name=host)
    issued.cert_chain_pems[0].write_to_path(f"{folder}/{name}.pem")
    issued.private_key_pem.write_to_path(f"{folder}/{name}.key")
"#;

fn make_certificates(dir: &Path) {
    let made = Command::new(python(&["trustme==1.2.1"])).args(["-c", CERTIFICATES]).arg(dir).status().unwrap();
    assert!(made.success());
}

/// A server that takes encrypted connections, from clients with a certificate alone if `hba` says so.
fn start_server(hba: &str) -> (Server, FakeDaemon) {
    let daemon = FakeDaemon::start();
    make_certificates(daemon.dir());
    let mut server = Server::start(&[]);
    server.sql(&schema());
    server.go_away("fast");
    for file in ["server.pem", "server.key", "ca.pem"] {
        let target = server.dir().join("data").join(file);
        std::fs::copy(daemon.dir().join(file), &target).unwrap();
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
    let url = format!("postgres://orderd@{host}:{}/postgres", server.port());
    let config = format!("url = \"{url}\"\npassword_file = \"password\"\ntable = \"orderd_inbox\"\n{more}");
    let before = daemon.told().len();
    let _program = Program::start(BINARY, daemon, &config);
    daemon.replay(more, orders(1));
    orderd_sink_testing::eventually("an outcome", || daemon.told().get(before).cloned())
}

fn is_blocked(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: true, .. })
}

#[test]
fn the_server_s_certificate_and_name_are_checked() {
    let (server, daemon) = start_server("hostssl all all 127.0.0.1/32 scram-sha-256");
    assert!(is_blocked(&told(&server, &daemon, "localhost", "ca_file = \"other-ca.pem\"")));
    assert!(is_blocked(&told(&server, &daemon, "127.0.0.1", "ca_file = \"ca.pem\"")));
    let told = told(&server, &daemon, "localhost", "ca_file = \"ca.pem\"\n");
    assert!(matches!(told, Told::Delivered(_)), "{told:?}");
}

#[test]
fn a_certificate_of_ours_is_shown() {
    let (server, daemon) = start_server("hostssl all all 127.0.0.1/32 cert");
    assert!(is_blocked(&told(&server, &daemon, "localhost", "ca_file = \"ca.pem\"")));
    let ours = "ca_file = \"ca.pem\"\nclient_cert_file = \"client.pem\"\nclient_key_file = \"client.key\"";
    let told = told(&server, &daemon, "localhost", ours);
    assert!(matches!(told, Told::Delivered(_)), "{told:?}");
}

#[test]
fn a_configured_authority_means_that_nothing_goes_out_unencrypted() {
    let (daemon, server) = (FakeDaemon::start(), Server::start(&[]));
    make_certificates(daemon.dir());
    std::fs::write(daemon.dir().join("password"), Server::PASSWORD).unwrap();
    let told = told(&server, &daemon, "localhost", "ca_file = \"ca.pem\"");
    assert!(is_blocked(&told), "{told:?}");
}
