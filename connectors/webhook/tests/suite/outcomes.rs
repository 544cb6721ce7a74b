//! Each class of answers, one by one: docs/connectors/webhook.md has the table.

use std::net::TcpListener;
use std::time::Duration;

use crate::support::{BINARY, Reply, Request, config, start};
use orderd_sink_testing::{FakeDaemon, Program, Told, event, orders};

/// What the daemon hears first when the endpoint answers the first request like this.
fn told(reply: Reply, more: &str) -> Told {
    let script = move |request: &Request| if request.number == 1 { reply.clone() } else { Reply::Status(200) };
    let (daemon, _endpoint, _program) = start(script, more);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("an outcome", |_| true)
}

fn answer(status: u16, headers: &[(&'static str, &str)]) -> Reply {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reply::With { status, headers, body: "because\n\u{1b}[31mof this".to_owned() }
}

#[test]
fn any_2xx_is_delivered() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(told(Reply::Status(status), ""), Told::Delivered(1), "{status}");
    }
}

#[test]
fn a_server_error_is_failed_with_the_beginning_of_its_text_escaped() {
    for status in [500, 502, 503, 504, 507, 508, 520, 529, 402, 409, 415, 426, 599] {
        match told(answer(status, &[]), "") {
            Told::Failed { reason, retry_after_ms: None, .. } => {
                assert!(reason.starts_with(&status.to_string()), "{reason}");
                assert!(reason.ends_with("because\\u000a\\u001b[31mof this"), "{reason}");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn an_event_that_the_endpoint_cannot_read_is_rejected() {
    for status in [400, 413, 422] {
        assert!(matches!(told(answer(status, &[]), ""), Told::Rejected { .. }), "{status}");
    }
}

#[test]
fn an_endpoint_that_is_busy_is_unavailable() {
    for status in [408, 425, 429] {
        let told = told(answer(status, &[]), "");
        assert!(matches!(told, Told::Unavailable { blocked: false, retry_after_ms: None, .. }), "{status}: {told:?}");
    }
}

#[test]
fn an_endpoint_that_refuses_everything_is_blocked() {
    for status in
        [300, 301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 407, 410, 411, 414, 421, 431, 451, 501, 505, 511]
    {
        let told = told(answer(status, &[("location", "http://127.0.0.1:1/other")]), "");
        assert!(told.is_blocked(), "{status}: {told:?}");
    }
}

#[test]
fn retry_after_makes_any_answer_but_success_unavailable_for_that_long() {
    for status in [400, 401, 429, 500, 503, 302] {
        match told(answer(status, &[("Retry-After", "2")]), "") {
            Told::Unavailable { blocked: false, retry_after_ms: Some(2_000), .. } => {}
            other => panic!("{status}: {other:?}"),
        }
    }
    assert_eq!(told(answer(200, &[("Retry-After", "2")]), ""), Told::Delivered(1));
    let date = "Sat, 06 Nov 2094 08:49:37 GMT";
    match told(answer(503, &[("retry-after", date)]), "retry_after_ms_max = 1500") {
        Told::Unavailable { retry_after_ms: Some(1_500), .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn retry_after_stops_the_whole_sink() {
    let script = |request: &Request| {
        if request.number == 1 { answer(429, &[("retry-after", "1")]) } else { Reply::Status(200) }
    };
    let (daemon, endpoint, _program) = start(script, "in_flight_max = 1");
    daemon.publish(orders(20));
    let began = std::time::Instant::now();
    endpoint.wait_requests(2);
    assert!(began.elapsed() >= Duration::from_millis(950), "{:?}", began.elapsed());
    daemon.wait_delivered(60);
}

#[test]
fn no_answer_in_time_is_failed() {
    let told = told(Reply::Silence(Duration::from_secs(20)), "timeout_ms = 200");
    assert!(matches!(told, Told::Failed { .. }), "{told:?}");
}

#[test]
fn a_reset_connection_is_failed() {
    assert!(matches!(told(Reply::Reset, ""), Told::Failed { .. }));
}

/// What the daemon hears of a first event for this address.
fn told_by(url: &str, more: &str) -> Told {
    let daemon = FakeDaemon::start();
    let _program = Program::start(BINARY, &daemon, &config(&daemon, url, more));
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("an outcome", |_| true)
}

#[test]
fn a_refused_connection_and_a_name_that_does_not_resolve_are_unavailable() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{unused}/"), "http://no-such-host.invalid/".to_owned()] {
        let told = told_by(&url, "");
        assert!(told.is_passing(), "{url}: {told:?}");
    }
}

#[test]
fn a_denied_address_is_blocked_whatever_it_is_called() {
    for url in ["http://169.254.169.254/latest", "http://0xa9fea9fe/", "http://[::ffff:169.254.169.254]/"] {
        let told = told_by(url, "");
        assert!(told.is_blocked(), "{url}: {told:?}");
    }
    let told = told_by("http://localhost:1/", "deny_addresses = [\"127.0.0.0/8\", \"::1\"]");
    assert!(told.is_blocked(), "{told:?}");
}

#[test]
fn an_event_that_fails_is_tried_again_and_delays_no_other_order() {
    let script = |request: &Request| {
        if request.body.contains(&orderd_sink_testing::order_id(3)) && request.number < 20 {
            Reply::Status(500)
        } else {
            Reply::Status(200)
        }
    };
    let (daemon, _endpoint, _program) = start(script, "");
    daemon.publish(orders(10));
    daemon.wait_delivered(30);
    let told = daemon.told();
    assert!(told.iter().any(|told| matches!(told, Told::Failed { sequence: 4, .. })), "{told:?}");
}
