-- Orders, their outbox and its delivery in PostgreSQL 15 or later; and the inbox of a consumer.
--
-- orderd keeps all of this in a journal of its own (docs/journal.md), or, with `[store] type = "postgres"`, here
-- (docs/postgresql.md): one table per kind of thing that a plan stores, refused here what src/domain/ refuses there.
-- Several daemons share one database. The statements between "/* @name" and "*/" are what orderd prepares and runs
-- (src/postgres/statements.rs reads them from this file); tests/schema.rs loads the file into a real server and runs
-- those very texts. ANSWERS.md says why it is built so.
--
-- The database must be UTF-8. Three values that orderd's journal takes cannot be stored here: U+0000 in a reason or in
-- an event's metadata, and the year 0.

BEGIN;

-- An instant, in the only form that events carry. It is text on purpose: timestamptz takes a time without a zone for
-- one of the session's zone, and prints it in the reader's; this type refuses it, keeps the bytes that are published,
-- and sorts as time. Leases, which nobody publishes, are timestamptz by the server's clock.
CREATE DOMAIN utc_time AS text COLLATE "C"
    CONSTRAINT utc_time_form CHECK (VALUE ~ '^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$')
    CONSTRAINT utc_time_is_real CHECK (VALUE::timestamptz > '-infinity');  -- no 30 February

-- One row: the numbers given out. A transaction that stores a plan locks it last and keeps it until its commit has
-- returned, so sequences have no gaps and their order is the order of the commits: whoever has seen 8 never sees 7
-- appear. (A SEQUENCE gives neither.) The price is that commits queue: store many plans per transaction.
CREATE TABLE store (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version    integer NOT NULL DEFAULT 1,
    epoch             bigint  NOT NULL DEFAULT 1 CHECK (epoch >= 1),
    history           text    NOT NULL,  -- cluster and timeline that gave the last number: see store_history()
    last_lsn          bigint  NOT NULL DEFAULT 0 CHECK (last_lsn >= 0),       -- plans, with or without events
    last_sequence     bigint  NOT NULL DEFAULT 0 CHECK (last_sequence >= 0),  -- events
    first_sequence    bigint  NOT NULL DEFAULT 1 CHECK (first_sequence >= 1),  -- those before it were never here
    last_decision     bigint  NOT NULL DEFAULT 0,  -- the last plan that is a decision about delivery
    decisions_removed bigint  NOT NULL DEFAULT 0,  -- decisions up to this plan may have been removed
    orders_count      bigint  NOT NULL DEFAULT 0,
    partition_events  bigint  NOT NULL DEFAULT 1000000 CHECK (partition_events >= 1)  -- as long as there are partitions
) WITH (fillfactor = 10);

-- A promoted standby, a recovery from an archive and a dump loaded into another cluster have another history, and may
-- have lost the last sequences: the next one raises `epoch`, so (store_epoch, sequence) never repeats. A copy of the
-- files put back in place, and a dump loaded into its own cluster, keep their history: run @raise_epoch first.
CREATE FUNCTION store_history() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()
$$;
INSERT INTO store (history) VALUES (store_history());

-- The epoch of what is stored next. A relay works in one epoch: after a failover what it knows of events, and delivered,
-- may not be there any more, and others may have their numbers.
CREATE FUNCTION next_epoch() RETURNS bigint LANGUAGE sql VOLATILE SET search_path FROM CURRENT AS $$
    SELECT epoch + (history <> store_history())::integer FROM store
$$;

-- One row per connection that stores plans, with its last batch. A COMMIT whose answer was lost is found out by
-- deleting the row: the deletion waits for a transaction that is still under way, tells what was committed, and keeps
-- what was not from being committed later.
CREATE TABLE writers (
    writer        uuid        NOT NULL,
    batch         bigint      NOT NULL DEFAULT 0,
    lsn           bigint      NOT NULL DEFAULT 0,  -- the batch's plans come after this one
    backend       integer     NOT NULL DEFAULT pg_backend_pid(),
    connected_at  timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT writers_pkey PRIMARY KEY (writer)
) WITH (fillfactor = 50);

-- One row per order, at its present version.
CREATE TABLE orders (
    order_id      uuid     NOT NULL,
    customer_id   uuid     NOT NULL,
    total_amount  bigint   NOT NULL,  -- cents
    status        text     NOT NULL,
    version       integer  NOT NULL,  -- 1 when placed; each change adds 1
    placed_at     utc_time NOT NULL,
    completed_at  utc_time,
    cancelled_at  utc_time,

    CONSTRAINT orders_pkey PRIMARY KEY (order_id),  -- the only index: every access is by id
    CONSTRAINT orders_total_amount CHECK (total_amount BETWEEN 0 AND 9007199254740991),  -- 2^53 - 1: exact in JSON
    CONSTRAINT orders_times_fit_status CHECK (CASE status
        WHEN 'placed'    THEN completed_at IS NULL     AND cancelled_at IS NULL
        WHEN 'completed' THEN completed_at IS NOT NULL AND cancelled_at IS NULL
        WHEN 'cancelled' THEN cancelled_at IS NOT NULL  -- completed before, or not
        ELSE false END),
    CONSTRAINT orders_version CHECK (version = 1 + num_nonnulls(completed_at, cancelled_at)),
    CONSTRAINT orders_times_run_forwards CHECK (
        coalesce(completed_at, placed_at) >= placed_at
        AND coalesce(cancelled_at, completed_at, placed_at) >= coalesce(completed_at, placed_at))
);

-- One row per change of an order, kept as long as the order: a unique key of the partitioned outbox would have to
-- contain `sequence`, so what must be unique for ever is unique here. It also finds an order's events.
CREATE TABLE transitions (
    order_id       uuid    NOT NULL,
    order_version  integer NOT NULL,
    sequence       bigint,  -- NULL: its event had left the journal before the migration
    lsn            bigint  NOT NULL,

    CONSTRAINT transitions_pkey PRIMARY KEY (order_id, order_version) INCLUDE (sequence, lsn),
    CONSTRAINT transitions_event UNIQUE (order_id, order_version, sequence),
    CONSTRAINT transitions_order FOREIGN KEY (order_id) REFERENCES orders
);

