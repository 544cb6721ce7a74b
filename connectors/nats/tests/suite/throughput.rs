//! How fast it is beside a program that does nothing but publish.

use std::collections::VecDeque;
use std::future::IntoFuture as _;
use std::time::Instant;

use async_nats::jetstream::message::PublishMessage;
use orderd_sink_testing::throughput;

use crate::setup::Nats;

const IN_FLIGHT: usize = 1_024;

#[test]
#[ignore = "wants a quiet machine and --release"]
fn at_least_half_of_what_a_plain_client_publishes() {
    let dir = tempfile::tempdir().unwrap();
    let nats = Nats::with_stream(dir.path());
    throughput::compare(&nats, "", |lines| {
        let context = nats.context();
        let messages: Vec<PublishMessage> = (1..)
            .zip(lines)
            .map(|(id, line)| PublishMessage::build().message_id(id.to_string()).payload(line.clone().into()))
            .collect();
        let began = Instant::now();
        nats.run(async {
            let mut waiting = VecDeque::new();
            for message in messages {
                if waiting.len() == IN_FLIGHT {
                    let first: async_nats::jetstream::context::PublishAckFuture = waiting.pop_front().unwrap();
                    first.into_future().await.unwrap();
                }
                waiting.push_back(context.send_publish("orders.x", message).await.unwrap());
            }
            for ack in waiting {
                ack.into_future().await.unwrap();
            }
        });
        began.elapsed()
    });
}
