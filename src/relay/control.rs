//! How other threads wake a worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use mio::Waker;

/// Held by those who wake a worker. Nothing here ever waits, and control that were not heard yet become one.
#[derive(Debug)]
pub struct Control {
    durable: Sender<()>,
    durable_heard: Receiver<()>,
    control: Sender<()>,
    control_heard: Receiver<()>,
    stop: AtomicBool,
    reopen: AtomicBool,
    /// Of a worker that waits for sockets, too: it is woken in this way alone.
    waker: Option<Waker>,
    /// Whether it was woken and has not begun its turn.
    woken: AtomicBool,
    /// Who is woken and stopped with it: the worker that has a seat.
    follower: Mutex<Option<Arc<Control>>>,
}

impl Default for Control {
    fn default() -> Self {
        let (durable, durable_heard) = bounded(1);
        let (control, control_heard) = bounded(1);
        let [stop, reopen, woken] = [AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false)];
        Self {
            durable,
            durable_heard,
            control,
            control_heard,
            stop,
            reopen,
            waker: None,
            woken,
            follower: Mutex::default(),
        }
    }
}

/// What a worker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Any signal.
    Signal,
    /// Any signal, or the end of this time.
    SignalOr(Duration),
    /// The end of this time, or to be told to stop or to reopen. New events are not worth waking for: the sink fails.
    Pause(Duration),
}

impl Control {
    /// For a worker that waits for sockets, too.
    pub(super) fn with_waker(waker: Waker) -> Self {
        Self { waker: Some(waker), ..Self::default() }
    }

    /// From now on `follower` is woken, stopped and told to reopen with this; with `None` nobody is.
    pub fn set_follower(&self, follower: Option<Arc<Self>>) {
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = follower;
        if self.stop_requested() {
            self.tell_follower(Self::stop);
        }
    }

    fn tell_follower(&self, what: fn(&Self)) {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(follower) = follower {
            what(&follower);
        }
    }

    /// Waits to be woken, at most for `limit`; whether it was told to stop.
    pub fn wait_vacant(&self, limit: Duration) -> bool {
        if !self.stop_requested() {
            self.wait(Wait::Pause(limit));
        }
        self.stop_requested()
    }

    /// There are new durable events.
    pub fn durable(&self) {
        self.tell_follower(Self::durable);
        if !self.wake_poll() {
            notify(&self.durable);
        }
    }

    /// There is something else to look at: a decision, or a connection.
    pub fn wake(&self) {
        self.tell_follower(Self::wake);
        if !self.wake_poll() {
            notify(&self.control);
        }
    }

    /// A worker that waits for sockets begins a turn: whatever comes from here on wakes it again.
    pub(super) fn begin_turn(&self) {
        self.woken.store(false, Ordering::SeqCst);
    }

    /// Wakes a worker that waits for sockets; whether it is one.
    fn wake_poll(&self) -> bool {
        let Some(waker) = &self.waker else { return false };
        if !self.woken.swap(true, Ordering::SeqCst)
            && let Err(error) = waker.wake()
        {
            tracing::error!(%error, "a sink's worker cannot be woken");
        }
        true
    }

    /// Open the target again.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::SeqCst);
        self.tell_follower(Self::reopen);
        self.wake();
    }

    /// Come to an end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.tell_follower(Self::stop);
        self.wake();
    }

    /// Whether it was told to come to an end.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub(super) fn take_reopen(&self) -> bool {
        self.reopen.load(Ordering::SeqCst) && self.reopen.swap(false, Ordering::SeqCst)
    }

    pub(super) fn wait(&self, wait: Wait) {
        let (woken, timeout) = match wait {
            Wait::Signal => {
                crossbeam_channel::select! {
                    recv(self.durable_heard) -> signal => (signal.is_ok(), None),
                    recv(self.control_heard) -> signal => (signal.is_ok(), None),
                }
            }
            Wait::SignalOr(timeout) => {
                crossbeam_channel::select! {
                    recv(self.durable_heard) -> signal => (signal.is_ok(), None),
                    recv(self.control_heard) -> signal => (signal.is_ok(), None),
                    default(timeout) => (false, Some(timeout)),
                }
            }
            Wait::Pause(timeout) => match self.control_heard.recv_timeout(timeout) {
                Ok(()) => (true, None),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => (false, Some(timeout)),
            },
        };
        // We hold both ends of each channel, so none of them is ever disconnected.
        debug_assert!(woken || timeout.is_some());
    }
}

/// A bell that has rung and was not heard yet need not ring again.
fn notify(bell: &Sender<()>) {
    match bell.try_send(()) {
        Ok(()) | Err(crossbeam_channel::TrySendError::Full(()) | crossbeam_channel::TrySendError::Disconnected(())) => {
        }
    }
}
