//! How fast it is beside a program that does nothing but insert.

use std::time::{Duration, Instant};

use orderd_sink_testing::throughput;

use crate::support::{Server, schema};

const BATCH: usize = 500;

/// The same rows in the same batches, each committed, without daemon and outcomes.
fn insert_plainly(server: &Server, lines: &[String]) -> Duration {
    let parameters: tokio_postgres::Config = server.url().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut parameters = parameters;
        parameters.password(Server::PASSWORD);
        let (client, connection) = parameters.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let insert = "INSERT INTO plain SELECT id::uuid, sequence, order_id::uuid, 1, type, time::timestamptz, e::json \
                      FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) \
                      AS t (id, sequence, order_id, type, time, e)";
        let insert = client.prepare(insert).await.unwrap();
        let events: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let text = |name: &str| -> Vec<&str> { events.iter().map(|event| event[name].as_str().unwrap()).collect() };
        let [ids, orders, kinds, times] = ["id", "subject", "type", "time"].map(text);
        let sequences: Vec<i64> = text("sequence").iter().map(|sequence| sequence.parse().unwrap()).collect();
        let began = Instant::now();
        for first in (0..lines.len()).step_by(BATCH) {
            let batch = first..lines.len().min(first + BATCH);
            let (ids, sequences, orders) = (&ids[batch.clone()], &sequences[batch.clone()], &orders[batch.clone()]);
            let (kinds, times, lines) = (&kinds[batch.clone()], &times[batch.clone()], &lines[batch]);
            client.execute(&insert, &[&ids, &sequences, &orders, &kinds, &times, &lines]).await.unwrap();
        }
        began.elapsed()
    })
}

#[test]
#[ignore = "wants a quiet machine and --release"]
fn at_least_half_of_what_a_plain_client_inserts() {
    let server = Server::start(&["fsync=on"]);
    server.sql(&schema());
    server.sql("CREATE TABLE plain (LIKE orderd_inbox INCLUDING ALL)");
    throughput::compare(&server, "", |lines| insert_plainly(&server, lines));
}
