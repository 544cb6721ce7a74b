//! The seam: what a connector is, beyond what all connectors share.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{Common, ConfigError, Defaults};
use crate::delivery::Delivery;
use crate::outcome::Unavailable;

/// Where events go. It lives on a thread of its own, which no other code uses, so its calls may block: a blocking client
/// delivers a batch inside [`Target::deliver`], an asynchronous one starts it there (in a private runtime with at least
/// one worker thread) and answers later.
///
/// An implementation MUST
/// - connect when it needs the connection, never in [`Connector::open`]: a target that is away is
///   [`crate::Outcome::Unavailable`], at the start as at any other time;
/// - answer every delivery within [`Common::timeout`] and a little, whatever the target does; a request whose answer did
///   not come in time is an answer as well ([`crate::Outcome::Failed`] or [`crate::Outcome::Unavailable`]);
/// - report [`crate::Outcome::Delivered`] only for what the target has confirmed;
/// - be ready to get an event that it has delivered before.
///
/// Deliveries of one order come one after the other, the next when the one before was answered; deliveries of different
/// orders may overtake each other. At most [`Common::in_flight_max`] are unanswered at any time, apart from those whose
/// session has ended.
pub trait Target: Send {
    /// Begins to deliver these events: at least one, at most [`Common::batch_events_max`], in the order of hand-out.
    fn deliver(&mut self, batch: Vec<Delivery>);

    /// SIGHUP: reads the secrets again; what is in flight goes on. On an error the secrets stay as they were.
    ///
    /// # Errors
    /// A secret that cannot be read.
    fn reload(&mut self) -> Result<(), ConfigError>;

    /// `check --connect`: whether the target would take events now. Sends none. The text says what was found.
    ///
    /// # Errors
    /// Why it would not.
    fn check(&mut self) -> Result<String, Unavailable>;

    /// The last call: everything was answered, or the time for it is over.
    fn close(&mut self) {}
}

/// A kind of target: its configuration, and how to make one.
pub trait Connector {
    /// The word in the program's name: `webhook` of `orderd-sink-webhook`.
    const TYPE: &'static str;
    /// The defaults of the keys that all connectors have.
    const DEFAULTS: Defaults;
    /// Subcommands besides `check`, each with what it does: printed by [`Connector::run_command`].
    const COMMANDS: &'static [(&'static str, &'static str)] = &[];

    /// The keys of its own. `#[serde(deny_unknown_fields)]` and a `default` for each key that may be left out; secrets
    /// are of type [`crate::SecretFile`], addresses with credentials in them are refused with [`crate::address`].
    type Config: DeserializeOwned + Serialize;
    /// What [`Connector::open`] makes.
    type Target: Target;

    /// Makes a target: checks the configuration and reads the secrets, connects to nothing.
    ///
    /// # Errors
    /// A key with an impossible value, or a secret or certificate that cannot be read.
    fn open(config: Self::Config, common: &Common) -> Result<Self::Target, ConfigError>;

    /// What the subcommand `name` prints; `config` is there if `--config` was given.
    ///
    /// # Errors
    /// A key with an impossible value.
    fn run_command(name: &str, config: Option<Self::Config>) -> Result<String, ConfigError> {
        drop(config);
        Err(ConfigError::new(format!("there is no command {name}")))
    }
}
