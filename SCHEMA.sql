-- orderd's orders, outbox and consumer's inbox, for PostgreSQL 15 or later.
--
-- orderd itself commits its plans to a journal of its own (src/journal/). This is the same model in SQL: what a
-- second committer of plans (PlanCommitter, src/contracts/committer.rs) would write to, and the answer to "how would
-- the outbox table look?". One table for each thing that a Mutation (src/contracts/repository.rs) stores, with the
-- fields, limits and transitions of src/domain/: a row that the domain could not have produced is refused here too.
--
-- tests/schema.rs loads this file into a real server. It takes the statements below between "/* @name" and "*/" as
-- they stand and runs them; ANSWERS.md, Q2, says why each column and index is there.
--
-- The database must be UTF-8. Two values that the domain allows cannot be stored: a reason with U+0000 and the year 0.

BEGIN;

-- One row an order, at its present version.
CREATE TABLE orders (
    order_id      uuid        NOT NULL,
    customer_id   uuid        NOT NULL,
    total_amount  bigint      NOT NULL,  -- cents
    status        text        NOT NULL,
    version       integer     NOT NULL,  -- 1 when placed; each change adds 1; every update asks for the one it read
    placed_at     timestamptz NOT NULL,
    completed_at  timestamptz,
    cancelled_at  timestamptz,

    -- The only index: every access is by id.
    CONSTRAINT orders_pkey PRIMARY KEY (order_id),
    CONSTRAINT orders_total_amount CHECK (total_amount BETWEEN 0 AND 9007199254740991),  -- 2^53 - 1: exact in JSON
    CONSTRAINT orders_status CHECK (status IN ('placed', 'completed', 'cancelled')),
    -- A cancelled order may or may not have been completed before.
    CONSTRAINT orders_times_fit_status CHECK (CASE status
        WHEN 'placed'    THEN completed_at IS NULL     AND cancelled_at IS NULL
        WHEN 'completed' THEN completed_at IS NOT NULL AND cancelled_at IS NULL
        WHEN 'cancelled' THEN cancelled_at IS NOT NULL
        ELSE false END),
    CONSTRAINT orders_version CHECK (version = 1 + num_nonnulls(completed_at, cancelled_at)),
    CONSTRAINT orders_times_run_forwards CHECK (
        coalesce(completed_at, placed_at) >= placed_at
        AND coalesce(cancelled_at, completed_at, placed_at) >= coalesce(completed_at, placed_at))
);

-- The last sequence given out: one row, locked by whoever stores events until its transaction ends.
--
-- This is what "without gaps" costs in SQL. A SEQUENCE or IDENTITY column is cheaper and breaks two promises: a
-- rollback leaves a gap, and transactions commit in another order than they drew their numbers, so a reader that has
-- seen 8 may see 7 appear afterwards. With the row, sequence order is commit order and a rollback gives the number
-- back. The price: transactions that store events go one after the other from @store_event to the end of their
-- commit, about one per flush of the WAL. (Measured with 32 connections, one event a transaction, on two busy cores:
-- 520 commits/s with the row, 2,070 with a SEQUENCE.) orderd has one executor that puts many plans into one commit,
-- so it pays once a batch. Services with many writers that can live without a total order replace the row by
-- IDENTITY; order within an order still holds then, since @complete_order's row lock is taken before @store_event.
CREATE TABLE outbox_head (
    only_row       boolean NOT NULL DEFAULT true,
    last_sequence  bigint  NOT NULL,

    CONSTRAINT outbox_head_pkey PRIMARY KEY (only_row),
    CONSTRAINT outbox_head_only_row CHECK (only_row),
    CONSTRAINT outbox_head_last_sequence CHECK (last_sequence >= 0)
);
INSERT INTO outbox_head (last_sequence) VALUES (0);