-- One row per event, stored by the transaction that changes its order; never updated. Nothing is marked per event:
-- each sink has a cursor.
CREATE TABLE outbox (
    sequence       bigint   NOT NULL,  -- from 1, no gaps, in commit order
    lsn            bigint   NOT NULL,  -- the plan
    store_epoch    bigint   NOT NULL,
    event_id       uuid     NOT NULL,  -- of order and version: src/domain/ids.rs
    order_id       uuid     NOT NULL,  -- also the partition key of a broker
    order_version  integer  NOT NULL,  -- after the change
    event_type     text     NOT NULL,
    event_source   text     NOT NULL,  -- as configured when stored: a new setting changes no redelivery
    -- The transition's own time, out of the event. Nobody can write a clock's here.
    occurred_at    utc_time NOT NULL GENERATED ALWAYS AS (data ->> CASE event_type
        WHEN 'OrderPlaced'    THEN 'placed_at'
        WHEN 'OrderCompleted' THEN 'completed_at'
        WHEN 'OrderCancelled' THEN 'cancelled_at'
        WHEN 'OrderSnapshot'  THEN 'placed_at' END) STORED,  -- parked, not here: nobody reads its time
    data           json     NOT NULL,  -- not jsonb, which reorders keys: a redelivery repeats the same bytes
    traceparent    text,
    tracestate     text,

    CONSTRAINT outbox_pkey PRIMARY KEY (sequence),
    CONSTRAINT outbox_transition FOREIGN KEY (order_id, order_version, sequence)
        REFERENCES transitions (order_id, order_version, sequence),
    CONSTRAINT outbox_sequence CHECK (sequence >= 1),
    CONSTRAINT outbox_version_fits_type CHECK (CASE event_type
        WHEN 'OrderPlaced'    THEN order_version = 1
        WHEN 'OrderCompleted' THEN order_version = 2
        WHEN 'OrderCancelled' THEN order_version IN (2, 3)
        ELSE false END),
    -- "IS TRUE": a missing member makes a comparison NULL, and NULL passes a CHECK.
    CONSTRAINT outbox_data CHECK ((
        data ->> 'order_id' = order_id::text
        AND (data ->> 'customer_id')::uuid IS NOT NULL
        AND json_typeof(data -> 'total_amount') = 'number'
        AND (data ->> 'total_amount')::bigint BETWEEN 0 AND 9007199254740991) IS TRUE),
    CONSTRAINT outbox_cancellation CHECK (event_type <> 'OrderCancelled' OR (
        data ->> 'cancelled_from' = CASE order_version WHEN 2 THEN 'placed' WHEN 3 THEN 'completed' END
        AND json_typeof(data -> 'reason') IN ('string', 'null')
        AND coalesce(char_length(data ->> 'reason'), 0) <= 500) IS TRUE)
) PARTITION BY RANGE (sequence);

-- The commands that must not be carried out twice. The first answer is the order as of `order_version` with that
-- transition's LSN: both are there for as long as the order is.
CREATE TABLE commands (
    command_id     uuid    NOT NULL,  -- the client's idempotency key
    fingerprint    uuid    NOT NULL,  -- of method and params: the same key with other content is refused
    order_id       uuid    NOT NULL,
    order_version  integer NOT NULL,
    age            bigint  GENERATED ALWAYS AS IDENTITY,  -- which to forget first

    CONSTRAINT commands_pkey PRIMARY KEY (command_id),
    CONSTRAINT commands_age UNIQUE (age),
    CONSTRAINT commands_order FOREIGN KEY (order_id) REFERENCES orders
);

-- One row per sink: where it is, and which daemon relays it. The epoch fences: a relay that lost its lease without
-- noticing (paused, swapped out, cut off) still holds the old epoch, and every write of a relay asks for it.
CREATE TABLE sinks (
    sink              text        NOT NULL,
    -- What decisions say of it: written by whichever daemon stores the decision.
    type              text        NOT NULL,
    source            text        NOT NULL,  -- the daemon's, when it was registered
    start_sequence    bigint      NOT NULL,  -- it gets the events after this one
    snapshot_orders   bigint,  -- if it starts with a snapshot: how many orders it gets first,
    snapshot_epoch    bigint,
    snapshot_lsn      bigint,  -- which shows nothing of later plans
    snapshot_running  boolean     NOT NULL DEFAULT false,
    paused            boolean     NOT NULL DEFAULT false,
    halted            boolean     NOT NULL DEFAULT false,
    skipped_from      bigint[]    NOT NULL DEFAULT '{}',  -- ranges passed over for good,
    skipped_to        bigint[]    NOT NULL DEFAULT '{}',  -- ascending
    skipped_events    bigint[]    NOT NULL DEFAULT '{}',  -- and single events of parked lanes
    -- How far it is: written by its relay alone.
    acked_sequence    bigint      NOT NULL,  -- everything up to here is delivered, parked or skipped
    acked_epoch       bigint      NOT NULL DEFAULT 0,  -- that event's `store_epoch`; 0 where it was not read
    snapshot_rows     bigint,  -- of a snapshot: orders up to this number are settled; NULL: live
    window_bits       bytea       NOT NULL DEFAULT '',  -- what was delivered out of order above it,
    window_events     integer     NOT NULL DEFAULT 0,  -- and of how many events that speaks
    target_mark       bytea       NOT NULL DEFAULT '',  -- how much of a file is synced, and of which
    shown             json,  -- what the relay shows of itself
    retries           bigint      NOT NULL DEFAULT 0,  -- asked for at other daemons (sink.retry)
    owner             text,
    epoch             bigint      NOT NULL DEFAULT 0,  -- one more for each owner
    expires_at        timestamptz,  -- by the server's clock alone

    CONSTRAINT sinks_pkey PRIMARY KEY (sink),
    CONSTRAINT sinks_name CHECK (sink ~ '^[a-z0-9_-]{1,64}$'),
    CONSTRAINT sinks_type CHECK (type IN ('file', 'stdout', 'subscription')),
    CONSTRAINT sinks_skipped CHECK (cardinality(skipped_from) = cardinality(skipped_to)),
    CONSTRAINT sinks_snapshot CHECK (num_nulls(snapshot_orders, snapshot_epoch, snapshot_lsn) IN (0, 3)),
    CONSTRAINT sinks_acked_sequence CHECK (acked_sequence >= 0),
    CONSTRAINT sinks_window_bits CHECK (octet_length(window_bits) <= 4096),
    CONSTRAINT sinks_lease CHECK ((owner IS NULL) = (expires_at IS NULL))
) WITH (fillfactor = 50);

