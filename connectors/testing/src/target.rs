//! What the tests need to know of a target.

use crate::home::Home;
use crate::program::Program;

/// A target's server, and what a consumer finds there.
pub trait Target {
    /// The connector's program.
    const BINARY: &str;
    /// What a consumer finds; its body as bytes.
    type Message: AsRef<[u8]>;

    /// The least configuration that leads there.
    fn keys(&self) -> String;

    /// What has arrived, in the order of arrival; of a queue, what has arrived since the last look.
    fn stored(&self) -> Vec<Self::Message>;

    /// Kills the server, and starts it again.
    fn kill(&mut self);

    /// Starts the connector on this daemon, with more keys.
    fn connector(&self, daemon: &Home, more: &str) -> Program {
        Program::start(Self::BINARY, daemon, &(self.keys() + more))
    }
}
