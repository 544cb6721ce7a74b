//! PostgreSQL as the store of one and of several daemons, in a server that these tests start themselves.

mod daemons;
mod failover;
mod kills;
mod lanes;
mod migrate;
mod orders;
mod outage;
mod relays;
mod snapshots;
mod tls;
