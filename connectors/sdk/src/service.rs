//! What the service manager is told. Outside systemd all of it does nothing.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager that started this process, if any.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    watchdog_every: Option<Duration>,
    watchdog_at: Option<Instant>,
}

impl ServiceManager {
    pub(crate) fn from_env(now: Instant) -> Self {
        let watchdog_every = sd_notify::watchdog_enabled().map(|timeout| timeout / 2);
        Self { watchdog_every, watchdog_at: watchdog_every.map(|every| now + every) }
    }

    /// Configuration and secrets were read. Neither the daemon nor the target need to be there for that.
    pub(crate) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// What `systemctl status` shows.
    pub(crate) fn status(&self, status: &str) {
        tell(&[NotifyState::Status(&status.replace(char::is_control, " "))]);
    }

    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "cannot read the clock for the service manager"),
        }
    }

    pub(crate) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// When [`Self::feed`] wants to be called.
    pub(crate) const fn watchdog_at(&self) -> Option<Instant> {
        self.watchdog_at
    }

    /// Feeds the watchdog if it is time and there is progress.
    pub(crate) fn feed(&mut self, now: Instant, progress: bool) {
        let (Some(every), Some(at)) = (self.watchdog_every, self.watchdog_at) else { return };
        if at <= now {
            self.watchdog_at = Some(now + every);
            if progress {
                tell(&[NotifyState::Watchdog]);
            } else {
                tracing::error!("the target gave no answer for too long: the watchdog goes hungry");
            }
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
