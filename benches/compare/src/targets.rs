//! What has to be shown: one entry a row of the table, in its order.

/// A bound that a figure has to keep.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// One row.
#[derive(Debug)]
pub struct Goal {
    /// Names the row in the figures' file.
    pub key: &'static str,
    pub what: &'static str,
    pub bound: Bound,
    pub unit: &'static str,
}

use Bound::{AtLeast, AtMost};

pub const LONE_P50: Goal =
    Goal {
        key: "lone-p50", what: "1 connection, 1 in flight: p50 against the floor's", bound: AtMost(1.3), unit: "×"
    };
pub const MANY_FLOOR: Goal = Goal {
    key: "many-floor",
    what: "64 connections, 1 in flight each: throughput against the floor",
    bound: AtLeast(0.8),
    unit: "×",
};
pub const FULL_FLOOR: Goal = Goal {
    key: "full-floor",
    what: "16 connections, 64 in flight each: throughput against the floor",
    bound: AtLeast(0.4),
    unit: "×",
};
pub const FULL_POSTGRES: Goal = Goal {
    key: "full-postgres",
    what: "the same against PostgreSQL with its best number of clients",
    bound: AtLeast(40.0),
    unit: "×",
};
pub const FULL_REDIS: Goal =
    Goal { key: "full-redis", what: "the same against Redis with pipelining", bound: AtLeast(4.0), unit: "×" };
pub const PLACE_BYTES: Goal =
    Goal { key: "place-bytes", what: "journal bytes a plan: place", bound: AtMost(256.0), unit: "bytes" };
pub const COMPLETE_BYTES: Goal =
    Goal { key: "complete-bytes", what: "journal bytes a plan: complete", bound: AtMost(256.0), unit: "bytes" };
pub const RECOVERY: Goal = Goal {
    key: "recovery",
    what: "recovery of 10 million plans without a checkpoint",
    bound: AtLeast(1e6),
    unit: "plans/s",
};
pub const CHECKPOINT_START: Goal = Goal {
    key: "checkpoint-start",
    what: "start with a checkpoint of 5 million orders and a short tail",
    bound: AtMost(3.0),
    unit: "s",
};
pub const ORDER_MEMORY: Goal = Goal {
    key: "order-memory",
    what: "resident memory with 5 million orders, above an empty daemon's",
    bound: AtMost(130.0),
    unit: "bytes an order",
};
pub const ENDURANCE: Goal = Goal {
    key: "endurance",
    what: "commands/s of the last million of 20 million plans against the first",
    bound: AtLeast(0.9),
    unit: "×",
};
pub const CHECKPOINT_P99: Goal = Goal {
    key: "checkpoint-p99",
    what: "p99 of commands while a checkpoint is written, against without",
    bound: AtMost(2.0),
    unit: "×",
};
pub const DRAIN: Goal = Goal {
    key: "drain",
    what: "draining 10 million events to the file sink while idle",
    bound: AtLeast(500_000.0),
    unit: "events/s",
};
pub const DRAIN_P99: Goal = Goal {
    key: "drain-p99",
    what: "p99 of 20,000 commands/s beside such a drain, against without",
    bound: AtMost(2.0),
    unit: "×",
};
pub const DRAIN_MEMORY: Goal = Goal {
    key: "drain-memory",
    what: "resident memory while draining 10 million events, above before",
    bound: AtMost(64.0),
    unit: "MiB",
};
pub const BACKLOG_START: Goal = Goal {
    key: "backlog-start",
    what: "start with 10 million undelivered events, above none",
    bound: AtMost(200.0),
    unit: "ms",
};
pub const DELIVERY: Goal = Goal {
    key: "delivery",
    what: "from the answer (durable) to the event's line in the file, one command at a time, p50",
    bound: AtMost(2.0),
    unit: "ms",
};

pub const FULL_SINK: Goal = Goal {
    key: "full-sink",
    what: "16 connections, 64 in flight each: throughput with a file sink against without",
    bound: AtLeast(0.8),
    unit: "×",
};
pub const FULL_SINK_FLOOR: Goal = Goal {
    key: "full-sink-floor",
    what: "the same with a file sink against the floor",
    bound: AtLeast(0.42),
    unit: "×",
};
pub const MANY_SINK: Goal = Goal {
    key: "many-sink",
    what: "64 connections, 1 in flight each: throughput with a file sink against without",
    bound: AtLeast(0.95),
    unit: "×",
};
pub const LONE_SINK: Goal = Goal {
    key: "lone-sink",
    what: "1 connection, 1 in flight: p50 with a file sink against without",
    bound: AtMost(1.15),
    unit: "×",
};
pub const LONE_FLOOR: Goal =
    Goal { key: "lone-floor", what: "the same without a sink against the floor", bound: AtMost(1.2), unit: "×" };
