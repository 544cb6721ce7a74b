//! What every handler may use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

use super::connections::Connections;
use super::counters::Counters;
use super::decision_log::DecisionLog;
use super::hosts::Hosts;
use crate::daemon::Daemon;
use crate::flags::Flags;
use crate::telemetry::Sampler;
use crate::token::Token;

/// A sampler that made no turn for this long, beyond its time-outs, hangs.
const SAMPLER_SLACK: Duration = Duration::from_secs(5);

/// The console's parts.
pub struct App {
    /// The command line.
    pub flags: Flags,
    /// The way to the daemon.
    pub daemon: Daemon,
    /// The newest sample and older ones.
    pub sampler: Sampler,
    /// What it takes to act, or to read from afar.
    pub token: Option<Token>,
    /// The values of the Host header that are ours.
    pub hosts: Hosts,
    /// Requests, and connections that were ended.
    pub counters: Counters,
    /// Who decided what.
    pub decisions: DecisionLog,
    /// The connections that are open.
    pub open: Connections,
    sampler_turn_ms: AtomicU64,
    notifies_watchdog: bool,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(flags: Flags, daemon: Daemon, sampler: Sampler, token: Option<Token>, hosts: Hosts) -> Self {
        Self {
            flags,
            daemon,
            sampler,
            token,
            hosts,
            counters: Counters::default(),
            decisions: DecisionLog::default(),
            open: Connections::default(),
            sampler_turn_ms: AtomicU64::new(crate::clock::unix_ms()),
            notifies_watchdog: sd_notify::watchdog_enabled().is_some(),
        }
    }

    /// Whether reading takes the token, too: other machines reach the address.
    #[must_use]
    pub fn guards_reading(&self) -> bool {
        !self.flags.listen.is_private()
    }

    /// The sampler made a turn.
    pub fn sampler_alive(&self) {
        self.sampler_turn_ms.store(crate::clock::unix_ms(), Ordering::Relaxed);
        if self.notifies_watchdog {
            crate::service::tell(&[NotifyState::Watchdog]);
        }
    }

    /// Whether the sampler makes turns.
    #[must_use]
    pub fn is_sampler_alive(&self) -> bool {
        let silent = crate::clock::unix_ms().saturating_sub(self.sampler_turn_ms.load(Ordering::Relaxed));
        // A turn connects and asks twice.
        Duration::from_millis(silent) < self.flags.daemon_timeout() * 3 + SAMPLER_SLACK
    }
}
