//! SIGTERM, SIGINT and SIGHUP as messages.

use std::{io, thread};

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A request to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Answer what is in flight, detach, end.
    Stop,
    /// Read the secrets again.
    Reload,
}

/// Starts the thread that waits for signals.
pub(crate) fn listen() -> io::Result<Receiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, receiver) = bounded(16);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let signal = if signal == SIGHUP { Signal::Reload } else { Signal::Stop };
            // Sixteen unread signals say what the next one would.
            sender.try_send(signal).ok();
        }
    })?;
    Ok(receiver)
}