pub const SINK_LAG: Goal =
    Goal { key: "sink-lag", what: "the sink's lag at the end of each of these rounds", bound: AtMost(1.0), unit: "s" };
pub const HONEST_RATE: Goal = Goal {
    key: "honest-rate",
    what: "one command at a time beside 16 connections with 1,024 in flight each",
    bound: AtLeast(200.0),
    unit: "commands/s",
};
pub const HONEST_P99: Goal = Goal { key: "honest-p99", what: "their p99", bound: AtMost(50.0), unit: "ms" };
pub const FLOOD_KEPT: Goal = Goal {
    key: "flood-kept",
    what: "throughput of the 16 connections beside it against alone",
    bound: AtLeast(0.9),
    unit: "×",
};

pub const HANDED_OUT: Goal = Goal {
    key: "handed-out",
    what: "from the answer (durable) to the event at an attached program, one command at a time, p50",
    bound: AtMost(1.0),
    unit: "ms",
};
pub const SUBSCRIPTION_DRAIN: Goal = Goal {
    key: "subscription-drain",
    what: "draining 10 million events to an attached program, 4,096 in flight",
    bound: AtLeast(150_000.0),
    unit: "events/s",
};
pub const POISON: Goal = Goal {
    key: "poison",
    what: "throughput of such a drain of a million events with a poison order against without",
    bound: AtLeast(0.95),
    unit: "×",
};
pub const SUBSCRIPTION_P99: Goal = Goal {
    key: "subscription-p99",
    what: "p99 of 20,000 commands/s beside such a drain, against without",
    bound: AtMost(2.0),
    unit: "×",
};
pub const PARKED_START: Goal = Goal {
    key: "parked-start",
    what: "start with 10,000 parked lanes and 10 million events behind, against no parked lane",
    bound: AtMost(1.2),
    unit: "×",
};
pub const PARKED_MEMORY: Goal =
    Goal { key: "parked-memory", what: "resident memory then, against no parked lane", bound: AtMost(1.2), unit: "×" };

/// All rows.
pub const GOALS: [&Goal; 32] = [
    &LONE_P50,
    &MANY_FLOOR,
    &FULL_FLOOR,
    &FULL_POSTGRES,
    &FULL_REDIS,
    &PLACE_BYTES,
    &COMPLETE_BYTES,
    &RECOVERY,
    &CHECKPOINT_START,
    &ORDER_MEMORY,
    &ENDURANCE,
    &CHECKPOINT_P99,
    &DRAIN,
    &DRAIN_P99,
    &DRAIN_MEMORY,
    &BACKLOG_START,
    &DELIVERY,
    &FULL_SINK,
    &FULL_SINK_FLOOR,
    &MANY_SINK,
    &LONE_SINK,
    &LONE_FLOOR,
    &SINK_LAG,
    &HONEST_RATE,
    &HONEST_P99,
    &FLOOD_KEPT,
    &HANDED_OUT,
    &SUBSCRIPTION_DRAIN,
    &POISON,
    &SUBSCRIPTION_P99,
    &PARKED_START,
    &PARKED_MEMORY,
];

impl Bound {
    pub fn holds(self, value: f64) -> bool {
        match self {
            AtMost(most) => value <= most,
            AtLeast(least) => value >= least,
        }
    }
}

impl Goal {
    /// The bound as text.
    pub fn bound_text(&self) -> String {
        match self.bound {
            AtMost(most) => format!("at most {}", self.text(most)),
            AtLeast(least) => format!("at least {}", self.text(least)),
        }
    }

    /// A value with the row's unit.
    pub fn text(&self, value: f64) -> String {
        format!("{} {}", number(value), self.unit)
    }
}

/// Three digits that matter, thousands apart.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        let millions = value / 1e6;
        if (millions - millions.round()).abs() < 1e-9 {
            format!("{millions:.0} million")
        } else {
            format!("{millions:.2} million")
        }
    } else if size >= 10_000.0 {
        format!("{:.0},{:03.0}", (value / 1_000.0).trunc(), (value % 1_000.0).abs().trunc())
    } else if size >= 100.0 || (value - value.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.8, "0.80"),
            (1.0, "1"),
            (12.34, "12.3"),
            (256.0, "256"),
            (20_000.0, "20,000"),
            (345_678.9, "345,678"),
            (1e6, "1 million"),
            (1_234_567.0, "1.23 million"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
