//! All sections together.

use super::render::{NotUtf8, Rendering};
use super::{
    CheckpointConfig, DaemonConfig, DeliveryConfig, ExecutorConfig, JournalConfig, LogConfig, Origin, RelayConfig,
    ServerConfig, SinkConfig, StoreConfig,
};

/// A configuration that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it was read from.
    pub origin: Origin,
    /// `[daemon]`
    pub daemon: DaemonConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[server]`
    pub server: ServerConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[executor]`
    pub executor: ExecutorConfig,
    /// `[journal]`
    pub journal: JournalConfig,
    /// `[checkpoint]`
    pub checkpoint: CheckpointConfig,
    /// `[relay]`
    pub relay: RelayConfig,
    /// `[relay]`, too: what sinks may have for themselves.
    pub delivery: DeliveryConfig,
    /// `[[sinks]]`
    pub sinks: Vec<SinkConfig>,
}

impl Config {
    /// The whole configuration as TOML that reads back as itself: defaults filled in, paths absolute.
    ///
    /// # Errors
    /// A path that is no UTF-8.
    pub fn to_toml(&self) -> Result<String, NotUtf8> {
        let mut out = Rendering::default();
        out.header("[daemon]");
        self.daemon.render(&mut out)?;
        out.header("[log]");
        self.log.render(&mut out);
        out.header("[server]");
        self.server.render(&mut out);
        out.header("[store]");
        self.store.render(&mut out)?;
        out.header("[executor]");
        self.executor.render(&mut out);
        out.header("[journal]");
        self.journal.render(&mut out);
        out.header("[checkpoint]");
        self.checkpoint.render(&mut out);
        out.header("[relay]");
        self.relay.render(&mut out);
        self.delivery.render(&mut out);
        for sink in &self.sinks {
            out.header("[[sinks]]");
            sink.render(&self.delivery, &mut out)?;
        }
        Ok(out.0)
    }
}
