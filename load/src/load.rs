//! What a load run is to do.

use super::orders::OrderNames;
use std::time::Duration;

/// What to do to the server.
#[derive(Debug, Clone)]
pub struct Load {
    /// Connections, each with its own orders.
    pub connections: usize,
    /// Commands a connection has sent and not yet heard of, at most.
    pub in_flight: usize,
    /// What the commands are.
    pub mix: Mix,
    /// Commands a second over all connections, sent on time; without it, as many as the answers allow.
    pub rate: Option<f64>,
    /// Not measured, at the start.
    pub warmup: Duration,
    /// When to stop.
    pub end: End,
    /// The orders' names.
    pub names: OrderNames,
}

/// When a run is over.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// After this long, counted from the end of the warm-up.
    After(Duration),
    /// After this many commands.
    Commands(u64),
}

/// What the commands of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mix {
    /// Place an order, then complete one that was answered: half and half.
    PlaceComplete,
    /// Place an order, then cancel one that was answered: half and half.
    PlaceCancel,
    /// Only place orders.
    Place,
    /// Place one order a connection, then read it again and again.
    Get,
}

impl Mix {
    /// Their names, for command lines.
    pub const NAMES: [&str; 4] = ["place-complete", "place-cancel", "place", "get"];
}

impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "place-complete" => Ok(Self::PlaceComplete),
            "place-cancel" => Ok(Self::PlaceCancel),
            "place" => Ok(Self::Place),
            "get" => Ok(Self::Get),
            _ => Err(format!("there is no mix {name}; there are {}", Self::NAMES.join(", "))),
        }
    }
}
