//! The connector: a connection when one is needed.

use async_nats::rustls;
use orderd_sink::{Common, ConfigError, Connector, Defaults, Delivery, Target, Unavailable};

use crate::auth::Auth;
use crate::config::{Config, Settings};
use crate::link::Link;

/// The target of `orderd-sink-nats`.
pub struct Nats {
    settings: Settings,
    auth: Auth,
    common: Common,
    link: Option<Link>,
}

impl Connector for Nats {
    const TYPE: &'static str = "nats";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 10_000, in_flight_max: 1_024, in_flight_limit: 16_384, batch_events_max: 512 };

    type Config = Config;
    type Target = Self;

    fn open(config: Config, common: &Common) -> Result<Self, ConfigError> {
        let (settings, auth) = config.check()?;
        common.tls.read()?;
        // Without it the choice would be made by which other crates are built along. A second call changes nothing.
        rustls::crypto::ring::default_provider().install_default().ok();
        Ok(Self { settings, auth, common: common.clone(), link: None })
    }
}

impl Nats {
    fn link(&mut self) -> Result<&Link, Unavailable> {
        if let Some(ended) = self.link.take_if(|link| link.has_ended()) {
            ended.close();
        }
        match &mut self.link {
            Some(link) => Ok(link),
            none => {
                if let Err(error) = self.auth.refresh() {
                    tracing::warn!(%error, "cannot read the secret again; the one before stays");
                }
                Ok(none.insert(Link::open(&self.settings, &self.auth, &self.common)?))
            }
        }
    }
}

impl Target for Nats {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        if let Err(unavailable) = self.link() {
            return Delivery::report_all(batch, &unavailable.into());
        }
        if let Some(link) = &self.link {
            link.publish(batch, &self.settings, self.common.content_mode);
        }
    }

    /// The next connection uses them; the one that is there stays.
    fn reload(&mut self) -> Result<(), ConfigError> {
        self.common.tls.read()?;
        self.auth.refresh()
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        let stream = self.link()?.stream.clone();
        let name = &self.settings.stream;
        Ok(match stream {
            Some(info) => format!(
                "the stream {name} is there: {} messages, duplicate window {} s",
                info.state.messages,
                info.config.duplicate_window.as_secs()
            ),
            None => format!("connected; the server does not tell the configuration of the stream {name}"),
        })
    }

    fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }
}
