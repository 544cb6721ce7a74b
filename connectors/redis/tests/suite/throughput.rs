//! How fast it is beside a program that does nothing but add, each event once.

use std::time::Instant;

use orderd_sink_testing::{Target as _, throughput};

use crate::script::Script;
use crate::setup::Redis;

const BATCH: usize = 512;

#[test]
#[ignore = "wants a quiet machine and --release"]
fn at_least_half_of_what_a_plain_client_adds() {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path());
    throughput::compare(&redis, "", |lines| {
        let (stream, ids) = ("plain".to_owned(), "{plain}:ids".to_owned());
        let script = Script { stream, ids, ids_max: 1_000_000, create_stream: true };
        let ids: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut connection = redis.connection();
        let began = Instant::now();
        for (lines, events) in lines.chunks(BATCH).zip(ids.chunks(BATCH)) {
            let commands = lines.iter().zip(events).flat_map(|(line, event)| {
                script.add(event["id"].as_str().unwrap(), line.as_bytes()).get_packed_command()
            });
            connection.send_packed_command(&commands.collect::<Vec<u8>>()).unwrap();
            lines.iter().for_each(|_| drop(connection.recv_response().unwrap()));
        }
        began.elapsed()
    });
    assert_eq!(redis.command::<usize>(&["XLEN", "plain"]), redis.stored().len());
}