-- One row an event, stored by the transaction that changes the order.
CREATE TABLE outbox (
    -- The event: written once, never changed.
    sequence       bigint      NOT NULL,  -- from 1, without gaps, in commit order
    event_id       uuid        NOT NULL,  -- version 5, of order id and order version: src/domain/ids.rs
    order_id       uuid        NOT NULL,  -- also the partition key
    order_version  integer     NOT NULL,  -- the order's version after the change
    event_type     text        NOT NULL,
    event_source   text        NOT NULL,  -- as it was when stored: a new setting changes no redelivery
    occurred_at    timestamptz NOT NULL,  -- the transition's own time, from the event: no DEFAULT, on purpose
    data           json        NOT NULL,  -- json, not jsonb: a redelivery repeats the first one byte for byte
    -- The relay's: never published.
    processed_at   timestamptz,           -- NULL: open, that is, not yet acknowledged by the sink
    attempts       integer     NOT NULL DEFAULT 0,
    last_error     text,

    CONSTRAINT outbox_pkey PRIMARY KEY (sequence),
    -- The same event twice is impossible, whoever makes the id: by the id, and by the transition that it announces.
    CONSTRAINT outbox_event_once UNIQUE (event_id),
    CONSTRAINT outbox_transition_once UNIQUE (order_id, order_version),
    -- No event without its order. (That the change is there too is the transaction's work.)
    CONSTRAINT outbox_order FOREIGN KEY (order_id) REFERENCES orders (order_id),

    CONSTRAINT outbox_sequence CHECK (sequence >= 1),
    CONSTRAINT outbox_event_source CHECK (event_source <> ''),
    -- A random (version 4) id made while storing would differ each time the plan is built: refused.
    CONSTRAINT outbox_event_id_is_derived CHECK (substr(event_id::text, 15, 1) = '5'),
    CONSTRAINT outbox_version_fits_type CHECK (CASE event_type
        WHEN 'OrderPlaced'    THEN order_version = 1
        WHEN 'OrderCompleted' THEN order_version = 2
        WHEN 'OrderCancelled' THEN order_version IN (2, 3)
        ELSE false END),
    -- "IS TRUE", since a missing field makes the comparison NULL, and NULL passes a CHECK. The times end in Z, so
    -- the cast does not depend on the session's time zone.
    CONSTRAINT outbox_data CHECK ((
        data ->> 'order_id' = order_id::text
        AND (data ->> 'customer_id')::uuid IS NOT NULL
        AND json_typeof(data -> 'total_amount') = 'number'
        AND (data ->> 'total_amount')::bigint BETWEEN 0 AND 9007199254740991
        AND occurred_at = (data ->> CASE event_type
            WHEN 'OrderPlaced'    THEN 'placed_at'
            WHEN 'OrderCompleted' THEN 'completed_at'
            WHEN 'OrderCancelled' THEN 'cancelled_at' END)::timestamptz) IS TRUE),
    CONSTRAINT outbox_cancellation CHECK (event_type <> 'OrderCancelled' OR (
        data ->> 'cancelled_from' = CASE order_version WHEN 2 THEN 'placed' WHEN 3 THEN 'completed' END
        AND json_typeof(data -> 'reason') IN ('string', 'null')
        AND coalesce(char_length(data ->> 'reason'), 0) <= 500) IS TRUE),
    CONSTRAINT outbox_attempts CHECK (attempts >= 0)
)
-- Marking an entry leaves a dead version in the table and a dead entry at the front of outbox_open, where the next
-- claim starts: vacuum by count, not by a share of a table that is mostly history.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- What the relay asks for all day: the oldest open entries. Partial, so it is as large as the backlog, not as the
-- history, and an acknowledged entry leaves it.
CREATE INDEX outbox_open ON outbox (sequence) WHERE processed_at IS NULL;

-- The commands that must not be executed twice: the client's key, stored by the transaction that obeys it. The answer
-- needs no column: the order as it was at order_version follows from the order (OrderState::as_of).
CREATE TABLE processed_commands (
    command_id     uuid    NOT NULL,
    fingerprint    uuid    NOT NULL,  -- of method and params: the same key with other content is refused
    order_id       uuid    NOT NULL,
    order_version  integer NOT NULL,
    sequence       bigint  NOT NULL,  -- of its event; answered as the plan's LSN, and the age by which it is purged

    CONSTRAINT processed_commands_pkey PRIMARY KEY (command_id),
    CONSTRAINT processed_commands_sequence UNIQUE (sequence),
    CONSTRAINT processed_commands_order FOREIGN KEY (order_id) REFERENCES orders (order_id),
    CONSTRAINT processed_commands_order_version CHECK (order_version >= 1)
);

-- The consumer's inbox; it lives in the consumer's database, beside the tables that its handler writes.
CREATE TABLE processed_events (
    consumer          text        NOT NULL,  -- a handler's name: each sees each event once
    event_id          uuid        NOT NULL,
    order_id          uuid        NOT NULL,
    order_version     integer     NOT NULL,
    previous_version  integer     GENERATED ALWAYS AS (nullif(order_version - 1, 0)) STORED,
    event_type        text        NOT NULL,
    processed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),

    -- Deduplication; both indexes also serve the lookups below.
    CONSTRAINT processed_events_pkey PRIMARY KEY (consumer, event_id),
    CONSTRAINT processed_events_transition_once UNIQUE (consumer, order_id, order_version),
    -- Order: version 3 is refused until version 2 is in. A consumer that does not need order, or that began in the
    -- middle (start = "now"), leaves this one out.
    CONSTRAINT processed_events_in_order FOREIGN KEY (consumer, order_id, previous_version)
        REFERENCES processed_events (consumer, order_id, order_version),
    CONSTRAINT processed_events_order_version CHECK (order_version >= 1)
);