-- One row per parked lane: an order whose events one sink could not get through, while all others go on.
CREATE TABLE lanes (
    sink             text     NOT NULL,
    order_id         uuid     NOT NULL,
    state            text     NOT NULL,
    since            utc_time NOT NULL,
    attempts         integer  NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,  -- NULL: at once, if its state lets it
    reason           text     NOT NULL,

    CONSTRAINT lanes_pkey PRIMARY KEY (sink, order_id),
    CONSTRAINT lanes_sink FOREIGN KEY (sink) REFERENCES sinks ON DELETE CASCADE,
    CONSTRAINT lanes_state CHECK (state IN ('retrying', 'rejected', 'held', 'requeued'))
);

-- The events that wait in parked lanes, whole: neither the cursor nor a dropped partition takes them along.
CREATE TABLE parked_events (
    sink  text NOT NULL,
    LIKE outbox INCLUDING CONSTRAINTS INCLUDING GENERATED,

    CONSTRAINT parked_events_pkey PRIMARY KEY (sink, order_id, sequence),
    CONSTRAINT parked_events_lane FOREIGN KEY (sink, order_id) REFERENCES lanes ON DELETE CASCADE
);
-- The orders of a snapshot may be parked, too; all of them carry the sequence that they are as of.
ALTER TABLE parked_events DROP CONSTRAINT outbox_version_fits_type;

-- Ranges that are handed out again: those under way, and the last ended ones of each sink.
CREATE TABLE replays (
    sink           text    NOT NULL,
    replay_id      uuid    NOT NULL,
    from_sequence  bigint  NOT NULL,
    to_sequence    bigint  NOT NULL,
    types          text[]  NOT NULL,  -- none: all
    order_id       uuid,
    rate_max       bigint  NOT NULL,  -- events per second
    state          text    NOT NULL,
    delivered      bigint  NOT NULL DEFAULT 0,  -- once it has ended
    failed         bigint  NOT NULL DEFAULT 0,
    -- How far it is: written by the sink's relay alone.
    acked_sequence  bigint,  -- NULL: not begun
    acked_epoch     bigint  NOT NULL DEFAULT 0,
    window_bits     bytea   NOT NULL DEFAULT '',
    window_events   integer NOT NULL DEFAULT 0,
    target_mark     bytea   NOT NULL DEFAULT '',
    taken           bigint  NOT NULL DEFAULT 0,  -- events that the sink took
    given_up        bigint  NOT NULL DEFAULT 0,
    age            bigint  GENERATED ALWAYS AS IDENTITY,

    CONSTRAINT replays_pkey PRIMARY KEY (sink, replay_id),
    CONSTRAINT replays_sink FOREIGN KEY (sink) REFERENCES sinks ON DELETE CASCADE,
    CONSTRAINT replays_state CHECK (state IN ('running', 'done', 'cancelled'))
);

-- What was decided about delivery, by whom and why. Daemons that did not decide it themselves learn it from here, in the
-- order of `lsn`.
CREATE TABLE decisions (
    lsn            bigint   NOT NULL,
    kind           text     NOT NULL,
    sink           text     NOT NULL,
    order_id       uuid,
    from_sequence  bigint,
    to_sequence    bigint,
    at             utc_time NOT NULL,
    uid            bigint   NOT NULL,
    reason         text     NOT NULL,
    body           bytea    NOT NULL,  -- all of it, as a journal holds it (src/repo/stored/decision.rs)

    CONSTRAINT decisions_pkey PRIMARY KEY (lsn),
    CONSTRAINT decisions_kind CHECK (kind IN ('registered', 'forgotten', 'parked', 'requeued', 'delivered', 'skipped',
        'paused', 'resumed', 'halted', 'replay_started', 'replay_ended', 'snapshot_ended', 'restored')),
    CONSTRAINT decisions_range CHECK (from_sequence <= to_sequence)
);

-- One row from the beginning of a migration on (orderd migrate): which journal is brought here, and how far that is. It is
-- moved by the transactions that bring something. No daemon starts before the migration is finished.
CREATE TABLE migration (
    only_row     boolean NOT NULL DEFAULT true,
    store_id     uuid    NOT NULL,
    last_lsn     bigint  NOT NULL,  -- where the journal ends: one that has gone on since is another one
    step         text    NOT NULL,
    done         bigint  NOT NULL DEFAULT 0,  -- how much of the step
    finished_at  timestamptz,

    CONSTRAINT migration_pkey PRIMARY KEY (only_row),
    CONSTRAINT migration_only_row CHECK (only_row),
    CONSTRAINT migration_step CHECK (step IN ('orders', 'plans', 'versions', 'commands', 'sinks', 'lanes', 'verify'))
);

-- The consumer's, in the consumer's database: one row per order, beside the tables that its handler writes.
CREATE TABLE inbox (
    consumer       text    NOT NULL,  -- a handler: each sees each event once
    order_id       uuid    NOT NULL,
    order_version  integer NOT NULL,  -- the last one handled

    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, order_id),
    CONSTRAINT inbox_order_version CHECK (order_version >= 1)
) WITH (fillfactor = 80);

