//! What the real daemon makes of the connector's answers.

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::Config;
use orderd_sink_testing::scenarios::blocked_parks_nothing_and_rejected_parks_one_order;
use orderd_sink_testing::{RealDaemon, Target as _, check_arrivals};

use crate::setup::{Nats, orders};

fn admin() -> ConnectOptions {
    ConnectOptions::new().user_and_password("admin".to_owned(), "admin".to_owned())
}

#[test]
fn a_wrong_password_parks_nothing_and_an_event_that_is_too_large_parks_its_order_alone() {
    let daemon = RealDaemon::start("");
    let users = "authorization { users: [ { user: orderd, password: right }, { user: admin, password: admin } ] }";
    let nats = Nats::with(daemon.dir(), users);
    let context = nats.context_as(admin());
    nats.create_stream_as(&context, Config { max_message_size: 4_000, ..orders() });
    let password = daemon.dir().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let _connector = nats.connector(&daemon, "user = \"orderd\"\npassword_file = \"password\"\n");
    let mend = || std::fs::write(&password, "right\n").unwrap();
    let lines = blocked_parks_nothing_and_rejected_parks_one_order(&daemon, mend);
    assert_eq!(lines.len(), 120);
    check_arrivals(&lines, &nats.stored_as(&context));
}
