//! The relay's statements of SCHEMA.sql: reading by cursor, fencing, parking.

use super::plans::{Step, commit, order_id, place, sequences, store_events};
use super::session::{Database, Session};
use crate::support::{DEADLINE, eventually};

const AT: &str = "2026-01-01T00:01:00.000000Z";

/// What reading 100 entries may touch, with room to spare.
const READ_PAGES_MAX: u64 = 300;

#[test]
fn a_relay_reads_on_from_its_cursor_and_another_sink_from_its_own() {
    let database = Database::create();
    let mut relay = database.session();
    place(&mut relay, 1..=6);
    for sink in ["audit", "mail"] {
        register(&mut relay, sink, 0);
        assert_eq!(claim(&mut relay, sink, "a", 60_000), Some(1));
    }
    assert_eq!(sequences(&relay.rows("EXECUTE read_events(0, 4)")), [1, 2, 3, 4]);
    relay.rows("EXECUTE move_cursor('audit', 1, 4, '', 1, 0, '', NULL, 1)");
    assert_eq!(sequences(&relay.rows("EXECUTE read_events(4, 10)")), [5, 6]);
    assert_eq!(relay.rows("SELECT sink, acked_sequence FROM sinks ORDER BY sink"), [["audit", "4"], ["mail", "0"]]);
    // A sink that is registered later begins where it says; one that is known keeps its place.
    assert_eq!(relay.rows("EXECUTE outbox_bounds"), [["1", "6"]]);
    register(&mut relay, "late", 6);
    register(&mut relay, "audit", 6);
    register(&mut relay, "third", 2);
    let cursors = relay.rows("SELECT sink, acked_sequence FROM sinks ORDER BY sink");
    assert_eq!(cursors, [["audit", "4"], ["late", "6"], ["mail", "0"], ["third", "2"]]);
}

/// At least once: what was delivered and not recorded comes again, the same.
#[test]
fn what_a_dead_relay_had_not_recorded_is_read_again() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    place(&mut first, 1..=3);
    register(&mut first, "audit", 0);
    claim(&mut first, "audit", "a", 100);
    first.rows("EXECUTE move_cursor('audit', 1, 1, '', 1, 0, '', NULL, 1)");
    let delivered = first.rows("EXECUTE read_events(1, 10)");
    first.kill9();

    eventually(DEADLINE, "the lease has run out", || claim(&mut second, "audit", "b", 60_000) == Some(2));
    let cursor = second.value("SELECT acked_sequence FROM sinks");
    assert_eq!(second.rows(&format!("EXECUTE read_events({cursor}, 10)")), delivered);
}

/// The first relay is only slow. It is not told that another took over, and it goes on.
#[test]
fn a_deposed_relay_moves_no_cursor_and_parks_nothing() {
    let database = Database::create();
    let (mut deposed, mut elected) = (database.session(), database.session());
    place(&mut deposed, 1..=3);
    register(&mut deposed, "audit", 0);
    assert_eq!(claim(&mut deposed, "audit", "a", 200), Some(1));
    assert_eq!(claim(&mut elected, "audit", "b", 60_000), None, "one relay while the lease runs");
    eventually(DEADLINE, "the lease has run out", || claim(&mut elected, "audit", "b", 60_000) == Some(2));

    assert!(deposed.rows("EXECUTE move_cursor('audit', 1, 3, '', 1, 0, '', NULL, 1)").is_empty());
    assert!(deposed.rows("EXECUTE renew_sink('audit', 1, 60000, '{}')").is_empty());
    deposed.refused("40001", "another daemon relays", "EXECUTE fence('audit', 1, 1)");
    assert_eq!(deposed.changed("EXECUTE release_sink('audit', 1)"), 0);
    assert_eq!(elected.rows("EXECUTE move_cursor('audit', 2, 1, '', 1, 0, '', NULL, 1)"), [["1"]]);
    assert!(
        elected.rows("EXECUTE move_cursor('audit', 2, 0, '', 1, 0, '', NULL, 1)").is_empty(),
        "a cursor never goes back"
    );
    assert_eq!(elected.changed("EXECUTE release_sink('audit', 2)"), 1);
    assert_eq!(claim(&mut deposed, "audit", "a", 60_000), Some(3));
}

