//! With the real daemon: the table holds what the file sink gets, each event once.

use orderd_sink_testing::{Program, RealDaemon};
use serde_json::json;

use crate::support::{BINARY, Server, schema};

fn start(daemon: &RealDaemon, server: &Server) -> Program {
    std::fs::write(daemon.dir().join("password"), Server::PASSWORD).unwrap();
    let url = server.url();
    let config =
        format!("url = \"{url}\"\npassword_file = \"password\"\ntable = \"orderd_inbox\"\nreattach_ms_max = 100\n");
    Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &config, &[])
}

#[test]
fn the_table_gets_what_the_file_gets_through_kills_of_daemon_connector_and_server() {
    let mut daemon = RealDaemon::start("");
    let server = Server::start(&[]);
    server.sql(&schema());
    let mut program = start(&daemon, &server);
    let kills = 12;
    for kill in 1..=kills {
        daemon.work(50);
        match kill % 3 {
            0 => {
                daemon.kill();
                daemon.come_back();
            }
            1 => {
                program.kill();
                program = start(&daemon, &server);
            }
            _ => {
                server.kill();
                server.come_back();
            }
        }
    }
    daemon.work(50);
    let file = daemon.wait_settled();
    assert_eq!(file.len(), 150 * (kills + 1));
    let stored = server.sql("SELECT event FROM orderd_inbox ORDER BY sequence");
    assert!(stored.lines().eq(file.iter().map(String::as_str)), "the table is not the file");
    assert_eq!(daemon.sink()["parked_lanes"], 0);
    assert_eq!(program.stop().code(), Some(0));
}

#[test]
fn a_replay_of_the_daemon_adds_only_what_is_missing() {
    let daemon = RealDaemon::start("");
    let server = Server::start(&[]);
    server.sql(&schema());
    let _program = start(&daemon, &server);
    daemon.work(20);
    daemon.wait_settled();
    server.sql("DELETE FROM orderd_inbox WHERE sequence BETWEEN 10 AND 14");
    let params = json!({"sink": RealDaemon::SINK, "from": 1, "to": 60, "reason": "rows were deleted"});
    let replay = daemon.call("replay.start", &params);
    assert_eq!(replay["events"], 60);
    orderd_sink_testing::eventually("the replay", || {
        let replays = daemon.call("replay.list", &json!({}));
        (replays["replays"][0]["state"] == "done").then_some(())
    });
    assert_eq!(server.count(), 60);
}
