//! The endpoint: a few workers, each with one request at a time.

use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use orderd_sink::{Common, ConfigError, Connector, Defaults, Delivery, Outcome, Target, Unavailable, address};
use ureq::http::Uri;

use crate::client::client;
use crate::config::WebhookConfig;
use crate::handshake;
use crate::post::Poster;
use crate::response;
use crate::signature::Signer;

/// The kind of connector.
pub struct Webhook;

/// The endpoint.
pub struct Endpoint {
    config: WebhookConfig,
    common: Common,
    uri: Uri,
    poster: Shared,
    queue: Sender<Delivery>,
    /// The endpoint has agreed, or nobody asks it.
    agreed: bool,
}

/// What workers use for the next request; replaced as a whole when secrets were read again.
type Shared = Arc<RwLock<Arc<Poster>>>;

impl Connector for Webhook {
    const TYPE: &'static str = "webhook";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 15_000, in_flight_max: 8, in_flight_limit: 64, batch_events_max: 64 };
    type Config = WebhookConfig;
    type Target = Endpoint;

    fn open(config: WebhookConfig, common: &Common) -> Result<Endpoint, ConfigError> {
        let uri = config.check()?;
        let poster = Arc::new(RwLock::new(Arc::new(poster(&config, common, &uri)?)));
        // Whoever fills the queue has at most this many unanswered events.
        let (queue, deliveries) = bounded(common.in_flight_max);
        for number in 1..=common.in_flight_max {
            start_worker(number, deliveries.clone(), poster.clone())?;
        }
        let agreed = config.origin.is_none();
        Ok(Endpoint { config, common: common.clone(), uri, poster, queue, agreed })
    }
}

fn poster(config: &WebhookConfig, common: &Common, uri: &Uri) -> Result<Poster, ConfigError> {
    Ok(Poster {
        agent: client(config, common)?,
        signer: Signer::read(&config.secret_files)?,
        uri: uri.clone(),
        content_mode: common.content_mode,
        retry_after_max: Duration::from_millis(config.retry_after_ms_max),
        response_bytes_max: config.response_bytes_max,
    })
}

fn start_worker(number: usize, deliveries: Receiver<Delivery>, poster: Shared) -> Result<(), ConfigError> {
    let work = move || {
        for delivery in deliveries {
            let outcome = current(&poster).post(&delivery);
            delivery.report(outcome);
        }
    };
    let started = thread::Builder::new().name(format!("worker-{number}")).spawn(work);
    started.map(drop).map_err(|error| ConfigError::key("in_flight_max", format!("cannot start a thread: {error}")))
}

fn current(poster: &Shared) -> Arc<Poster> {
    poster.read().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Endpoint {
    fn agree(&mut self) -> Result<(), Unavailable> {
        if let (false, Some(origin)) = (self.agreed, &self.config.origin) {
            handshake::ask(&current(&self.poster).agent, &self.uri, origin)?;
            self.agreed = true;
        }
        Ok(())
    }
}

impl Target for Endpoint {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        if let Err(unavailable) = self.agree() {
            return Delivery::report_all(batch, &unavailable.into());
        }
        for delivery in batch {
            // A delivery that the queue does not take is answered by being dropped.
            self.queue.send(delivery).ok();
        }
    }

    fn reload(&mut self) -> Result<(), ConfigError> {
        let poster = poster(&self.config, &self.common, &self.uri)?;
        *self.poster.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(poster);
        Ok(())
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        self.agree()?;
        let shown = address::for_people(&self.config.url);
        match current(&self.poster).agent.options(&self.uri).call() {
            Ok(answer) => Ok(format!("{shown} answers ({} to OPTIONS)", answer.status())),
            Err(error) => match response::outcome_of_error(&error) {
                Outcome::Unavailable(unavailable) => Err(unavailable),
                Outcome::Delivered | Outcome::Failed { .. } | Outcome::Rejected { .. } => {
                    Err(Unavailable::passing(error.to_string()))
                }
            },
        }
    }
}
