//! The connector: a connection when one is needed.

use orderd_sink::{Common, ConfigError, Connector, Credentials, Defaults, Delivery, Target, Unavailable};

use crate::config::{Config, Settings};
use crate::link::{Fate, Link};

/// The target of `orderd-sink-redis`.
pub struct Redis {
    settings: Settings,
    common: Common,
    credentials: Credentials,
    link: Option<Link>,
    /// Where the cluster has moved the stream.
    moved_to: Option<String>,
}

impl Connector for Redis {
    const TYPE: &'static str = "redis";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 10_000, in_flight_max: 1_024, in_flight_limit: 16_384, batch_events_max: 128 };

    type Config = Config;
    type Target = Self;

    fn open(config: Config, common: &Common) -> Result<Self, ConfigError> {
        let settings = config.check(common)?;
        let credentials = Credentials::read(settings.password_file.as_ref(), common)?;
        // Without it the choice would be made by which other crates are built along. A second call changes nothing.
        rustls::crypto::ring::default_provider().install_default().ok();
        Ok(Self { settings, common: common.clone(), credentials, link: None, moved_to: None })
    }
}

impl Redis {
    fn connect(&mut self) -> Result<&mut Link, Unavailable> {
        match &mut self.link {
            Some(link) => Ok(link),
            none => {
                self.credentials.refresh();
                // Only once: if that node is not there, the first one knows where the stream is now.
                let moved_to = self.moved_to.take();
                let timeout = self.common.timeout;
                let link = Link::open(&self.settings, &self.credentials, moved_to.as_deref(), timeout)?;
                Ok(none.insert(link))
            }
        }
    }
}

impl Target for Redis {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        if let Err(unavailable) = self.connect() {
            return Delivery::report_all(batch, &unavailable.into());
        }
        let Some(link) = &mut self.link else { return };
        match link.add(batch, &self.settings) {
            Fate::Alive => {}
            Fate::Ended => self.link = None,
            Fate::Moved(address) => {
                tracing::info!(address, "the cluster has the stream on another node");
                self.link = None;
                self.moved_to = Some(address);
            }
        }
    }

    /// The next connection uses them; the one that is there stays.
    fn reload(&mut self) -> Result<(), ConfigError> {
        self.credentials.read_again()
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        self.connect()?;
        match &mut self.link {
            Some(link) => link.describe(&self.settings),
            None => Err(Unavailable::passing("not connected")),
        }
    }
}
