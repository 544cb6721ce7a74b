//! Where the console listens, and where it refuses to.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use crate::support::console::{Console, program};
use crate::support::fake_daemon::FakeDaemon;
use crate::support::http::Reply;
use crate::support::world::World;

fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let output = program().args(flags).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn it_refuses_to_listen_for_other_machines_without_a_token() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7480"] {
        let (code, said) = refused(&["--listen", listen, "--socket", "s"]);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains("--token-file"), "{said}");
    }
}

#[test]
fn it_refuses_actions_without_a_token() {
    let (code, said) = refused(&["--actions", "--socket", "s"]);
    assert_eq!(code, Some(64), "{said}");
}

#[test]
fn wrong_flags_are_a_usage_error_that_says_what_would_be_right() {
    for flags in [["--listen", "nowhere"], ["--connections-max", "0"], ["--colour", "blue"]] {
        let (code, said) = refused(&flags);
        assert_eq!(code, Some(64), "{said}");
        assert!(!said.is_empty());
    }
    assert_eq!(refused(&["--help"]).0, Some(0));
}

#[test]
fn an_unreadable_or_empty_token_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let file = file.to_str().unwrap();
    assert_eq!(refused(&["--token-file", file, "--socket", "s"]).0, Some(74));
    std::fs::write(file, "\n").unwrap();
    assert_eq!(refused(&["--token-file", file, "--socket", "s"]).0, Some(78));
}

#[test]
fn an_address_that_is_taken_is_an_io_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = refused(&["--socket", "s", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(code, Some(74), "{said}");
}

#[test]
fn a_unix_socket_serves_the_same_and_replaces_one_that_a_killed_console_left() {
    let daemon = FakeDaemon::start(World::busy());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("console.sock");
    let listen = format!("unix:{}", path.display());
    let first = Console::start_on(&listen, &daemon.socket(), &[]);
    drop(first);
    assert!(path.exists());

    let console = Console::start_on(&listen, &daemon.socket(), &[]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(Reply::parse(&answer).code, 200);

    let (code, said) = refused(&["--socket", "s", "--listen", &listen]);
    assert_eq!(code, Some(74), "{said}");
    assert_eq!(console.stop(), Some(0));
    assert!(!path.exists());
}

#[test]
fn it_finds_the_daemon_through_the_daemons_own_configuration() {
    let daemon = FakeDaemon::start(World::busy());
    let config = daemon.socket().with_file_name("config.toml");
    std::fs::write(&config, "[daemon]\nsocket = 'orderd.sock'\n").unwrap();
    let mut process = program()
        .args(["--listen", "127.0.0.1:0"])
        .env("ORDERD_CONFIG", &config)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::support::eventually("the daemon is asked", || (daemon.state().samples > 0).then_some(()));
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn sigterm_ends_it_with_exit_code_0() {
    let daemon = FakeDaemon::start(World::busy());
    assert_eq!(Console::start(&daemon.socket(), &[]).stop(), Some(0));
}
