//! Credentials and TLS.

use orderd_sink_testing::scenarios::{a_wrong_password_blocks_until_it_is_mended, certificates_are_checked};
use orderd_sink_testing::{FakeDaemon, Program, Target as _, certificates, event, free_port};

use crate::setup::{Redis, command, stored};

#[test]
fn a_wrong_password_blocks_parks_nothing_and_goes_on_by_itself_when_mended() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    redis.command::<()>(&["ACL", "SETUSER", "orderd", "on", ">right", "~*", "+@all"]);
    redis.command::<()>(&["ACL", "SETUSER", "default", "resetpass"]);
    let keys = format!("url = \"redis://orderd@127.0.0.1:{}/0\"\nstream = \"orders\"\n", redis.port);
    a_wrong_password_blocks_until_it_is_mended(Redis::BINARY, &daemon, &keys, "right");
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
        let _connector = Program::start(Redis::BINARY, &daemon, &keys);
        daemon.publish([event(1, 1, 1)]);
        daemon.wait_blocked();
        command::<()>(&mut admin, &words(mended));
        daemon.wait_delivered(1);
    }
}

#[test]
fn tls_with_a_client_certificate_delivers_and_a_server_of_a_strange_authority_blocks() {
    let daemon = FakeDaemon::start();
    let files = certificates(daemon.dir());
    let (port, socket) = (free_port(), daemon.dir().join("redis.sock"));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (tls_port, socket) = (port.to_string(), text(&socket));
    let (cert, key, authority) = (text(&files.server_cert), text(&files.server_key), text(&files.ca));
    let options = [
        ["--tls-port", &tls_port],
        ["--tls-cert-file", &cert],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &authority],
        ["--unixsocket", &socket],
    ];
    let redis = Redis::with(daemon.dir(), &options.concat());
    let keys = format!("url = \"rediss://localhost:{port}\"\nstream = \"orders\"\n");
    certificates_are_checked(Redis::BINARY, &daemon, &keys, &files).stop();
    // And without TCP at all.
    let keys = format!("url = \"unix://{socket}\"\nstream = \"orders\"\n");
    let _connector = Program::start(Redis::BINARY, &daemon, &keys);
    daemon.publish([event(2, 2, 1)]);
    daemon.wait_delivered(2);
    assert_eq!(stored(&mut redis.connection()).len(), 2);
}