/// A fence in an open transaction keeps the next relay from being elected until what it guards is committed.
#[test]
fn no_relay_is_elected_between_a_fence_and_its_commit() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    place(&mut first, 1..=1);
    register(&mut first, "audit", 0);
    claim(&mut first, "audit", "a", 1);
    first.rows("BEGIN");
    first.rows("EXECUTE fence('audit', 1, 1)");
    let pid = second.backend_pid();
    second.send("EXECUTE claim_sink('audit', 'b', 60000)");
    super::concurrency::wait_until_blocked(&mut first, &pid);
    park(&mut first, 1, &[1]);
    first.rows("COMMIT");
    assert_eq!(second.outcome().unwrap()[0][0], "2");
    assert_eq!(second.value("SELECT count(*) FROM parked_events"), "1");
}

/// One poison event parks its order. The others go on, its own later event waits behind it, and the order is kept.
#[test]
fn a_parked_order_waits_alone_and_is_handed_out_again_in_order() {
    let database = Database::with_small_partitions();
    let mut relay = database.session();
    place(&mut relay, 1..=9);
    commit(&mut relay, 1, Step::Completed); // sequence 10
    commit(&mut relay, 2, Step::Completed); // sequence 11
    register(&mut relay, "audit", 0);
    claim(&mut relay, "audit", "a", 60_000);

    relay.rows("BEGIN");
    relay.rows("EXECUTE fence('audit', 1, 1)");
    park(&mut relay, 1, &[1]);
    relay.rows("COMMIT");
    // Later events of a parked order join it; everybody else's are delivered.
    let both = format!("{{{},{}}}", order_id(1), order_id(2));
    let parked = relay.rows(&format!("EXECUTE parked_orders('audit', '{both}')"));
    assert_eq!(parked, [[order_id(1), "rejected".to_owned()]]);
    assert_eq!(relay.changed("EXECUTE park_events('audit', '{10}')"), 1);
    relay.rows("EXECUTE move_cursor('audit', 1, 11, '', 1, 0, '', NULL, 1)");

    // Parked events do not keep the outbox.
    let event = "SELECT sequence, event_id, occurred_at, data::text FROM";
    let stored = relay.rows(&format!("{event} outbox WHERE sequence IN (1, 10) ORDER BY 1"));
    assert_eq!(relay.value("SELECT drop_outbox_partitions(0)"), "1");
    assert_eq!(relay.rows(&format!("{event} parked_events ORDER BY 1")), stored, "whole, byte for byte");

    assert!(heads(&mut relay).is_empty(), "a rejected lane waits for an operator");
    store_lane(&mut relay, 1, "requeued");
    for sequence in [1, 10] {
        assert_eq!(heads(&mut relay), [sequence], "the first of its lane and nothing after it");
        assert_eq!(
            relay.changed(&format!("EXECUTE settle_parked('audit', '{{{}}}', '{{{sequence}}}')", order_id(1))),
            1
        );
    }
    assert_eq!(relay.changed(&format!("EXECUTE close_lanes('audit', '{{{}}}')", order_id(1))), 1);
    let decided = relay.rows("SELECT kind, from_sequence, to_sequence, uid FROM decisions");
    assert_eq!(decided, [["parked", "1", "1", "1000"]]);
}