-- ------------------------------------------------------------------------------------------------------------------
-- Partitions of the outbox. Functions of the schema's owner, so that the daemons' role needs no DDL. Call both from a
-- transaction of its own, with a short lock_timeout, and try again later if it strikes.
-- ------------------------------------------------------------------------------------------------------------------

-- The first sequence of each partition; its name ends with it.
CREATE FUNCTION outbox_partitions() RETURNS SETOF bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT right(relname, 20)::bigint FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
     WHERE inhparent = 'outbox'::regclass ORDER BY 1
$$;

-- Makes room for `ahead` more events than there are. Attached, not created in place: that would wait for every reader.
CREATE FUNCTION add_outbox_partitions(ahead bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    size     bigint;
    needed   bigint;
    base     bigint;
    made     integer := 0;
    name     text;
BEGIN
    LOCK TABLE transitions IN SHARE ROW EXCLUSIVE MODE;  -- attaching asks for it; and one adder at a time
    SELECT partition_events, last_sequence + ahead INTO size, needed FROM store;
    SELECT greatest(max(first) + size, (SELECT 1 + (first_sequence - 1) / size * size FROM store)) INTO base
      FROM outbox_partitions() AS first;
    WHILE base <= needed LOOP
        name := 'outbox_' || lpad(base::text, 20, '0');
        EXECUTE format('CREATE TABLE %I (LIKE outbox INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, base, base + size);
        base := base + size;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drops the partitions that every sink has passed, but keeps the last `retained` events.
CREATE FUNCTION drop_outbox_partitions(retained bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    size     bigint;
    passed   bigint;
    base     bigint;
    dropped  integer := 0;
BEGIN
    LOCK TABLE sinks IN SHARE MODE;  -- no sink may be registered behind our back at what goes
    SELECT partition_events, least(last_sequence - retained, (SELECT min(acked_sequence) FROM sinks),
           (SELECT min(coalesce(acked_sequence, from_sequence - 1)) FROM replays WHERE state = 'running'))
      INTO size, passed FROM store;
    passed := greatest(passed, (SELECT first_sequence - 1 FROM store));
    FOR base IN SELECT outbox_partitions() LOOP
        EXIT WHEN base + size - 1 > passed;
        EXECUTE format('DROP TABLE %I', 'outbox_' || lpad(base::text, 20, '0'));
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

REVOKE EXECUTE ON FUNCTION add_outbox_partitions, drop_outbox_partitions FROM PUBLIC;  -- grant them to the daemons

-- Ends a transaction that found other rows than it was decided on: 40001 is decided again, OD001 is a writer whose
-- outcome was asked for, so that it must not commit any more.
CREATE FUNCTION require_rows(got bigint, wanted bigint, code text, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF got IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION '%: found % of %', what, got, wanted USING ERRCODE = code;
    END IF;
END
$$;

DO $$ BEGIN PERFORM add_outbox_partitions(1); END $$;

COMMIT;

-- ------------------------------------------------------------------------------------------------------------------
-- A session. READ COMMITTED is what everything below is written for: it waits for a row's lock and then sees the row as
-- it is, where REPEATABLE READ and SERIALIZABLE fail with 40001. A client that hangs inside a transaction is cut off.
-- ------------------------------------------------------------------------------------------------------------------

/* @session
SELECT set_config('default_transaction_isolation', 'read committed', false),
       set_config('lock_timeout', $1::text, false),
       set_config('statement_timeout', $2::text, false),
       set_config('idle_in_transaction_session_timeout', $3::text, false)
*/

-- ------------------------------------------------------------------------------------------------------------------
-- Plans. A batch is decided on what @find_orders and @find_commands show, without a lock, and stored by one transaction
-- that is sent as a whole: BEGIN; @take_turn; @lock_orders; @place_orders; @change_orders; @store_commands;
-- @wake_relays; @store_plans; COMMIT; with decisions about delivery among them, as below. Every transaction takes its
-- locks in this order (sinks, existing orders by id, new orders by id, command ids, `store`), so plans of any number
-- never deadlock.
-- 40001, 40P01 and 23505 mean that another daemon was first: decide again.
-- ------------------------------------------------------------------------------------------------------------------

-- Orders first, then commands: whoever sees an order as a command left it also finds the command.
/* @find_orders
SELECT order_id, customer_id, total_amount, status, version, placed_at::text, completed_at::text, cancelled_at::text
  FROM orders
 WHERE order_id = ANY ($1::uuid[])
*/

-- Gives what the first answer is made of: the order is to be shown as of `order_version`.
/* @find_commands
SELECT c.command_id, c.fingerprint, c.order_version, t.lsn, o.order_id, o.customer_id, o.total_amount, o.status,
       o.version, o.placed_at::text, o.completed_at::text, o.cancelled_at::text
  FROM commands AS c
  JOIN orders AS o USING (order_id)
  JOIN transitions AS t USING (order_id, order_version)
 WHERE c.command_id = ANY ($1::uuid[])
*/

-- The last plan of an order.
/* @find_order_lsn
SELECT lsn FROM transitions WHERE order_id = $1 ORDER BY order_version DESC LIMIT 1
*/

/* @add_writer
INSERT INTO writers (writer) VALUES ($1)
*/

-- Of daemons that were killed. Nobody asks for an outcome after so long.
/* @forget_writers
DELETE FROM writers AS w
 WHERE connected_at < clock_timestamp() - interval '1 hour'
   AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = w.backend)
*/

-- What became of a batch whose COMMIT was not answered. No row: asked before.
/* @remove_writer
DELETE FROM writers WHERE writer = $1 RETURNING batch, lsn
*/

/* @take_turn
SELECT require_rows(count(*), 1, 'OD001', 'this writer was removed')
  FROM (SELECT FROM writers WHERE writer = $1 FOR NO KEY UPDATE) AS turn
*/

/* @lock_orders
SELECT order_id FROM orders WHERE order_id = ANY ($1::uuid[]) ORDER BY order_id FOR NO KEY UPDATE
*/

-- With what later plans of the same batch made of them.
/* @place_orders
INSERT INTO orders (order_id, customer_id, total_amount, status, version, placed_at, completed_at, cancelled_at)
SELECT order_id, customer_id, total_amount, status, version, placed_at::utc_time, completed_at::utc_time,
       cancelled_at::utc_time
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[])
       AS placed (order_id, customer_id, total_amount, status, version, placed_at, completed_at, cancelled_at)
 ORDER BY order_id
*/

-- All of them from the versions that they were made from, or none.
/* @change_orders
WITH changed AS (
    UPDATE orders AS o
       SET status = changed.status, version = changed.version, completed_at = changed.completed_at::utc_time,
           cancelled_at = changed.cancelled_at::utc_time
      FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[])
           AS changed (order_id, from_version, version, status, completed_at, cancelled_at)
     WHERE o.order_id = changed.order_id AND o.version = changed.from_version
    RETURNING 1
)
SELECT require_rows(count(*), cardinality($1::uuid[]), '40001', 'an order is at another version') FROM changed
*/

/* @store_commands
INSERT INTO commands (command_id, fingerprint, order_id, order_version)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[]) AS command (id, fingerprint, order_id, version)
 ORDER BY id
*/

-- Last. $1 and $2: whose batch it is, and which; $3: how many plans; $4: how many new orders; $5: which plan each event
-- belongs to, from 1. No ON CONFLICT: an event that is there already takes its whole transaction back, numbers included.
/* @store_plans
WITH head AS (
    UPDATE store
       SET last_lsn = last_lsn + $3::bigint, last_sequence = last_sequence + cardinality($5::bigint[]),
           orders_count = orders_count + $4::bigint,
           epoch = epoch + (history <> here)::integer, history = here
      FROM store_history() AS here
    RETURNING epoch, last_lsn - $3::bigint AS lsn, last_sequence - cardinality($5::bigint[]) AS sequence, orders_count,
              last_decision, decisions_removed
), event AS (
    SELECT sequence + place AS sequence, lsn + plan AS lsn, epoch, event_id, order_id, order_version, event_type,
           data::json, traceparent, tracestate
      FROM head, unnest($5::bigint[], $6::uuid[], $7::uuid[], $8::integer[], $9::text[], $11::text[], $12::text[],
                        $13::text[]) WITH ORDINALITY
           AS e (plan, event_id, order_id, order_version, event_type, data, traceparent, tracestate, place)
), transition AS (
    INSERT INTO transitions (order_id, order_version, sequence, lsn)
    SELECT order_id, order_version, sequence, lsn FROM event
), published AS (
    INSERT INTO outbox (sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, event_source, data,
                        traceparent, tracestate)
    SELECT sequence, lsn, epoch, event_id, order_id, order_version, event_type, $10::text, data, traceparent, tracestate
      FROM event
), turn AS (
    UPDATE writers AS w SET batch = $2::bigint, lsn = head.lsn FROM head WHERE w.writer = $1::uuid
)
SELECT lsn, sequence, epoch, orders_count, last_decision, decisions_removed FROM head
*/

-- In the same transaction; heard after its commit, by other daemons than the one that $1 names. Only hurries the relays,
-- which also look by themselves.
/* @wake_relays
SELECT pg_notify('orderd_events', $1)
*/

/* @add_partitions
SELECT add_outbox_partitions($1)
*/

-- One daemon at a time; keeps the last $1 events, and whatever a sink or a replay has still to read.
/* @drop_partitions
SELECT drop_outbox_partitions($1)
  FROM (SELECT pg_try_advisory_xact_lock(hashtext('orderd maintenance')) AS elected) AS keeper
 WHERE elected
*/

-- Keeps the newest $1 (executor.command_ids_max).
/* @forget_commands
DELETE FROM commands WHERE age <= (SELECT age FROM commands ORDER BY age DESC OFFSET $1 LIMIT 1)
*/

-- Keeps the newest $1 (store.retain_decisions), and those since the oldest event that a sink has still to get or that is
-- parked. One daemon at a time, and not all at once.
/* @forget_decisions
WITH surplus AS (
    SELECT lsn FROM decisions ORDER BY lsn DESC OFFSET $1 LIMIT 1
), bound AS (
    SELECT least(surplus.lsn, (SELECT min(lsn) - 1 FROM parked_events),
                 (SELECT min(o.lsn) - 1 FROM sinks AS s JOIN outbox AS o ON o.sequence = s.acked_sequence + 1)) AS lsn
      FROM surplus
     WHERE pg_try_advisory_xact_lock(hashtext('orderd decisions'))
), forgotten AS (
    DELETE FROM decisions
     WHERE lsn IN (SELECT d.lsn FROM decisions AS d JOIN bound ON d.lsn <= bound.lsn ORDER BY d.lsn LIMIT 10000)
    RETURNING lsn
)
UPDATE store SET decisions_removed = forgotten.last
  FROM (SELECT max(lsn) AS last FROM forgotten) AS forgotten
 WHERE forgotten.last IS NOT NULL
*/

/* @raise_epoch
UPDATE store SET epoch = epoch + 1 RETURNING epoch
*/

-- Where an order's events are; those whose partition was dropped have no type.
/* @trace_order
SELECT order_version, sequence, event_type, event_id, occurred_at
  FROM transitions LEFT JOIN outbox USING (order_id, order_version, sequence)
 WHERE order_id = $1
 ORDER BY order_version
*/

-- ------------------------------------------------------------------------------------------------------------------
-- The relay. Reading, delivering and moving the cursor are three steps, and no transaction is open while the target
-- is waited for: an open one would hold its locks for as long as the relay hangs, and keep vacuum from removing what
-- died since, in the whole database. What is delivered and not yet in the cursor is delivered again after a crash.
-- ------------------------------------------------------------------------------------------------------------------

-- Where a sink may begin.
/* @outbox_bounds
SELECT greatest((SELECT min(first) FROM outbox_partitions() AS first), first_sequence) AS first, last_sequence AS last
  FROM store
*/

-- Elected: one row with the new epoch, and the store's. No row: another daemon relays it. $3: the lease in milliseconds.
/* @claim_sink
UPDATE sinks
   SET owner = $2, epoch = epoch + 1, expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
 WHERE sink = $1 AND (owner IS NULL OR expires_at < clock_timestamp())
RETURNING epoch, acked_sequence, acked_epoch, window_bits, window_events, target_mark, snapshot_rows,
          next_epoch() AS store_epoch
*/

-- No row from any statement that asks for the epoch: deposed. Stop delivering; outcomes count for nothing.
/* @renew_sink
UPDATE sinks SET expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond', shown = $4::text::json
 WHERE sink = $1 AND epoch = $2
RETURNING next_epoch() AS store_epoch, retries
*/

-- Whoever relays the sink is to end its waits.
/* @ask_retry
UPDATE sinks SET retries = retries + 1 WHERE sink = $1
*/

-- Who relays a sink, if anybody does, and how far it is.
/* @look_at_sink
SELECT CASE WHEN expires_at >= clock_timestamp() THEN owner END AS relay, acked_sequence, shown::text, retries
  FROM sinks
 WHERE sink = $1
*/

/* @release_sink
UPDATE sinks SET owner = NULL, expires_at = NULL WHERE sink = $1 AND epoch = $2
*/

-- The next $2 events. Sequences have no gaps, so a range of them is a batch whatever the planner thinks; and their
-- order is the order of the commits, so nothing can appear below $1 later.
/* @read_events
SELECT sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, event_source, data::text,
       traceparent, tracestate
  FROM outbox
 WHERE sequence > $1 AND sequence <= $1 + $2::bigint
 ORDER BY sequence
*/

-- Which event it was that a cursor stands after: another store_epoch, and the database goes on with another history.
/* @event_at
SELECT store_epoch, occurred_at::text FROM outbox WHERE sequence = $1
*/

/* @move_cursor
UPDATE sinks
   SET acked_sequence = $3, window_bits = $4, acked_epoch = $5, window_events = $6, target_mark = $7,
       snapshot_rows = $8
 WHERE sink = $1 AND epoch = $2 AND acked_sequence <= $3 AND next_epoch() = $9
RETURNING acked_sequence
*/

-- The orders of a snapshot, by id: as they are now, of those that the plan $3 or an earlier one placed. None is ever
-- removed, so each keeps its place. After the first $2 from $1 on.
/* @read_snapshot
SELECT o.order_id, o.customer_id, o.total_amount, o.status, o.version, o.placed_at::text, o.completed_at::text,
       o.cancelled_at::text, last.lsn
  FROM orders AS o
  JOIN transitions AS last ON last.order_id = o.order_id AND last.order_version = o.version
 WHERE o.order_id >= $1 AND EXISTS (SELECT FROM transitions AS t WHERE t.order_id = o.order_id AND t.lsn <= $3)
 ORDER BY o.order_id
OFFSET $2 LIMIT $4
*/

-- Of a replay. The fence is the sink's.
/* @find_replay_progress
SELECT acked_sequence, acked_epoch, window_bits, window_events, target_mark, taken, given_up
  FROM replays
 WHERE sink = $1 AND replay_id = $2
*/

/* @move_replay
WITH fenced AS (SELECT sink FROM sinks WHERE sink = $1 AND epoch = $2 AND next_epoch() = $11 FOR NO KEY UPDATE)
UPDATE replays AS r
   SET acked_sequence = $3, window_bits = $4, acked_epoch = $5, window_events = $6, target_mark = $7, taken = $9,
       given_up = $10
  FROM fenced
 WHERE r.sink = fenced.sink AND r.replay_id = $8
RETURNING r.acked_sequence
*/

-- The events of an order, for whoever asks what became of them.
/* @order_events
SELECT o.sequence, o.lsn, o.store_epoch, o.event_id, o.order_id, o.order_version, o.event_type, o.event_source,
       o.data::text, o.traceparent, o.tracestate
  FROM transitions AS t JOIN outbox AS o ON o.sequence = t.sequence
 WHERE t.order_id = $1
 ORDER BY o.order_version
*/

-- ------------------------------------------------------------------------------------------------------------------
-- Decisions about delivery, in the transaction of plans (above): before @lock_orders @fence for what a relay decided,
-- and the rows that the decisions change; around @store_plans @same_decisions and @store_decisions. Each daemon keeps
-- what was decided in memory and reads on from there with @read_decisions; a decision that was made on less is made
-- again (40001).
-- ------------------------------------------------------------------------------------------------------------------

-- The fence locks the sink's row, so no other relay can be elected before the commit.
/* @fence
SELECT require_rows(count(*), 1, '40001', 'another daemon relays the sink')
  FROM (SELECT FROM sinks WHERE sink = $1 AND epoch = $2 AND next_epoch() = $3 FOR NO KEY UPDATE) AS fenced
*/

/* @read_sinks
SELECT sink, type, source, start_sequence, snapshot_orders, snapshot_epoch, snapshot_lsn, snapshot_running, paused,
       halted, skipped_from, skipped_to, skipped_events
  FROM sinks
*/

/* @read_lanes
SELECT sink, order_id, state, since::text, attempts, reason FROM lanes
*/

/* @read_parked
SELECT sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, event_source, data::text,
       traceparent, tracestate, sink
  FROM parked_events
 ORDER BY sink, sequence
*/

/* @read_replays
SELECT sink, replay_id, from_sequence, to_sequence, types, order_id, rate_max, state, delivered, failed
  FROM replays
 ORDER BY age
*/

/* @read_head
SELECT last_lsn, last_sequence, epoch, orders_count, last_decision, decisions_removed FROM store
*/

/* @read_decisions
SELECT lsn, body FROM decisions WHERE lsn > $1 ORDER BY lsn LIMIT $2
*/

/* @store_sink
INSERT INTO sinks (sink, type, source, start_sequence, snapshot_orders, snapshot_epoch, snapshot_lsn, snapshot_running,
                   paused, halted, skipped_from, skipped_to, skipped_events, acked_sequence, snapshot_rows)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $4, CASE WHEN $8 THEN 0 END)
ON CONFLICT (sink) DO UPDATE
   SET type = EXCLUDED.type, snapshot_running = EXCLUDED.snapshot_running, paused = EXCLUDED.paused,
       halted = EXCLUDED.halted, skipped_from = EXCLUDED.skipped_from, skipped_to = EXCLUDED.skipped_to,
       skipped_events = EXCLUDED.skipped_events
*/

/* @forget_sink
DELETE FROM sinks WHERE sink = $1
*/

/* @store_replay
INSERT INTO replays (sink, replay_id, from_sequence, to_sequence, types, order_id, rate_max, state, delivered, failed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (sink, replay_id) DO UPDATE
   SET state = EXCLUDED.state, delivered = EXCLUDED.delivered, failed = EXCLUDED.failed
*/

-- Those that are not among $2 any more.
/* @forget_replays
DELETE FROM replays WHERE sink = $1 AND replay_id <> ALL ($2::uuid[])
*/

/* @store_lane
INSERT INTO lanes (sink, order_id, state, since, attempts, reason) VALUES ($1, $2, $3, $4::text::utc_time, $5, $6)
ON CONFLICT (sink, order_id) DO UPDATE
   SET state = EXCLUDED.state, reason = EXCLUDED.reason, attempts = EXCLUDED.attempts
*/

-- Whole, as they are in the outbox. What is parked already stays.
/* @park_events
INSERT INTO parked_events (sink, sequence, lsn, store_epoch, event_id, order_id, order_version, event_type,
                           event_source, data, traceparent, tracestate)
SELECT $1, sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, event_source, data, traceparent,
       tracestate
  FROM outbox
 WHERE sequence = ANY ($2::bigint[])
ON CONFLICT DO NOTHING
*/

-- Delivered or skipped.
/* @settle_parked
DELETE FROM parked_events AS p USING unnest($2::uuid[], $3::bigint[]) AS settled (order_id, sequence)
 WHERE p.sink = $1 AND p.order_id = settled.order_id AND p.sequence = settled.sequence
*/

-- A lane goes with its last event.
/* @close_lanes
DELETE FROM lanes WHERE sink = $1 AND order_id = ANY ($2::uuid[])
*/

/* @same_decisions
SELECT require_rows(count(*), 1, '40001', 'delivery was decided about')
  FROM (SELECT FROM store WHERE last_decision = $1 FOR NO KEY UPDATE) AS same
*/

-- $1: how many plans the transaction stored; $2: which of them each decision is, from 1. `$12` raises the epoch where a
-- decision says so.
/* @store_decisions
WITH head AS (
    UPDATE store
       SET last_decision = last_lsn - $1::bigint + (SELECT max(plan) FROM unnest($2::bigint[]) AS plan),
           epoch = greatest(epoch, $12::bigint)
    RETURNING last_lsn - $1::bigint AS lsn
)
INSERT INTO decisions (lsn, kind, sink, order_id, from_sequence, to_sequence, at, uid, reason, body)
SELECT lsn + plan, kind, sink, order_id, from_sequence, to_sequence, at::utc_time, uid, reason, body
  FROM head, unnest($2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::text[],
                    $9::bigint[], $10::text[], $11::bytea[])
       AS d (plan, kind, sink, order_id, from_sequence, to_sequence, at, uid, reason, body)
*/

-- ------------------------------------------------------------------------------------------------------------------
-- A migration: what a journal holds, with the numbers that it has there. Each part is a transaction: BEGIN;
-- @move_migration; what it brings; COMMIT. The orders come first, the head last, so that nothing is shown before all of it
-- is there.
-- ------------------------------------------------------------------------------------------------------------------

-- Waits for a part that a killed program has sent.
/* @find_migration
SELECT store_id, last_lsn, step, done, finished_at IS NOT NULL FROM migration FOR UPDATE
*/

-- What is in the database already; of the daemons those that are connected now.
/* @find_content
SELECT (SELECT last_lsn FROM store) > 0 OR EXISTS (SELECT FROM orders) OR EXISTS (SELECT FROM outbox)
       OR EXISTS (SELECT FROM sinks) OR EXISTS (SELECT FROM decisions)
*/

/* @count_daemons
SELECT count(*) FROM writers JOIN pg_stat_activity ON pid = backend
*/

-- $3: the oldest event that the journal holds.
/* @begin_migration
WITH first AS (UPDATE store SET first_sequence = $3)
INSERT INTO migration (store_id, last_lsn, step) VALUES ($1, $2, 'orders')
*/

/* @take_back_migration
WITH first AS (UPDATE store SET first_sequence = 1)
DELETE FROM migration
*/

/* @move_migration
WITH moved AS (
    UPDATE migration SET step = $4, done = $5 WHERE store_id = $1 AND step = $2 AND done = $3 AND finished_at IS NULL
    RETURNING 1
)
SELECT require_rows(count(*), 1, '40001', 'the migration has gone on') FROM moved
*/

/* @bring_events
WITH event AS (
    SELECT sequence, lsn, epoch, event_id, order_id, order_version, event_type, source, data::json AS data, traceparent,
           tracestate
      FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[], $6::integer[], $7::text[],
                  $8::text[], $9::text[], $10::text[], $11::text[])
           AS e (sequence, lsn, epoch, event_id, order_id, order_version, event_type, source, data, traceparent,
                 tracestate)
), transition AS (
    INSERT INTO transitions (order_id, order_version, sequence, lsn)
    SELECT order_id, order_version, sequence, lsn FROM event
)
INSERT INTO outbox (sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, event_source, data,
                    traceparent, tracestate)
SELECT sequence, lsn, epoch, event_id, order_id, order_version, event_type, source, data, traceparent, tracestate
  FROM event
*/

-- Whose events have left the journal; of the others they are there.
/* @bring_versions
INSERT INTO transitions (order_id, order_version, lsn)
SELECT order_id, order_version, lsn
  FROM unnest($1::uuid[], $2::integer[], $3::bigint[]) AS v (order_id, order_version, lsn)
ON CONFLICT (order_id, order_version) DO NOTHING
*/

-- In their order, which is the order of their ages.
/* @bring_commands
INSERT INTO commands (command_id, fingerprint, order_id, order_version)
SELECT id, fingerprint, order_id, order_version
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[]) WITH ORDINALITY
       AS c (id, fingerprint, order_id, order_version, place)
 ORDER BY place
*/

/* @bring_decisions
INSERT INTO decisions (lsn, kind, sink, order_id, from_sequence, to_sequence, at, uid, reason, body)
SELECT lsn, kind, sink, order_id, from_sequence, to_sequence, at::utc_time, uid, reason, body
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[],
              $9::text[], $10::bytea[])
       AS d (lsn, kind, sink, order_id, from_sequence, to_sequence, at, uid, reason, body)
*/

/* @bring_cursor
UPDATE sinks
   SET acked_sequence = $2, acked_epoch = $3, window_bits = $4, window_events = $5, target_mark = $6
 WHERE sink = $1
*/

/* @bring_replay_progress
UPDATE replays
   SET acked_sequence = $3, acked_epoch = $4, window_bits = $5, window_events = $6, target_mark = $7, taken = $8,
       given_up = $9
 WHERE sink = $1 AND replay_id = $2
*/

-- What is not in the outbox: parked orders of a snapshot, and in a migration all that is parked. The plan of an event
-- that has left the journal is known only if it was the order's last.
/* @bring_parked
INSERT INTO parked_events (sink, sequence, lsn, store_epoch, event_id, order_id, order_version, event_type,
                           event_source, data, traceparent, tracestate)
SELECT sink, e.sequence, coalesce(t.lsn, 0), epoch, event_id, order_id, order_version, event_type, source, data::json,
       traceparent, tracestate
  FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[], $6::integer[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::text[])
       AS e (sink, sequence, epoch, event_id, order_id, order_version, event_type, source, data, traceparent,
             tracestate)
  LEFT JOIN transitions AS t USING (order_id, order_version)
ON CONFLICT DO NOTHING
*/

-- From here on the database shows what was brought.
/* @bring_head
WITH head AS (
    UPDATE store
       SET last_lsn = $1, last_sequence = $2, epoch = $3, orders_count = $4, last_decision = $5,
           history = store_history()
     WHERE last_lsn = 0
    RETURNING 1
)
SELECT require_rows(count(*), 1, '55000', 'a daemon has stored something meanwhile') FROM head
*/

/* @find_cursor
SELECT acked_sequence, acked_epoch, window_bits, window_events, target_mark FROM sinks WHERE sink = $1
*/

/* @find_order_lsns
SELECT o.order_id, t.lsn
  FROM orders AS o JOIN transitions AS t ON t.order_id = o.order_id AND t.order_version = o.version
 WHERE o.order_id = ANY ($1::uuid[])
*/

/* @count_brought
SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM outbox), (SELECT count(*) FROM commands),
       (SELECT count(*) FROM decisions), (SELECT count(*) FROM sinks), (SELECT count(*) FROM lanes),
       (SELECT count(*) FROM parked_events)
*/

/* @finish_migration
UPDATE migration SET finished_at = clock_timestamp()
*/

-- ------------------------------------------------------------------------------------------------------------------
-- Parked lanes, for whoever looks with SQL.
-- ------------------------------------------------------------------------------------------------------------------

-- Parked orders among these: their later events join the lane instead of overtaking it.
/* @parked_orders
SELECT order_id, state FROM lanes WHERE sink = $1 AND order_id = ANY ($2::uuid[])
*/

-- What may be handed out of parked lanes: of each the first event, and of nothing that waits for an operator.
/* @lane_heads
SELECT head.*
  FROM lanes AS l
 CROSS JOIN LATERAL (SELECT * FROM parked_events AS p
                      WHERE p.sink = l.sink AND p.order_id = l.order_id ORDER BY p.order_version LIMIT 1) AS head
 WHERE l.sink = $1 AND l.state IN ('retrying', 'requeued') AND coalesce(l.next_attempt_at <= clock_timestamp(), true)
 ORDER BY head.sequence
 LIMIT $2
*/

-- ------------------------------------------------------------------------------------------------------------------
-- The consumer: BEGIN; @consume; if that changed a row the handler's own writes; COMMIT; then acknowledge. Several
-- events may share a transaction: one that comes too early changes no row and fails nothing.
-- ------------------------------------------------------------------------------------------------------------------

-- 1 row: the next of its order, handle it. 0 rows: @last_version tells why.
/* @consume
INSERT INTO inbox AS i (consumer, order_id, order_version)
SELECT $1, $2, $3::integer
 WHERE $3::integer = 1 OR EXISTS (SELECT FROM inbox WHERE consumer = $1 AND order_id = $2)
ON CONFLICT (consumer, order_id) DO UPDATE SET order_version = EXCLUDED.order_version
 WHERE i.order_version = EXCLUDED.order_version - 1
*/

-- At least the event's: a duplicate, acknowledge it. Less, or no row: a predecessor is missing, do not handle it.
/* @last_version
SELECT order_version FROM inbox WHERE consumer = $1 AND order_id = $2
*/

-- For snapshots, and for consumers that keep the newest state alone: any newer version, and older ones are dropped.
/* @consume_newest
INSERT INTO inbox AS i (consumer, order_id, order_version) VALUES ($1, $2, $3)
ON CONFLICT (consumer, order_id) DO UPDATE SET order_version = EXCLUDED.order_version
 WHERE i.order_version < EXCLUDED.order_version
*/
