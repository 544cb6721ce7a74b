//! What the real daemon makes of the connector's answers.

use orderd_sink_testing::scenarios::blocked_parks_nothing_and_rejected_parks_one_order;
use orderd_sink_testing::{RealDaemon, Target as _, check_arrivals, free_port};

use crate::setup::RabbitMq;

#[test]
fn a_missing_exchange_parks_nothing_and_an_event_that_is_too_large_parks_its_order_alone() {
    let daemon = RealDaemon::start("");
    let rabbitmq = RabbitMq::on(daemon.dir(), free_port(), "max_message_size = 4000");
    let _connector = rabbitmq.connector(&daemon, "");
    let lines = blocked_parks_nothing_and_rejected_parks_one_order(&daemon, || rabbitmq.declare());
    check_arrivals(&lines, &rabbitmq.stored());
}