/// 200,000 entries, all unread, without statistics, and a snapshot that was open before the relay began: nothing is
/// marked per event, so there are no dead rows to pass over.
#[test]
fn a_read_of_a_large_backlog_reads_one_batch() {
    let database = Database::create();
    let (mut session, mut idle) = (database.session(), database.session());
    fill(&mut session, 200_000);
    idle.rows("BEGIN ISOLATION LEVEL REPEATABLE READ");
    idle.rows("SELECT count(*) FROM store");
    for after in [0, 100_000, 199_900] {
        let plan = session.rows(&format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE read_events({after}, 100)"));
        let plan: Vec<String> = plan.iter().map(|row| row.join("|")).collect();
        let text = plan.join("\n");
        assert!(!text.contains("Seq Scan"), "{text}");
        assert!(pages_touched(&plan) < READ_PAGES_MAX, "{text}");
    }
}

/// Fills the outbox with placed orders, one entry each.
fn fill(session: &mut Session, entries: u32) {
    session.rows(&format!(
        "INSERT INTO orders SELECT gen_random_uuid(), gen_random_uuid(), n, 'placed', 1, '{}' \
           FROM generate_series(1, {entries}) AS n",
        Step::Placed.time()
    ));
    session.rows(
        "INSERT INTO transitions SELECT order_id, 1, row_number() OVER (), row_number() OVER () FROM orders; \
         INSERT INTO outbox (sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, event_source, data)
         SELECT sequence, lsn, 1, gen_random_uuid(), order_id, 1, 'OrderPlaced', '/orderd',
                json_build_object('order_id', order_id, 'customer_id', customer_id, 'total_amount', total_amount,
                    'placed_at', placed_at::text)
           FROM transitions JOIN orders USING (order_id)",
    );
}

/// The pages that the whole statement touched: the first "Buffers" line is the outermost node's.
#[track_caller]
fn pages_touched(plan: &[String]) -> u64 {
    let line = plan.iter().find(|line| line.contains("Buffers:")).expect("a line of buffers");
    let count = |kind: &str| {
        line.split(kind).nth(1).map_or(0, |rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().expect("a count")
        })
    };
    count("hit=") + count("read=")
}

/// The epoch, if the sink was free.
#[track_caller]
pub fn claim(session: &mut Session, sink: &str, owner: &str, lease_ms: u32) -> Option<u64> {
    let rows = session.rows(&format!("EXECUTE claim_sink('{sink}', '{owner}', {lease_ms})"));
    sequences(&rows).first().copied()
}

/// Parks an order as rejected, with these events.
fn park(session: &mut Session, order: u32, events: &[u64]) {
    store_lane(session, order, "rejected");
    for sequence in events {
        session.rows(&format!("EXECUTE park_events('audit', '{{{sequence}}}')"));
        decide(session, "parked", Some(order), Some(*sequence));
    }
}

fn store_lane(session: &mut Session, order: u32, state: &str) {
    let id = order_id(order);
    session.rows(&format!("EXECUTE store_lane('audit', '{id}', '{state}', '{AT}', 1, 'no such customer')"));
}

/// Stores a decision about `audit` as a plan of its own.
pub fn decide(session: &mut Session, kind: &str, order: Option<u32>, sequence: Option<u64>) {
    let order = order.map_or("NULL".to_owned(), order_id);
    let sequence = sequence.map_or("NULL".to_owned(), |sequence| sequence.to_string());
    session.rows(&store_events(&[]).replace("1, 0, 0,", "1, 1, 0,"));
    session.rows(&format!(
        "EXECUTE store_decisions(1, '{{1}}', '{{{kind}}}', '{{audit}}', '{{{order}}}', '{{{sequence}}}', \
         '{{{sequence}}}', '{{{AT}}}', '{{1000}}', '{{no such customer}}', ARRAY['\\x00'::bytea], 0)"
    ));
}

/// `@store_sink` for one that is new, or is known already.
pub fn register(session: &mut Session, sink: &str, after: u64) {
    session.rows(&format!(
        "EXECUTE store_sink('{sink}', 'file', '/orderd', {after}, NULL, NULL, NULL, false, false, false, '{{}}', '{{}}', '{{}}')"
    ));
}

fn heads(session: &mut Session) -> Vec<u64> {
    session.rows("EXECUTE lane_heads('audit', 10)").iter().map(|row| row[1].parse().expect("a sequence")).collect()
}
