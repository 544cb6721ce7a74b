//! The relay's statements of SCHEMA.sql, with two workers at once.

use super::plans::{Step, commit, sequences};
use super::session::{Database, Session};
use super::storing::wait_until_blocked;

/// What a claim of 100 entries may touch, with room to spare: an entry costs one to five pages.
const CLAIM_PAGES_MAX: u64 = 1_000;

#[test]
fn a_second_relay_waits_and_goes_on_behind_the_first() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    place(&mut first, 1..=6);

    first.rows("BEGIN");
    assert_eq!(claim(&mut first, 4), [1, 2, 3, 4]);
    second.rows("BEGIN");
    let pid = second.backend_pid();
    second.send("EXECUTE claim(4)");
    wait_until_blocked(&mut first, &pid);
    // Three were acknowledged, the fourth was not.
    first.rows("EXECUTE mark_processed('{1,2,3}')");
    first.rows("EXECUTE note_failure(4, 'sink said no')");
    first.rows("COMMIT");

    assert_eq!(sequences(&second.outcome().unwrap()), [4, 5, 6], "in order, disjoint from what was processed");
    assert_eq!(second.value("SELECT attempts || last_error FROM outbox WHERE sequence = 4"), "1sink said no");
}

#[test]
fn relays_by_order_claim_disjoint_entries_and_never_a_successor() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    place(&mut first, 1..=4);
    commit(&mut first, 1, Step::Completed); // sequence 5
    commit(&mut first, 1, Step::CancelledFromCompleted); // sequence 6
    commit(&mut first, 3, Step::Completed); // sequence 7

    first.rows("BEGIN");
    assert_eq!(claim_by_order(&mut first, 2), [1, 2]);
    second.rows("BEGIN");
    assert_eq!(claim_by_order(&mut second, 10), [3, 4], "neither the first's entries nor what follows on them");

    first.rows("EXECUTE mark_processed('{1,2}')");
    first.rows("COMMIT");
    first.rows("BEGIN");
    assert_eq!(claim_by_order(&mut first, 10), [5], "6 waits for 5, 7 waits for 3");
    second.rows("EXECUTE mark_processed('{3,4}')");
    second.rows("COMMIT");
    second.rows("BEGIN");
    assert_eq!(claim_by_order(&mut second, 10), [7]);
    first.rows("EXECUTE mark_processed('{5}')");
    first.rows("COMMIT");
    assert_eq!(claim_by_order(&mut first, 10), [6]);
}

#[test]
fn a_purged_predecessor_holds_up_nobody() {
    let database = Database::create();
    let mut session = database.session();
    place(&mut session, 1..=1);
    session.rows("EXECUTE mark_processed('{1}')");
    assert_eq!(session.changed("EXECUTE purge('0 seconds')"), 1);
    commit(&mut session, 1, Step::Completed);
    assert_eq!(claim_by_order(&mut session, 10), [2]);
}

#[test]
fn the_entries_of_a_relay_that_died_are_open_again() {
    for claim in ["claim", "claim_by_order"] {
        let database = Database::create();
        let (mut first, mut second) = (database.session(), database.session());
        place(&mut first, 1..=3);
        first.rows("BEGIN");
        let claimed = first.rows(&format!("EXECUTE {claim}(10)"));
        assert_eq!(sequences(&claimed), [1, 2, 3]);
        first.rows("EXECUTE mark_processed('{1}')");
        first.kill9();

        // At least once: the mark was not committed, so all three come again, byte for byte.
        second.rows("BEGIN");
        let again = crate::support::poll(crate::support::DEADLINE, || {
            let rows = second.rows(&format!("EXECUTE {claim}(10)"));
            (rows.len() == claimed.len()).then_some(rows)
        });
        assert_eq!(again, Some(claimed), "{claim}");
    }
}

