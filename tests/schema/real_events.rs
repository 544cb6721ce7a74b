//! SCHEMA.sql and the daemon mean the same events: what a sink got from the real binary is stored as it is.

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::plans::{NOBODY, first_sequence, quoted};
use super::session::Database;
use crate::support::{Client, Daemon, Store, events_of, lines};

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    source: String,
    subject: String,
    time: String,
    sequence: String,
    orderversion: u32,
    data: Box<RawValue>,
}

#[test]
fn the_events_of_the_real_daemon_are_stored_byte_for_byte() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for (total_amount, reason) in [
        (0, json!(null)),
        (9_007_199_254_740_991, json!("it's \"late\" | \\ :x\n\u{1f980}")),
        (1999, json!("ü".repeat(500))),
    ] {
        for is_completed in [false, true] {
            let order_id = client.place(total_amount);
            if is_completed {
                client.result("order.complete", json!({"order_id": order_id}));
            }
            let mut cancel = json!({"order_id": order_id});
            if reason.is_string() {
                cancel["reason"] = reason.clone();
            }
            client.result("order.cancel", cancel);
        }
    }
    events_of(&store, 15);

    let database = Database::create();
    let mut session = database.session();
    for line in lines(&store.sink()) {
        let event: Event = serde_json::from_str(&line).unwrap();
        let data = quoted(event.data.get());
        if event.orderversion == 1 {
            let insert = format!(
                "INSERT INTO orders SELECT '{}', (d ->> 'customer_id')::uuid, (d ->> 'total_amount')::bigint, \
                        'placed', 1, '{}' FROM (SELECT {data}::json AS d) AS event",
                event.subject, event.time
            );
            session.rows(&insert);
        }
        let stored = session.rows(&format!(
            "EXECUTE store_plans('{NOBODY}', 1, 1, 0, '{{1}}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}', '{}', \
             ARRAY[{data}]::text[], '{{NULL}}', '{{NULL}}')",
            event.id, event.subject, event.orderversion, event.event_type, event.source
        ));
        let sequence = first_sequence(&stored);
        assert_eq!(format!("{sequence:0>20}"), event.sequence, "both count the outbox from 1 without gaps");
        let same = format!(
            "SELECT data::text = {data} AND occurred_at = '{}' FROM outbox WHERE sequence = {sequence}",
            event.time
        );
        assert_eq!(session.value(&same), "t", "{line}");
    }
}
