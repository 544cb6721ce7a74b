//! Certificates. A Python server with `ssl` and certificates of PyPI's `trustme` plays the endpoint.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use orderd_sink_testing::{FakeDaemon, Program, Told, event, python};

use crate::support::{BINARY, config};

/// Writes its certificates into the folder of its first argument, and prints its port.
const SERVER: &str = r#"
import http.server, ssl, sys, trustme
folder, client_wanted = sys.argv[1], sys.argv[2] == "client"
ca = trustme.CA()
ca.cert_pem.write_to_path(folder + "/ca.pem")
trustme.CA().cert_pem.write_to_path(folder + "/other-ca.pem")
ours = ca.issue_cert("client@example.com")
ours.cert_chain_pems[0].write_to_path(folder + "/client.pem")
ours.private_key_pem.write_to_path(folder + "/client.key")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ca.issue_cert("localhost").configure_cert(context)
if client_wanted:
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(dir: &Path, client: &str) -> Self {
        let mut child = Command::new(python(&["trustme==1.2.1"]))
            .args(["-c", SERVER])
            .arg(dir)
            .arg(client)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn told(client: &str, host: &str, more: &str) -> Told {
    let daemon = FakeDaemon::start();
    let server = Server::start(daemon.dir(), client);
    let url = format!("https://{host}:{}/", server.port);
    let _program = Program::start(BINARY, &daemon, &config(&daemon, &url, more));
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("an outcome", |_| true)
}

#[test]
fn a_certificate_of_the_configured_authority_is_trusted_and_no_other() {
    assert_eq!(told("none", "localhost", "ca_file = \"ca.pem\""), Told::Delivered(1));
    for more in ["", "ca_file = \"other-ca.pem\""] {
        let told = told("none", "localhost", more);
        assert!(told.is_blocked(), "{more}: {told:?}");
    }
}

#[test]
fn a_certificate_for_another_name_is_blocked() {
    let told = told("none", "127.0.0.1", "ca_file = \"ca.pem\"");
    assert!(told.is_blocked(), "{told:?}");
}

#[test]
fn the_endpoint_may_ask_for_a_certificate_of_ours() {
    let ours = "ca_file = \"ca.pem\"\nclient_cert_file = \"client.pem\"\nclient_key_file = \"client.key\"";
    assert_eq!(told("client", "localhost", ours), Told::Delivered(1));
    // In TLS 1.3 the server's refusal comes after the handshake: the reset of the connection may be faster.
    let told = told("client", "localhost", "ca_file = \"ca.pem\"");
    assert!(told.is_blocked() || matches!(told, Told::Failed { .. }), "{told:?}");
}