COMMIT;

-- ---------------------------------------------------------------------------------------------------------------
-- Storing a plan: one transaction. Any statement failing, or the first one changing no row, takes back all.
-- ---------------------------------------------------------------------------------------------------------------

/* @complete_order
UPDATE orders SET status = 'completed', completed_at = $3, version = version + 1
 WHERE order_id = $1 AND version = $2
*/
-- No row: another transaction changed the order since it was read. ROLLBACK, retrieve again, decide again.

/* @store_event
WITH head AS (UPDATE outbox_head SET last_sequence = last_sequence + 1 RETURNING last_sequence)
INSERT INTO outbox (sequence, event_id, order_id, order_version, event_type, event_source, occurred_at, data)
SELECT last_sequence, $1, $2, $3, $4, $5, $6, $7 FROM head
RETURNING sequence
*/
-- No ON CONFLICT: the same event a second time is a mistake that must take its whole plan back, number included.

/* @store_command
INSERT INTO processed_commands (command_id, fingerprint, order_id, order_version, sequence)
VALUES ($1, $2, $3, $4, $5)
*/

-- Keeps the newest $1 (executor.command_ids_max).
/* @purge_commands
DELETE FROM processed_commands
 WHERE sequence <= (SELECT sequence FROM processed_commands ORDER BY sequence DESC OFFSET $1 LIMIT 1)
*/

-- ---------------------------------------------------------------------------------------------------------------
-- The relay: BEGIN, claim, publish, wait for the sink's acknowledgement, mark, COMMIT. A worker that dies loses its
-- connection, with it the row locks, and the entries are open again: at least once, without leases or clocks.
-- ---------------------------------------------------------------------------------------------------------------

-- One sink, whole order, as orderd delivers. A second worker waits at the first row (set lock_timeout) and goes on
-- behind the first worker's last acknowledged entry: a warm standby, never a second publisher.
/* @claim
SELECT sequence, event_id, order_id, order_version, event_type, event_source, occurred_at, data
  FROM outbox
 WHERE processed_at IS NULL
 ORDER BY sequence
 LIMIT $1
   FOR UPDATE
*/

-- Many workers, order kept within each order only. SKIP LOCKED alone would hand an order's second event to worker B
-- while worker A still has the first; so an entry can be claimed only when its predecessor is processed (or purged).
/* @claim_by_order
SELECT o.sequence, o.event_id, o.order_id, o.order_version, o.event_type, o.event_source, o.occurred_at, o.data
  FROM outbox AS o
 WHERE o.processed_at IS NULL
   AND coalesce((SELECT p.processed_at IS NOT NULL FROM outbox AS p
                  WHERE p.order_id = o.order_id AND p.order_version = o.order_version - 1), true)
 ORDER BY o.sequence
 LIMIT $1
   FOR UPDATE OF o SKIP LOCKED
*/

/* @mark_processed
UPDATE outbox SET processed_at = clock_timestamp()
 WHERE sequence = ANY ($1::bigint[]) AND processed_at IS NULL
*/

/* @note_failure
UPDATE outbox SET attempts = attempts + 1, last_error = left($2, 1000)
 WHERE sequence = $1 AND processed_at IS NULL
*/

-- Repeated until it deletes nothing. The oldest entries come first by the primary key and the look is bounded, so it
-- needs no index of its own; open entries stay, however old.
/* @purge
DELETE FROM outbox
 WHERE sequence IN (SELECT sequence FROM outbox ORDER BY sequence LIMIT 10000)
   AND processed_at < clock_timestamp() - $1::interval
*/

/* @backlog
SELECT count(*) AS open_entries, clock_timestamp() - min(occurred_at) AS oldest
  FROM outbox
 WHERE processed_at IS NULL
*/

-- ---------------------------------------------------------------------------------------------------------------
-- The consumer: BEGIN, this, the handler's own writes, COMMIT, and only then acknowledge to the broker.
-- ---------------------------------------------------------------------------------------------------------------

-- 1 row: new, handle it. 0 rows: seen, acknowledge and do nothing; two deliveries at once wait for each other here.
-- Error 23503 on processed_events_in_order: its predecessor is missing; roll back, put it aside, deliver it again.
/* @consume
INSERT INTO processed_events (consumer, event_id, order_id, order_version, event_type)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (consumer, event_id) DO NOTHING
*/

-- All rows of an order at once, and only when its end (cancelled is final) is further back than any redelivery or
-- replay can reach: a purged event that comes again would count as new. Orders that stay completed keep their rows.
/* @purge_inbox
DELETE FROM processed_events AS e
 USING processed_events AS last
 WHERE last.event_type = 'OrderCancelled' AND last.processed_at < clock_timestamp() - $1::interval
   AND e.consumer = last.consumer AND e.order_id = last.order_id
*/
