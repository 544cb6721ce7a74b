#!/usr/bin/env python3
"""Consumes a sink of orderd into an inbox in SQLite. Python's standard library, nothing else.

    consumer.py --socket /run/orderd/orderd.sock --sink mine --database inbox.db

An event counts as delivered when SQLite has committed it, so a kill of this program, of the daemon or of both
loses nothing; what comes again is already there, by order and version. SIGTERM ends it after the current batch.
"""

import argparse
import json
import random
import signal
import socket
import sqlite3
import sys
import time

TAGS_MAX = 1000  # The most tags that one `delivered` may hold.
BACKOFF_S_MAX = 5.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (
    order_id TEXT NOT NULL, version INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence TEXT NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (order_id, version)
) WITHOUT ROWID;
"""

# A second copy of an event changes nothing. After a restore of the daemon's store the epoch is higher, and an order
# may have gone another way from the restored position on: then the newer history counts.
INSERT = """
INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id, version) DO UPDATE SET
    epoch = excluded.epoch, sequence = excluded.sequence, id = excluded.id, type = excluded.type, event = excluded.event
WHERE excluded.epoch > inbox.epoch
"""


class Refused(Exception):
    """The daemon will not take this program, today or tomorrow."""


class Lost(Exception):
    """The connection is over; another one can be made."""


class Stop(Exception):
    """SIGTERM came."""


class Stopper:
    """Ends a wait at once, and a batch when it is answered."""

    def __init__(self):
        self.requested = False
        self.waiting = True
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)

    def stop(self, *_):
        self.requested = True
        if self.waiting:
            raise Stop


class Connection:
    """Lines to and from the daemon."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, method, params, **more):
        message = {"jsonrpc": "2.0", "method": method, "params": params, **more}
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def lines(self):
        """At least one whole line; as many as have come."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(1 << 18)
            if not data:
                raise Lost("the daemon closed the connection")
            self.buffer += data
        whole, _, self.buffer = self.buffer.rpartition(b"\n")
        return whole.split(b"\n")


def attach(options):
    connection = Connection(options.socket)
    connection.send(
        "sink.attach",
        {"sink": options.sink, "protocol": 1, "program": "examples/python", "in_flight_max": options.in_flight_max},
        id=1,
    )
    answer, *early = connection.lines()
    # Events may come right behind the answer.
    connection.buffer = b"".join(line + b"\n" for line in early) + connection.buffer
    error = json.loads(answer).get("error")
    if error:
        raise (Lost if error["data"]["retryable"] else Refused)(error["message"])
    return connection


def row(event):
    attributes = ("partitionkey", "orderversion", "storeepoch", "sequence", "id", "type")
    return (*(event[name] for name in attributes), json.dumps(event, ensure_ascii=False))


def consume(connection, database, stopper):
    while not stopper.requested:
        tags, rows = [], []
        lines = connection.lines()
        stopper.waiting = False
        for line in lines:
            message = json.loads(line)
            params = message["params"]
            if message["method"] == "closing":
                raise Lost(f"{params['kind']}: {params['message']}")
            if message["method"] != "event":
                continue
            try:
                rows.append(row(params["event"]))
                tags.append(params["tag"])
            except KeyError as missing:
                # Trying again would not help: the order waits for an operator, all others go on.
                connection.send("rejected", {"tag": params["tag"], "reason": f"no attribute {missing}"})
        try:
            with database:
                database.executemany(INSERT, rows)
        except sqlite3.OperationalError as error:
            # A full disk, a locked database: not the events' fault. All of them come again.
            connection.send("unavailable", {"reason": str(error)})
            tags = []
        for first in range(0, len(tags), TAGS_MAX):
            connection.send("delivered", {"tags": tags[first : first + TAGS_MAX]})
        stopper.waiting = True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", default="/run/orderd/orderd.sock")
    parser.add_argument("--sink", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--in-flight-max", type=int, default=512)
    options = parser.parse_args()
    database = sqlite3.connect(options.database, timeout=10)
    database.execute("PRAGMA journal_mode = WAL")
    # A commit is on the disk when it returns.
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(SCHEMA)
    stopper, wait_s = Stopper(), 0.1
    try:
        while not stopper.requested:
            stopper.waiting = True
            try:
                connection = attach(options)
                wait_s = 0.1
                consume(connection, database, stopper)
            except Refused as error:
                sys.exit(f"refused: {error}")
            except (Lost, OSError) as error:
                print(f"not attached: {error}", file=sys.stderr)
                stopper.waiting = True
                time.sleep(wait_s * random.uniform(0.5, 1))
                wait_s = min(wait_s * 2, BACKOFF_S_MAX)
    except Stop:
        pass


if __name__ == "__main__":
    main()
