//! Answers that waiting does not change.

use orderd_sink_testing::scenarios::{
    a_too_large_event_is_rejected_alone, blocked_parks_nothing_and_rejected_parks_one_order,
};
use orderd_sink_testing::{FakeDaemon, RealDaemon, Target as _, Told, check_arrivals, event};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::setup::Kafka;

#[test]
fn a_missing_topic_blocks_until_it_is_there() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    kafka.cluster.topic_error("orders", unknown).unwrap();
    let _connector = kafka.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.to_lowercase().contains("unknown topic"), "{reason}");
    kafka.cluster.topic_error("orders", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    daemon.wait_delivered(2);
    daemon.assert_nothing_blamed();
}

#[test]
fn every_answer_that_waiting_does_not_change_has_its_outcome() {
    let answers = [
        ("blocked", RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED),
        ("blocked", RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED),
        ("blocked", RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION),
        ("blocked", RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP),
        ("blocked", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT),
        ("blocked", RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS),
        ("rejected", RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD),
    ];
    for (outcome, answer) in answers {
        let daemon = FakeDaemon::start();
        let kafka = Kafka::start();
        kafka.cluster.request_errors(RDKafkaApiKey::Produce, &[answer]);
        let _connector = kafka.connector(&daemon, "");
        daemon.publish([event(1, 1, 1)]);
        let told = daemon.wait_told("an outcome", |_| true);
        assert_eq!(told.outcome(), outcome, "{answer:?}: {told:?}");
        if outcome == "blocked" {
            daemon.wait_delivered(1);
        }
    }
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    let options = "[options]\n\"message.max.bytes\" = 2000\n\"batch.size\" = 2000\n";
    a_too_large_event_is_rejected_alone(&Kafka::start(), options, 3_000);
}

#[test]
fn with_the_real_daemon_a_missing_topic_parks_nothing_and_a_too_large_event_parks_its_order_alone() {
    let daemon = RealDaemon::start("");
    let kafka = Kafka::start();
    kafka.cluster.topic_error("orders", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let _connector = kafka.connector(&daemon, "[options]\n\"message.max.bytes\" = 4000\n\"batch.size\" = 4000\n");
    let mend = || kafka.cluster.topic_error("orders", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    let lines = blocked_parks_nothing_and_rejected_parks_one_order(&daemon, mend);
    check_arrivals(&lines, &kafka.stored());
}

#[test]
fn a_batch_that_is_too_large_rejects_no_event_that_is_not() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    // The first answer is to a batch; the next ones are to batches of one, of which the first is too large.
    kafka.cluster.request_errors(RDKafkaApiKey::Produce, &[large]);
    let _connector = kafka.connector(&daemon, "[options]\nlinger.ms = 100\n");
    daemon.publish((1..=40).map(|n| event(n, n, 1)));
    daemon.wait_delivered(40);
    assert!(daemon.told().iter().any(|told| matches!(told, Told::Failed { .. })));
    assert!(!daemon.told().iter().any(|told| matches!(told, Told::Rejected { .. })));
    kafka.cluster.request_errors(RDKafkaApiKey::Produce, &[large]);
    daemon.publish([event(41, 41, 1)]);
    let told = daemon.wait_told("rejected", |told| matches!(told, Told::Rejected { .. }));
    assert!(matches!(told, Told::Rejected { sequence: 41, .. }), "{told:?}");
}
