//! Who is not answered: other sites' pages, and whoever has no token.

use crate::support::console::Console;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::http::raw;
use crate::support::world::World;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_token(daemon: &FakeDaemon, flags: &[&str]) -> Console {
    let file = daemon.socket().with_file_name("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut all = vec!["--token-file", file.to_str().unwrap()];
    all.extend_from_slice(flags);
    Console::start(&daemon.socket(), &all)
}

#[test]
fn only_the_exact_hosts_are_answered() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &["--host-allowed", "orders.example"]);
    let port = console.address.rsplit(':').next().unwrap().to_owned();
    let code = |host: &str| console.request("GET", "/livez", &[("Host", host)], "").code;
    for ours in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), "orders.example".into()] {
        assert_eq!(code(&ours), 200, "{ours}");
    }
    let suffix = format!("127.0.0.1:{port}.evil.example");
    for other in ["evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", &suffix, ""] {
        assert_eq!(code(other), 421, "{other}");
    }
    // For every path, assets and unknown ones included.
    for path in ["/", "/metrics", "/assets/app.js", "/api/v1/status", "/nowhere"] {
        assert_eq!(console.request("GET", path, &[("Host", "evil.example")], "").code, 421, "{path}");
    }
    let absolute = format!("GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    assert_eq!(raw(&console.address, &absolute).code, 421);
    let twice = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!([400, 421].contains(&raw(&console.address, &twice).code));
    assert!([400, 421].contains(&raw(&console.address, "GET / HTTP/1.0\r\n\r\n").code));
}

#[test]
fn a_page_of_another_site_can_neither_read_nor_act() {
    let daemon = FakeDaemon::start(World::busy());
    let console = with_token(&daemon, &["--actions"]);
    let bearer = format!("Bearer {TOKEN}");
    let own = format!("http://{}", console.address);
    let with = |name: &'static str, value: &str| {
        let headers = [(name, value), ("Authorization", &bearer), ("Content-Type", "application/json")];
        let read = console.request("GET", "/api/v1/status", &headers, "").code;
        (read, console.request("POST", "/api/v1/sinks/events/pause", &headers, "{}").code)
    };
    assert_eq!(with("Origin", &own), (200, 200));
    assert_eq!(with("Origin", "http://evil.example"), (403, 403));
    assert_eq!(with("Origin", "null"), (403, 403));
    assert_eq!(with("Sec-Fetch-Site", "same-origin"), (200, 200));
    assert_eq!(with("Sec-Fetch-Site", "none"), (200, 200));
    assert_eq!(with("Sec-Fetch-Site", "cross-site"), (403, 403));
    assert_eq!(with("Sec-Fetch-Site", "same-site"), (403, 403));
    // Following a link to a page is reading on purpose.
    let link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")];
    assert_eq!(console.request("GET", "/", &link, "").code, 200);
    assert_eq!(console.request("POST", "/api/v1/sinks/events/pause", &link, "").code, 403);
    // No answer invites another site.
    assert!(console.get("/api/v1/status").header("access-control-allow-origin").is_none());
}

#[test]
fn acting_takes_the_flag_and_the_whole_token() {
    let daemon = FakeDaemon::start(World::busy());
    let console = with_token(&daemon, &["--actions"]);
    let path = "/api/v1/sinks/events/pause";
    let longer = format!("{TOKEN}0");
    for wrong in ["", "0", &TOKEN[1..], &TOKEN.to_uppercase(), &longer] {
        let reply = console.act(path, wrong, "{}");
        assert_eq!((reply.code, reply.header("www-authenticate")), (401, Some("bearer")), "{wrong}");
    }
    let basic = [("Authorization", "Basic eDowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==")];
    assert_eq!(console.request("POST", path, &basic, "").code, 401);
    let query = format!("{path}?token={TOKEN}");
    assert_eq!(console.request("POST", &query, &[], "").code, 401);
    assert!(daemon.state().calls.is_empty(), "the daemon was asked all the same");
    assert_eq!(console.act(path, TOKEN, "{}").code, 200);
}

#[test]
fn without_the_flag_it_only_shows() {
    let daemon = FakeDaemon::start(World::busy());
    let console = with_token(&daemon, &[]);
    for path in ["/api/v1/sinks/events/pause", "/api/v1/lanes/requeue", "/api/v1/lanes/skip", "/api/v1/replays"] {
        let reply = console.act(path, TOKEN, "{}");
        assert_eq!((reply.code, reply.kind().as_str()), (403, "read_only"), "{path}");
    }
    assert!(daemon.state().calls.is_empty());
}

#[test]
fn an_address_for_other_machines_takes_the_token_for_reading_too() {
    let daemon = FakeDaemon::start(World::busy());
    let file = daemon.socket().with_file_name("token");
    std::fs::write(&file, TOKEN).unwrap();
    let flags = ["--token-file", file.to_str().unwrap()];
    let mut console = Console::start_on("0.0.0.0:0", &daemon.socket(), &flags);
    console.address = console.address.replace("0.0.0.0", "127.0.0.1");
    for path in ["/", "/metrics", "/api/v1/status", "/readyz", "/assets/app.js"] {
        let reply = console.get(path);
        assert_eq!(reply.code, 401, "{path}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("basic"), "{path}");
    }
    assert_eq!(console.get("/livez").code, 200);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(console.request("GET", "/metrics", &[("Authorization", &bearer)], "").code, 200);
    // x:TOKEN, as a browser sends it.
    let basic = "Basic eDowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==";
    assert_eq!(console.request("GET", "/", &[("Authorization", basic)], "").code, 200);
    assert_eq!(console.request("GET", "/", &[("Authorization", "Basic eDox")], "").code, 401);
}

#[test]
fn every_answer_carries_the_headers_that_bind_the_browser() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    for (path, host) in [("/", ""), ("/metrics", ""), ("/assets/app.js", ""), ("/nowhere", ""), ("/", "evil.example")] {
        let host = if host.is_empty() { console.address.as_str() } else { host };
        let reply = console.request("GET", path, &[("Host", host)], "");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(reply.header("x-frame-options"), Some("deny"), "{path}");
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert!(reply.header("cache-control").is_some(), "{path}");
    }
}
