//! What SCHEMA.sql stores, what it refuses, and what a transaction takes back.

use serde_json::{Value, json};

use super::plans::{
    CUSTOMER, Step, change_order, commit, event_id, order_id, place_orders, sequences, store_event_as, store_events,
};
use super::session::Database;

const CHECK: &str = "23514";
const UNIQUE: &str = "23505";
const FOREIGN_KEY: &str = "23503";

#[test]
fn every_life_of_an_order_fits_the_schema() {
    let database = Database::create();
    let mut session = database.session();
    let lives: [&[Step]; 3] = [
        &[Step::Placed, Step::Completed],
        &[Step::Placed, Step::CancelledFromPlaced],
        &[Step::Placed, Step::Completed, Step::CancelledFromCompleted],
    ];
    let mut last = 0;
    for (order, life) in (1..).zip(lives) {
        for step in life {
            last += 1;
            assert_eq!(commit(&mut session, order, *step), last, "{step:?}");
        }
    }
    let traced = session.rows(&format!("EXECUTE trace_order('{}')", order_id(3)));
    assert_eq!(
        traced.iter().map(|row| row[2].as_str()).collect::<Vec<_>>(),
        ["OrderPlaced", "OrderCompleted", "OrderCancelled"]
    );
}

#[test]
fn an_order_that_the_domain_cannot_hold_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    let day = |day: u32| format!("'2026-01-0{day}T00:00:00.000000Z'");
    let (first, second, third) = (&day(1), &day(2), &day(3));
    // total_amount, status, version, placed_at, completed_at, cancelled_at
    let refused = [
        ("orders_total_amount", format!("-1, 'placed', 1, {first}, NULL, NULL")),
        ("orders_total_amount", format!("9007199254740992, 'placed', 1, {first}, NULL, NULL")),
        ("orders_times_fit_status", format!("1, 'shipped', 1, {first}, NULL, NULL")),
        ("orders_times_fit_status", format!("1, 'placed', 2, {first}, {second}, NULL")),
        ("orders_times_fit_status", format!("1, 'placed', 2, {first}, NULL, {second}")),
        ("orders_times_fit_status", format!("1, 'completed', 1, {first}, NULL, NULL")),
        ("orders_times_fit_status", format!("1, 'completed', 3, {first}, {second}, {third}")),
        ("orders_times_fit_status", format!("1, 'cancelled', 1, {first}, NULL, NULL")),
        ("orders_version", format!("1, 'placed', 2, {first}, NULL, NULL")),
        ("orders_version", format!("1, 'cancelled', 3, {first}, NULL, {second}")),
        ("orders_times_run_forwards", format!("1, 'completed', 2, {second}, {first}, NULL")),
        ("orders_times_run_forwards", format!("1, 'cancelled', 3, {first}, {third}, {second}")),
    ];
    for (constraint, values) in refused {
        let insert = format!("INSERT INTO orders VALUES ('{}', '{CUSTOMER}', {values})", order_id(1));
        session.refused(CHECK, constraint, &insert);
    }
    session.rows(&format!(
        "INSERT INTO orders VALUES ('{}', '{CUSTOMER}', 9007199254740991, 'completed', 2, {first}, {first})",
        order_id(1)
    ));
}

#[test]
fn an_event_that_the_domain_cannot_raise_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    session.rows(&place_orders(&[1]));

    let mut refused = |constraint: &str, step: Step, change: &dyn Fn(&mut Value)| {
        let mut data = step.data(1);
        change(&mut data);
        let sql = store_event_as(&event_id(1, step.version()), 1, step.version(), step.event_type(), &data);
        session.refused(CHECK, constraint, &sql);
    };
    refused("outbox_data", Step::Placed, &|data| data["order_id"] = json!(order_id(2)));
    refused("outbox_data", Step::Placed, &|data| data["total_amount"] = json!(-1));
    refused("outbox_data", Step::Placed, &|data| data["total_amount"] = json!(1_u64 << 53));
    refused("outbox_data", Step::Placed, &|data| data["total_amount"] = json!("1999"));
    for field in ["order_id", "customer_id", "total_amount"] {
        refused("outbox_data", Step::Placed, &|data| {
            data.as_object_mut().unwrap().remove(field);
        });
    }
    let cancelled = Step::CancelledFromPlaced;
    refused("outbox_cancellation", cancelled, &|data| data["cancelled_from"] = json!("completed"));
    refused("outbox_cancellation", cancelled, &|data| data["reason"] = json!("ü".repeat(501)));
    refused("outbox_cancellation", cancelled, &|data| data["reason"] = json!(7));
    refused("outbox_cancellation", cancelled, &|data| {
        data.as_object_mut().unwrap().remove("reason");
    });

    for (version, event_type) in [(2, "OrderPlaced"), (1, "OrderCompleted"), (3, "OrderCompleted"), (1, "OrderShipped")]
    {
        let mut data = Step::Placed.data(1);
        data["completed_at"] = json!(Step::Completed.time());
        let sql = store_event_as(&event_id(1, version), 1, version, event_type, &data);
        let refused_by = if event_type == "OrderShipped" { "occurred_at" } else { "outbox_version_fits_type" };
        let refusal = session.run(&sql).expect_err("the version does not fit the type");
        assert!(refusal.message.contains(refused_by), "{refusal:?}");
    }
    session.refused(FOREIGN_KEY, "transitions_order", &store_events(&[(2, Step::Placed)]));
}

