//! What the daemon tells systemd. Outside systemd all of it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager that started us, if any.
#[derive(Debug, Clone)]
pub struct ServiceManager {
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Looks at the environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled() }
    }

    /// How often [`Self::alive`] has to be called: twice in the time after which we count as hung. None if nobody watches.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|timeout| timeout / 2)
    }

    /// Commands are answered from now on.
    pub fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) {
        tell(&[NotifyState::Status(&one_line(status))]);
    }

    /// The start takes longer than usual: wait this much more, counted from now.
    pub fn extend_start(&self, by: Duration) {
        let microseconds = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        tell(&[NotifyState::ExtendTimeoutUsec(microseconds)]);
    }

    /// Executor, journal and relay have moved since the last call, or had nothing to do.
    pub fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// SIGHUP is being followed; `ready` says when that is done.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "cannot read the clock for the service manager"),
        }
    }

    /// The stop has begun.
    pub fn stopping(&self, status: &str) {
        tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

/// A line break would begin another message.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_it_bites() {
        let manager = ServiceManager { watchdog: Some(Duration::from_secs(30)) };
        assert_eq!(manager.watchdog_interval(), Some(Duration::from_secs(15)));
        assert_eq!(ServiceManager { watchdog: None }.watchdog_interval(), None);
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("a\nREADY=1"), "a READY=1");
    }
}
