//! The service manager that started the console, if there is one.

use sd_notify::NotifyState;

/// Tells it. Without one, nothing happens.
pub fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