#[test]
fn a_time_without_a_zone_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    session.rows("SET TimeZone = 'America/New_York'");
    let refused = [
        "2026-01-01 00:00:00",
        "2026-01-01T00:00:00.000000",
        "2026-01-01T00:00:00.000000+00:00",
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T24:00:00.000000Z",
        "infinity",
    ];
    for time in refused {
        let place = place_orders(&[1]).replace(&Step::Placed.time(), &format!("\"{time}\""));
        session.refused(CHECK, "utc_time_form", &place);
        let insert = format!("INSERT INTO orders VALUES ('{}', '{CUSTOMER}', 1, 'placed', 1, '{time}')", order_id(1));
        session.refused(CHECK, "utc_time_form", &insert);
    }
    session.rows(&place_orders(&[1]));
    for time in refused {
        let event = store_events(&[(1, Step::Placed)]).replace(&Step::Placed.time(), time);
        session.refused(CHECK, "utc_time_form", &event);
    }
    session.refused("22008", "out of range", "SELECT '2026-02-30T00:00:00.000000Z'::utc_time");
    // What is stored reads the same in every zone.
    assert_eq!(session.value("SELECT placed_at FROM orders"), Step::Placed.time());
}

/// The time that is stored is the transition's: there is no way to give another.
#[test]
fn an_entrys_time_is_taken_from_its_event() {
    let database = Database::create();
    let mut session = database.session();
    commit(&mut session, 1, Step::Placed);
    assert_eq!(session.value("SELECT occurred_at FROM outbox"), Step::Placed.time());
    let now = "UPDATE outbox SET occurred_at = '2026-01-02T00:00:00.000000Z'";
    session.refused("428C9", "can only be updated to DEFAULT", now);
    session.rows(&place_orders(&[2]));
    let mut data = Step::Placed.data(2);
    data.as_object_mut().unwrap().remove("placed_at");
    session.refused("23502", "occurred_at", &store_event_as(&event_id(2, 1), 2, 1, "OrderPlaced", &data));
}

#[test]
fn the_same_transition_is_stored_once_whatever_its_events_id() {
    let database = Database::create();
    let mut session = database.session();
    commit(&mut session, 1, Step::Placed);
    session.refused(UNIQUE, "transitions_pkey", &store_events(&[(1, Step::Placed)]));
    let other_id = store_event_as(&event_id(1, 9), 1, 1, "OrderPlaced", &Step::Placed.data(1));
    session.refused(UNIQUE, "transitions_pkey", &other_id);
    // Nor past the statement, in another place of the outbox.
    let by_hand = "INSERT INTO outbox (sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, \
                   event_source, data) SELECT 2, 2, 1, event_id, order_id, order_version, event_type, event_source, \
                   data FROM outbox";
    session.refused(FOREIGN_KEY, "outbox_transition", by_hand);
    assert_eq!(commit(&mut session, 2, Step::Placed), 2, "a refused event uses no sequence");
}

#[test]
fn a_refused_event_takes_back_the_change_of_its_order() {
    let database = Database::create();
    let mut session = database.session();
    commit(&mut session, 1, Step::Placed);
    session.rows("BEGIN");
    session.rows(&change_order(1, Step::Completed));
    session.refused(UNIQUE, "transitions_pkey", &store_events(&[(1, Step::Placed)]));
    session.rows("COMMIT");
    assert_eq!(session.value("SELECT status || version FROM orders"), "placed1");
}

#[test]
fn several_plans_of_one_transaction_are_numbered_in_order() {
    let database = Database::create();
    let mut session = database.session();
    session.rows("BEGIN");
    session.rows(&place_orders(&[2, 1]));
    let stored = session.rows(&store_events(&[(2, Step::Placed), (1, Step::Placed)]));
    session.rows("COMMIT");
    let head = "after this plan and this event; epoch, orders, last decision, decisions removed up to";
    assert_eq!(stored, [["0", "0", "1", "2", "0", "0"]], "{head}");
    let subjects = session.rows("SELECT sequence, lsn, order_id FROM outbox ORDER BY sequence");
    assert_eq!(subjects, [["1", "1", &order_id(2)], ["2", "2", &order_id(1)]]);
}

/// A server that was recovered from its archive, or a promoted standby, may have lost what was announced: the next
/// sequences belong to another epoch.
#[test]
fn a_store_that_goes_on_in_another_history_raises_its_epoch() {
    let database = Database::of_its_own();
    commit(&mut database.session(), 1, Step::Placed);
    database.recover_from_archive();
    let mut session = database.session();
    commit(&mut session, 2, Step::Placed);
    commit(&mut session, 3, Step::Placed);
    let epochs = session.rows("SELECT store_epoch FROM outbox ORDER BY sequence");
    assert_eq!(sequences(&epochs), [1, 2, 2]);
}

#[test]
fn a_command_is_remembered_with_its_first_answer_until_enough_newer_ones_came() {
    let database = Database::create();
    let mut session = database.session();
    let store = |command: u32, order: u32| {
        format!(
            "EXECUTE store_commands('{{{}}}', '{{{CUSTOMER}}}', '{{{}}}', '{{1}}')",
            order_id(command),
            order_id(order)
        )
    };
    for order in 1..=5 {
        commit(&mut session, order, Step::Placed);
        session.rows(&store(100 + order, order));
    }
    commit(&mut session, 3, Step::Completed);
    let found = session.rows(&format!("EXECUTE find_commands('{{{}}}')", order_id(103)));
    assert_eq!(found[0][..4], [order_id(103), CUSTOMER.to_owned(), "1".to_owned(), "3".to_owned()], "version, LSN");
    session.refused(UNIQUE, "commands_pkey", &store(103, 3));
    assert_eq!(session.changed("EXECUTE forget_commands(3)"), 2);
    assert_eq!(session.value("SELECT count(*) FROM commands"), "3");
}
