//! The connector: a producer when one is needed.

use std::time::{Duration, Instant};

use orderd_sink::{Common, ConfigError, Connector, Defaults, Delivery, Secret, Target, Unavailable};
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;

use crate::config::{Config, Settings};
use crate::link::Link;

/// How long batches are of one message after a batch of several was refused for its size: until those events had their
/// next attempt, in which only the event that is too large can be refused.
const CAUTION: Duration = Duration::from_secs(60);

/// The target of `orderd-sink-kafka`.
pub struct Kafka {
    settings: Settings,
    common: Common,
    password: Option<Secret>,
    link: Option<Link>,
    cautious_until: Option<Instant>,
    is_cautious: bool,
}

impl Connector for Kafka {
    const TYPE: &'static str = "kafka";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 10_000, in_flight_max: 1_024, in_flight_limit: 16_384, batch_events_max: 512 };

    type Config = Config;
    type Target = Self;

    fn open(config: Config, common: &Common) -> Result<Self, ConfigError> {
        let settings = config.check()?;
        common.tls.read()?;
        let password = settings.read_password()?;
        let target =
            Self { settings, common: common.clone(), password, link: None, cautious_until: None, is_cautious: false };
        target.check_options()?;
        Ok(target)
    }
}

impl Kafka {
    /// librdkafka checks its settings when it makes a client; one without servers connects to nothing.
    fn check_options(&self) -> Result<(), ConfigError> {
        let mut client = self.settings.client(&self.common, self.password.as_ref(), false);
        client.remove("bootstrap.servers");
        match client.create::<BaseProducer>() {
            Ok(_) => Ok(()),
            Err(KafkaError::ClientConfig(_, problem, name, _)) => {
                Err(ConfigError::key(format!("options.{name}"), problem))
            }
            Err(error) => Err(ConfigError::key("options", format!("librdkafka says: {error}"))),
        }
    }

    fn producer(&mut self) -> Result<&Link, Unavailable> {
        let now = Instant::now();
        if self.link.as_ref().is_some_and(Link::is_batch_too_large) {
            self.cautious_until = Some(now + CAUTION);
        }
        let cautious = self.cautious_until.is_some_and(|until| now < until);
        if let Some(ended) = self.link.take_if(|link| link.has_ended()) {
            ended.close();
        }
        let changes = cautious != self.is_cautious;
        if let Some(other) = self.link.take_if(|_| changes) {
            other.finish(self.common.timeout);
        }
        match &mut self.link {
            Some(link) => Ok(link),
            none => {
                match self.settings.read_password() {
                    Ok(password) => self.password = password,
                    Err(error) => tracing::warn!(%error, "cannot read the secret again; the one before stays"),
                }
                self.is_cautious = cautious;
                let client = self.settings.client(&self.common, self.password.as_ref(), cautious);
                Ok(none.insert(Link::open(&client, cautious)?))
            }
        }
    }
}

impl Target for Kafka {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        if let Err(unavailable) = self.producer() {
            return Delivery::report_all(batch, &unavailable.into());
        }
        if let Some(link) = &self.link {
            link.produce(batch, &self.settings.topic, self.common.content_mode);
        }
    }

    /// The next producer uses them; the one that is there stays.
    fn reload(&mut self) -> Result<(), ConfigError> {
        self.common.tls.read()?;
        self.password = self.settings.read_password()?;
        Ok(())
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        let (topic, timeout) = (self.settings.topic.clone(), self.common.timeout);
        self.producer()?.describe(&topic, timeout)
    }

    fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }
}
