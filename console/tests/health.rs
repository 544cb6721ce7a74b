//! `/livez` and `/readyz`.

use serde_json::json;

use crate::support::console::Console;
use crate::support::eventually;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::{World, sink, with};

#[test]
fn ready_means_that_commands_are_taken() {
    let daemon = FakeDaemon::start(World { sinks: vec![sink("events", "file", "idle")], ..World::default() });
    let console = Console::start(&daemon.socket(), &[]);
    let ready = console.get("/readyz");
    assert_eq!((ready.code, ready.body.as_str()), (200, "ready\n"));
    for state in ["storage_full", "store_unavailable", "draining"] {
        daemon.state().world.state = state;
        let expected = format!("[-]commands failed: {state}\nnot ready\n");
        eventually(state, || (console.get("/readyz").body == expected).then_some(()));
        assert_eq!(console.get("/readyz").code, 503);
        assert_eq!(console.get("/livez").code, 200);
    }
}

#[test]
fn a_sink_in_trouble_degrades_and_fails_only_where_a_flag_names_it() {
    let sinks =
        vec![sink("events", "file", "idle"), with(sink("web", "subscription", "blocked"), json!({"last_error": "x"}))];
    let daemon = FakeDaemon::start(World { sinks, ..World::default() });
    let lenient = Console::start(&daemon.socket(), &[]);
    let reply = lenient.get("/readyz");
    assert_eq!((reply.code, reply.body.as_str()), (200, "[!]sink web degraded: blocked\nready (degraded)\n"));
    let strict = Console::start(&daemon.socket(), &["--ready-sink", "web"]);
    let reply = strict.get("/readyz");
    assert_eq!((reply.code, reply.body.as_str()), (503, "[-]sink web failed: blocked\nnot ready\n"));
    let misspelt = Console::start(&daemon.socket(), &["--ready-sink", "webb"]);
    assert_eq!(misspelt.get("/readyz").code, 503);
}

#[test]
fn verbose_lists_each_check() {
    let daemon = FakeDaemon::start(World { sinks: vec![sink("events", "file", "idle")], ..World::default() });
    let console = Console::start(&daemon.socket(), &[]);
    let reply = console.get("/readyz?verbose");
    assert_eq!(reply.body, "[+]sampler ok\n[+]daemon ok\n[+]commands ok\n[+]sink events ok: idle\nready\n");
    assert!(reply.header("content-type").unwrap().starts_with("text/plain"));
    assert_eq!(console.get("/livez?verbose").body, "[+]sampler ok\nalive\n");
}
