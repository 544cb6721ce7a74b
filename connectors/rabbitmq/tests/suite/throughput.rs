//! How fast it is beside a program that does nothing but publish.

use std::collections::VecDeque;
use std::time::Instant;

use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use orderd_sink_testing::throughput;

use crate::setup::RabbitMq;

const IN_FLIGHT: usize = 512;

#[test]
#[ignore = "wants a quiet machine and --release"]
fn at_least_half_of_what_a_plain_client_publishes() {
    let dir = tempfile::tempdir().unwrap();
    let rabbitmq = RabbitMq::with_queue(dir.path());
    throughput::compare(&rabbitmq, "", |lines| {
        let (_connection, channel) = rabbitmq.channel();
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let began = Instant::now();
        rabbitmq.run(async {
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            let mut waiting = VecDeque::new();
            for (id, line) in lines.iter().enumerate() {
                if waiting.len() == IN_FLIGHT {
                    let first: lapin::PublisherConfirm = waiting.pop_front().unwrap();
                    first.await.unwrap();
                }
                let properties =
                    BasicProperties::default().with_delivery_mode(2).with_message_id(id.to_string().into());
                let (exchange, key) = ("orders".into(), "orders.x".into());
                let publish = channel.basic_publish(exchange, key, options, line.as_bytes(), properties);
                waiting.push_back(publish.await.unwrap());
            }
            for confirm in waiting {
                confirm.await.unwrap();
            }
        });
        began.elapsed()
    });
}
