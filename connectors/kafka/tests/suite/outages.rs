//! Brokers that are away, slow, or fatal for a producer.

use orderd_sink_testing::{FakeDaemon, Program, Target as _, Told, check_arrivals, event, eventually};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::setup::{Kafka, PARTITIONS, apart};

#[test]
fn brokers_that_are_away_at_the_start_are_unavailable_and_events_arrive_when_they_come() {
    apart("outages::brokers_that_are_away_at_the_start_are_unavailable_and_events_arrive_when_they_come", || {
        let daemon = FakeDaemon::start();
        let kafka = Kafka::start();
        (1..=3).for_each(|broker| kafka.cluster.broker_down(broker).unwrap());
        let _connector = kafka.connector(&daemon, "timeout_ms = 1000\n");
        daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
        let reason = daemon.wait_unavailable();
        assert!(reason.contains("not confirmed in time"), "{reason}");
        (1..=3).for_each(|broker| kafka.cluster.broker_up(broker).unwrap());
        daemon.wait_delivered(2);
        let published = [event(1, 1, 1), event(2, 2, 1)];
        check_arrivals(&published, &kafka.stored());
    });
}

#[test]
fn errors_that_pass_are_tried_again_without_the_daemon() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let errors = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ];
    kafka.cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    let _connector = kafka.connector(&daemon, "");
    let published: Vec<String> = (1..=20).map(|n| event(n, n, 1)).collect();
    daemon.publish(published.clone());
    daemon.wait_delivered(20);
    assert_eq!(daemon.told().len(), 20);
    assert_eq!(check_arrivals(&published, &kafka.stored()), 0);
}

#[test]
fn a_producer_that_may_not_be_idempotent_blocks_and_a_new_one_goes_on() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let denied = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED];
    kafka.cluster.request_errors(RDKafkaApiKey::InitProducerId, &denied);
    let _connector = kafka.connector(&daemon, "timeout_ms = 3000\n");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.to_lowercase().contains("authorization"), "{reason}");
    daemon.wait_delivered(2);
}

#[test]
fn an_error_in_the_order_of_a_producer_makes_a_new_one() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let _connector = kafka.connector(&daemon, "timeout_ms = 3000\n");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    let out_of_order = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER];
    kafka.cluster.request_errors(RDKafkaApiKey::Produce, &out_of_order);
    daemon.publish((2..=40).map(|n| event(n, n, 1)));
    let reason = daemon.wait_unavailable();
    assert!(reason.contains("sequence"), "{reason}");
    daemon.wait_delivered(40);
    let published: Vec<String> = (1..=40).map(|n| event(n, n, 1)).collect();
    check_arrivals(&published, &kafka.stored());
}

#[test]
fn a_partition_whose_leader_is_away_does_not_stop_the_others() {
    apart("outages::a_partition_whose_leader_is_away_does_not_stop_the_others", || {
        let daemon = FakeDaemon::start();
        let kafka = Kafka::start();
        for partition in 0..PARTITIONS {
            kafka.cluster.partition_leader("orders", partition, Some(if partition == 0 { 1 } else { 2 })).unwrap();
        }
        let _connector = kafka.connector(&daemon, "timeout_ms = 2000\n");
        daemon.publish((1..=40).map(|n| event(n, n, 1)));
        daemon.wait_delivered(40);
        kafka.cluster.broker_down(1).unwrap();
        // Orders of all partitions, all the time: those of the others get through.
        let mut published = 40;
        let failed = eventually("an event of that partition", || {
            if daemon.delivered().len() + 60 > published {
                daemon.publish((published as u64 + 1..=published as u64 + 20).map(|n| event(n, n, 1)));
                published += 20;
            }
            daemon.told().into_iter().find(|told| matches!(told, Told::Failed { .. }))
        });
        assert!(failed.reason().contains("partition"), "{failed:?}");
        kafka.cluster.broker_up(1).unwrap();
        daemon.wait_delivered(published);
    });
}

#[test]
fn a_broker_that_cannot_be_reached_by_name_is_unavailable() {
    let daemon = FakeDaemon::start();
    let keys = "bootstrap_servers = [\"broker.invalid:9092\"]\ntopic = \"orders\"\ntimeout_ms = 1000\n";
    let _connector = Program::start(Kafka::BINARY, &daemon, keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_unavailable();
}
