//! Credentials and TLS, which librdkafka's mock does not know: servers that speak no more of the protocol than that.

use std::net::TcpStream;
use std::process::Command;

use orderd_sink_testing::{
    Certificates, FakeDaemon, Program, Server, Target as _, certificates, event, eventually, free_port,
};

use crate::setup::Kafka;

/// Speaks as much of the protocol as it takes to refuse a password.
const REFUSING_BROKER: &str = r#"
import socket, struct, sys, threading
def string(text): return struct.pack(">h", len(text)) + text.encode()
def answer(key, version):
    if key == 18:
        keys = [(0, 0, 7), (3, 0, 4), (17, 0, 1), (18, 0, 0), (22, 0, 1), (36, 0, 1)]
        error = 35 if version > 0 else 0
        return struct.pack(">hi", error, len(keys)) + b"".join(struct.pack(">hhh", *k) for k in keys)
    if key == 17:
        return struct.pack(">hi", 0, 1) + string("PLAIN")
    if key == 36:
        lifetime = struct.pack(">q", 0) if version > 0 else b""
        return struct.pack(">h", 58) + string("the password is wrong") + struct.pack(">i", 0) + lifetime
    raise SystemExit(f"request {key}")
def serve(connection):
    stream = connection.makefile("rb")
    while head := stream.read(4):
        request = stream.read(struct.unpack(">i", head)[0])
        key, version, correlation = struct.unpack(">hhi", request[:8])
        body = struct.pack(">i", correlation) + answer(key, version)
        connection.sendall(struct.pack(">i", len(body)) + body)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

const TLS_SERVER: &str = r#"
import socket, ssl, sys
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=sys.argv[4])
context.load_cert_chain(sys.argv[2], sys.argv[3])
context.verify_mode = ssl.CERT_REQUIRED
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    try:
        with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            print("client", connection.getpeercert()["subjectAltName"], flush=True)
    except OSError:
        pass
"#;

fn python_server(daemon: &FakeDaemon, port: u16, script: &'static str, arguments: Vec<String>) -> Server {
    let command = move || {
        let mut command = Command::new("python3");
        command.args(["-c", script, &port.to_string()]).args(&arguments);
        command
    };
    Server::start(daemon.dir(), command, move || TcpStream::connect(("127.0.0.1", port)).is_ok())
}

#[test]
fn a_wrong_password_blocks_and_parks_nothing() {
    let daemon = FakeDaemon::start();
    let port = free_port();
    let _server = python_server(&daemon, port, REFUSING_BROKER, Vec::new());
    std::fs::write(daemon.dir().join("password"), "s3cret\n").unwrap();
    let keys = format!(
        "bootstrap_servers = \"127.0.0.1:{port}\"\ntopic = \"orders\"\nuser = \"orderd\"\npassword_file = \
         \"password\"\n[options]\n\"sasl.mechanism\" = \"PLAIN\"\n"
    );
    let connector = Program::start(Kafka::BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("the password is wrong"), "{reason}");
    daemon.assert_nothing_blamed();
    assert!(!connector.log().contains("s3cret"));
}

#[test]
fn a_client_certificate_is_shown_and_a_server_of_a_strange_authority_blocks() {
    let daemon = FakeDaemon::start();
    let Certificates { ca, server_cert, server_key, client_cert, client_key, stranger } = certificates(daemon.dir());
    let port = free_port();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let _server = python_server(&daemon, port, TLS_SERVER, vec![text(&server_cert), text(&server_key), text(&ca)]);
    let keys = |ca: &std::path::Path| {
        format!(
            "bootstrap_servers = \"localhost:{port}\"\ntopic = \"orders\"\ntimeout_ms = 2000\nca_file = \
             {ca:?}\nclient_cert_file = {client_cert:?}\nclient_key_file = {client_key:?}\n"
        )
    };
    let mut connector = Program::start(Kafka::BINARY, &daemon, &keys(&stranger));
    daemon.publish([event(1, 1, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("certificate"), "{reason}");
    connector.stop();
    let _connector = Program::start(Kafka::BINARY, &daemon, &keys(&ca));
    eventually("the client's certificate", || {
        let log = std::fs::read_to_string(daemon.dir().join("server.log")).unwrap();
        log.contains("client.example").then_some(())
    });
}
