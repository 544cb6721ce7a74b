//! Credentials and TLS.

use orderd_sink_testing::{Certificates, FakeDaemon, Program, Signal, Told, certificates, event, free_port};

use crate::setup::{BINARY, Redis, command, stored};

fn is_blocked(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: true, .. })
}

#[test]
fn a_wrong_password_blocks_parks_nothing_and_goes_on_by_itself_when_mended() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    redis.command::<()>(&["ACL", "SETUSER", "orderd", "on", ">right", "~*", "+@all"]);
    redis.command::<()>(&["ACL", "SETUSER", "default", "resetpass"]);
    let password = daemon.dir().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let keys = format!("url = \"redis://orderd@127.0.0.1:{}/0\"\nstream = \"orders\"\n", redis.port);
    let connector = Program::start(BINARY, &daemon, &(keys + "password_file = \"password\"\n"));
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    daemon.wait_told("blocked", is_blocked);
    std::fs::write(&password, "right\n").unwrap();
    connector.signal(Signal::HUP);
    daemon.wait_delivered(2);
    assert!(!daemon.told().iter().any(|told| matches!(told, Told::Rejected { .. } | Told::Failed { .. })));
    assert!(!connector.log().contains("right"));
}

#[test]
fn a_password_that_is_missing_and_a_user_without_permission_block() {
    for (setup, user, mended) in [
        (["CONFIG", "SET", "requirepass", "secret", "", "", ""], "", ["CONFIG", "SET", "requirepass", "", "", "", ""]),
        (
            ["ACL", "SETUSER", "reader", "on", ">x", "~*", "+@read"],
            "reader@",
            ["ACL", "SETUSER", "reader", "on", ">x", "~*", "+@all"],
        ),
    ] {
        let daemon = FakeDaemon::start();
        let redis = Redis::start(daemon.dir());
        let mut admin = redis.connection();
        let words = |words: [&'static str; 7]| -> Vec<&'static str> {
            let count = if words[0] == "CONFIG" { 4 } else { 7 };
            words[..count].to_vec()
        };
        command::<()>(&mut admin, &words(setup));
        let password = if user.is_empty() { "" } else { "password_file = \"password\"\n" };
        std::fs::write(daemon.dir().join("password"), "x").unwrap();
        let keys = format!("url = \"redis://{user}127.0.0.1:{}\"\nstream = \"orders\"\n{password}", redis.port);
        let _connector = Program::start(BINARY, &daemon, &keys);
        daemon.publish([event(1, 1, 1)]);
        daemon.wait_told("blocked", is_blocked);
        command::<()>(&mut admin, &words(mended));
        daemon.wait_delivered(1);
    }
}

#[test]
fn tls_with_a_client_certificate_delivers_and_a_server_of_a_strange_authority_blocks() {
    let daemon = FakeDaemon::start();
    let Certificates { ca, server_cert, server_key, client_cert, client_key, stranger } = certificates(daemon.dir());
    let port = free_port();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (tls_port, cert, key, authority) = (port.to_string(), text(&server_cert), text(&server_key), text(&ca));
    let socket = text(&daemon.dir().join("redis.sock"));
    let options = [
        ["--tls-port", &tls_port],
        ["--tls-cert-file", &cert],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &authority],
        ["--unixsocket", &socket],
    ];
    let redis = Redis::with(daemon.dir(), &options.concat());
    let keys = |ca: &std::path::Path| {
        format!(
            "url = \"rediss://localhost:{port}\"\nstream = \"orders\"\nca_file = {ca:?}\nclient_cert_file = \
             {client_cert:?}\nclient_key_file = {client_key:?}\n"
        )
    };
    let mut connector = Program::start(BINARY, &daemon, &keys(&stranger));
    daemon.publish([event(1, 1, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("certificate"), "{reason}");
    connector.stop();
    let mut connector = Program::start(BINARY, &daemon, &keys(&ca));
    daemon.wait_delivered(1);
    connector.stop();
    // And without TCP at all.
    let keys = format!("url = \"unix://{socket}\"\nstream = \"orders\"\n");
    let _connector = Program::start(BINARY, &daemon, &keys);
    daemon.publish([event(2, 2, 1)]);
    daemon.wait_delivered(2);
    assert_eq!(stored(&mut redis.connection()).len(), 2);
}
