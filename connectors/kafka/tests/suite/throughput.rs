//! How fast it is beside a program that does nothing but produce.

use std::time::{Duration, Instant};

use orderd_sink_testing::{order_id, throughput};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::setup::Kafka;

#[test]
#[ignore = "wants a quiet machine and --release"]
fn at_least_half_of_what_a_plain_client_produces() {
    let kafka = Kafka::start();
    throughput::compare(&kafka, "", |lines| {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", kafka.cluster.bootstrap_servers());
        client.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "5");
        client.set("queue.buffering.max.messages", "1024");
        let producer: BaseProducer = client.create().unwrap();
        let began = Instant::now();
        for (order, line) in (1..).zip(lines) {
            let key = order_id(order);
            let mut record = BaseRecord::to("orders").key(&key).payload(line);
            while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) = producer.send(record) {
                record = again;
                producer.poll(Duration::from_millis(1));
            }
        }
        producer.flush(Duration::from_secs(60)).unwrap();
        began.elapsed()
    });
}