#[test]
fn a_purge_takes_old_processed_entries_alone() {
    let database = Database::create();
    let mut session = database.session();
    place(&mut session, 1..=4);
    session.rows("EXECUTE mark_processed('{1,3,4}')");
    session.rows("UPDATE outbox SET processed_at = processed_at - interval '8 days' WHERE sequence IN (1, 3)");
    assert_eq!(session.changed("EXECUTE purge('7 days')"), 2);
    assert_eq!(session.value("SELECT string_agg(sequence::text, ',' ORDER BY sequence) FROM outbox"), "2,4");
    assert_eq!(session.rows("EXECUTE backlog")[0][0], "1", "one open entry");
}

/// 200,000 entries of which 100 are open: the claim must not read the history.
#[test]
fn the_claim_reads_the_index_of_open_entries_and_not_the_history() {
    let database = Database::create();
    let mut session = database.session();
    fill(&mut session, 200_000, 100);
    let table_pages: u64 = session.value("SELECT relpages FROM pg_class WHERE relname = 'outbox'").parse().unwrap();
    assert!(table_pages > 5 * CLAIM_PAGES_MAX, "the table is large enough to tell: {table_pages} pages");

    for claim in ["claim", "claim_by_order"] {
        let plan = session.rows(&format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE {claim}(1000)"));
        let plan: Vec<String> = plan.iter().map(|row| row.join("|")).collect();
        let text = plan.join("\n");
        assert!(text.contains("using outbox_open on outbox"), "{text}");
        assert!(!text.contains("Seq Scan") && !text.contains("Sort"), "{text}");
        assert!(pages_touched(&plan) < CLAIM_PAGES_MAX, "{text}");
        let claimed = session.rows(&format!("EXECUTE {claim}(1000)"));
        assert_eq!(sequences(&claimed), (199_901..=200_000).collect::<Vec<_>>(), "{claim}");
    }
}

/// The other end: everything is open, and the claim still reads a batch and not the backlog.
#[test]
fn the_claim_of_a_large_backlog_reads_one_batch() {
    let database = Database::create();
    let mut session = database.session();
    fill(&mut session, 200_000, 200_000);
    for claim in ["claim", "claim_by_order"] {
        let plan = session.rows(&format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE {claim}(100)"));
        let plan: Vec<String> = plan.iter().map(|row| row.join("|")).collect();
        let text = plan.join("\n");
        assert!(text.contains("using outbox_open on outbox"), "{text}");
        assert!(pages_touched(&plan) < CLAIM_PAGES_MAX, "{text}");
    }
}

/// Fills the outbox with placed orders, one entry each; the last `open` of them are not processed.
fn fill(session: &mut Session, entries: u32, open: u32) {
    session.rows(&format!(
        "INSERT INTO orders
         SELECT gen_random_uuid(), gen_random_uuid(), n, 'placed', 1, '2026-01-01Z' FROM generate_series(1, {entries}) AS n"
    ));
    session.rows(&format!(
        "INSERT INTO outbox (sequence, event_id, order_id, order_version, event_type, event_source, occurred_at, data,
             processed_at)
         SELECT n, overlay(gen_random_uuid()::text PLACING '5' FROM 15)::uuid, order_id, 1, 'OrderPlaced', '/orderd', placed_at,
                json_build_object('order_id', order_id, 'customer_id', customer_id, 'total_amount', total_amount,
                    'placed_at', '2026-01-01T00:00:00.000000Z'),
                CASE WHEN n <= {entries} - {open} THEN clock_timestamp() END
           FROM (SELECT *, row_number() OVER () AS n FROM orders) AS numbered"
    ));
    session.rows("VACUUM ANALYZE outbox");
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

fn place(session: &mut Session, orders: std::ops::RangeInclusive<u32>) {
    for order in orders {
        commit(session, order, Step::Placed);
    }
}

#[track_caller]
fn claim(session: &mut Session, entries: u32) -> Vec<u64> {
    sequences(&session.rows(&format!("EXECUTE claim({entries})")))
}

#[track_caller]
fn claim_by_order(session: &mut Session, entries: u32) -> Vec<u64> {
    sequences(&session.rows(&format!("EXECUTE claim_by_order({entries})")))
}
