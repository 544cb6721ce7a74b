//! What is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use orderd_sink_testing::scenarios::large_events_take_little_memory;
use orderd_sink_testing::{Program, check_arrivals, event, event_with, orders};
use serde_json::Value;

use crate::support::{BINARY, Endpoint, Receiver, Reply, Request, config, start};

#[test]
fn the_body_is_the_line_of_a_file_sink_byte_for_byte() {
    let (daemon, endpoint, _program) = start(|_| Reply::Status(200), "");
    let line = event_with(7, 1, 3, r#""traceparent":"00-ab-cd-01","#, r#","metadata":{"ä": 1.50}"#);
    daemon.publish([line.clone()]);
    let request = endpoint.wait_requests(1).remove(0);
    assert_eq!((&*request.method, &*request.path), ("POST", "/hook?key=hidden"));
    assert_eq!(request.body, line);
    assert_eq!(request.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert!(!request.headers.iter().any(|(name, _)| name.starts_with("ce-")), "{:?}", request.headers);
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(request.header("webhook-id"), event["id"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let sent: u64 = request.header("webhook-timestamp").parse().unwrap();
    assert!(sent <= now && sent + 60 > now, "{sent} at {now}");
    assert!(request.header("webhook-signature").starts_with("v1,"));
    assert_eq!(request.header("orderd-replay"), "");
}

#[test]
fn binary_mode_puts_the_attributes_into_headers() {
    let (daemon, endpoint, _program) = start(|_| Reply::Status(200), "content_mode = \"binary\"");
    daemon.publish([event(7, 1, 3)]);
    let request = endpoint.wait_requests(1).remove(0);
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("ce-type"), "OrderCancelled");
    assert_eq!(request.header("ce-sequence"), "00000000000000000007");
    assert_eq!(request.header("ce-orderversion"), "3");
    assert_eq!(request.header("ce-datacontenttype"), "");
    assert!(request.body.starts_with(r#"{"order_id":"#), "{}", request.body);
}

#[test]
fn attempts_differ_in_nothing_but_time_and_signature() {
    let script = |request: &Request| if request.number < 3 { Reply::Status(500) } else { Reply::Status(200) };
    let (daemon, endpoint, _program) = start(script, "");
    daemon.publish([event(1, 1, 1)]);
    let requests = endpoint.wait_requests(3);
    for request in &requests {
        assert_eq!(request.body, requests[0].body);
        assert_eq!(request.header("webhook-id"), requests[0].header("webhook-id"));
    }
}

#[test]
fn a_replay_is_marked_and_keeps_the_event_s_id() {
    let (daemon, endpoint, _program) = start(|_| Reply::Status(200), "");
    daemon.replay("r-1", [event(1, 1, 1)]);
    let request = endpoint.wait_requests(1).remove(0);
    assert_eq!(request.header("orderd-replay"), "r-1");
    assert!(request.body.contains(request.header("webhook-id")));
}

#[test]
fn orders_keep_their_order_and_lanes_run_in_parallel_over_few_connections() {
    let (daemon, endpoint, _program) = start(|_| Reply::Status(200), "in_flight_max = 4");
    daemon.publish(orders(100));
    daemon.wait_delivered(300);
    assert_eq!(check_arrivals(&orders(100), &endpoint.requests()), 0);
    assert!((1..=4).contains(&endpoint.connections()), "{} connections", endpoint.connections());
}

#[test]
fn the_environment_s_proxy_is_not_used() {
    let daemon = orderd_sink_testing::FakeDaemon::start();
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    // Nothing listens there: a request through it would fail.
    let proxy = "http://127.0.0.1:1";
    let variables = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, proxy));
    let config = config(&daemon, &endpoint.url(), "");
    let _program = Program::start_with(BINARY, &daemon, &config, &variables);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    assert_eq!(daemon.told().len(), 1);
}

#[test]
fn the_endpoint_is_asked_before_the_first_event_where_an_origin_is_configured() {
    let script = |request: &Request| match &*request.method {
        "OPTIONS" => {
            assert_eq!(request.header("webhook-request-origin"), "shop.example");
            // The first time it does not know us.
            let allowed = if request.number == 1 { "other.example" } else { "shop.example" };
            Reply::With {
                status: 200,
                headers: vec![("WebHook-Allowed-Origin", allowed.to_owned())],
                body: String::new(),
            }
        }
        _ => Reply::Status(200),
    };
    let (daemon, endpoint, _program) = start(script, "origin = \"shop.example\"");
    daemon.publish(orders(2));
    daemon.wait_delivered(6);
    let methods: Vec<String> = endpoint.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods[..3], ["OPTIONS", "OPTIONS", "POST"]);
    assert_eq!(methods.iter().filter(|method| *method == "OPTIONS").count(), 2);
    assert!(daemon.told()[0].is_blocked(), "{:?}", daemon.told()[0]);
}

#[test]
fn large_events_and_many_of_them_take_little_memory() {
    large_events_take_little_memory(&Receiver::start(), "in_flight_max = 64\n");
}
