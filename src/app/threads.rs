//! Threads with names, and how they end: one that ends unasked ends the process.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::AppError;

/// How long a thread that has failed may take to tell why, once another has ended because of it.
const CAUSE_MAX: Duration = Duration::from_millis(500);

/// A thread has ended, and how.
pub(super) struct Ended {
    pub(super) thread: String,
    pub(super) result: Result<(), AppError>,
}

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), AppError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|error| AppError::Internal(format!("starting the thread {name}: {error}")))
}

/// Threads whose ends are told.
pub(super) struct Threads {
    end: Sender<Ended>,
    pub(super) ended: Receiver<Ended>,
    pub(super) started: usize,
}

impl Threads {
    /// There is room for every thread's end.
    pub(super) fn new(most: usize) -> Self {
        let (end, ended) = bounded(most);
        Self { end, ended, started: 0 }
    }

    /// Runs a thread and tells how it ended.
    pub(super) fn start(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<(), AppError> + Send + 'static,
    ) -> Result<(), AppError> {
        let (thread, end) = (name.to_owned(), self.end.clone());
        self.started = self.started.saturating_add(1);
        spawn(name, move || {
            let result = run();
            drop(end.send(Ended { thread, result }));
        })
    }
}

/// Why a thread ended although nobody had asked it to.
///
/// One that fails lets go of its channels before it can tell why, and whoever spoke with it may then end first and
/// without an error: so the others are heard for a moment, because the exit code is that of the cause.
pub(super) fn root_cause(first: Option<Ended>, others: &Receiver<Ended>) -> AppError {
    let Some(Ended { thread, result }) = first else {
        return AppError::Internal("all threads ended by themselves".to_owned());
    };
    let Err(error) = result else {
        let deadline = Instant::now() + CAUSE_MAX;
        let mut causes = std::iter::from_fn(|| others.recv_deadline(deadline).ok());
        let cause = causes.find_map(|ended| ended.result.err());
        return cause.unwrap_or_else(|| AppError::Internal(format!("the thread {thread} ended by itself")));
    };
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(thread: &str, result: Result<(), AppError>) -> Ended {
        Ended { thread: thread.to_owned(), result }
    }

    #[test]
    fn the_thread_that_failed_is_told_also_if_another_ends_before_it() {
        let (end, others) = bounded(4);
        end.send(ended("relay-events", Ok(()))).unwrap();
        end.send(ended("executor", Err(AppError::Io("syncing the journal".to_owned())))).unwrap();
        let error = root_cause(Some(ended("server", Ok(()))), &others);
        assert!(matches!(&error, AppError::Io(cause) if cause == "syncing the journal"), "{error}");
    }

    #[test]
    fn a_thread_that_ends_for_no_reason_is_our_mistake() {
        let (_end, others) = bounded::<Ended>(4);
        let error = root_cause(Some(ended("server", Ok(()))), &others);
        assert!(matches!(&error, AppError::Internal(told) if told.contains("server")), "{error}");
    }
}
