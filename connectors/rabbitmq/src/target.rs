//! The connector: a connection when one is needed.

use orderd_sink::{Common, ConfigError, Connector, Credentials, Defaults, Delivery, Target, Unavailable};

use crate::config::{Config, Settings};
use crate::link::Link;

/// The target of `orderd-sink-rabbitmq`.
pub struct RabbitMq {
    settings: Settings,
    common: Common,
    credentials: Credentials,
    link: Option<Link>,
}

impl Connector for RabbitMq {
    const TYPE: &'static str = "rabbitmq";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 10_000, in_flight_max: 512, in_flight_limit: 4_096, batch_events_max: 256 };

    type Config = Config;
    type Target = Self;

    fn open(config: Config, common: &Common) -> Result<Self, ConfigError> {
        let settings = config.check(common)?;
        let credentials = Credentials::read(settings.password_file.as_ref(), common)?;
        Ok(Self { settings, common: common.clone(), credentials, link: None })
    }
}

impl RabbitMq {
    fn connect(&mut self) -> Result<&Link, Unavailable> {
        if let Some(ended) = self.link.take_if(|link| link.has_ended()) {
            ended.close();
        }
        match &mut self.link {
            Some(link) => Ok(link),
            none => {
                self.credentials.refresh();
                Ok(none.insert(Link::open(&self.settings, &self.credentials, &self.common)?))
            }
        }
    }
}

impl Target for RabbitMq {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        if let Err(unavailable) = self.connect() {
            return Delivery::report_all(batch, &unavailable.into());
        }
        if let Some(link) = &self.link {
            link.publish(batch, &self.settings, self.common.content_mode);
        }
    }

    /// The next connection uses them; the one that is there stays.
    fn reload(&mut self) -> Result<(), ConfigError> {
        self.credentials.read_again()
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        self.connect()?;
        Ok(match self.settings.exchange.as_str() {
            "" => "connected; the default exchange takes the events".to_owned(),
            exchange => format!("the exchange {exchange} is there"),
        })
    }

    fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }
}
