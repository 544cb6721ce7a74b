use serde_json::Value;

use super::*;
use crate::server::testing::*;

fn metrics(client: &mut Client) -> Value {
    client.send("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"daemon.metrics\"}\n");
    client.answer()["result"]["metrics"].take()
}

fn family<'a>(metrics: &'a Value, name: &str) -> &'a Value {
    metrics.as_array().unwrap().iter().find(|family| family["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn every_metric_of_the_table_is_shown_in_its_form() {
    let served = Served::start(|_| {});
    served.store.set_pinned_by(Some("events".into()));
    served.store.metrics().commit_duration.record(1500);
    let metrics = metrics(&mut served.client());
    for spec in METRICS {
        let family = family(&metrics, spec.name);
        assert_eq!(
            (&family["kind"], &family["help"]),
            (&json!(spec.kind.as_str()), &json!(spec.help)),
            "{}",
            spec.name
        );
        for sample in family["samples"].as_array().unwrap() {
            assert!(sample["labels"].as_object().unwrap().values().all(Value::is_string), "{sample}");
            let histogram = spec.kind.as_str() == "histogram";
            assert_eq!(sample["buckets"].is_array() && sample["sum"].is_number(), histogram, "{sample}");
            assert_eq!(sample["value"].is_number(), !histogram, "{sample}");
        }
    }
    let commit = &family(&metrics, "orderd_commit_duration_seconds")["samples"][0];
    assert_eq!((&commit["count"], &commit["sum"]), (&json!(1), &json!(0.0015)));
    let buckets = commit["buckets"].as_array().unwrap();
    assert!(
        buckets.contains(&json!({"le": "0.001", "count": 0})) && buckets.contains(&json!({"le": "0.0025", "count": 1}))
    );
    assert_eq!(buckets.last(), Some(&json!({"le": "+Inf", "count": 1})));
    assert_eq!(family(&metrics, "orderd_journal_pinned")["samples"], json!([{"labels": {"by": "events"}, "value": 1}]));
    served.drain();
}

#[test]
fn requests_are_counted_by_method_and_result() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    client.place("1", 1);
    client.send(&place("", 2));
    client.send("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"order.get\",\"params\":{}}\nx\n");
    served.answer_next(2);
    client.answer();
    assert_eq!((client.error().0, client.error().0), (-32602, -32700));
    let metrics = metrics(&mut client);
    let samples = family(&metrics, "orderd_commands_total")["samples"].as_array().unwrap();
    let expected = [("order.place", "ok", 2), ("order.complete", "ok", 0), ("unreadable", "parse_error", 1)];
    for (method, result, count) in expected {
        let sample = json!({"labels": {"method": method, "result": result}, "value": count});
        assert!(samples.contains(&sample), "{sample} in {samples:?}");
    }
    served.drain();
}

#[test]
fn a_sink_counts_its_failures_by_outcome_and_notes_when_it_last_got_something_through() {
    use crate::contracts::{Ahead, FailureOutcome, Sequence, SinkMonitor};
    use crate::domain::Timestamp;
    let monitor = SinkMonitor::new(sink_status());
    let time = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
    monitor.note_progress(time(5), Sequence(9), Ahead::default());
    assert_eq!(monitor.metrics().acknowledged_at_ms.get(), 0, "nothing got through since the start");
    monitor.update(|status| status.delivered_total = 2);
    monitor.note_progress(time(7), Sequence(9), Ahead::default());
    monitor.note_progress(time(8), Sequence(9), Ahead::default());
    assert_eq!(monitor.metrics().acknowledged_at_ms.get(), 7000);
    for outcome in [FailureOutcome::Failed, FailureOutcome::Blocked, FailureOutcome::Unavailable] {
        monitor.note_failure(outcome);
    }
    let metrics = monitor.metrics();
    assert_eq!((metrics.failed.get(), metrics.unavailable.get(), metrics.rejected.get()), (1, 2, 0));
}
